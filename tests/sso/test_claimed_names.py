"""Names belong to one person: claimed once, refused to others, released by an administrator."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from sqlalchemy import func, select

from idp.db.engine import Database
from idp.db.models import ClaimedNameRow
from idp.directory.person import Person
from idp.settings import NameIdFormat
from idp.signin.people import find_or_add_person
from idp.sso.claimed_names import (
    LONGEST_NAME,
    NAME_KINDS,
    NameKind,
    NameTaken,
    NameTooLong,
    holders,
    names_of,
    release,
)
from idp.sso.names import CLAIM_SECONDS, KeptNames, NoEmail

AUDIENCE = "urn:amazon:webservices"
KINDS: Sequence[NameKind] = tuple(NAME_KINDS)


def person(username: str, email: str | None = None, directory: str = "local") -> Person:
    return Person(
        directory=directory,
        directory_id=f"id-{username}",
        username=username,
        display_name=username,
        email=email,
    )


def add(database: Database, someone: Person, now: datetime) -> str:
    with database.writing() as session:
        return find_or_add_person(session, someone, now)


@pytest.fixture
def ann(database: Database, now: datetime) -> str:
    return add(database, person("ann"), now)


@pytest.fixture
def abe(database: Database, now: datetime) -> str:
    return add(database, person("abe"), now)


def release_all(database: Database, name: str) -> None:
    with database.writing() as session:
        for held in holders(session, name, KINDS):
            assert release(session, held)


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_is_one_persons_whatever_its_case(
    database: Database, now: datetime, ann: str, abe: str, kind: NameKind
) -> None:
    names = KeptNames(database)
    names.claim(kind, "Archer", ann, now)
    for elsewhere in (names, KeptNames(database), KeptNames(database, keep=False)):
        elsewhere.claim(kind, "ARCHER", ann, now)
        with pytest.raises(NameTaken, match="another person"):
            elsewhere.claim(kind, "archer", abe, now)


def test_a_name_of_one_kind_says_nothing_of_another(
    database: Database, now: datetime, ann: str, abe: str
) -> None:
    names = KeptNames(database)
    names.claim("role_session_name", "archer", ann, now)
    names.claim("source_identity", "archer", abe, now)
    with database.reading() as session:
        found = holders(session, "Archer", KINDS)
        assert [(each.kind, each.person) for each in found] == [
            ("role_session_name", "local/ann"),
            ("source_identity", "local/abe"),
        ]
        assert [each.kind for each in names_of(session, "local", "id-abe")] == ["source_identity"]


@pytest.mark.parametrize(
    ("kind", "called", "setting"),
    [
        ("role_session_name", "RoleSessionName", "aws.role_session_name"),
        ("source_identity", "SourceIdentity", "aws.source_identity"),
        ("name_id", "NameID", "aws.name_id_format"),
    ],
)
def test_a_refusal_names_the_setting_and_the_command(
    database: Database, now: datetime, ann: str, abe: str, kind: NameKind, called: str, setting: str
) -> None:
    names = KeptNames(database)
    names.claim(kind, "-o'hara", ann, now)
    with pytest.raises(NameTaken) as refusal:
        names.claim(kind, "-o'hara", abe, now)
    assert refusal.value.message.startswith(f'The {called} "-o\'hara" ')
    assert setting in refusal.value.advice
    command = shlex.split(refusal.value.advice.partition("run: ")[2])
    assert command == ["idp", "user", "release-name", "--kind", kind, "--", "-o'hara"]


def test_of_two_people_at_once_one_gets_the_name(
    database: Database, now: datetime, ann: str, abe: str
) -> None:
    start = Barrier(8)

    def claim(number: int) -> str | None:
        person_id = (ann, abe)[number % 2]
        names = KeptNames(database)
        start.wait()
        try:
            names.claim("source_identity", "archer", person_id, now)
        except NameTaken:
            return None
        return person_id

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(claim, range(8)))
    with database.reading() as session:
        owner = session.scalars(select(ClaimedNameRow.person_id)).one()
    assert [each for each in got if each] == [owner] * 4


def test_a_released_name_goes_to_whoever_asks_first(
    database: Database, now: datetime, ann: str, abe: str
) -> None:
    clock = [100.0]
    names = KeptNames(database, clock=lambda: clock[0])
    names.claim("name_id", "archer", ann, now)
    with pytest.raises(NameTaken):
        names.claim("name_id", "archer", abe, now)
    release_all(database, "ARCHER")
    names.claim("name_id", "archer", abe, now)  # at once: a refusal is not remembered
    with pytest.raises(NameTaken):
        names.claim("name_id", "archer", ann, now)


def test_a_process_notices_a_release_within_ten_seconds(
    database: Database, now: datetime, ann: str, abe: str
) -> None:
    clock = [100.0]
    names = KeptNames(database, clock=lambda: clock[0])
    names.claim("name_id", "archer", ann, now)
    release_all(database, "archer")
    KeptNames(database).claim("name_id", "archer", abe, now)
    assert CLAIM_SECONDS <= 10
    clock[0] += CLAIM_SECONDS
    with pytest.raises(NameTaken):
        names.claim("name_id", "archer", ann, now)


def test_a_release_is_of_the_holder_that_was_seen(
    database: Database, now: datetime, ann: str, abe: str
) -> None:
    KeptNames(database).claim("name_id", "archer", ann, now)
    with database.reading() as session:
        (seen,) = holders(session, "archer", KINDS)
    release_all(database, "archer")
    KeptNames(database).claim("name_id", "archer", abe, now)
    with database.writing() as session:
        assert not release(session, seen)
        assert [each.person for each in holders(session, "archer", KINDS)] == ["local/abe"]


def test_trying_a_name_on_takes_nothing(database: Database, now: datetime, abe: str) -> None:
    KeptNames(database, keep=False).claim("name_id", "archer", "somebody", now)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ClaimedNameRow)) == 0
    KeptNames(database).claim("name_id", "archer", abe, now)


@pytest.mark.parametrize("name_format", ["emailAddress", "unspecified"])
def test_a_name_id_that_could_be_two_peoples_is_claimed(
    database: Database, now: datetime, name_format: NameIdFormat
) -> None:
    first = person("archer", "archer@corp.example")
    other = person("Archer", "Archer@Corp.Example", directory="ldap")
    first_id, other_id = add(database, first, now), add(database, other, now)
    names = KeptNames(database)
    names.name_id(name_format, first, first_id, AUDIENCE, now)
    names.name_id(name_format, first, first_id, "urn:amazon:webservices:cn-north-1", now)
    with pytest.raises(NameTaken, match="NameID"):
        names.name_id(name_format, other, other_id, AUDIENCE, now)


@pytest.mark.parametrize("name_format", ["persistent", "transient"])
def test_a_random_name_id_claims_nothing(
    database: Database, now: datetime, ann: str, name_format: NameIdFormat
) -> None:
    KeptNames(database).name_id(name_format, person("ann"), ann, AUDIENCE, now)
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ClaimedNameRow)) == 0


def test_no_email_claims_nothing(database: Database, now: datetime, ann: str) -> None:
    with pytest.raises(NoEmail):
        KeptNames(database).name_id("emailAddress", person("ann"), ann, AUDIENCE, now)


def test_a_name_that_is_too_long_to_keep_is_a_sentence(
    database: Database, now: datetime, ann: str
) -> None:
    names = KeptNames(database)
    names.claim("name_id", "x" * LONGEST_NAME, ann, now)
    with pytest.raises(NameTooLong, match="321 characters"):
        names.claim("name_id", "ß" + "x" * (LONGEST_NAME - 1), ann, now)
