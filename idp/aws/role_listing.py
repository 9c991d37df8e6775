"""The roles of an account, with whom they trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from idp.aws.arn import BadArn, RoleArn
from idp.aws.iam import AccountTarget, Reach, open_account

# Made by AWS for its own services; their trust can't be changed (IAM User Guide).
_SERVICE_LINKED = "aws-service-role/"


@dataclass(frozen=True, slots=True)
class ListedRole:
    """`trust_policy` is the document as IAM gives it; `longest` MaxSessionDuration in seconds."""

    arn: RoleArn
    trust_policy: str | Mapping[str, Any]
    longest: int


def list_roles(target: AccountTarget, reach: Reach) -> tuple[ListedRole, ...]:
    """Enter an account and read its roles (iam:ListRoles), sorted. Raises AccountRefusal."""
    found: list[ListedRole] = []
    with open_account(target, reach) as account:
        for page in account.iam.get_paginator("list_roles").paginate():
            for role in page["Roles"]:
                try:
                    arn = RoleArn.parse(role["Arn"])
                except BadArn:  # a kind of role that no assertion can name
                    continue
                if not arn.path.startswith(_SERVICE_LINKED):
                    policy: Any = role.get("AssumeRolePolicyDocument", {})
                    longest = int(role.get("MaxSessionDuration") or 3600)
                    found.append(ListedRole(arn, policy, longest))
    return tuple(sorted(found, key=lambda role: role.arn))
