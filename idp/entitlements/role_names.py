"""Roles as rules name them: by name, by path and name, by ARN; beside a pattern with {role}."""

from __future__ import annotations

from idp.aws.arn import BadArn, RoleArn
from idp.entitlements.account import Account

SINGLE_SIGN_ON_ROLES = "AWSReservedSSO_"
SameRole = tuple[str, str]
ROLE_PART = "{role}"


def same_role(role: RoleArn) -> SameRole:
    """Equal for ARNs of one role: IAM role names are unique in an account whatever case and path.

    (IAM API reference, CreateRole.) So a deny can't be walked around by another spelling.
    """
    return role.account, role.name.lower()


def role_in(account: Account, role: str) -> RoleArn:
    """The role `role` (a name or path/name) in the account. Raises BadArn."""
    try:
        if role.startswith("/"):
            raise BadArn(role)
        arn = RoleArn.parse(f"arn:{account.partition}:iam::{account.number}:role/{role}")
    except BadArn:
        raise BadArn(
            f"{role!r} can't be the name of an IAM role.",
            "Write Developer or team/Developer: a name of up to 64 of A-Z a-z 0-9 _ + = , . @ -.",
        ) from None
    return _assumable(arn)


def role_by_arn(text: str) -> RoleArn:
    """The role of that ARN. Raises BadArn."""
    return _assumable(RoleArn.parse(text))


def _assumable(arn: RoleArn) -> RoleArn:
    """Refuse the roles of IAM Identity Center: they can't be assumed with SAML (STS API)."""
    if arn.name.startswith(SINGLE_SIGN_ON_ROLES):
        raise BadArn(
            f"{arn.name!r} belongs to IAM Identity Center and can't be assumed with SAML.",
            "Name a role of your own.",
        )
    return arn


def role_from_part(written: str, part: str) -> str:
    """The role's name, where `written` says how the part of a group's name becomes one."""
    return written.replace(ROLE_PART, part)


def part_from_role(written: str, name: str) -> str | None:
    """The way back: which part would give the role `name`; None if none could."""
    before, placeholder, after = written.partition(ROLE_PART)
    if not placeholder:
        return "" if written == name else None
    fits = name.startswith(before) and name.endswith(after)
    long_enough = len(name) > len(before) + len(after)
    return name[len(before) : len(name) - len(after)] if fits and long_enough else None
