"""STS's actions that the sandbox answers itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from idp.aws.arn import ProviderArn, RoleArn
from idp.errors import IdpError
from idp.sandbox.assume import Gate
from idp.sandbox.endpoints import sign_in_urls
from idp.sandbox.judge import RolePair
from idp.sandbox.providers import SamlProvider
from idp.sandbox.query_api import Caller, Fields
from idp.sandbox.refusal import AwsRefusal

SHORTEST, LONGEST = 900, 43200
LONGEST_POLICY, MOST_POLICIES = 2048, 10

Arn = TypeVar("Arn", RoleArn, ProviderArn)


class StsApi:
    """AssumeRoleWithSAML, which nobody signs, and GetCallerIdentity."""

    def __init__(self, gate: Gate, address: str) -> None:
        self._gate = gate
        self._address = address
        self.unsigned: dict[str, Callable[[Fields, datetime], dict[str, object]]] = {
            "AssumeRoleWithSAML": self._assume_role_with_saml
        }

    def _endpoints(self, provider: SamlProvider | None) -> tuple[str, ...]:
        return sign_in_urls(self._address, provider.uuid if provider else None)

    def _assume_role_with_saml(self, fields: Fields, now: datetime) -> dict[str, object]:
        pair = RolePair(
            _arn(RoleArn.parse, fields.need("RoleArn"), "roleArn"),
            _arn(ProviderArn.parse, fields.need("PrincipalArn"), "principalArn"),
        )
        requested = _seconds(fields.get("DurationSeconds"))
        policy = _policy(fields)
        believed = self._gate.believe(fields.need("SAMLAssertion"), self._endpoints, now, pair)
        assumed = self._gate.assume(believed, pair, now, requested=requested, policy=policy)
        session, verdict = assumed.session, believed.verdict
        return {
            "Credentials": {
                "AccessKeyId": session.access_key,
                "SecretAccessKey": session.secret_key,
                "SessionToken": session.token,
                "Expiration": session.expires,
            },
            "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.arn},
            "PackedPolicySize": assumed.packed_percent,
            "Subject": verdict.name_id,
            "SubjectType": believed.subject_type,
            "Issuer": verdict.issuer,
            "Audience": verdict.recipient,
            "NameQualifier": believed.name_qualifier,
            "SourceIdentity": session.source_identity,
        }


def caller_identity(caller: Caller) -> dict[str, object]:
    """GetCallerIdentity."""
    return {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}


def _arn(parse: Callable[[str], Arn], text: str, name: str) -> Arn:
    try:
        return parse(text)
    except IdpError as refusal:
        raise AwsRefusal(
            "ValidationError", f"{text[:200]} is invalid", reasons=(f"{name}: {refusal}",)
        ) from None


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise AwsRefusal("MalformedInput", "DurationSeconds is not a number.")
    seconds = int(text)
    if not SHORTEST <= seconds <= LONGEST:
        bound = (
            "greater than or equal to 900"
            if seconds < SHORTEST
            else ("less than or equal to 43200")
        )
        raise AwsRefusal(
            "ValidationError",
            f"1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to "
            f"satisfy constraint: Member must have value {bound}",
        )
    return seconds


def _policy(fields: Fields) -> str:
    """The session policies as one text, for their size. Raises AwsRefusal."""
    inline = fields.get("Policy")
    if inline is not None:
        if not 1 <= len(inline) <= LONGEST_POLICY:
            raise AwsRefusal(
                "ValidationError",
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: "
                "Member must have length between 1 and 2048",
            )
        try:
            sound = isinstance(json.loads(inline), dict)
        except (ValueError, RecursionError):
            sound = False
        if not sound:
            raise AwsRefusal("MalformedPolicyDocument", "The policy is not in valid JSON format.")
    arns: list[str] = []
    while (arn := fields.get(f"PolicyArns.member.{len(arns) + 1}.arn")) is not None:
        arns.append(arn)
    if len(arns) > MOST_POLICIES:
        raise AwsRefusal(
            "ValidationError",
            "1 validation error detected: Value at 'policyArns' failed to satisfy constraint: "
            "Member must have length less than or equal to 10",
        )
    return (inline or "") + "".join(arns)
