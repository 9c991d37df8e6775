"""A backup made under load, put back, and the same chain afterwards; on both databases."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from idp.db import schema
from idp.db.engine import Database
from tests.operations.conftest import company_settings
from tests.operations.load import Load
from tests.operations.node import Answer, Node
from tests.operations.trail import assert_whole, chain
from tests.servers.postgresql import PostgresServer

pytestmark = pytest.mark.xdist_group("heavy")
ROLE = "arn:aws:iam::111122223333:role/Developer"


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> str:
    """The address of an empty database of the same kind."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'elsewhere' / 'idp.sqlite3'}"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.url(server.copy_of("template0"))


def test_a_backup_under_load_is_put_back_whole(
    tmp_path: Path, database_url: str, elsewhere: str
) -> None:
    settings = company_settings(tmp_path, database_url)
    file = tmp_path / "monday.backup"
    with Node(tmp_path / "node", settings=settings) as node:
        bob = node.browser()
        assert bob.sign_in("bob").status == 303
        token = bob.token("/")

        def open_role() -> Answer:
            return bob.open_role(ROLE, token)

        with Load(open_role, open_role) as load:
            load.wait_for(20)
            made = node.command("db", "backup", str(file))
            load.wait_for(20)
        assert made.returncode == 0, made.stderr
        assert load.failures == []
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob(".monday*")] == []

    other = Node(tmp_path / "other", settings={**settings, "database": {"url": elsewhere}})
    done = other.command("db", "restore", str(file))
    assert done.returncode == 0, done.stderr
    original, restored = chain(database_url), chain(elsewhere)
    assert_whole(restored)
    kept = restored[:-1]
    assert restored[-1].type == "database.restored"
    assert len(kept) > 20
    assert kept == original[: len(kept)]
    assert original[len(kept)].type == "assertion.issued"  # the load went on after the copy
    other.start()
    assert other.browser().sign_in("ann").status == 303
    other.stop()


def test_a_restore_replaces_nothing_unless_forced_and_unused(
    tmp_path: Path, database_url: str
) -> None:
    settings = company_settings(tmp_path, database_url)
    file = tmp_path / "b.backup"
    with Node(tmp_path / "node", settings=settings) as node:
        assert node.command("db", "backup", str(file)).returncode == 0
        assert "already" in node.command("db", "backup", str(file)).stderr
        refused = node.command("db", "restore", str(file))
        assert refused.returncode == 2
        assert "not empty" in refused.stderr
        node.browser().sign_in("bob")
        in_use = node.command("db", "restore", "--force", str(file))
        assert in_use.returncode == 2
        assert "in use" in in_use.stderr
        assert node.browser().sign_in("bob").status == 303
    before = chain(database_url)
    done = node.command("db", "restore", "--force", str(file))
    assert done.returncode == 0, done.stderr
    after = chain(database_url)
    assert_whole(after)
    assert len(after) < len(before)


@pytest.mark.parametrize("damage", ["cut", "overwritten", "another file", "chain", "newer"])
def test_a_bad_copy_is_refused_before_anything_is_touched(
    tmp_path: Path, sqlite_url: str, damage: str
) -> None:
    settings = company_settings(tmp_path, sqlite_url)
    node = Node(tmp_path / "node", settings=settings)
    file = tmp_path / "b.backup"
    assert node.command("db", "backup", str(file)).returncode == 0
    before = chain(sqlite_url)
    _damage(file, damage)
    refused = node.command("db", "restore", "--force", str(file))
    assert refused.returncode == 2, refused.stdout
    assert refused.stderr.startswith("idp: ")
    assert "Traceback" not in refused.stderr
    assert chain(sqlite_url) == before


def test_a_backup_that_has_no_place_is_not_in_the_trail(tmp_path: Path, sqlite_url: str) -> None:
    node = Node(tmp_path / "node", settings=company_settings(tmp_path, sqlite_url))
    device = tmp_path / "device"
    device.symlink_to("/dev/null")
    (tmp_path / "there").write_text("something")
    before = chain(sqlite_url)
    for words in ([str(device), "--force"], [str(tmp_path / "there")], ["/proc/no/b.backup"]):
        refused = node.command("db", "backup", *words)
        assert refused.returncode == 2
        assert refused.stderr.startswith("idp: ")
    assert device.is_symlink()
    assert (tmp_path / "there").read_text() == "something"
    assert chain(sqlite_url) == before


def test_the_database_that_was_there_is_kept(tmp_path: Path, sqlite_url: str) -> None:
    settings = company_settings(tmp_path, sqlite_url)
    node = Node(tmp_path / "node", settings=settings)
    file = tmp_path / "b.backup"
    assert node.command("db", "backup", str(file)).returncode == 0
    assert node.command("user", "disable", "bob").returncode == 0
    newest = chain(sqlite_url)
    assert node.command("db", "restore", "--force", str(file)).returncode == 0
    assert chain(f"{sqlite_url}.before-restore") == newest


def test_a_damaged_database_can_be_replaced(tmp_path: Path, sqlite_url: str) -> None:
    settings = company_settings(tmp_path, sqlite_url)
    node = Node(tmp_path / "node", settings=settings)
    file = tmp_path / "b.backup"
    assert node.command("db", "backup", str(file)).returncode == 0
    Path(sqlite_url.removeprefix("sqlite:///")).write_bytes(b"no database any more" * 1000)
    done = node.command("db", "restore", "--force", str(file))
    assert done.returncode == 0, done.stderr
    assert_whole(chain(sqlite_url))


def test_an_upgraded_empty_database_may_be_replaced(tmp_path: Path, sqlite_url: str) -> None:
    settings: dict[str, Any] = company_settings(tmp_path, sqlite_url)
    file = tmp_path / "b.backup"
    assert Node(tmp_path / "node", settings=settings).command("db", "backup", str(file))
    fresh = f"sqlite:///{tmp_path / 'fresh.sqlite3'}"
    database = Database(fresh)
    schema.upgrade(database)
    database.close()
    node = Node(tmp_path / "new", settings={**settings, "database": {"url": fresh}})
    assert node.command("db", "restore", str(file)).returncode == 0


def test_a_database_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    node = Node(tmp_path / "node", settings={})
    assert node.command("db", "upgrade").returncode == 0
    for file in (tmp_path / "node" / "var").glob("idp.sqlite3*"):
        assert file.stat().st_mode & 0o077 == 0


def _damage(file: Path, damage: str) -> None:
    whole = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(whole[: len(whole) // 2])
        case "overwritten":
            file.write_bytes(whole[:8192] + b"\xff" * 8192 + whole[16384:])
        case "another file":
            shutil.copy(__file__, file)
        case "chain":
            _change(file, "DELETE FROM audit_events WHERE seq = (SELECT seq FROM audit_head)")
        case "newer":
            _change(file, "UPDATE alembic_version SET version_num = 'from-the-future'")


def _change(file: Path, statement: str) -> None:
    connection = sqlite3.connect(file)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute(statement)
    connection.commit()
    connection.close()
