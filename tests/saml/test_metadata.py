"""Our metadata is what IAM and other service providers can read."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree
from saml2.mdstore import InMemoryMetaData

from idp.saml.metadata import (
    SMALLEST_FOR_IAM,
    IdentityProviderDescription,
    build_metadata,
)
from idp.saml.signature import ALGORITHMS
from tests import independent
from tests.independent import DS
from tests.making import NOON, memory_key

DESCRIPTION = IdentityProviderDescription(
    entity_id="https://idp.example.com/metadata",
    sso_url="https://idp.example.com/sso",
    organization='Exämple & "Sons" <Ltd>',
    organization_url="https://idp.example.com/",
    certificates=[memory_key().certificate, memory_key(number=2).certificate],
)


@pytest.mark.parametrize("valid_for", [None, timedelta(days=30)])
@pytest.mark.parametrize("signed", [False, True])
def test_it_is_valid_utf8_without_a_bom_and_long_enough(
    valid_for: timedelta | None, signed: bool
) -> None:
    description = replace(DESCRIPTION, valid_until=NOON + valid_for if valid_for else None)
    key = memory_key()
    xml = build_metadata(description, key if signed else None, ALGORITHMS["sha256"])
    independent.assert_valid_metadata(xml)
    assert xml.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert len(xml.decode("utf-8")) >= SMALLEST_FOR_IAM
    if signed:
        assert independent.verify_with_xmlsec(xml, key.x509) == 1
        assert independent.verify_with_signxml(xml, key.x509) == 1


def test_pysaml2_finds_all_keys_and_the_address_in_it() -> None:
    store = InMemoryMetaData(None, None)
    store.parse(build_metadata(DESCRIPTION))
    entity = store[DESCRIPTION.entity_id]
    descriptor = entity["idpsso_descriptor"][0]
    found = [
        key["key_info"]["x509_data"][0]["x509_certificate"]["text"]
        for key in descriptor["key_descriptor"]
    ]
    assert found == list(DESCRIPTION.certificates)
    assert descriptor["single_sign_on_service"][0]["location"] == DESCRIPTION.sso_url


def test_one_key_is_long_enough_for_iam() -> None:
    one = replace(DESCRIPTION, certificates=[memory_key().certificate])
    assert len(build_metadata(one)) >= SMALLEST_FOR_IAM


def test_the_same_keys_give_the_same_bytes() -> None:
    assert build_metadata(DESCRIPTION) == build_metadata(DESCRIPTION)
    certificates = [
        element.text
        for element in etree.fromstring(build_metadata(DESCRIPTION)).iter(DS + "X509Certificate")
    ]
    assert certificates == list(DESCRIPTION.certificates)
