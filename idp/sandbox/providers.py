"""IAM's SAML provider objects, account by account, with the limits that IAM sets."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from idp.aws.arn import ProviderArn
from idp.sandbox.judge import Provider, read_metadata
from idp.sandbox.refusal import AwsRefusal

MOST_PROVIDERS, MOST_PRIVATE_KEYS, MOST_TAGS = 100, 2, 50
# IAM sets ValidUntil itself and enforces it nowhere; a hundred years is what it shows.
_VALID_FOR = timedelta(days=36500)
_NAME = re.compile(r"[\w._-]{1,128}", re.ASCII)
_PRIVATE_KEY = re.compile(r"[\t\n\r\x20-\xff]{1,16384}")


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key with which AWS would decrypt assertions."""

    key_id: str
    added: datetime
    key: RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """One SAML provider object; `trusted` is what its metadata says."""

    arn: ProviderArn
    uuid: str
    metadata: str
    trusted: Provider
    created: datetime
    tags: Mapping[str, str]
    encryption: str | None = None
    private_keys: tuple[PrivateKey, ...] = ()

    @property
    def valid_until(self) -> datetime:
        """The date that IAM shows; nothing depends on it."""
        return self.created + _VALID_FOR


@dataclass(frozen=True, slots=True)
class Change:
    """What CreateSAMLProvider or UpdateSAMLProvider asks for; None or empty is left as it is."""

    metadata: str | None = None
    encryption: str | None = None
    add_private_key: str | None = None
    remove_private_key: str | None = None

    @property
    def nothing(self) -> bool:
        """Whether no change is asked for."""
        return self == Change()


class SamlProviders:
    """All SAML providers of the sandbox, safe to use from several threads."""

    def __init__(self) -> None:
        self._providers: dict[str, SamlProvider] = {}
        self._lock = Lock()

    def find(self, arn: str) -> SamlProvider | None:
        """The provider with this ARN, or None."""
        return self._providers.get(arn)

    def by_uuid(self, uuid: str) -> SamlProvider | None:
        """The provider with this SAMLProviderUUID, or None."""
        held = list(self._providers.values())
        return next((provider for provider in held if provider.uuid == uuid), None)

    def of_account(self, account: str, partition: str) -> list[SamlProvider]:
        """The providers of one account, oldest first."""
        return [
            provider
            for provider in list(self._providers.values())
            if (provider.arn.account, provider.arn.partition) == (account, partition)
        ]

    def get(self, arn: str, account: str) -> SamlProvider:
        """The provider with this ARN in the caller's account. Raises AwsRefusal NoSuchEntity."""
        provider = self.find(arn)
        if provider is None or provider.arn.account != account:
            raise AwsRefusal("NoSuchEntity", f"Manifest not found for arn {arn}", 404)
        return provider

    def create(
        self, arn: ProviderArn, change: Change, tags: Mapping[str, str], now: datetime
    ) -> SamlProvider:
        """CreateSAMLProvider. Raises AwsRefusal."""
        if not _NAME.fullmatch(arn.name):
            raise _invalid("name", "regular expression pattern: [\\w._-]+ of 1 to 128 characters")
        if change.metadata is None:
            raise _invalid("sAMLMetadataDocument", "must not be null")
        if len(tags) > MOST_TAGS:
            raise AwsRefusal("LimitExceeded", f"Cannot exceed quota for Tags: {MOST_TAGS}", 409)
        made = SamlProvider(
            arn=arn,
            uuid=_identifier("SAMLSP"),
            metadata=change.metadata,
            trusted=_trusted(change.metadata, arn),
            created=now,
            tags=dict(tags),
        )
        made = _with_encryption(made, change, now)
        with self._lock:
            if str(arn) in self._providers:
                raise AwsRefusal("EntityAlreadyExists", f"SAMLProvider {arn} already exists.", 409)
            if len(self.of_account(arn.account, arn.partition)) >= MOST_PROVIDERS:
                raise AwsRefusal(
                    "LimitExceeded",
                    f"Cannot exceed quota for SAMLProvidersPerAccount: {MOST_PROVIDERS}",
                    409,
                )
            self._providers[str(arn)] = made
        return made

    def update(self, arn: str, account: str, change: Change, now: datetime) -> SamlProvider:
        """UpdateSAMLProvider. Raises AwsRefusal."""
        if change.nothing:
            raise AwsRefusal(
                "InvalidInput",
                "Unable to update identity provider. No updates are defined for metadata or "
                "encryption assertion.",
            )
        if change.add_private_key is not None and change.remove_private_key is not None:
            raise AwsRefusal(
                "InvalidInput",
                "Unable to add and remove private keys in the same request. Set a value for only "
                "one of the two parameters.",
            )
        with self._lock:
            provider = self.get(arn, account)
            if change.metadata is not None:
                provider = replace(
                    provider,
                    metadata=change.metadata,
                    trusted=_trusted(change.metadata, provider.arn),
                )
            provider = _with_encryption(provider, change, now)
            self._providers[arn] = provider
        return provider

    def delete(self, arn: str, account: str) -> None:
        """DeleteSAMLProvider. Raises AwsRefusal NoSuchEntity."""
        with self._lock:
            self.get(arn, account)
            del self._providers[arn]

    def set_tags(self, arn: str, account: str, tags: Mapping[str, str]) -> None:
        """Replace the tags of a provider. Raises AwsRefusal."""
        if len(tags) > MOST_TAGS:
            raise AwsRefusal("LimitExceeded", f"Cannot exceed quota for Tags: {MOST_TAGS}", 409)
        with self._lock:
            self._providers[arn] = replace(self.get(arn, account), tags=dict(tags))


def _trusted(metadata: str, arn: ProviderArn) -> Provider:
    provider, checks = read_metadata(metadata, str(arn))
    broken = tuple(check for check in checks if check.passed is False)
    if provider is None:
        first = broken[0]
        raise AwsRefusal.of(
            first.aws_error, f"{first.rule.sentence} Seen: {first.seen}.", checks=broken
        )
    return provider


def _with_encryption(provider: SamlProvider, change: Change, now: datetime) -> SamlProvider:
    keys = provider.private_keys
    if change.add_private_key is not None:
        if len(keys) >= MOST_PRIVATE_KEYS:
            raise AwsRefusal("LimitExceeded", "Private key limit of 2 is reached.", 409)
        key = _private_key(change.add_private_key)
        keys = (*keys, PrivateKey(_identifier("SAMLPK"), now, key))
    if change.remove_private_key is not None:
        kept = tuple(key for key in keys if key.key_id != change.remove_private_key)
        if len(kept) == len(keys):
            raise AwsRefusal(
                "InvalidInput",
                "Failed to remove private key because the Key ID does not match a private key.",
            )
        keys = kept
    mode = change.encryption or provider.encryption
    if mode not in (None, "Required", "Allowed"):
        raise _invalid("assertionEncryptionMode", "enum value set: [Required, Allowed]")
    if mode == "Required" and not keys and change.remove_private_key is not None:
        raise AwsRefusal("InvalidInput", "Failed to remove private key.")
    if mode == "Required" and not keys:
        raise AwsRefusal(
            "InvalidInput",
            "Unable to set assertion encryption mode to Required because no private key is "
            "provided.",
        )
    trusted = replace(
        provider.trusted,
        requires_encryption=mode == "Required",
        uuid=provider.uuid,
        private_keys=tuple(held.key for held in reversed(keys)),
    )
    return replace(provider, private_keys=keys, encryption=mode, trusted=trusted)


def _private_key(pem: str) -> RSAPrivateKey:
    try:
        if not _PRIVATE_KEY.fullmatch(pem):
            raise ValueError
        key = load_pem_private_key(pem.encode("latin-1"), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise AwsRefusal("InvalidInput", "Invalid private key.")
    return key


def _invalid(member: str, constraint: str) -> AwsRefusal:
    return AwsRefusal(
        "ValidationError",
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: "
        f"Member must satisfy {constraint}",
    )


def _identifier(prefix: str) -> str:
    alphabet = string.ascii_uppercase + string.digits
    return prefix + "".join(secrets.choice(alphabet) for _ in range(22))
