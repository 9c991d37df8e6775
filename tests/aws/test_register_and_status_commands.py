"""idp aws register and idp aws status, as people and monitoring call them."""

from __future__ import annotations

import os
import pty
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from idp.aws.arn import ProviderArn
from idp.aws.iam import AccountTarget, Reach, open_account
from idp.aws.registration import bring_up_to_date
from idp.entitlements.account import Account
from idp.errors import IdpError
from tests.aws.documents import OTHERS, metadata
from tests.aws.faulty_proxy import FaultyProxy, refusing
from tests.aws.installation import Installation
from tests.aws.running_sandbox import RunningSandbox
from tests.making import memory_key


@pytest.fixture
def three(installation: Installation, numbers: Iterator[int]) -> list[str]:
    """The accounts dev, prod and test; gives their numbers."""
    made = [Account(str(next(numbers)), alias, "aws", "ExampleIdP") for alias in ALIASES]
    installation.add_accounts(made)
    return [account.number for account in made]


ALIASES = ("dev", "prod", "test")


def test_registers_those_that_are_named_by_alias_or_number_and_each_once(
    installation: Installation, sandbox: RunningSandbox, three: list[str]
) -> None:
    result = installation.run("register", "PROD", three[0], "dev")
    assert result.exit_code == 0
    lines = sorted(line.split("\t") for line in result.stdout.splitlines())
    assert [line[:3] for line in lines] == [
        ["dev", three[0], "created"],
        ["prod", three[1], "created"],
    ]
    assert "2 accounts: 2 created." in result.stderr
    assert sandbox.held(three[2]) is None
    held = sandbox.held(three[1])
    assert held is not None
    assert held.metadata.encode() == installation.metadata
    assert held.uuid in lines[1][3]


def test_a_dry_run_changes_and_records_nothing(
    installation: Installation, proxy: FaultyProxy, three: list[str]
) -> None:
    shown = installation.json("register", "--all", "--dry-run")
    assert {row["outcome"] for row in shown.values()} == {"would create"}
    assert proxy.changes() == []
    assert installation.registered() == []
    assert set(shown) == set(three)


def test_each_change_and_nothing_else_is_in_the_audit_trail(
    installation: Installation, three: list[str]
) -> None:
    first = installation.metadata
    installation.run("register", "dev", "prod")
    installation.run("register", "dev")
    added = installation.add_key()
    installation.run("register", "dev")
    (one, _), (two, _), (three_, changes) = installation.registered()
    assert ({one, two}, three_) == ({three[0], three[1]}, three[0])
    assert changes == {
        "provider": f"arn:aws:iam::{three[0]}:saml-provider/ExampleIdP",
        "outcome": "updated",
        "issuer": installation.settings.entity_id,
        "issuers_replaced": [],
        "certificates_added": [added],
        "certificates_removed": [],
        "metadata": changes["metadata"],
        "read_back": True,
    }
    assert installation.metadata != first


def test_a_failing_account_stops_no_other_and_is_told_what_to_do(
    installation: Installation, proxy: FaultyProxy, three: list[str]
) -> None:
    for number in three[:2]:
        proxy.always(number, "CreateSAMLProvider", refusing("AccessDenied", 403, "no way"))
    result = installation.run("register", "--all")
    assert result.exit_code == 1
    outcomes = {line.split("\t")[0]: line.split("\t")[2] for line in result.stdout.splitlines()}
    assert outcomes == {"dev": "FAILED", "prod": "FAILED", "test": "created"}
    assert "Not allowed: iam:CreateSAMLProvider" in result.stdout
    assert result.stderr.count("iam:UpdateSAMLProvider") == 1
    assert "dev, prod: Allow it in that account with this policy" in result.stderr
    assert "3 accounts: 1 created, 2 FAILED." in result.stderr


def give(sandbox: RunningSandbox, number: str, document: bytes) -> None:
    """Put a provider into an account, as its own administrator."""
    arn = ProviderArn("aws", number, "ExampleIdP")
    with open_account(AccountTarget(arn), Reach(sandbox.address)) as account:
        bring_up_to_date(account, arn, document, take_over=True)


def test_the_provider_of_somebody_else_is_left_alone_unless_asked(
    installation: Installation, sandbox: RunningSandbox, three: list[str]
) -> None:
    give(sandbox, three[0], metadata(1, issuer=OTHERS))
    refused = installation.json("register", "dev", code=1)[three[0]]
    assert (refused["problem"]["kind"], refused["changed"]) == ("foreign", False)
    taken = installation.json("register", "dev", "--take-over")[three[0]]
    assert (taken["outcome"], taken["before"]["other_issuers"]) == ("updated", [OTHERS])
    assert installation.registered()[-1][1]["issuers_replaced"] == [OTHERS]


def test_the_identifier_of_the_provider_is_stored_only_when_asked(
    installation: Installation, sandbox: RunningSandbox, three: list[str]
) -> None:
    for _time in range(2):
        installation.run("register", "--all")
    assert {account.provider_id for account in installation.accounts()} == {None}
    result = installation.run("register", "dev", "--use-provider-urls")
    held = sandbox.held(three[0])
    assert held is not None
    assert f"https://signin.aws.amazon.com/saml/acs/{held.uuid}" in result.stderr
    stored = {account.alias: account.provider_id for account in installation.accounts()}
    assert stored == {"dev": held.uuid, "prod": None, "test": None}
    again = installation.run("register", "dev", "--use-provider-urls")
    assert "saml:aud" not in again.stderr


def test_a_provider_that_was_made_anew_shows_where_sign_in_urls_carry_the_old_identifier(
    installation: Installation, sandbox: RunningSandbox, three: list[str]
) -> None:
    installation.run("register", "dev", "--use-provider-urls")
    first = sandbox.held(three[0])
    assert first is not None
    sandbox.providers.delete(str(first.arn), three[0])
    shown = installation.run("register", "dev")
    assert f"sign-in URLs carry {first.uuid}" in shown.stdout
    state = installation.json("status", "dev", "--exit-code", code=1)[three[0]]
    assert (state["state"], state["issuer_same"]) == ("differs", True)
    assert first.uuid in state["notes"][0]
    installation.run("register", "dev", "--use-provider-urls")
    installation.json("status", "dev", "--exit-code")


def test_status_names_every_certificate_with_the_state_of_its_key(
    installation: Installation, sandbox: RunningSandbox, three: list[str]
) -> None:
    (active,) = [row["fingerprint"] for row in certificates(installation, three[0], absent=True)]
    going = installation.add_key()
    installation.run("register", "dev")
    installation.set_key_state(going, "revoked")
    coming = installation.add_key()
    rows = {
        row["fingerprint"]: (row["held"], row["published"], row["key_state"])
        for row in certificates(installation, three[0])
    }
    assert rows == {
        active: (True, True, "active"),
        coming: (False, True, "next"),
        going: (True, False, "revoked"),
    }
    line = installation.run("status", "dev").stdout.split("\t")
    assert line[:4] == ["dev", three[0], "DIFFERS", "ours"]
    assert set(line[4].split(", ")) == {
        f"{active[:16]} active",
        f"-{coming[:16]} next",
        f"+{going[:16]} revoked",
    }
    give(sandbox, three[1], metadata(1))
    (unknown,) = [row for row in certificates(installation, three[1]) if row["held"]]
    assert unknown["key_state"] == "unknown"


def certificates(
    installation: Installation, number: str, *, absent: bool = False
) -> list[dict[str, Any]]:
    found = installation.json("status", number)[number]
    assert found["present"] is not absent
    rows: list[dict[str, Any]] = found["certificates"]
    return rows


def test_status_changes_nothing_and_its_exit_code_is_for_monitoring(
    installation: Installation, proxy: FaultyProxy, three: list[str]
) -> None:
    assert installation.run("status").exit_code == 0
    absent = installation.json("status", "--exit-code", code=1)
    assert {row["state"] for row in absent.values()} == {"absent"}
    assert proxy.changes() == []
    installation.run("register", "--all")
    good = installation.json("status", "--exit-code")
    assert {row["state"] for row in good.values()} == {"as published"}
    assert set(good) == set(three)

    proxy.always(three[1], "GetCallerIdentity", refusing("ExpiredToken", 403))
    result = installation.run("status", "--exit-code")
    assert result.exit_code == 1
    words = {line.split("\t")[0]: line.split("\t")[2] for line in result.stdout.splitlines()}
    assert words == {"dev": "as published", "prod": "UNREACHABLE", "test": "as published"}
    assert "prod: Get new ones" in result.stderr
    row = installation.json("status", "prod")[three[1]]
    assert (row["reachable"], row["problem"]["kind"]) == (False, "expired")


def test_status_shows_the_encryption_mode_and_what_it_needs(
    installation: Installation, sandbox: RunningSandbox, three: list[str]
) -> None:
    installation.run("register", "dev")
    pem = memory_key(number=1).private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    arn = ProviderArn("aws", three[0], "ExampleIdP")
    with open_account(AccountTarget(arn), Reach(sandbox.address)) as account:
        account.iam.update_saml_provider(
            SAMLProviderArn=str(arn),
            AssertionEncryptionMode="Required",
            AddPrivateKey=pem.decode(),
        )
    row = installation.json("status", "dev")[three[0]]
    assert (row["encryption_mode"], row["private_keys"]) == ("Required", 1)
    assert "encryption is required" in row["notes"][0]
    assert not row["as_published"]


def test_another_endpoint_is_used_when_it_is_given(
    installation: Installation, sandbox: RunningSandbox, proxy: FaultyProxy, three: list[str]
) -> None:
    result = installation.run("register", "dev", "--endpoint-url", sandbox.address)
    assert result.exit_code == 0, result.output
    assert proxy.calls == []
    assert sandbox.held(three[0]) is not None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("register",), "No account is named"),
        (("register", "--all", "dev"), "Give one of the two"),
        (("register", "dev", "nope", "999988887777"), "'nope', '999988887777'"),
        (("status", "nope"), "'nope'"),
        (("register", "--all", "--endpoint-url", "http://aws.example.com"), "not safe"),
        (("status", "--endpoint-url", "ftp://127.0.0.1"), "not safe"),
        (("register", "--all", "--endpoint-url", ""), "not the address"),
        (("register", "--all", "--endpoint-url", "http://127.0.0.1:99999"), "not the address"),
    ],
)
def test_bad_input_is_refused_before_any_call(
    installation: Installation,
    proxy: FaultyProxy,
    three: list[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    assert len(three) == 3
    result = installation.run(*arguments)
    assert isinstance(result.exception, IdpError)
    assert words in str(result.exception)
    assert proxy.calls == []


@pytest.mark.parametrize("command", ["register", "status"])
@pytest.mark.parametrize(
    "option",
    [("--workers", "0"), ("--timeout", "0"), ("--workers", "x"), ("--timeout", "nan")],
)
def test_odd_numbers_are_usage_errors(
    installation: Installation, command: str, option: tuple[str, str]
) -> None:
    assert installation.run(command, "dev", *option).exit_code == 2


@pytest.mark.parametrize("arguments", [("register", "--all"), ("status",)])
def test_without_a_registered_account_it_says_how_to_add_one(
    installation: Installation, arguments: tuple[str, ...]
) -> None:
    result = installation.run(*arguments)
    assert isinstance(result.exception, IdpError)
    assert "idp aws account add" in result.exception.advice


def test_metadata_that_iam_would_refuse_is_not_sent_anywhere(
    installation: Installation, proxy: FaultyProxy, three: list[str]
) -> None:
    assert len(three) == 3
    for _key in range(8):
        installation.add_key()
    hidden = installation.add_key()
    installation.set_key_state(hidden, "retired")
    installation.add_key()
    installation.set_key_state(hidden, "next")  # past idp certs, which would make no eleventh
    result = installation.run("register", "--all")
    assert isinstance(result.exception, IdpError)
    assert "11 certificates" in result.exception.message
    assert proxy.calls == []


def test_on_a_terminal_there_is_a_bar_and_each_account_has_its_line(
    installation: Installation, three: list[str]
) -> None:
    leader, follower = pty.openpty()
    running = installation.start("register", "--all", output=follower)
    os.close(follower)
    shown = b""
    with suppress(OSError):  # what reading says when the other side is closed
        while chunk := os.read(leader, 65536):
            shown += chunk
    os.close(leader)
    assert running.wait(30) == 0
    text = shown.decode()
    assert "3/3" in text
    for alias, number in zip(ALIASES, three, strict=True):
        assert re.search(rf"{alias} +{number} +created", text)
