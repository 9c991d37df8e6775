"""A signing key is stolen, or may be: it goes at once, and another one takes its place.

This is no rotation. A thief can open every account for as long as AWS holds the certificate, so
nothing waits for an account that does not answer: people sign in again, account by account, as
soon as the account has taken the new metadata.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from idp.audit.admin_events import KeyGenerated, KeyRevoked
from idp.audit.log import AuditLog, Origin
from idp.db.engine import Database
from idp.keys.lifecycle import KeyStepRefused, revoke, revoke_and_replace
from idp.keys.new_key import NewKey, generated_key
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.store import all_keys
from idp.settings import Settings


@dataclass(frozen=True, slots=True)
class Revocation:
    """What is to be done: `keys` are revoked, the first of them is the one that was named.

    A file key takes along the published keys of its folder: whoever read one could read all.
    `needs_successor`: the active key is among them, and a new one is made to sign in its place.
    """

    keys: tuple[SigningKey, ...]
    needs_successor: bool

    @property
    def published(self) -> bool:
        """Whether any of them is in our metadata, so that accounts have to learn of it."""
        return any(key.state.published for key in self.keys)


@dataclass(frozen=True, slots=True)
class Revoked:
    """What was done; `successor` is the key made for it, None if the active key stays."""

    keys: tuple[SigningKey, ...]
    successor: SigningKey | None


def plan_revocation(
    session: Session, key: SigningKey, *, compromised: bool, keep: Sequence[str] = ()
) -> Revocation:
    """Say what revoking `key` means. `keep` are identifiers of keys that are known to be safe.

    A key that is revoked already needs nothing more. Raises KeyStepRefused for the active key
    unless it is compromised.
    """
    if key.state is KeyState.ACTIVE and not compromised:
        raise KeyStepRefused(
            f"Key {key.id} is the active key: without it nobody could sign in.",
            "If it may be stolen: idp certs revoke --compromised. If not: idp certs rotate.",
        )
    if key.state is KeyState.REVOKED:  # what lies beside it now was made later
        return Revocation((), False)
    keys = [key]
    if compromised:
        keys += [
            other
            for other in all_keys(session)
            if other.id != key.id and other.id not in keep and _lay_beside(other, key)
        ]
    return Revocation(tuple(keys), any(each.state is KeyState.ACTIVE for each in keys))


def successor_for(
    database: Database,
    settings: Settings,
    revocation: Revocation,
    *,
    custody: str,
    actor: str,
    now: datetime,
) -> AbstractContextManager[NewKey | None]:
    """Make the key that is to sign from now on, if one is needed; for carry_out to write down.

    Raises what generated_key raises.
    """
    if not revocation.needs_successor:
        return nullcontext()
    return generated_key(database, settings, now=now, custody=custody, actor=actor)


def carry_out(
    session: Session,
    audit: AuditLog,
    revocation: Revocation,
    new: NewKey | None,
    *,
    reason: str,
    compromised: bool,
    actor: str,
    origin: Origin,
    now: datetime,
) -> Revoked:
    """Revoke the keys, and let a new one sign if the active key is among them: all or nothing.

    `new` comes from successor_for. Raises KeyStepRefused if somebody changed the keys meanwhile.
    """
    successor: SigningKey | None = None
    # The others first: ten published keys would leave no room for the new one.
    for key in sorted(revocation.keys, key=lambda key: key.state is KeyState.ACTIVE):
        if key.state is KeyState.ACTIVE and new is not None:
            made = new.write_down(session)
            audit.append(session, _generated(made, actor), origin)
            successor = revoke_and_replace(session, key.id, made.id, now, actor, reason)
        else:
            revoke(session, key.id, now, actor, reason)
        changes = {"before": key.state, "reason": reason, "compromised": compromised} | (
            {"successor": successor.id} if successor and key.state is KeyState.ACTIVE else {}
        )
        event = KeyRevoked(actor=actor, subject=key.id, changes=changes)
        audit.append(session, event, origin)
    return Revoked(revocation.keys, successor)


def _generated(key: SigningKey, actor: str) -> KeyGenerated:
    return KeyGenerated(
        actor=actor,
        subject=key.id,
        changes={"state": key.state, "custody": key.custody, "fingerprint": key.fingerprint},
    )


def _lay_beside(other: SigningKey, key: SigningKey) -> bool:
    return (
        other.state.published
        and other.custody == key.custody == "file"
        and Path(other.locator).parent == Path(key.locator).parent
    )
