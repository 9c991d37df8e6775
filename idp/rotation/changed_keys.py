"""When somebody changed the keys of a rotation under way: what that makes of it.

A stolen key is revoked at once, whatever else goes on (`idp certs revoke --compromised`), and a key
may be retired by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from idp.keys.signing_key import KeyState, SigningKey
from idp.rotation.record import Phase, Rotation


@dataclass(frozen=True, slots=True)
class ForcedTurn:
    """The phase to come to, and why."""

    phase: Phase
    reason: str


def forced_turn(rotation: Rotation, old: SigningKey, new: SigningKey) -> ForcedTurn | None:
    """Where the rotation has to go because of its keys' states; None: it may go on as it is."""
    if rotation.phase is Phase.DISTRIBUTING:
        return _while_distributing(old, new)
    if rotation.phase is Phase.OVERLAP and old.state is not KeyState.RETIRING:
        return ForcedTurn(Phase.WITHDRAWING, f"the old key is {old.state} already")
    return None


def _while_distributing(old: SigningKey, new: SigningKey) -> ForcedTurn | None:
    if new.state is KeyState.ACTIVE or new.state is KeyState.RETIRING:
        return ForcedTurn(Phase.OVERLAP, f"the next key was made {new.state} by hand")
    if new.state is not KeyState.NEXT:
        return ForcedTurn(Phase.ABORTING, f"the next key is {new.state}")
    if old.state is not KeyState.ACTIVE:
        return ForcedTurn(Phase.ABORTING, f"the key to be replaced is {old.state}")
    return None
