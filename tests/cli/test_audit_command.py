"""idp audit: tail, search, export, verify, checkpoint, prune."""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from idp.audit.checkpoint import CheckpointRefused
from idp.audit.events import SignInRefused
from idp.audit.log import AuditLog, Origin
from idp.audit.moment import NoMoment
from idp.audit.reading import Record
from idp.cli.main import idp
from idp.db.engine import Database
from idp.errors import IdpError
from idp.keys.store import all_keys
from idp.settings import KeySettings, Settings
from tests.audit.chains import ROLE, load
from tests.making import generate_key, memory_key

Command = Callable[..., Result]
NOW = datetime.now(UTC)


@pytest.fixture
def environment(sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    settings = tmp_path / "idp.toml"
    settings.write_text(f"data_folder = '{tmp_path}'\n[database]\nurl = '{sqlite_url}'\n")
    return own | {"IDP_CONFIG": str(settings)}


@pytest.fixture
def command(environment: dict[str, str]) -> Command:
    """Runs `idp audit`; a refusal is `result.exception`, as the program would catch it."""

    def call(*arguments: str, **variables: str) -> Result:
        runner = CliRunner(env={**environment, **variables})
        return runner.invoke(idp, ["audit", *arguments])

    return call


@pytest.fixture
def trail(sqlite: Database, tmp_path: Path) -> Database:
    """Twenty rows of the last hour, and an active key."""
    load(sqlite, 20, NOW - timedelta(hours=1))
    with sqlite.writing() as session:
        settings = Settings(data_folder=tmp_path, keys=KeySettings(folder=tmp_path / "keys"))
        generate_key(session, settings, now=NOW, days=9)
    return sqlite


def edit(database: Database, statement: str) -> None:
    with database.writing() as session:
        session.connection().exec_driver_sql(statement)


@pytest.mark.usefixtures("trail")
def test_tail_prints_the_newest_rows_as_sentences(command: Command) -> None:
    lines = command("tail", "-n", "2").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("19  20")
    assert f"local/user18 got an assertion for {ROLE} as ann, 3600 s  [192.0.2.1, " in lines[0]
    assert "local/user19 was refused at sign-in: wrong_password" in lines[1]
    assert len(command("tail").stdout.splitlines()) == 20
    row = json.loads(command("tail", "-n", "1", "--json").stdout)
    assert (row["seq"], row["detail"]) == (20, {"reason": "wrong_password"})


def test_nothing_in_a_row_can_command_the_terminal(command: Command, trail: Database) -> None:
    edit(trail, "UPDATE audit_events SET actor = char(27) || '[2J', detail = char(10, 155)")
    for arguments in (("tail",), ("search",), ("tail", "--json"), ("export", "--format", "csv")):
        shown = command(*arguments).stdout
        assert all(character.isprintable() or character in "\r\n" for character in shown)


def test_tail_follows_until_it_is_interrupted(environment: dict[str, str], trail: Database) -> None:
    follow = [sys.executable, "-m", "idp", "audit", "tail", "-f", "-n", "1"]
    with (
        subprocess.Popen(
            [*follow, "--type", "sign_in.refused"],
            env=environment,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running,
        ExitStack() as ended_with_the_test,
    ):
        assert running.stdout is not None
        assert running.stderr is not None
        ended_with_the_test.callback(running.kill)
        assert running.stdout.readline().startswith("20  ")
        log = AuditLog(trail)
        for reason in ("disabled", "throttled"):
            log.record(SignInRefused(actor="local/bo", reason=reason), Origin("192.0.2.9", "r"))
            assert f"local/bo was refused at sign-in: {reason}" in running.stdout.readline()
        edit(trail, "ALTER TABLE audit_events RENAME TO away")
        assert "can't be used: no such table" in running.stderr.readline()
        edit(trail, "ALTER TABLE away RENAME TO audit_events")
        log.record(SignInRefused(actor="local/bo", reason="back"), Origin("192.0.2.9", "r"))
        assert "local/bo was refused at sign-in: back" in running.stdout.readline()
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
        assert running.stderr.read() == ""


@pytest.mark.usefixtures("trail")
def test_search_combines_what_is_asked(command: Command) -> None:
    rows = command("search", "--role", ROLE, "--actor", "local/user3", "--json").stdout
    assert [json.loads(line)["seq"] for line in rows.splitlines()] == [4]
    assert "local/user9" in command("search", "--text", "WRONG_pass").stdout
    assert len(command("search", "--last", "3").stdout.splitlines()) == 3
    assert len(command("search", "--since", "2h", "--until", "1m").stdout.splitlines()) == 20
    assertion = command("search", "--assertion", f"_{5:032x}")
    assert assertion.stdout.startswith("5  ")
    assert assertion.exit_code == 0


@pytest.mark.usefixtures("trail")
def test_search_without_a_match_exits_with_1(command: Command) -> None:
    result = command("search", "--since", "1m")
    assert (result.exit_code, result.stdout) == (1, "")
    assert isinstance(command("search", "--since", "soon").exception, NoMoment)


@pytest.mark.usefixtures("trail")
def test_export_writes_a_file_for_us_alone(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "trail.csv"
    assert command("export", str(file)).exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open(newline="") as opened:
        assert len(list(csv.DictReader(opened))) == 20
    assert "is there already" in str(command("export", str(file)).exception)
    narrowed = command("export", str(file), "--force", "--type", "sign_in.refused")
    assert "Wrote 2 rows" in narrowed.stderr
    lines = command("export").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, 21))
    assert isinstance(command("export", str(tmp_path / "no" / "x")).exception, IdpError)


@pytest.mark.usefixtures("trail")
def test_export_leaves_nothing_half_written(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "trail.csv"
    file.write_text("of last week")
    there = sorted(tmp_path.iterdir())

    def interrupted(records: Iterable[Record], opened: TextIO) -> int:
        opened.write(next(iter(records)).actor)
        opened.flush()
        raise KeyboardInterrupt

    monkeypatch.setattr("idp.cli.audit.write_csv", interrupted)
    assert command("export", str(file), "--force").exit_code == 1
    assert command("export", str(tmp_path / "other.csv")).exit_code == 1
    assert file.read_text() == "of last week"
    assert sorted(tmp_path.iterdir()) == there


@pytest.mark.usefixtures("trail")
def test_export_takes_no_device_or_pipe_away(command: Command, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert command("export", str(pipe), "--force").exit_code == 0
    assert os.read(reading, 100_000).count(b"\n") == 20
    os.close(reading)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "full").symlink_to("/dev/full")
    full = command("export", str(tmp_path / "full"), "--force")
    assert "can't be written: No space left" in str(full.exception)
    assert stat.S_ISCHR((tmp_path / "full").stat().st_mode)


def test_verify_tells_by_its_exit_code(command: Command, trail: Database) -> None:
    whole = command("verify")
    assert whole.exit_code == 0
    assert "The chain is whole: 20 rows verified" in whole.stdout
    edit(trail, "DELETE FROM audit_events WHERE seq IN (7, 8)")
    broken = command("verify")
    assert broken.exit_code == 1
    assert "BROKEN: Rows 7 to 8 were removed" in broken.stdout
    document = json.loads(command("verify", "--json").stdout)
    assert (document["whole"], document["finding"]["trouble"]) == (False, "removed")
    assert document["finding"]["seq"] == 7
    assert command("verify", "--certificate", __file__).exit_code == 2


def test_a_chain_written_anew_is_found_by_a_checkpoint(
    command: Command, trail: Database, tmp_path: Path
) -> None:
    file = tmp_path / "checkpoint.json"
    assert command("checkpoint", "--out", str(file)).exit_code == 0
    assert json.loads(file.read_text())["statement"]["seq"] == 20
    assert "signed a checkpoint of the audit trail up to row 20" in command("tail").stdout
    held = command("verify", "--checkpoint", str(file))
    assert held.exit_code == 0
    assert "signature holds, by key" in held.stdout
    assert "still contains the checkpoint at row 20" in held.stdout
    edit(trail, "DELETE FROM audit_events")
    edit(trail, f"UPDATE audit_head SET seq = 0, hash = '{'0' * 64}'")
    load(trail, 30, NOW - timedelta(hours=1), step=2.0)
    assert command("verify").exit_code == 0
    found = command("verify", "--checkpoint", str(file))
    assert found.exit_code == 1
    assert "BROKEN: Row 20 is not the one of the checkpoint" in found.stdout


def test_a_checkpoint_is_checked_with_the_certificate_that_is_given(
    command: Command, trail: Database, tmp_path: Path
) -> None:
    file, ours, other = tmp_path / "checkpoint.json", tmp_path / "ours.crt", tmp_path / "other.crt"
    file.write_text(command("checkpoint").stdout)
    with trail.reading() as session:
        (key,) = all_keys(session)
    ours.write_bytes(key.certificate.public_bytes(Encoding.PEM))
    other.write_bytes(memory_key().x509.public_bytes(Encoding.PEM))
    asked = ("verify", "--checkpoint", str(file), "--certificate")
    held = command(*asked, str(ours))
    assert f"by the certificate given, {key.fingerprint}" in held.stdout
    assert isinstance(command(*asked, str(other)).exception, CheckpointRefused)
    assert isinstance(command(*asked, str(file)).exception, CheckpointRefused)
    edit(trail, "UPDATE signing_keys SET state = 'revoked'")
    assert "revoked" in str(command(*asked[:-1]).exception)
    assert command(*asked, str(ours)).exit_code == 0
    edit(trail, "DELETE FROM signing_keys")
    assert "does not know" in str(command(*asked[:-1]).exception)


@pytest.mark.usefixtures("trail")
def test_a_checkpoint_of_another_provider_is_pointed_out(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.json"
    file.write_text(command("checkpoint", IDP_SAML__ENTITY_ID="https://other.example").stdout)
    result = command("verify", "--checkpoint", str(file))
    assert "made by https://other.example" in result.stderr


def test_no_checkpoint_is_made_of_a_chain_without_its_end(
    command: Command, trail: Database
) -> None:
    edit(trail, "DELETE FROM audit_events WHERE seq = 20")
    assert isinstance(command("checkpoint").exception, CheckpointRefused)


def test_prune_keeps_the_chain_whole(command: Command, sqlite: Database) -> None:
    load(sqlite, 10, NOW - timedelta(days=40))
    load(sqlite, 10, NOW - timedelta(days=1))
    assert "keeps everything" in str(command("prune", "--yes").exception)
    assert command("prune", IDP_AUDIT__KEEP_DAYS="30").exit_code == 1  # nobody said yes
    assert command("verify").stdout.startswith("The chain is whole: 20 rows")
    pruned = command("prune", "--yes", IDP_AUDIT__KEEP_DAYS="30")
    assert "Removed 10 rows" in pruned.stdout
    assert "Retention removed the rows up to 10." in command("verify").stdout
    assert "removed audit rows up to row 10" in command("tail").stdout


def test_prune_leaves_a_broken_chain_as_it_is(command: Command, sqlite: Database) -> None:
    load(sqlite, 10, NOW - timedelta(days=40))
    edit(sqlite, "UPDATE audit_events SET actor = 'x' WHERE seq = 3")
    refused = command("prune", "--yes", IDP_AUDIT__KEEP_DAYS="30")
    assert "Row 3 was changed" in str(refused.exception)
    assert len(command("tail", "-n", "99").stdout.splitlines()) == 10


@pytest.mark.parametrize("name", ["tail", "search", "export", "verify", "checkpoint", "prune"])
def test_help_shows_an_example(command: Command, name: str) -> None:
    result = command(name, "--help")
    assert result.exit_code == 0
    assert f"idp audit {name}" in result.stdout or "KEEP_DAYS" in result.stdout
