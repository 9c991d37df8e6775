"""A new key is proved with a real AssumeRoleWithSAML, where an account has a role for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from idp.aws.arn import RoleArn
from idp.demo.sandbox_accounts import register_accounts
from idp.entitlements.account import Account
from tests.aws.faulty_proxy import FaultyProxy, cutting, refusing
from tests.aws.installation import Installation
from tests.aws.running_sandbox import RunningSandbox
from tests.keys.conftest import softhsm
from tests.rotation.commands import Rotating
from tests.servers.softhsm import SoftHsm

__all__ = ["softhsm"]

ASSUME = "AssumeRoleWithSAML"


@pytest.fixture
def rotating(
    tmp_path: Path, sqlite_url: str, sandbox: RunningSandbox, accounts: list[Account]
) -> Iterator[Rotating]:
    """Two accounts, one of them with a probe role; the sandbox is not behind the proxy."""
    made = Installation.make(tmp_path, sqlite_url, sandbox.address)
    role = RoleArn("aws", accounts[0].number, "Probe")
    proved = replace(accounts[0], probe_role=str(role))
    made.add_accounts([proved, accounts[1]])
    register_accounts(sandbox.address, made.metadata, [proved, accounts[1]], [role])
    yield Rotating(made, sandbox, [proved, accounts[1]])
    made.database.close()


def test_the_key_is_proved_before_it_signs_and_the_assertion_is_in_the_trail(
    rotating: Rotating,
) -> None:
    done = rotating.rotate()
    assert done.exit_code == 0, done.output
    assert "proved" in done.output
    new, [proved, _] = rotating.active, rotating.accounts
    trail = rotating.trail()
    kinds = [kind for kind, _ in trail]
    [issued] = [detail for kind, detail in trail if kind == "assertion.issued"]
    assert issued["key"] == new.fingerprint
    assert issued["roles"] == [proved.probe_role]
    assert issued["duration"] == 900
    [proof] = [detail for kind, detail in trail if kind == "rotation.account_proved"]
    assert proof["subject"] == proved.number
    assert proof["changes"]["session"] == (
        f"arn:aws:sts::{proved.number}:assumed-role/Probe/idp=probe"
    )
    assert kinds.index("assertion.issued") < kinds.index("rotation.account_proved")
    assert kinds.index("rotation.account_proved") < kinds.index("key.activated")


def test_a_key_moves_to_another_custody_by_rotation_and_by_emergency(
    rotating: Rotating, softhsm: SoftHsm
) -> None:
    lines = "".join(f"{name} = '{value}'\n" for name, value in softhsm.settings().items())
    with rotating.installation.file.open("a") as file:
        file.write(f"[keys.pkcs11]\n{lines}")
    plan = rotating.json("--dry-run", "--custody", "pkcs11")
    assert plan["custody"] == "pkcs11"
    done = rotating.rotate("--custody", "pkcs11")
    assert done.exit_code == 0, done.output
    first = rotating.active
    assert first.custody == "pkcs11"
    [proof] = [told for kind, told in rotating.trail() if kind == "rotation.account_proved"]
    assert proof["subject"] == rotating.accounts[0].number
    rotating.end_overlap()
    assert rotating.certs("rotate", "--resume").exit_code == 0
    # Where the active one is kept, if nothing else is asked for.
    assert rotating.json("--dry-run")["custody"] == "pkcs11"
    words = ("--compromised", "--reason", "a test", "--yes", "--custody", "file")
    stolen = rotating.certs("revoke", first.id, *words)
    assert stolen.exit_code == 0, stolen.output
    assert rotating.active.custody == "file"
    for account in rotating.accounts:
        assert rotating.held(account) == {rotating.active.fingerprint}


def test_a_probe_that_aws_refuses_leaves_the_old_key_signing(rotating: Rotating) -> None:
    missing = replace(
        rotating.accounts[0], probe_role=f"arn:aws:iam::{rotating.accounts[0].number}:role/Gone"
    )
    rotating.installation.add_accounts([missing])
    failed = rotating.rotate()
    assert failed.exit_code == 1
    assert "does not let us into the probe role" in failed.output
    assert "role/Gone" in failed.output
    assert rotating.states == ["active", "next"]
    rotating.installation.add_accounts([rotating.accounts[0]])
    assert rotating.certs("rotate", "--resume").exit_code == 0
    assert rotating.states == ["retiring", "active"]


def test_what_aws_has_not_heard_of_yet_is_tried_again(
    rotating: Rotating, proxy: FaultyProxy
) -> None:
    not_yet = refusing("InvalidIdentityToken", 400, "Response signature invalid")
    proxy.once("", ASSUME, not_yet, refusing("Throttling"), cutting)
    done = rotating.rotate("--endpoint-url", proxy.address)
    assert done.exit_code == 0, done.output
    assert [call.action for call in proxy.calls].count(ASSUME) == 4
    # One assertion serves all tries.
    assert [kind for kind, _ in rotating.trail()].count("assertion.issued") == 1


def test_a_probe_role_lies_in_its_account(rotating: Rotating) -> None:
    words = ("account", "add", rotating.accounts[1].number, "--alias", "prod", "--update")
    other = "arn:aws:iam::999999999999:role/Probe"
    refused = rotating.installation.run(*words, "--probe-role", other)
    assert "does not lie in the account" in str(refused.exception)
    own = f"arn:aws:iam::{rotating.accounts[1].number}:role/Probe"
    assert rotating.installation.run(*words, "--probe-role", own).exit_code == 0
    assert rotating.installation.accounts().find("prod") == replace(
        rotating.accounts[1], probe_role=own
    )
