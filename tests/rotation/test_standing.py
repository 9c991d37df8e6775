"""What `idp certs status` and /metrics say of a rotation under way, and when they call somebody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from idp.db.engine import Database
from idp.rotation.rotate import abort, resume
from idp.rotation.standing import Standing, standing_of
from tests.aws.faulty_proxy import FaultyProxy, refusing
from tests.rotation.commands import Rotating, start, wait_for
from tests.rotation.company import RotatingCompany, account

FIRST, SECOND = account(1), account(2)
UPDATE = "UpdateSAMLProvider"


@pytest.fixture
def company(tmp_path: Path, sqlite: Database) -> RotatingCompany:
    return RotatingCompany.make(tmp_path, sqlite, FIRST, SECOND)


def standing(company: RotatingCompany) -> Standing:
    with company.database.reading() as session:
        found = standing_of(session, company.time)
    assert found
    return found


def said(found: Standing) -> str:
    return " ".join(f"{each.subject} {each.message} {each.advice}" for each in found.attention)


def status(rotating: Rotating) -> tuple[int, dict[str, Any]]:
    done = rotating.certs("status", "--json", "--exit-code")
    document: dict[str, Any] = json.loads(done.stdout)
    return done.exit_code, document


def test_an_overlap_calls_nobody_until_it_is_over(rotating: Rotating) -> None:
    assert status(rotating)[1]["rotation"] is None
    assert "rotation" not in rotating.certs("status").stdout
    assert rotating.rotate().exit_code == 0
    code, document = status(rotating)
    assert (code, document["attention"]) == (0, [])
    assert document["rotation"]["phase"] == "overlap"
    assert document["rotation"]["needs_attention"] is False
    shown = rotating.certs("status", "--exit-code")
    assert shown.exit_code == 0
    for words in ("(overlap): from key", "waits for the end of the overlap, 20", "3 holds"):
        assert words in shown.stdout
    rotating.end_overlap()
    over = rotating.certs("status", "--exit-code")
    assert over.exit_code == 1
    for words in ("! rotation", "The overlap is over since", "idp certs rotate --resume"):
        assert words in over.stdout
    code, document = status(rotating)
    assert code == 1
    assert document["rotation"]["needs_attention"] is True
    assert rotating.certs("rotate", "--resume").exit_code == 0
    assert rotating.certs("status", "--exit-code").exit_code == 0


def test_an_account_that_failed_is_named_with_the_reason(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    prod = rotating.accounts[1]
    proxy.always(prod.number, UPDATE, refusing("AccessDenied", 403))
    assert rotating.rotate().exit_code == 1
    shown = rotating.certs("status", "--exit-code")
    assert shown.exit_code == 1
    for words in (
        f"! prod ({prod.number}): Not allowed: iam:UpdateSAMLProvider",
        "1 account failed: key",
        "accounts: 1 FAILED, 2 holds",
    ):
        assert words in shown.stdout
    subjects = [each["subject"] for each in status(rotating)[1]["attention"]]
    assert f"prod ({prod.number})" in subjects


def test_a_process_at_work_is_named_and_one_that_was_killed_calls_somebody(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    dev = rotating.accounts[0]
    proxy.once(dev.number, UPDATE, proxy.hanging)
    first = start(rotating, "certs", "rotate", "--yes", "--workers", "1")
    wait_for(lambda: UPDATE in [call.action for call in proxy.changes(dev.number)])
    at_work = status(rotating)[1]
    assert at_work["rotation"]["worked_on"] is True
    assert f"Process {first.pid} on " in at_work["rotation"]["waits_for"]
    assert at_work["rotation"]["needs_attention"] is False
    first.kill()
    first.communicate(timeout=30)
    proxy.heal()
    killed = rotating.certs("status", "--exit-code")
    assert killed.exit_code == 1
    assert f"Process {first.pid} on " in killed.stdout
    assert "has ended in the midst of it" in killed.stdout


def test_a_process_elsewhere_that_is_silent_calls_somebody(company: RotatingCompany) -> None:
    company.kill_at("begun")
    with pytest.raises(BaseException, match="begun"):
        company.rotate()
    assert standing(company).attention == ()  # it may still be at it
    company.pass_time(seconds=31)
    assert "has ended in the midst of it" in said(standing(company))


def test_a_withdrawal_and_a_way_back_that_fail_call_somebody(company: RotatingCompany) -> None:
    company.aws.refusing = {FIRST.number}
    company.rotate()
    company.aws.refusing = {SECOND.number}
    abort(company.around)
    assert "idp certs rotate --abort" in said(standing(company))
    company.aws.refusing = set()
    abort(company.around)
    with company.database.reading() as session:
        assert standing_of(session, company.time) is None

    company.rotate()
    assert standing(company).attention == ()
    company.pass_time(hours=73)
    company.aws.refusing = {SECOND.number}
    resume(company.around)
    for words in (SECOND.alias, "Not allowed, says the test.", "idp certs rotate --resume"):
        assert words in said(standing(company))
