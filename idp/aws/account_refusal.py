"""Why the API of one account could not be used, in words, from what boto3 raises."""

from __future__ import annotations

import json
import re

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from idp.aws.arn import ProviderArn
from idp.errors import IdpError

ACTIONS = ("iam:GetSAMLProvider", "iam:CreateSAMLProvider", "iam:UpdateSAMLProvider")

_READING_ROLES = (
    '{"Version": "2012-10-17", "Statement": '
    '[{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}]}'
)
_LONGEST = 300
_ACTION = re.compile(r"perform:? ([a-z0-9-]{1,40}:[A-Za-z0-9]{1,80})")
# An access key, or a long run as tokens and signatures have it: AWS repeats requests in messages.
_SECRET = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{8,}|[A-Za-z0-9+=_]{40,}")

_THROTTLED = (
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled"),
    *("RequestThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"),
)
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized")
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
_UNKNOWN_KEY = (
    *("InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"),
    *("AuthFailure", "MissingAuthenticationToken"),
)
_BAD_SIGNATURE = ("SignatureDoesNotMatch", "IncompleteSignature", "RequestTimeTooSkewed")
_LIMIT = ("LimitExceeded", "LimitExceededException", "KeysPerSAMLProvider")
_BAD_INPUT = ("InvalidInput", "InvalidInputException", "ValidationError", "MalformedInput")
_REGION = ("RegionDisabledException", "RegionDisabled", "OptInRequired")


class AccountRefusal(IdpError):
    """The API of one account could not be used. `kind` is a word for programs, like "denied"."""

    status = 502

    def __init__(self, kind: str, message: str, advice: str = "") -> None:
        super().__init__(message, advice)
        self.kind = kind


class OutOfTime(Exception):
    """The time for one account is up.

    `last` is what went wrong last, an error code or the name of an exception, and may be empty;
    `status` is the HTTP status that came with it, or 0.
    """

    def __init__(self, seconds: float, last: str = "", status: int = 0) -> None:
        super().__init__(
            f"gave up after {seconds:g} seconds{f', the last try: {last}' * bool(last)}"
        )
        self.last = last
        self.status = status


def minimal_policy(provider: ProviderArn) -> str:
    """The IAM policy that registering needs in each account, on one line.

    The account number is left open, so that the text is the same for every account of a company;
    as an identity's policy it reaches no further than that identity's own account.
    """
    resource = f"arn:{provider.partition}:iam::*:saml-provider/{provider.name}"
    statement = {"Effect": "Allow", "Action": list(ACTIONS), "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def shortened(text: str) -> str:
    """AWS's own words, made safe to print: first line, printable, no credentials, not long."""
    lines = text.strip().splitlines()
    printable = "".join(each for each in lines[0] if each.isprintable()) if lines else ""
    bare = _SECRET.sub("…", printable)
    return bare if len(bare) <= _LONGEST else bare[: _LONGEST - 1] + "…"


def code_of(problem: boto.ClientError) -> str:
    """AWS's error code, like "NoSuchEntity"."""
    return str(problem.response.get("Error", {}).get("Code", ""))


def retries_before(problem: boto.ClientError) -> int:
    """How often botocore had sent the request before the answer that was refused."""
    return int(problem.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def refusal_of(
    problem: Exception, provider: ProviderArn, access: str, source: str = ""
) -> AccountRefusal:
    """What `problem` means for the account of `provider`.

    `access` says how the account is reached, like "the role arn:…"; `source` whose credentials
    these are in the beginning, if that is something else, like "the default credentials".
    """
    source = source or access
    if isinstance(problem, AccountRefusal):
        return problem
    if isinstance(problem, boto.ClientError):
        return _of_answer(problem, provider, access, source)
    if isinstance(problem, OutOfTime):
        return _out_of_time(problem)
    return _of_credentials(problem, source) or _of_network(problem) or _unforeseen(problem)


def _of_answer(
    problem: boto.ClientError, provider: ProviderArn, access: str, source: str
) -> AccountRefusal:
    code = code_of(problem)
    said = shortened(str(problem.response.get("Error", {}).get("Message", "")))
    words = f"{code}: {said}" if said else code
    status = int(problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in _THROTTLED:
        return AccountRefusal(
            "throttled",
            f"AWS throttles the calls, and did so to the end of the retries ({words}).",
            "Run it again later, or with fewer --workers.",
        )
    if code in _DENIED:
        return _denied(problem, provider, access, words)
    if code in _EXPIRED:
        return _expired(source, words)
    if code in _UNKNOWN_KEY:
        return AccountRefusal(
            "unknown_credentials",
            f"The partition {provider.partition} does not know {source} ({words}).",
            "They are deleted, mistyped, or of another partition: see `idp aws account list`.",
        )
    if code in _BAD_SIGNATURE:
        return AccountRefusal(
            "bad_signature",
            f"AWS does not take the signature ({words}).",
            "The secret key is wrong, or this machine's clock is: compare it with the time of day.",
        )
    if code in _LIMIT:
        return AccountRefusal(
            "limit",
            f"The account is at a limit of IAM ({words}).",
            "IAM takes 100 SAML providers per account and 10 keys per provider.",
        )
    if code == "ConcurrentModification":
        return AccountRefusal(
            "concurrent", f"Somebody else changes it now ({words}).", "Run again."
        )
    if code in _BAD_INPUT:
        return AccountRefusal(
            "invalid_metadata",
            f"IAM does not take the metadata ({words}).",
            "Look at it with: idp metadata show",
        )
    if code in _REGION:
        return AccountRefusal("region", f"The account has this Region switched off ({words}).")
    if status >= 500:
        return AccountRefusal(
            "aws_error", f"AWS answered with an error of its own ({words}).", "Run it again later."
        )
    return AccountRefusal("refused", f"AWS refused {problem.operation_name}: {words}.")


def _denied(
    problem: boto.ClientError, provider: ProviderArn, access: str, words: str
) -> AccountRefusal:
    found = _ACTION.search(words)
    service = "sts" if problem.operation_name in ("AssumeRole", "GetCallerIdentity") else "iam"
    action = found[1] if found else f"{service}:{problem.operation_name}"
    if action == "sts:AssumeRole":
        return AccountRefusal(
            "denied",
            f"Not allowed: sts:AssumeRole on {access} ({words}).",
            "The role's trust policy must name the identity that this machine has by default, and "
            "that identity must be allowed sts:AssumeRole on the role.",
        )
    policy = _READING_ROLES if action == "iam:ListRoles" else minimal_policy(provider)
    return AccountRefusal(
        "denied",
        f"Not allowed: {action} with {access} ({words}).",
        f"Allow it in that account with this policy: {policy}",
    )


def _expired(access: str, words: str) -> AccountRefusal:
    return AccountRefusal(
        "expired",
        f"The session of {access} has expired ({words}).",
        "Get new ones, for example with: aws sso login",
    )


def _out_of_time(problem: OutOfTime) -> AccountRefusal:
    kind = "aws_error" if problem.status >= 500 else "timed_out"
    if problem.last in _THROTTLED:
        kind = "throttled"
    sentence = f"AWS gave no good answer: {problem}."
    return AccountRefusal(kind, sentence, "Run it again: what is done already stays done.")


def _of_credentials(problem: Exception, access: str) -> AccountRefusal | None:
    said = shortened(str(problem))
    match problem:
        case boto.ProfileNotFound():
            return AccountRefusal(
                "no_profile",
                f"This machine has no profile of that name: {access}.",
                "See `aws configure list-profiles`, or change it: idp aws account add … --update",
            )
        case boto.NoCredentialsError() | boto.PartialCredentialsError():
            return AccountRefusal(
                "no_credentials",
                f"There is no access key with its secret in {access}.",
                "Set the AWS_* variables, or give the account a profile: "
                "idp aws account add … --profile NAME --update",
            )
        case boto.SSOError() | boto.TokenRetrievalError() | boto.LoginError():
            return _expired(access, said)
        case boto.CredentialRetrievalError() | boto.MissingDependencyException():
            return AccountRefusal("no_credentials", f"{access} gives no credentials: {said}")
        case (
            boto.InvalidConfigError()
            | boto.ConfigParseError()
            | boto.ConfigNotFound()
            | boto.InfiniteLoopConfigError()
            | boto.UnknownCredentialError()
        ):
            return AccountRefusal("bad_profile", f"{access} can't be used: {said}")
    return None


def _of_network(problem: Exception) -> AccountRefusal | None:
    said = shortened(str(problem))
    match problem:
        case boto.ReadTimeoutError() | boto.ConnectTimeoutError():
            return AccountRefusal(
                "timed_out", f"The endpoint does not answer in time: {said}", "Run it again later."
            )
        case boto.ConnectionError() | boto.HTTPClientError():
            return AccountRefusal(
                "unreachable",
                f"The endpoint can't be reached: {said}",
                "Look at the network, the proxy settings and --endpoint-url.",
            )
        case ResponseParserError() | KeyError():  # the latter for XML without the parts it needs
            return AccountRefusal(
                "not_aws",
                "What answers there does not speak as AWS does.",
                "Look at --endpoint-url and the proxy settings.",
            )
        case boto.ParamValidationError():
            return AccountRefusal("invalid_metadata", f"IAM would not take this: {said}")
    return None


def _unforeseen(problem: Exception) -> AccountRefusal:
    said = shortened(str(problem))
    return AccountRefusal("unforeseen", f"{type(problem).__name__}: {said or 'no more is known'}.")
