"""While KMS or a token makes a key, others go on writing; and no key is left over in silence."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import tomli_w
from click.testing import CliRunner

from idp.cli.main import idp
from idp.db.engine import Database
from idp.keys import kms_connection, kms_custody, pkcs11_custody
from idp.keys.left_over import KeyLeftOver
from idp.keys.lifecycle import KeyStepRefused
from idp.keys.new_key import generated_key
from idp.keys.signing_key import CustodyDown
from idp.keys.store import active_key, all_keys
from idp.settings import Settings, load_settings
from tests.keys.conftest import settings_for
from tests.keys.pairs import certificate, crt, pem
from tests.keys.rows import add_row
from tests.making import NOON, generate_key, memory_key
from tests.servers.kms import Kms
from tests.servers.softhsm import SoftHsm

# What a sign-in does first, from another process: the turn, and SQLite's lock.
WRITE = """
import fcntl, sqlite3, sys
turn = open(sys.argv[1] + "-turn", "r+b")
fcntl.lockf(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
"""
COMMANDS = {
    "generate": ["generate", "--custody", "kms"],
    "import": ["import", "GIVEN"],
    "rotate": ["rotate", "--custody", "kms", "--yes"],
    "revoke": ["revoke", "KEY", "--compromised", "--custody", "kms", "--reason", "x", "--yes"],
}
CALLS = {
    "import": {"GenerateDataKey", "Decrypt"},
    "rotate": {"CreateKey", "CreateAlias", "GetPublicKey", "Sign"},
}


@pytest.fixture
def file(tmp_path: Path, sqlite_url: str, kms: Kms) -> Path:
    """idp.toml with a KMS for keys, and for the encryption of files."""
    wrapping = kms.ask("CreateKey", KeySpec="SYMMETRIC_DEFAULT")["KeyMetadata"]["Arn"]
    path = tmp_path / "idp.toml"
    path.write_text(
        tomli_w.dumps(
            {
                "data_folder": str(tmp_path / "data"),
                "database": {"url": sqlite_url},
                "keys": {
                    "folder": str(tmp_path / "certs"),
                    "encryption": "kms",
                    "encryption_kms_key": wrapping,
                    "kms": kms.settings(),
                },
            }
        )
    )
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_nobody_waits_for_kms_to_write(
    sqlite: Database,
    sqlite_url: str,
    file: Path,
    kms: Kms,
    tmp_path: Path,
    command: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", kms.url)
    settings = load_settings(file)
    with sqlite.writing() as session:
        first = generate_key(session, settings, now=datetime.now(UTC))
    given = tmp_path / "given.pem"
    now = datetime.now(UTC)
    given.write_bytes(pem(memory_key().private) + crt(certificate(memory_key().private, now)))
    places = {"KEY": first.id, "GIVEN": str(given)}
    words = [places.get(word, word) for word in COMMANDS[command]]
    stopped = {}

    def try_to_write(action: str) -> None:
        database = sqlite_url.removeprefix("sqlite:///")
        done = subprocess.run(
            [sys.executable, "-c", WRITE, database], capture_output=True, text=True, check=False
        )
        stopped[action] = done.stderr[-200:]

    with kms.watched(try_to_write):
        result = CliRunner().invoke(idp, ["-c", str(file), "certs", *words])
    assert result.exit_code == 0, (result.output, result.exception)
    assert stopped == dict.fromkeys(CALLS.get(command, CALLS["rotate"]), "")
    with sqlite.reading() as session:
        assert len(all_keys(session)) == 2
        assert (active_key(session).id == first.id) == (command in ("generate", "import"))


@pytest.fixture
def settings(kms: Kms, tmp_path: Path) -> Settings:
    return settings_for(tmp_path, kms=kms.settings())


def test_a_key_that_can_not_be_taken_away_is_named_with_what_to_do(
    sqlite: Database, settings: Settings, kms: Kms
) -> None:
    with sqlite.writing() as session:
        for _ in range(10):
            add_row(session, NOON)

    def make() -> None:
        with (
            generated_key(sqlite, settings, now=NOON, custody="kms") as new,
            sqlite.writing() as session,
        ):
            new.write_down(session)

    with pytest.raises(KeyStepRefused, match="takes 10 at most"):
        make()
    (gone,) = kms.ask("ListKeys")["Keys"]
    assert kms.ask("DescribeKey", KeyId=gone["KeyId"])["KeyMetadata"]["DeletionDate"]
    with (
        kms.refusing("AccessDeniedException", "no", action="ScheduleKeyDeletion"),
        pytest.raises(KeyLeftOver) as refusal,
    ):
        make()
    (left,) = [key["KeyArn"] for key in kms.ask("ListKeys")["Keys"] if key != gone]
    assert "takes 10 at most" in refusal.value.message
    assert f"not used is left over: {left} in custody kms (Not allowed" in refusal.value.message
    assert f"aws kms schedule-key-deletion --key-id {left} " in refusal.value.advice


@pytest.mark.parametrize("action", ["CreateAlias", "GetPublicKey", "Sign"])
def test_a_key_that_can_be_neither_finished_nor_taken_away_is_named(
    sqlite: Database, settings: Settings, kms: Kms, action: str
) -> None:
    with (
        kms.refusing("AccessDeniedException", "no", action=action),
        kms.refusing("KMSInternalException", "no", action="ScheduleKeyDeletion", status=500),
        pytest.raises(KeyLeftOver, match=f"kms:{action}.*is left over: arn:") as refusal,
        generated_key(sqlite, settings, now=NOON, custody="kms"),
    ):
        pytest.fail("it was made")
    (left,) = kms.ask("ListKeys")["Keys"]
    assert left["KeyArn"] in refusal.value.advice
    with sqlite.reading() as session:
        assert not all_keys(session)


def test_a_key_whose_making_was_not_heard_of_can_be_found(
    kms: Kms, settings: Settings, softhsm: SoftHsm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kms_connection, "ADMIN_SECONDS", 0.5)
    name = "ab" * 8
    with kms.frozen(), pytest.raises(CustodyDown, match="does not answer") as refusal:
        kms_custody.make_key(settings, name, 2048)
    assert f"idp-signing-key with the value {name}" in refusal.value.advice

    slow = settings_for(tmp_path, pkcs11=softhsm.settings(generate_seconds=1.0))
    with softhsm.hanging(), pytest.raises(CustodyDown, match="does not answer") as refusal:
        pkcs11_custody.make_key(slow, name, 2048)
    assert f"its ID (CKA_ID) is {name}" in refusal.value.advice


def test_a_key_file_that_can_not_be_taken_away_is_named(sqlite: Database, tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    made: list[Path] = []

    def make() -> None:
        with generated_key(sqlite, settings, now=NOON) as new:
            made.append(Path(new.row.locator))
            made[0].unlink()
            made[0].mkdir()

    with pytest.raises(KeyLeftOver) as refusal:
        make()
    assert str(made[0]) in refusal.value.message
    assert refusal.value.advice == f"Remove the file: rm {made[0]}"
