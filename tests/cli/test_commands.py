"""The command as an administrator meets it: help, exit codes, sentences, JSON."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from idp.cli.main import GROUPS
from tests import independent
from tests.cli.conftest import Run, command_in


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_every_command_explains_itself_with_an_example(idp: Run, group: str) -> None:
    done = idp(group, "--help")
    assert done.returncode == 0
    assert "idp " in done.stdout.split("Usage:")[1].split("\n", 1)[1]
    assert "xample" in done.stdout


def test_the_help_names_every_group(idp: Run) -> None:
    help_text = idp("--help").stdout
    assert all(group in help_text for group in GROUPS)


def test_from_an_empty_folder_to_metadata_that_iam_takes(idp: Run, tmp_path: Path) -> None:
    refused = idp("metadata", "export")
    assert refused.returncode == 2
    assert "idp db upgrade" in refused.stderr
    assert idp("db", "status").returncode == 1
    assert idp("db", "upgrade").returncode == 0
    assert idp("db", "status").returncode == 0

    refused = idp("serve")
    assert refused.returncode == 2
    assert "idp certs generate" in refused.stderr
    assert idp("certs", "generate").returncode == 0

    assert idp("metadata", "export", "idp.xml").returncode == 0
    document = (tmp_path / "idp.xml").read_bytes()
    independent.assert_valid_metadata(document)
    assert not document.startswith(b"\xef\xbb\xbf")
    assert len(document.decode()) >= 1000
    assert idp("metadata", "export").stdout.encode() == document

    shown = json.loads(idp("metadata", "show", "--json").stdout)
    keys = json.loads(idp("certs", "list", "--json").stdout)
    assert [key["state"] for key in keys] == ["active"]
    assert shown["certificates"][0]["key"] == keys[0]["id"]
    assert (tmp_path / "certs" / f"{keys[0]['id']}.key").stat().st_mode & 0o777 == 0o600


def test_check_tells_what_is_missing_and_what_is_unsafe(idp: Run) -> None:
    before = idp("check")
    assert before.returncode == 1
    assert "idp db upgrade" in before.stdout
    idp("db", "upgrade")
    idp("certs", "generate")
    after = idp("check", "--json")
    assert after.returncode == 0
    findings = {item["subject"]: item["severity"] for item in json.loads(after.stdout)}
    assert findings["database"] == findings["signing key"] == "good"
    assert findings["role rules"] == findings["server"] == "warning"
    in_clear = idp("check", IDP_SERVER__HOST="0.0.0.0", IDP_SERVER__BASE_URL="http://idp.corp")
    assert in_clear.returncode == 1
    assert "in clear" in in_clear.stdout


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("IDP_AWS__ROLE_SESSION_NAME", "static", "for everybody"),
        ("IDP_AWS__ROLE_SESSION_NAME", "", "for everybody"),
        ("IDP_AWS__SOURCE_IDENTITY", "static", "for everybody"),
        ("IDP_AWS__DESTINATION", "https://evil.example", "not a page of the AWS console"),
        ("IDP_AWS__ENDPOINTS", '["moon-1"]', "no AWS Region"),
        ("IDP_SERVER__BASE_URL", "https://idp.example.com", "trusted_proxies"),
    ],
)
def test_check_names_settings_that_would_harm_people(
    ready_folder: Path, setting: str, value: str, sentence: str
) -> None:
    assert sentence in command_in(ready_folder)("check", **{setting: value}).stdout


@pytest.mark.parametrize(
    ("words", "redirection", "code", "sentence"),
    [
        (["settings"], ">/dev/full", 2, "idp: The output can't be written: No space left"),
        (["audit", "export"], ">/dev/full", 2, "idp: The output can't be written: No space left"),
        (["audit", "export"], ">&-", 0, ""),
        (["aws", "account", "list"], ">&-", 0, ""),
        (["aws", "preflight", "--response", "-"], "<&-", 2, "idp: There is no response"),
        (["audit", "export"], "| head -c 1", 0, ""),
        (["audit", "search", "--text", "\udcff"], "", 2, "argument '\\udcff' is not text in UTF-8"),
        (["user", "release-name", "\udcff"], "", 2, "argument '\\udcff' is not text in UTF-8"),
    ],
)
def test_what_the_shell_makes_of_its_streams_and_words_is_no_traceback(
    ready_folder: Path, words: list[str], redirection: str, code: int, sentence: str
) -> None:
    command = shlex.join([sys.executable, "-m", "idp", *words])
    script = os.fsencode(f"unset PYTHONUNBUFFERED; {command} {redirection}")
    done = subprocess.run(
        ["sh", "-c", script], cwd=ready_folder, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == code
    assert sentence in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert sentence or not done.stderr


def test_a_database_that_breaks_in_the_middle_is_a_sentence(idp: Run, tmp_path: Path) -> None:
    assert idp("db", "upgrade").returncode == 0
    assert idp("certs", "generate").returncode == 0
    file = tmp_path / "var" / "idp.sqlite3"
    with sqlite3.connect(file) as connection:
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'audit_events'"
        ).fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(file.read_bytes())
    content[(page - 1) * size : page * size] = b"\xff" * size
    file.write_bytes(content)
    for words in (["audit", "tail"], ["audit", "verify"], ["aws", "account", "add", "1" * 12]):
        done = idp(*words, *(["--alias", "dev"] if "account" in words else []))
        assert done.returncode == 2
        assert "malformed" in done.stderr
        assert "Traceback" not in done.stderr


def test_check_finds_a_key_that_others_can_read(idp: Run, tmp_path: Path) -> None:
    idp("db", "upgrade")
    idp("certs", "generate")
    (key,) = (tmp_path / "certs").iterdir()
    key.chmod(0o644)
    done = idp("check")
    assert done.returncode == 1
    assert "chmod 600" in done.stdout


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"IDP_SERVER__PORT": "eighty"}, "server.port"),
        ({"IDP_SERVER__PORT": "70000"}, "server.port"),
        ({"IDP_SERVER__PROT": "80"}, "server.prot"),
        ({"IDP_SEVER__PORT": "80"}, "IDP_SEVER__PORT is not a setting"),
        ({"IDP_AWS__ROLE_CHOICE": "mine"}, "aws.role_choice"),
        ({"IDP_SERVER__BASE_URL": "idp.example.com"}, "server.base_url"),
        ({"IDP_AWS__SANDBOX_URL": "http://192.0.2.1:8081"}, "loopback"),
        ({"IDP_AWS__SANDBOX_URL": "http://localhost"}, "with a port"),
        ({"IDP_AWS__SANDBOX_URL": "javascript://localhost:1/%0aalert(1)"}, "loopback"),
        ({"IDP_SERVER__BASE_URL": "http://idp.corp:99999"}, "server.base_url"),
        ({"IDP_SAML__DIGEST": "sha1"}, "saml.digest"),
        ({"IDP_SAML__ASSERTION_SECONDS": "3600"}, "saml.assertion_seconds"),
        ({"IDP_KEYS__RSA_BITS": "1024"}, "keys.rsa_bits"),
        ({"IDP_CONFIG": "nowhere.toml"}, "nowhere.toml"),
        ({"IDP_DATABASE__URL": "mysql://x"}, "database"),
    ],
)
def test_a_wrong_setting_is_named_in_a_sentence(
    idp: Run, environment: dict[str, str], sentence: str
) -> None:
    done = idp("check", **environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "content", ["[server", "server = 1", "[server]\nport = 'x'", "[moon]\n", "\x00", "a = 1979-01"]
)
def test_a_broken_settings_file_is_a_sentence(idp: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "idp.toml").write_text(content)
    done = idp("check")
    assert done.returncode == 2
    assert "idp.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_in_the_database_address_is_never_shown(idp: Run) -> None:
    secret = "hunter2-hunter2"
    for url in (
        f"postgresql://idp:{secret}@127.0.0.1:1/idp",
        f"postgresql://idp:{secret}@127.0.0.1:port/idp",
        f"nonsense://idp:{secret}@x",
    ):
        done = idp("db", "status", IDP_DATABASE__URL=url)
        assert done.returncode == 2
        assert secret not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_a_sentence(idp: Run) -> None:
    import socket

    idp("db", "upgrade")
    idp("certs", "generate")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = idp("serve", IDP_SERVER__PORT=str(port))
    assert done.returncode == 2
    assert f"Port {port}" in done.stderr


def test_lxml_and_xmlsec_that_do_not_fit_are_a_sentence(idp: Run, tmp_path: Path) -> None:
    (tmp_path / "xmlsec.py").write_text(
        "raise ImportError('lxml & xmlsec libxml2 library version mismatch')\n"
    )
    done = idp("check", PYTHONPATH=str(tmp_path))
    assert done.returncode != 0
    assert "do not fit together" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_command_is_a_sentence(idp: Run) -> None:
    done = idp("dance")
    assert done.returncode == 2
    assert "dance" in done.stderr
