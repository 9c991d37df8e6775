"""The sign-in endpoints for which the sandbox stands in."""

from __future__ import annotations

REGIONS = (
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "ca-west-1",
    "mx-central-1",
    "sa-east-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ap-south-1",
    "ap-south-2",
    "ap-east-1",
    "ap-east-2",
    "me-south-1",
    "me-central-1",
    "af-south-1",
    "il-central-1",
    "cn-north-1",
    "cn-northwest-1",
    "us-gov-west-1",
    "us-gov-east-1",
)


def partition_of(region: str) -> str:
    """The partition in which a Region lies."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def sign_in_urls(address: str, provider_uuid: str | None = None) -> tuple[str, ...]:
    """Every URL that Recipient may name: the default first, then one for each Region.

    With `provider_uuid`, those URLs that are the provider's own come besides.
    """
    bases = (address, *(f"{address}/{region}" for region in REGIONS))
    plain = tuple(f"{base}/saml" for base in bases)
    own = tuple(f"{base}/saml/acs/{provider_uuid}" for base in bases) if provider_uuid else ()
    return plain + own
