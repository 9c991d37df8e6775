"""The rules of what is kept of a person."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idp.directory.person import Group, Person
from idp.directory.person_json import BadPersonDocument, person_from_json, person_to_json
from idp.directory.profile import BadProfile, checked_profile
from idp.errors import IdpError

MARKUP = ["</saml:AttributeValue>", "<!--", "]]>", "'; DROP TABLE people; --", "שלום", "𝒜"]


def test_keeps_markup_and_other_scripts_as_they_are() -> None:
    profile = checked_profile("ann", attributes={"Note": MARKUP}, groups=MARKUP)
    assert profile.attributes == {"note": tuple(MARKUP)}
    assert profile.groups == tuple(MARKUP)


@pytest.mark.parametrize(
    "attributes",
    [
        {"": ["x"]},
        {"1a": ["x"]},
        {"a b": ["x"]},
        {"a" * 65: ["x"]},
        {"é": ["x"]},
        {"a\n": ["x"]},
        {"email": ["x"]},
        {"username": ["root"]},
        {"Dept": ["x"], "dept": ["y"]},
        {"a": ["x" * 1025]},
        {"a": [""]},
        {"a": ["x\0"]},
        {"a": ["x\ud800"]},
        {"a": ["x\uffff"]},
        {"a": [str(n) for n in range(101)]},
        {f"a{n}": ["x"] for n in range(101)},
    ],
)
def test_refuses_attributes_outside_the_limits(attributes: dict[str, list[str]]) -> None:
    with pytest.raises(BadProfile):
        checked_profile("ann", attributes=attributes)


def test_takes_values_at_the_limit() -> None:
    profile = checked_profile("ann", attributes={"a" * 64: ["x" * 1024] + ["y"] * 3})
    assert profile.attributes["a" * 64] == ("x" * 1024, "y")


@pytest.mark.parametrize("group", ["", " a", "a\tb", "x" * 257, "admins\u202e", "a\ud800"])
def test_refuses_groups_that_break_or_deceive(group: str) -> None:
    with pytest.raises(BadProfile):
        checked_profile("ann", groups=[group])


@pytest.mark.parametrize("email", ["ann", "a@b@c", "a b@c", "a@b\0", "x" * 320 + "@b"])
def test_refuses_what_is_no_email_address(email: str) -> None:
    with pytest.raises(BadProfile):
        checked_profile("ann", email=email)


@given(st.text(st.characters()), st.text(st.characters()), st.text(st.characters()))
def test_any_text_is_taken_or_refused_in_a_sentence(name: str, value: str, group: str) -> None:
    try:
        profile = checked_profile("ann", value, value, [group], {name: [value]})
    except IdpError:
        return
    repr(profile).encode()


_TEXT = st.text(max_size=20)
_PEOPLE = st.builds(
    Person,
    *([_TEXT] * 4),
    st.none() | _TEXT,
    st.lists(st.builds(Group, _TEXT, st.none() | _TEXT, st.none() | _TEXT)).map(tuple),
    st.dictionaries(_TEXT, st.lists(_TEXT).map(tuple)),
)


@given(_PEOPLE)
def test_a_person_comes_back_from_json_the_same(person: Person) -> None:
    assert person_from_json(person_to_json(person)) == person


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"username": 1},
        {"email": []},
        {"groups": {}},
        {"groups": [{"name": "a"}]},
        {"attributes": []},
        {"attributes": {"a": "b"}},
        {"attributes": {"a": [1]}},
    ],
)
def test_a_document_of_another_form_is_refused(change: dict[str, Any]) -> None:
    document = person_to_json(Person("local", "1", "ann", "Ann"))
    with pytest.raises(BadPersonDocument):
        person_from_json({**document, **change})
    others: tuple[object, ...] = (None, [], "x", {})
    for wrong in others:
        with pytest.raises(BadPersonDocument):
            person_from_json(wrong)
