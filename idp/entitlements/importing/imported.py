"""What was taken over from another provider, and what was not; written as a rules file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from textwrap import wrap

from idp.entitlements.document import read_rule
from idp.entitlements.rule import RoleRule, to_document
from idp.entitlements.rule_table import Problems
from idp.entitlements.rules_file import format_rules
from idp.errors import IdpError

WIDTH = 96


class NotTakenOver(IdpError):
    """A rule of another provider that has no counterpart here; the message says why."""


@dataclass(slots=True)
class Imported:
    """`remarks` are sentences about what was taken over, `left` about what was not.

    `names` are those of the rules.
    """

    source: str
    rules: list[RoleRule] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def add(self, rule: RoleRule) -> None:
        """Take a rule, if it can be one. Raises NotTakenOver."""
        problems = Problems()
        read_rule(to_document(rule), problems)
        if problems.found:
            raise NotTakenOver(f"it would be no good rule: {problems.found[0][1]}")
        self.rules.append(rule)
        self.names.add(rule.name)

    def remark(self, sentence: str) -> None:
        """Note something about what was taken over, once."""
        if sentence not in self.remarks:
            self.remarks.append(sentence)


def rules_file_of(imported: Imported) -> str:
    """A rules file that parse_rules takes: what to know about it in comments, then the rules."""
    lines = [f"# Taken over from {imported.source}. Look at it, then: idp roles plan FILE"]
    lines += _section("To know:", imported.remarks)
    lines += _section("Not taken over:", imported.left)
    return "\n".join([*lines, "", format_rules(imported.rules) if imported.rules else ""])


def _section(title: str, sentences: Iterable[str]) -> Iterator[str]:
    listed = [line for sentence in sentences for line in _comment(sentence)]
    if listed:
        yield from ("#", f"# {title}", *listed)


def _comment(sentence: str) -> Iterator[str]:
    """Comment lines: nothing of the sentence can end up outside the comment."""
    plain = "".join(c if c.isprintable() else repr(c)[1:-1] for c in sentence)
    for number, line in enumerate(
        wrap(plain, WIDTH, break_long_words=False, break_on_hyphens=False)
    ):
        yield f"# {'-' if number == 0 else ' '} {line}"
