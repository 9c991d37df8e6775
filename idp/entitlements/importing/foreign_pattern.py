"""Regular expressions of .NET and Java, written as a group pattern of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

from idp.entitlements.importing.imported import NotTakenOver

# (?<name> of .NET and Java, (?P<name> of Python, (?{{name}} of Okta
_GROUP = re.compile(r"\((?:\?(?:P?<(?P<angled>\w+)>|\{\{(?P<braced>\w+)\}\}|(?P<plain>:)))?")
_CLASS = re.compile(r"\[\^?(?:\\[\s\S]|[^\\\]])+\]")
_FLAG = re.compile(r"\(\?i\)")
_LAZY = re.compile(r"(?<=[?*+}])\?")
_SHORTHANDS = "dwsDWS"


def without_flag(regex: str) -> tuple[str, bool]:
    """The expression without (?i) at its beginning, and whether that was there."""
    bare = _FLAG.sub("", regex, count=1) if _FLAG.match(regex.removeprefix("^")) else regex
    return bare, bare != regex


def without_anchors(regex: str) -> tuple[str, bool, bool]:
    """The expression without ^ and $ at its ends, and whether they were there."""
    begins = regex.startswith("^")
    ends = regex.endswith("$") and not regex.endswith("\\$")
    return regex[begins : len(regex) - ends], begins, ends


def group_names(regex: str) -> list[str]:
    """The names by which the capturing groups can be asked for: a name, else the number."""
    return [name for name in _Translation(regex, {}, ignore_case=False).names if name]


def translated(regex: str, parts: Mapping[str, str], *, ignore_case: bool) -> str:
    """The expression, without anchors, in our patterns' own words.

    `parts` says which of its groups, by name or number, is "account" and which "role"; the others
    only hold alternatives together. Raises NotTakenOver for what has no counterpart.
    """
    return _Translation(regex, parts, ignore_case=ignore_case).text


class _Translation:
    """One way through an expression."""

    def __init__(self, regex: str, parts: Mapping[str, str], *, ignore_case: bool) -> None:
        self.names: list[str] = []
        self._regex = regex
        self._parts = parts
        self._ignore_case = ignore_case
        written: list[str] = []
        position = 0
        while position < len(regex):
            piece, position = self._piece(position)
            written.append(piece)
        self.text = _LAZY.sub("", "".join(written))

    def _piece(self, position: int) -> tuple[str, int]:
        character = self._regex[position]
        if character == "(":
            return self._group(position)
        if character == "[":
            match = _CLASS.match(self._regex, position)
            if not match:
                raise NotTakenOver(f"the expression {self._regex!r} has a class without an end.")
            return self._class(match[0]), match.end()
        if character == "\\" and position + 1 < len(self._regex):
            return _escape(self._regex[position + 1]), position + 2
        return self._either_case(character), position + 1

    def _group(self, position: int) -> tuple[str, int]:
        match = _GROUP.match(self._regex, position)
        if not match or self._regex.startswith("?", match.end()):
            raise NotTakenOver(
                f"the expression {self._regex!r} has a kind of parenthesis that patterns "
                "don't know."
            )
        if match["plain"]:
            return "(?:", match.end()
        name = match["angled"] or match["braced"] or str(len(self.names) + 1)
        self.names.append(name)
        part = self._parts.get(name)
        return f"(?P<{part}>" if part else "(?:", match.end()

    def _class(self, written: str) -> str:
        inside = re.sub(r"\\([\s\S])", lambda match: _escape(match[1]), written[1:-1])
        if self._ignore_case and re.search(r"[A-Za-z]", re.sub(r"\\.", "", inside)):
            inside = _both_cases(inside)
        return f"[{inside}]"

    def _either_case(self, character: str) -> str:
        if self._ignore_case and character.isascii() and character.isalpha():
            return f"[{character.upper()}{character.lower()}]"
        return character


def _escape(character: str) -> str:
    """What a backslash before the character means in our patterns."""
    if character in _SHORTHANDS:
        return "\\" + character
    if character.isalnum():
        raise NotTakenOver(f"the escape \\{character} has no counterpart in patterns.")
    return character if character in "_ " else "\\" + character


def _both_cases(inside: str) -> str:
    """The inside of a class with its ranges and letters in both cases."""
    other = re.sub(
        r"\\.|[A-Za-z]",
        lambda match: match[0] if match[0].startswith("\\") else match[0].swapcase(),
        inside.removeprefix("^"),
    )
    return inside + other
