"""Values of the right type, out of a table of the rules file; a wrong one is noted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from idp.directory.characters import refused_in_label
from idp.entitlements.rule import DOCUMENT_KEYS, Effect
from idp.errors import IdpError

LONGEST_NAME = 128
LONGEST_TEXT = 2048
MOST_VALUES = 10_000
MOST_UNKNOWN = 10


@dataclass(slots=True)
class Problems:
    """What is wrong with one rule: sentences by the key of the rules file that they are about."""

    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, key: str, message: str, advice: str = "") -> None:
        """Note one."""
        self.found.append((key, f"{message} {advice}".strip()))

    def check(self, key: str, action: Callable[[], object]) -> None:
        """Note what `action` refuses."""
        try:
            action()
        except IdpError as problem:
            self.add(key, problem.message, problem.advice)


class RuleTable:
    """Takes values of the right type out of a table, and notes those of a wrong one."""

    def __init__(self, document: Mapping[str, Any], problems: Problems) -> None:
        self.document = document
        self.problems = problems

    def unknown_keys(self) -> None:
        """Note keys that no rule has, the first of many."""
        unknown = [key for key in self.document if key not in DOCUMENT_KEYS]
        for key in unknown[:MOST_UNKNOWN]:
            self.problems.add(
                key, f"{_shown(key)} is not known.", f"Known are {', '.join(DOCUMENT_KEYS)}."
            )
        if len(unknown) > MOST_UNKNOWN:
            self.problems.add("", f"{len(unknown) - MOST_UNKNOWN:,} more keys are not known.")

    def effect(self) -> Effect:
        """allow or deny."""
        value = self.document.get("effect", "allow")
        if value == "deny":
            return "deny"
        if value != "allow":
            self.problems.add("effect", f"It is {_shown(value)}.", 'Write "allow" or "deny".')
        return "allow"

    def flag(self, key: str) -> bool:
        """A key that is true or not there."""
        value: object = self.document.get(key, False)
        if not isinstance(value, bool):
            self.problems.add(key, f"It is {_shown(value)}.", f"Write {key} = true.")
            return False
        if key in self.document and not value:
            self.problems.add(key, "It can only be true.", "Leave it out.")
        return value

    def text(self, key: str, longest: int = LONGEST_TEXT) -> str:
        """The text of a key, empty if it is not there."""
        if key not in self.document:
            if key == "name":
                self.problems.add(key, "The rule has no name.", 'Write name = "...".')
            return ""
        value = self.document[key]
        return value if self._good_text(key, value, longest) else ""

    def texts(self, key: str, *, one_is_enough: bool = False) -> tuple[str, ...]:
        """The texts of a list, in its order."""
        if key not in self.document:
            return ()
        value = self.document[key]
        if one_is_enough and isinstance(value, str):
            value = [value]
        return self._list(key, value)

    def attributes(self) -> dict[str, tuple[str, ...]]:
        """Values by attribute name in lower case."""
        table = self._table("attributes", '{ department = ["Engineering"] }')
        read: dict[str, tuple[str, ...]] = {}
        for name, values in table.items():
            if not self._good_text("attributes", name, LONGEST_NAME):
                continue
            if name.lower() in read:
                self.problems.add("attributes", f"{name!r} stands there twice.", "Join the values.")
            one = isinstance(values, str)
            read[name.lower()] = self._list("attributes", [values] if one else values)
        return read

    def tags(self) -> dict[str, str]:
        """Templates by tag key."""
        table = self._table("tags", '{ Department = "{department}" }')
        return {
            key: value
            for key, value in table.items()
            if self._good_text("tags", value, LONGEST_TEXT, empty=True)
        }

    def _table(self, key: str, example: str) -> Mapping[str, Any]:
        value = self.document.get(key, {})
        if not isinstance(value, Mapping) or (key in self.document and not value):
            self.problems.add(key, f"It is {_shown(value)}.", f"Write {key} = {example}.")
            return {}
        return value

    def _list(self, key: str, value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple) or not value:
            self.problems.add(key, f"It is {_shown(value)}.", f'Write {key} = ["...", "..."].')
            return ()
        if len(value) > MOST_VALUES:
            self.problems.add(
                key, f"It has {len(value):,} values.", f"At most {MOST_VALUES:,} are allowed."
            )
            return ()
        good = [self._good_text(key, item, LONGEST_TEXT) for item in value]
        if not all(good):
            return ()
        if twice := next((item for item, count in Counter(value).items() if count > 1), ""):
            self.problems.add(key, f"{_shown(twice)} stands there twice.", "Leave one out.")
        return tuple(value)

    def _good_text(self, key: str, value: object, longest: int, *, empty: bool = False) -> bool:
        if not isinstance(value, str):
            self.problems.add(key, f"{_shown(value)} is not text.", "Write it between quotes.")
        elif not value and not empty:
            self.problems.add(key, "It is empty.", "Write a value, or leave the key out.")
        elif len(value) > longest:
            self.problems.add(
                key, f"It has {len(value):,} characters.", f"At most {longest:,} are allowed."
            )
        elif bad := refused_in_label(value):
            self.problems.add(
                key, f"{_shown(value)} contains {bad}, a control character.", "Remove it."
            )
        elif value != value.strip():
            self.problems.add(key, f"{_shown(value)} begins or ends with a blank.", "Remove it.")
        else:
            return True
        return False


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return "an empty table" if not value else "a table"
    if isinstance(value, list | tuple):
        return "an empty list" if not value else "a list"
    try:
        return shortened(repr(value))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number with too many digits"


def shortened(text: str, longest: int = 80) -> str:
    """At most so many characters of it."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
