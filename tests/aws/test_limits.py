"""AWS's limits, at and past each of them."""

from __future__ import annotations

import pytest

from idp.aws.limits import (
    RefusedByAws,
    check_duration,
    check_session_name,
    check_source_identity,
    check_tag_key,
    check_tag_value,
    check_tags,
)


@pytest.mark.parametrize("value", ["ab", "a" * 64, "Ann_1+=,.@-", "ann@corp.example"])
def test_takes_good_names(value: str) -> None:
    check_session_name(value)
    check_source_identity(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "a",
        "a" * 65,
        "ann archer",
        "änn",
        "ann\n",
        "\u202eann",
        "ann/x",
        "a\x00b",
        "１２",
        "ann:x",
    ],
)
def test_refuses_bad_names_and_says_the_rule(value: str) -> None:
    for check in (check_session_name, check_source_identity):
        with pytest.raises(RefusedByAws, match="2 to 64"):
            check(value)


@pytest.mark.parametrize("seconds", [900, 3600, 43_200])
def test_takes_good_durations(seconds: int) -> None:
    check_duration(seconds)


@pytest.mark.parametrize("seconds", [-1, 0, 899, 43_201])
def test_refuses_bad_durations(seconds: int) -> None:
    with pytest.raises(RefusedByAws, match="SessionDuration"):
        check_duration(seconds)


@pytest.mark.parametrize("value", ["", "a" * 256, "Größe 1", "部門", "a/b:c=d+e-f@g_h.i", "١٢٣"])
def test_takes_good_tag_values(value: str) -> None:
    check_tag_value("Key", value)


@pytest.mark.parametrize(
    "value",
    [
        "a" * 257,
        " a",
        "a ",
        "R&D",
        "a,b",
        "a;b",
        "<a>",
        "a\tb",
        "a\nb",
        "\x00",
        "\U0001f511",
        "\u202eabc",
        "aws:x",
        "AWS:x",
        "a*",
    ],
)
def test_refuses_bad_tag_values_and_names_the_tag(value: str) -> None:
    with pytest.raises(RefusedByAws, match="Department"):
        check_tag_value("Department", value)


@pytest.mark.parametrize("key", ["", "a" * 129, "aws:x", "a,b", " a"])
def test_refuses_bad_tag_keys(key: str) -> None:
    with pytest.raises(RefusedByAws, match="tag key"):
        check_tag_key(key)


def test_fifty_tags_and_no_more() -> None:
    fifty = {f"key{number}": "" for number in range(50)}
    check_tags(fifty, ())
    with pytest.raises(RefusedByAws, match="51 session tags"):
        check_tags(fifty | {"one more": ""}, ())


def test_keys_that_differ_by_case_only_are_one_key_to_aws() -> None:
    with pytest.raises(RefusedByAws, match="the same to AWS"):
        check_tags({"Dept": "a", "dept": "b"}, ())


def test_a_transitive_key_must_be_sent() -> None:
    check_tags({"Dept": "a"}, ("Dept",))
    with pytest.raises(RefusedByAws, match="transitive"):
        check_tags({"Dept": "a"}, ("Team",))
