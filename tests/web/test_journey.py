"""From the sign-in page to the form that posts to AWS, as a browser walks it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import etree
from sqlalchemy import select

from idp.db.engine import Database
from idp.db.models import AuditEventRow
from idp.entitlements.account import Accounts
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.store import apply_rules
from tests import independent
from tests.company import (
    ACCOUNTS,
    PASSWORD,
    Company,
    attributes_of,
    make_company,
    posted_form,
    response_xml,
)
from tests.independent import SAML

DEV_ADMIN = "arn:aws:iam::111122223333:role/Administrator"
PROD_ADMIN = "arn:aws:iam::222233334444:role/Administrator"
CHINA_ADMIN = "arn:aws-cn:iam::444455556666:role/Administrator"
S3 = "https://eu-west-1.console.aws.amazon.com/s3/home?region=eu-west-1"


def events(company: Company) -> list[tuple[str, str, dict[str, object]]]:
    with company.parts.database.reading() as session:
        rows = session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq))
        return [(row.type, row.actor, json.loads(row.detail)) for row in rows]


@pytest.fixture
def company_on_both(tmp_path: Path, database_url: str) -> Iterator[Company]:
    made = make_company(tmp_path, database_url, datetime.now(UTC))
    yield made
    made.parts.database.close()


def test_the_whole_way_on_both_databases(company_on_both: Company) -> None:
    company = company_on_both
    visitor = company.visitor()
    assert visitor.get("/").headers["Location"] == "/sign-in"
    assert visitor.sign_in("ann").headers["Location"] == "/"
    portal = visitor.get("/")
    assert DEV_ADMIN in portal.text
    assert "Administrator" in portal.text

    page = visitor.open_role(DEV_ADMIN)
    xml = response_xml(company, page)
    assert attributes_of(xml) == {
        "Role": [f"{DEV_ADMIN},arn:aws:iam::111122223333:saml-provider/ExampleIdP"],
        "RoleSessionName": ["ann"],
        "SessionDuration": ["3600"],
        "PrincipalTag:Department": ["Platform"],
        "TransitiveTagKeys": ["Department"],
    }
    name_id = etree.fromstring(xml).find(f".//{SAML}NameID")
    assert name_id is not None
    assert "ann" not in (name_id.text or "")

    kind, actor, detail = events(company)[-1]
    assert (kind, actor) == ("assertion.issued", "local/ann")
    assertion = etree.fromstring(xml).find(SAML + "Assertion")
    assert assertion is not None
    assert detail["assertion_id"] == assertion.get("ID")
    assert detail["roles"] == [DEV_ADMIN]
    assert detail["session_name"] == "ann"


def test_one_role_goes_straight_through(company: Company) -> None:
    visitor = company.visitor()
    location = visitor.sign_in("bob").headers["Location"]
    form = posted_form(visitor.get(location))
    assert form["action"] == "https://signin.aws.amazon.com/saml"


def test_no_role_is_a_page_that_says_whom_to_ask(company: Company) -> None:
    visitor = company.signed_in("cleo")
    page = visitor.get("/")
    assert page.status_code == 200
    assert "cleo" in page.text
    assert company.settings.aws.contact in page.text


def test_the_persistent_name_id_stays_and_differs_between_partitions(company: Company) -> None:
    def name_id(role: str) -> str:
        page = company.signed_in("ann").open_role(role)
        found = etree.fromstring(response_xml(company, page)).findtext(f".//{SAML}NameID")
        assert found
        return found

    assert name_id(DEV_ADMIN) == name_id(PROD_ADMIN)
    assert name_id(DEV_ADMIN) != name_id(CHINA_ADMIN)


def test_a_provider_with_an_identifier_is_reached_by_it(company: Company) -> None:
    form = posted_form(company.signed_in("ann").open_role(PROD_ADMIN))
    assert form["action"] == "https://signin.aws.amazon.com/saml/acs/SAMLSP4SHN3UIS2D558H46"


def test_each_partition_is_sent_to_its_own_endpoint_and_audience(company: Company) -> None:
    page = company.signed_in("ann").open_role(CHINA_ADMIN)
    assert posted_form(page)["action"] == "https://signin.amazonaws.cn/saml"
    audience = etree.fromstring(response_xml(company, page)).findtext(f".//{SAML}Audience")
    assert audience == "urn:amazon:webservices:cn-north-1"


def test_a_link_goes_through_sign_in_to_a_role_and_a_console_page(company: Company) -> None:
    visitor = company.visitor()
    link = (
        f"/aws?account=dev&role=ReadOnly&destination={S3.replace('?', '%3F').replace('=', '%3D')}"
    )
    answer = visitor.get(link)
    next_page = parse_qs(urlsplit(answer.headers["Location"]).query)["next"][0]
    answer = visitor.sign_in("ann", next=next_page)
    form = posted_form(visitor.get(answer.headers["Location"]))
    assert form["RelayState"] == S3


@pytest.mark.parametrize(
    "link",
    ["/aws?account=dev", "/aws?role=Administrator", f"/aws?destination={S3.split('?')[0]}"],
)
def test_a_link_that_leaves_a_choice_opens_the_portal(company: Company, link: str) -> None:
    answer = company.signed_in("ann").get(link)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["Location"]).path == "/"


@pytest.mark.parametrize(
    "path",
    [
        f"/aws?account=dev&role=ReadOnly&destination={evil}"
        for evil in (
            "https://evil.example/",
            "https://console.aws.amazon.com.evil.example/",
            "javascript:alert(1)",
            "//evil.example",
        )
    ],
)
def test_a_link_leads_to_the_console_or_nowhere(company: Company, path: str) -> None:
    page = company.signed_in("ann").get(path)
    assert page.status_code == 400
    assert "SAMLResponse" not in page.text


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/sign-out",
        "/aws\r\nX: y",
        "javascript:alert(1)",
        "/aws@evil.example",
        "aws",
        "/%2f/evil.example",
    ],
)
def test_sign_in_leads_to_pages_of_ours_alone(company: Company, wanted: str) -> None:
    answer = company.visitor().sign_in("ann", next=wanted)
    assert answer.status_code in (303, 400)
    if answer.status_code == 303:
        assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(
    "role",
    [
        "arn:aws:iam::111122223333:role/Nobody",
        "arn:aws:iam::999988887777:role/Administrator",
        "x",
        DEV_ADMIN.lower(),
        DEV_ADMIN + " ",
    ],
)
def test_a_role_that_is_not_granted_is_refused_and_recorded(company: Company, role: str) -> None:
    page = company.signed_in("ann").open_role(role)
    assert page.status_code == 403
    assert "SAMLResponse" not in page.text
    assert events(company)[-1][0] == "assertion.refused"


def test_a_rule_taken_away_counts_at_once(company: Company) -> None:
    visitor = company.signed_in("ann")
    token = visitor.form_token("/")
    with company.parts.database.writing() as session:
        apply_rules(session, ())
    page = visitor.post("/aws", {"role": DEV_ADMIN, "csrf_token": token})
    assert page.status_code == 403


def test_signing_out_ends_the_session_on_the_server(company: Company) -> None:
    visitor = company.signed_in("ann")
    stolen = visitor.client.get_cookie("idp-session", domain="127.0.0.1")
    assert stolen is not None
    visitor.post("/sign-out", {"csrf_token": visitor.form_token("/")})
    thief = company.visitor()
    thief.client.set_cookie("idp-session", stolen.value, domain="127.0.0.1")
    assert thief.get("/").headers["Location"] == "/sign-in"
    assert events(company)[-1][0] == "session.ended"


def test_someone_disabled_loses_the_session_at_once(company: Company) -> None:
    visitor = company.signed_in("ann")
    company.directory.disable("ann", datetime.now(UTC))
    assert visitor.get("/").headers["Location"] == "/sign-in"
    assert visitor.sign_in("ann").status_code == 401


def test_pinned_and_recent_roles_are_remembered(company: Company) -> None:
    visitor = company.signed_in("ann")
    assert "Pinned" not in visitor.get("/").text
    token = visitor.form_token("/")
    visitor.post("/pins", {"role": PROD_ADMIN, "pinned": "1", "csrf_token": token})
    visitor.open_role(DEV_ADMIN)
    page = company.signed_in("ann").get("/").text
    assert "Pinned" in page
    assert "Recent" in page
    visitor.post("/pins", {"role": PROD_ADMIN, "pinned": "", "csrf_token": token})
    assert "Pinned" not in visitor.get("/").text


def test_searching_works_without_scripts(company: Company) -> None:
    page = company.signed_in("ann").get("/?q=readonly+prod").text
    assert "arn:aws:iam::222233334444:role/ReadOnly" in page
    assert DEV_ADMIN not in page


def test_with_the_choice_left_to_aws_all_roles_go_into_one_assertion(
    tmp_path: Path, sqlite_url: str
) -> None:
    company = make_company(
        tmp_path,
        sqlite_url,
        datetime.now(UTC),
        people=[("dora", ["readers"], {})],
        aws={"role_choice": "aws", "source_identity": "{email}"},
    )
    rules = b"""
[[rule]]
name = "readers"
groups = ["readers"]
role = ["ReadOnly", "Billing"]
accounts = ["dev", "prod"]
duration = "2h"
tags = { Kind = "reader" }
"""
    with company.parts.database.writing() as session:
        apply_rules(session, parse_rules(rules, Accounts(ACCOUNTS)))
    visitor = company.visitor()
    page = visitor.get(visitor.sign_in("dora").headers["Location"])
    sent = attributes_of(response_xml(company, page))
    assert len(sent["Role"]) == 4
    assert sent["SessionDuration"] == ["7200"]
    assert sent["SourceIdentity"] == ["dora@corp.example"]
    assert sent["PrincipalTag:Kind"] == ["reader"]
    assert posted_form(page)["action"] == "https://signin.aws.amazon.com/saml"
    company.parts.database.close()


@pytest.mark.parametrize("choice", ["portal", "aws"])
def test_no_role_ever_comes_without_the_tags_of_its_rule(
    tmp_path: Path, sqlite_url: str, choice: str
) -> None:
    """Ann's Administrator is tagged and her ReadOnly is not: one assertion can't hold both."""
    company = make_company(tmp_path, sqlite_url, datetime.now(UTC), aws={"role_choice": choice})
    visitor = company.signed_in("ann")
    token = visitor.form_token("/")
    for page in (
        visitor.get("/aws?partition=aws"),
        visitor.post("/aws", {"partition": "aws", "csrf_token": token}),
    ):
        assert page.status_code == 403
        assert "SAMLResponse" not in page.text
    china = visitor.get("/aws?partition=aws-cn")
    assert china.status_code == (200 if choice == "aws" else 403)
    company.parts.database.close()


def test_signing_in_again_ends_the_session_before(company: Company) -> None:
    visitor = company.signed_in("ann")
    before = visitor.client.get_cookie("idp-session", domain="127.0.0.1")
    assert before is not None
    thief = company.visitor()
    form = {"username": "bob", "password": PASSWORD, "csrf_token": visitor.form_token("/")}
    assert visitor.post("/sign-in", form).status_code == 303
    thief.client.set_cookie("idp-session", before.value, domain="127.0.0.1")
    assert thief.get("/").headers["Location"] == "/sign-in"


def test_a_link_to_a_search_comes_back_after_signing_in(company: Company) -> None:
    visitor = company.visitor()
    answer = visitor.get("/?q=readonly")
    wanted = parse_qs(urlsplit(answer.headers["Location"]).query)["next"][0]
    assert visitor.sign_in("ann", next=wanted).headers["Location"] == "/?q=readonly"


def test_endpoints_are_tried_in_the_configured_order(tmp_path: Path, sqlite_url: str) -> None:
    company = make_company(
        tmp_path, sqlite_url, datetime.now(UTC), aws={"endpoints": ["eu-west-1", "default"]}
    )
    visitor = company.signed_in("ann")
    first = visitor.open_role(DEV_ADMIN)
    assert posted_form(first)["action"] == "https://eu-west-1.signin.aws.amazon.com/saml"
    other = visitor.open_role(DEV_ADMIN, endpoint="default")
    assert posted_form(other)["action"] == "https://signin.aws.amazon.com/saml"
    china = visitor.open_role(CHINA_ADMIN, endpoint="eu-west-1")
    assert posted_form(china)["action"] == "https://signin.amazonaws.cn/saml"
    assert visitor.open_role(DEV_ADMIN, endpoint="cn-north-1").status_code == 400
    company.parts.database.close()


@pytest.mark.parametrize(
    ("aws", "called"),
    [
        ({"role_session_name": "{name}"}, "RoleSessionName"),
        ({"source_identity": "{name}"}, "SourceIdentity"),
    ],
)
def test_two_people_never_share_a_name(
    tmp_path: Path, database_url: str, aws: dict[str, object], called: str
) -> None:
    people: list[tuple[str, list[str], dict[str, tuple[str, ...]]]] = [
        ("ann", ["developers"], {"name": ("archer",)}),
        ("abe", ["developers"], {"name": ("Archer",)}),
    ]
    company = make_company(
        tmp_path,
        database_url,
        datetime.now(UTC),
        people=people,
        aws=aws,
    )
    role = "arn:aws:iam::111122223333:role/Developer"
    assert "SAMLResponse" in company.signed_in("ann").open_role(role).text
    second = company.signed_in("abe").open_role(role)
    assert second.status_code == 409
    assert called in second.text
    assert "SAMLResponse" not in second.text
    assert "SAMLResponse" in company.signed_in("ann").open_role(role).text
    company.parts.database.close()


def test_two_people_never_share_an_email_address_as_name_id(
    tmp_path: Path, database_url: str
) -> None:
    company = make_company(
        tmp_path, database_url, datetime.now(UTC), aws={"name_id_format": "emailAddress"}
    )
    role = "arn:aws:iam::111122223333:role/Developer"
    company.directory.add(
        "bobby",
        email="BOB@corp.example",
        groups=["developers"],
        password=PASSWORD,
        now=datetime.now(UTC),
    )
    assert "SAMLResponse" in company.signed_in("bob").open_role(role).text
    second = company.signed_in("bobby").open_role(role)
    assert second.status_code == 409
    assert "NameID" in second.text
    assert "SAMLResponse" not in second.text
    company.parts.database.close()


@pytest.mark.parametrize(
    "value",
    ["</saml:AttributeValue>", "<!--", "]]>", "\u202eevil", "\U0001f511", "R&D", "x" * 257, " x"],
)
def test_a_value_that_aws_refuses_is_told_and_never_signed(
    tmp_path: Path, sqlite_url: str, value: str
) -> None:
    company = make_company(
        tmp_path,
        sqlite_url,
        datetime.now(UTC),
        people=[("ann", ["platform"], {"department": (value,)})],
        aws={"role_session_name": "{department}"},
    )
    visitor = company.signed_in("ann")
    portal = visitor.get("/")
    assert "Department" in portal.text
    assert visitor.open_role(DEV_ADMIN).status_code == 403
    # ReadOnly carries no tags, but the session name comes from the same attribute.
    page = visitor.open_role(DEV_ADMIN.replace("Administrator", "ReadOnly"))
    assert page.status_code == 400
    assert "RoleSessionName" in page.text
    assert "department" in page.text
    assert "SAMLResponse" not in page.text
    company.parts.database.close()


@pytest.mark.parametrize(
    ("name_format", "expected"),
    [("emailAddress", "ann@corp.example"), ("unspecified", "ann")],
)
def test_other_name_id_formats_are_a_setting(
    tmp_path: Path, sqlite_url: str, name_format: str, expected: str
) -> None:
    company = make_company(
        tmp_path,
        sqlite_url,
        datetime.now(UTC),
        saml={"digest": "sha512"},
        aws={"name_id_format": name_format, "sign_response": True},
    )
    xml = response_xml(company, company.signed_in("ann").open_role(DEV_ADMIN))
    name_id = etree.fromstring(xml).find(f".//{SAML}NameID")
    assert name_id is not None
    assert name_id.text == expected
    assert str(name_id.get("Format")).endswith(name_format)
    assert independent.verify_with_xmlsec(xml, company.certificate) == 2
    company.parts.database.close()


def test_nothing_secret_reaches_the_audit_trail(company: Company) -> None:
    visitor = company.visitor()
    visitor.sign_in("ann", password="a wrong password")
    visitor.sign_in("ann")
    page = visitor.open_role(DEV_ADMIN)
    signature = posted_form(page)["SAMLResponse"]
    cookie = visitor.client.get_cookie("idp-session", domain="127.0.0.1")
    assert cookie is not None
    with company.parts.database.reading() as session:
        everything = " ".join(
            f"{row.actor} {row.detail}" for row in session.scalars(select(AuditEventRow))
        )
    for secret in ("a wrong password", PASSWORD, signature[:60], cookie.value):
        assert secret not in everything


def test_no_answer_without_an_audit_row(company: Company, sqlite: Database) -> None:
    """If the trail can't be written, nothing is signed for anybody."""
    visitor = company.signed_in("ann")
    token = visitor.form_token("/")
    with company.parts.database.writing() as session:
        session.connection().exec_driver_sql("DROP TABLE audit_events")
    page = visitor.post("/aws", {"role": DEV_ADMIN, "csrf_token": token})
    assert page.status_code == 503
    assert "SAMLResponse" not in page.text
