"""Where AWS takes assertions: sign-in endpoints of every partition, and the sandbox's.

Source: AWS General Reference, "AWS Sign-In endpoints and quotas"; IAM User Guide, "Enabling SAML
2.0 federated principals to access the AWS Management Console".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from idp.errors import IdpError

DEFAULT = "default"

_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
_PROVIDER_ID = re.compile(r"[A-Z0-9]{22,64}")


class BadEndpoint(IdpError):
    """A sign-in endpoint that does not exist, or not in that partition."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One AWS partition as a SAML service provider.

    `audience` is the entityID of its metadata; `console_hosts` are the DNS suffixes of console
    pages; `default_region` is where the endpoint without a Region in its name really is.
    """

    name: str
    label: str
    sign_in_host: str
    audience: str
    console_domain: str
    default_region: str
    regions: tuple[str, ...]


PARTITIONS = {
    partition.name: partition
    for partition in (
        Partition(
            "aws",
            "AWS",
            "signin.aws.amazon.com",
            "urn:amazon:webservices",
            "console.aws.amazon.com",
            "us-east-1",
            (
                "af-south-1",
                "ap-east-1",
                "ap-northeast-1",
                "ap-northeast-2",
                "ap-northeast-3",
                "ap-south-1",
                "ap-south-2",
                "ap-southeast-1",
                "ap-southeast-2",
                "ap-southeast-3",
                "ap-southeast-4",
                "ca-central-1",
                "ca-west-1",
                "eu-central-1",
                "eu-central-2",
                "eu-north-1",
                "eu-south-1",
                "eu-south-2",
                "eu-west-1",
                "eu-west-2",
                "eu-west-3",
                "il-central-1",
                "me-central-1",
                "me-south-1",
                "sa-east-1",
                "us-east-1",
                "us-east-2",
                "us-west-1",
                "us-west-2",
            ),
        ),
        Partition(
            "aws-cn",
            "AWS China",
            "signin.amazonaws.cn",
            "urn:amazon:webservices:cn-north-1",
            "console.amazonaws.cn",
            "cn-north-1",
            ("cn-north-1", "cn-northwest-1"),
        ),
        Partition(
            "aws-us-gov",
            "AWS GovCloud (US)",
            "signin.amazonaws-us-gov.com",
            "urn:amazon:webservices:govcloud",
            "console.amazonaws-us-gov.com",
            "us-gov-west-1",
            ("us-gov-east-1", "us-gov-west-1"),
        ),
    )
}


@dataclass(frozen=True, slots=True)
class SignInEndpoint:
    """One place that takes assertions. `acs` is Recipient and Destination; `code` names it."""

    code: str
    label: str
    acs: str
    audience: str


def sign_in_endpoint(
    partition: str, code: str = DEFAULT, *, provider_id: str | None = None, sandbox_url: str = ""
) -> SignInEndpoint:
    """The endpoint `code` ("default" or a Region) of a partition.

    With `provider_id` (the IAM provider's SAMLProviderUUID) it is the provider-specific URL
    /saml/acs/{id}. With `sandbox_url` it is the sandbox's counterpart of that endpoint.
    Raises BadEndpoint.
    """
    known = PARTITIONS.get(partition)
    if known is None:
        raise BadEndpoint(
            f"{partition!r} is not an AWS partition.", f"It is one of {', '.join(PARTITIONS)}."
        )
    if code != DEFAULT and not (_REGION.fullmatch(code) and _belongs(code, known)):
        raise BadEndpoint(
            f"{code!r} is not a sign-in endpoint of {known.label}.",
            f'Use "default" or one of {", ".join(known.regions)}.',
        )
    path = "/saml"
    if provider_id:
        if not _PROVIDER_ID.fullmatch(provider_id):
            raise BadEndpoint(
                f"{provider_id!r} is not the unique identifier of an IAM SAML provider.",
                "IAM shows it as SAMLProviderUUID, like SAMLSP4SHN3UIS2D558H46.",
            )
        path = f"/saml/acs/{provider_id}"
    if sandbox_url:
        origin = sandbox_url if code == DEFAULT else f"{sandbox_url}/{code}"
    else:
        origin = (
            f"https://{known.sign_in_host if code == DEFAULT else f'{code}.{known.sign_in_host}'}"
        )
    label = f"default ({known.default_region})" if code == DEFAULT else code
    return SignInEndpoint(code, label, origin + path, known.audience)


def in_order(codes: tuple[str, ...], partition: str) -> tuple[str, ...]:
    """Those of the configured endpoints that a partition has, in their order.

    A list made for one partition names Regions that another has not; "default" is in all of them.
    """
    known = PARTITIONS[partition]
    usable = tuple(code for code in codes if code == DEFAULT or _belongs(code, known))
    return usable or (DEFAULT,)


def _belongs(region: str, partition: Partition) -> bool:
    """Whether a Region is of a partition; one that is newer than the list counts by its name."""
    if region in partition.regions:
        return True
    home = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
    prefix = "us-gov" if region.startswith("us-gov-") else region.split("-")[0]
    return home.get(prefix, "aws") == partition.name
