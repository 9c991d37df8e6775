"""Server-side sessions on both databases."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, func, select, update

from idp.db.engine import Database
from idp.db.models import PersonRow, SessionRow
from idp.directory.interface import Authentication, DirectoryUnavailable, MayTry, always
from idp.directory.person import Group, Person
from idp.entitlements.rule import RoleRule
from idp.entitlements.store import Entitlements, apply_rules
from idp.settings import SessionSettings
from idp.signin.sessions import Sessions, SignedIn

ANN = Person(
    "corp", "id-1", "ann", "Ann", groups=(Group("a", "cn=a", "S-1"),), attributes={"k": ("v",)}
)


class Shelf:
    """A directory of people held in memory; `up` False makes it not answer."""

    name = "corp"

    def __init__(self, people: Iterable[Person]) -> None:
        self.people = {person.directory_id: person for person in people}
        self.up = True

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        return Authentication(None, "unknown_user")

    def find(self, directory_id: str) -> Person | None:
        if not self.up:
            raise DirectoryUnavailable(self.name, "no server answers")
        return self.people.get(directory_id)

    def find_by_name(self, username: str) -> Person | None:
        return None


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return Sessions(database, SessionSettings())


def _find(sessions: Sessions, token: str, at: datetime) -> SignedIn | None:
    return sessions.find(token, at)


def test_a_token_finds_its_session_and_only_its_hash_is_stored(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    token, signed_in = sessions.open(ANN, ("password", "totp"), "192.0.2.1", now)
    assert _find(sessions, token, now) == signed_in
    assert (signed_in.person, signed_in.factors) == (ANN, ("password", "totp"))
    assert signed_in.expires_at == now + timedelta(hours=10)
    with database.reading() as session:
        stored = session.scalars(select(SessionRow.token_hash)).one()
    assert stored == signed_in.token_hash != token


def test_the_warm_path_is_one_select(sqlite: Database, now: datetime) -> None:
    statements: list[str] = []
    event.listen(
        sqlite.engine, "connect", lambda made, _: made.set_trace_callback(statements.append)
    )
    sessions = Sessions(sqlite, SessionSettings())
    token, _ = sessions.open(ANN, ("password",), "192.0.2.1", now)
    _find(sessions, token, now)
    statements.clear()
    assert _find(sessions, token, now + timedelta(seconds=59))
    assert [each.split()[0] for each in statements] == ["SELECT"]


def test_being_here_is_noted_once_a_minute(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    token, _ = sessions.open(ANN, ("password",), "192.0.2.1", now)
    noted = []
    for second in (30, 59, 60, 90, 119, 120):
        at = now + timedelta(seconds=second)
        assert sessions.find(token, at)
        with database.reading() as session:
            seen = session.scalars(select(SessionRow.last_seen_at)).one()
        noted.append((seen - now).total_seconds())
    assert noted == [0, 0, 60, 60, 60, 120]


def test_idle_and_absolute_time_outs_end_it(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    token, _ = sessions.open(ANN, ("password",), "192.0.2.1", now)
    assert _find(sessions, token, now + timedelta(minutes=30)) is None
    at = now
    while at < now + timedelta(hours=10):
        assert _find(sessions, token, at)
        at += timedelta(minutes=25)
    assert _find(sessions, token, now + timedelta(hours=10)) is None


def test_a_busy_person_is_not_idle_under_the_shortest_time_out(
    database: Database, now: datetime
) -> None:
    sessions = Sessions(database, SessionSettings(idle_minutes=1))
    token, _ = sessions.open(ANN, ("password",), "192.0.2.1", now)
    for second in range(10, 300, 20):
        assert _find(sessions, token, now + timedelta(seconds=second))
    assert _find(sessions, token, now + timedelta(seconds=400)) is None


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "é" * 43, "\ud800" * 43, "x" * 10_000_000])
def test_a_token_that_was_never_given_finds_nothing(
    database: Database, sessions: Sessions, now: datetime, token: str
) -> None:
    assert _find(sessions, token, now) is None
    sessions.end(token)


def test_ends_one_or_all(database: Database, sessions: Sessions, now: datetime) -> None:
    tokens = [sessions.open(ANN, ("password",), "192.0.2.1", now)[0] for _ in range(3)]
    sessions.end(tokens[0])
    assert _find(sessions, tokens[0], now) is None
    left = sessions.list_for(ANN, now)
    assert len(left) == 2
    assert sessions.end_all(left[0].person_id) == 2
    assert sessions.list_for(ANN, now) == []


def test_opening_a_session_clears_away_those_that_are_over(
    sessions: Sessions, database: Database, now: datetime
) -> None:
    for later in (timedelta(0), timedelta(days=2)):
        sessions.open(ANN, ("password",), "192.0.2.1", now + later)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(SessionRow)) == 1


def test_sign_ins_at_once_share_one_row_of_the_person(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    def open_one(number: int) -> str:
        person = replace(ANN, directory_id=f"id-{number % 3}")
        return sessions.open(person, ("password",), "192.0.2.1", now)[1].person_id

    with ThreadPoolExecutor(12) as pool:
        assert len(set(pool.map(open_one, range(36)))) == 3
    with database.reading() as session:
        assert len(session.scalars(select(PersonRow.id)).all()) == 3


def test_a_renamed_person_keeps_the_row(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    before = sessions.open(ANN, ("password",), "192.0.2.1", now)[1]
    after = sessions.open(replace(ANN, username="anna"), ("password",), "192.0.2.1", now)[1]
    other = sessions.open(replace(ANN, directory="local"), ("password",), "192.0.2.1", now)[1]
    assert before.person_id == after.person_id != other.person_id
    with database.reading() as session:
        assert (
            session.scalars(
                select(PersonRow.username).where(PersonRow.id == before.person_id)
            ).one()
            == "anna"
        )


def test_a_session_of_another_version_is_over(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    token, _ = sessions.open(ANN, ("password",), "192.0.2.1", now)
    with database.writing() as session:
        session.execute(update(SessionRow).values(person={"who": "ann"}))
    assert _find(sessions, token, now) is None


def test_reads_the_person_again_when_what_we_know_is_old(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    token, signed_in = sessions.open(ANN, ("password",), "192.0.2.1", now)
    shelf = Shelf([replace(ANN, groups=())])
    soon, later = now + timedelta(seconds=59), now + timedelta(seconds=60)
    assert sessions.refresh(signed_in, [shelf], soon) == signed_in
    fresh = sessions.refresh(signed_in, [shelf], later)
    assert fresh == replace(signed_in, person=replace(ANN, groups=()), refreshed_at=later)
    assert _find(sessions, token, later) == fresh


def test_rules_that_change_while_a_directory_is_asked_count_at_once(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    rule = RoleRule("all", groups=("a",), roles=("Admin",), accounts=("dev",))
    entitlements = Entitlements(database)

    class Slow(Shelf):
        def find(self, directory_id: str) -> Person | None:
            with database.writing() as session:
                apply_rules(session, [])
            return super().find(directory_id)

    with database.writing() as session:
        apply_rules(session, [rule])
    token, _ = sessions.open(ANN, ("password",), "192.0.2.1", now)
    later = now + timedelta(minutes=2)
    found = _find(sessions, token, later)
    assert found is not None
    assert entitlements.current(found.rules_revision).rules
    fresh = sessions.refresh(found, [Slow([ANN])], later)
    assert fresh is not None
    assert not entitlements.current(fresh.rules_revision).rules


def test_a_person_who_is_gone_loses_the_session(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    later = now + timedelta(minutes=2)
    for directories in ([Shelf([])], []):
        token, signed_in = sessions.open(ANN, ("password",), "192.0.2.1", now)
        assert sessions.refresh(signed_in, directories, later) is None
        assert _find(sessions, token, later) is None


def test_a_directory_that_is_down_grants_nothing_and_ends_nothing(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    token, signed_in = sessions.open(ANN, ("password",), "192.0.2.1", now)
    shelf = Shelf([ANN])
    shelf.up = False
    later = now + timedelta(minutes=2)
    with pytest.raises(DirectoryUnavailable):
        sessions.refresh(signed_in, [shelf], later)
    assert _find(sessions, token, later) == signed_in


def test_refreshing_does_not_bring_an_ended_session_back(
    database: Database, sessions: Sessions, now: datetime
) -> None:
    token, signed_in = sessions.open(ANN, ("password",), "192.0.2.1", now)
    sessions.end(token)
    later = now + timedelta(minutes=2)
    assert sessions.refresh(signed_in, [Shelf([ANN])], later) is None
    assert _find(sessions, token, later) is None
