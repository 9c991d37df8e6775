"""idp certs rotate and activate, against the sandbox over HTTP."""

from __future__ import annotations

import json
import time

import pytest
from sqlalchemy import select

from idp.db.models import AwsAccountRow, RotationAccountRow
from idp.entitlements.account import Account
from idp.entitlements.store import delete_account, save_account
from tests.aws.faulty_proxy import FaultyProxy, losing_the_answer, refusing
from tests.rotation.commands import Rotating, start, wait_for

UPDATE = "UpdateSAMLProvider"


def test_a_whole_rotation(rotating: Rotating) -> None:
    old = rotating.active
    begun = rotating.rotate("--overlap", "72h")
    assert begun.exit_code == 0, begun.output
    new = rotating.active
    assert rotating.states == ["retiring", "active"]
    for account in rotating.accounts:
        assert rotating.held(account) == {old.fingerprint, new.fingerprint}
        assert account.alias in begun.output
    assert f"Key {new.id} signs now" in begun.output

    waiting = rotating.certs("rotate", "--resume")
    assert waiting.exit_code == 1
    assert "stays published until" in waiting.output
    assert rotating.states == ["retiring", "active"]

    rotating.end_overlap()
    done = rotating.certs("rotate", "--resume")
    assert done.exit_code == 0, done.output
    assert rotating.states == ["retired", "active"]
    for account in rotating.accounts:
        assert rotating.held(account) == {new.fingerprint}
    kinds = [kind for kind, _ in rotating.trail() if kind.startswith(("rotation.", "key."))]
    assert kinds == [
        "key.generated",
        "rotation.started",
        *["rotation.account_holds"] * 3,
        "key.activated",
        *["rotation.account_holds"] * 3,
        "rotation.turned",
        *["rotation.account_withdrawn"] * 3,
        "key.retired",
        *["rotation.account_withdrawn"] * 3,  # the look after it
        "rotation.ended",
    ]
    assert "No rotation is under way" in rotating.refused("rotate", "--resume")


def test_a_dry_run_shows_the_plan_and_changes_nothing(rotating: Rotating) -> None:
    before, calls = len(rotating.trail()), [rotating.held(each) for each in rotating.accounts]
    shown = rotating.certs("rotate", "--dry-run", "--exclude", "test")
    assert shown.exit_code == 0
    for words in ("Publish 2 certificates", "2 AWS accounts", "EXCLUDED: test", "for 3d"):
        assert words in shown.output
    document = rotating.json("--dry-run", "--exclude", "test")
    assert document["excluded"] == [rotating.accounts[2].number]
    assert document["certificates"] == 2
    assert rotating.states == ["active"]
    assert len(rotating.trail()) == before
    assert [rotating.held(each) for each in rotating.accounts] == calls


def test_nothing_is_done_unless_somebody_says_yes(rotating: Rotating) -> None:
    assert "Give --yes" in rotating.refused("rotate")
    assert rotating.states == ["active"]


def test_an_account_that_fails_leaves_the_old_key_signing(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    old, prod = rotating.active, rotating.accounts[1]
    proxy.always(prod.number, UPDATE, refusing("AccessDenied", 403))
    failed = rotating.rotate()
    assert failed.exit_code == 1
    assert "prod" in failed.output
    assert "Not allowed: iam:UpdateSAMLProvider" in failed.output
    assert f"key {old.id} still signs" in failed.output
    assert rotating.states == ["active", "next"]
    assert rotating.held(prod) == {old.fingerprint}
    document = rotating.json("--resume", code=1)
    assert {each["alias"]: each["state"] for each in document["accounts"]} == {
        "dev": "holds",
        "prod": "failed",
        "test": "holds",
    }
    proxy.heal()
    resumed = rotating.certs("rotate", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert rotating.states == ["retiring", "active"]
    failures = [detail for kind, detail in rotating.trail() if kind == "rotation.account_failed"]
    assert failures[0]["subject"] == prod.number
    assert failures[0]["changes"]["kind"] == "denied"


def test_going_on_without_an_account_says_what_that_means(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    prod = rotating.accounts[1]
    proxy.always(prod.number, UPDATE, refusing("AccessDenied", 403))
    assert rotating.rotate().exit_code == 1
    went_on = rotating.certs("rotate", "--resume", "--exclude", "prod")
    assert went_on.exit_code == 0, went_on.output
    assert "nobody can sign in there" in went_on.stderr
    assert rotating.states == ["retiring", "active"]
    assert rotating.active.fingerprint not in rotating.held(prod)
    assert "rotation.account_excluded" in [kind for kind, _ in rotating.trail()]
    proxy.heal()
    rotating.end_overlap()
    assert rotating.certs("rotate", "--resume").exit_code == 0
    assert rotating.active.fingerprint not in rotating.held(prod)
    assert rotating.installation.run("register", "prod").exit_code == 0
    assert rotating.held(prod) == {rotating.active.fingerprint}


def test_an_excluded_account_that_is_mended_is_one_like_the_others_again(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    old, prod = rotating.active, rotating.accounts[1]
    proxy.always(prod.number, UPDATE, refusing("AccessDenied", 403))
    assert rotating.rotate("--exclude", "prod").exit_code == 0
    locked_out = rotating.certs("status", "--exit-code")
    assert locked_out.exit_code == 1
    assert f"! prod ({prod.number}): The rotation went on without it" in locked_out.stdout
    assert rotating.installation.run("register", "prod").exit_code == 1
    assert rotating.certs("status", "--exit-code").exit_code == 1
    proxy.heal()
    assert rotating.installation.run("register", "prod").exit_code == 0
    assert rotating.certs("status", "--exit-code").exit_code == 0
    rotating.end_overlap()
    done = rotating.certs("rotate", "--resume")
    assert done.exit_code == 0, done.output
    assert "nobody can sign in there" not in done.output
    assert rotating.held(prod) == {rotating.active.fingerprint}
    assert old.fingerprint != rotating.active.fingerprint


def test_an_abort_goes_back(rotating: Rotating, proxy: FaultyProxy) -> None:
    old = rotating.active
    proxy.always(rotating.accounts[1].number, UPDATE, refusing("AccessDenied", 403))
    assert rotating.rotate().exit_code == 1
    gone_back = rotating.certs("rotate", "--abort")
    assert gone_back.exit_code == 0, gone_back.output
    assert rotating.states == ["active", "retired"]
    for account in rotating.accounts:
        assert rotating.held(account) == {old.fingerprint}
    proxy.heal()
    assert rotating.rotate().exit_code == 0
    assert "signs already" in rotating.refused("rotate", "--abort")


def test_throttling_and_lost_answers_are_got_over(rotating: Rotating, proxy: FaultyProxy) -> None:
    throttled = refusing("Throttling", 400, "Rate exceeded")
    for account in rotating.accounts:
        proxy.once(account.number, UPDATE, throttled, losing_the_answer)
        proxy.once(account.number, "GetSAMLProvider", throttled)
    done = rotating.rotate()
    assert done.exit_code == 0, done.output
    for account in rotating.accounts:
        assert len(rotating.held(account)) == 2


def test_a_key_that_is_there_already_can_be_rotated_to(rotating: Rotating) -> None:
    fingerprint = rotating.installation.add_key()
    assert rotating.rotate("--key", fingerprint[:12]).exit_code == 0
    assert rotating.active.fingerprint == fingerprint
    assert len(rotating.keys) == 2


def test_two_at_once_and_a_killed_one(rotating: Rotating, proxy: FaultyProxy) -> None:
    dev = rotating.accounts[0]
    proxy.once(dev.number, UPDATE, proxy.hanging)
    first = start(rotating, "certs", "rotate", "--yes", "--workers", "1")
    wait_for(lambda: UPDATE in [call.action for call in proxy.changes(dev.number)])
    for words in (["--resume"], ["--abort"], ["--yes"]):
        said = rotating.refused("rotate", *words)
        assert f"(process {first.pid} on " in said
    refused = rotating.installation.run("register", "prod")
    assert "Another process works on this rotation" in str(refused.exception)
    scheduled = rotating.certs("rotate", "--schedule")
    assert (scheduled.exit_code, scheduled.output) == (0, "")
    first.kill()
    first.communicate(timeout=30)
    proxy.heal()
    # The dead process was of this machine, so nobody has to wait for its lease to end.
    resumed = rotating.certs("rotate", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert rotating.states == ["retiring", "active"]


def test_ctrl_c_lets_the_calls_under_way_finish_and_resume_does_the_rest(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    dev = rotating.accounts[0]
    proxy.once(dev.number, UPDATE, proxy.hanging)
    running = start(rotating, "certs", "rotate", "--yes", "--workers", "1")
    wait_for(lambda: UPDATE in [call.action for call in proxy.changes(dev.number)])
    running.terminate()
    time.sleep(0.3)
    proxy.heal()
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 1, output + errors
    assert "still signs" in output
    assert "Traceback" not in errors
    assert rotating.states == ["active", "next"]
    assert rotating.certs("rotate", "--resume").exit_code == 0


def test_a_timer_does_what_is_due_and_is_silent_otherwise(
    rotating: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDP_KEYS__ROTATE_DAYS_BEFORE", "20")  # the certificate ends in 30 days
    silent = rotating.certs("rotate", "--schedule")
    assert (silent.exit_code, silent.output) == (0, "")
    nothing = rotating.certs("rotate", "--schedule", "--dry-run")
    assert (nothing.exit_code, nothing.output) == (0, "Nothing is due.\n")
    monkeypatch.setenv("IDP_KEYS__ROTATE_DAYS_BEFORE", "31")
    due = rotating.certs("rotate", "--schedule", "--dry-run")
    assert "Publish 2 certificates" in due.stdout
    assert rotating.states == ["active"]
    began = rotating.certs("rotate", "--schedule")
    assert began.exit_code == 0, began.output
    assert rotating.states == ["retiring", "active"]
    silent = rotating.certs("rotate", "--schedule")
    assert (silent.exit_code, silent.output) == (0, "")
    rotating.end_overlap()
    assert rotating.certs("rotate", "--schedule").exit_code == 0
    assert rotating.states == ["retired", "active"]


def test_a_timer_goes_on_with_a_failed_rotation_and_says_so(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    proxy.always(rotating.accounts[0].number, UPDATE, refusing("AccessDenied", 403))
    assert rotating.rotate().exit_code == 1
    failed = rotating.certs("rotate", "--schedule")
    assert failed.exit_code == 1
    assert "Not allowed" in failed.output
    proxy.heal()
    assert rotating.certs("rotate", "--schedule").exit_code == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--resume", "--abort"], "don't go together"),
        (["--resume", "--overlap", "72h"], "for a new rotation"),
        (["--schedule", "--exclude", "dev"], "excludes no account"),
        (["--overlap", "1m", "--yes"], "too short"),
        (["--overlap", "soon", "--yes"], "no span of time"),
        (["--exclude", "nobody", "--yes"], "No account 'nobody' is registered"),
        (["--key", "zz", "--yes"], "There is no key"),
        (["--abort"], "No rotation is under way"),
    ],
)
def test_bad_input_is_one_sentence(rotating: Rotating, words: list[str], sentence: str) -> None:
    assert sentence in rotating.refused("rotate", *words)
    assert rotating.states == ["active"]


def test_a_key_is_activated_by_hand_only_if_every_account_holds_it(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    new = rotating.installation.add_key()
    said = rotating.refused("activate", new[:12])
    assert "dev, prod, test" in said
    assert rotating.states == ["active", "next"]
    for alias in ("dev", "prod"):
        assert rotating.installation.run("register", alias).exit_code == 0
    assert "Nobody could sign in to test:" in rotating.refused("activate", new[:12])
    proxy.always(rotating.accounts[0].number, "GetSAMLProvider", refusing("AccessDenied", 403))
    assert "dev, test" in rotating.refused("activate", new[:12])
    proxy.heal()
    done = rotating.certs("activate", new[:12], "--despite", "test", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["state"] == "active"
    assert rotating.active.fingerprint == new
    [event] = [detail for kind, detail in rotating.trail() if kind == "key.activated"]
    assert event["changes"]["despite"] == [rotating.accounts[2].number]


def test_nothing_is_activated_by_hand_during_a_rotation(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    proxy.always(rotating.accounts[0].number, UPDATE, refusing("AccessDenied", 403))
    assert rotating.rotate().exit_code == 1
    assert "A rotation is under way" in rotating.refused("activate", rotating.keys[1].id)


def test_accounts_added_and_removed_by_command_meanwhile(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    dev, prod, _ = rotating.accounts
    proxy.always(dev.number, UPDATE, refusing("AccessDenied", 403))
    assert rotating.rotate().exit_code == 1
    late = Account(f"{int(prod.number) + 500_000}", "late", "aws", "ExampleIdP")
    with rotating.installation.database.writing() as session:
        save_account(session, late)
        delete_account(session, dev.number)
    assert rotating.certs("rotate", "--resume").exit_code == 0
    assert rotating.active.fingerprint in rotating.held(late)
    with rotating.installation.database.reading() as session:
        assert session.get(AwsAccountRow, dev.number) is None


def test_another_provider_by_command_meanwhile_is_waited_for_and_the_first_is_named(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    dev, prod, test = rotating.accounts
    proxy.always(dev.number, UPDATE, refusing("AccessDenied", 403))
    assert rotating.rotate().exit_code == 1
    add = ("account", "add", prod.number, "--alias", "prod", "--update", "--provider", "Other")
    changed = rotating.installation.run(*add)
    assert changed.exit_code == 0, changed.output
    for words in ("goes on trusting", str(prod.provider), "idp aws register prod"):
        assert words in changed.stderr
    document = rotating.json("--resume", code=1)
    states = {each["provider"]: each["state"] for each in document["accounts"]}
    other = f"arn:aws:iam::{prod.number}:saml-provider/Other"
    assert states == {str(dev.provider): "failed", other: "holds", str(test.provider): "holds"}
    assert [each["provider"] for each in document["left_behind"]] == [str(prod.provider)]
    removed = rotating.installation.run("account", "remove", "test")
    assert str(test.provider) in removed.stderr
    readded = ("account", "add", test.number, "--alias", "test")
    assert rotating.installation.run(*readded).exit_code == 0
    with rotating.installation.database.reading() as session:
        rows = {row.provider: row.given_at for row in session.scalars(select(RotationAccountRow))}
    assert rows[str(prod.provider)]
    assert rows[str(test.provider)]
    assert not rows[other]
    proxy.heal()
    resumed = rotating.certs("rotate", "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert str(prod.provider) in resumed.stderr
