"""What a rotation would do, to be read before it does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from idp.entitlements.account import Account, Accounts
from idp.entitlements.store import stored_accounts
from idp.keys.lifecycle import find_key
from idp.keys.ring import LONGEST_UNSEEN_SECONDS
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.store import active_key, published_keys, require_room
from idp.rotation.record import RotationRefused, open_rotation
from idp.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """A rotation that has not begun.

    `key` is a next key that is there already; None: one is made in `custody`. `certificates` is
    how many the metadata holds in the meantime. `excluded` are accounts that are left out.
    """

    old: SigningKey
    key: SigningKey | None
    custody: str
    accounts: tuple[Account, ...]
    excluded: tuple[Account, ...]
    overlap: timedelta
    certificates: int


def make_plan(
    session: Session,
    settings: Settings,
    now: datetime,
    *,
    overlap: timedelta | None = None,
    custody: str = "",
    key: str = "",
    exclude: Sequence[str] = (),
) -> Plan:
    """Plan a rotation from the active key to a new one, or to the next key `key`.

    The new one is made in `custody`; empty: where the active one is kept.

    Raises RotationRefused, KeyUnusable (there is no active key), KeyNotFound, and KeyStepRefused
    when the metadata would hold more certificates than IAM takes.
    """
    if open_rotation(session) is not None:
        raise RotationRefused(
            "A rotation is under way.",
            "Go on with it: idp certs rotate --resume. Or go back: idp certs rotate --abort",
        )
    old = active_key(session)
    chosen = _next_key(session, key, now) if key else None
    if chosen is None:
        require_room(session)
    accounts = stored_accounts(session)
    excluded = named_exclusions(accounts, exclude)
    return Plan(
        old,
        chosen,
        chosen.custody if chosen else custody or old.custody,
        tuple(account for account in accounts if account not in excluded),
        excluded,
        checked_overlap(settings, overlap),
        len(published_keys(session)) + (chosen is None),
    )


def shortest_overlap(settings: Settings) -> timedelta:
    """The least overlap: every worker has the new key, and no assertion of the old one is left."""
    saml = settings.saml
    return timedelta(
        seconds=LONGEST_UNSEEN_SECONDS + saml.assertion_seconds + saml.clock_skew_seconds
    )


def checked_overlap(settings: Settings, overlap: timedelta | None) -> timedelta:
    """The overlap asked for, or the longest that AWS or a service provider has in the settings.

    Raises RotationRefused if it is too short for one of them.
    """
    longest = max(settings.service_providers, key=lambda each: each.overlap_hours, default=None)
    for_them = timedelta(hours=longest.overlap_hours if longest else 0)
    if overlap is None:
        return max(timedelta(hours=settings.keys.overlap_hours), for_them)
    least = shortest_overlap(settings)
    if overlap < least:
        raise RotationRefused(
            f"An overlap of {overlap.total_seconds():g} seconds is too short: assertions of the "
            f"old key are good for {least.total_seconds():g} seconds.",
            "Give 10m or more.",
        )
    if longest and overlap < for_them:
        raise RotationRefused(
            f"The service provider {longest.name} is to see the old certificate for "
            f"{longest.overlap_hours} hours, and the overlap would be shorter.",
            f"Give {longest.overlap_hours}h or more, or shorten its overlap_hours in the settings.",
        )
    return overlap


def named_exclusions(accounts: Accounts, names: Sequence[str]) -> tuple[Account, ...]:
    """The accounts of these numbers or aliases. Raises RotationRefused for an unknown one."""
    found = []
    for name in names:
        account = accounts.find(name)
        if account is None:
            raise RotationRefused(
                f"No account {name[:128]!r} is registered.",
                "See the registered ones with: idp aws account list",
            )
        if account not in found:
            found.append(account)
    return tuple(found)


def _next_key(session: Session, text: str, now: datetime) -> SigningKey:
    key = find_key(session, text)
    if key.state is not KeyState.NEXT:
        raise RotationRefused(
            f"Key {key.id} is {key.state}; a rotation goes to a next key.",
            "Make one: idp certs generate. Or leave --key out, and one is made.",
        )
    if key.certificate.not_valid_after_utc <= now:
        raise RotationRefused(
            f"The certificate of key {key.id} has ended.", "Leave --key out, and a key is made."
        )
    return key
