"""Templates: text with attributes, and no code."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idp.directory.person import Person
from idp.entitlements.template import AmbiguousAttribute, BadTemplate, MissingAttribute, Template

ANN = Person(
    directory="local",
    directory_id="1",
    username="ann",
    display_name="Ann Lee",
    email="ann@example.com",
    attributes={
        "department": ("Engineering",),
        "team": ("payments", "payments"),
        "site": ("Berlin", "Oslo"),
        "empty": ("",),
        "username": ("not-ann",),
    },
)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{username}", "ann"),
        ("{mail}", "ann@example.com"),
        ("{display_name} <{email}>", "Ann Lee <ann@example.com>"),
        ("{directory}/{Department}", "local/Engineering"),
        ("{cost_center|default:none}", "none"),
        ("{empty|default:none}", "none"),
        ("{cost_center|default:}", ""),
        ("{department|default:none}", "Engineering"),
        ("{team}", "payments"),
        ("{{department}}", "{department}"),
        ("{{{department}}}", "{Engineering}"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_fills_in_what_the_directory_says(template: str, text: str) -> None:
    assert Template.parse(template).render(ANN) == text


def test_names_the_attribute_and_the_template_when_a_value_is_missing() -> None:
    with pytest.raises(MissingAttribute) as refusal:
        Template.parse("{department}-{cost_center}").render(ANN)
    assert refusal.value.attribute == "cost_center"
    assert "ann" in refusal.value.message
    assert "{department}-{cost_center}" in refusal.value.message


def test_an_empty_value_counts_as_missing() -> None:
    with pytest.raises(MissingAttribute, match="empty"):
        Template.parse("{empty}").render(ANN)


def test_refuses_to_choose_among_different_values() -> None:
    with pytest.raises(AmbiguousAttribute, match="2 different values for the attribute site"):
        Template.parse("{site|default:x}").render(ANN)


@pytest.mark.parametrize(
    "template",
    [
        "{",
        "}",
        "{department",
        "department}",
        "{}",
        "{a b}",
        "{department|upper}",
        "{department|default:{username}}",
        "{department.__class__!r}",
        "{0[a]}",
        "{a|b|default:c}",
        "x" * 1025,
    ],
)
def test_refuses_what_is_no_template(template: str) -> None:
    with pytest.raises(BadTemplate):
        Template.parse(template)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_text_with_doubled_braces_comes_out_as_it_was(text: str) -> None:
    escaped = text.replace("{", "{{").replace("}", "}}")
    assert Template.parse(escaped).render(ANN) == text


@settings(deadline=None)
@given(st.text(alphabet="{}|:ab default", max_size=40))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    with suppress(BadTemplate):
        assert Template.parse(text).text == text
