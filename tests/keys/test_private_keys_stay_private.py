"""Private key material is searched for wherever somebody could come across it."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from idp.cli.main import idp
from idp.keys.custody import open_signer
from idp.keys.encryption_at_rest import encryption_of, key_file
from idp.keys.importing import Pair, imported_key
from idp.keys.key_encryption_keys import keys_in_file
from idp.keys.signing_key import KeyUnusable
from idp.keys.store import active_key
from idp.settings import LogSettings
from idp.telemetry.logs import field_formatter
from tests.company import Company, make_company
from tests.keys.pairs import PASSPHRASE, certificate, crt, pem, traditional
from tests.making import memory_key

KEY = memory_key(number=7).private
DEV_ADMIN = "arn:aws:iam::111122223333:role/Administrator"


def secrets_of_the_key() -> list[bytes]:
    """The private numbers in the forms in which they could be printed, and the PEM's lines."""
    numbers = KEY.private_numbers()
    found: list[bytes] = []
    for number in (
        numbers.d,
        numbers.p,
        numbers.q,
        numbers.dmp1,
        numbers.dmq1,
        numbers.iqmp,
    ):
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        digits = f"{number:x}"[:60]  # which need not begin with a whole byte
        found += [str(number)[:60].encode(), digits.encode(), digits.upper().encode()]
        found += [raw[:32], base64.b64encode(raw)[:60]]
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        body = KEY.private_bytes(Encoding.PEM, form, NoEncryption()).splitlines()[1:-1]
        found += [line for line in body[8:] if len(line) > 40]  # the first lines are public
    return found


SECRETS = secrets_of_the_key()


def search(text: str | bytes) -> list[bytes]:
    data = text.encode() if isinstance(text, str) else text
    return [secret for secret in SECRETS if secret in data]


def test_the_search_finds_what_it_is_for() -> None:
    assert search(pem(KEY))
    assert search(str(KEY.private_numbers().p))
    assert search(f"{KEY.private_numbers().d:x}")
    assert not search(crt(certificate(KEY, datetime.now(UTC))))


@pytest.fixture
def company(tmp_path: Path, sqlite_url: str) -> Iterator[Company]:
    """A company that signs with the key that is searched for."""
    now = datetime.now(UTC)
    made = make_company(tmp_path, sqlite_url, now)
    with made.parts.database.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM signing_keys")
    database, pair = made.parts.database, Pair(KEY, certificate(KEY, now))
    with (
        imported_key(database, made.settings, pair, now, "cli/ann") as new,
        database.writing() as session,
    ):
        new.write_down(session)
    made.parts.keys.__init__(made.parts.database, made.settings)  # type: ignore[misc]
    yield made
    made.parts.database.close()


def test_no_page_log_row_or_file_holds_the_private_key(
    company: Company, tmp_path: Path, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = company.signed_in("ann")
    pages = [visitor.open_role(DEV_ADMIN).text]
    with company.parts.database.reading() as session:
        key = active_key(session)
    file = Path(key.locator)
    whole = file.read_bytes()
    for content in (whole[:-900], b"", pem(memory_key().private), pem(KEY)[:900]):
        file.write_bytes(content)
        company.parts.keys.__init__(  # type: ignore[misc]
            company.parts.database, company.settings
        )
        answer = visitor.open_role(DEV_ADMIN)
        assert answer.status_code == 503
        pages.append(answer.text)
    file.write_bytes(whole)
    company.parts.keys.__init__(company.parts.database, company.settings)  # type: ignore[misc]
    pages += [
        visitor.get(path).text
        for path in ("/", "/metadata", "/for-admins", "/for-admins/keys", "/metrics", "/readyz")
    ]
    pages.append(visitor.open_role(DEV_ADMIN).text)
    for page in pages:
        assert not search(page)
        for value in page.split('"'):  # a SAMLResponse is base64 of XML
            if len(value) > 2000:
                assert not search(base64.b64decode(value + "==", validate=False))
    for record in caplog.records:
        assert not search(record.getMessage() + repr(record.__dict__))
    with company.parts.database.reading() as session:
        session.connection().exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not search(path.read_bytes()), path


def test_an_accident_in_the_middle_of_signing_logs_no_private_key(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    ready = company.parts.keys.active()
    shown = [repr(ready), repr(company.parts), repr(Pair(KEY, company.certificate))]
    try:
        ready.signer.sign(b"x", "no such digest")
    except KeyError:
        record = logging.LogRecord("idp", 40, __file__, 1, "accident", None, sys.exc_info())
        shown += [field_formatter(kind).format(record) for kind in ("json", "console")]
        shown.append(traceback.format_exc())
    assert len(shown) == 6
    for text in shown:
        assert not search(text)
    assert LogSettings().level == "info"


def test_key_encryption_keys_are_shown_nowhere(company: Company) -> None:
    keys = keys_in_file(key_file(company.settings))
    with company.parts.database.reading() as session:
        key = active_key(session)
    shown = [repr(keys), repr(encryption_of(company.settings, "file"))]
    key_file(company.settings).write_bytes(base64.b64encode(keys.keys[0])[:-8])
    with pytest.raises(KeyUnusable) as refusal:
        open_signer(key, company.settings)
    shown.append(str(refusal.value))
    shown.append("".join(traceback.format_exception(refusal.value)))
    for text in shown:
        assert base64.b64encode(keys.keys[0])[:20].decode() not in text
        assert keys.keys[0].hex()[:20] not in text
        assert repr(keys.keys[0])[2:20] not in text


def test_no_command_prints_or_records_the_private_key(
    tmp_path: Path, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings, given = tmp_path / "idp.toml", tmp_path / "given.pem"
    settings.write_text(
        f"data_folder = '{tmp_path / 'data'}'\n[database]\nurl = '{sqlite_url}'\n"
        f"[keys]\nfolder = '{tmp_path / 'certs'}'\n"
    )
    now = datetime.now(UTC)
    runner = CliRunner(env={"IDP_CONFIG": str(settings), "SECRET": PASSPHRASE.decode()})
    said = []

    def run(*words: str) -> str:
        result = runner.invoke(idp, words)
        failure = "".join(traceback.format_exception(*result.exc_info)) if result.exc_info else ""
        said.append(result.output + str(result.exception) + failure)
        return result.stdout

    bad = certificate(KEY, now, begins=-9, ends=-1)
    for content in (pem(KEY), pem(KEY) + crt(bad), pem(KEY)[:-300], b"0" + pem(KEY)):
        given.write_bytes(content)
        run("certs", "import", str(given))
    given.write_bytes(traditional(KEY, b"other") + crt(certificate(KEY, now)))
    run("certs", "import", str(given), "--passphrase-env", "SECRET")
    given.write_bytes(traditional(KEY, PASSPHRASE) + crt(certificate(KEY, now)))
    imported = run("certs", "import", str(given), "--passphrase-env", "SECRET", "--json")
    key = json.loads(imported)["id"]
    out = tmp_path / "exported.key"
    for words in (
        ("certs", "list", "--json"),
        ("certs", "show", key, "--json"),
        ("certs", "export", key),
        ("certs", "encrypt", "--new-key"),
        ("certs", "export", key, "--private", "--reason", "test", "--out", str(out)),
        ("check", "--json"),
        ("audit", "tail", "--json"),
        ("metadata", "export"),
        ("settings", "--json"),
    ):
        run(*words)
    assert search(out.read_bytes()), "the one place that was asked for"
    out.unlink()
    given.unlink()
    for text in said:
        assert not search(text)
        assert PASSPHRASE.decode() not in text
    for record in caplog.records:
        assert not search(record.getMessage() + repr(record.__dict__))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not search(path.read_bytes()), path
            assert PASSPHRASE not in path.read_bytes(), path


def test_no_secret_is_in_the_process_list_while_a_key_is_taken_in(
    tmp_path: Path, sqlite_url: str
) -> None:
    given, secret = tmp_path / "given.pem", tmp_path / "secret.txt"
    given.write_bytes(pem(KEY, PASSPHRASE) + crt(certificate(KEY, datetime.now(UTC))))
    secret.write_bytes(PASSPHRASE)
    environment = {
        "IDP_DATABASE__URL": sqlite_url,
        "IDP_DATA_FOLDER": str(tmp_path / "data"),
        "IDP_KEYS__FOLDER": str(tmp_path / "certs"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "idp", "certs", "import", given, "--passphrase-file", secret],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    lines, limits = set(), ""
    while process.poll() is None:
        lines.add(Path(f"/proc/{process.pid}/cmdline").read_bytes())
        limits = Path(f"/proc/{process.pid}/limits").read_text() or limits
        time.sleep(0.02)
    output = process.communicate()[0]
    assert process.returncode == 0, output
    assert any(b"import" in line for line in lines)
    (cores,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert cores.split()[4:6] == ["0", "0"]
    for line in (*lines, output):
        assert PASSPHRASE not in line
        assert not search(line)
