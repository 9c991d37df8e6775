"""Key files whose data keys AWS KMS wraps, at moto's KMS."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import boto3
import pytest

from idp.db.engine import Database
from idp.keys import kms_encryption
from idp.keys.custody import open_signer
from idp.keys.file_custody import at_rest
from idp.keys.reencryption import encrypt_file
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.settings import Settings
from tests.making import generate_key
from tests.servers.moto_server import MotoServer


@pytest.fixture(scope="module")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def kms_key(moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A symmetric key's ARN; this process' boto3 goes to moto."""
    for name, value in moto.environment.items():
        monkeypatch.setenv(name, value)
    made = boto3.client("kms").create_key()
    return str(made["KeyMetadata"]["Arn"])


def settings_in(folder: Path, kms_key: str, kind: str = "kms") -> Settings:
    return Settings.model_validate(
        {
            "data_folder": folder / "data",
            "keys": {
                "folder": folder / "certs",
                "encryption": kind,
                "encryption_kms_key": kms_key,
            },
        }
    )


def make(database: Database, settings: Settings, now: datetime) -> SigningKey:
    with database.writing() as session:
        return generate_key(session, settings, now=now)


def test_kms_opens_what_it_wrapped_and_only_for_that_key(
    sqlite: Database, tmp_path: Path, now: datetime, kms_key: str
) -> None:
    settings = settings_in(tmp_path, kms_key)
    first, second = make(sqlite, settings, now), make(sqlite, settings, now)
    assert not (tmp_path / "data").exists(), "no key-encryption key of our own is made"
    document = json.loads(Path(first.locator).read_text())
    assert (document["encryption"], document["key_encryption_key"]) == ("kms", kms_key)
    assert len(open_signer(first, settings).sign(b"x", "sha256")) == 256
    other = json.loads(Path(second.locator).read_text())
    Path(first.locator).write_text(json.dumps(document | {"wrapped_key": other["wrapped_key"]}))
    with pytest.raises(KeyUnusable, match="InvalidCiphertext") as refusal:
        open_signer(first, settings)
    assert "kms:Decrypt" in refusal.value.advice


def test_an_alias_is_enough_and_files_move_between_key_encryption_keys(
    sqlite: Database, tmp_path: Path, now: datetime, kms_key: str
) -> None:
    boto3.client("kms").create_alias(AliasName="alias/idp-test", TargetKeyId=kms_key)
    key = make(sqlite, settings_in(tmp_path, "", "file"), now)
    to_kms = settings_in(tmp_path, "alias/idp-test")
    signed = open_signer(key, to_kms).sign(b"x", "sha256")
    assert encrypt_file(key, to_kms) is not None
    assert (at_rest(key).kind, at_rest(key).by) == ("kms", kms_key)
    assert open_signer(key, to_kms).sign(b"x", "sha256") == signed
    back = settings_in(tmp_path, "", "file")
    assert encrypt_file(key, back) is not None
    assert at_rest(key).kind == "file"
    assert open_signer(key, back).sign(b"x", "sha256") == signed


@pytest.mark.parametrize("key", ["", "alias/none", "arn:aws:kms:eu-central-1:123456789012:key/0"])
@pytest.mark.usefixtures("kms_key")
def test_a_kms_key_that_is_not_there_is_a_sentence_and_no_signing_key(
    sqlite: Database, tmp_path: Path, now: datetime, key: str
) -> None:
    with pytest.raises(KeyUnusable) as refusal:
        make(sqlite, settings_in(tmp_path, key), now)
    assert refusal.value.message.endswith(".")
    assert refusal.value.status == 503
    assert not list(tmp_path.glob("certs/*"))


def test_a_kms_that_does_not_answer_is_given_up_soon(
    sqlite: Database,
    tmp_path: Path,
    now: datetime,
    kms_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_in(tmp_path, kms_key)
    key = make(sqlite, settings, now)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        with pytest.raises(KeyUnusable, match="ReadTimeout") as refusal:
            open_signer(key, settings)
        assert time.monotonic() - began < 9
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1")
    with pytest.raises(KeyUnusable, match="EndpointConnection"):
        open_signer(key, settings)
    wrapped = json.loads(Path(key.locator).read_text())["wrapped_key"]
    assert wrapped not in str(refusal.value)
    assert base64.b64decode(wrapped)


def test_credentials_that_do_not_come_are_not_waited_for(
    tmp_path: Path, kms_key: str, sqlite: Database, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = make(sqlite, settings_in(tmp_path, kms_key), now)
    config = tmp_path / "aws"
    config.write_text("[default]\ncredential_process = sleep 20\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(kms_encryption, "LONGEST_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(KeyUnusable, match=r"no answer within 0\.5 seconds"):
        open_signer(key, settings_in(tmp_path, kms_key))
    assert time.monotonic() - began < 15
