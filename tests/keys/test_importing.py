"""Keys from elsewhere: taken in if they can sign for AWS, else refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from idp.db.engine import Database
from idp.keys.custody import open_signer
from idp.keys.importing import KeyNotTaken, Pair, PassphraseNeeded, imported_key, read_pair
from idp.keys.lifecycle import KeyStepRefused
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.steps import steps_of
from idp.keys.store import MOST_PUBLISHED, all_keys
from idp.settings import Settings
from tests.keys.pairs import PASSPHRASE, certificate, crt, p12, pem, traditional
from tests.keys.rows import add_row
from tests.making import memory_key

KEY = memory_key().private
OTHER = memory_key(number=2).private
Given = tuple[bytes, bytes | None, bytes | None]


@cache
def short() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)


@cache
def dsa_key() -> dsa.DSAPrivateKey:
    return dsa.generate_private_key(2048)


def settings_in(folder: Path) -> Settings:
    return Settings.model_validate(
        {"data_folder": folder / "data", "keys": {"folder": folder / "certs"}}
    )


def take(database: Database, folder: Path, pair: Pair, now: datetime) -> SigningKey:
    with (
        imported_key(database, settings_in(folder), pair, now, "cli/ann") as new,
        database.writing() as session,
    ):
        return new.write_down(session)


GOOD: dict[str, Callable[[datetime], Given]] = {
    "one PEM file": lambda now: (pem(KEY) + crt(certificate(KEY, now)), None, None),
    "the certificate first": lambda now: (crt(certificate(KEY, now)) + pem(KEY), None, None),
    "two PEM files": lambda now: (pem(KEY), crt(certificate(KEY, now)), None),
    "a certificate in DER": lambda now: (
        pem(KEY),
        certificate(KEY, now).public_bytes(Encoding.DER),
        None,
    ),
    "a passphrase": lambda now: (pem(KEY, PASSPHRASE), crt(certificate(KEY, now)), PASSPHRASE),
    "an old passphrase": lambda now: (
        traditional(KEY, PASSPHRASE) + crt(certificate(KEY, now)),
        None,
        PASSPHRASE,
    ),
    "a passphrase for nothing": lambda now: (pem(KEY) + crt(certificate(KEY, now)), None, b"x"),
    "PKCS#12": lambda now: (p12(KEY, certificate(KEY, now), PASSPHRASE), None, PASSPHRASE),
    "PKCS#12 without": lambda now: (p12(KEY, certificate(KEY, now), None), None, None),
    "a chain": lambda now: (
        pem(KEY),
        crt(certificate(OTHER, now)) + crt(certificate(KEY, now)),
        None,
    ),
    "byte order marks": lambda now: (
        b"\xef\xbb\xbf" + pem(KEY).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + crt(certificate(KEY, now)),
        None,
    ),
}


@pytest.mark.parametrize("form", GOOD)
def test_a_key_of_any_usual_form_is_taken_in_and_signs(
    sqlite: Database, tmp_path: Path, now: datetime, form: str
) -> None:
    key = take(sqlite, tmp_path, read_pair(*GOOD[form](now), now), now)
    assert key.state is KeyState.ACTIVE
    assert key.certificate.public_key() == KEY.public_key()
    assert b"PRIVATE KEY" not in Path(key.locator).read_bytes()
    signed = open_signer(key, settings_in(tmp_path)).sign(b"x", "sha256")
    assert signed == memory_key().sign(b"x", "sha256")
    with sqlite.reading() as session:
        assert [step.step for step in steps_of(session, key.id)] == ["imported", "activated"]


BAD: dict[str, tuple[str, Callable[[datetime], Given]]] = {
    "no certificate": ("no certificate with the key", lambda now: (pem(KEY), None, None)),
    "no X.509": (
        "not an X.509 certificate",
        lambda now: (
            pem(KEY),
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            None,
        ),
    ),
    "no certificate at all": ("not an X.509", lambda now: (pem(KEY), b"certificate", None)),
    "no key": ("holds no private key", lambda now: (crt(certificate(KEY, now)), None, None)),
    "nothing of either": ("neither PEM nor PKCS#12", lambda now: (b"hello", None, None)),
    "no PKCS#12": ("neither PEM nor PKCS#12", lambda now: (b"0\x82\x01\x00", None, None)),
    "a damaged key": (
        "can't be read",
        lambda now: (pem(KEY)[:200] + b"\n-----END PRIVATE KEY-----\n", None, None),
    ),
    "a short key": (
        "1024 bits",
        lambda now: (pem(short()) + crt(certificate(short(), now)), None, None),
    ),
    "an EC key": (
        "an EC key",
        lambda now: (pem(ec.generate_private_key(ec.SECP256R1())), None, None),
    ),
    "an Ed25519 key": (
        "a key of another kind",
        lambda now: (pem(ed25519.Ed25519PrivateKey.generate()), None, None),
    ),
    "a DSA key": ("a DSA key", lambda now: (pem(dsa_key()), None, None)),
    "another key's certificate": (
        "belongs to another key",
        lambda now: (pem(KEY), crt(certificate(OTHER, now)), None),
    ),
    "an expired certificate": (
        "ended on",
        lambda now: (pem(KEY), crt(certificate(KEY, now, begins=-9, ends=-1)), None),
    ),
    "a future certificate": (
        "not valid before",
        lambda now: (pem(KEY), crt(certificate(KEY, now, begins=1)), None),
    ),
    "UTF-16": (
        "UTF-16",
        lambda now: (b"\xff\xfe" + pem(KEY).decode().encode("utf-16-le"), None, None),
    ),
    "a UTF-16 certificate": (
        "certificate file is text in UTF-16",
        lambda now: (pem(KEY), b"\xfe\xff\x00-", None),
    ),
    "a wrong passphrase": (
        "does not open with this passphrase",
        lambda now: (pem(KEY, PASSPHRASE), crt(certificate(KEY, now)), b"wrong"),
    ),
    "a wrong old passphrase": (
        "does not open with this passphrase",
        lambda now: (traditional(KEY, PASSPHRASE), crt(certificate(KEY, now)), b"wrong"),
    ),
    "a wrong passphrase of PKCS#12": (
        "does not open with this passphrase",
        lambda now: (p12(KEY, certificate(KEY, now), PASSPHRASE), None, b"wrong"),
    ),
    "no passphrase": (
        "no passphrase was given",
        lambda now: (pem(KEY, PASSPHRASE), crt(certificate(KEY, now)), None),
    ),
    "no passphrase for PKCS#12": (
        "no passphrase was given",
        lambda now: (p12(KEY, certificate(KEY, now), PASSPHRASE), None, None),
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_key_that_can_not_be_used_is_refused_in_one_sentence(case: str, now: datetime) -> None:
    words, make = BAD[case]
    with pytest.raises(KeyNotTaken, match=words) as refusal:
        read_pair(*make(now), now)
    assert refusal.value.message.count(". ") == 0
    assert refusal.value.message.endswith(".")
    assert isinstance(refusal.value, PassphraseNeeded) == ("no passphrase" in case)


def test_a_certificate_that_is_here_already_is_refused(
    sqlite: Database, tmp_path: Path, now: datetime
) -> None:
    pair = Pair(KEY, certificate(KEY, now))
    first = take(sqlite, tmp_path, pair, now)
    with pytest.raises(KeyNotTaken, match=f"here already: key {first.id}, active"):
        take(sqlite, tmp_path, pair, now)
    assert len(list((tmp_path / "certs").iterdir())) == 1


def test_an_eleventh_published_key_is_not_taken_in(
    sqlite: Database, tmp_path: Path, now: datetime
) -> None:
    with sqlite.writing() as session:
        for _ in range(MOST_PUBLISHED):
            add_row(session, now)
    with pytest.raises(KeyStepRefused, match="10"):
        take(sqlite, tmp_path, Pair(KEY, certificate(KEY, now)), now)
    assert not (tmp_path / "certs").exists()
    with sqlite.reading() as session:
        assert len(all_keys(session)) == MOST_PUBLISHED
