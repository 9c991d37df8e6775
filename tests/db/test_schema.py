"""The schema and what it takes to serve on it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError

from idp.db import schema
from idp.db.engine import Database, DatabaseUnavailable
from idp.db.insert import insert_if_absent
from idp.db.models import Base, SecretRow, SigningKeyRow
from idp.db.secrets import shared_secret


def test_the_migrations_make_exactly_what_the_models_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_an_empty_database_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    with pytest.raises(schema.SchemaOutOfDate) as refusal:
        schema.require_current(database)
    assert "idp db upgrade" in refusal.value.advice
    schema.upgrade(database)
    schema.require_current(database)
    database.close()


def test_a_schema_of_a_newer_version_is_neither_served_nor_changed(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))
    for act in (schema.require_current, schema.upgrade):
        with pytest.raises(schema.SchemaOutOfDate, match="from-the-future"):
            act(database)


def test_a_failing_change_leaves_nothing_half_written(database: Database) -> None:
    def change() -> None:
        with database.writing() as session:
            session.add(SecretRow(name="one", value="00"))
            session.flush()
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        change()
    with database.reading() as session:
        assert session.get(SecretRow, "one") is None


def test_the_database_allows_one_active_key_only(database: Database) -> None:
    def key(name: str) -> SigningKeyRow:
        return SigningKeyRow(
            id=name,
            state="active",
            custody="file",
            locator="",
            certificate="",
            fingerprint=name,
            created_at=datetime.now(UTC),
            activated_at=None,
        )

    with database.writing() as session:
        session.add(key("one"))
    with pytest.raises(IntegrityError), database.writing() as session:
        session.add(key("two"))


def test_a_time_without_a_zone_is_not_stored(database: Database) -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    query = select(SigningKeyRow).where(SigningKeyRow.created_at == naive)
    with pytest.raises(StatementError, match="zone"), database.reading() as session:
        session.scalars(query)


def test_who_inserts_first_wins_quietly(database: Database) -> None:
    for value in ("aa", "bb"):
        with database.writing() as session:
            insert_if_absent(session, SecretRow, name="same", value=value)
    with database.reading() as session:
        row = session.get(SecretRow, "same")
        assert row is not None
        assert row.value == "aa"


def test_a_shared_secret_is_the_same_for_every_process(database_url: str) -> None:
    one, two = Database(database_url), Database(database_url)
    assert shared_secret(one, "form cookies") == shared_secret(two, "form cookies")
    assert shared_secret(one, "form cookies") != shared_secret(one, "browser tokens")
    one.close()
    two.close()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://idp@127.0.0.1:1/idp",
        "postgresql://idp@127.0.0.1:1/idp?no_such_option=1",
        "sqlite:////proc/nowhere/idp.sqlite3",
        "sqlite:///no-database.txt",
        "sqlite:///:memory:",
        "sqlite://",
        "not an address",
    ],
)
def test_a_database_that_can_not_be_opened_is_a_sentence(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("no-database.txt").write_text("no database" * 1000)
    with pytest.raises(DatabaseUnavailable) as refusal:
        Database(url.replace("postgresql:", "postgresql+psycopg:")).check()
    assert refusal.value.message.endswith(".")
