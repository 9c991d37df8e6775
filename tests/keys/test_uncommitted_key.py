"""A key whose row is not committed leaves no private key behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.db.models import SecretRow, SigningKeyRow
from idp.keys.file_custody import private_key_path, write_private_key
from idp.keys.lifecycle import KeyStepRefused
from idp.keys.new_key import NewKey, generated_key
from idp.keys.signing_key import KeyUnusable
from idp.keys.store import all_keys
from idp.settings import KeySettings, Settings
from tests.making import memory_key
from tests.servers.postgresql import PostgresServer


def settings_in(folder: Path) -> Settings:
    return Settings(data_folder=folder / "data", keys=KeySettings(folder=folder))


def coming(database: Database, folder: Path) -> AbstractContextManager[NewKey]:
    return generated_key(database, settings_in(folder), now=datetime.now(UTC), days=30)


def same_secret_twice(session: Session) -> None:
    for _ in range(2):
        session.execute(insert(SecretRow), {"name": "one", "value": "00"})


def refused_by_the_flush_of_the_commit(session: Session) -> None:
    session.add(SecretRow(name="one", value="00"))
    session.flush()
    session.expunge_all()
    session.add(SecretRow(name="one", value="00"))


def refused_by_a_flush(session: Session) -> None:
    refused_by_the_flush_of_the_commit(session)
    session.flush()


@pytest.mark.parametrize(
    "failure",
    [same_secret_twice, refused_by_a_flush, refused_by_the_flush_of_the_commit],
)
def test_what_fails_after_the_key_takes_its_file_away(
    database: Database, tmp_path: Path, failure: Callable[[Session], None]
) -> None:
    def change() -> None:
        with coming(database, tmp_path) as new, database.writing() as session:
            assert Path(new.write_down(session).locator).exists()
            failure(session)

    with pytest.raises(IntegrityError):
        change()
    assert list(tmp_path.glob("*.key")) == []
    with database.reading() as session:
        assert not all_keys(session)


def test_a_commit_that_is_refused_takes_the_file_away(sqlite: Database, tmp_path: Path) -> None:
    def change() -> None:
        with coming(sqlite, tmp_path) as new, sqlite.writing() as session:
            session.execute(text("PRAGMA defer_foreign_keys = ON"))
            new.write_down(session)
            session.execute(text("INSERT INTO local_memberships VALUES ('nobody', 'x')"))

    with pytest.raises(IntegrityError):
        change()
    assert list(tmp_path.glob("*.key")) == []


def test_a_session_closed_without_a_commit_takes_the_file_away(
    database: Database, tmp_path: Path
) -> None:
    with coming(database, tmp_path) as new, database.reading() as session:
        new.write_down(session)
    assert list(tmp_path.glob("*.key")) == []


def test_a_key_that_is_not_written_down_goes_again(sqlite: Database, tmp_path: Path) -> None:
    with coming(sqlite, tmp_path):
        assert len(list(tmp_path.glob("*.key"))) == 1
    assert list(tmp_path.glob("*.key")) == []


def test_a_transaction_that_goes_on_after_the_block_is_a_mistake_in_the_program(
    sqlite: Database, tmp_path: Path
) -> None:
    with sqlite.writing() as session:
        with pytest.raises(RuntimeError), coming(sqlite, tmp_path) as new:
            new.write_down(session)
        assert Path(new.row.locator).exists()


def test_a_row_that_is_refused_writes_no_file(database: Database, tmp_path: Path) -> None:
    with coming(database, tmp_path) as new, database.writing() as session:
        new.write_down(session)
        session.execute(text("CREATE UNIQUE INDEX one_key ON signing_keys (custody)"))
    before = list(tmp_path.glob("*.key"))
    with (
        pytest.raises(KeyStepRefused),
        coming(database, tmp_path) as new,
        database.writing() as session,
    ):
        new.write_down(session)
    assert list(tmp_path.glob("*.key")) == before


def test_a_committed_key_stays_through_what_the_session_does_next(
    database: Database, tmp_path: Path
) -> None:
    with Session(database.engine) as session:
        with coming(database, tmp_path) as new, session.begin(), session.begin_nested():
            key = new.write_down(session)
        session.execute(select(func.count()).select_from(SigningKeyRow))
        session.rollback()
    assert Path(key.locator).exists()


def test_a_savepoint_that_is_kept_does_not_keep_the_file(
    database: Database, tmp_path: Path
) -> None:
    with coming(database, tmp_path) as new, Session(database.engine) as session:
        session.begin()
        with session.begin_nested():
            new.write_down(session)
        session.rollback()
    assert list(tmp_path.glob("*.key")) == []


def test_the_file_stays_when_nobody_knows_whether_the_row_is_there(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    database = Database(postgres.url(postgres.copy_of("ready")))

    def change() -> None:
        with coming(database, tmp_path) as new, database.writing() as session:
            new.write_down(session)
            process = session.scalar(text("SELECT pg_backend_pid()"))
            with database.reading() as other:
                other.scalar(text("SELECT pg_terminate_backend(:it, 5000)"), {"it": process})

    with pytest.raises(OperationalError):
        change()
    assert len(list(tmp_path.glob("*.key"))) == 1
    database.close()


def test_a_file_that_is_there_is_neither_overwritten_nor_removed(tmp_path: Path) -> None:
    path = private_key_path(tmp_path, "one")
    path.write_bytes(b"another key")
    with pytest.raises(KeyUnusable, match="exists"):
        write_private_key(path, "one", memory_key().private, settings_in(tmp_path))
    assert path.read_bytes() == b"another key"
