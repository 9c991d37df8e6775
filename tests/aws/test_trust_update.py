"""What a trust policy needs so that an address is allowed beside those that it names."""

from __future__ import annotations

from typing import Any

import pytest

from idp.aws.arn import ProviderArn
from idp.aws.encryption_state import ChangedTrust
from idp.aws.trust_update import diff, with_addresses

PROVIDER = ProviderArn("aws", "111122223333", "ExampleIdP")
PLAIN = "https://signin.aws.amazon.com/saml"
OWN = "https://signin.aws.amazon.com/saml/acs/SAMLSP4SHN3UIS2D558H46"


def policy(condition: Any = None, **changes: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": str(PROVIDER)},
        "Action": "sts:AssumeRoleWithSAML",
        **({"Condition": condition} if condition is not None else {}),
        **changes,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def condition(document: Any) -> Any:
    return document["Statement"][0]["Condition"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"StringEquals": {"SAML:aud": PLAIN}}, {"StringEquals": {"SAML:aud": [PLAIN, OWN]}}),
        ({"StringEquals": {"saml:AUD": [PLAIN]}}, {"StringEquals": {"saml:AUD": [PLAIN, OWN]}}),
        (
            {"ForAnyValue:StringLike": {"SAML:aud": [PLAIN], "SAML:sub": "x"}},
            {"ForAnyValue:StringLike": {"SAML:aud": [PLAIN, OWN], "SAML:sub": "x"}},
        ),
    ],
)
def test_the_address_is_added_beside_the_old_one(before: Any, after: Any) -> None:
    changed = with_addresses(policy(before), PROVIDER, [OWN])
    assert condition(changed) == after


@pytest.mark.parametrize(
    "document",
    [
        policy({"StringEquals": {"SAML:aud": [PLAIN, OWN]}}),
        policy({"StringLike": {"SAML:aud": "https://signin.aws.amazon.com/saml*"}}),
        policy({"StringEqualsIgnoreCase": {"SAML:aud": OWN.lower()}}),
        policy({"StringEquals": {"SAML:sub_type": "persistent"}}),
        policy(),
        policy({"StringEquals": {"SAML:aud": PLAIN}}, Principal={"Service": "ec2.amazonaws.com"}),
        policy({"StringEquals": {"SAML:aud": PLAIN}}, Principal={"Federated": f"{PROVIDER}2"}),
        policy({"StringEquals": {"SAML:aud": PLAIN}}, Action="sts:TagSession"),
        policy({"StringEquals": {"SAML:aud": PLAIN}}, Effect="Deny"),
        {"Version": "2012-10-17", "Statement": []},
    ],
    ids=map(str, range(10)),
)
def test_a_policy_that_allows_it_or_is_about_others_stays(document: dict[str, Any]) -> None:
    assert with_addresses(document, PROVIDER, [OWN]) == document


def test_a_deny_for_all_other_addresses_is_opened_too() -> None:
    document = policy({"StringNotEquals": {"SAML:aud": PLAIN}}, Effect="Deny")
    changed = with_addresses(document, PROVIDER, [OWN])
    assert condition(changed) == {"StringNotEquals": {"SAML:aud": [PLAIN, OWN]}}


def test_one_statement_and_several_actions_are_read_as_iam_reads_them() -> None:
    document = {
        "Statement": {
            "Effect": "Allow",
            "Principal": {
                "Federated": ["arn:aws:iam::111122223333:saml-provider/B", str(PROVIDER)]
            },
            "Action": ["sts:*"],
            "Condition": {"StringEquals": {"SAML:aud": PLAIN}},
        }
    }
    changed: Any = with_addresses(document, PROVIDER, [OWN])
    assert changed["Statement"]["Condition"]["StringEquals"]["SAML:aud"] == [PLAIN, OWN]
    assert document["Statement"]["Condition"] == {"StringEquals": {"SAML:aud": PLAIN}}


def test_the_diff_shows_the_line_that_comes() -> None:
    before = policy({"StringEquals": {"SAML:aud": [PLAIN]}})
    shown = diff(ChangedTrust("Developer", before, with_addresses(before, PROVIDER, [OWN])))
    added = [line for line in shown.splitlines() if line.startswith("+ ")]
    assert any(OWN in line for line in added)
    assert "Developer" in shown
