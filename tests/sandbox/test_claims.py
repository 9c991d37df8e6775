"""Claims come from the assertion that is judged, not from what stands unsigned around it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from idp.sandbox.judge import RolePair, read_claims
from tests.sandbox.account import Account
from tests.sandbox.maker import AWS, PROVIDER, ROLE, A, P, Recipe, add, encode

OTHER_ROLE = ROLE.replace("arn:aws:", "arn:aws-cn:")
OTHER_PROVIDER = PROVIDER.replace("ExampleIdP", "Other")


def role_attribute(*values: str) -> etree._Element:
    attribute = etree.Element(A + "Attribute", {"Name": AWS + "Role"})
    for value in values:
        add(attribute, A + "AttributeValue", value)
    return attribute


def put_in_extensions(root: etree._Element, value: str) -> None:
    """Before the assertion, where the first one found would be this."""
    extensions = etree.Element(P + "Extensions")
    extensions.append(role_attribute(value))
    root.insert(1, extensions)


def put_in_status_detail(root: etree._Element, value: str) -> None:
    status = root.find(P + "Status")
    assert status is not None
    add(status, P + "StatusDetail").append(role_attribute(value))


def put_under_the_response(root: etree._Element, value: str) -> None:
    add(root, A + "AttributeStatement").append(role_attribute(value))


def put_in_the_signature(root: etree._Element, value: str) -> None:
    signature = root.find(f"{A}Assertion/{{http://www.w3.org/2000/09/xmldsig#}}Signature")
    assert signature is not None
    add(signature, "{http://www.w3.org/2000/09/xmldsig#}Object").append(role_attribute(value))


PLACES = [
    put_in_extensions,
    put_in_status_detail,
    put_under_the_response,
    put_in_the_signature,
]


@pytest.mark.parametrize("put", PLACES)
def test_a_role_outside_the_assertion_is_no_claim(put: object) -> None:
    assert callable(put)
    root = Recipe().signed()
    put(root, f"{OTHER_ROLE},{OTHER_PROVIDER}")
    pairs = read_claims(encode(root)).pairs
    assert [(str(pair.role), str(pair.provider)) for pair in pairs] == [(ROLE, PROVIDER)]
    assert all(isinstance(pair, RolePair) for pair in pairs)


def test_an_assertion_elsewhere_or_a_second_one_claims_nothing() -> None:
    nested = Recipe().signed()
    assertion = nested.find(A + "Assertion")
    assert assertion is not None
    add(nested, P + "Extensions").append(assertion)
    assert read_claims(encode(nested)).pairs == ()
    twice = Recipe().signed()
    twice.append(Recipe().build()[-1])
    assert read_claims(encode(twice)).pairs == ()


def test_a_recipient_outside_the_subject_is_no_claim() -> None:
    root = Recipe().signed()
    assertion = root.find(A + "Assertion")
    assert assertion is not None
    advice = etree.Element(A + "Advice")
    add(advice, A + "SubjectConfirmationData", Recipient="https://evil.example/saml")
    assertion.insert(1, advice)
    assert read_claims(encode(root)).recipient == Recipe().endpoint


def test_extensions_can_not_choose_the_partition(account: Account) -> None:
    """An unsigned role of aws-cn must not make the audience of aws-cn right for a role of aws."""
    recipe = replace(account.recipe(), audience="urn:amazon:webservices:cn-north-1")
    plain = account.post(recipe.text())
    root = recipe.signed()
    role = account.role().replace("arn:aws:", "arn:aws-cn:")
    put_in_extensions(root, f"{role},{account.provider}")
    bent = account.post(encode(root))
    assert plain.status == bent.status == 400
    assert bent.body == plain.body


def test_extensions_can_not_choose_the_provider(account: Account) -> None:
    """Nor may they shut anybody out: the signed assertion alone says who vouches."""
    root = account.recipe().signed()
    account.iam.create_saml_provider(
        Name="Other",
        SAMLMetadataDocument=account.iam.get_saml_provider(SAMLProviderArn=account.provider)[
            "SAMLMetadataDocument"
        ],
    )
    other = account.provider.replace("ExampleIdP", "Other")
    put_in_extensions(root, f"{account.role()},{other}")
    page = account.post(encode(root))
    assert page.status == 200
    assert "assumed-role/Developer/ann@example.com" in page.body
