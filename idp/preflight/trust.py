"""What IAM holds to judge a response by: the provider's metadata, given or our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from idp.aws.arn import ProviderArn
from idp.sandbox.judge import Check, Claims, Provider, RolePair, read_metadata

NO_METADATA = "not checked: the metadata that IAM holds was not given"
METADATA_UNUSABLE = "not checked: the metadata given can't be used"


@dataclass(frozen=True, slots=True)
class OwnProvider:
    """This identity provider: its entityID, and how to get at what it publishes.

    `metadata` gives the document, `providers` the IAM provider of each registered account by
    number. Both are asked only when a response claims to be ours.
    """

    entity_id: str
    metadata: Callable[[], str]
    providers: Callable[[], Mapping[str, ProviderArn]]


@dataclass(frozen=True, slots=True)
class Trust:
    """The provider to hold a response against.

    `provider` is None if there is none: because IAM would not have it (`absent`), or because
    nobody said what IAM holds, or that can't be used. `checks` are those of metadata that was
    given.
    """

    provider: Provider | None
    source: str
    checks: tuple[Check, ...] = ()
    absent: bool = False


def find_trust(
    metadata: str, claims: Claims, pair: RolePair | None, own: OwnProvider | None
) -> Trust:
    """Metadata that was given counts; otherwise our own if the response claims to be ours."""
    if metadata:
        provider, checks = read_metadata(metadata, str(pair.provider) if pair else "")
        return Trust(provider, "the metadata given", checks)
    if own is None or not claims.issuer or claims.issuer != own.entity_id:
        return Trust(None, "")
    if pair is not None:
        registered = own.providers().get(pair.provider.account)
        if registered not in (None, pair.provider):
            return Trust(None, "our own metadata", absent=True)
    provider, checks = read_metadata(own.metadata(), str(pair.provider) if pair else "")
    return Trust(provider, "our own metadata", checks if provider is None else ())
