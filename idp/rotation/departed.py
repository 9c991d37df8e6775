"""Providers that are registered no longer, and may hold a key's certificate still.

Nobody tells them when a key is revoked: whoever has that key can sign in there until the provider
is deleted. What is known of them is in the audit trail, and in the records of rotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import or_, select

from idp.audit.reading import Record, Search, matching
from idp.aws.arn import BadArn, ProviderArn
from idp.db.engine import Database
from idp.db.models import RotationAccountRow, RotationRow, canonical_time
from idp.entitlements.store import stored_accounts
from idp.keys.signing_key import SigningKey
from idp.rotation.record import Phase

_BACK = (Phase.ABORTING, Phase.ABORTED)
_LIST = ("account.added", "account.changed", "account.removed")
_READ = ("aws.registered", "rotation.account_holds", "rotation.account_withdrawn")


@dataclass(frozen=True, slots=True)
class Departed:
    """A provider that left the list of accounts; times are canonical text, empty if unknown.

    `held_at` is when it was last seen to hold the certificate; empty: it may have been given it,
    but nothing on record says so.
    """

    provider: ProviderArn
    alias: str = ""
    left_at: str = ""
    held_at: str = ""


def departed_holders(database: Database, key: SigningKey) -> list[Departed]:
    """The providers off the list that may hold the certificate of `key`, by account number.

    Left out are those that were seen to be without it after that, and those that had left before
    the key was made.
    """
    with database.reading() as session:
        registered = {account.provider for account in stored_accounts(session)}
        rows = session.execute(
            select(RotationAccountRow, RotationRow)
            .join(RotationRow, RotationRow.id == RotationAccountRow.rotation_id)
            .where(or_(RotationRow.old_key_id == key.id, RotationRow.next_key_id == key.id))
        ).all()
    trail = _Trail(key.fingerprint)
    for record in matching(database, Search(types=_LIST + _READ)):
        trail.read(record)
    for row, rotation in rows:
        provider, went_back = ProviderArn.parse(row.provider), rotation.phase in _BACK
        if given := row.held_at or row.given_at:
            trail.seen(provider, canonical_time(given))
        if row.withdrawn_at and key.id == (
            rotation.next_key_id if went_back else rotation.old_key_id
        ):
            trail.lost(provider, canonical_time(row.withdrawn_at))
    made = canonical_time(key.created_at)
    return sorted(
        (each for each in trail.may_hold(since=made) if each.provider not in registered),
        key=lambda each: (each.provider.account, str(each.provider)),
    )


class _Trail:
    """What the trail says of one certificate, provider by provider, read from its beginning."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self._known: dict[ProviderArn, Departed] = {}
        self._lost: dict[ProviderArn, str] = {}
        self._listed: dict[str, ProviderArn] = {}  # by account number

    def read(self, record: Record) -> None:
        told = record.told()
        number, changes = str(told.get("subject", "")), told.get("changes")
        if not isinstance(changes, Mapping):
            return
        if record.type in _LIST:
            self._list_changed(record, number, changes)
            return
        provider = _provider(changes.get("provider")) or self._listed.get(number)
        if provider is None:
            return
        held_before = self._of(provider).held_at > self._lost.get(provider, "")
        if self._fingerprint in _texts(changes.get("certificates_removed")):
            self.lost(provider, record.at)
        elif held_before or self._fingerprint in _texts(changes.get("certificates_added")):
            self.seen(provider, record.at)

    def seen(self, provider: ProviderArn, at: str) -> None:
        """The provider was read, and held the certificate."""
        known = self._of(provider)
        self._known[provider] = replace(known, held_at=max(known.held_at, at))

    def lost(self, provider: ProviderArn, at: str) -> None:
        """The provider was read, and did not hold the certificate, or no more."""
        self._lost[provider] = max(self._lost.get(provider, ""), at)

    def may_hold(self, since: str) -> Iterator[Departed]:
        """`since` is when the certificate came into being."""
        for provider, known in self._known.items():
            lost = self._lost.get(provider, "")
            left_before = "" < known.left_at < since
            if known.held_at > lost or not (known.held_at or lost or left_before):
                yield known

    def _list_changed(self, record: Record, number: str, changes: Mapping[str, Any]) -> None:
        named = _provider(changes.get("provider_arn"))
        before = _provider(changes.get("provider_before")) or self._listed.pop(number, None)
        if named is None:
            return
        alias = str(changes.get("alias") or "")
        if record.type == "account.removed":
            before = named
        else:
            self._listed[number] = named
            self._known[named] = replace(self._of(named), alias=alias, left_at="")
        if before and before != self._listed.get(number):
            self._known[before] = replace(self._of(before), alias=alias, left_at=record.at)

    def _of(self, provider: ProviderArn) -> Departed:
        return self._known.setdefault(provider, Departed(provider))


def _provider(text: object) -> ProviderArn | None:
    try:
        return ProviderArn.parse(str(text))
    except BadArn:
        return None


def _texts(values: object) -> Iterable[object]:
    return values if isinstance(values, list) else ()
