"""What others do while a rotation runs: accounts come and go, keys are changed, providers too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from idp.db.engine import Database
from idp.errors import IdpError
from idp.keys.lifecycle import find_key, retire, revoke, revoke_and_replace
from idp.rotation.lease import LeaseLost, RotationBusy
from idp.rotation.record import Phase
from idp.rotation.rotate import abort, resume
from idp.rotation.schedule import Due, what_is_due
from idp.rotation.standing import standing_of
from tests.aws.documents import OTHERS, metadata
from tests.making import generate_key
from tests.rotation.company import RotatingCompany, account

FIRST, SECOND, LATE = account(1), account(2, probe=True), account(3)


@pytest.fixture
def company(tmp_path: Path, sqlite: Database) -> RotatingCompany:
    return RotatingCompany.make(tmp_path, sqlite, FIRST, SECOND)


@pytest.fixture
def company_on_each(tmp_path: Path, database: Database) -> RotatingCompany:
    """The same, once on SQLite and once on PostgreSQL."""
    return RotatingCompany.make(tmp_path, database, FIRST, SECOND)


def late_account_with(company: RotatingCompany, document: bytes) -> Callable[[], None]:
    """Somebody registers an account with metadata that was read a while ago."""

    def register() -> None:
        company.add(LATE)
        list(company.aws.distribute([LATE], document, lambda: False))

    return register


def test_an_account_that_comes_at_the_last_moment_is_waited_for(
    company_on_each: RotatingCompany,
) -> None:
    company = company_on_each
    company.meanwhile["spread"] = late_account_with(company, company.metadata)
    company.kill_at("activated")
    assert company.until_crash(company.rotate)
    assert company.states == ["retiring", "active"]
    assert company.active.fingerprint in company.aws.held(LATE)


def test_an_account_without_a_provider_gets_one(company: RotatingCompany) -> None:
    company.add(LATE)
    assert company.aws.held(LATE) == frozenset()
    company.rotate()
    assert company.active.fingerprint in company.aws.held(LATE)


def test_an_account_that_is_removed_holds_nothing_up(company_on_each: RotatingCompany) -> None:
    company = company_on_each
    company.aws.refusing = {SECOND.number}
    company.meanwhile[f"noted {FIRST.number}"] = lambda: company.remove(SECOND)
    company.rotate()
    assert company.phase() is Phase.DISTRIBUTING
    resume(company.around)
    assert company.phase() is Phase.OVERLAP
    assert [each.account for each in company.report.accounts] == [FIRST]


def test_another_provider_of_an_account_takes_and_proves_the_key_before_it_signs(
    company_on_each: RotatingCompany,
) -> None:
    company = company_on_each
    company.aws.refusing = {FIRST.number}
    company.rotate()
    [failure] = company.report.failures
    assert failure.account == FIRST  # and SECOND holds and has proved it
    other = replace(SECOND, provider_name="OtherIdP")
    company.add(other)
    company.aws.refusing = {SECOND.number}
    resume(company.around)
    assert company.states == ["active", "next"]
    assert company.aws.held(other) == frozenset()
    company.aws.refusing = set()
    company.kill_at("activated")
    assert company.until_crash(lambda: resume(company.around))
    assert company.states == ["retiring", "active"]
    assert company.active.fingerprint in company.aws.held(other)
    proofs = [told for kind, told in company.trail if kind == "rotation.account_proved"]
    proved = [cast(dict[str, str], told["changes"])["provider"] for told in proofs]
    assert proved == [str(SECOND.provider), str(other.provider)]


def test_a_provider_that_is_changed_at_the_last_moment_is_waited_for(
    company: RotatingCompany,
) -> None:
    other = replace(SECOND, provider_name="OtherIdP")
    company.meanwhile["spread"] = lambda: company.add(other)
    company.kill_at("activated")
    assert company.until_crash(company.rotate)
    assert company.active.fingerprint in company.aws.held(other)


def test_an_account_that_was_removed_and_comes_again_is_looked_at_and_proved_anew(
    company: RotatingCompany,
) -> None:
    def removed_and_added() -> None:
        company.remove(SECOND)
        company.aws.delete(SECOND)
        company.add(SECOND)

    company.meanwhile["spread"] = removed_and_added
    company.kill_at("activated")
    assert company.until_crash(company.rotate)
    assert company.active.fingerprint in company.aws.held(SECOND)
    assert [kind for kind, _ in company.trail].count("rotation.account_proved") == 2


def test_a_provider_that_was_left_behind_is_named_with_what_to_do(
    company: RotatingCompany,
) -> None:
    company.rotate()
    old, new = company.keys
    company.add(replace(SECOND, provider_name="OtherIdP"))
    company.pass_time(hours=73)
    resume(company.around)
    assert company.phase() is Phase.DONE
    assert company.aws.held(FIRST) == {new.fingerprint}
    [warning] = company.report.warnings()
    assert str(SECOND.provider) in warning
    assert "delete-saml-provider" in warning
    [left] = company.report.document()["left_behind"]
    assert (left["provider"], left["number"]) == (str(SECOND.provider), SECOND.number)
    assert company.aws.held(SECOND) == {old.fingerprint, new.fingerprint}


def test_a_provider_that_left_after_the_old_certificate_had_is_not_left_behind(
    company: RotatingCompany,
) -> None:
    company.rotate()
    company.pass_time(hours=73)
    company.aws.refusing = {FIRST.number}
    resume(company.around)
    company.remove(SECOND)
    company.aws.refusing = set()
    resume(company.around)
    assert company.phase() is Phase.DONE
    assert company.report.left_behind == ()


def test_an_abort_does_not_give_up_a_provider_that_held_it_and_came_again(
    company: RotatingCompany,
) -> None:
    company.aws.refusing = {FIRST.number}
    company.rotate()
    company.remove(SECOND)
    company.add(SECOND)
    company.aws.refusing = {SECOND.number}
    abort(company.around)
    assert company.phase() is Phase.ABORTING
    company.aws.refusing = set()
    abort(company.around)
    assert company.phase() is Phase.ABORTED
    assert company.aws.held(SECOND) == {company.active.fingerprint}


def test_an_abort_makes_no_provider_where_one_was_deleted_meanwhile(
    company: RotatingCompany,
) -> None:
    company.aws.refusing = {FIRST.number}
    company.rotate()
    company.remove(SECOND)
    company.aws.delete(SECOND)
    company.add(SECOND)
    company.aws.refusing = set()
    abort(company.around)
    assert company.phase() is Phase.ABORTED
    assert company.aws.held(SECOND) == frozenset()


def test_an_account_set_back_after_the_activation_is_mended_at_once(
    company: RotatingCompany,
) -> None:
    before = company.metadata
    company.meanwhile["activated"] = lambda: company.aws.replace(FIRST, before)
    company.rotate()
    assert company.active.fingerprint in company.aws.held(FIRST)


def test_an_account_set_back_during_a_long_pause_is_looked_at_again(
    company: RotatingCompany,
) -> None:
    before = company.metadata
    company.aws.refusing = {SECOND.number}
    company.rotate()
    company.aws.replace(FIRST, before)
    company.aws.refusing = set()
    company.pass_time(hours=5)
    company.kill_at("activated")
    assert company.until_crash(lambda: resume(company.around))
    assert company.active.fingerprint in company.aws.held(FIRST)


def test_a_foreign_provider_is_refused_and_the_old_key_goes_on(company: RotatingCompany) -> None:
    company.aws.replace(FIRST, metadata(1, issuer=OTHERS))
    foreign = company.aws.held(FIRST)
    company.rotate()
    assert company.states == ["active", "next"]
    [failure] = company.report.failures
    assert failure.account == FIRST
    assert failure.progress.problem
    assert failure.progress.problem.kind == "foreign"
    assert company.aws.held(FIRST) == foreign


def revoke_next(company: RotatingCompany) -> None:
    with company.database.writing() as session:
        revoke(session, company.keys[-1].id, company.time, "test", "stolen")


def retire_next(company: RotatingCompany) -> None:
    with company.database.writing() as session:
        retire(session, company.keys[-1].id, company.time, "test")


@pytest.mark.parametrize("change", [revoke_next, retire_next])
def test_a_next_key_that_is_taken_away_is_withdrawn_everywhere(
    change: Callable[[RotatingCompany], None], company: RotatingCompany
) -> None:
    old, number = company.active, len(company.keys)
    company.meanwhile["spread"] = lambda: change(company)
    company.rotate()
    assert len(company.keys) == number + 1
    assert company.phase() is Phase.ABORTED
    assert company.active == old
    for each in (FIRST, SECOND):
        assert company.aws.held(each) == {old.fingerprint}


def test_an_old_key_that_is_stolen_meanwhile_ends_the_rotation_there(
    company: RotatingCompany,
) -> None:
    def replace_stolen() -> None:
        with company.database.writing() as session:
            new = generate_key(session, company.settings, now=company.time)
            old = find_key(session, company.active.id)
            revoke_and_replace(session, old.id, new.id, company.time, "test", "stolen")
        for each in (FIRST, SECOND):
            company.register(each)

    company.meanwhile["begun"] = replace_stolen
    company.rotate()
    assert company.phase() is Phase.ABORTED
    assert sorted(company.states) == ["active", "retired", "revoked"]
    for each in (FIRST, SECOND):
        assert company.aws.held(each) == {company.active.fingerprint}


def test_a_new_key_that_is_stolen_while_the_old_one_leaves_does_not_come_back(
    company: RotatingCompany,
) -> None:
    company.rotate()
    company.pass_time(hours=73)

    def replace_stolen() -> None:
        with company.database.writing() as session:
            new = generate_key(session, company.settings, now=company.time)
            stolen = find_key(session, company.active.id)
            revoke_and_replace(session, stolen.id, new.id, company.time, "test", "stolen")
        for each in (FIRST, SECOND):
            company.register(each)

    company.meanwhile[f"noted {FIRST.number}"] = replace_stolen
    resume(company.around)
    assert company.phase() is Phase.DONE
    assert company.states == ["retired", "revoked", "active"]
    for each in (FIRST, SECOND):
        assert company.aws.held(each) == {company.active.fingerprint}


def test_both_keys_stolen_in_the_overlap_end_it_and_nobody_says_that_one_of_them_signs(
    company: RotatingCompany,
) -> None:
    company.rotate()
    with company.database.writing() as session:
        old, stolen = company.keys
        new = generate_key(session, company.settings, now=company.time)
        revoke(session, old.id, company.time, "test", "stolen")
        revoke_and_replace(session, stolen.id, new.id, company.time, "test", "stolen")
    with company.database.reading() as session:
        assert what_is_due(session, company.settings, company.time) is Due.GO_ON
        standing = standing_of(session, company.time)
    assert standing
    assert standing.attention
    resume(company.around)
    assert company.phase() is Phase.DONE
    [sentence] = company.report.sentences(company.time)
    assert sentence == f"Done: key {stolen.id} is revoked, and {old.id} is revoked."
    assert company.aws.held(FIRST) == {company.active.fingerprint}


def test_an_old_key_that_is_retired_by_hand_leaves_the_accounts_before_the_overlap_is_over(
    company: RotatingCompany,
) -> None:
    company.rotate()
    with company.database.writing() as session:
        retire(session, company.keys[0].id, company.time, "test")
    resume(company.around)
    assert company.phase() is Phase.DONE
    assert company.aws.held(FIRST) == {company.active.fingerprint}


def test_only_one_works_at_a_time_and_the_dead_are_followed_soon(
    company_on_each: RotatingCompany,
) -> None:
    company = company_on_each

    def second() -> None:
        for command in (resume, abort):
            with pytest.raises(RotationBusy):
                command(company.around)
        with pytest.raises(IdpError, match="under way"):
            company.rotate()

    company.meanwhile["spread"] = second
    company.rotate()
    company.pass_time(hours=73)
    company.kill_at("withdrawing")
    assert company.until_crash(lambda: resume(company.around))
    resume(company.around)
    assert company.phase() is Phase.DONE


def test_who_was_silent_for_too_long_can_write_nothing_more(
    company_on_each: RotatingCompany,
) -> None:
    company = company_on_each

    def stall_while_another_goes_on() -> None:
        company.pass_time(minutes=2)
        resume(company.around)
        assert company.phase() is Phase.OVERLAP

    company.meanwhile[f"answered {FIRST.number}"] = stall_while_another_goes_on
    with pytest.raises(LeaseLost):
        company.rotate()
    assert company.phase() is Phase.OVERLAP
    assert [kind for kind, _ in company.trail].count("key.activated") == 1


def test_an_abort_goes_on_without_an_account_that_never_took_the_certificate(
    company: RotatingCompany,
) -> None:
    company.aws.refusing = {SECOND.number}
    company.rotate()
    old = company.active
    abort(company.around)
    assert company.phase() is Phase.ABORTED
    assert company.states == ["active", "retired"]
    assert company.aws.held(FIRST) == {old.fingerprint}
    [warning] = company.report.warnings()
    assert SECOND.number in warning


def test_an_abort_waits_for_an_account_that_did_take_it(company: RotatingCompany) -> None:
    company.add(LATE)
    company.aws.refusing = {LATE.number}
    company.rotate()
    company.aws.refusing = {FIRST.number}
    abort(company.around)
    assert company.phase() is Phase.ABORTING
    assert company.states == ["active", "next"]
    company.aws.refusing = set()
    abort(company.around)
    assert company.phase() is Phase.ABORTED
    assert company.aws.held(FIRST) == {company.active.fingerprint}
    assert company.aws.held(LATE) == frozenset()  # nothing is made where nothing was


def test_there_is_no_way_back_once_the_new_key_has_signed(company: RotatingCompany) -> None:
    company.rotate()
    with pytest.raises(IdpError, match="signs already") as refusal:
        abort(company.around)
    assert "--resume" in refusal.value.advice
    assert company.states == ["retiring", "active"]


def test_ten_published_keys_are_refused_before_anything_begins(company: RotatingCompany) -> None:
    with company.database.writing() as session:
        for _ in range(9):
            generate_key(session, company.settings, now=company.time)
    before = len(company.trail)
    with pytest.raises(IdpError, match="10"):
        company.rotate()
    assert len(company.keys) == 10
    assert len(company.trail) == before
    assert len(company.aws.held(FIRST)) == 1


def test_a_certificate_that_came_back_by_hand_leaves_again(company: RotatingCompany) -> None:
    company.rotate()
    company.pass_time(hours=73)
    company.kill_at(f"noted {FIRST.number}")
    assert company.until_crash(lambda: resume(company.around))
    company.register(FIRST)  # with the metadata of the moment, which still has both
    assert len(company.aws.held(FIRST)) == 2
    resume(company.around)
    assert company.phase() is Phase.DONE
    assert company.aws.held(FIRST) == {company.active.fingerprint}
