"""Key files encrypted at rest, and what opens them."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from idp.db.engine import Database
from idp.keys import file_custody
from idp.keys.custody import open_signer
from idp.keys.encryption_at_rest import key_file
from idp.keys.file_custody import at_rest
from idp.keys.key_encryption_keys import keys_in_file
from idp.keys.private_file import read_private
from idp.keys.reencryption import (
    NothingToEncryptWith,
    add_key_encryption_key,
    drop_old_key_encryption_keys,
    encrypt_file,
)
from idp.keys.signing_key import KeyUnusable, SigningKey
from idp.keys.store import all_keys
from idp.settings import Settings
from tests.making import generate_key, memory_key

Make = Callable[..., SigningKey]
DATA = b"<SignedInfo/>"


def settings_in(folder: Path, **keys: object) -> Settings:
    return Settings.model_validate(
        {"data_folder": folder / "data", "keys": {"folder": folder / "certs", **keys}}
    )


def random_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def make(sqlite: Database, now: datetime) -> Make:
    def generate(settings: Settings) -> SigningKey:
        with sqlite.writing() as session:
            return generate_key(session, settings, now=now)

    return generate


def signature(key: SigningKey, settings: Settings) -> bytes:
    return open_signer(key, settings).sign(DATA, "sha256")


def test_by_default_a_key_is_encrypted_and_its_key_lies_elsewhere(
    tmp_path: Path, make: Make
) -> None:
    settings = settings_in(tmp_path)
    key = make(settings)
    content = Path(key.locator).read_bytes()
    assert b"PRIVATE KEY" not in content
    assert json.loads(content)["encryption"] == "file"
    beside = key_file(settings)
    assert beside == tmp_path / "data" / "key-encryption.key"
    assert beside.stat().st_mode & 0o777 == 0o600
    assert not beside.is_relative_to(settings.keys.folder)
    signed = signature(key, settings)
    assert len(signed) == 256
    beside.unlink()
    with pytest.raises(KeyUnusable, match="can't be read"):
        open_signer(key, settings)
    assert not beside.exists(), "opening never makes a key-encryption key"


def test_a_plain_key_is_written_only_when_asked_for_by_name(tmp_path: Path, make: Make) -> None:
    settings = settings_in(tmp_path, encryption="none")
    key = make(settings)
    assert Path(key.locator).read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----")
    assert not key_file(settings).exists()
    assert len(signature(key, settings)) == 256


def test_the_environment_gives_the_key_and_a_file_says_which_opened_it(
    tmp_path: Path, make: Make
) -> None:
    old, new = random_key(), random_key()
    key = make(settings_in(tmp_path, encryption="environment", encryption_key=old))
    turned = settings_in(tmp_path, encryption="environment", encryption_key=f"{new}, {old}")
    expected = signature(key, turned)
    assert encrypt_file(key, turned) is not None
    assert encrypt_file(key, turned) is None
    only_new = settings_in(tmp_path, encryption="environment", encryption_key=new)
    assert signature(key, only_new) == expected
    with pytest.raises(KeyUnusable, match="is not in IDP_KEYS__ENCRYPTION_KEY"):
        open_signer(key, settings_in(tmp_path, encryption="environment", encryption_key=old))
    assert old not in repr(turned)
    assert new not in str(turned.model_dump())


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 44, base64.b64encode(b"16 bytes, no more").decode()]
)
def test_what_is_no_key_encryption_key_is_refused_without_showing_it(
    tmp_path: Path, make: Make, text: str
) -> None:
    with pytest.raises(KeyUnusable, match="holds no key-encryption key") as refusal:
        make(settings_in(tmp_path, encryption="environment", encryption_key=text))
    assert not text or text not in str(refusal.value)
    assert not list((tmp_path / "certs").glob("*"))


def test_an_envelope_can_not_take_anothers_place_nor_be_changed(tmp_path: Path, make: Make) -> None:
    settings = settings_in(tmp_path)
    first, second = make(settings), make(settings)
    path, other = Path(first.locator), Path(second.locator)
    whole = path.read_bytes()
    path.write_bytes(other.read_bytes())
    with pytest.raises(KeyUnusable, match="was changed, or is another key's"):
        open_signer(first, settings)
    document = json.loads(whole)
    for name in ("wrapped_key", "nonce", "ciphertext"):
        data = bytearray(base64.b64decode(document[name]))
        data[-1] ^= 1
        changed = document | {name: base64.b64encode(data).decode()}
        path.write_text(json.dumps(changed))
        with pytest.raises(KeyUnusable, match="was changed, or is another key's"):
            open_signer(first, settings)
    for name, value in (("encryption", "rot13"), ("key_encryption_key", "0" * 16)):
        path.write_text(json.dumps(document | {name: value}))
        with pytest.raises(KeyUnusable):
            open_signer(first, settings)
    for text in ("", "{}", "[]", "[" * 60_000, '{"format": "idp-signing-key-1"}', "\x00"):
        path.write_text(text)
        with pytest.raises(KeyUnusable, match="no private key"):
            open_signer(first, settings)
    path.write_bytes(whole)
    open_signer(first, settings)


@pytest.mark.parametrize("which", ["key", "key-encryption key"])
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o666])
def test_a_file_that_others_can_read_or_write_is_refused(
    tmp_path: Path, make: Make, which: str, mode: int
) -> None:
    settings = settings_in(tmp_path)
    key = make(settings)
    path = Path(key.locator) if which == "key" else key_file(settings)
    path.chmod(mode)
    with pytest.raises(KeyUnusable, match=f"{mode:04o}") as refusal:
        open_signer(key, settings)
    assert f"chmod 600 {path}" in refusal.value.advice


@pytest.mark.parametrize("which", ["key", "key-encryption key"])
@pytest.mark.parametrize("kind", ["link", "directory", "pipe", "large", "another owner"])
def test_a_file_of_another_kind_is_refused(
    tmp_path: Path, make: Make, which: str, kind: str
) -> None:
    settings = settings_in(tmp_path)
    key = make(settings)
    path = Path(key.locator) if which == "key" else key_file(settings)
    if kind == "another owner":
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        os.chown(path, 12345, -1)
    elif kind == "large":
        with path.open("ab") as file:
            file.truncate(70_000)
    else:
        moved = path.rename(tmp_path / "moved")
        if kind == "link":
            path.symlink_to(moved)
        elif kind == "directory":
            path.mkdir()
        else:
            os.mkfifo(path, 0o600)
    with pytest.raises(KeyUnusable) as refusal:
        open_signer(key, settings)
    words = {
        "link": "symbolic link",
        "directory": "not a regular file",
        "pipe": "not a regular file",
        "large": "too large",
        "another owner": "another user",
    }
    assert words[kind] in refusal.value.message


def test_a_dangling_link_is_not_followed_to_make_a_key_encryption_key(
    tmp_path: Path, make: Make
) -> None:
    settings = settings_in(tmp_path)
    key_file(settings).parent.mkdir()
    key_file(settings).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyUnusable, match="symbolic link"):
        make(settings)
    assert not (tmp_path / "elsewhere").exists()


def test_a_plain_key_file_still_opens_and_is_encrypted_in_place(tmp_path: Path, make: Make) -> None:
    key = make(settings_in(tmp_path, encryption="none"))
    settings = settings_in(tmp_path)
    expected = signature(key, settings)
    changed = encrypt_file(key, settings)
    assert changed is not None
    assert (changed.before.kind, changed.after.kind) == ("none", "file")
    assert b"PRIVATE KEY" not in Path(key.locator).read_bytes()
    assert Path(key.locator).stat().st_mode & 0o777 == 0o600
    assert signature(key, settings) == expected
    assert [path.name for path in settings.keys.folder.iterdir()] == [f"{key.id}.key"]


def test_a_new_key_encryption_key_can_be_broken_off_anywhere(
    tmp_path: Path, make: Make, sqlite: Database
) -> None:
    settings = settings_in(tmp_path)
    keys = [make(settings) for _ in range(3)]
    expected = [signature(key, settings) for key in keys]
    old = keys_in_file(key_file(settings)).keys[0]

    def all_sign() -> bool:
        return [signature(key, settings) for key in keys] == expected

    add_key_encryption_key(settings)
    assert all_sign()
    encrypt_file(keys[0], settings)
    assert all_sign()
    assert drop_old_key_encryption_keys(settings, keys) == 2, "two files need the old one"
    add_key_encryption_key(settings)  # run again after it was broken off
    assert all_sign()
    for key in keys:
        encrypt_file(key, settings)
    assert drop_old_key_encryption_keys(settings, keys) == 1
    assert all_sign()
    assert old not in keys_in_file(key_file(settings)).keys
    assert key_file(settings).stat().st_mode & 0o777 == 0o600
    with sqlite.reading() as session:
        assert {at_rest(key) for key in all_keys(session)} == {at_rest(keys[0])}


def test_a_worker_that_reads_while_files_are_encrypted_anew_opens_its_key(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    key = make(settings)
    expected, begun = signature(key, settings), list[Path]()

    def slowly(path: Path, what: str) -> bytes:
        content = read_private(path, what)
        if not begun:
            begun.append(path)
            add_key_encryption_key(settings)
            encrypt_file(key, settings)
            assert drop_old_key_encryption_keys(settings, [key]) == 1
        return content

    monkeypatch.setattr(file_custody, "read_private", slowly)
    assert signature(key, settings) == expected
    assert begun


def test_key_encryption_keys_are_kept_while_a_key_file_can_not_be_read(
    tmp_path: Path, make: Make
) -> None:
    settings = settings_in(tmp_path)
    keys = [make(settings), make(settings)]
    add_key_encryption_key(settings)
    encrypt_file(keys[0], settings)
    Path(keys[1].locator).rename(tmp_path / "away")
    with pytest.raises(KeyUnusable):
        drop_old_key_encryption_keys(settings, keys)
    assert len(keys_in_file(key_file(settings)).keys) == 2


def test_a_new_key_encryption_key_is_made_for_files_only(tmp_path: Path) -> None:
    with pytest.raises(NothingToEncryptWith):
        add_key_encryption_key(
            settings_in(tmp_path, encryption="environment", encryption_key=random_key())
        )


def test_a_plain_key_of_somebody_else_does_not_pass_for_ours(tmp_path: Path, make: Make) -> None:
    settings = settings_in(tmp_path)
    key = make(settings)
    pem = memory_key().private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    Path(key.locator).write_bytes(pem)
    with pytest.raises(KeyUnusable, match="does not belong"):
        open_signer(key, settings)


def test_two_that_make_the_first_key_encryption_key_at_once_use_the_same(tmp_path: Path) -> None:
    path = tmp_path / "data" / "key-encryption.key"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: keys_in_file(path, make=True).keys[0], range(8)))
    assert len(set(found)) == 1
    assert [each.name for each in path.parent.iterdir()] == [path.name]
