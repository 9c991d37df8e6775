"""The schema and what it takes to serve on it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError

from idp.db import schema
from idp.db.engine import Database, DatabaseUnavailable
from idp.db.insert import insert_if_absent
from idp.db.models import Base, RotationAccountRow, SecretRow, SigningKeyRow
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


@pytest.fixture
def before_providers(database_url: str) -> Iterator[Database]:
    """As it was when a rotation's progress was kept by account number; none of it is lost since."""
    database = Database(database_url)
    _migrate(database, "0005_account_encryption", back=True)
    with database.writing() as session:
        session.execute(text("INSERT INTO signing_keys" + _KEY))
        session.execute(text("INSERT INTO rotations" + _ROTATION))
        for number in ("111122223333", "222233334444"):
            session.execute(text("INSERT INTO rotation_accounts" + _PROGRESS), {"number": number})
        session.execute(text("INSERT INTO aws_accounts" + _ACCOUNT))
    yield database
    database.close()


def test_what_was_known_of_accounts_is_kept_for_their_providers(before_providers: Database) -> None:
    database = before_providers
    schema.upgrade(database)
    with database.reading() as session:
        [row] = session.scalars(select(RotationAccountRow))  # the other account was removed
    provider = "arn:aws-cn:iam::111122223333:saml-provider/ExampleIdP"
    assert (row.provider, row.number, row.given_at) == (provider, "111122223333", None)
    assert row.held_at == datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    _migrate(database, "0005_account_encryption", back=True)
    with database.reading() as session:
        number, held = session.execute(text("SELECT number, held_at FROM rotation_accounts")).one()
    assert number == "111122223333"
    assert str(held).startswith("2026-11-23")
    schema.upgrade(database)


def _migrate(database: Database, revision: str, *, back: bool = False) -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    with database.engine.execution_options(write=True).begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if back else command.upgrade)(config, revision)


_KEY = """ (id, state, custody, locator, certificate, fingerprint, created_at)
    VALUES ('k', 'active', 'file', '', '', 'f', '2026-11-23 12:00:00.000000+00:00')"""
_ROTATION = """
    (id, open, phase, old_key_id, next_key_id, overlap_seconds, started_at, started_by)
    VALUES ('r', 1, 'distributing', 'k', 'k', 60, '2026-11-23 12:00:00.000000+00:00', 'test')"""
_PROGRESS = """ (rotation_id, number, held_at, problem_kind, problem, advice)
    VALUES ('r', :number, '2026-11-23 12:00:00.000000+00:00', '', '', '')"""
_ACCOUNT = """ (number, alias, partition, provider_name)
    VALUES ('111122223333', 'dev', 'aws-cn', 'ExampleIdP')"""


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
