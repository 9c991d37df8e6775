"""Rules that ask how and from where somebody came."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.directory.person import Person
from idp.entitlements.account import Account
from idp.entitlements.circumstance_conditions import BadNetwork, parse_network
from idp.entitlements.evaluate import evaluate
from idp.entitlements.explain import explain
from idp.entitlements.facts import Circumstances
from idp.entitlements.rule import RoleRule
from idp.entitlements.ruleset import RuleSet

ACCOUNTS = (Account("111122223333", "dev", "aws", "IdP"),)
ANN = Person("local", "1", "ann", "Ann")


def gives(rule: RoleRule, *, factors: set[str] | None = None, address: str | None = None) -> bool:
    known = Circumstances(None if factors is None else frozenset(factors), address)
    return bool(evaluate(RuleSet([rule], ACCOUNTS), ANN, known).grants)


def denies(rule: RoleRule, *, factors: set[str] | None = None, address: str | None = None) -> bool:
    known = Circumstances(None if factors is None else frozenset(factors), address)
    everyone = RoleRule("all", everyone=True, roles=("A",), accounts=("dev",))
    return not evaluate(RuleSet([everyone, rule], ACCOUNTS), ANN, known).grants


def from_networks(*networks: str, effect: str = "allow") -> RoleRule:
    return RoleRule(
        "r",
        effect="deny" if effect == "deny" else "allow",
        everyone=True,
        networks=networks,
        roles=("A",),
        accounts=("dev",),
    )


def with_factors(*factors: str, effect: str = "allow") -> RoleRule:
    return RoleRule(
        "r",
        effect="deny" if effect == "deny" else "allow",
        everyone=True,
        factors=factors,
        roles=("A",),
        accounts=("dev",),
    )


@pytest.mark.parametrize(
    ("networks", "address", "inside"),
    [
        (("10.0.0.0/8",), "10.255.0.1", True),
        (("10.0.0.0/8",), "11.0.0.1", False),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8",), "::10.1.2.3", False),
        (("192.0.2.7",), "192.0.2.7", True),
        (("2001:db8::/32",), "2001:db8:0:1::5", True),
        (("2001:db8::/32",), "2001:db9::", False),
        (("2001:db8::/32", "10.0.0.0/8"), "10.0.0.1", True),
        (("0.0.0.0/0",), "2001:db8::1", False),
        (("::/0",), "10.0.0.1", False),
        (("::/0",), "::ffff:10.0.0.1", False),
        (("fe80::/10",), "fe80::1%eth0", True),
    ],
)
def test_an_address_lies_in_a_network_of_its_own_kind(
    networks: tuple[str, ...], address: str, inside: bool
) -> None:
    assert gives(from_networks(*networks), address=address) is inside
    assert denies(from_networks(*networks, effect="deny"), address=address) is inside


@pytest.mark.parametrize("address", [None, "", "unix:", "10.0.0.1, 10.0.0.2", "010.0.0.1"])
def test_an_address_that_nobody_knows_opens_nothing_and_denies(address: str | None) -> None:
    assert not gives(from_networks("0.0.0.0/0", "::/0"), address=address)
    assert denies(from_networks("192.0.2.0/24", effect="deny"), address=address)


def test_any_of_the_factors_will_do() -> None:
    asked = with_factors("kerberos", "webauthn")
    assert gives(asked, factors={"kerberos"})
    assert gives(asked, factors={"password", "webauthn"})
    assert not gives(asked, factors={"password"})
    assert not gives(asked, factors=set())
    assert not gives(asked)
    deny = with_factors("password", effect="deny")
    assert denies(deny, factors={"password"})
    assert denies(deny)
    assert not denies(deny, factors={"kerberos"})


def test_the_explanation_says_what_would_be_needed() -> None:
    rules = [with_factors("kerberos"), from_networks("10.0.0.0/8")]
    factor, network = (outcome.failed for outcome in explain(RuleSet(rules, ACCOUNTS), ANN))
    assert factor
    assert network
    assert factor.hint == "would need one of them; try --factor kerberos"
    assert network.hint == "would need such an address; try --from-address 10.0.0.1"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("2001:db8::1/32", "write 2001:db8::/32"),
        ("::ffff:10.0.0.0/104", "Write it as IPv4"),
        ("corp.example", "Write it like"),
        ("10.0.0.0/33", "Write it like"),
        ("", "Write it like"),
    ],
)
def test_refuses_what_is_no_network(text: str, advice: str) -> None:
    with pytest.raises(BadNetwork) as refusal:
        parse_network(text)
    assert advice in refusal.value.advice


@given(st.ip_addresses(v=4), st.integers(0, 32))
def test_an_ipv4_address_is_itself_inside_ipv6(address: object, bits: int) -> None:
    network = str(parse_network(f"{address}/32").supernet(new_prefix=bits))
    assert gives(from_networks(network), address=str(address))
    assert gives(from_networks(network), address=f"::ffff:{address}")
