"""The rules file: TOML in, checked as a whole; TOML out, which reads back as the same rules."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tomli_w

from idp.aws.arn import BadArn
from idp.directory.profile import RESERVED
from idp.entitlements.account import Account, Accounts
from idp.entitlements.directory_scope import DirectoryKind
from idp.entitlements.document import read_rule
from idp.entitlements.role_names import role_by_arn, role_from_part, role_in
from idp.entitlements.rule import RoleRule, to_document
from idp.entitlements.rule_table import LONGEST_NAME, Problems, shortened
from idp.errors import IdpError

LARGEST_FILE = 8 * 1024 * 1024  # bytes; 10,000 ordinary rules are about 3 MB
MOST_PROBLEMS_SHOWN = 50

MOST_PARTS = 50  # of a dotted key; the time that TOML's reader takes grows with their square

_PART = r"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_LONG_KEY = re.compile(rf"(?:^|[{{,\[])[ \t]*(?:{_PART}){{{MOST_PARTS}}}", re.MULTILINE)
_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*rule[ \t]*\]\]", re.MULTILINE)


class RulesFileRefused(IdpError):
    """A rules file that can't be used. `problems` has one sentence for each thing to mend."""

    def __init__(self, problems: Sequence[str]) -> None:
        shown = list(problems[:MOST_PROBLEMS_SHOWN])
        if len(problems) > len(shown):
            shown.append(f"... and {len(problems) - len(shown):,} more.")
        many = f"The rules file has {len(problems):,} mistakes:\n  " + "\n  ".join(shown)
        super().__init__(many if len(problems) > 1 else problems[0], "Nothing was changed.")
        self.problems = tuple(problems)


def parse_rules(
    content: bytes,
    accounts: Accounts,
    directories: Mapping[str, DirectoryKind] | None = None,
) -> tuple[RoleRule, ...]:
    """Read a rules file of up to 8 MiB of UTF-8.

    With `directories`, those configured, rules are held to them as `held_to_a_directory` says.
    Raises RulesFileRefused with everything that is wrong, each with its rule, key and line.
    """
    text = _decode(content)
    tables = _tables(text)
    lines = _Lines(text, len(tables))
    rules: list[RoleRule] = []
    sentences: list[str] = []
    first_of_name: dict[str, int] = {}
    for index, table in enumerate(tables):
        problems = Problems()
        rule = read_rule(table, problems, directories)
        if not problems.found:
            _check_accounts(rule, accounts, problems)
            _check_attributes(rule, problems)
        if (first := first_of_name.setdefault(rule.name, index)) != index and rule.name:
            problems.add("name", f"Rule {first + 1} has the same name.", "Names are unique.")
        rules.append(rule)
        title = f"rule {rule.name!r}" if rule.name else f"rule {index + 1}"
        sentences.extend(
            ", ".join(filter(None, (title, shortened(key), lines.of(index, key)))) + f": {sentence}"
            for key, sentence in problems.found
        )
    if sentences:
        raise RulesFileRefused(sentences)
    return tuple(rules)


def format_rules(rules: Sequence[RoleRule]) -> str:
    """The rules as a file that parse_rules reads back as the same rules."""
    return tomli_w.dumps({"rule": [to_document(rule) for rule in rules]})


def accounts_named(rule: RoleRule, accounts: Accounts) -> Iterator[Account]:
    """The registered accounts that a rule names, by number, alias or ARN."""
    names = [*rule.accounts, *(role_by_arn(r).account for r in rule.roles if r.startswith("arn:"))]
    for name in names:
        if account := accounts.find(name):
            yield account


def _check_accounts(rule: RoleRule, accounts: Accounts, problems: Problems) -> None:
    known = ", ".join(account.alias for account in accounts) or "none yet"
    for name in rule.accounts:
        if accounts.find(name) is None:
            problems.add(
                "accounts",
                f"The account {name!r} is not registered.",
                f"Registered are: {known}. Add it with idp aws account add.",
            )
    for role in rule.roles:
        try:
            if role.startswith("arn:"):
                _check_arn(role, accounts, problems, known)
            else:
                role_in(_ANY_ACCOUNT, role_from_part(role, "x") if rule.group_pattern else role)
        except BadArn as problem:
            problems.add("role", problem.message, problem.advice)


def _check_attributes(rule: RoleRule, problems: Problems) -> None:
    """Parts of a person are no attributes: nobody would meet such a condition."""
    for name in RESERVED.intersection((*rule.attributes, rule.role_attribute)):
        problems.add(
            "role_attribute" if name == rule.role_attribute else "attributes",
            f"{name!r} is no attribute that somebody can have.",
            "There are users, groups and directory for these, and attributes of the directory.",
        )


_ANY_ACCOUNT = Account("000000000000", "any", "aws", "any")


def _check_arn(role: str, accounts: Accounts, problems: Problems, known: str) -> None:
    arn = role_by_arn(role)
    account = accounts.find(arn.account)
    if account is None:
        problems.add(
            "role",
            f"The account of {role} is not registered.",
            f"Registered are: {known}. Add it with idp aws account add.",
        )
    elif account.partition != arn.partition:
        problems.add(
            "role",
            f"{role} is in the partition {arn.partition}, its account in {account.partition}.",
            f"Write arn:{account.partition}:...",
        )


def _decode(content: bytes) -> str:
    if len(content) > LARGEST_FILE:
        raise RulesFileRefused([f"The rules file is larger than {LARGEST_FILE:,} bytes."])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise RulesFileRefused([f"The rules file is not UTF-8: line {line}."]) from None


def _tables(text: str) -> Sequence[Mapping[str, Any]]:
    if long_key := _LONG_KEY.search(text):
        line = text.count("\n", 0, long_key.start()) + 1
        raise RulesFileRefused([f"The rules file has a key with too many dots in line {line}."])
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise RulesFileRefused([f"The rules file is not valid TOML: {problem}."]) from None
    except RecursionError:
        raise RulesFileRefused(["The rules file is nested too deep."]) from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise RulesFileRefused(["The rules file has a number with too many digits."]) from None
    if unknown := [key for key in document if key != "rule"]:
        raise RulesFileRefused(
            [f"The rules file has {unknown[0]!r} at its top, and only [[rule]] is known."]
        )
    tables = document.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RulesFileRefused(["'rule' is not a list of tables. Begin each rule with [[rule]]."])
    return tables


class _Lines:
    """Where rules and keys stand. The TOML reader does not tell, so this looks for headers.

    It says nothing where the headers found are not as many as the rules read.
    """

    def __init__(self, text: str, rules: int) -> None:
        self._text = text
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._starts = [match.start() for match in _HEADER.finditer(text)]
        self._trusted = len(self._starts) == rules
        self._last: tuple[tuple[int, str], str] = ((-1, ""), "")

    def of(self, index: int, key: str) -> str:
        """The line of a rule's key, or of its header, as "line 12"; empty if that is unsure."""
        if not self._trusted:
            return ""
        if self._last[0] != (index, key):  # a list may have thousands of mistakes
            self._last = (index, key), self._found(index, key)
        return self._last[1]

    def _found(self, index: int, key: str) -> str:
        last = index + 1 == len(self._starts)
        end = len(self._text) if last else self._starts[index + 1]
        position = self._starts[index]
        if key and len(key) <= LONGEST_NAME:
            written = re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*[.=]", re.MULTILINE)
            if found := written.search(self._text, position, end):
                position = found.start()
        return f"line {bisect_left(self._ends, position) + 1}"
