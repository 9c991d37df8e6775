"""Role and SAML-provider ARNs: the two halves of a value of the Role attribute."""

from __future__ import annotations

import re
from dataclasses import dataclass

from idp.errors import IdpError

PARTITIONS = ("aws", "aws-cn", "aws-us-gov")

_ROLE = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):iam::(?P<account>\d{12}):role/"
    r"(?P<path>(?:[\x21-\x7e]{1,510}/)?)(?P<name>[\w+=,.@-]{1,64})",
    re.ASCII,
)
_PROVIDER = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):iam::(?P<account>\d{12}):saml-provider/"
    r"(?P<name>[\w.-]{1,128})",
    re.ASCII,
)


class BadArn(IdpError):
    """Text that was given as an ARN is none."""


@dataclass(frozen=True, slots=True, order=True)
class RoleArn:
    """arn:{partition}:iam::{account}:role/{path}{name}; `path` is empty or ends with a slash."""

    partition: str
    account: str
    name: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> RoleArn:
        """Read a role ARN. Raises BadArn."""
        match = _ROLE.fullmatch(text)
        if not match or "," in match["path"]:
            raise BadArn(
                f"{text!r} is not the ARN of an IAM role.",
                "It should be like arn:aws:iam::111122223333:role/Developer.",
            )
        return cls(match["partition"], match["account"], match["name"], match["path"])

    def __str__(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role/{self.path}{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class ProviderArn:
    """arn:{partition}:iam::{account}:saml-provider/{name}."""

    partition: str
    account: str
    name: str

    @classmethod
    def parse(cls, text: str) -> ProviderArn:
        """Read a SAML provider ARN. Raises BadArn."""
        match = _PROVIDER.fullmatch(text)
        if not match:
            raise BadArn(
                f"{text!r} is not the ARN of an IAM SAML provider.",
                "It should be like arn:aws:iam::111122223333:saml-provider/ExampleIdP.",
            )
        return cls(match["partition"], match["account"], match["name"])

    def __str__(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:saml-provider/{self.name}"


def parse_role_value(text: str) -> tuple[RoleArn, ProviderArn | None]:
    """Read a value as directories keep it for the Role attribute: "role_arn,provider_arn".

    Both orders are in AWS's own documents (IAM User Guide, "Configure SAML assertions"; Redshift
    Management Guide, AD FS), and the role may stand alone. Raises BadArn.
    """
    # A comma may stand in a role's name, but no colon, so none before "arn:" belongs to a name.
    found = [part.strip() for part in re.split(r",(?=\s*arn:)", text)]
    if len(found) == 1:
        return RoleArn.parse(found[0]), None
    if len(found) == 2:
        first, second = found if ":saml-provider/" in found[1] else found[::-1]
        return RoleArn.parse(first), ProviderArn.parse(second)
    raise BadArn(
        f"{text!r} has more than a role and a SAML provider.",
        "It should be like arn:aws:iam::111122223333:role/Developer,"
        "arn:aws:iam::111122223333:saml-provider/ExampleIdP.",
    )
