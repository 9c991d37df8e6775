"""Key-encryption keys of our own: 32 random bytes each, from a file or the environment.

A file holds one in a line, in base64; so does the environment variable, with commas between. The
first one encrypts. The others still open what they encrypted, until `idp certs encrypt` has
encrypted it anew.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp.keys.envelope import Bound, DataKey
from idp.keys.private_file import read_private, replace, write_new
from idp.keys.signing_key import KeyUnusable

WHAT = "The key-encryption key"
_BYTES = 32
_NONCE = 12
_MISSING = (
    "Put the file back, or copy it from the node that made the signing key; or set "
    "keys.encryption_key_file to where it is."
)
_HEAD = (
    "# Key-encryption key of the signing keys. Without it their files are worth nothing:\n"
    "# keep a copy, and keep it where no copy of the key files is.\n"
)


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """Wraps data keys with the first of `keys`, and opens with the one that wrapped."""

    kind: str
    keys: Sequence[bytes]
    place: str

    def __repr__(self) -> str:
        return f"OwnKeys({self.kind!r}, {len(self.keys)} keys)"

    def new_data_key(self, bound: Bound) -> DataKey:
        """A new data key, wrapped with AES-256-GCM."""
        plain, nonce = secrets.token_bytes(_BYTES), secrets.token_bytes(_NONCE)
        wrapped = nonce + AESGCM(self.keys[0]).encrypt(nonce, plain, bound.associated_data)
        return DataKey(plain, wrapped, name_of(self.keys[0]))

    def unwrap(self, wrapped: bytes, by: str, bound: Bound) -> bytes:
        """The data key again. Raises KeyUnusable."""
        for key in self.keys:
            if name_of(key) == by:
                try:
                    return AESGCM(key).decrypt(
                        wrapped[:_NONCE], wrapped[_NONCE:], bound.associated_data
                    )
                except (InvalidTag, ValueError):
                    raise KeyUnusable(
                        f"The encrypted private key of {bound.key_id} was changed, or is another "
                        "key's.",
                        "Put the right file back.",
                    ) from None
        raise KeyUnusable(
            f"The private key of {bound.key_id} is encrypted with key-encryption key {by[:32]}, "
            f"which is not in {self.place}.",
            "Put that key-encryption key back, or make a new signing key.",
        )


def name_of(key: bytes) -> str:
    """A short name that tells nothing of the key."""
    return hashlib.sha256(b"idp key-encryption key\0" + key).hexdigest()[:16]


def new_key() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(_BYTES)


def keys_in_file(path: Path, *, make: bool = False) -> OwnKeys:
    """The keys in a file; with `make`, a first one is written if there is no file.

    Raises KeyUnusable.
    """
    if make and not path.exists() and not path.is_symlink():
        try:
            write_new(path, _content([new_key()]), WHAT)
        except KeyUnusable:
            if not path.exists():  # else another process was faster, and its key is as good
                raise
    lines = read_private(path, WHAT, _MISSING).splitlines()
    texts = [line for line in lines if line.strip() and not line.lstrip().startswith(b"#")]
    return OwnKeys("file", _read(texts, str(path)), str(path))


def write_keys(path: Path, keys: Iterable[bytes]) -> None:
    """Put these keys in the place of a file's. Raises KeyUnusable."""
    replace(path, _content(keys), WHAT)


def keys_in_text(text: str, place: str) -> OwnKeys:
    """The keys in the text of a variable called `place`. Raises KeyUnusable."""
    return OwnKeys("environment", _read(text.encode().split(b","), place), place)


def _content(keys: Iterable[bytes]) -> bytes:
    lines = "".join(base64.b64encode(key).decode("ascii") + "\n" for key in keys)
    return (_HEAD + lines).encode()


def _read(texts: Sequence[bytes], place: str) -> Sequence[bytes]:
    keys = []
    for text in texts:
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except (ValueError, binascii.Error):
            key = b""
        if len(key) != _BYTES:
            raise KeyUnusable(
                f"{place} holds no key-encryption key: {_BYTES} random bytes in base64.",
                "Make one with: openssl rand -base64 32",
            )
        keys.append(key)
    if not keys:
        raise KeyUnusable(
            f"{place} holds no key-encryption key.", "Make one with: openssl rand -base64 32"
        )
    return keys
