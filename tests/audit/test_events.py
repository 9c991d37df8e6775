"""The vocabulary: every kind of event has a type of its own and a sentence."""

from __future__ import annotations

import inspect

import pytest

from idp.audit import admin_events, events, rotation_events
from idp.audit.events import AdminEvent, Event
from idp.audit.words import SENTENCES, sentence

KINDS = [
    kind
    for module in (events, admin_events, rotation_events)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Event) and kind not in (Event, AdminEvent)
]


def test_every_type_is_of_one_class_and_has_a_sentence() -> None:
    types = {kind.type for kind in KINDS}
    assert len(types) == len(set(KINDS))
    assert types == set(SENTENCES)


def test_a_type_is_a_thing_and_what_happened() -> None:
    for kind in KINDS:
        thing, happened = kind.type.split(".")
        assert thing.isidentifier()
        assert happened.isidentifier()


@pytest.mark.parametrize(
    ("kind", "detail", "words"),
    [
        (
            "assertion.issued",
            {"roles": ["arn:a", "arn:b"], "session_name": "ann", "duration": 3600},
            "local/ann got an assertion for arn:a arn:b as ann, 3600 s",
        ),
        ("sign_in.refused", {"reason": "disabled"}, "local/ann was refused at sign-in: disabled"),
        ("sign_in.refused", {}, "local/ann was refused at sign-in: ?"),
        ("sign_in.refused", {"reason": "{0}"}, "local/ann was refused at sign-in: {0}"),
        ("user.groups_set", {"subject": "bo", "changes": {"before": [], "after": ["x", "y"]}},
         "local/ann set the groups of user bo: before none, after x y"),
        ("database.backed_up", {"subject": "b"}, "local/ann backed the database up to b"),
        ("from.elsewhere", {"a": 1}, "local/ann: from.elsewhere a 1"),
    ],
)  # fmt: skip
def test_rows_read_as_sentences(kind: str, detail: dict[str, object], words: str) -> None:
    assert sentence(kind, "local/ann", detail) == words
