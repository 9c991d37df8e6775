"""Encrypting key files in place: those that are not yet, or with another key-encryption key."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from idp.errors import IdpError
from idp.keys.custody import FILE
from idp.keys.encryption_at_rest import NONE, encryption_of, key_file
from idp.keys.file_custody import AtRest, at_rest, encrypt_again
from idp.keys.key_encryption_keys import OwnKeys, keys_in_file, name_of, new_key, write_keys
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.settings import Settings


class NothingToEncryptWith(IdpError):
    """The settings ask for key files that are not encrypted, or for a key made elsewhere."""


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A key whose file was encrypted anew."""

    key: SigningKey
    before: AtRest
    after: AtRest


def require_encryption(settings: Settings) -> None:
    """Raise NothingToEncryptWith if keys.encryption is "none"."""
    if settings.keys.encryption == NONE:
        raise NothingToEncryptWith(
            'keys.encryption is "none", so key files are not encrypted.',
            'Set it to "file", "environment" or "kms".',
        )


def require_key_encryption_key(settings: Settings, keys: Iterable[SigningKey]) -> None:
    """Raise KeyUnusable if the key-encryption key that published `keys` need has no file here.

    Another one would be made in its place, and would open none of them.
    """
    path = key_file(settings)
    if settings.keys.encryption != "file" or os.path.lexists(path):
        return
    for key in keys:
        if key.state.published and key.custody == FILE and _needs_file(key):
            raise KeyUnusable(
                f"The key-encryption key {path} is not there, and key {key.id} is encrypted with "
                "it.",
                "Put the file back, or copy it from the node that made that key. If it is lost "
                f"for good: (umask 077; openssl rand -base64 32 > {path})",
            )


def _needs_file(key: SigningKey) -> bool:
    try:
        return at_rest(key).kind == "file"
    except KeyUnusable:
        return False


def add_key_encryption_key(settings: Settings) -> None:
    """Put a new key-encryption key before those in the file, which still open what they did.

    Raises NothingToEncryptWith unless keys.encryption is "file"; KeyUnusable.
    """
    if settings.keys.encryption != "file":
        raise NothingToEncryptWith(
            'A new key-encryption key is made here for keys.encryption = "file" only.',
            "KMS turns its keys by itself; in the environment put the new one first, a comma, "
            "and the old one.",
        )
    path = key_file(settings)
    write_keys(path, [new_key(), *keys_in_file(path, make=True).keys])


def drop_old_key_encryption_keys(settings: Settings, keys: Iterable[SigningKey]) -> int:
    """Remove from the file what opens none of the files of `keys`; gives how many are left.

    The first one stays. Raises KeyUnusable, and then nothing is removed.
    """
    path = key_file(settings)
    if settings.keys.encryption != "file":
        return 0
    needed = {at_rest(key).by for key in keys if key.custody == FILE}
    first, *others = keys_in_file(path).keys
    kept = [first, *(each for each in others if name_of(each) in needed)]
    if len(kept) <= len(others):
        write_keys(path, kept)
    return len(kept)


def encrypt_file(key: SigningKey, settings: Settings) -> Encrypted | None:
    """Encrypt a key's file as the settings say; None if it is so already. Raises KeyUnusable."""
    before = at_rest(key)
    if before == _wanted(settings):
        return None
    encrypt_again(key, settings)
    return Encrypted(key, before, at_rest(key))


def _wanted(settings: Settings) -> AtRest:
    kind = settings.keys.encryption
    encryption = encryption_of(settings, kind, make=True)
    if isinstance(encryption, OwnKeys):
        return AtRest(kind, name_of(encryption.keys[0]))
    return AtRest(kind, settings.keys.encryption_kms_key)
