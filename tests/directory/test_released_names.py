"""idp user release-name, and the names in idp user show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from idp.db.engine import Database
from idp.db.models import AuditEventRow, ClaimedNameRow
from idp.directory.local import LocalDirectory
from idp.signin.people import find_or_add_person
from idp.sso.names import KeptNames


@dataclass(frozen=True)
class Idp:
    """The command as a program, with a database of its own."""

    url: str
    folder: Path

    def __call__(self, *arguments: str, code: int = 0) -> str:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
            "IDP_DATABASE__URL": self.url,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        done = subprocess.run(
            [sys.executable, "-m", "idp", "user", *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment,
            check=False,
            timeout=60,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def idp(database_url: str, tmp_path: Path) -> Idp:
    return Idp(database_url, tmp_path)


@pytest.fixture
def ann(local: LocalDirectory, database: Database, now: datetime) -> str:
    """Ann, who has claimed a name of each of two kinds."""
    person = local.add("ann", now=now)
    with database.writing() as session:
        person_id = find_or_add_person(session, person, now)
    KeptNames(database).claim("role_session_name", "Ann", person_id, now)
    KeptNames(database).claim("name_id", "ann", person_id, now)
    return person_id


def kinds_held(database: Database) -> list[str]:
    with database.reading() as session:
        return sorted(session.scalars(select(ClaimedNameRow.kind)))


def released(database: Database) -> list[tuple[str, dict[str, str]]]:
    with database.reading() as session:
        query = select(AuditEventRow.detail).where(AuditEventRow.type == "name.released")
        found = [json.loads(detail) for detail in session.scalars(query)]
    return [(each["subject"], each["changes"]) for each in found]


def test_show_lists_the_names_that_a_person_holds(idp: Idp, ann: str, now: datetime) -> None:
    shown = json.loads(idp("show", "ann", "--json"))
    at = now.isoformat(timespec="seconds")
    assert shown["names"] == [
        {"kind": "name_id", "name": "ann", "claimed_at": at},
        {"kind": "role_session_name", "name": "ann", "claimed_at": at},
    ]
    told = idp("show", "ann").splitlines()
    assert "holds: NameID 'ann'" in told
    assert "holds: RoleSessionName 'ann'" in told


def test_somebody_who_opened_no_role_holds_nothing(
    idp: Idp, local: LocalDirectory, now: datetime
) -> None:
    local.add("bob", now=now)
    assert json.loads(idp("show", "bob", "--json"))["names"] == []
    assert "holds" not in idp("show", "bob")


def test_releases_a_name_of_every_kind_and_records_it(
    idp: Idp, database: Database, ann: str
) -> None:
    done = idp("release-name", "ANN")
    assert "RoleSessionName 'ann' is held by local/ann." in done
    assert kinds_held(database) == []
    assert released(database) == [
        ("ann", {"kind": kind, "holder": "local/ann", "person_id": ann})
        for kind in ("name_id", "role_session_name")
    ]


def test_releases_only_the_kind_that_is_named(idp: Idp, database: Database, ann: str) -> None:
    idp("release-name", "ann", "--kind", "name_id")
    assert kinds_held(database) == ["role_session_name"]
    assert len(released(database)) == 1


@pytest.mark.parametrize("words", [("nobody",), ("ann", "--kind", "source_identity")])
def test_a_name_that_nobody_holds_is_a_sentence(
    idp: Idp, database: Database, ann: str, words: tuple[str, ...]
) -> None:
    done = idp("release-name", *words, code=2)
    assert "Nobody holds" in done
    assert "Traceback" not in done
    assert released(database) == []
    assert len(kinds_held(database)) == 2


def test_nothing_is_released_without_an_audit_row(idp: Idp, database: Database, ann: str) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE audit_events")
    idp("release-name", "ann", code=2 if database.is_sqlite else 1)
    assert len(kinds_held(database)) == 2
