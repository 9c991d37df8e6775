"""The PIN of a token: where it comes from, and that a wrong one is not tried again and again.

A token locks itself after a few wrong PINs, and an HSM that is locked is a long day. So a PIN that
was refused is not tried a second time by this server: not by this process, and not by the workers
that were forked from it, however often they are replaced.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

from pkcs11.exceptions import PinExpired, PinIncorrect, PinInvalid, PinLenRange, PinLocked

from idp.keys.private_file import read_private
from idp.keys.signing_key import KeyUnusable
from idp.settings import Pkcs11Settings

T = TypeVar("T")

_REFUSALS = (PinIncorrect, PinInvalid, PinLenRange, PinLocked, PinExpired)
_LONGEST = 256  # characters; tokens take fewer


def pin_source(settings: Pkcs11Settings) -> str:
    """Where the PIN is, in words."""
    if settings.pin_file is not None:
        return str(settings.pin_file)
    return f"the variable {settings.pin_variable}"


def read_pin(settings: Pkcs11Settings, environment: Mapping[str, str] = os.environ) -> str:
    """The PIN. Raises KeyUnusable, never showing it."""
    if settings.pin_file is not None:
        content = read_private(settings.pin_file, "The PIN file")
        with suppress(UnicodeDecodeError):
            return _checked(content.decode().rstrip("\r\n"), settings)
        raise _no_pin(settings)
    return _checked(environment.get(settings.pin_variable, ""), settings)


def _checked(pin: str, settings: Pkcs11Settings) -> str:
    if not pin or not pin.isprintable() or len(pin) > _LONGEST:
        raise _no_pin(settings)
    return pin


def _no_pin(settings: Pkcs11Settings) -> KeyUnusable:
    return KeyUnusable(
        f"There is no PIN in {pin_source(settings)}.",
        "It should hold the token's user PIN and nothing else, without a byte order mark.",
    )


class RefusedPin:
    """The PIN that was refused last, as a keyed hash; shared by all processes forked from here."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._shared: int | None = None

    def share(self) -> None:
        """Make what is shared. Processes that are forked before this each have one of their own."""
        self._note()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep the other processes from logging in meanwhile, or each would try a wrong PIN."""
        fcntl.lockf(self._note(), fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._note(), fcntl.LOCK_UN)

    def login(self, token: str, pin: str, source: str, attempt: Callable[[], T]) -> T:
        """What `attempt()` gives, with this PIN at the token of this name and serial number.

        Call it while alone. Raises KeyUnusable if the token refuses the PIN, or refused it before.
        """
        mark = hashlib.blake2b(f"{token}\0{pin}".encode(), key=self._key).digest()
        if os.pread(self._note(), len(mark), 0) == mark:
            raise _refused(token, source)
        try:
            return attempt()
        except _REFUSALS:
            os.pwrite(self._note(), mark, 0)
            raise _refused(token, source) from None

    def _note(self) -> int:
        if self._shared is None:
            with tempfile.TemporaryFile() as file:  # it has no name, and ends with the last of us
                self._shared = os.dup(file.fileno())
        return self._shared


def _refused(token: str, source: str) -> KeyUnusable:
    return KeyUnusable(
        f"The token {token} refuses the PIN in {source}.",
        "It was tried once, and is not tried again until another PIN is there or the server is "
        "restarted, so that the token does not lock itself.",
    )


REFUSED_PIN = RefusedPin()
