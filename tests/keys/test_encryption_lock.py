"""Those who change key-encryption keys are alone, and lose none that a key file needs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import tomli_w
from click.testing import CliRunner, Result

from idp.cli.main import idp
from idp.db.engine import Database
from idp.keys import encryption_lock
from idp.keys.custody import open_signer
from idp.keys.encryption_at_rest import key_file
from idp.keys.encryption_lock import EncryptionBusy, alone, sharing
from idp.keys.key_encryption_keys import keys_in_file
from idp.keys.new_key import generated_key
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.keys.store import all_keys
from idp.settings import Settings, load_settings
from tests.making import generate_key
from tests.servers.demonstration import ROOT
from tests.servers.postgresql import PostgresServer

NOW = datetime.now(UTC)
COMMANDS = 4


@pytest.fixture
def file(tmp_path: Path, sqlite_url: str) -> Path:
    path = tmp_path / "idp.toml"
    path.write_text(
        tomli_w.dumps(
            {
                "data_folder": str(tmp_path / "data"),
                "database": {"url": sqlite_url},
                "keys": {"folder": str(tmp_path / "certs")},
            }
        )
    )
    return path


@pytest.fixture
def settings(file: Path) -> Settings:
    return load_settings(file)


@pytest.fixture
def keys(sqlite: Database, settings: Settings) -> list[SigningKey]:
    with sqlite.writing() as session:
        return [generate_key(session, settings, now=NOW) for _ in range(3)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption_lock, "PATIENCE_SECONDS", 0.3)


def certs(file: Path, *words: str) -> Result:
    return CliRunner().invoke(idp, ["-c", str(file), "certs", *words])


def folder_as_it_is(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_commands_at_once_leave_one_key_encryption_key_that_opens_every_file(
    file: Path, settings: Settings, keys: list[SigningKey]
) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "idp", "-c", str(file), "certs", "encrypt", "--new-key"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(COMMANDS)
    ]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * COMMANDS, said
    for key in keys:
        open_signer(key, settings)
    assert len(keys_in_file(key_file(settings)).keys) == 1


def test_a_second_one_waits_for_its_turn(sqlite: Database, settings: Settings) -> None:
    entered = threading.Event()

    def second() -> None:
        with alone(sqlite, settings):
            entered.set()

    waiting = threading.Thread(target=second)
    with alone(sqlite, settings):
        waiting.start()
        assert not entered.wait(0.5)
    assert entered.wait(10)
    waiting.join(10)


@pytest.mark.parametrize(
    "words", [("encrypt",), ("encrypt", "--new-key"), ("generate",), ("revoke",)]
)
@pytest.mark.usefixtures("impatient")
def test_whoever_waits_too_long_is_told_in_a_sentence_and_nothing_is_changed(
    sqlite: Database,
    file: Path,
    settings: Settings,
    keys: list[SigningKey],
    words: tuple[str, ...],
) -> None:
    if words == ("revoke",):
        words = ("revoke", keys[0].id, "--compromised", "--reason", "x", "--yes")
    with alone(sqlite, settings):
        before = [folder_as_it_is(each) for each in (settings.keys.folder, settings.data_folder)]
        refusal = certs(file, *words).exception
        after = [folder_as_it_is(each) for each in (settings.keys.folder, settings.data_folder)]
    assert isinstance(refusal, EncryptionBusy)
    assert "encrypts key files at this moment" in refusal.message
    assert str(settings.data_folder) in refusal.advice
    assert before == after
    with sqlite.reading() as session:
        assert [key.state for key in all_keys(session)] == [key.state for key in keys]


@pytest.mark.usefixtures("impatient")
def test_a_key_that_is_being_made_keeps_its_key_encryption_key(
    sqlite: Database, file: Path, settings: Settings, keys: list[SigningKey]
) -> None:
    """Its row is not there yet, so who encrypts anew can't know of it."""
    with generated_key(sqlite, settings, now=NOW) as new:
        refusal = certs(file, "encrypt", "--new-key").exception
        assert isinstance(refusal, EncryptionBusy), refusal
        assert "makes a signing key or encrypts key files" in refusal.message
        with sharing(sqlite, settings), sqlite.writing() as session:  # another maker may go on
            made = new.write_down(session)
    assert certs(file, "encrypt", "--new-key").exit_code == 0
    for key in (*keys, made):
        open_signer(key, settings)


@pytest.fixture
def nodes(postgres: PostgresServer, tmp_path: Path) -> Iterator[list[tuple[Database, Settings]]]:
    """Two that share a database, and no file system on which locks are seen."""
    url = postgres.url(postgres.copy_of("ready"))
    found = []
    for name in ("one", "two"):
        document = {
            "data_folder": tmp_path / name,
            "database": {"url": url},
            "keys": {"folder": tmp_path / "certs"},
        }
        found.append((Database(url), Settings.model_validate(document)))
    yield found
    for database, _ in found:
        database.close()


@pytest.mark.usefixtures("impatient")
def test_nodes_with_one_postgresql_keep_off_each_other(
    nodes: list[tuple[Database, Settings]],
) -> None:
    (first, here), (second, there) = nodes
    with alone(first, here):
        for lock in (alone, sharing):
            with pytest.raises(EncryptionBusy), lock(second, there):
                pytest.fail("both at once")
    with sharing(first, here), sharing(second, there):
        pass
    with sharing(first, here), pytest.raises(EncryptionBusy), alone(second, there):
        pytest.fail("both at once")
    with alone(second, there):
        pass


def test_what_a_killed_command_left_of_writing_is_cleared_away(
    file: Path, settings: Settings, keys: list[SigningKey]
) -> None:
    """Drafts of the file hold key-encryption keys, and nobody would ever look for them."""
    beside = key_file(settings)
    left = beside.with_name(f".{beside.name}.0123456789ab")
    left.write_bytes(beside.read_bytes())
    of_key = Path(keys[0].locator)
    also = of_key.with_name(f".{of_key.name}.0123456789ab")
    also.write_bytes(of_key.read_bytes())
    others = beside.with_name(f".{beside.name}.swp")
    others.touch()
    assert certs(file, "encrypt", "--new-key").exit_code == 0
    assert (left.exists(), also.exists(), others.exists()) == (False, False, True)


@pytest.mark.parametrize("words", [("generate",), ("encrypt",), ("encrypt", "--new-key")])
def test_a_lost_key_encryption_key_is_not_replaced_by_another_in_silence(
    file: Path, settings: Settings, keys: list[SigningKey], words: tuple[str, ...]
) -> None:
    beside = key_file(settings)
    away = beside.rename(beside.with_name("away"))
    refusal = certs(file, *words).exception
    assert isinstance(refusal, KeyUnusable), refusal
    assert f"{beside} is not there, and key {keys[0].id} is encrypted with it" in refusal.message
    assert not beside.exists()
    assert len(list(settings.keys.folder.iterdir())) == len(keys)
    command = refusal.advice.rpartition("for good: ")[2]
    subprocess.run(["sh", "-c", command], check=True)
    assert certs(file, "generate").exit_code == 0, "after what the advice says"
    beside.unlink()
    away.rename(beside)
    open_signer(keys[0], settings)


def test_a_key_is_made_where_its_key_encryption_key_can_only_be_read(
    sqlite: Database, file: Path, settings: Settings, keys: list[SigningKey]
) -> None:
    """A secret store mounts it so; then nobody here can take it away either."""
    settings.data_folder.chmod(0o500)
    try:
        made = held_to_modes(file, "certs", "generate")
        refused = held_to_modes(file, "certs", "encrypt", "--new-key")
    finally:
        settings.data_folder.chmod(0o700)
    assert made.returncode == 0, made.stderr
    assert refused.returncode != 0
    assert "can't be locked" in refused.stderr
    with sqlite.reading() as session:
        [new] = [key for key in all_keys(session) if key.id not in {each.id for each in keys}]
    open_signer(new, settings)


def held_to_modes(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command for which the modes of files hold, also where the tests run as root."""
    command = [sys.executable, "-m", "idp", "-c", str(file), *words]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_root_does_not_lock_the_server_out(
    file: Path, settings: Settings, keys: list[SigningKey]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for folder in (settings.data_folder, settings.keys.folder):
        for path in (folder, *folder.iterdir()):
            os.chown(path, 12345, 12345)
    refusal = certs(file, "encrypt", "--new-key").exception
    assert "belongs to another user" in str(refusal)
    lock = key_file(settings).with_name("key-encryption.key-lock")
    assert lock.stat().st_uid == 12345
