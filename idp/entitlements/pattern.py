"""Patterns over group names that say which account and role a group stands for.

A pattern is a small, safe part of Python's regular expressions:

- it begins with ^, ends with $ and has to match the whole name, case and all;
- its named parts (?P<account>...) and (?P<role>...) are both there, once each;
- besides: plain characters, '.', \\d \\w \\s \\D \\W \\S, a backslash before punctuation,
  [classes], (?:one|another), and after a character or class the quantifiers ? * + {n} {n,} {n,m};
- no quantifier follows a parenthesis, so that none nests in another; no back-references,
  look-arounds, flags or lazy quantifiers;
- the ways in which it may match one name are counted beforehand and bounded.

\\d, \\w and \\s mean ASCII only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from idp.errors import IdpError

LONGEST_PATTERN = 200
LONGEST_GROUP_NAME = 256
MOST_WAYS = 100_000

_ASCII = tuple(map(chr, range(128)))
_BEYOND_ASCII = "\u4e00"
_OPENING = re.compile(r"\(\?P<(?P<name>[A-Za-z_]\w*)>|\(\?:")
_QUANTIFIER = re.compile(
    r"(?P<sign>[?*+])|\{(?P<least>\d{1,3})(?P<comma>,(?P<most>\d{0,3}))?\}", re.ASCII
)
_CLASS = re.compile(r"\[\^?(?:\\[\s\S]|[^\\\[\]])+\]")
_SET_OPERATION = re.compile(r"--|&&|~~|\|\|")
_ESCAPE = re.compile(r"\\[dwsDWS]|\\[^\w\s]", re.ASCII)
_PARTS = ("account", "role")


class BadPattern(IdpError):
    """A group pattern outside the safe part of regular expressions."""


@dataclass(frozen=True, slots=True)
class GroupPattern:
    """A checked pattern. `match` gives its account and role parts."""

    text: str
    _compiled: re.Pattern[str] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> GroupPattern:
        """Check and compile. Raises BadPattern naming the first thing that is not allowed."""
        if len(text) > LONGEST_PATTERN:
            raise BadPattern(
                f"The pattern has {len(text)} characters, and {LONGEST_PATTERN} are allowed.",
                "Write several rules with shorter patterns.",
            )
        if not (text.startswith("^") and text.endswith("$") and len(text) > 2):
            raise BadPattern(
                "The pattern is not anchored at both ends.",
                "Begin it with ^ and end it with $, so that only whole names match.",
            )
        reader = _Reader(text[1:-1])
        ways = reader.read()
        for part in _PARTS:
            if reader.names.count(part) != 1:
                raise BadPattern(
                    f"The pattern needs the named part (?P<{part}>...) exactly once.",
                    "The account is a number or alias, the role a name, like "
                    r"^AWS-(?P<account>\d{12})-(?P<role>[\w+=,.@-]{1,64})$.",
                )
        if ways > MOST_WAYS:
            raise BadPattern(
                "The pattern can match one name in too many ways, and would be slow.",
                "Separate its parts by a character that they can't contain, as in [^-]+-[^-]+.",
            )
        return cls(text, re.compile(text, re.ASCII))

    def match(self, group_name: str) -> tuple[str, str] | None:
        """Account and role as the name gives them, or None. Names over 256 characters never do."""
        if len(group_name) > LONGEST_GROUP_NAME:
            return None
        match = self._compiled.fullmatch(group_name)
        return (match["account"] or "", match["role"] or "") if match else None


@dataclass(slots=True)
class _Atom:
    """A character or class and how often it may stand there."""

    characters: frozenset[str]
    least: int
    most: int

    def ways(self, following: _Atom | None, at_end: bool) -> int:
        """Among how many lengths a matcher may have to choose.

        One, if what must follow can't be taken for more of the same.
        """
        if self.least == self.most or at_end:
            return 1
        if following and following.least and not self.characters & following.characters:
            return 1
        return self.most - self.least + 1


class _Reader:
    """Reads a pattern without its anchors and counts the ways of matching it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.names: list[str] = []

    def read(self) -> int:
        ways = self._sequence(depth=0)
        if self.position < len(self.text):
            if self.text[self.position] == "|":
                raise self._refusal("an alternative outside parentheses", "Write ^(?:a|b)$.")
            raise self._refusal("a closing parenthesis too many", "Remove it, or write \\).")
        return ways

    def _sequence(self, depth: int) -> int:
        ways, atoms = 1, list[_Atom | None]()
        while self.position < len(self.text) and self.text[self.position] not in "|)":
            if self.text[self.position] == "(":
                ways *= self._group(depth)
                atoms.append(None)
            else:
                atoms.append(self._atom())
        for index, atom in enumerate(atoms):
            last = index + 1 == len(atoms)
            if atom:
                following = None if last else atoms[index + 1]
                at_end = last and self.position == len(self.text)
                ways *= atom.ways(following, at_end)
        return min(ways, MOST_WAYS + 1)

    def _group(self, depth: int) -> int:
        opening = _OPENING.match(self.text, self.position)
        if not opening:
            raise self._refusal(
                "a kind of parenthesis that is not allowed",
                "Only (?P<account>...), (?P<role>...) and (?:...) are.",
            )
        if depth == 8:
            raise self._refusal("parentheses nested too deep", "Write it flatter.")
        if name := opening["name"]:
            if name not in _PARTS:
                raise self._refusal(f"a part named {name!r}", "Only account and role have a name.")
            self.names.append(name)
        self.position = opening.end()
        ways = self._sequence(depth + 1)
        while self.text.startswith("|", self.position):
            self.position += 1
            ways += self._sequence(depth + 1)
        if not self.text.startswith(")", self.position):
            raise self._refusal("a parenthesis that is not closed", "Close it with ).")
        self.position += 1
        if _QUANTIFIER.match(self.text, self.position):
            raise self._refusal(
                "a quantifier after a parenthesis",
                "Quantifiers may follow a character or a class only, so that none nests.",
            )
        return ways

    def _atom(self) -> _Atom:
        written = self._one_of_a_set()
        compiled = re.compile(written, re.ASCII)
        characters = {character for character in _ASCII if compiled.fullmatch(character)}
        if not written.isascii() or compiled.fullmatch(_BEYOND_ASCII):
            characters.add(_BEYOND_ASCII)
        least, most = self._quantity()
        return _Atom(frozenset(characters), least, most)

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
