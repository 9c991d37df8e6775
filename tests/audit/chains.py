"""Chains of any length for tests and measurements, written without waiting for a disk each time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from idp.audit.chain import EVENTS, HEAD, Point, read_ends, seal
from idp.db.engine import Database

START = datetime(2026, 1, 1, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/Developer"
_DETAIL = (
    '{"assertion_id": "_%032x", "duration": 3600, "key": "' + "f" * 64 + '", "name_id": '
    '"7f3b0c1d", "recipient": "https://signin.aws.amazon.com/saml", "response_id": "_%032x", '
    '"roles": ["' + ROLE + '"], "service_provider": "urn:amazon:webservices", '
    '"session": "0123456789ab", "session_name": "ann", "tags": ["Department", "Project"]}'
)
_REFUSED = '{"reason": "wrong_password"}'


def load(database: Database, count: int, start: datetime = START, step: float = 1.0) -> None:
    """Append `count` rows, one every `step` seconds: nine assertions, then a refused sign-in."""
    names = [column.name for column in EVENTS.c]
    done = 0
    while done < count:
        size = min(20_000, count - done)
        with database.writing() as session:
            connection = session.connection()
            head = read_ends(connection, lock=True).head
            rows = []
            for number in range(done, done + size):
                seq = head.seq + 1
                at = (start + timedelta(seconds=number * step)).replace(tzinfo=None)
                issued = number % 10 != 9
                sealed = (
                    head.hash,
                    seq,
                    at.isoformat(timespec="microseconds") + "Z",
                    "assertion.issued" if issued else "sign_in.refused",
                    f"local/user{number % 5000}",
                    "192.0.2.1",
                    f"{number:016x}",
                    f"_{seq:032x}" if issued else None,
                    _DETAIL % (seq, seq) if issued else _REFUSED,
                )
                head = Point(seq, seal(sealed))
                rows.append(dict(zip(names, (*sealed, head.hash), strict=True)))
            connection.execute(insert(EVENTS), rows)
            connection.execute(update(HEAD).values(seq=head.seq, hash=head.hash))
        done += size
