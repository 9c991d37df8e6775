"""idp certs list, show, generate, import, export, retire, encrypt."""

from __future__ import annotations

import json
import os
import pty
import re
import secrets
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import select

from idp.cli.main import idp
from idp.db.engine import Database
from idp.db.models import AuditEventRow
from idp.errors import IdpError
from idp.keys.signing_key import KeyState
from idp.keys.store import MOST_PUBLISHED, all_keys
from tests.keys.pairs import PASSPHRASE, certificate, crt, p12, pem
from tests.keys.rows import add_row
from tests.making import memory_key

Command = Callable[..., Result]
KEY = memory_key().private


@pytest.fixture
def environment(sqlite_url: str, tmp_path: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    settings = tmp_path / "idp.toml"
    settings.write_text(
        f"data_folder = '{tmp_path / 'data'}'\n[database]\nurl = '{sqlite_url}'\n"
        f"[keys]\nfolder = '{tmp_path / 'certs'}'\n"
    )
    return own | {"IDP_CONFIG": str(settings), "COLUMNS": "100"}


@pytest.fixture
def command(environment: dict[str, str]) -> Command:
    """Runs `idp certs`; a refusal is `result.exception`, as the program would catch it."""

    def call(*arguments: str | Path, **variables: str) -> Result:
        runner = CliRunner(env={**environment, **variables})
        return runner.invoke(idp, ["certs", *map(str, arguments)])

    return call


def made(command: Command, *arguments: str) -> dict[str, str]:
    result = command("generate", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, str] = json.loads(result.stdout)
    return found


def events(database: Database) -> list[tuple[str, dict[str, object]]]:
    with database.reading() as session:
        rows = session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq))
        return [(row.type, json.loads(row.detail)) for row in rows]


def refused(result: Result, words: str) -> IdpError:
    assert isinstance(result.exception, IdpError), result.output
    assert words in result.exception.message
    return result.exception


def test_keys_are_made_listed_and_shown_with_who_did_what(
    command: Command, sqlite: Database
) -> None:
    first, second = made(command), made(command)
    assert (first["state"], second["state"]) == ("active", "next")
    lines = [line.split("\t") for line in command("list").stdout.splitlines()]
    assert [line[:4] for line in lines] == [
        [first["id"], "active", "file", "RSA 2048"],
        [second["id"], "next", "file", "RSA 2048"],
    ]
    listed = json.loads(command("list", "--json").stdout)
    assert listed == [first, second]
    assert first["created_by"].startswith("cli/")
    shown = json.loads(command("show", first["fingerprint"][:20], "--json").stdout)
    assert [step["step"] for step in shown.pop("steps")] == ["generated", "activated"]
    assert shown == first
    words = command("show", first["id"][:10]).stdout
    assert "activated" in words
    assert first["created_by"] in words
    assert [kind for kind, _ in events(sqlite)] == ["key.generated", "key.generated"]
    refused(command("show", "zz"), "There is no key 'zz'")


def test_a_terminal_gets_a_picture(command: Command, environment: dict[str, str]) -> None:
    key = made(command)
    made(command)
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-m", "idp", "certs", "list"],
        stdout=theirs,
        env=environment | {"TERM": "xterm", "NO_COLOR": "1"},
    )
    done.wait(30)
    os.close(theirs)
    picture = re.sub(r"\x1b\[[0-9;]*m", "", os.read(ours, 20_000).decode())
    os.close(ours)
    assert key["id"] in picture
    assert "█" in picture
    assert "▒" in picture
    assert "certificate valid" in picture
    assert all(len(line) <= 100 for line in picture.splitlines())


def test_retiring_is_refused_for_the_active_key_and_recorded_for_others(
    command: Command, sqlite: Database
) -> None:
    first, second = made(command), made(command)
    refused(command("retire", first["id"]), "it can't become retired")
    result = command("retire", second["id"], "--json")
    assert json.loads(result.stdout)["state"] == "retired"
    assert events(sqlite)[-1][0] == "key.retired"
    assert events(sqlite)[-1][1]["changes"] == {
        "state": "next → retired",
        "fingerprint": second["fingerprint"],
    }
    refused(command("retire", second["id"]), "is retired already")
    assert len(events(sqlite)) == 3


def test_an_eleventh_published_key_is_refused_and_nothing_changes(
    command: Command, sqlite: Database, tmp_path: Path
) -> None:
    with sqlite.writing() as session:
        for _ in range(MOST_PUBLISHED):
            add_row(session, datetime.now(UTC))
    refused(command("generate"), "10 keys are published, and IAM takes 10 at most")
    file = tmp_path / "idp.pem"
    file.write_bytes(pem(KEY) + crt(certificate(KEY, datetime.now(UTC))))
    refused(command("import", file), "IAM takes 10 at most")
    assert not (tmp_path / "certs").exists()
    assert events(sqlite) == []


def test_an_unknown_custody_is_a_usage_error(command: Command) -> None:
    assert command("generate", "--custody", "paper").exit_code == 2


@pytest.mark.parametrize("place", ["file", "variable"])
def test_an_encrypted_key_is_taken_in_with_its_passphrase(
    command: Command, sqlite: Database, tmp_path: Path, place: str
) -> None:
    file, secret = tmp_path / "idp.p12", tmp_path / "secret.txt"
    file.write_bytes(p12(KEY, certificate(KEY, datetime.now(UTC)), PASSPHRASE))
    file.chmod(0o600)
    secret.write_bytes(PASSPHRASE + b"\n")
    needed = refused(command("import", file), "no passphrase was given")
    assert "--passphrase-file" in needed.advice
    wrong = command("import", file, "--passphrase-env", "SECRET", SECRET="wrong")
    refused(wrong, "does not open with this passphrase")
    refused(command("import", file, "--passphrase-env", "SECRET"), "There is no passphrase")
    assert events(sqlite) == []
    if place == "file":
        result = command("import", file, "--passphrase-file", secret, "--json")
    else:
        word = PASSPHRASE.decode()
        result = command("import", file, "--passphrase-env", "SECRET", "--json", SECRET=word)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["state"] == "active"
    ((kind, detail),) = events(sqlite)
    assert kind == "key.imported"
    assert PASSPHRASE.decode() not in json.dumps(detail)


def test_a_passphrase_is_asked_for_at_a_terminal(
    environment: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "idp.p12"
    file.write_bytes(p12(KEY, certificate(KEY, datetime.now(UTC)), PASSPHRASE))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "idp", "certs", "import", str(file), "--json"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
    )
    assert process.stderr is not None
    asked = process.stderr.read(len("Passphrase of the private key: "))
    time.sleep(0.2)  # what is typed before the echo is off is thrown away
    os.write(ours, PASSPHRASE + b"\n")
    out, err = process.communicate(timeout=30)
    assert asked.startswith(b"Passphrase")
    os.close(theirs)
    os.close(ours)
    assert process.returncode == 0, err
    assert json.loads(out)["state"] == "active"
    assert PASSPHRASE not in out + err
    assert b"others can read" in err


@pytest.mark.parametrize("kind", ["directory", "large", "empty", "missing", "pipe"])
def test_what_is_no_small_file_is_refused(
    command: Command, sqlite: Database, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "given"
    if kind == "directory":
        path.mkdir()
    elif kind == "large":
        path.write_bytes(b"x" * 70_000)
    elif kind == "empty":
        path.touch()
    elif kind == "pipe":
        os.mkfifo(path)
    words = {
        "directory": "is a directory",
        "large": "is larger than 64 KiB",
        "empty": "is empty",
        "missing": "No such file",
        "pipe": "is not a regular file",
    }
    refused(command("import", path), words[kind])
    key = tmp_path / "idp.key"
    key.write_bytes(pem(KEY))
    refused(command("import", key, "--certificate", path), words[kind])
    assert events(sqlite) == []


def test_a_certificate_is_given_out_in_pem_and_der(command: Command, tmp_path: Path) -> None:
    key = made(command)
    found = x509.load_pem_x509_certificate(command("export", key["id"]).stdout_bytes)
    assert found.subject.rfc4514_string() == key["subject"]
    der = x509.load_der_x509_certificate(command("export", key["id"], "--der").stdout_bytes)
    assert der == found
    out = tmp_path / "idp.crt"
    assert command("export", key["id"], "--out", out).exit_code == 0
    assert x509.load_pem_x509_certificate(out.read_bytes()) == found
    refused(command("export", key["id"], "--out", out), "File exists")


def test_what_is_given_out_is_told_in_json_but_never_a_private_key(
    command: Command, tmp_path: Path
) -> None:
    key, out = made(command), tmp_path / "idp.key"
    plain = command("export", key["id"]).stdout
    told = {"id": key["id"], "fingerprint": key["fingerprint"]}
    given = json.loads(command("export", key["id"], "--json").stdout)
    assert given == told | {"file": None, "certificate": plain}
    der = command("export", key["id"], "--json", "--der", "--out", tmp_path / "idp.cer")
    assert json.loads(der.stdout)["file"] == str(tmp_path / "idp.cer")
    assert x509.load_der_x509_certificate((tmp_path / "idp.cer").read_bytes())
    private = ("export", key["id"], "--private", "--reason", "x", "--json", "--out")
    of_private = {"file": str(out), "reason": "x", "with_passphrase": False}
    assert json.loads(command(*private, out).stdout) == told | of_private
    assert b"PRIVATE KEY" in out.read_bytes()
    for words in ((*private, "-"), ("export", key["id"], "--json", "--der")):
        result = command(*words)
        assert result.exit_code == 2
        assert "BEGIN" not in result.output


def test_a_private_key_is_given_out_for_a_reason_on_record(
    command: Command, sqlite: Database, tmp_path: Path
) -> None:
    key, out = made(command), tmp_path / "idp.key"
    refused(command("export", key["id"], "--private", "--reason", "x"), "none was named")
    refused(command("export", key["id"], "--private", "--out", out), "for a reason only")
    blank = command("export", key["id"], "--private", "--reason", " ", "--out", out)
    refused(blank, "for a reason only")
    assert not out.exists()
    assert len(events(sqlite)) == 1
    given = command("export", key["id"], "--private", "--reason", "new site", "--out", out)
    assert given.exit_code == 0
    assert "BEGIN" not in given.output
    assert out.stat().st_mode & 0o777 == 0o600
    private = load_pem_private_key(out.read_bytes(), None)
    found = x509.load_pem_x509_certificate(command("export", key["id"]).stdout_bytes)
    assert private.public_key() == found.public_key()
    kind, detail = events(sqlite)[-1]
    assert kind == "key.exported"
    assert detail["changes"] == {
        "reason": "new site",
        "fingerprint": key["fingerprint"],
        "with_passphrase": False,
    }
    steps = json.loads(command("show", key["id"], "--json").stdout)["steps"]
    assert (steps[-1]["step"], steps[-1]["note"]) == ("exported", "new site")
    again = command("export", key["id"], "--private", "--reason", "x", "--out", out)
    refused(again, "is there already")
    assert len(events(sqlite)) == 2


def test_a_private_key_is_encrypted_for_a_passphrase_and_printed_only_when_asked(
    command: Command, tmp_path: Path
) -> None:
    key, secret = made(command), tmp_path / "secret.txt"
    secret.write_bytes(PASSPHRASE)
    arguments = ("export", key["id"], "--private", "--reason", "x", "--out", "-")
    encrypted = command(*arguments, "--passphrase-file", secret).stdout_bytes
    assert encrypted.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    load_pem_private_key(encrypted, PASSPHRASE)
    assert command(*arguments).stdout_bytes.startswith(b"-----BEGIN PRIVATE KEY-----")


def test_a_key_in_another_custody_is_never_given_out(
    command: Command, sqlite: Database, tmp_path: Path
) -> None:
    key = made(command)
    with sqlite.writing() as session:
        session.connection().exec_driver_sql("UPDATE signing_keys SET custody = 'kms'")
    out = tmp_path / "x"
    result = command("export", key["id"], "--private", "--reason", "x", "--out", out)
    refused(result, "never leaves that")
    assert not out.exists()
    assert len(events(sqlite)) == 1


def test_key_files_are_encrypted_in_place_and_check_says_when_they_should_be(
    command: Command, environment: dict[str, str], sqlite: Database, tmp_path: Path
) -> None:
    key = made(command)
    plain = made(CliRunnerWith(command, IDP_KEYS__ENCRYPTION="none"))

    def check(**variables: str) -> str:
        return CliRunner(env={**environment, **variables}).invoke(idp, ["check"]).stdout

    assert f"! key encryption: The private key of {plain['id']} is not encrypted." in check()
    assert "idp certs encrypt" in check()
    assert "keys.encryption is" in check(IDP_KEYS__ENCRYPTION="none")
    result = command("encrypt", "--json")
    assert [each["id"] for each in json.loads(result.stdout)] == [plain["id"]]
    assert "✔ key encryption" in check()
    kind, detail = events(sqlite)[-1]
    assert (kind, detail["subject"]) == ("key.encrypted", plain["id"])
    assert "as the settings say" in command("encrypt").stdout
    turned = command("encrypt", "--new-key").stdout
    assert key["id"] in turned
    assert plain["id"] in turned
    lines = (tmp_path / "data" / "key-encryption.key").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 1
    refused(command("encrypt", IDP_KEYS__ENCRYPTION="none"), "not encrypted")
    assert "At rest       encrypted (file " in command("show", key["id"]).stdout
    inside = str(tmp_path / "certs" / "kek")
    assert "lies in the folder of the key files" in check(IDP_KEYS__ENCRYPTION_KEY_FILE=inside)
    with sqlite.reading() as session:
        assert [each.state for each in all_keys(session)] == [KeyState.ACTIVE, KeyState.NEXT]
    (tmp_path / "certs" / f"{plain['id']}.key").unlink()
    refused(command("encrypt"), "can't be read")
    assert "No such file" in command("show", plain["id"]).stdout
    command("retire", plain["id"])
    assert command("encrypt", "--new-key").exit_code == 0, "a retired key's file may be gone"


def test_check_names_private_keys_that_a_killed_command_left(
    command: Command, environment: dict[str, str], tmp_path: Path
) -> None:
    key = made(command)
    old = time.time() - 4000
    folder = tmp_path / "certs"
    left = [folder / f".{'cd' * 8}.key.{'12' * 6}", folder / f"{'ab' * 8}.key"]
    others = [folder / "README.md", folder / "tls.key", folder / f"{'ef' * 8}.key"]
    for path in (*left, *others):
        path.touch()
    for path in (*left, *others[:2], folder / f"{key['id']}.key"):
        os.utime(path, (old, old))

    def check() -> str:
        return CliRunner(env=environment).invoke(idp, ["check"]).stdout

    words = f"! key files: 2 of no key that is known here: {left[0]}, {left[1]}."
    assert words in check()
    for path in left:
        path.unlink()
    assert "key files:" not in check()


def test_a_key_encryption_key_in_a_variable_is_never_shown(
    environment: dict[str, str], command: Command
) -> None:
    kek = b64encode(secrets.token_bytes(32)).decode()
    variables = {"IDP_KEYS__ENCRYPTION": "environment", "IDP_KEYS__ENCRYPTION_KEY": kek}
    assert made(CliRunnerWith(command, **variables))["state"] == "active"
    runner = CliRunner(env={**environment, **variables})
    for words in (["settings"], ["settings", "--json"], ["check"], ["certs", "list", "--json"]):
        result = runner.invoke(idp, words)
        assert result.exit_code == 0, result.output
        assert kek not in result.output
    mistyped = CliRunner(env={**environment, "IDP_KEYS__ENCRYPTION_KEYS": kek})
    result = mistyped.invoke(idp, ["settings"])
    assert "encryption_keys" in str(result.exception)
    assert kek not in str(result.exception)


class CliRunnerWith:
    """A command with variables set."""

    def __init__(self, command: Command, **variables: str) -> None:
        self._command, self._variables = command, variables

    def __call__(self, *arguments: str | Path) -> Result:
        return self._command(*arguments, **self._variables)
