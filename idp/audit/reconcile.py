"""CloudTrail held against our ledger: every role that was assumed, and whether we vouched for it.

Whoever has stolen a signing key makes assertions that AWS believes and that stand in no row of
ours ("Golden SAML", MITRE ATT&CK T1606.002).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice

from sqlalchemy import select

from idp.audit.chain import EVENTS
from idp.audit.cloudtrail import RoleAssumed
from idp.audit.reading import COLUMNS, Record
from idp.db.engine import Database

_AT_ONCE = 500
_SKEW = timedelta(minutes=2)  # between our clock and that of AWS
_SECOND = timedelta(seconds=1)  # CloudTrail's times have no fractions
_REDEEMABLE = timedelta(minutes=5)  # STS API, AssumeRoleWithSAML


class Finding(StrEnum):
    """What our ledger says to an event."""

    ISSUED = "issued"
    NOT_ISSUED = "not issued"
    DIFFERENT = "different"
    BEFORE_TRAIL = "before the trail"
    OTHER_PROVIDER = "other provider"

    @property
    def alarming(self) -> bool:
        """Whether somebody has to look at it."""
        return self in (Finding.NOT_ISSUED, Finding.DIFFERENT)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """An event, what our ledger says, and why; `row` is the number of our row, if there is one.

    `redeemed` counts the sessions that were opened with the same assertion and role so far. The
    person's machine may do that several times while the assertion is valid; a thief may, too.
    """

    event: RoleAssumed
    finding: Finding
    reasons: tuple[str, ...] = ()
    row: int | None = None
    actor: str = ""
    key: str = ""
    redeemed: int = 0


@dataclass(frozen=True, slots=True)
class Ours:
    """What makes an event ours to answer for: our issuer, our providers, the trail's first row."""

    issuer: str
    providers: frozenset[str]
    trail_begins: datetime | None


def reconcile(
    database: Database, events: Iterable[RoleAssumed], ours: Ours
) -> Iterator[Reconciled]:
    """Hold events against the rows "assertion.issued", in the order in which they come."""
    redeemed: Counter[tuple[str, str]] = Counter()
    remaining = iter(events)
    while page := list(islice(remaining, _AT_ONCE)):
        rows = _issued(database, {event.assertion_id for event in page if event.assertion_id})
        for event in page:
            found = _held_against(event, rows.get(event.assertion_id), ours)
            if event.error or not event.assertion_id:
                yield found
                continue
            redeemed[event.assertion_id, event.role] += 1
            yield replace(found, redeemed=redeemed[event.assertion_id, event.role])


def trail_begins(database: Database) -> datetime | None:
    """When the oldest row was written; None for an empty trail."""
    with database.reading() as session:
        at = session.scalar(select(EVENTS.c.at).order_by(EVENTS.c.seq).limit(1))
    return datetime.fromisoformat(at) if at else None


def _issued(database: Database, assertion_ids: Collection[str]) -> dict[str, Record]:
    query = select(*COLUMNS).where(
        EVENTS.c.assertion_id.in_(assertion_ids), EVENTS.c.type == "assertion.issued"
    )
    with database.reading() as session:
        records = [Record.of(row) for row in session.execute(query)]
    return {str(record.assertion_id): record for record in records}


def _held_against(event: RoleAssumed, record: Record | None, ours: Ours) -> Reconciled:
    if record is not None:
        reasons = tuple(_differences(event, record))
        told = record.told()
        finding = Finding.DIFFERENT if reasons else Finding.ISSUED
        return Reconciled(
            event, finding, reasons, record.seq, record.actor, str(told.get("key", ""))
        )
    if event.issuer != ours.issuer and event.provider not in ours.providers:
        reason = f"it is of {event.issuer or event.provider or 'an unnamed provider'}"
        return Reconciled(event, Finding.OTHER_PROVIDER, (reason,))
    if ours.trail_begins is not None and event.at < ours.trail_begins - _SECOND:
        return Reconciled(event, Finding.BEFORE_TRAIL, ("our trail begins later",))
    return Reconciled(event, Finding.NOT_ISSUED, (_why_not(event),))


def _why_not(event: RoleAssumed) -> str:
    if not event.assertion_id:
        return "the event names no assertion"
    return f"no row of ours has the assertion {event.assertion_id}"


def _differences(event: RoleAssumed, record: Record) -> Iterator[str]:
    """What the event says otherwise than our row: somebody has reused the assertion's ID."""
    told = record.told()
    roles: Sequence[str] = told.get("roles", ())
    if event.role and event.role not in roles:
        yield f"the role is {event.role}, we wrote {', '.join(roles) or 'none'}"
    for name, seen, wrote in (
        ("session name", event.session_name, told.get("session_name")),
        ("source identity", event.source_identity, told.get("source_identity")),
    ):
        if seen and seen != str(wrote or ""):
            yield f"the {name} is {seen!r}, we wrote {str(wrote or '')!r}"
    issued = datetime.fromisoformat(record.at)
    if event.at < issued - _SKEW:
        yield f"it was redeemed at {event.at:%H:%M:%S}, before we issued it at {issued:%H:%M:%S}"
    elif event.at > issued + _REDEEMABLE + _SKEW:
        yield f"it was redeemed {event.at - issued} after we issued it"
