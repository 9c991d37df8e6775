"""The SAML:aud of role trust policies: which roles lack an address, and the change that they need.

Source: IAM User Guide, "IAM and AWS STS condition context keys" (saml:aud is the Recipient).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from difflib import unified_diff
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from idp.aws.account_refusal import AccountRefusal, code_of
from idp.aws.arn import ProviderArn
from idp.aws.encryption_state import ChangedTrust
from idp.aws.iam import OpenedAccount

_ASSUME = "sts:assumerolewithsaml"
_POSITIVE = ("stringequals", "stringequalsignorecase", "stringlike")
_NEGATIVE = ("stringnotequals", "stringnotequalsignorecase", "stringnotlike")


def lacking(
    account: OpenedAccount, provider: ProviderArn, addresses: Sequence[str]
) -> tuple[ChangedTrust, ...]:
    """The change for each role that trusts `provider` and not (all of) `addresses`.

    What the policy allows today stays. Raises AccountRefusal for a policy that can't be read,
    and what boto3 raises.
    """
    changes = []
    for role, policy in _roles(account):
        after = with_addresses(policy, provider, addresses)
        if after != policy:
            changes.append(ChangedTrust(role, policy, after))
    return tuple(changes)


def write(account: OpenedAccount, change: ChangedTrust) -> None:
    """Make the change, unless somebody made another one meanwhile. Raises AccountRefusal."""
    now = _policy(account.iam.get_role(RoleName=change.role)["Role"])
    if now == change.after:
        return
    if now != change.before:
        raise AccountRefusal(
            "concurrent",
            f"Somebody else has changed the trust policy of the role {change.role}.",
            "Run it again.",
        )
    account.iam.update_assume_role_policy(
        RoleName=change.role, PolicyDocument=json.dumps(change.after, separators=(",", ":"))
    )


def undo(account: OpenedAccount, change: ChangedTrust) -> bool:
    """Bring the policy back as it was; False if it is not as we wrote it, and so not ours.

    A role that is gone needs nothing.
    """
    try:
        now = _policy(account.iam.get_role(RoleName=change.role)["Role"])
    except ClientError as problem:
        if code_of(problem) == "NoSuchEntity":
            return True
        raise
    if now == change.before:
        return True
    if now != change.after:
        return False
    account.iam.update_assume_role_policy(
        RoleName=change.role, PolicyDocument=json.dumps(change.before, separators=(",", ":"))
    )
    return True


def with_addresses(
    policy: Mapping[str, Any], provider: ProviderArn, addresses: Sequence[str]
) -> Mapping[str, Any]:
    """The policy with `addresses` beside those that it has; the same one if nothing is lacking."""
    changed = deepcopy(dict(policy))
    statements = changed.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        if not isinstance(statement, dict) or not _concerns(statement, provider):
            continue
        wanted = _NEGATIVE if statement.get("Effect") == "Deny" else _POSITIVE
        for operator, keys in (statement.get("Condition") or {}).items():
            if _plain(operator) not in wanted:
                continue
            for key in [key for key in keys if key.lower() == "saml:aud"]:
                held = keys[key] if isinstance(keys[key], list) else [keys[key]]
                missing = [url for url in addresses if not _matches(operator, held, url)]
                if missing:
                    keys[key] = [*held, *missing]
    return changed


def diff(change: ChangedTrust) -> str:
    """The change as people read it: a unified diff of the two policies."""
    before, after = (
        json.dumps(policy, indent=2, ensure_ascii=False).splitlines()
        for policy in (change.before, change.after)
    )
    lines = unified_diff(before, after, f"{change.role} now", f"{change.role} then", lineterm="")
    return "\n".join(lines)


def _roles(account: OpenedAccount) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for page in account.iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            yield role["RoleName"], _policy(role)


def _policy(role: Mapping[str, Any]) -> Mapping[str, Any]:
    document = role.get("AssumeRolePolicyDocument", {})
    return document if isinstance(document, Mapping) else json.loads(str(document))


def _concerns(statement: Mapping[str, Any], provider: ProviderArn) -> bool:
    """Whether it allows (or denies) people of `provider` to assume the role."""
    principal = statement.get("Principal")
    named = _texts(principal.get("Federated")) if isinstance(principal, Mapping) else ["*"]
    actions = _texts(statement.get("Action"))
    return any(name in (str(provider), "*") for name in named) and (
        "NotAction" in statement or any(fnmatchcase(_ASSUME, action.lower()) for action in actions)
    )


def _plain(operator: str) -> str:
    """StringEquals, out of ForAnyValue:StringEqualsIfExists."""
    return operator.rpartition(":")[2].lower().removesuffix("ifexists")


def _matches(operator: str, held: Sequence[str], url: str) -> bool:
    kind = _plain(operator)
    if kind.endswith("like"):
        return any(fnmatchcase(url, pattern.replace("[", "[[]")) for pattern in held)
    if kind.endswith("ignorecase"):
        return url.lower() in [each.lower() for each in held]
    return url in held


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]
