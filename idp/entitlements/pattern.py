"""Patterns over group names that say which account and role a group stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from idp.entitlements.pattern_reader import (
    LONGEST_GROUP_NAME,
    LONGEST_PATTERN,
    PARTS,
    BadPattern,
    PatternReader,
    plain_beginning,
)

MOST_WAYS = 100_000


@dataclass(frozen=True, slots=True)
class GroupPattern:
    """A checked pattern. `match` gives its account and role parts.

    `names_account` and `names_role` say which of them it has. `prefix` is the plain text with
    which every name that matches begins, whatever its case; it may be empty.
    """

    text: str
    names_account: bool
    names_role: bool
    prefix: str
    _compiled: re.Pattern[str] = field(compare=False, repr=False)
    _parts: Mapping[str, re.Pattern[str]] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str, *, any_case: bool = False) -> GroupPattern:
        """Check and compile, for names in the case that it says or in any (of ASCII).

        Raises BadPattern naming the first thing that is not allowed.
        """
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
        reader = PatternReader(text[1:-1], any_case=any_case)
        ways = reader.read()
        if not reader.spans or any(reader.names.count(part) > 1 for part in PARTS):
            raise BadPattern(
                "The pattern needs the named part (?P<account>...) or (?P<role>...), or both, "
                "each once.",
                "The account is a number or alias, the role a name, like "
                r"^AWS-(?P<account>\d{12})-(?P<role>[\w+=,.@-]{1,64})$.",
            )
        if ways > MOST_WAYS:
            raise BadPattern(
                "The pattern can match one name in too many ways, and would be slow.",
                "Separate its parts by a character that they can't contain, as in [^-]+-[^-]+.",
            )
        flags = re.ASCII | re.IGNORECASE if any_case else re.ASCII
        parts = {name: re.compile(part, flags) for name, part in reader.spans.items()}
        return cls(
            text,
            "account" in parts,
            "role" in parts,
            plain_beginning(text[1:-1]),
            re.compile(text, flags),
            parts,
        )

    def match(self, group_name: str) -> tuple[str, str] | None:
        """Account and role as the name gives them, or None. Names over 256 characters never do.

        A part that the pattern does not have is empty.
        """
        if len(group_name) > LONGEST_GROUP_NAME:
            return None
        match = self._compiled.fullmatch(group_name)
        if not match:
            return None
        return (
            (match["account"] or "") if self.names_account else "",
            (match["role"] or "") if self.names_role else "",
        )

    def could_name(self, part: str, text: str) -> bool:
        """Whether some group name might give `text` as its "account" or "role"."""
        pattern = self._parts.get(part)
        return bool(pattern and len(text) <= LONGEST_GROUP_NAME and pattern.fullmatch(text))
