"""The page: paste a response, read what AWS would say. Nothing of it is kept."""

from __future__ import annotations

import html
import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from tests.company import Company, Visitor, posted_form
from tests.preflight.test_hostile_input import NOT_A_RESPONSE, UNREADABLE
from tests.sandbox.maker import PROVIDER, Recipe, metadata

ADMIN = "arn:aws:iam::111122223333:role/Administrator"


@pytest.fixture
def ann(company: Company) -> Visitor:
    return company.signed_in("ann")


def paste(visitor: Visitor, **fields: str) -> TestResponse:
    return visitor.post("/preflight", fields | {"csrf_token": visitor.form_token("/preflight")})


def text(page: TestResponse) -> str:
    return html.unescape(page.text)


def test_it_is_for_people_who_are_signed_in(company: Company) -> None:
    visitor = company.visitor()
    answer = visitor.get("/preflight")
    assert answer.status_code == 303
    assert answer.location.endswith("/sign-in?next=/preflight")
    token = visitor.form_token()
    answer = visitor.post("/preflight", {"response": "x", "csrf_token": token})
    assert answer.status_code == 303
    back = visitor.sign_in("ann", next="/preflight")
    assert back.location.endswith("/preflight")
    assert visitor.get("/preflight").status_code == 200


def test_the_page_for_iam_admins_leads_to_it(company: Company) -> None:
    assert 'href="/preflight"' in company.visitor().get("/for-admins").text


def test_a_response_of_ours_needs_no_metadata(ann: Visitor) -> None:
    page = paste(ann, response=posted_form(ann.open_role(ADMIN))["SAMLResponse"])
    assert page.status_code == 200
    assert "AWS would take this." in text(page)
    assert "What to change" not in text(page)


def test_each_broken_rule_is_told_with_what_to_change(ann: Visitor) -> None:
    recipe = Recipe(audience="urn:other").adding(PrincipalTag__Team=("blue",))
    trust = (
        f'{{"Statement": {{"Effect": "Allow", "Principal": {{"Federated": "{PROVIDER}"}}, '
        '"Action": "sts:AssumeRoleWithSAML"}}'
    )
    page = text(
        paste(
            ann,
            response=recipe.text(),
            metadata=metadata(),
            trust_policy=trust,
            as_issued="yes",
        )
    )
    assert "AWS would refuse this: InvalidIdentityToken: Your request" not in page
    assert 'id="broken-audience"' in page
    assert 'id="broken-trust-policy-tags"' in page
    assert "urn:other" in page
    assert "Add sts:TagSession" in page
    assert 'id="broken-five-minutes"' not in page


def test_it_works_without_a_script_and_names_no_other_site(ann: Visitor) -> None:
    page = paste(ann, response=Recipe().text())
    assert "<script" not in page.text
    assert page.headers["Content-Security-Policy"].endswith("form-action 'self'")


@pytest.mark.parametrize("field", ["response", "trust_policy", "role"])
def test_a_field_that_can_not_be_used_is_named(ann: Visitor, field: str) -> None:
    fields = {"response": Recipe().text(), field: "<nonsense>" if field != "response" else "{}"}
    page = paste(ann, **fields)
    assert page.status_code == 400
    assert f'href="#{field}"' in page.text
    assert f'id="{field}-error"' in page.text
    assert "<nonsense>" not in page.text


@pytest.mark.parametrize(
    "given", NOT_A_RESPONSE + UNREADABLE, ids=range(len(NOT_A_RESPONSE + UNREADABLE))
)
def test_hostile_input_gets_a_page(ann: Visitor, given: bytes) -> None:
    token = ann.form_token("/preflight")
    for field in ("response", "metadata", "trust_policy"):
        answer = ann.post("/preflight", {"response": "abcd", field: given, "csrf_token": token})
        assert answer.status_code in (200, 400, 413)
        assert "Traceback" not in answer.text
        assert "<!ENTITY" not in answer.text


def test_a_response_of_the_largest_size_fits_and_a_larger_body_does_not(ann: Visitor) -> None:
    roles = tuple(f"arn:aws:iam::111122223333:role/Role{n},{PROVIDER}" for n in range(530))
    large = Recipe().adding(Role=roles).text()
    assert 90_000 < len(large) <= 100_000
    page = paste(ann, response=large, metadata=metadata(), as_issued="yes")
    assert page.status_code == 200
    assert "signature verifies" in page.text
    assert paste(ann, response="A" * 700_000).status_code == 413
    assert ann.post("/pins", {"role": "A" * 100_000}).status_code == 413


def test_a_form_of_another_site_is_refused(ann: Visitor) -> None:
    assert ann.post("/preflight", {"response": Recipe().text()}).status_code == 400


def test_nothing_that_is_pasted_is_stored_or_logged(
    company: Company, ann: Visitor, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    marker = f"secret-{datetime.now(UTC):%H%M%S%f}@corp.example"
    recipe = Recipe(now=datetime.now(UTC)).adding(RoleSessionName=(marker,))
    with caplog.at_level(logging.DEBUG):
        page = paste(ann, response=recipe.text(), metadata=metadata() + f"<!--{marker}-->")
    assert marker in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert not [record for record in caplog.records if marker in str(record.__dict__)]
    company.parts.database.close()
    held = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert held
    assert not [path for path in held if marker.encode() in path.read_bytes()]
