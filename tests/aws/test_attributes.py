"""The attributes of an assertion for AWS."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.aws.arn import BadArn, ProviderArn, RoleArn
from idp.aws.attributes import PREFIX, AwsSession, aws_attributes
from idp.aws.limits import RefusedByAws

ROLE = RoleArn.parse("arn:aws:iam::111122223333:role/team/Developer")
PROVIDER = ProviderArn.parse("arn:aws:iam::111122223333:saml-provider/ExampleIdP")
SESSION = AwsSession(
    roles=[(ROLE, PROVIDER)],
    session_name="ann",
    duration=3600,
    source_identity="ann@corp",
    tags={"Department": "Platform", "Empty": ""},
    transitive=("Department",),
)


def test_names_and_values_are_the_ones_that_aws_reads() -> None:
    assert {item.name.removeprefix(PREFIX): item.values for item in aws_attributes(SESSION)} == {
        "Role": (f"{ROLE},{PROVIDER}",),
        "RoleSessionName": ("ann",),
        "SessionDuration": ("3600",),
        "SourceIdentity": ("ann@corp",),
        "PrincipalTag:Department": ("Platform",),
        "PrincipalTag:Empty": ("",),
        "TransitiveTagKeys": ("Department",),
    }


def test_what_is_not_asked_for_is_not_sent() -> None:
    bare = replace(SESSION, source_identity=None, tags={}, transitive=())
    names = [item.name.removeprefix(PREFIX) for item in aws_attributes(bare)]
    assert names == ["Role", "RoleSessionName", "SessionDuration"]


@pytest.mark.parametrize(
    "broken",
    [
        {"roles": []},
        {"session_name": "ann archer"},
        {"duration": 899},
        {"source_identity": "aws:ann"},
        {"tags": {"Department": "R&D"}},
        {"transitive": ("Nothing",)},
        {"roles": [(ROLE, replace(PROVIDER, account="999988887777"))]},
        {"roles": [(ROLE, replace(PROVIDER, partition="aws-cn"))]},
    ],
)
def test_each_value_is_checked_before_it_can_be_signed(broken: dict[str, object]) -> None:
    with pytest.raises(RefusedByAws):
        aws_attributes(replace(SESSION, **broken))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::111122223333:role/Developer",
        "arn:aws-cn:iam::111122223333:role/a/b/Developer",
        "arn:aws-us-gov:iam::111122223333:role/aws-service-role/x+=,.@-_9",
    ],
)
def test_a_role_arn_is_written_as_it_was_read(text: str) -> None:
    assert str(RoleArn.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Developer",
        "arn:aws:iam::11112222333:role/Developer",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:iam::111122223333:role/a b",
        "arn:aws:iam::111122223333:role/a,b/c",
        "arn:aws:iam::111122223333:role/" + "a" * 65,
        "arn:aws:iam::111122223333:user/Developer",
        "arn:aws:iam::111122223333:role/Developer\n",
        "arn:moon:iam::111122223333:role/Developer",
        "arn:aws:iam::１１１１２２２２３３３３:role/Developer",
    ],
)
def test_refuses_what_is_no_role_arn(text: str) -> None:
    with pytest.raises(BadArn):
        RoleArn.parse(text)


@given(st.text())
def test_any_text_is_an_arn_or_refused(text: str) -> None:
    for kind in (RoleArn, ProviderArn):
        with contextlib.suppress(BadArn):
            assert str(kind.parse(text)) == text
