"""idp aws encryption: switched on, given a new key, switched off; people sign in throughout."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from idp.aws.encryption_state import EncryptionState
from idp.entitlements.store import save_account
from tests.aws.encrypted_account import EncryptedAccount
from tests.aws.faulty_proxy import FaultyProxy, refusing


def test_enable_moves_everything_and_people_sign_in(dev: EncryptedAccount) -> None:
    assert dev.signs_in()
    done = dev.enable("--probe-role", dev.role("Auditor"))
    assert done.exit_code == 0, done.output
    assert "enabled" in done.stdout
    assert "proven with the probe role" in done.stdout
    assert f'+            "{dev.own_acs}"' in done.stdout
    assert (dev.held.encryption, len(dev.key_ids)) == ("Required", 1)
    assert dev.state.key_id == dev.key_ids[0]
    assert dev.state.provider_id == dev.held.uuid
    assert dev.audiences() == dev.audiences("Auditor") == [dev.plain_acs, dev.own_acs]
    assert dev.sends_encrypted()
    assert dev.signs_in()
    assert dev.events() == [
        *("trust_policy.changed", "trust_policy.changed"),
        *("encryption.key_added", "encryption.enabled", "encryption.required"),
    ]


def test_enabling_twice_changes_nothing(dev: EncryptedAccount, proxy: FaultyProxy) -> None:
    dev.enable()
    before = len(proxy.changes()), dev.state, dev.events()
    again = dev.enable()
    assert (again.exit_code, "unchanged" in again.stdout) == (0, True)
    assert (len(proxy.changes()), dev.state, dev.events()) == before


def test_without_update_trust_the_change_is_shown_and_nothing_is_done(
    dev: EncryptedAccount, proxy: FaultyProxy
) -> None:
    done = dev.run("enable", "--bits", "2048")
    assert done.exit_code == 1
    assert f'+            "{dev.own_acs}"' in done.stdout
    assert "Developer" in done.stdout
    assert "Auditor" in done.stdout
    assert "give --update-trust" in done.stderr
    assert proxy.changes() == []
    assert (dev.state, dev.events()) == (EncryptionState(None), [])
    assert dev.audiences() == [dev.plain_acs]


def test_policies_that_are_right_already_need_no_permission_to_change_them(
    dev: EncryptedAccount,
) -> None:
    for role in ("Developer", "Auditor"):
        document = json.dumps(dev.trusting(dev.plain_acs, dev.own_acs))
        dev.iam.update_assume_role_policy(RoleName=role, PolicyDocument=document)
    done = dev.run("enable", "--bits", "2048")
    assert done.exit_code == 0, done.output
    assert dev.signs_in()


def test_a_dry_run_says_it_and_changes_nothing(dev: EncryptedAccount, proxy: FaultyProxy) -> None:
    done = dev.run("enable", "--dry-run")
    assert (done.exit_code, "would enable" in done.stdout) == (0, True)
    assert dev.own_acs in done.stdout
    assert proxy.changes() == []
    assert (dev.state, dev.events()) == (EncryptionState(None), [])
    dev.enable()
    before = len(proxy.changes()), dev.state
    for command in ("rotate", "disable", "enable"):
        assert dev.run(command, "--dry-run").exit_code == 0
    assert (len(proxy.changes()), dev.state) == before


def test_rotate_gives_a_new_key_and_removes_the_old_one(dev: EncryptedAccount) -> None:
    dev.enable()
    before = dev.state
    done = dev.run("rotate", "--bits", "2048", "--probe-role", dev.role("Auditor"))
    assert done.exit_code == 0, done.output
    assert dev.state.key != before.key
    assert dev.key_ids == [dev.state.key_id] != [before.key_id]
    assert dev.held.encryption == "Required"
    assert dev.signs_in()
    assert dev.events()[-3:] == [
        *("encryption.key_added", "encryption.rotated", "encryption.key_removed"),
    ]


def test_an_assertion_on_its_way_is_still_read_while_both_keys_are_there(
    dev: EncryptedAccount,
) -> None:
    dev.enable()
    on_its_way = dev.form()
    dev.proxy.always(dev.number, "UpdateSAMLProvider", dev.only("AddPrivateKey"))
    done = dev.run("rotate", "--bits", "2048")
    assert done.exit_code == 1
    assert "The new key is in use; the old one is still in IAM." in done.stdout
    assert len(dev.key_ids) == 2
    assert dev.redeems(on_its_way)
    assert dev.signs_in()
    dev.proxy.heal()
    assert dev.run("rotate", "--bits", "2048").exit_code == 0
    assert dev.key_ids == [dev.state.key_id]
    assert not dev.redeems(on_its_way)
    assert dev.signs_in()


def test_disable_sends_in_plain_and_removes_our_keys_alone(dev: EncryptedAccount) -> None:
    dev.enable()
    dev.iam.update_saml_provider(SAMLProviderArn=dev.arn, AddPrivateKey=dev.some_pem())
    theirs = [key_id for key_id in dev.key_ids if key_id != dev.state.key_id]
    done = dev.run("disable")
    assert done.exit_code == 0, done.output
    assert f"keys that are not ours stay: {theirs[0]}" in done.stdout
    assert (dev.held.encryption, dev.key_ids) == ("Allowed", theirs)
    assert dev.state == EncryptionState(dev.held.uuid)
    assert not dev.sends_encrypted()
    assert dev.signs_in()
    assert dev.run("disable").exit_code == 0
    assert dev.run("rotate").exit_code == 1


def test_status_tells_what_is_wrong(dev: EncryptedAccount) -> None:
    def row() -> dict[str, object]:
        return dev.installation.json(*dev.arguments("status"))[dev.number]

    assert (row()["state"], row()["notes"]) == ("plain", [])
    dev.enable()
    shown = row()
    assert (shown["state"], shown["mode_in_iam"], shown["notes"]) == ("encrypted", "Required", [])
    assert (shown["key_id"], shown["keys_in_iam"]) == (dev.key_ids[0], dev.key_ids)
    dev.iam.update_saml_provider(SAMLProviderArn=dev.arn, AssertionEncryptionMode="Allowed")
    assert "still takes assertions in plain" in str(row()["notes"])
    dev.iam.update_saml_provider(SAMLProviderArn=dev.arn, RemovePrivateKey=dev.key_ids[0])
    assert "nobody can sign in" in str(row()["notes"])
    assert dev.run("status", "--exit-code").exit_code == 1
    refused = dev.enable()
    assert "nobody can sign in" in refused.stdout
    assert dev.run("disable").exit_code == 0
    assert dev.enable().exit_code == 0
    assert dev.signs_in()


def test_disabling_works_where_the_provider_is_gone(dev: EncryptedAccount) -> None:
    dev.enable()
    dev.iam.delete_saml_provider(SAMLProviderArn=dev.arn)
    assert dev.run("disable").exit_code == 0
    assert not dev.state.begun
    assert not dev.sends_encrypted()


def test_a_mode_that_somebody_weakened_is_set_again(dev: EncryptedAccount) -> None:
    dev.enable()
    dev.iam.update_saml_provider(SAMLProviderArn=dev.arn, AssertionEncryptionMode="Allowed")
    assert dev.enable().exit_code == 0
    assert dev.held.encryption == "Required"


def test_two_keys_of_somebody_else_are_left_alone(dev: EncryptedAccount) -> None:
    for _ in range(2):
        dev.iam.update_saml_provider(SAMLProviderArn=dev.arn, AddPrivateKey=dev.some_pem())
    theirs = dev.key_ids
    done = dev.enable()
    assert done.exit_code == 1
    assert "holds two private keys" in done.stdout
    assert "--remove-private-key" in done.stderr
    assert (dev.key_ids, dev.events()) == (theirs, [])


def test_without_the_right_to_look_at_roles_it_asks_for_it(dev: EncryptedAccount) -> None:
    dev.proxy.always(dev.number, "ListRoles", refusing("AccessDenied", 403, "no way"))
    done = dev.enable()
    assert "Not allowed: iam:ListRoles" in done.stdout
    assert "--no-trust-check" in done.stderr
    assert dev.run("enable", "--no-trust-check", "--bits", "2048").exit_code == 0
    assert dev.held.encryption == "Required"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("enable",), "No account is named"),
        (("enable", "nope"), "'nope'"),
        (("enable", "dev", "--probe-role", "arn:aws:iam::999988887777:role/P"), "in none of the"),
        (("enable", "dev", "--probe-role", "rubbish"), "not the ARN of an IAM role"),
        (("rotate", "dev"), "are not encrypted"),
    ],
)
def test_bad_input_is_a_sentence(
    dev: EncryptedAccount, arguments: tuple[str, ...], words: str
) -> None:
    done = dev.installation.run("encryption", *arguments)
    assert done.exit_code != 0
    assert words in done.output + str(done.exception)
    assert dev.events() == []


def test_an_account_that_is_not_registered_in_iam_is_told_so(
    dev: EncryptedAccount,
) -> None:
    dev.iam.delete_saml_provider(SAMLProviderArn=dev.arn)
    done = dev.enable()
    assert "Register it first: idp aws register" in done.stderr


def test_an_encrypted_account_is_not_renamed_or_forgotten_by_accident(
    dev: EncryptedAccount,
) -> None:
    dev.enable()
    add = ("account", "add", dev.number, "--alias", "dev", "--update")
    for change in (("--provider", "Other"), ()):  # the latter would drop the identifier
        refused = dev.installation.run(*add, *change)
        assert "can't change while assertions are encrypted" in str(refused.exception)
    kept = dev.installation.run(*add, "--provider-id", dev.held.uuid, "--profile", "p")
    assert kept.exit_code == 0, kept.output
    assert dev.sends_encrypted()
    removed = dev.installation.run("account", "remove", "dev")
    assert "are encrypted" in str(removed.exception)


def test_a_changed_account_keeps_its_encryption(dev: EncryptedAccount) -> None:
    dev.enable()
    account = dev.installation.accounts().find("dev")
    assert account is not None
    with dev.installation.database.writing() as session:
        save_account(session, replace(account, alias="renamed"))
    again = dev.installation.accounts().find("renamed")
    assert again is not None
    assert again.encrypt_to == account.encrypt_to is not None


def test_the_private_key_is_nowhere_but_in_iam(
    dev: EncryptedAccount, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in the log even at its loudest, nor in the database, the audit trail, or any file."""
    caplog.set_level("DEBUG")
    for name in list(logging.Logger.manager.loggerDict):
        if name.startswith("botocore"):
            logging.getLogger(name).setLevel(logging.NOTSET)
    done = dev.enable()
    number = dev.held.private_keys[0].key.private_numbers()
    body = pem_of(dev.held.private_keys[0].key).splitlines()[2]
    secrets = [body, str(number.d), f"{number.d:x}", str(number.p), f"{number.p:x}"]
    places = {dev.installation.file.parent, Path(dev.database_file).parent}
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert Path(dev.database_file) in files
    texts = [done.output, caplog.text, *(path.read_bytes().decode("latin-1") for path in files)]
    assert "GetCallerIdentity" in caplog.text, "botocore was at its loudest in the beginning"
    assert not [secret for secret in secrets if any(secret in text for text in texts)]


def pem_of(key: RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
