"""The picture of the keys in time, and the page for a key that can't be used."""

from __future__ import annotations

import base64
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import html
from sqlalchemy import update
from werkzeug.test import TestResponse

from idp.db.models import SigningKeyRow
from idp.keys.lifecycle import activate, retire, revoke
from idp.keys.store import active_key, all_keys
from idp.keys.timeline import timeline
from idp.web.signing_keys import drawn, ticks
from tests.company import Company, posted_form
from tests.making import generate_key

DEV_ADMIN = "arn:aws:iam::111122223333:role/Administrator"
PAGE = "/for-admins/keys"


def add_history(company: Company) -> list[str]:
    """A retired, a revoked, an active and a next key, by three admins."""
    now = datetime.now(UTC)
    made = []
    with company.parts.database.writing() as session:
        made.append(active_key(session).id)
        long_ago = now - timedelta(days=40)
        session.execute(update(SigningKeyRow).values(created_at=long_ago, activated_at=long_ago))
        for days in (30, 20, 10):
            at = now - timedelta(days=days)
            key = generate_key(session, company.settings, now=at, actor="cli/root", days=365)
            made.append(key.id)
        activate(session, made[1], now - timedelta(days=25), "cli/anna")
        retire(session, made[0], now - timedelta(days=22), "cli/anna")
        activate(session, made[2], now - timedelta(days=15), "cli/otto")
        revoke(session, made[1], now - timedelta(days=12), "cli/otto", "a disk was lost")
    return made


def test_the_page_is_for_signed_in_people_and_comes_back_to_them(company: Company) -> None:
    answer = company.visitor().get(PAGE)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/sign-in?next={PAGE}"
    signed_in = company.visitor().sign_in("ann", next=PAGE)
    assert signed_in.headers["Location"] == PAGE
    assert PAGE in company.visitor().get("/for-admins").text


def test_picture_and_table_say_the_same(company: Company) -> None:
    ids = add_history(company)
    page: Any = html.fromstring(company.signed_in("ann").get(PAGE).text)
    (picture,) = page.xpath('//figure/*[local-name()="svg"][@role="img"]')
    names = picture.get("aria-labelledby").split()
    assert all(page.xpath(f'//*[@id="{name}"]')[0].text_content() for name in names)
    labels = [
        " ".join(each.text_content().split()) for each in picture.xpath('.//*[@class="key-name"]')
    ]
    states = ["next", "active", "revoked", "retired"]
    assert labels == [f"{key} {state}" for key, state in zip(reversed(ids), states, strict=True)]
    over_the_line = picture.xpath('./*[@class="key-now"]/following-sibling::*')
    assert [each.get("class") for each in over_the_line] == ["key-name"] * 4
    rows = [
        [" ".join(cell.text_content().split()) for cell in row.xpath("./td")]
        for row in page.xpath("//tbody/tr")
    ]
    assert [row[:2] for row in rows] == [
        list(pair) for pair in zip(reversed(ids), states, strict=True)
    ]
    bars = picture.xpath('.//*[contains(@class, "key-active")]')
    assert len(bars) == 3
    for bar in bars:
        share = float(bar.get("x").rstrip("%")) + float(bar.get("width").rstrip("%"))
        assert 0 < share <= 100.001


def test_the_page_keeps_admins_reasons_and_places_to_itself(company: Company) -> None:
    add_history(company)
    text = company.signed_in("cleo").get(PAGE).text
    for word in ("cli/", "anna", "otto", "disk was lost", str(company.settings.keys.folder)):
        assert word not in text
    assert " style=" not in text


@pytest.mark.parametrize("days", [1, 40, 200, 800, 2000, 3650, 20_000])
def test_the_axis_has_a_few_round_dates(company: Company, days: int) -> None:
    now = datetime.now(UTC)
    with company.parts.database.reading() as session:
        found = timeline(all_keys(session), now)
    longer = type(found)(found.lines, now, now + timedelta(days=days), now)
    marks = ticks(longer)
    assert len(marks) <= 6
    assert days < 31 or len(marks) >= 1
    assert [mark.x for mark in marks] == sorted(mark.x for mark in marks)
    assert all(0 <= mark.x <= 100 for mark in marks)
    assert drawn(found).height > 0


def test_without_keys_the_page_says_what_to_do(company: Company) -> None:
    visitor = company.signed_in("ann")
    with company.parts.database.writing() as session:
        session.connection().exec_driver_sql("DELETE FROM signing_keys")
    assert "idp certs generate" in visitor.get(PAGE).text


def test_a_key_that_can_not_be_used_is_a_page_without_places_and_recovers(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = company.signed_in("ann")
    with company.parts.database.writing() as session:
        old = active_key(session)
        made = generate_key(session, company.settings, now=datetime.now(UTC))
    assert visitor.open_role(DEV_ADMIN).status_code == 200
    file = Path(made.locator)
    away = file.rename(file.with_name("away"))
    with company.parts.database.writing() as session:
        activate(session, made.id, datetime.now(UTC), "x")
    _turn_on(company)
    with caplog.at_level(logging.ERROR):
        answer = visitor.open_role(DEV_ADMIN)
    assert answer.status_code == 503
    assert "can’t be used" in answer.text or "can&#39;t be used" in answer.text
    assert str(company.settings.keys.folder) not in answer.text
    assert made.id not in answer.text
    assert any(str(file) in record.__dict__.get("reason", "") for record in caplog.records)
    assert visitor.get("/").status_code == 200, "everything else goes on"
    away.rename(file)
    _turn_on(company)
    xml = issued_by(visitor.open_role(DEV_ADMIN))
    assert made.certificate_base64.encode() in xml
    assert old.certificate_base64.encode() not in xml


def _turn_on(company: Company) -> None:
    """Let the ring's times pass."""
    ring = company.parts.keys
    before = ring._clock
    ring._clock = lambda: before() + 10


def issued_by(page: TestResponse) -> bytes:
    return re.sub(rb"\s", b"", base64.b64decode(posted_form(page)["SAMLResponse"]))
