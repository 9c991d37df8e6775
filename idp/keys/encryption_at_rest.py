"""Which key-encryption key: as the settings say for what is written, as a file says for opening."""

from __future__ import annotations

from pathlib import Path

from idp.keys.envelope import Bound, Envelope, KeyEncryption
from idp.keys.key_encryption_keys import keys_in_file, keys_in_text
from idp.keys.kms_encryption import KmsEncryption
from idp.keys.signing_key import KeyUnusable
from idp.settings import Settings

NONE = "none"
VARIABLE = "IDP_KEYS__ENCRYPTION_KEY"


def key_file(settings: Settings) -> Path:
    """Where the key-encryption key of keys.encryption = "file" is."""
    named = settings.keys.encryption_key_file
    return (named or settings.data_folder / "key-encryption.key").absolute()


def encryption_of(settings: Settings, kind: str, *, make: bool = False) -> KeyEncryption:
    """The key-encryption keys of `kind`; with `make`, a file is written if there is none.

    Raises KeyUnusable.
    """
    if kind == "file":
        return keys_in_file(key_file(settings), make=make)
    if kind == "environment":
        return keys_in_text(settings.keys.encryption_key.get_secret_value(), VARIABLE)
    if kind == "kms":
        return KmsEncryption(settings.keys.encryption_kms_key)
    raise KeyUnusable(
        f"A key file is encrypted in a way that is not known here ({kind[:40]!r}).",
        "Use the version that wrote it.",
    )


def sealed(private: bytes, bound: Bound, settings: Settings) -> Envelope:
    """Encrypt a private key as the settings say. Raises KeyUnusable.

    It is opened again before it is given back: what can't be opened is never written.
    """
    kind = settings.keys.encryption
    if kind == "kms" and not settings.keys.encryption_kms_key:
        raise KeyUnusable(
            'keys.encryption is "kms", and keys.encryption_kms_key names no KMS key.',
            "Set it to the key's ARN.",
        )
    envelope = Envelope.seal(private, bound, encryption_of(settings, kind, make=True))
    opened(envelope, bound, settings)
    return envelope


def opened(envelope: Envelope, bound: Bound, settings: Settings) -> bytes:
    """The private key of an envelope. Raises KeyUnusable."""
    return envelope.open(bound, lambda kind: encryption_of(settings, kind))
