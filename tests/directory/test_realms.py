"""Names that say which directory they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pytest

from idp.db.engine import Database
from idp.directory.interface import Authentication, MayTry, always
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.directory.person import Person
from idp.directory.realms import Realms, unqualified


@dataclass
class NamedDirectory:
    """A directory that nobody asks."""

    name: str

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        raise AssertionError

    def find(self, directory_id: str) -> Person | None:
        raise AssertionError

    def find_by_name(self, username: str) -> Person | None:
        raise AssertionError


CORP, LAB = NamedDirectory("corp"), NamedDirectory("lab")
REALMS = Realms({"corp": ["corp.example", "CORP"], "lab": ["lab.example"]})


@pytest.mark.parametrize(
    ("name", "asked", "bare"),
    [
        ("ann", ["corp", "lab"], "ann"),
        ("ann@corp.example", ["corp"], "ann"),
        ("ANN@LAB.Example", ["lab"], "ANN"),
        ("corp\\ann", ["corp"], "ann"),
        ("ann@mail.example@lab.example", ["lab"], "ann@mail.example"),
        ("CORP\\ann@lab.example", ["corp"], "ann@lab.example"),
        ("ann@other.example", ["corp", "lab"], "ann@other.example"),
        ("OTHER\\ann", ["corp", "lab"], "OTHER\\ann"),
        ("ann@", ["corp", "lab"], "ann@"),
        ("@corp.example", ["corp"], "@corp.example"),
    ],
)
def test_a_realm_sends_a_name_to_one_directory(name: str, asked: list[str], bare: str) -> None:
    found = REALMS.asked(name, [CORP, LAB])
    assert [directory.name for directory in found] == asked
    assert REALMS.bare(name) == bare


def test_without_realms_every_name_goes_everywhere() -> None:
    assert Realms().asked("CORP\\ann", [CORP, LAB]) == [CORP, LAB]
    assert unqualified("ann@corp.example", []) is None


def test_a_person_of_the_local_directory_may_name_its_realm(
    sqlite: Database, passwords: Passwords, now: datetime
) -> None:
    with_realm = LocalDirectory(sqlite, passwords, "local", ["local.example"])
    with_realm.add("ann", now=now, password="correct horse battery")
    for name in ("ann", "ann@local.example", "LOCAL.EXAMPLE\\ann"):
        assert with_realm.authenticate(name, "correct horse battery").person
    assert LocalDirectory(sqlite, passwords).find_by_name("ann@local.example") is None
