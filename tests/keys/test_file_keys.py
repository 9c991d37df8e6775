"""Signing keys in files, and the metadata that publishes them."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from idp.db.engine import Database
from idp.db.models import SigningKeyRow
from idp.keys.custody import open_signer
from idp.keys.publication import publish_metadata
from idp.keys.ring import REFRESH_SECONDS, KeyRing
from idp.keys.signing_key import KeyState, KeyUnusable, SigningKey
from idp.keys.store import all_keys
from idp.settings import KeySettings, Settings
from tests import independent
from tests.making import generate_key, memory_key


def make(database: Database, folder: Path, now: datetime) -> SigningKey:
    with database.writing() as session:
        return generate_key(session, in_folder(folder), now=now, days=30)


def in_folder(folder: Path) -> Settings:
    return Settings(data_folder=folder / "data", keys=KeySettings(folder=folder))


def test_the_first_key_signs_and_a_later_one_waits(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    first = make(database, tmp_path, now)
    second = make(database, tmp_path, now + timedelta(seconds=1))
    assert (first.state, second.state) == (KeyState.ACTIVE, KeyState.NEXT)
    with database.reading() as session:
        assert [key.id for key in all_keys(session)] == [first.id, second.id]
        published = publish_metadata(session, Settings(), now)
    assert [item.key_id for item in published.certificates] == [first.id, second.id]
    independent.assert_valid_metadata(published.xml)


def test_the_key_file_is_ours_alone_from_the_start(
    sqlite: Database, tmp_path: Path, now: datetime
) -> None:
    old = os.umask(0)
    try:
        key = make(sqlite, tmp_path / "new folder", now)
    finally:
        os.umask(old)
    assert Path(key.locator).stat().st_mode & 0o777 == 0o600


def test_a_key_that_others_can_read_is_not_used(
    sqlite: Database, tmp_path: Path, now: datetime
) -> None:
    key = make(sqlite, tmp_path, now)
    Path(key.locator).chmod(0o640)
    with pytest.raises(KeyUnusable, match="0640") as refusal:
        open_signer(key, in_folder(tmp_path))
    assert "chmod 600" in refusal.value.advice


@pytest.mark.parametrize("content", ["nothing", "another key", "an EC key", "no file"])
def test_a_key_file_that_does_not_fit_is_refused_without_showing_it(
    sqlite: Database, tmp_path: Path, now: datetime, content: str
) -> None:
    key = make(sqlite, tmp_path, now)
    path = Path(key.locator)
    secret = "c2VjcmV0"
    if content == "nothing":
        path.write_text(f"-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----\n")
    elif content == "no file":
        path.unlink()
    else:
        private = (
            memory_key().private
            if content == "another key"
            else ec.generate_private_key(ec.SECP256R1())
        )
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(pem)
    with pytest.raises(KeyUnusable) as refusal:
        open_signer(key, in_folder(tmp_path))
    assert secret not in str(refusal.value)


def test_a_folder_that_can_not_be_written_is_a_sentence_and_no_key(
    sqlite: Database, now: datetime
) -> None:
    with pytest.raises(KeyUnusable, match="can't be written"):
        make(sqlite, Path("/proc/nowhere"), now)
    with sqlite.reading() as session:
        assert not all_keys(session)


def test_the_ring_sees_a_newly_active_key_soon_and_asks_seldom(
    database: Database, tmp_path: Path, now: datetime
) -> None:
    first = make(database, tmp_path, now)
    second = make(database, tmp_path, now)
    clock = [100.0]
    ring = KeyRing(database, in_folder(tmp_path), lambda: clock[0])
    assert ring.active().key.id == first.id
    with database.writing() as session:
        rows = {row.id: row for row in session.query(SigningKeyRow)}
        rows[first.id].state = KeyState.RETIRING
        session.flush()
        rows[second.id].state = KeyState.ACTIVE
    assert ring.active().key.id == first.id
    clock[0] += REFRESH_SECONDS
    assert ring.active().key.id == second.id


def test_a_missing_key_is_a_sentence_with_the_command(sqlite: Database, now: datetime) -> None:
    with pytest.raises(KeyUnusable) as refusal:
        KeyRing(sqlite, Settings()).active()
    assert "idp certs generate" in refusal.value.advice
    with sqlite.reading() as session, pytest.raises(KeyUnusable):
        publish_metadata(session, Settings(), now)
