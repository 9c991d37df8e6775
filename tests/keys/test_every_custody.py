"""What holds wherever the private key is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from idp.checks import Severity, check_all
from idp.db.engine import Database
from idp.db.models import SigningKeyRow
from idp.keys.certificate import self_signed
from idp.keys.custody import open_signer
from idp.keys.delegated_key import DelegatedKey
from idp.keys.new_key import generated_key
from idp.keys.publication import publish_metadata
from idp.keys.store import active_key
from idp.saml.response import build_response
from idp.saml.signature import ALGORITHMS
from idp.settings import Settings
from tests import independent
from tests.company import make_company, response_xml
from tests.conftest import require_program
from tests.making import NOON, generate_key, memory_key, statement
from tests.servers.kms import Kms
from tests.servers.postgresql import free_port
from tests.servers.softhsm import SoftHsm

ADMINISTRATOR = "arn:aws:iam::111122223333:role/Administrator"


@pytest.fixture
def settings(key_settings: dict[str, Any], tmp_path: Path) -> Settings:
    return Settings.model_validate({"data_folder": tmp_path, "keys": key_settings})


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
def test_everybody_verifies_what_it_signs(
    sqlite: Database, settings: Settings, custody: str, digest: str, tmp_path: Path
) -> None:
    program = require_program("xmlsec1", "xmlsec1")
    with sqlite.writing() as session:
        key = generate_key(session, settings, now=NOON, custody=custody)
    signer = open_signer(key, settings)
    xml = build_response(statement(), signer, ALGORITHMS[digest], sign_response=True).xml
    assert independent.verify_with_xmlsec(xml, key.certificate) == 2
    assert independent.verify_with_signxml(xml, key.certificate) == 2
    assert independent.verify_with_xmlsec1(program, xml, key.certificate, tmp_path)
    assert not independent.verify_with_xmlsec1(
        program, xml.replace(b"role,provider", b"role,another"), key.certificate, tmp_path
    )


def test_a_person_signs_in_and_the_parts_know_of_the_key(
    sqlite_url: str, key_settings: dict[str, Any], custody: str, tmp_path: Path
) -> None:
    company = make_company(
        tmp_path,
        sqlite_url,
        datetime.now(UTC),
        custody=custody,
        keys=key_settings,
        saml={"sign_metadata": True},
    )
    page = company.signed_in("ann").open_role(ADMINISTRATOR)
    response_xml(company, page)

    metadata = company.visitor().get("/metadata").data
    assert independent.verify_with_xmlsec(metadata, company.certificate) == 1
    assert company.visitor().get("/readyz").json == {
        "ready": True,
        "parts": {"database": "ok", "signing_key": "ok", "directories": "ok"},
    }
    found = {each.subject: each for each in check_all(company.settings, datetime.now(UTC))}
    assert found["signing key"].severity is Severity.WARNING, found  # 30 days, so it ends soon


def test_the_certificate_is_the_keys_own(
    sqlite: Database, settings: Settings, custody: str
) -> None:
    with sqlite.writing() as session:
        generate_key(session, settings, now=NOON, custody=custody)
    with sqlite.reading() as session:
        key = active_key(session)
        published = publish_metadata(session, settings, NOON)
    key.certificate.verify_directly_issued_by(key.certificate)
    assert key.custody == custody
    assert key.bits == settings.keys.rsa_bits == 2048
    assert key.certificate_base64 in published.xml.decode()


def test_a_key_whose_row_is_not_committed_goes_again(
    request: pytest.FixtureRequest, sqlite: Database, settings: Settings, custody: str
) -> None:
    class Changed(Exception):
        pass

    def begin() -> str:
        with (
            generated_key(sqlite, settings, now=NOON, custody=custody) as new,
            sqlite.writing() as session,
        ):
            new.write_down(session)
            assert left(request, settings, custody) == 1
            raise Changed

    with pytest.raises(Changed):
        begin()
    with sqlite.reading() as session:
        assert session.scalar(select(func.count()).select_from(SigningKeyRow)) == 0
    assert left(request, settings, custody) == 0


def left(request: pytest.FixtureRequest, settings: Settings, custody: str) -> int:
    """How many usable private keys are there."""
    if custody == "file":
        return len(list(settings.keys.folder.glob("*.key")))
    if custody == "pkcs11":
        token: SoftHsm = request.getfixturevalue("softhsm")
        count = "print(len(list(session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY}))))"
        return int(token.elsewhere("00", count))
    kms: Kms = request.getfixturevalue("kms")
    keys = [kms.ask("DescribeKey", KeyId=each["KeyId"]) for each in kms.ask("ListKeys")["Keys"]]
    return sum(key["KeyMetadata"]["KeyState"] == "Enabled" for key in keys)


def test_a_transaction_that_can_not_begin_leaves_no_key(
    request: pytest.FixtureRequest, sqlite: Database, settings: Settings, custody: str
) -> None:
    nowhere = Database(f"postgresql://idp@127.0.0.1:{free_port()}/idp")
    with (
        pytest.raises(OperationalError),
        generated_key(sqlite, settings, now=NOON, custody=custody) as new,
        nowhere.writing() as session,
    ):
        new.write_down(session)
    assert left(request, settings, custody) == 0


def test_a_delegated_key_signs_certificates_and_gives_nothing_away() -> None:
    private = memory_key().private
    asked: list[str] = []

    def elsewhere(data: bytes, digest: str) -> bytes:
        asked.append(digest)
        return memory_key().sign(data, digest)

    key = DelegatedKey(private.public_key(), elsewhere)
    certificate = self_signed(key, "elsewhere", NOON, NOON - NOON.replace(year=2025))
    certificate.verify_directly_issued_by(certificate)
    assert isinstance(certificate, x509.Certificate)
    assert (asked, key.key_size) == (["sha256"], 2048)
    assert isinstance(key, rsa.RSAPrivateKey)
    with pytest.raises(TypeError, match="held elsewhere"):
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TypeError, match="held elsewhere"):
        key.private_numbers()
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    for wrong in ((pss, hashes.SHA256()), (padding.PKCS1v15(), hashes.SHA1())):
        with pytest.raises(TypeError, match=r"PKCS#1 v1\.5"):
            key.sign(b"data", *wrong)
