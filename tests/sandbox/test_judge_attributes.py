"""The judge on the AWS attributes: each rule at its limit and past it."""

from __future__ import annotations

import pytest

from idp.sandbox.judge import Judgement, Provider, judge_response
from tests.sandbox import maker
from tests.sandbox.maker import ENDPOINT, ISSUER, NOW, PROVIDER, ROLE, Recipe


def judge(text: str) -> Judgement:
    provider = Provider(ISSUER, (maker.keys().public_pem,), PROVIDER)
    return judge_response(text, provider=provider, endpoints=(ENDPOINT,), now=NOW)


def broken(judgement: Judgement) -> list[str]:
    return [check.name for check in judgement.refusals]


VALUES: list[tuple[str, dict[str, tuple[str, ...]]]] = [
    ("attribute-names", {"roleSessionNames": ("x",)}),
    ("attribute-values", {"PrincipalTag__Team": (" blue",)}),
    ("attribute-values", {"TransitiveTagKeys": ("Team\n",), "PrincipalTag__Team\n": ("b",)}),
    ("role", {"Role": ()}),
    ("role-pairs", {"Role": (f"{ROLE},{PROVIDER}", "arn:aws:iam::1:role/R,x")}),
    ("role-pairs", {"Role": (ROLE,)}),
    ("role-account", {"Role": (f"{ROLE},{PROVIDER.replace('1111', '9999')}",)}),
    ("role-account", {"Role": (f"{ROLE},{PROVIDER.replace('arn:aws:', 'arn:aws-cn:')}",)}),
    ("role-session-name", {"RoleSessionName": ()}),
    ("role-session-name", {"RoleSessionName": ("ann", "bob")}),
    ("role-session-name-form", {"RoleSessionName": ("a",)}),
    ("role-session-name-form", {"RoleSessionName": ("a" * 65,)}),
    ("role-session-name-form", {"RoleSessionName": ("änne",)}),
    ("session-duration", {"SessionDuration": ("899",)}),
    ("session-duration", {"SessionDuration": ("43201",)}),
    ("session-duration", {"SessionDuration": ("3600.0",)}),
    ("session-duration", {"SessionDuration": ("٣٦٠٠",)}),
    ("source-identity", {"SourceIdentity": ("a",)}),
    ("source-identity", {"SourceIdentity": ("aws:root",)}),
    ("tag-count", {f"PrincipalTag__k{n}": ("v",) for n in range(51)}),
    ("tag-single", {"PrincipalTag__Team": ("a", "b")}),
    ("tag-single", {"PrincipalTag__Team": ()}),
    ("tag-keys", {"PrincipalTag__Te#am": ("a",)}),
    ("tag-keys", {"PrincipalTag__" + "k" * 129: ("a",)}),
    ("tag-keys", {"PrincipalTag__": ("a",)}),
    ("tag-values", {"PrincipalTag__Team": ("v" * 257,)}),
    ("tag-values", {"PrincipalTag__Team": ("a<b",)}),
    ("tag-reserved", {"PrincipalTag__aws__team": ("a",)}),
    ("tag-reserved", {"PrincipalTag__Team": ("AWS:a",)}),
    ("tag-unique", {"PrincipalTag__Team": ("a",), "PrincipalTag__team": ("a",)}),
    ("transitive-keys", {"TransitiveTagKeys": ("Team",)}),
]


@pytest.mark.parametrize(("rule", "attributes"), VALUES)
def test_names_the_one_attribute_rule_that_is_broken(
    rule: str, attributes: dict[str, tuple[str, ...]]
) -> None:
    judgement = judge(Recipe().adding(**attributes).text())
    found = broken(judgement)
    if any("\n" in name for name in attributes):
        found = [name for name in found if name not in ("tag-keys", "transitive-keys")]
    assert found == [rule]
    assert judgement.verdict is None


LIMITS: list[dict[str, tuple[str, ...]]] = [
    {"RoleSessionName": ("aa",)},
    {"RoleSessionName": ("a" * 64,)},
    {"SessionDuration": ("900",)},
    {"SessionDuration": ("43200",)},
    {"PrincipalTag__" + "k" * 128: ("v" * 256,)},
    {"PrincipalTag__Größe_.:/=+-@ 7".replace(":", "__"): ("",)},
    {"PrincipalTag__Team": ("日本 ١٢ 𠀀",)},
    {f"PrincipalTag__k{n}": ("v",) for n in range(50)},
    {"Role": tuple(f"{ROLE}{n},{PROVIDER}" for n in range(300))},
    {"Role": (f"arn:aws:iam::111122223333:role/a/b/x,y=z,{PROVIDER}",)},
]


@pytest.mark.parametrize("attributes", LIMITS)
def test_accepts_values_at_the_limit(attributes: dict[str, tuple[str, ...]]) -> None:
    assert broken(judge(Recipe().adding(**attributes).text())) == []
