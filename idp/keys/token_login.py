"""Finding the one token meant, and logging in without ever locking it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pkcs11
from pkcs11.constants import TokenFlag

from idp.keys.pin import REFUSED_PIN, pin_source, read_pin
from idp.keys.signing_key import CustodyDown, KeyUnusable
from idp.settings import Pkcs11Settings

if TYPE_CHECKING:
    from pkcs11._pkcs11 import lib as Library  # noqa: N812


def find_token(library: Library, settings: Pkcs11Settings) -> pkcs11.Token:
    """The token with the label, and serial number, of the settings.

    Raises CustodyDown if it is not there, KeyUnusable if there are several.
    """
    serial = settings.serial.encode() or None
    found = list(library.get_tokens(token_label=settings.token, token_serial=serial))
    if not found:
        others = sorted({token.label for token in library.get_tokens() if token.label})
        seen = f"it has {', '.join(others)}" if others else "it has none"
        raise CustodyDown(
            f"There is no token {_called(settings)} at {settings.module} ({seen}).",
            "See that the HSM is on and reachable, and that keys.pkcs11.token names its label.",
        )
    if len(found) > 1:
        serials = ", ".join(sorted(token.serial.decode("ascii", "replace") for token in found))
        raise KeyUnusable(
            f"There are {len(found)} tokens labelled {settings.token}.",
            f"Set keys.pkcs11.serial to one of their serial numbers: {serials}.",
        )
    return found[0]


def log_in(token: pkcs11.Token, settings: Pkcs11Settings, *, writable: bool) -> pkcs11.Session:
    """A session in which the private keys are seen. Raises KeyUnusable, PKCS11Error."""
    flags = token.flags
    if TokenFlag.USER_PIN_LOCKED in flags:
        raise KeyUnusable(
            f"The user PIN of the token {token.label} is locked.",
            "The HSM's security officer can set a new one.",
        )
    if TokenFlag.USER_PIN_FINAL_TRY in flags:
        raise KeyUnusable(
            f"The token {token.label} allows one more PIN before it locks, and this is not spent.",
            f"See that {pin_source(settings)} holds the right PIN, then log in once with the "
            "HSM's own tool, which sets the count back.",
        )
    if TokenFlag.USER_PIN_INITIALIZED not in flags:
        raise KeyUnusable(
            f"The token {token.label} has no user PIN yet.",
            "Set one with the HSM's own tool.",
        )
    pin = read_pin(settings)
    return REFUSED_PIN.login(
        f"{token.label} ({token.serial.decode('ascii', 'replace')})",
        pin,
        pin_source(settings),
        lambda: token.open(rw=writable, user_pin=pin),
    )


def _called(settings: Pkcs11Settings) -> str:
    return settings.token + f" with serial number {settings.serial}" * bool(settings.serial)
