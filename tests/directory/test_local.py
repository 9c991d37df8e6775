"""The local directory on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, func, select, update

from idp.db.engine import Database
from idp.db.models import LocalUserRow, SessionRow
from idp.directory.interface import Directory
from idp.directory.local import LocalDirectory, NoSuchUser, UserExists
from idp.directory.passwords import BadPassword, Passwords
from idp.directory.person import Group
from idp.errors import IdpError
from idp.settings import SessionSettings, SignInSettings
from idp.signin.sessions import Sessions

GOOD = "correct horse battery"


def test_implements_the_interface(local_on_sqlite: LocalDirectory) -> None:
    directory: Directory = local_on_sqlite
    assert directory.name == "local"


def test_a_person_signs_in_under_any_spelling(local: LocalDirectory, now: datetime) -> None:
    person = local.add(
        "Ann",
        now=now,
        display_name="Ann Lee",
        email="ann@example.com",
        groups=["b", "a"],
        attributes={"Dept": ["x", "y"]},
        password=GOOD,
    )
    assert person.groups == (Group("a"), Group("b"))
    assert person.attributes == {"dept": ("x", "y")}
    assert local.authenticate("ANN", GOOD).person == person
    assert local.find(person.directory_id) == local.find_by_name("aNN") == person


def test_says_for_the_audit_row_why_nobody_got_in(local: LocalDirectory, now: datetime) -> None:
    for name in ("ann", "bob"):
        local.add(name, now=now, password=GOOD)
    local.add("carl", now=now)
    local.disable("bob", now)
    assert local.authenticate("ann", "wrong").reason == "wrong_password"
    assert local.authenticate("bob", GOOD).reason == "disabled"
    assert local.authenticate("carl", GOOD).reason == "no_password"
    assert local.authenticate("nobody", GOOD).reason == "unknown_user"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ann", "wrong"),
        ("bob", GOOD),
        ("bob", "wrong"),
        ("carl", GOOD),
        ("nobody", GOOD),
        ("ann\0", GOOD),
        ("x" * 10_000_000, GOOD),
        ("ann", "x" * 10_000_000),
        ("", ""),
        ("\ud800", "\ud800"),
        ("ann", GOOD),
    ],
)
def test_every_answer_costs_one_argon2_verification(
    local_on_sqlite: LocalDirectory, passwords: Passwords, now: datetime, name: str, password: str
) -> None:
    for each in ("ann", "bob"):
        local_on_sqlite.add(each, now=now, password=GOOD)
    local_on_sqlite.add("carl", now=now)
    local_on_sqlite.disable("bob", now)
    answer = local_on_sqlite.authenticate(name, password)
    assert passwords.verifications == 1
    assert (answer.person is not None) == ((name, password) == ("ann", GOOD))


def test_a_name_is_taken_in_every_spelling(local: LocalDirectory, now: datetime) -> None:
    local.add("straße", now=now)
    with pytest.raises(UserExists):
        local.add("STRASSE", now=now)


def test_of_two_that_add_one_name_at_once_one_wins(local: LocalDirectory, now: datetime) -> None:
    def add(name: str) -> bool:
        try:
            local.add(name, now=now)
        except UserExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, ["ann", "ANN"] * 8)) == 1


def test_stores_a_new_hash_when_the_parameters_changed(
    database: Database, local: LocalDirectory, now: datetime
) -> None:
    local.add("ann", now=now, password=GOOD)
    later = LocalDirectory(database, Passwords(SignInSettings(argon2_memory_kib=9216)))
    assert later.authenticate("ann", "wrong password").person is None
    assert "m=8192," in _stored_hash(database)
    assert later.authenticate("ann", GOOD).person
    assert "m=9216," in _stored_hash(database)
    assert later.authenticate("ann", GOOD).person


def _stored_hash(database: Database) -> str:
    with database.reading() as session:
        return session.scalars(select(LocalUserRow.password_hash)).one() or ""


@pytest.mark.parametrize("change", ["disable", "set_password"])
def test_a_change_of_trust_ends_the_sessions_of_that_person_alone(
    database: Database, local: LocalDirectory, now: datetime, change: str
) -> None:
    sessions = Sessions(database, SessionSettings())
    ann, bob = (local.add(name, now=now, password=GOOD) for name in ("ann", "bob"))
    for person in (ann, ann, bob):
        sessions.open(person, ("password",), "127.0.0.1", now)
    if change == "disable":
        local.disable("ann", now)
    else:
        local.set_password("ann", "another long password")
    assert sessions.list_for(ann, now) == []
    assert len(sessions.list_for(bob, now)) == 1


def test_a_disabled_person_is_not_found_until_enabled(local: LocalDirectory, now: datetime) -> None:
    person = local.add("ann", now=now, password=GOOD)
    local.disable("ann", now)
    assert local.find(person.directory_id) is None
    assert local.find_by_name("ann") is None
    assert list(local.people()) == []
    assert local.account("ann").disabled_at == now
    local.enable("ann")
    assert local.find(person.directory_id) == person
    assert local.authenticate("ann", GOOD).person == person


def test_changes_what_is_given_and_leaves_the_rest(local: LocalDirectory, now: datetime) -> None:
    local.add("ann", now=now, email="a@x.org", groups=["a"], attributes={"k": ["v"]})
    person = local.update("ANN", display_name="Ann", groups=["a", "c"])
    assert (person.display_name, person.email, person.groups) == (
        "Ann",
        "a@x.org",
        (Group("a"), Group("c")),
    )
    assert local.update("ann", email="", attributes={}).attributes == {}
    assert local.set_groups("ann", []).groups == ()
    assert local.find_by_name("ann") == local.account("ann").person


def test_two_that_set_groups_at_once_do_not_mix(local: LocalDirectory, now: datetime) -> None:
    local.add("ann", now=now)
    choices = [[f"{letter}{number}" for number in range(5)] for letter in "abcd"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda groups: local.set_groups("ann", groups), choices * 3))
    assert [group.name for group in local.account("ann").person.groups] in choices


def test_streams_everyone_with_two_queries_a_page(
    sqlite: Database, local_on_sqlite: LocalDirectory, now: datetime
) -> None:
    rows = [
        {"id": f"{n:032x}", "username": f"u{n:05}", "username_key": f"u{n:05}"}
        | {"display_name": "x", "attributes": {}, "created_at": now}
        for n in range(2500)
    ]
    with sqlite.writing() as session:
        session.bulk_insert_mappings(LocalUserRow.__mapper__, rows)
    local_on_sqlite.set_groups("u01700", ["late"])
    statements: list[str] = []
    event.listen(sqlite.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    names = [person.username for person in local_on_sqlite.people()]
    assert names == [f"u{n:05}" for n in range(2500)]
    assert sum(each.startswith("SELECT") for each in statements) == 6
    assert [each.person.username for each in local_on_sqlite.accounts("late")] == ["u01700"]


def test_unknown_people_are_told_in_a_sentence(
    local_on_sqlite: LocalDirectory, now: datetime
) -> None:
    for change in (
        lambda: local_on_sqlite.disable("nobody", now),
        lambda: local_on_sqlite.enable("a\0b"),
        lambda: local_on_sqlite.set_groups("\ud800", []),
        lambda: local_on_sqlite.set_password("nobody", GOOD),
        lambda: local_on_sqlite.account("x" * 1000),
    ):
        with pytest.raises(NoSuchUser):
            change()
    assert local_on_sqlite.find("\ud800") is None
    assert local_on_sqlite.find_by_name("\0") is None
    assert list(local_on_sqlite.accounts("\ud800")) == []


def test_a_refused_password_changes_nothing(local_on_sqlite: LocalDirectory, now: datetime) -> None:
    local_on_sqlite.add("ann", now=now, password=GOOD)
    with pytest.raises(BadPassword):
        local_on_sqlite.set_password("ann", "short")
    assert local_on_sqlite.authenticate("ann", GOOD).person


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(st.characters()), password=st.text(st.characters()))
def test_any_name_and_password_end_in_an_answer_or_a_sentence(
    local_on_sqlite: LocalDirectory, now: datetime, name: str, password: str
) -> None:
    assert local_on_sqlite.authenticate(name, password).person is None
    try:
        person = local_on_sqlite.add(name, now=now, password=password)
    except IdpError:
        return
    assert local_on_sqlite.authenticate(name, password).person == person
    with local_on_sqlite._database.writing() as session:
        session.execute(update(LocalUserRow).values(password_hash=None))


def test_disabling_twice_keeps_the_first_time(
    database: Database, local: LocalDirectory, now: datetime
) -> None:
    local.add("ann", now=now)
    local.disable("ann", now)
    local.disable("ann", now.replace(year=2030))
    assert local.account("ann").disabled_at == now
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(SessionRow)) == 0
