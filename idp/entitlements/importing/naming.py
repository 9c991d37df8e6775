"""A rule by pattern, from another provider's expression over group names and its ARN template."""

from __future__ import annotations

from typing import Any

from idp.entitlements.importing.arn_template import ArnTemplate
from idp.entitlements.importing.foreign_pattern import group_names, translated
from idp.entitlements.importing.imported import Imported, NotTakenOver
from idp.entitlements.role_names import ROLE_PART

REST = r"(?P<role>[\w+=,.@-]{1,64})"
_MISWRITTEN = "[^d]{12}"  # in the wild for [\d]{12}: anything but a "d"


def naming_fields(
    expression: str,
    arns: ArnTemplate,
    imported: Imported,
    *,
    rest_is_role: bool,
    ignore_case: bool,
) -> dict[str, Any]:
    """The fields `group_pattern`, `roles` and `accounts` of a rule.

    `expression` is without its anchors; with `rest_is_role` what follows it in a group's name goes
    into the role's name too. Raises NotTakenOver.
    """
    if _MISWRITTEN in expression:
        expression = expression.replace(_MISWRITTEN, r"\d{12}")
        imported.remark(
            f"{_MISWRITTEN} means twelve of anything but the letter d; it was taken for "
            r"\d{12}, twelve digits."
        )
    known = group_names(expression)
    parts: dict[str, str] = {}
    for reference, part in ((arns.account_reference, "account"), (arns.role_reference, "role")):
        if reference is None:
            continue
        if reference not in known:
            raise NotTakenOver(f"the expression has no part {reference!r} for the {part}.")
        if reference in parts:
            raise NotTakenOver(f"the part {reference!r} is both account and role.")
        parts[reference] = part
    pattern = translated(expression, parts, ignore_case=ignore_case)
    if rest_is_role and arns.role_reference is None and not arns.after:
        pattern += REST
        written = arns.before + ROLE_PART
    elif arns.role_reference is not None:
        written = arns.before + ROLE_PART + arns.after
    else:
        written = arns.before
    return {
        "group_pattern": f"^{pattern}$",
        "roles": () if written == ROLE_PART else (written,),
        "accounts": (arns.account,) if arns.account else (),
    }


def remark_on_provider(arns: ArnTemplate, imported: Imported) -> None:
    """Which SAML provider the other one was, and how accounts get ours."""
    imported.remark(
        f"Roles were assumed through the SAML provider {arns.provider}. Here it is the one that "
        "each account is registered with: idp aws account add NUMBER --alias NAME --provider "
        "PROVIDER. Roles have to trust that one."
    )
