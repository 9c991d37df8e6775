"""A stolen key: replaced at once, withdrawn from every account, its assertions listed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import delete, update

from idp.audit.events import AssertionIssued
from idp.audit.log import AuditLog, Origin
from idp.audit.reading import Search, matching
from idp.audit.verify import verify
from idp.aws.provider_content import read_content
from idp.cli.main import idp
from idp.db.models import AuditEventRow, RotationRow
from idp.directory.person import Person
from idp.entitlements.account import Account
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.store import all_keys
from idp.rotation.departed import departed_holders
from idp.signin.sessions import Sessions
from tests.aws.faulty_proxy import FaultyProxy, refusing
from tests.aws.installation import Installation
from tests.aws.running_sandbox import RunningSandbox

ROLE = "arn:aws:iam::111122223333:role/Developer"


def certs(installation: Installation, *words: str) -> Result:
    return CliRunner().invoke(idp, ["-c", str(installation.file), "certs", *words])


def revoke(installation: Installation, key: str, *words: str) -> Result:
    return certs(installation, "revoke", key, "--reason", "a test", "--yes", *words)


def keys(installation: Installation) -> dict[str, SigningKey]:
    """By identifier."""
    with installation.database.reading() as session:
        return {key.id: key for key in all_keys(session)}


def states(installation: Installation) -> dict[str, str]:
    return {key.id: key.state.value for key in keys(installation).values()}


def active(installation: Installation) -> SigningKey:
    [key] = [key for key in keys(installation).values() if key.state is KeyState.ACTIVE]
    return key


def held(sandbox: RunningSandbox, account: Account) -> frozenset[str]:
    provider = sandbox.held(account.number)
    assert provider
    return read_content(provider.metadata.encode()).certificates


def issue(installation: Installation, key: SigningKey, assertion: str) -> None:
    event = AssertionIssued(
        actor="local/ann",
        session="0123456789ab",
        assertion_id=assertion,
        response_id="_r",
        service_provider="urn:amazon:webservices",
        recipient="https://signin.aws.amazon.com/saml",
        roles=(ROLE,),
        session_name="ann",
        source_identity=None,
        name_id="7f3b",
        duration=3600,
        tags=(),
        key=key.fingerprint,
    )
    AuditLog(installation.database).record(event, Origin("192.0.2.1", "r1"))


def events(installation: Installation, kind: str) -> list[dict[str, Any]]:
    found = matching(installation.database, Search(types=(kind,)))
    return [dict(record.told()) for record in found]


def test_the_stolen_key_is_gone_everywhere_and_its_assertions_are_listed(
    installation: Installation, sandbox: RunningSandbox, accounts: list[Account]
) -> None:
    stolen = active(installation)
    issue(installation, stolen, "_one")
    issue(installation, stolen, "_two")
    person = Person("local", "1", "ann", "Ann")
    sessions = Sessions(installation.database, installation.settings.session)
    token, _ = sessions.open(person, ("password",), "192.0.2.1", datetime.now(UTC))

    done = revoke(installation, stolen.id, "--compromised", "--end-sessions", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    successor = active(installation)
    assert states(installation) == {stolen.id: "revoked", successor.id: "active"}
    assert told["successor"]["id"] == successor.id
    assert [row["assertion_id"] for row in told["assertions"]] == ["_one", "_two"]
    assert told["assertions"][0]["roles"] == [ROLE]
    assert {row["outcome"] for row in told["accounts"]} == {"updated"}
    for account in accounts:
        assert held(sandbox, account) == {successor.fingerprint}
    assert sessions.find(token, datetime.now(UTC)) is None
    [event] = events(installation, "key.revoked")
    assert event["changes"] == {
        "before": "active",
        "reason": "a test",
        "compromised": True,
        "successor": successor.id,
    }
    assert events(installation, "sessions.ended")[0]["changes"] == {"sessions": 1}
    assert len(events(installation, "aws.registered")) >= 6
    assert verify(installation.database).finding is None


def test_an_account_that_still_trusts_it_is_named_and_the_next_run_tells_it(
    installation: Installation,
    sandbox: RunningSandbox,
    accounts: list[Account],
    proxy: FaultyProxy,
) -> None:
    stolen = active(installation)
    proxy.always(accounts[1].number, "UpdateSAMLProvider", refusing("AccessDenied", 403))
    done = revoke(installation, stolen.fingerprint[:12], "--compromised")
    assert done.exit_code == 1
    assert f"prod {accounts[1].number} STILL TRUSTS THE REVOKED KEY" in done.stderr
    successor = active(installation)
    assert held(sandbox, accounts[0]) == {successor.fingerprint}
    assert held(sandbox, accounts[1]) == {stolen.fingerprint}

    proxy.heal()
    again = revoke(installation, stolen.id, "--compromised")
    assert again.exit_code == 0, again.output
    assert active(installation) == successor
    assert held(sandbox, accounts[1]) == {successor.fingerprint}


def test_accounts_that_left_the_list_are_named_if_they_may_trust_it_still(
    installation: Installation, sandbox: RunningSandbox, accounts: list[Account]
) -> None:
    stolen = active(installation)
    _, prod, test = accounts
    assert installation.run("account", "remove", "prod").exit_code == 0
    other = ("account", "add", test.number, "--alias", "test", "--provider", "Other", "--update")
    assert installation.run(*other).exit_code == 0
    # Never seen by us: its provider was made by hand.
    number = str(int(test.number) + 700_000)
    assert installation.run("account", "add", number, "--alias", "by-hand").exit_code == 0
    assert installation.run("account", "remove", "by-hand").exit_code == 0

    done = revoke(installation, stolen.id, "--compromised", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {row["alias"] for row in told["accounts"]} == {"dev", "test"}
    departed = {row["provider"]: row for row in told["departed"]}
    by_hand = f"arn:aws:iam::{number}:saml-provider/ExampleIdP"
    assert list(departed) == [str(prod.provider), str(test.provider), by_hand]
    for account in (prod, test):
        found = departed[str(account.provider)]
        assert (found["number"], found["alias"]) == (account.number, account.alias)
        assert found["held_at"] < found["left_at"]
        assert str(account.provider) in found["advice"]
        assert held(sandbox, account) == {stolen.fingerprint}
    assert departed[by_hand]["held_at"] is None
    line = f"prod {prod.number} MAY STILL TRUST THE REVOKED KEY: {prod.provider} left the list"
    assert line in done.stderr
    assert f"aws iam delete-saml-provider --saml-provider-arn {prod.provider}" in done.stderr

    # One way to mend it: on the list again, told, and removed.
    assert installation.run("account", "add", prod.number, "--alias", "prod").exit_code == 0
    again = json.loads(revoke(installation, stolen.id, "--compromised", "--json").stdout)
    assert [row["provider"] for row in again["departed"]] == [str(test.provider), by_hand]
    assert installation.run("account", "remove", "prod").exit_code == 0
    again = json.loads(revoke(installation, stolen.id, "--compromised", "--json").stdout)
    assert [row["provider"] for row in again["departed"]] == [str(test.provider), by_hand]
    # A key that was made after they had left is not there.
    later = json.loads(
        revoke(installation, active(installation).id, "--compromised", "--json").stdout
    )
    assert [row["provider"] for row in later["departed"]] == [str(prod.provider)]


def test_what_a_rotation_gave_and_took_is_known_of_accounts_that_left(
    installation: Installation, accounts: list[Account]
) -> None:
    """Also where nothing else is on record: a trail is kept for some time only."""
    old = active(installation)
    _, prod, test = accounts
    assert certs(installation, "rotate", "--yes").exit_code == 0
    new = active(installation)
    assert installation.run("account", "remove", "prod").exit_code == 0
    with installation.database.writing() as session:
        session.execute(update(RotationRow).values(overlap_until=datetime.now(UTC)))
    assert certs(installation, "rotate", "--resume").exit_code == 0
    assert installation.run("account", "remove", "test").exit_code == 0
    for key, providers in ((old, [prod.provider]), (new, [prod.provider, test.provider])):
        found = departed_holders(installation.database, key)
        assert [each.provider for each in found] == providers
        assert all(each.held_at for each in found)
    with installation.database.writing() as session:
        session.execute(delete(AuditEventRow))
    for key, providers in ((old, [prod.provider]), (new, [prod.provider, test.provider])):
        found = departed_holders(installation.database, key)
        assert [each.provider for each in found] == providers


def test_the_keys_that_lay_beside_it_go_with_it_unless_they_are_known_to_be_safe(
    installation: Installation,
) -> None:
    stolen, beside = active(installation), installation.add_key()
    [safe] = [key for key in keys(installation).values() if key.id != stolen.id]
    assert safe.fingerprint == beside
    also = installation.add_key()
    [lost] = [key for key in keys(installation).values() if key.fingerprint == also]
    done = revoke(installation, stolen.id, "--compromised", "--keep", safe.id)
    assert done.exit_code == 0, done.output
    found = states(installation)
    assert (found[stolen.id], found[lost.id], found[safe.id]) == ("revoked", "revoked", "next")


def test_the_active_key_is_not_revoked_by_mistake(installation: Installation) -> None:
    key = active(installation)
    refused = revoke(installation, key.id)
    assert type(refused.exception).__name__ == "KeyStepRefused"
    assert "idp certs rotate" in str(getattr(refused.exception, "advice", ""))
    unanswered = certs(installation, "revoke", key.id, "--compromised", "--reason", "x")
    assert type(unanswered.exception).__name__ == "NotConfirmed"
    assert states(installation) == {key.id: "active"}


def test_a_next_key_can_be_revoked_alone(
    installation: Installation, sandbox: RunningSandbox, accounts: list[Account]
) -> None:
    key, fingerprint = active(installation), installation.add_key()
    assert installation.run("register", "--all").exit_code == 0
    assert held(sandbox, accounts[0]) == {key.fingerprint, fingerprint}
    done = revoke(installation, fingerprint)
    assert done.exit_code == 0, done.output
    assert held(sandbox, accounts[0]) == {key.fingerprint}
    assert active(installation) == key


def test_ten_published_keys_leave_room_for_the_new_one(installation: Installation) -> None:
    stolen = active(installation)
    for _ in range(9):
        installation.add_key()
    done = revoke(installation, stolen.id, "--compromised")
    assert done.exit_code == 0, done.output
    assert sorted(states(installation).values()) == ["active"] + ["revoked"] * 10


def test_no_key_is_revoked_without_a_reason(installation: Installation) -> None:
    key = active(installation)
    refused = certs(installation, "revoke", key.id, "--compromised", "--yes", "--reason", " ")
    assert type(refused.exception).__name__ == "NoReason"
    assert states(installation) == {key.id: "active"}


@pytest.mark.parametrize("name", ["", "zz", "0" * 64])
def test_a_key_that_is_not_there_is_told(installation: Installation, name: str) -> None:
    refused = revoke(installation, name, "--compromised")
    assert type(refused.exception).__name__ == "KeyNotFound"


def test_only_assertions_of_that_very_key_are_listed(installation: Installation) -> None:
    stolen, other = active(installation), installation.add_key()
    [kept] = [key for key in keys(installation).values() if key.fingerprint == other]
    issue(installation, stolen, "_mine")
    issue(installation, kept, "_other")
    done = revoke(installation, stolen.id, "--compromised", "--keep", kept.id)
    assert "_mine" in done.stdout
    assert "_other" not in done.stdout


def test_a_new_key_is_valid_from_now_on(installation: Installation) -> None:
    revoke(installation, active(installation).id, "--compromised")
    certificate = active(installation).certificate
    assert certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=1000)
