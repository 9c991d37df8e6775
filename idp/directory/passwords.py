"""Passwords of the local directory: Argon2id, with one cost whoever asks."""

from __future__ import annotations

import re
import secrets
import threading
import unicodedata
from contextlib import suppress

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from idp.errors import IdpError
from idp.settings import SignInSettings

LONGEST_BYTES = 1024
SHORTEST_NEW = 12
_LONGEST_HASH = 256

_ARGON2ID = re.compile(
    r"\$argon2id\$v=19\$m=(?P<memory>\d{1,7}),t=(?P<passes>\d{1,2}),p=(?P<lanes>\d{1,2})"
    r"\$(?P<salt>[A-Za-z0-9+/]{11,86})\$(?P<hash>[A-Za-z0-9+/]{22,171})",
    re.ASCII,
)
_MOST_MEMORY_KIB = 1024 * 1024
_MOST_PASSES = 32
_MOST_LANES = 16


class BadPassword(IdpError):
    """Text that can't be a password, or may not become one."""


class BadPasswordHash(IdpError):
    """Text that was given as an Argon2id hash is none that we could verify."""


class Passwords:
    """Hashes and verifies. `verifications` counts the Argon2 verifications, for metrics."""

    def __init__(self, settings: SignInSettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_passes,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_lanes,
        )
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        self._counting = threading.Lock()
        self.verifications = 0

    def hash(self, password: str) -> str:
        """The Argon2id hash, in PHC string format. Raises BadPassword."""
        return self._hasher.hash(prepared_password(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` is the one that `stored` was made of.

        `stored` None (an unknown user, or one without a password) costs the same work against a
        hash that nobody knows the password of, so that the time says nothing. Text that can't be
        a password, and a stored hash that can't be read, cost it too and are never right.
        """
        with self._counting:
            self.verifications += 1
        try:
            secret = prepared_password(password)
        except BadPassword:
            secret, stored = b"\0", None
        try:
            return self._hasher.verify(stored or self._nobody, secret) and stored is not None
        except InvalidHashError:
            return self._verify_against_nobody(secret)
        except VerificationError:
            return False

    def needs_rehash(self, stored: str) -> bool:
        """Whether `stored` was made with other parameters than the settings' present ones."""
        return self._hasher.check_needs_rehash(stored)

    def _verify_against_nobody(self, secret: bytes) -> bool:
        with suppress(VerificationError):
            self._hasher.verify(self._nobody, secret)
        return False


def prepared_password(password: str) -> bytes:
    """The bytes to hash: 1 to 1,024 bytes of UTF-8 without NUL. Raises BadPassword.

    Prepared by the OpaqueString profile (RFC 8265 section 4.2): NFC, because one keyboard sends
    é as one character and another as two, and the person can't see the difference; and spaces of
    other kinds (a no-break space from a phone) become U+0020. Case and width stay as they are.
    """
    if not password:
        raise BadPassword("The password is empty.", "Give one.")
    if len(password) <= LONGEST_BYTES:
        spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in password)
        try:
            prepared = unicodedata.normalize("NFC", spaced).encode()
        except UnicodeEncodeError:
            raise BadPassword("The password is not Unicode text.", "Type it again.") from None
        if b"\0" in prepared:
            raise BadPassword("The password has a NUL character.", "Leave it out.")
        if len(prepared) <= LONGEST_BYTES:
            return prepared
    raise BadPassword(
        "The password is too long.", f"At most {LONGEST_BYTES} bytes of UTF-8 are allowed."
    )


def check_new_password(password: str, username: str) -> None:
    """Raise BadPassword unless `password` may become the password of `username`.

    At least 12 characters, no rule about kinds of characters (NIST SP 800-63B-4 section 3.1.1.2
    advises against those), and not the user name.
    """
    prepared = prepared_password(password).decode()
    if len(prepared) < SHORTEST_NEW:
        raise BadPassword(
            f"The password has {len(prepared)} characters.",
            f"It should have at least {SHORTEST_NEW}.",
        )
    if prepared.casefold() == username.casefold():
        raise BadPassword("The password is the user name.", "Choose another one.")


def check_password_hash(text: str) -> None:
    """Raise BadPasswordHash unless `text` is an Argon2id hash whose cost we are ready to bear."""
    match = _ARGON2ID.fullmatch(text)
    if not match or len(text) > _LONGEST_HASH:
        raise BadPasswordHash(
            "The password hash is not an Argon2id one.",
            "It should be like $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>.",
        )
    memory, passes, lanes = (int(match[name]) for name in ("memory", "passes", "lanes"))
    if not (
        8 * lanes <= memory <= _MOST_MEMORY_KIB
        and 1 <= passes <= _MOST_PASSES
        and 1 <= lanes <= _MOST_LANES
    ):
        raise BadPasswordHash(
            f"The password hash costs m={memory}, t={passes}, p={lanes}.",
            f"Allowed are up to m={_MOST_MEMORY_KIB}, t={_MOST_PASSES}, p={_MOST_LANES}.",
        )
