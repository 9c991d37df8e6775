"""The Role value that another provider makes of a group's name: two ARNs with references."""

from __future__ import annotations

import re
from dataclasses import dataclass

from idp.entitlements.importing.imported import NotTakenOver

_ROLE = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):iam::(?P<account>[^:]+):role/(?P<role>.*)", re.DOTALL
)
_PROVIDER = re.compile(r"arn:[a-z-]+:iam::[^:]+:saml-provider/(?P<name>.+)", re.DOTALL)
# $1 and ${1}, ${name}; Terraform writes $${name} for the same.
_REFERENCE = re.compile(r"\${1,2}(?:\{(?P<name>\w+)\}|(?P<number>\d+))", re.ASCII)
_NUMBER = re.compile(r"\d{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ArnTemplate:
    """Of the account exactly one is set: `account`, twelve digits, or `account_reference`.

    The role's name is `before`, the part `role_reference` (None: no part of the match) and `after`.
    """

    account: str | None
    account_reference: str | None
    before: str
    role_reference: str | None
    after: str
    provider: str


def read_arn_template(text: str) -> ArnTemplate:
    """Read "role_arn,provider_arn" in either order. Raises NotTakenOver."""
    parts = [part.strip() for part in re.split(r",(?=\s*arn:)", text.strip())]
    roles = [match for part in parts if (match := _ROLE.fullmatch(part))]
    providers = [match for part in parts if (match := _PROVIDER.fullmatch(part))]
    if len(parts) != 2 or len(roles) != 1 or len(providers) != 1:
        raise NotTakenOver(f"{text!r} is not the ARN of a role and that of a SAML provider.")
    role = roles[0]
    number, account = _account(role["account"])
    before, reference, after = _role(role["role"])
    return ArnTemplate(number, account, before, reference, after, providers[0]["name"])


def _account(text: str) -> tuple[str | None, str | None]:
    if _NUMBER.fullmatch(text):
        return text, None
    if reference := _REFERENCE.fullmatch(text):
        return None, reference["name"] or reference["number"]
    raise NotTakenOver(f"the account {text!r} is neither a number nor one part of the name.")


def _role(text: str) -> tuple[str, str | None, str]:
    found = list(_REFERENCE.finditer(text))
    if len(found) > 1:
        raise NotTakenOver(f"the role {text!r} is put together from several parts of the name.")
    if not found:
        return text, None, ""
    reference = found[0]
    name = reference["name"] or reference["number"]
    return text[: reference.start()], name, text[reference.end() :]
