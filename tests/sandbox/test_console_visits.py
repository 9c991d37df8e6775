"""The console page is for those who hold the random id of a visit."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import pytest

from tests.sandbox.account import Account, Running, post

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def visit_of(account: Account) -> str:
    """Sign in, and give the path of the console page."""
    place = urlsplit(account.sandbox.address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
    fields = urlencode({"SAMLResponse": account.recipe().text()})
    try:
        connection.request("POST", "/saml", fields, FORM)
        answer = connection.getresponse()
        assert answer.status == 303
        return urlsplit(answer.headers["Location"]).path
    finally:
        connection.close()


@pytest.mark.parametrize("visit", ["x", "0", "a" * 22, "None", "%00", "..", "x/y"])
def test_an_unknown_visit_is_answered_404_with_words(running: Running, visit: str) -> None:
    page = post(running.address, f"/console/{visit}", "", method="GET")
    assert page.status == 404
    assert "<h1>" in page.body
    assert "Nobody is signed in" in page.body or "There is nothing at this address" in page.body


def test_the_page_is_shown_for_its_visit_and_no_other(account: Account) -> None:
    path = visit_of(account)
    shown = "assumed-role/Developer/ann@example.com"
    assert shown in post(account.sandbox.address, path, "", method="GET").body
    without, _, visit = path.rpartition("/")
    assert len(visit) >= 22  # 128 bits in base64
    other = ("B" if visit[0] == "A" else "A") + visit[1:]
    for wrong in (other, visit[:-1], visit + "A", visit.swapcase()):
        page = post(account.sandbox.address, f"{without}/{wrong}", "", method="GET")
        assert page.status == 404
        assert "Nobody is signed in to this console." in page.body
        assert shown not in page.body
    for bare in (without, without + "/"):
        page = post(account.sandbox.address, bare, "", method="GET")
        assert page.status == 404
        assert shown not in page.body


def test_each_sign_in_is_a_visit_of_its_own(account: Account) -> None:
    assert visit_of(account) != visit_of(account)
