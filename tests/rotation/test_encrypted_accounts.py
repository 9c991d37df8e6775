"""The proof of a signing key where assertions are encrypted: AWS takes no other there."""

from __future__ import annotations

from dataclasses import replace

from idp.audit.log import AuditLog, Origin
from idp.aws.arn import RoleArn
from idp.aws.assume_with_saml import assume_with_saml
from idp.aws.iam import Reach
from idp.entitlements.store import save_account
from idp.keys.store import active_key
from idp.rotation.aws_side import RealAws
from idp.rotation.probe import ProbeAssertions
from idp.rotation.surroundings import Surroundings
from tests.aws.conftest import dev, number, proxy, sandbox
from tests.aws.encrypted_account import EncryptedAccount, is_encrypted

__all__ = ["dev", "number", "proxy", "sandbox"]


def test_the_probe_of_a_rotation_is_encrypted_as_well(dev: EncryptedAccount) -> None:
    assert dev.enable().exit_code == 0
    made = dev.installation
    account = made.accounts().find(dev.number)
    assert account is not None
    with made.database.writing() as session:
        save_account(session, replace(account, probe_role=dev.role("Auditor")))
        key = active_key(session)
    account = made.accounts().find(dev.number)
    assert account is not None
    reach = Reach(dev.sandbox.address)
    around = Surroundings(
        database=made.database,
        settings=made.settings,
        audit=AuditLog(made.database),
        aws=RealAws(reach),
        actor="cli/test",
        origin=Origin("test", "test"),
    )
    response = ProbeAssertions(around, "1", key)(account)
    assert is_encrypted(response)
    assume_with_saml(
        RoleArn.parse(dev.role("Auditor")), account.provider, response, reach, pauses=()
    )
