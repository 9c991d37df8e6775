"""What KMS refused, or why it could not be asked, in a sentence."""

from __future__ import annotations

import json

from botocore.exceptions import ClientError, NoRegionError

from idp.aws.account_refusal import code_of, refusal_of, shortened
from idp.aws.arn import ProviderArn
from idp.keys.signing_key import CustodyDown, KeyUnusable

_SOME_PROVIDER = ProviderArn.parse("arn:aws:iam::000000000000:saml-provider/none")
_DOWN = ("throttled", "timed_out", "unreachable", "not_aws", "aws_error")
_STALE = ("expired", "unknown_credentials", "no_credentials", "bad_signature")
_AGAIN = "It is tried again every few seconds."


def kind_of(problem: Exception) -> str:
    """A word for what went wrong, as for accounts: "throttled", "denied", "expired", ..."""
    return refusal_of(problem, _SOME_PROVIDER, "").kind


def wants_new_credentials(problem: Exception) -> bool:
    """Whether the credentials are to be read anew before the next try."""
    return kind_of(problem) in _STALE


def kms_refusal(problem: Exception, action: str, key: str, access: str) -> KeyUnusable:
    """What `problem` means for `action`, like "kms:Sign", on a key.

    `access` says whose credentials they are, like "the profile idp".
    """
    if isinstance(problem, ClientError):
        said = shortened(str(problem.response.get("Error", {}).get("Message", "")))
        words = f"{code_of(problem)}: {said}".rstrip(": .")
        found = _of_key(code_of(problem), words, key)
        if found is not None:
            return found
    else:
        words = f"{type(problem).__name__}: {shortened(str(problem))}".rstrip(": .")
    if isinstance(problem, NoRegionError):
        return KeyUnusable("No Region is set for KMS.", "Set keys.kms.region.")
    kind = kind_of(problem)
    if kind in _DOWN:
        return _down(kind, words)
    return _of_access(kind, words, action, key, access)


def _of_key(code: str, words: str, key: str) -> KeyUnusable | None:
    match code:
        case "DisabledException":
            return KeyUnusable(
                f"The KMS key {key} is disabled.",
                f"Enable it with: aws kms enable-key --key-id {key}",
            )
        case "KMSInvalidStateException":
            return KeyUnusable(
                f"The KMS key {key} can't be used in its present state ({words}).",
                "If it waits for deletion, bring it back: aws kms cancel-key-deletion --key-id "
                f"{key} && aws kms enable-key --key-id {key}",
            )
        case "NotFoundException":
            return KeyUnusable(
                f"KMS has no key {key} ({words}).",
                "It was deleted, or these credentials are of another account or Region.",
            )
        case "InvalidKeyUsageException" | "UnsupportedOperationException" | "ValidationException":
            return KeyUnusable(
                f"The KMS key {key} does not sign ({words}).",
                "It should be an RSA key with the usage SIGN_VERIFY; `idp certs generate "
                "--custody kms` makes such a one.",
            )
        case "KMSInternalException" | "DependencyTimeoutException" | "KeyUnavailableException":
            return _down("aws_error", words)
    return None


def _down(kind: str, words: str) -> CustodyDown:
    sentence = {
        "throttled": "AWS KMS throttles the calls",
        "timed_out": "AWS KMS does not answer in time",
        "unreachable": "AWS KMS can't be reached",
        "not_aws": "What answers in the place of AWS KMS does not speak as it does",
        "aws_error": "AWS KMS answered with an error of its own",
    }[kind]
    return CustodyDown(f"{sentence} ({words}).", _AGAIN)


def _of_access(kind: str, words: str, action: str, key: str, access: str) -> KeyUnusable:
    match kind:
        case "denied":
            return KeyUnusable(
                f"Not allowed: {action} on {key} with {access} ({words}).",
                f"Allow it with this policy, and see that the key's own policy does: "
                f"{_policy(action, key)}",
            )
        case "expired":
            return KeyUnusable(
                f"The session of {access} has expired ({words}).",
                "Give the server credentials that renew themselves, like a role.",
            )
        case "unknown_credentials" | "bad_signature":
            return KeyUnusable(
                f"AWS does not take the credentials of {access} ({words}).",
                "They are deleted or mistyped, or this machine's clock is wrong.",
            )
        case "no_credentials":
            return KeyUnusable(
                f"There are no AWS credentials in {access} ({words}).",
                "Give the machine a role, or name a profile in keys.kms.profile.",
            )
        case "no_profile" | "bad_profile":
            return KeyUnusable(
                f"The AWS configuration can't be used with {access} ({words}).",
                "Look at keys.kms.profile and at `aws configure list-profiles`.",
            )
        case _:
            return KeyUnusable(f"AWS KMS refused {action} ({words}).")


def _policy(action: str, key: str) -> str:
    resource = key if key.startswith("arn:") else "*"
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
