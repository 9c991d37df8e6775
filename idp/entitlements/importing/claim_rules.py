"""The claim rule language of AD FS, as far as rules for AWS are written in it.

Source: Microsoft, "Understanding Claim Rule Language in AD FS 2.0 & Higher"; a rule is
`conditions => issue(...);` or `=> add(...);`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from idp.errors import IdpError

LARGEST_FILE = 1024 * 1024  # characters

_TOKEN = re.compile(
    r'"(?P<text>[^"]*)"'
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>=>|==|!=|=~|!~|&&|[()\[\].,;:=+@])"
    r"|(?P<blank>\s+|\#[^\n]*)"
)


class BadClaimRules(IdpError):
    """Text that is not claim rules of AD FS."""


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison inside a condition, like Value =~ "^AWS-"."""

    field: str
    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class ClaimCondition:
    """What a rule asks of a claim; `asks` is "" or a word like EXISTS or NOT EXISTS."""

    variable: str
    tests: tuple[Test, ...]
    asks: str = ""

    def value(self, field: str, sign: str) -> str | None:
        """The text that a field is compared with in this way, if it is."""
        for test in self.tests:
            if (test.field.lower(), test.sign) == (field.lower(), sign):
                return test.text
        return None


@dataclass(frozen=True, slots=True)
class Expression:
    """A value: its tokens as written, like ("text", "x"), ("name", "c"), ("sign", ".")."""

    tokens: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str | None:
        """The text if it is nothing but one."""
        kinds = [kind for kind, _ in self.tokens]
        return self.tokens[0][1] if kinds == ["text"] else None

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts in it."""
        return tuple(value for kind, value in self.tokens if kind == "text")

    def is_value_of(self, variable: str) -> bool:
        """Whether it is nothing but the value of that claim, as in c.Value."""
        wanted = (("name", variable), ("sign", "."), ("name", "Value"))
        return bool(variable) and self.tokens == wanted

    @property
    def replacement(self) -> tuple[str, str] | None:
        """Pattern and replacement if it is RegExReplace(c.Value, "...", "...")."""
        written = "".join(value if kind != "text" else '"' for kind, value in self.tokens)
        if re.fullmatch(r'RegExReplace\(\w+\.Value,","\)', written):
            return self.texts[0], self.texts[1]
        return None


@dataclass(frozen=True, slots=True)
class ClaimRule:
    """One rule. `does` is "issue" or "add"; `fields` are its arguments by name in lower case."""

    name: str
    conditions: tuple[ClaimCondition, ...]
    does: str
    fields: dict[str, Expression]

    @property
    def types(self) -> tuple[str, ...]:
        """The claim types that it gives."""
        for key in ("type", "types"):
            if key in self.fields:
                return self.fields[key].texts
        return ()


def parse_claim_rules(text: str) -> tuple[ClaimRule, ...]:
    """Read a rule set. Raises BadClaimRules."""
    if len(text) > LARGEST_FILE:
        raise BadClaimRules(f"The claim rules have more than {LARGEST_FILE:,} characters.")
    reader = _Reader(list(_tokens(text)))
    rules = []
    while not reader.at_end:
        rules.append(reader.rule())
    if not rules:
        raise BadClaimRules("There are no claim rules in it.", _HOW)
    return tuple(rules)


_HOW = "Export them: (Get-AdfsRelyingPartyTrust -Name NAME).IssuanceTransformRules"


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            raise BadClaimRules(
                f"Line {line} of the claim rules has {text[position]!r}, which can't stand there.",
                _HOW,
            )
        position = match.end()
        kind = match.lastgroup or ""
        if kind != "blank":
            yield kind, match[kind], line
        line += match[0].count("\n")


class _Reader:
    def __init__(self, tokens: list[tuple[str, str, int]]) -> None:
        self._tokens = tokens
        self._next = 0

    @property
    def at_end(self) -> bool:
        return self._next >= len(self._tokens)

    def rule(self) -> ClaimRule:
        name = ""
        while self._takes("@"):
            key = self._take("name")
            self._expect("=")
            value = self._take("text")
            name = value if key == "RuleName" else name
        conditions: list[ClaimCondition] = []
        while not self._takes("=>"):
            conditions.append(self._condition())
            if not self._takes("&&"):
                self._expect("=>")
                break
        does = self._take("name").lower()
        if does not in ("issue", "add"):
            raise self._refusal()
        return ClaimRule(name, tuple(conditions), does, self._arguments())

    def _condition(self) -> ClaimCondition:
        words: list[str] = []
        while self._peek()[0] == "name" and self._peek()[1].upper() in ("NOT", "EXISTS", "COUNT"):
            words.append(self._take("name").upper())
        parenthesis = bool(words) and self._takes("(")
        variable = ""
        if self._peek()[0] == "name":
            variable = self._take("name")
            self._expect(":")
        self._expect("[")
        tests: list[Test] = []
        while not self._takes("]"):
            tests.append(self._test())
            self._takes(",")
        if parenthesis:
            self._expect(")")
        if "COUNT" in words:  # COUNT([...]) > 3 and the like: never about one group
            raise self._refusal()
        return ClaimCondition(variable, tuple(tests), " ".join(words))

    def _test(self) -> Test:
        field, sign = self._take("name"), self._take("sign")
        if sign not in ("==", "!=", "=~", "!~"):
            raise self._refusal()
        return Test(field, sign, self._take("text"))

    def _arguments(self) -> dict[str, Expression]:
        """(name = expression, ...); or (claim = c), which passes a claim on."""
        self._expect("(")
        found: dict[str, Expression] = {}
        while True:
            key = self._take("name").lower()
            if self._takes("["):  # Properties["..."] = "..."
                key += self._take("text")
                self._expect("]")
            self._expect("=")
            found.setdefault(key, self._expression())
            if not self._takes(","):
                break
        self._expect(")")
        self._expect(";")
        return found

    def _expression(self) -> Expression:
        """Tokens up to the comma or parenthesis that ends the argument."""
        tokens: list[tuple[str, str]] = []
        depth = 0
        while depth or self._peek()[1] not in (",", ")") or self._peek()[0] == "text":
            kind, value, _ = self._peek()
            if kind == "" or (kind, value) == ("sign", ";"):
                raise self._refusal()
            depth += (kind, value) == ("sign", "(")
            depth -= (kind, value) == ("sign", ")")
            tokens.append((kind, value))
            self._next += 1
        return Expression(tuple(tokens))

    def _peek(self) -> tuple[str, str, int]:
        line = self._tokens[-1][2] if self._tokens else 1
        return ("", "", line) if self.at_end else self._tokens[self._next]

    def _takes(self, sign: str) -> bool:
        if self._peek()[:2] != ("sign", sign):
            return False
        self._next += 1
        return True

    def _expect(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._refusal(f", where {sign} was expected")

    def _take(self, kind: str) -> str:
        found, value, _ = self._peek()
        if found != kind:
            raise self._refusal()
        self._next += 1
        return value

    def _refusal(self, more: str = "") -> BadClaimRules:
        _, value, line = self._peek()
        shown = repr(value[:40]) if value else "its end"
        return BadClaimRules(f"Line {line} of the claim rules has {shown}{more}.", _HOW)
