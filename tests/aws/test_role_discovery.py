"""idp aws roles discover: which roles trust us, held against the rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from idp.aws.iam import AccountTarget, Reach, open_account
from idp.aws.snippets import trust_policy
from idp.entitlements.account import Account
from idp.entitlements.rule import RoleRule
from idp.entitlements.store import apply_rules
from tests.aws.faulty_proxy import FaultyProxy, refusing
from tests.aws.installation import Installation


@pytest.fixture
def account(installation: Installation, numbers: Iterator[int]) -> Account:
    made = Account(str(next(numbers)), "dev", "aws", "ExampleIdP")
    installation.add_accounts([made])
    return made


def give(installation: Installation, *rules: RoleRule) -> None:
    with installation.database.writing() as session:
        apply_rules(session, rules)


def make_role(
    installation: Installation,
    account: Account,
    name: str,
    *,
    policy: dict[str, Any] | str = "",
    path: str = "/",
    longest: int = 3600,
) -> None:
    acs = installation.settings.aws.sandbox_url + "/saml"
    document = policy or trust_policy(str(account.provider), [acs])
    with open_account(
        AccountTarget(account.provider), Reach(installation.settings.aws.sandbox_url)
    ) as opened:
        opened.iam.create_role(
            RoleName=name,
            Path=path,
            AssumeRolePolicyDocument=document
            if isinstance(document, str)
            else json.dumps(document),
            MaxSessionDuration=longest,
        )


def statement(account: Account, **changes: Any) -> dict[str, Any]:
    usual = {
        "Effect": "Allow",
        "Principal": {"Federated": str(account.provider)},
        "Action": ["sts:AssumeRoleWithSAML"],
    }
    return {"Version": "2012-10-17", "Statement": [{**usual, **changes}]}


def rows(installation: Installation) -> set[tuple[str, str]]:
    """Role and word of every line."""
    result = installation.run("roles", "discover")
    assert result.exit_code == 0, result.output
    return {tuple(line.split("\t")[1:3]) for line in result.stdout.splitlines()}  # type: ignore[misc]


def test_tells_roles_that_rules_reach_from_those_that_none_does(
    installation: Installation, account: Account
) -> None:
    for name in ("Developer", "Auditor", "Team-Reader", "Team-Off", "Guest"):
        make_role(installation, account, name)
    make_role(
        installation,
        account,
        "Service",
        policy=statement(account, Principal={"Service": "ec2.amazonaws.com"}),
    )
    give(
        installation,
        RoleRule("developers", users=("ann",), roles=("Developer",), accounts=("dev",)),
        RoleRule(
            "named",
            directory="local",
            group_pattern="^aws-(?P<role>[a-zA-Z]+)$",
            roles=("Team-{role}",),
            accounts=("dev",),
        ),
        RoleRule("never", effect="deny", everyone=True, roles=("Auditor",), accounts=("dev",)),
        RoleRule("off", effect="deny", everyone=True, roles=("team-off",), accounts=("dev",)),
        RoleRule("guests", users=("ann",), roles=("Guest",), accounts=("dev",)),
        RoleRule(
            "not-from-there",
            effect="deny",
            everyone=True,
            networks=("192.0.2.0/24",),
            roles=("Guest",),
            accounts=("dev",),
        ),
    )
    assert rows(installation) == {
        ("Developer", "reached"),
        ("Team-Reader", "possible"),
        ("Auditor", "UNREACHED"),
        ("Team-Off", "UNREACHED"),
        ("Team-Off", "MISMATCH"),
        ("Guest", "reached"),
    }
    result = installation.run("roles", "discover", "--exit-code")
    assert result.exit_code == 1
    assert "1 account: 5 roles trust us, no rule reaches 2 of them; 0 rules point" in result.stderr
    assert "rule off denies it to everyone" in result.stdout


def test_tells_rules_that_point_to_no_role_and_to_roles_that_do_not_trust_us(
    installation: Installation, account: Account
) -> None:
    make_role(installation, account, "Developer", path="/team/")
    other = statement(account, Principal={"Federated": str(account.provider) + "-old"})
    make_role(installation, account, "Other", policy=other)
    give(
        installation,
        RoleRule("r", users=("ann",), roles=("Developer", "Gone", "Other"), accounts=("dev",)),
    )
    found = installation.json("roles", "discover")[account.number]
    lost = {each["role"].rsplit("/", 1)[1]: each for each in found["lost_targets"]}
    assert (lost["Gone"]["missing"], lost["Other"]["missing"]) == (True, False)
    assert lost["Developer"]["reason"] == "there is no such role; there is team/Developer"
    assert "does not let us in" in lost["Other"]["reason"]
    assert [each["reach"] for each in found["roles"]] == ["unreached"]
    assert not found["in_order"]


def test_tells_what_sessions_ask_for_and_the_role_does_not_allow(
    installation: Installation, account: Account
) -> None:
    make_role(installation, account, "Short", policy=statement(account), longest=3600)
    give(
        installation,
        RoleRule(
            "long",
            users=("ann",),
            roles=("Short",),
            accounts=("dev",),
            duration=14_400,
            tags={"Team": "x"},
            source_identity="{username}",
        ),
    )
    (role,) = installation.json("roles", "discover")[account.number]["roles"]
    assert role["max_session_duration"] == 3600
    assert role["notes"] == [
        "rule long asks for 4h, and the role allows 1h",
        "rule long sends session tags, and the role does not allow sts:TagSession",
        "rule long gives a session with a SourceIdentity, "
        "and the role does not allow sts:SetSourceIdentity",
    ]


def test_a_trust_policy_that_asks_for_another_recipient_is_told(
    installation: Installation, account: Account
) -> None:
    elsewhere = {"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/other"}}
    make_role(installation, account, "A", policy=statement(account, Condition=elsewhere))
    give(installation, RoleRule("r", users=("ann",), roles=("A",), accounts=("dev",)))
    (role,) = installation.json("roles", "discover")[account.number]["roles"]
    assert role["trust"] == "depends"
    assert "saml:aud" in role["notes"][0]


def test_reads_all_pages_and_names_an_account_that_can_not_be_read(
    installation: Installation, account: Account, numbers: Iterator[int], proxy: FaultyProxy
) -> None:
    closed = Account(str(next(numbers)), "closed", "aws", "ExampleIdP")
    installation.add_accounts([closed])
    reach = Reach(installation.settings.aws.sandbox_url)
    with open_account(AccountTarget(account.provider), reach) as opened:
        for number in range(120):  # IAM gives 100 on a page
            opened.iam.create_role(
                RoleName=f"Role{number}",
                AssumeRolePolicyDocument=json.dumps(statement(account)),
            )
    proxy.always(closed.number, "ListRoles", refusing("AccessDenied", 403))
    found = installation.json("roles", "discover")
    assert len(found[account.number]["roles"]) == 120
    assert found[closed.number]["problem"]["kind"] == "denied"
    assert "iam:ListRoles" in found[closed.number]["problem"]["advice"]
