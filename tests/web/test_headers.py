"""What goes along with every page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from idp.db.models import AuditEventRow
from idp.settings import ServerSettings
from tests.company import Company, Visitor, make_company

PAGES = ("/", "/for-admins", "/for-admins/keys", "/signed-out", "/nothing")
DEV_ADMIN = "arn:aws:iam::111122223333:role/Administrator"


def directives(policy: str) -> dict[str, list[str]]:
    return {words[0]: words[1:] for words in (part.split() for part in policy.split(";"))}


@pytest.mark.parametrize("path", ["/", "/sign-in", "/for-admins", "/for-admins/keys", "/nothing"])
def test_every_answer_is_guarded(company: Company, path: str) -> None:
    headers = company.signed_in("ann").get(path).headers
    policy = directives(headers["Content-Security-Policy"])
    assert policy["default-src"] == ["'none'"]
    assert policy["script-src"] == ["'self'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/sign-in", "/signed-out", "/nothing"])
def test_pages_are_not_kept_by_caches(company: Company, path: str) -> None:
    assert company.signed_in("ann").get(path).headers["Cache-Control"] == "no-store"


def test_the_assertion_page_posts_to_its_endpoint_and_is_never_cached(company: Company) -> None:
    """AWS's hosts stand there too: Chromium counts redirects after a form among its targets."""
    headers = company.signed_in("ann").open_role(DEV_ADMIN).headers
    assert headers["Cache-Control"] == "no-store"
    assert directives(headers["Content-Security-Policy"])["form-action"] == [
        "https://signin.aws.amazon.com/saml",
        "https://*.signin.aws.amazon.com",
        "https://console.aws.amazon.com",
        "https://*.console.aws.amazon.com",
    ]


def test_no_page_holds_inline_code_or_style(company: Company) -> None:
    visitor = company.signed_in("ann")
    pages = [visitor.get(path).text for path in PAGES]
    pages += [company.visitor().get("/sign-in").text, visitor.open_role(DEV_ADMIN).text]
    for page in pages:
        assert "<style" not in page
        assert " style=" not in page
        assert "<script>" not in page
        assert " onclick" not in page
        assert "<title>" in page


def test_over_tls_cookies_are_held_to_the_host_and_the_browser_to_tls(
    tmp_path: Path, sqlite_url: str
) -> None:
    company = make_company(
        tmp_path, sqlite_url, datetime.now(UTC), server={"base_url": "https://idp.example.com"}
    )
    visitor = company.visitor()
    page = visitor.get("/sign-in", headers={"Referer": "https://idp.example.com/"})
    assert "max-age" in page.headers["Strict-Transport-Security"]
    token = page.text.split('name="csrf_token"')[1].split('value="')[1].split('"')[0]
    form = {"username": "ann", "password": "correct horse battery staple", "csrf_token": token}
    answer = visitor.post("/sign-in", form, headers={"Referer": "https://idp.example.com/sign-in"})
    cookies = [*page.headers.getlist("Set-Cookie"), *answer.headers.getlist("Set-Cookie")]
    named = {cookie.split("=")[0] for cookie in cookies}
    assert named == {"__Host-idp-form", "__Host-idp-session", "__Host-idp-browser"}
    for cookie in cookies:
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert "Domain" not in cookie
    company.parts.database.close()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("HTTPS://IDP.Example.com:443/", "https://idp.example.com"),
        ("http://LOCALHOST:80/idp/", "http://localhost/idp"),
        ("https://idp.example.com:8443", "https://idp.example.com:8443"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_is_kept_as_browsers_send_it(written: str, meant: str) -> None:
    assert ServerSettings(base_url=written).base_url == meant


def test_it_works_below_a_path_whether_or_not_the_proxy_cuts_it_off(
    tmp_path: Path, sqlite_url: str
) -> None:
    company = make_company(
        tmp_path, sqlite_url, datetime.now(UTC), server={"base_url": "http://127.0.0.1:8080/idp"}
    )
    visitor = company.visitor()
    for path in ("/idp/sign-in", "/sign-in"):
        page = visitor.get(path)
        assert page.status_code == 200
        assert 'action="/idp/sign-in"' in page.text
        assert "/idp/static/idp.css" in page.text
    company.parts.database.close()


def test_the_address_of_a_visitor_is_taken_from_trusted_proxies_only(
    tmp_path: Path, sqlite_url: str
) -> None:
    company = make_company(tmp_path, sqlite_url, datetime.now(UTC))

    def attempt() -> str:
        visitor = company.visitor()
        form = {"username": "ann", "password": "x" * 20, "csrf_token": visitor.form_token()}
        visitor.post("/sign-in", form, headers={"X-Forwarded-For": "203.0.113.9"})
        with company.parts.database.reading() as session:
            rows = session.scalars(select(AuditEventRow).order_by(AuditEventRow.seq.desc()))
            return next(iter(rows)).address

    assert attempt() == "127.0.0.1"
    company.parts.database.close()


def test_metadata_is_served_with_an_etag(company: Company) -> None:
    visitor: Visitor = company.visitor()
    first = visitor.get("/metadata")
    assert first.content_type.startswith("application/samlmetadata+xml")
    again = visitor.get("/metadata", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    download = visitor.get("/metadata/download")
    assert download.data == first.data
    assert "attachment" in download.headers["Content-Disposition"]
