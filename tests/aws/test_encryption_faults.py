"""Whatever fails while encryption is switched on, it ends as it was before; and people sign in."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from threading import Event, Thread

import pytest

from idp.aws.encryption_state import EncryptionState, Work
from tests.aws.encrypted_account import EncryptedAccount, is_encrypted
from tests.aws.faulty_proxy import Answer, Fault, Forward, losing_the_answer, refusing

PASS: Fault = lambda forward: forward()  # noqa: E731
UPDATE, TRUST = "UpdateSAMLProvider", "UpdateAssumeRolePolicy"
# What enabling calls, and how often, besides looking.
CHANGES = [(TRUST, 0), (TRUST, 1), (UPDATE, 0), (UPDATE, 1), (UPDATE, 2)]
DENIED = refusing("AccessDenied", 403, "no way")


def assert_as_before(dev: EncryptedAccount) -> None:
    assert dev.key_ids == []
    assert dev.held.encryption in (None, "Allowed")
    assert dev.state == EncryptionState(None)
    assert dev.audiences() == dev.audiences("Auditor") == [dev.plain_acs]
    assert not dev.sends_encrypted()
    assert dev.signs_in()


def assert_enabled(dev: EncryptedAccount) -> None:
    assert dev.held.encryption == "Required"
    assert dev.key_ids == [dev.state.key_id]
    assert dev.state.work is Work.NONE
    assert dev.sends_encrypted()
    assert dev.signs_in()


def test_these_are_all_the_changes_that_enabling_makes(dev: EncryptedAccount) -> None:
    assert dev.enable().exit_code == 0
    calls = Counter(call.action for call in dev.proxy.calls if call.action in (UPDATE, TRUST))
    assert calls == Counter(action for action, _ in CHANGES)


@pytest.mark.parametrize(("action", "turn"), CHANGES)
def test_a_change_that_is_refused_rolls_everything_back(
    dev: EncryptedAccount, action: str, turn: int
) -> None:
    dev.proxy.once(dev.number, action, *[PASS] * turn, DENIED)
    done = dev.enable()
    assert done.exit_code == 1
    assert "Not allowed" in done.stdout
    assert "It was rolled back." in done.stdout
    assert_as_before(dev)
    assert dev.enable().exit_code == 0
    assert_enabled(dev)


@pytest.mark.parametrize(("action", "turn"), CHANGES)
def test_an_answer_that_gets_lost_does_no_harm(
    dev: EncryptedAccount, action: str, turn: int
) -> None:
    dev.proxy.once(dev.number, action, *[PASS] * turn, losing_the_answer)
    done = dev.enable()
    assert done.exit_code == 0, done.output
    assert_enabled(dev)


@pytest.mark.parametrize("turn", [0, 1, 3, 5, 6])
def test_looking_that_is_refused_rolls_back_too(dev: EncryptedAccount, turn: int) -> None:
    dev.proxy.once(dev.number, "GetSAMLProvider", *[PASS] * turn, DENIED)
    done = dev.enable()
    assert done.exit_code == 1, "enabling looks less often than this test believes"
    assert_as_before(dev)


def test_a_probe_role_that_aws_refuses_rolls_back(dev: EncryptedAccount) -> None:
    done = dev.enable("--probe-role", dev.role("Missing"))
    assert done.exit_code == 1
    assert "AWS does not let us into the probe role" in done.stdout
    assert_as_before(dev)


def test_when_it_cannot_be_undone_people_still_sign_in_and_the_next_run_ends_it(
    dev: EncryptedAccount,
) -> None:
    dev.proxy.once(dev.number, UPDATE, PASS, PASS)
    dev.proxy.always(dev.number, UPDATE, DENIED)
    done = dev.enable()
    assert done.exit_code == 1
    assert "could not be undone" in done.stdout
    assert dev.signs_in()
    shown = dev.installation.json(*dev.arguments("status"))[dev.number]
    assert shown["unfinished"] == "enable"
    dev.proxy.heal()
    assert dev.enable().exit_code == 0
    assert_enabled(dev)


def test_a_trust_policy_that_somebody_changed_meanwhile_is_not_undone(
    dev: EncryptedAccount,
) -> None:
    theirs = dev.trusting(dev.plain_acs, dev.own_acs, "https://signin.aws.amazon.com/saml")

    def meddle(_forward: Forward) -> Answer:
        dev.set_trust("Developer", theirs)
        return DENIED(_forward)

    dev.proxy.once(dev.number, UPDATE, meddle)
    done = dev.enable()
    assert "Somebody else changed the trust policy of Developer" in done.stdout
    assert dev.trust() == theirs
    assert dev.audiences("Auditor") == [dev.plain_acs]
    assert dev.key_ids == []


def test_the_key_is_not_told_when_iam_repeats_it(dev: EncryptedAccount) -> None:
    def repeating(_forward: Forward) -> Answer:
        sent = dev.proxy.calls[-1].fields["AddPrivateKey"]
        return refusing("ValidationError", 400, f"Value '{sent!r}' at 'addPrivateKey'")(_forward)

    dev.proxy.once(dev.number, UPDATE, repeating)
    done = dev.enable()
    assert "IAM does not take the private key (ValidationError)" in done.stdout
    assert "BEGIN" not in done.output
    assert_as_before(dev)


def test_a_role_that_was_deleted_meanwhile_does_not_stand_in_the_way(
    dev: EncryptedAccount,
) -> None:
    def meddle(forward: Forward) -> Answer:
        dev.iam.delete_role(RoleName="Auditor")
        return DENIED(forward)

    dev.proxy.once(dev.number, UPDATE, meddle)
    assert "It was rolled back." in dev.enable().stdout
    assert dev.audiences() == [dev.plain_acs]
    assert (dev.key_ids, dev.state) == ([], EncryptionState(None))


def test_required_that_came_through_late_locks_nobody_out(dev: EncryptedAccount) -> None:
    """The answer is lost, and looking shows what was before: the mode is set back all the same."""

    def late(forward: Forward) -> Answer:
        dev.proxy.always(dev.number, "GetSAMLProvider", showing_allowed)
        forward()
        return refusing("InternalFailure", 400)(forward)

    def showing_allowed(forward: Forward) -> Answer:
        answer = forward()
        return Answer(answer.status, answer.body.replace(b">Required<", b">Allowed<"))

    dev.proxy.once(dev.number, UPDATE, PASS, PASS, late)
    assert dev.enable().exit_code == 1
    assert_as_before(dev)


@pytest.mark.parametrize(
    ("turn", "arrives"), [(0, False), (0, True), (1, True), (2, True)], ids=str
)
def test_killed_at_any_change_and_run_again_it_ends_right(
    dev: EncryptedAccount, turn: int, arrives: bool
) -> None:
    reached = Event()

    def hang(forward: Forward) -> Answer:
        if arrives:
            forward()
        reached.set()
        return dev.proxy.hanging(forward)

    dev.proxy.once(dev.number, UPDATE, *[PASS] * turn, hang)
    program = dev.installation.start(*dev.arguments("enable", "--update-trust", "--bits", "2048"))
    assert reached.wait(30)
    os.kill(program.pid, signal.SIGKILL)
    program.communicate()
    assert dev.signs_in(), "while nobody has mended it"
    dev.proxy.heal()
    assert dev.enable().exit_code == 0
    assert_enabled(dev)
    assert dev.audiences() == [dev.plain_acs, dev.own_acs]


@pytest.mark.parametrize(("command", "turn"), [("rotate", 0), ("rotate", 1), ("disable", 1)])
def test_rotating_and_disabling_survive_a_kill(
    dev: EncryptedAccount, command: str, turn: int
) -> None:
    dev.enable()
    reached = Event()

    def hang(forward: Forward) -> Answer:
        forward()
        reached.set()
        return dev.proxy.hanging(forward)

    dev.proxy.once(dev.number, UPDATE, *[PASS] * turn, hang)
    program = dev.installation.start(*dev.arguments(command))
    assert reached.wait(30)
    os.kill(program.pid, signal.SIGKILL)
    program.communicate()
    assert dev.signs_in()
    dev.proxy.heal()
    assert dev.run(command).exit_code == 0
    assert dev.signs_in()
    assert dev.state.work is Work.NONE
    assert dev.key_ids == ([dev.state.key_id] if command == "rotate" else [])
    assert dev.sends_encrypted() is (command == "rotate")


def test_no_secret_is_in_the_process_list(dev: EncryptedAccount) -> None:
    reached = Event()

    def hang(forward: Forward) -> Answer:
        reached.set()
        return dev.proxy.hanging(forward)

    dev.proxy.once(dev.number, UPDATE, hang)
    program = dev.installation.start(*dev.arguments("enable", "--update-trust", "--bits", "2048"))
    assert reached.wait(30)
    process = Path(f"/proc/{program.pid}")
    shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    assert b"PRIVATE KEY" not in shown
    children = (process / "task" / str(program.pid) / "children").read_text()
    assert children == "", "no program is started to which a key might be given"
    dev.proxy.heal()
    program.communicate(timeout=60)
    assert_enabled(dev)


def test_two_commands_at_once_do_not_undo_each_other(dev: EncryptedAccount) -> None:
    """The second takes over what the first had begun; the first sees it, and lets go."""

    def meddle(forward: Forward) -> Answer:
        assert dev.enable().exit_code == 0
        return forward()

    dev.proxy.once(dev.number, TRUST, meddle)
    first = dev.enable()
    assert first.exit_code == 1
    assert "Somebody else is changing this account's encryption now" in first.stdout
    assert_enabled(dev)


def test_nobody_s_sign_in_fails_from_the_first_step_to_the_last(dev: EncryptedAccount) -> None:
    """People go on signing in while encryption is enabled, rotated and disabled."""
    ended, outcomes = Event(), list[tuple[bool, bool]]()

    def people() -> None:
        while not ended.is_set():
            form = dev.form()
            outcomes.append((dev.redeems(form), is_encrypted(form)))

    threads = [Thread(target=people) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for command in ("enable", "rotate", "disable"):
            more = ("--update-trust",) if command == "enable" else ()
            assert dev.run(command, *more, "--settle", "1.5").exit_code == 0
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert [taken for taken, _ in outcomes].count(False) == 0
    assert {encrypted for _, encrypted in outcomes} == {True, False}
    assert len(outcomes) > 20
