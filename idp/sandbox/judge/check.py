"""What a rule is, what a check of it says, and the notebook in which checks are written down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

# Where a broken rule is mended; "late" is nobody's fault but the clock's.
Side = Literal["identity provider", "AWS", "either", "late"]


@dataclass(frozen=True, slots=True)
class AwsError:
    """What AWS answers: error code, message in AWS's words, HTTP status."""

    code: str
    message: str
    status: int = 400


INVALID_RESPONSE = AwsError(
    "InvalidIdentityToken", "Your request included an invalid SAML response."
)
INVALID_SIGNATURE = AwsError("InvalidIdentityToken", "Response signature invalid")
NOT_AUTHORIZED = AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithSAML", 403)
EXPIRED = AwsError("ExpiredTokenException", "Response has expired")
REJECTED = AwsError("IDPRejectedClaim", "The identity provider reported that it failed.", 403)


@dataclass(frozen=True, slots=True)
class Rule:
    """One demand that AWS makes.

    `confirmed` is False where no source settles whether or how AWS checks it; the strict reading
    is then taken. `advice` says what to change when the rule is broken, and `side` where.
    """

    name: str
    sentence: str
    error: AwsError
    advice: str
    confirmed: bool = True
    side: Side = "identity provider"


@dataclass(frozen=True, slots=True)
class Check:
    """A rule held against one message. `passed` is None when an earlier failure kept it back."""

    rule: Rule
    passed: bool | None
    seen: str = ""
    wanted: str = ""

    @property
    def name(self) -> str:
        """The rule's short name, stable from version to version."""
        return self.rule.name

    @property
    def aws_error(self) -> AwsError:
        """What AWS answers when the rule is broken."""
        return self.rule.error

    @property
    def advice(self) -> str:
        """What to change when the rule is broken."""
        return self.rule.advice


class Notebook:
    """Collects one outcome for each rule of a catalogue and gives them in its order."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._checks = {rule.name: Check(rule, None) for rule in rules}

    def note(
        self,
        name: str,
        passed: bool,
        seen: object = "",
        wanted: object = "",
        *,
        longest: int = 300,
        error: AwsError | None = None,
    ) -> bool:
        """Write the outcome of rule `name` down; gives `passed` back. KeyError if unknown.

        Of `seen` and `wanted` no more than `longest` characters are kept. `error` is what AWS says
        here in place of the rule's usual words.
        """
        rule = self._checks[name].rule
        rule = replace(rule, error=error) if error else rule
        self._checks[name] = Check(rule, passed, _shown(seen, longest), _shown(wanted, longest))
        return passed

    def checks(self) -> tuple[Check, ...]:
        """Every rule of the catalogue with its outcome so far."""
        return tuple(self._checks.values())


def _shown(value: object, longest: int) -> str:
    """Text for a person: printable and not endless."""
    text = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in str(value))
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text):,} characters)"
