"""IAM's SAML providers: what is taken, what is refused and in which words."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from idp.sandbox.judge import read_metadata
from tests.sandbox import maker
from tests.sandbox.account import Account, Running
from tests.sandbox.maker import keys, metadata


@pytest.fixture
def empty(running: Running) -> Account:
    """An account in which there is nothing."""
    running.clock.reset()
    return Account.fresh(running)


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as problem:
        call(**arguments)
    error = problem.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_provider_is_created_read_listed_and_deleted(empty: Account) -> None:
    made = empty.iam.create_saml_provider(
        Name="ExampleIdP", SAMLMetadataDocument=metadata(), Tags=[{"Key": "a", "Value": "b"}]
    )
    assert made["SAMLProviderArn"] == empty.provider
    assert made["Tags"] == [{"Key": "a", "Value": "b"}]
    found = empty.iam.get_saml_provider(SAMLProviderArn=empty.provider)
    assert found["SAMLMetadataDocument"] == metadata()
    assert re.fullmatch(r"[A-Z0-9]{22,64}", found["SAMLProviderUUID"])
    assert found["ValidUntil"] > found["CreateDate"]
    listed = empty.iam.list_saml_providers()["SAMLProviderList"]
    assert [each["Arn"] for each in listed] == [empty.provider]
    empty.iam.tag_saml_provider(SAMLProviderArn=empty.provider, Tags=[{"Key": "c", "Value": ""}])
    empty.iam.untag_saml_provider(SAMLProviderArn=empty.provider, TagKeys=["a"])
    tags = empty.iam.list_saml_provider_tags(SAMLProviderArn=empty.provider)["Tags"]
    assert tags == [{"Key": "c", "Value": ""}]
    empty.iam.delete_saml_provider(SAMLProviderArn=empty.provider)
    code, _ = refused(empty.iam.get_saml_provider, SAMLProviderArn=empty.provider)
    assert code == "NoSuchEntity"


def test_an_update_may_change_the_keys(account: Account) -> None:
    new = account.recipe()
    text = maker.Recipe(
        now=new.now, endpoint=new.endpoint, attributes=new.attributes, signing="next"
    ).text()
    assert account.post(text).status == 400
    both = metadata(keys().certificate_text, keys("next").certificate_text)
    account.iam.update_saml_provider(SAMLProviderArn=account.provider, SAMLMetadataDocument=both)
    assert account.post(text).status == 200
    assert account.post(account.recipe().text()).status == 200


BAD_DOCUMENTS = [
    "\ufeff" + metadata(),
    metadata().replace("EntityDescriptor", "Entity"),
    metadata().replace("IDPSSODescriptor", "SPSSODescriptor"),
    metadata()[:-1],
    "<!DOCTYPE a>" + metadata(),
    metadata("bm90IGEgY2VydA=="),
    metadata(use='use="encryption"'),
    metadata(keys("small", 1023 + 1).certificate_text).replace("entityID", "entityId"),
    "x" * 2000,
]


@pytest.mark.parametrize("document", BAD_DOCUMENTS)
def test_metadata_that_cannot_be_used_is_refused(empty: Account, document: str) -> None:
    code, words = refused(
        empty.iam.create_saml_provider, Name="ExampleIdP", SAMLMetadataDocument=document
    )
    assert (code, words) == ("InvalidInput", "Could not parse metadata")


def test_a_key_that_is_not_rsa_is_named() -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ec")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, private.public_key(), 1, day, day)
        .sign(private, SHA256())
        .public_bytes(Encoding.DER)
    )
    provider, checks = read_metadata(metadata(base64.b64encode(certificate).decode()))
    assert provider is None
    assert [check.name for check in checks if check.passed is False] == ["metadata-key-size"]


def test_metadata_of_a_good_provider_passes_every_rule() -> None:
    provider, checks = read_metadata(metadata(), "arn")
    assert provider is not None
    assert (provider.entity_id, provider.arn, len(provider.keys)) == (maker.ISSUER, "arn", 1)
    assert all(check.passed for check in checks)


def test_limits_of_providers_and_keys(empty: Account) -> None:
    eleven = metadata(*[keys().certificate_text] * 11)
    create = empty.iam.create_saml_provider
    assert refused(create, Name="Many", SAMLMetadataDocument=eleven)[0] == "LimitExceeded"
    create(Name="Ten", SAMLMetadataDocument=metadata(*[keys().certificate_text] * 10))
    for number in range(99):
        create(Name=f"P{number}", SAMLMetadataDocument=metadata())
    code, words = refused(create, Name="TooMany", SAMLMetadataDocument=metadata())
    assert code == "LimitExceeded"
    assert "100" in words


def test_a_name_can_be_taken_once(account: Account) -> None:
    create = account.iam.create_saml_provider
    code, _ = refused(create, Name="ExampleIdP", SAMLMetadataDocument=metadata())
    assert code == "EntityAlreadyExists"


def test_another_account_s_provider_is_out_of_reach(account: Account, empty: Account) -> None:
    code, _ = refused(empty.iam.delete_saml_provider, SAMLProviderArn=account.provider)
    assert code == "NoSuchEntity"


def test_private_keys_for_encryption(account: Account) -> None:
    update = account.iam.update_saml_provider
    arn = account.provider
    pem = keys("encryption").private_pem.decode()
    required = "Unable to set assertion encryption mode to Required because no private key"
    refusals = [
        ({}, "Unable to update identity provider. No updates are defined for metadata or "),
        ({"AssertionEncryptionMode": "Required"}, required),
        ({"AddPrivateKey": "rubbish"}, "Invalid private key."),
        (
            {"AddPrivateKey": pem, "RemovePrivateKey": "A" * 22},
            "Unable to add and remove private keys in the same request",
        ),
        (
            {"RemovePrivateKey": "A" * 22},
            "Failed to remove private key because the Key ID does not match a private key.",
        ),
    ]
    for arguments, words in refusals:
        assert refused(update, SAMLProviderArn=arn, **arguments)[1].startswith(words)
    update(SAMLProviderArn=arn, AddPrivateKey=pem, AssertionEncryptionMode="Required")
    update(SAMLProviderArn=arn, AddPrivateKey=pem)
    words = refused(update, SAMLProviderArn=arn, AddPrivateKey=pem)[1]
    assert words == "Private key limit of 2 is reached."
    held = account.iam.get_saml_provider(SAMLProviderArn=arn)
    assert held["AssertionEncryptionMode"] == "Required"
    first, second = (key["KeyId"] for key in held["PrivateKeyList"])
    update(SAMLProviderArn=arn, RemovePrivateKey=first)
    words = refused(update, SAMLProviderArn=arn, RemovePrivateKey=second)[1]
    assert words == "Failed to remove private key."
