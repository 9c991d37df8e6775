"""Reading a group pattern: what is allowed in one, and in how many ways it may match.

A pattern is a small, safe part of Python's regular expressions:

- it begins with ^, ends with $ and has to match the whole name, case and all;
- of its named parts (?P<account>...) and (?P<role>...) at least one is there, each once at most;
- besides: plain characters, '.', \\d \\w \\s \\D \\W \\S, a backslash before punctuation,
  [classes], (?:one|another), and after a character or class the quantifiers ? * + {n} {n,} {n,m};
- no quantifier follows a parenthesis, so that none nests in another; no back-references,
  look-arounds, flags or lazy quantifiers;
- the ways in which it may match one name are counted beforehand and bounded.

\\d, \\w and \\s mean ASCII only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from idp.errors import IdpError

LONGEST_PATTERN = 200
LONGEST_GROUP_NAME = 256

_ASCII = tuple(map(chr, range(128)))
_BEYOND_ASCII = "\u4e00"
_OPENING = re.compile(r"\(\?P<(?P<name>[A-Za-z_]\w*)>|\(\?:")
_QUANTIFIER = re.compile(
    r"(?P<sign>[?*+])|\{(?P<least>\d{1,3})(?P<comma>,(?P<most>\d{0,3}))?\}", re.ASCII
)
_CLASS = re.compile(r"\[\^?(?:\\[\s\S]|[^\\\[\]])+\]")
_SET_OPERATION = re.compile(r"--|&&|~~|\|\|")
_ESCAPE = re.compile(r"\\[dwsDWS]|\\[^\w\s]", re.ASCII)
PARTS = ("account", "role")
_SPECIAL = frozenset(".[](){}?*+|^$")


class BadPattern(IdpError):
    """A group pattern outside the safe part of regular expressions."""


def plain_beginning(text: str) -> str:
    """The plain characters at the beginning, each once: what follows may be left out or repeated.

    Alternatives stand in parentheses only, so the text before the first one is there for all.
    """
    found: list[str] = []
    position = 0
    while position < len(text):
        escaped = text[position] == "\\"
        character = text[position + escaped : position + escaped + 1]
        if character in _SPECIAL if not escaped else character in "dwsDWS":
            break
        position += 1 + escaped
        if _QUANTIFIER.match(text, position):
            break
        found.append(character)
    return "".join(found)


@dataclass(frozen=True, slots=True)
class _Atom:
    """A character or class and how often it may stand there."""

    characters: frozenset[str]
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """A parenthesis: one of these sequences."""

    alternatives: tuple[_Sequence, ...]


_Sequence: TypeAlias = "tuple[_Atom | _Choice, ...]"


def _ways(sequence: _Sequence, following: frozenset[str] | None, at_end: bool) -> int:
    """In how many ways a matcher may have to divide one name among the atoms of a sequence.

    `following` are the characters one of which has to come next, None if nothing has to.
    """
    ways = 1
    for index, item in enumerate(sequence):
        rest = sequence[index + 1 :]
        after = _first(rest) if rest else following
        end = at_end and not rest
        if isinstance(item, _Choice):
            ways *= sum(_ways(each, after, end) for each in item.alternatives)
        elif not (
            item.least == item.most
            or end
            # What must follow can't be taken for more of the same.
            or (after is not None and not item.characters & after)
        ):
            ways *= item.most - item.least + 1
    return ways


def _first(sequence: _Sequence) -> frozenset[str] | None:
    """The characters one of which the sequence begins with; None if it may be empty, or begin so.

    That something optional comes first is reason enough to say None: then every length counts.
    """
    if not sequence:
        return None
    item = sequence[0]
    if isinstance(item, _Atom):
        return item.characters if item.least else None
    found = [_first(each) for each in item.alternatives]
    known = [each for each in found if each is not None]
    return frozenset().union(*known) if len(known) == len(found) else None


@lru_cache(maxsize=1024)
def _characters(written: str, any_case: bool) -> frozenset[str]:
    """The characters that a character or class stands for; all beyond ASCII count as one."""
    compiled = re.compile(written, re.ASCII | re.IGNORECASE if any_case else re.ASCII)
    characters = {character for character in _ASCII if compiled.fullmatch(character)}
    if not written.isascii() or compiled.fullmatch(_BEYOND_ASCII):
        characters.add(_BEYOND_ASCII)
    return frozenset(characters)


class PatternReader:
    """Reads a pattern without its anchors and counts the ways of matching it."""

    def __init__(self, text: str, *, any_case: bool = False) -> None:
        self.text = text
        self.any_case = any_case
        self.position = 0
        self.names: list[str] = []
        self.spans: dict[str, str] = {}

    def read(self) -> int:
        """Check everything; gives the number of ways in which the pattern may match one name.

        `names` and `spans` then hold the named parts. Raises BadPattern.
        """
        sequence = self._sequence(depth=0)
        if self.position < len(self.text):
            if self.text[self.position] == "|":
                raise self._refusal("an alternative outside parentheses", "Write ^(?:a|b)$.")
            raise self._refusal("a closing parenthesis too many", "Remove it, or write \\).")
        return _ways(sequence, None, at_end=True)

    def _sequence(self, depth: int) -> _Sequence:
        items: list[_Atom | _Choice] = []
        while self.position < len(self.text) and self.text[self.position] not in "|)":
            items.append(self._group(depth) if self.text[self.position] == "(" else self._atom())
        return tuple(items)

    def _group(self, depth: int) -> _Choice:
        opening = _OPENING.match(self.text, self.position)
        if not opening:
            raise self._refusal(
                "a kind of parenthesis that is not allowed",
                "Only (?P<account>...), (?P<role>...) and (?:...) are.",
            )
        if depth == 8:
            raise self._refusal("parentheses nested too deep", "Write it flatter.")
        if name := opening["name"]:
            if name not in PARTS:
                raise self._refusal(f"a part named {name!r}", "Only account and role have a name.")
            self.names.append(name)
        self.position = begin = opening.end()
        alternatives = [self._sequence(depth + 1)]
        while self.text.startswith("|", self.position):
            self.position += 1
            alternatives.append(self._sequence(depth + 1))
        if not self.text.startswith(")", self.position):
            raise self._refusal("a parenthesis that is not closed", "Close it with ).")
        if name:
            self.spans[name] = self.text[begin : self.position]
        self.position += 1
        if _QUANTIFIER.match(self.text, self.position):
            raise self._refusal(
                "a quantifier after a parenthesis",
                "Quantifiers may follow a character or a class only, so that none nests.",
            )
        return _Choice(tuple(alternatives))

    def _atom(self) -> _Atom:
        characters = _characters(self._one_of_a_set(), self.any_case)
        return _Atom(characters, *self._quantity())

    def _one_of_a_set(self) -> str:
        character = self.text[self.position]
        if character in "^$":
            raise self._refusal("an anchor inside", f"Write \\{character} for the character.")
        if character in "?*+{}]":
            raise self._refusal(f"a {character!r} of its own", f"Write \\{character}.")
        shape = {"\\": _ESCAPE, "[": _CLASS}.get(character)
        if shape is None:
            self.position += 1
            return character
        match = shape.match(self.text, self.position)
        if not match:
            raise self._refusal(
                "a back-reference or an escape that is not allowed"
                if character == "\\"
                else "a class that is not closed, or has a [ without a backslash",
                "Allowed are \\d \\w \\s \\D \\W \\S and a backslash before punctuation.",
            )
        self._check_class(match[0])
        self.position = match.end()
        return match[0]

    def _check_class(self, written: str) -> None:
        for escape in re.findall(r"\\[\s\S]", written):
            if not _ESCAPE.fullmatch(escape):
                raise self._refusal(
                    f"{escape} in a class", "Allowed are \\d \\w \\s and punctuation after \\."
                )
        if written.startswith("[") and _SET_OPERATION.search(written):
            raise self._refusal("a doubled -, &, ~ or | in a class", "Write it once.")
        try:
            re.compile(written, re.ASCII)
        except re.error as problem:
            raise self._refusal(f"{written} ({problem.msg})", "Mend the class.") from None

    def _quantity(self) -> tuple[int, int]:
        match = _QUANTIFIER.match(self.text, self.position)
        if not match:
            return 1, 1
        self.position = match.end()
        if self.text[self.position : self.position + 1] in ("?", "*", "+", "{"):
            raise self._refusal("a quantifier after a quantifier", "Leave one of them out.")
        if match["sign"]:
            return {"?": (0, 1), "*": (0, LONGEST_GROUP_NAME), "+": (1, LONGEST_GROUP_NAME)}[
                match["sign"]
            ]
        least = int(match["least"])
        most = int(match["most"] or LONGEST_GROUP_NAME) if match["comma"] else least
        if not least <= most <= LONGEST_GROUP_NAME:
            raise self._refusal(
                f"the quantifier {match[0]}", f"Names have up to {LONGEST_GROUP_NAME} characters."
            )
        return least, most

    def _refusal(self, what: str, advice: str) -> BadPattern:
        # one more for the anchor, one more because people count from one
        return BadPattern(f"The pattern has {what} at character {self.position + 2}.", advice)
