"""One account at a time, at a real sandbox: made, brought up to date, left alone, and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from idp.aws.account_refusal import AccountRefusal
from idp.aws.arn import ProviderArn
from idp.aws.iam import AccountTarget, BadApiEndpoint, Reach, check_api_endpoint, open_account
from idp.aws.registration import Outcome, Registration, inspect_account, register_account
from tests.aws.documents import OTHERS, metadata
from tests.aws.faulty_proxy import (
    Answer,
    Fault,
    FaultyProxy,
    Forward,
    cutting,
    losing_the_answer,
    refusing,
)
from tests.aws.running_sandbox import RunningSandbox

CREATE, UPDATE, GET = "CreateSAMLProvider", "UpdateSAMLProvider", "GetSAMLProvider"


def target(number: str, partition: str = "aws", **access: str) -> AccountTarget:
    return AccountTarget(ProviderArn(partition, number, "ExampleIdP"), **access)


def reach(proxy: FaultyProxy, **changes: float) -> Reach:
    """Through the proxy, without waiting where it is ours to wait."""
    values: dict[str, float] = {"answer": 10, "total": 30, **changes}
    return Reach(
        proxy.address,
        answer=values["answer"],
        total=values["total"],
        attempts=int(values.get("attempts", 4)),
        sleep=lambda _seconds: None,
    )


@pytest.fixture
def register(proxy: FaultyProxy, number: str) -> Callable[..., Registration]:
    """Registers an account of its own through the proxy."""

    def call(document: bytes, **options: Any) -> Registration:
        return register_account(target(number), document, reach(proxy), **options)

    return call


Register = Callable[..., Registration]


def refusal_of(register: Register, document: bytes, **options: bool) -> AccountRefusal:
    with pytest.raises(AccountRefusal) as caught:
        register(document, **options)
    return caught.value


def assert_holds(sandbox: RunningSandbox, number: str, document: bytes) -> None:
    held = sandbox.held(number)
    assert held is not None
    assert held.metadata.encode() == document


def test_creates_then_leaves_alone_then_updates(
    register: Register, sandbox: RunningSandbox, proxy: FaultyProxy, number: str
) -> None:
    assert register(metadata(1)).outcome is Outcome.CREATED
    assert_holds(sandbox, number, metadata(1))
    for same in (metadata(1), metadata(1)):
        assert register(same).outcome is Outcome.UNCHANGED
    updated = register(metadata(1, 2))
    assert updated.outcome is Outcome.UPDATED
    assert len(updated.before.missing) == 1
    assert_holds(sandbox, number, metadata(1, 2))
    assert register(metadata(2, 1)).outcome is Outcome.UNCHANGED
    assert [call.action for call in proxy.changes()] == [CREATE, UPDATE]


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_registers_in_every_partition(
    sandbox: RunningSandbox, proxy: FaultyProxy, number: str, partition: str
) -> None:
    register_account(target(number, partition), metadata(1), reach(proxy))
    assert sandbox.held(number, partition) is not None
    assert sandbox.held(number) is None


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(
    register: Register, proxy: FaultyProxy
) -> None:
    assert register(metadata(1), dry_run=True).outcome is Outcome.WOULD_CREATE
    register(metadata(1))
    assert register(metadata(2, 1), dry_run=True).outcome is Outcome.WOULD_UPDATE
    assert register(metadata(1), dry_run=True).outcome is Outcome.UNCHANGED
    assert len(proxy.changes()) == 1


def test_says_what_an_account_holds_without_changing_it(
    register: Register, proxy: FaultyProxy, number: str
) -> None:
    assert inspect_account(target(number), metadata(1), reach(proxy)).provider is None
    register(metadata(1))
    found = inspect_account(target(number), metadata(1, 2), reach(proxy))
    assert found.provider is not None
    assert found.provider.document == metadata(1)
    assert found.provider.uuid.startswith("SAMLSP")
    assert len(found.difference.missing) == 1
    assert len(proxy.changes()) == 1


def test_an_update_leaves_the_encryption_mode_alone(
    register: Register, sandbox: RunningSandbox, proxy: FaultyProxy, number: str
) -> None:
    register(metadata(1))
    with open_account(target(number), reach(proxy)) as account:
        arn = str(target(number).provider)
        account.iam.update_saml_provider(SAMLProviderArn=arn, AssertionEncryptionMode="Allowed")
    register(metadata(1, 2))
    held = sandbox.held(number)
    assert held is not None
    assert held.encryption == "Allowed"


def test_a_provider_of_somebody_else_is_replaced_only_when_asked(
    register: Register, sandbox: RunningSandbox, number: str
) -> None:
    other = metadata(2, issuer=OTHERS)
    register(other)
    refusal = refusal_of(register, metadata(1))
    assert refusal.kind == "foreign"
    assert OTHERS in refusal.message
    assert_holds(sandbox, number, other)
    assert register(metadata(1), take_over=True).outcome is Outcome.UPDATED
    assert_holds(sandbox, number, metadata(1))


def test_our_own_provider_under_a_former_address_is_updated(
    register: Register, sandbox: RunningSandbox, number: str
) -> None:
    register(metadata(1, issuer="https://former.example.com/metadata"))
    assert register(metadata(1)).outcome is Outcome.UPDATED
    assert_holds(sandbox, number, metadata(1))


@pytest.mark.parametrize(
    "fault",
    [
        refusing("Throttling", 400, "Rate exceeded"),
        refusing("ServiceFailure", 500),
        refusing("ServiceUnavailable", 503),
        cutting,
    ],
)
@pytest.mark.parametrize("action", ["GetCallerIdentity", GET, CREATE])
def test_a_fault_that_passes_is_tried_again(
    register: Register,
    sandbox: RunningSandbox,
    proxy: FaultyProxy,
    number: str,
    action: str,
    fault: Fault,
) -> None:
    proxy.once(number, action, fault)
    assert register(metadata(1)).outcome is Outcome.CREATED
    assert_holds(sandbox, number, metadata(1))
    assert len(proxy.done()) == 1


def test_an_answer_that_got_lost_is_not_a_second_provider(
    register: Register, sandbox: RunningSandbox, proxy: FaultyProxy, number: str
) -> None:
    proxy.once(number, CREATE, losing_the_answer)
    assert register(metadata(1)).outcome is Outcome.CREATED
    assert_holds(sandbox, number, metadata(1))
    assert len(proxy.done()) == 1


def test_somebody_else_creating_the_same_at_the_same_time_is_no_failure(
    register: Register, sandbox: RunningSandbox, proxy: FaultyProxy, number: str
) -> None:
    def overtaken(document: bytes) -> Fault:
        def fault(forward: Forward) -> Answer:
            register_account(target(number), document, Reach(sandbox.address))
            return forward()

        return fault

    proxy.once(number, CREATE, overtaken(metadata(1)))
    assert register(metadata(1)).outcome is Outcome.UNCHANGED
    assert proxy.done() == []


def test_somebody_else_creating_an_older_one_at_the_same_time_is_updated(
    register: Register, sandbox: RunningSandbox, proxy: FaultyProxy, number: str
) -> None:
    def overtaken(forward: Forward) -> Answer:
        register_account(target(number), metadata(1), Reach(sandbox.address))
        return forward()

    proxy.once(number, CREATE, overtaken)
    assert register(metadata(1, 2)).outcome is Outcome.UPDATED
    assert_holds(sandbox, number, metadata(1, 2))


def test_a_provider_that_is_deleted_meanwhile_is_made_again(
    register: Register, sandbox: RunningSandbox, proxy: FaultyProxy, number: str
) -> None:
    def overtaken(forward: Forward) -> Answer:
        sandbox.providers.delete(str(target(number).provider), number)
        return forward()

    register(metadata(1))
    proxy.once(number, UPDATE, overtaken)
    assert register(metadata(1, 2)).outcome is Outcome.CREATED
    assert_holds(sandbox, number, metadata(1, 2))


def test_a_concurrent_modification_is_tried_again_a_few_times_only(
    register: Register, sandbox: RunningSandbox, proxy: FaultyProxy, number: str
) -> None:
    register(metadata(1))
    proxy.once(number, UPDATE, *[refusing("ConcurrentModification", 409)] * 2)
    assert register(metadata(1, 2)).outcome is Outcome.UPDATED
    proxy.always(number, UPDATE, refusing("ConcurrentModification", 409))
    assert refusal_of(register, metadata(1)).kind == "concurrent"
    assert_holds(sandbox, number, metadata(1, 2))


def test_waits_until_what_was_written_can_be_read(
    register: Register, proxy: FaultyProxy, number: str
) -> None:
    not_yet = refusing("NoSuchEntity", 404)
    proxy.once(number, GET, not_yet, not_yet, not_yet)
    assert register(metadata(1)).unchecked is None
    assert len(proxy.changes()) == 1


def test_a_change_that_does_not_last_is_not_called_good(
    register: Register, proxy: FaultyProxy, number: str
) -> None:
    proxy.always(number, GET, refusing("NoSuchEntity", 404))
    done = register(metadata(1))
    assert done.outcome is Outcome.CREATED
    assert done.unchecked is not None
    assert done.unchecked.kind == "not_held"


def test_a_change_that_can_not_be_read_back_says_that_it_was_made(
    register: Register, proxy: FaultyProxy, number: str
) -> None:
    def deny_from_now_on(forward: Forward) -> Answer:
        proxy.always(number, GET, refusing("AccessDenied", 403))
        return forward()

    proxy.once(number, CREATE, deny_from_now_on)
    done = register(metadata(1))
    assert done.outcome is Outcome.CREATED
    assert done.unchecked is not None
    assert "could not be read back" in done.unchecked.message
    assert done.unchecked.kind == "denied"


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (refusing("Throttling", 400, "Rate exceeded"), "throttled", "Rate exceeded"),
        (refusing("ExpiredToken", 403), "expired", "expired"),
        (refusing("InvalidClientTokenId", 403), "unknown_credentials", "partition aws"),
        (refusing("SignatureDoesNotMatch", 403), "bad_signature", "signature"),
        (refusing("LimitExceeded", 409, "quota 100"), "limit", "quota 100"),
        (refusing("InvalidInput", 400, "Could not parse metadata"), "invalid_metadata", "parse"),
        (refusing("RegionDisabledException", 403), "region", "Region"),
        (refusing("ServiceFailure", 500), "aws_error", "ServiceFailure"),
        (refusing("NeverHeardOf", 400), "refused", "CreateSAMLProvider: NeverHeardOf"),
        (cutting, "unreachable", "reached"),
        (lambda _forward: Answer(200, b"<html>hotel wifi</html>"), "not_aws", "AWS does"),
        (lambda _forward: Answer(200, b"no xml at all"), "not_aws", "AWS does"),
    ],
)
def test_a_fault_that_stays_is_named(
    register: Register, proxy: FaultyProxy, number: str, fault: Fault, kind: str, words: str
) -> None:
    proxy.always(number, CREATE, fault)
    refusal = refusal_of(register, metadata(1))
    assert (refusal.kind, words in refusal.message) == (kind, True), refusal.message


def test_a_missing_right_is_named_with_the_policy_that_gives_it(
    register: Register, proxy: FaultyProxy, number: str
) -> None:
    said = (
        f"User: arn:aws:iam::{number}:user/ann is not authorized to perform: "
        f"iam:CreateSAMLProvider on resource: arn:aws:iam::{number}:saml-provider/ExampleIdP"
    )
    proxy.always(number, CREATE, refusing("AccessDenied", 403, said))
    refusal = refusal_of(register, metadata(1))
    assert refusal.kind == "denied"
    assert "iam:CreateSAMLProvider" in refusal.message
    policy = json.loads(refusal.advice.partition("policy: ")[2])
    assert policy["Statement"][0] == {
        "Effect": "Allow",
        "Action": ["iam:GetSAMLProvider", "iam:CreateSAMLProvider", "iam:UpdateSAMLProvider"],
        "Resource": "arn:aws:iam::*:saml-provider/ExampleIdP",
    }


def test_what_aws_says_is_shown_without_credentials_and_control_characters(
    register: Register, proxy: FaultyProxy, number: str
) -> None:
    token = "IQoJ" + "b3JpZ2luX2Vj" * 20
    said = f"Not valid, ASIAIOSFODNN7EXAMPLE says&#x85; {token}\nThe canonical string was {token}"
    proxy.always(number, GET, refusing("Odd", 400, said + "x" * 5000))
    message = refusal_of(register, metadata(1)).message
    assert "Not valid" in message
    assert "ASIA" not in message
    assert "b3JpZ2lu" not in message
    assert message.isprintable()
    assert len(message) < 500


def test_an_endpoint_that_hangs_is_given_up_in_bounded_time(
    proxy: FaultyProxy, number: str
) -> None:
    proxy.always(number, GET, proxy.hanging)
    with pytest.raises(AccountRefusal) as refusal:
        register_account(target(number), metadata(1), reach(proxy, answer=0.3, attempts=2))
    assert refusal.value.kind == "timed_out"


def test_no_call_begins_after_the_time_of_an_account(proxy: FaultyProxy, number: str) -> None:
    now = [0.0]

    def slowly(forward: Forward) -> Answer:
        now[0] += 61
        return forward()

    proxy.once(number, GET, slowly)
    with pytest.raises(AccountRefusal, match="gave up after 60 seconds") as refusal:
        register_account(target(number), metadata(1), Reach(proxy.address, clock=lambda: now[0]))
    assert refusal.value.kind == "timed_out"
    assert proxy.changes() == []


def test_nothing_listens_there(number: str) -> None:
    nowhere = Reach("http://127.0.0.1:9", attempts=1)
    with pytest.raises(AccountRefusal) as refusal:
        register_account(target(number), metadata(1), nowhere)
    assert refusal.value.kind == "unreachable"


def test_after_being_stopped_nothing_is_changed(proxy: FaultyProxy, number: str) -> None:
    stops = iter([False, True])
    with pytest.raises(AccountRefusal) as refusal:
        register_account(target(number), metadata(1), reach(proxy), stopped=lambda: next(stops))
    assert refusal.value.kind == "stopped"
    assert proxy.changes() == []


def profile(folder: Path, name: str, key: str) -> None:
    text = f"[{name}]\naws_access_key_id = {key}\naws_secret_access_key = secret\n"
    (folder / "credentials").write_text(text)


def test_a_profile_reaches_its_account(
    sandbox: RunningSandbox, proxy: FaultyProxy, number: str, no_credentials: Path
) -> None:
    profile(no_credentials, "prod-admin", number)
    register_account(target(number, profile="prod-admin"), metadata(1), reach(proxy))
    assert_holds(sandbox, number, metadata(1))


def test_credentials_of_another_account_are_refused_before_iam_is_touched(
    proxy: FaultyProxy, number: str, no_credentials: Path
) -> None:
    profile(no_credentials, "wrong", "999988887777")
    with pytest.raises(AccountRefusal) as refusal:
        register_account(target(number, profile="wrong"), metadata(1), reach(proxy))
    assert refusal.value.kind == "wrong_account"
    assert f"of account 999988887777, not {number}" in refusal.value.message
    assert [call.action for call in proxy.calls] == ["GetCallerIdentity"]


def test_credentials_of_another_partition_are_refused_before_iam_is_touched(
    proxy: FaultyProxy, number: str
) -> None:
    def from_china(forward: Forward) -> Answer:
        answer = forward()
        return Answer(answer.status, answer.body.replace(b"arn:aws:", b"arn:aws-cn:"))

    proxy.always(number, "GetCallerIdentity", from_china)
    with pytest.raises(AccountRefusal, match="partition aws-cn, not aws ") as refusal:
        register_account(target(number), metadata(1), reach(proxy))
    assert refusal.value.kind == "wrong_partition"
    assert [call.action for call in proxy.calls] == ["GetCallerIdentity"]


def test_an_access_role_is_assumed_with_the_default_credentials(
    sandbox: RunningSandbox, proxy: FaultyProxy, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999988887777")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    role = f"arn:aws:iam::{number}:role/IdpRegistrar"
    register_account(target(number, access_role=role), metadata(1), reach(proxy))
    assert_holds(sandbox, number, metadata(1))
    first = proxy.calls[0]
    assert (first.action, first.key) == ("AssumeRole", "999988887777")
    assert (first.fields["RoleArn"], first.fields["RoleSessionName"]) == (role, "idp-register")
    assert "999988887777" not in {call.key for call in proxy.calls[1:]}


def test_a_role_that_may_not_be_assumed_is_named(
    proxy: FaultyProxy, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999988887777")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    proxy.always("999988887777", "AssumeRole", refusing("AccessDenied", 403))
    role = f"arn:aws:iam::{number}:role/IdpRegistrar"
    with pytest.raises(AccountRefusal, match=role) as refusal:
        register_account(target(number, access_role=role), metadata(1), reach(proxy))
    assert refusal.value.kind == "denied"
    assert "trust policy" in refusal.value.advice


def test_no_credentials_at_all_are_a_sentence(proxy: FaultyProxy, number: str) -> None:
    role = f"arn:aws:iam::{number}:role/IdpRegistrar"
    with pytest.raises(AccountRefusal, match="default credentials") as refusal:
        register_account(target(number, access_role=role), metadata(1), reach(proxy))
    assert refusal.value.kind == "no_credentials"
    assert proxy.calls == []


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ("", "no_profile"),
        ("[profile admin]\nregion = eu-west-1\n", "no_credentials"),
        ("[profile admin]\ncredential_process = false\n", "no_credentials"),
        ("[profile admin]\nrole_arn = arn:aws:iam::1:role/R\nsource_profile = gone\n", "bad"),
        ("[profile admin\n", "bad"),
        (
            "[profile admin]\nrole_arn = arn:aws:iam::1:role/R\nsource_profile = admin\n"
            "mfa_serial = arn:aws:iam::1:mfa/ann\n",
            "mfa",
        ),
        (
            "[profile admin]\nsso_session = s\nsso_account_id = 111122223333\nsso_role_name = A\n"
            "[sso-session s]\nsso_region = eu-west-1\nsso_start_url = https://x.example/start\n",
            "expired",
        ),
    ],
)
def test_a_profile_that_gives_no_credentials_is_a_sentence(
    proxy: FaultyProxy, number: str, no_credentials: Path, config: str, kind: str
) -> None:
    (no_credentials / "config").write_text(config)
    with pytest.raises(AccountRefusal) as refusal:
        register_account(target(number, profile="admin"), metadata(1), reach(proxy))
    assert refusal.value.kind.startswith(kind), refusal.value.message
    assert proxy.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "https://iam.example.com",
        "https://vpce.example.com:8443/",
        "http://127.0.0.1:8081",
        "http://localhost:8081",
        "http://[::1]:8081",
    ],
)
def test_takes_https_and_loopback_as_an_endpoint(url: str) -> None:
    assert check_api_endpoint(url) == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        *("", "iam", "http://", "http://iam.example.com", "ftp://127.0.0.1", "file:///etc/passwd"),
        *("https://user:pw@iam.example.com", "https://iam.example.com/x", "https://x/?a=b"),
        *("http://127.0.0.1:99999", "http://127.0.0.1:port", "https://[::1", "https://a\nb"),
        *("http://127.0.0.1.example.com", "https://x/#f"),
    ],
)
def test_refuses_an_odd_endpoint(url: str) -> None:
    with pytest.raises(BadApiEndpoint):
        check_api_endpoint(url)
