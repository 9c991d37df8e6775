"""idp aws encryption: switched on, rotated, switched off; every sign-in on the way succeeds."""

from __future__ import annotations

import json

import pytest

from idp.aws.iam import AccountTarget
from tests.aws.conftest import RunningSandbox
from tests.aws.encrypted_account import EncryptedAccount
from tests.aws.faulty_proxy import FaultyProxy
from tests.aws.installation import Installation

assert AccountTarget


@pytest.fixture
def dev(
    tmp_path_factory: pytest.TempPathFactory,
    sqlite_url: str,
    sandbox: RunningSandbox,
    proxy: FaultyProxy,
    number: str,
) -> EncryptedAccount:
    folder = tmp_path_factory.mktemp("installation")
    installation = Installation.make(folder, sqlite_url, sandbox.address)
    return EncryptedAccount.make(installation, sandbox, proxy, number)


def test_enable_moves_everything_and_people_sign_in(dev: EncryptedAccount) -> None:
    assert dev.signs_in()
    done = dev.enable("--probe-role", dev.role("Auditor"))
    assert done.exit_code == 0, done.output
    assert "enabled" in done.stdout
    assert "proven with the probe role" in done.stdout
    assert (dev.held.encryption, len(dev.key_ids)) == ("Required", 1)
    assert dev.state.key_id == dev.key_ids[0]
    assert dev.state.provider_id == dev.held.uuid
    assert dev.audiences() == dev.audiences("Auditor") == [dev.plain_acs, dev.own_acs]
    assert dev.sends_encrypted()
    assert dev.signs_in()
    print(json.dumps(dev.events()))
