"""A role's trust policy held against one sign-in: allowed or not, and why.

Pure. Covers what trust in a SAML provider needs: Principal Federated, the three sts actions, and
string, Null and Bool conditions with their IfExists, ForAnyValue and ForAllValues forms. What it
doesn't know makes a statement fail with the reason named; a statement that denies and can't be
read denies, and so does one of which nobody can tell whether it allows or denies.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from idp.sandbox.conditions import Context, unmet, wildcard_match
from idp.sandbox.principal import unnamed

ASSUME = "sts:AssumeRoleWithSAML"
TAG_SESSION = "sts:TagSession"
SET_SOURCE_IDENTITY = "sts:SetSourceIdentity"


@dataclass(frozen=True, slots=True)
class Reason:
    """What one statement had to say about one action."""

    action: str
    statement: str
    effect: str
    applies: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether all actions are allowed; `refused` names those that aren't."""

    allowed: bool
    refused: tuple[str, ...]
    reasons: tuple[Reason, ...]

    def explanation(self) -> tuple[str, ...]:
        """Sentences for a person, about the refused actions (or all, when allowed)."""
        wanted = self.refused or tuple(reason.action for reason in self.reasons)
        lines = [
            f"{reason.action}: {reason.statement} {reason.sentence}"
            for reason in self.reasons
            if reason.action in wanted
        ]
        return tuple(lines) or ("The trust policy has no statement.",)


def actions_needed(*, tags: bool, source_identity: bool) -> tuple[str, ...]:
    """The actions that the trust policy must allow for an assertion with these in it."""
    return (
        ASSUME,
        *((TAG_SESSION,) if tags else ()),
        *((SET_SOURCE_IDENTITY,) if source_identity else ()),
    )


def evaluate(
    document: str | Mapping[str, Any],
    *,
    federated: str,
    actions: Iterable[str],
    context: Mapping[str, tuple[str, ...]],
) -> Decision:
    """Decide whether `federated` (a provider ARN) may do all `actions` in `context`.

    `context` holds values by condition key, capitals of keys don't matter; an absent key is one
    that isn't in it. An unreadable document allows nothing.
    """
    statements, problem = _statements(document)
    values = Context(context)
    reasons: list[Reason] = []
    refused: list[str] = []
    for action in actions:
        found = [
            _consider(statement, position, action, federated, values)
            for position, statement in enumerate(statements, 1)
        ]
        reasons += found or [Reason(action, "The trust policy", "", False, problem)]
        denied = any(reason.applies and reason.effect == "Deny" for reason in found)
        if denied or not any(reason.applies and reason.effect == "Allow" for reason in found):
            refused.append(action)
    return Decision(not refused, tuple(refused), tuple(reasons))


def _statements(document: str | Mapping[str, Any]) -> tuple[list[Any], str]:
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return [], "is not JSON."
    if not isinstance(document, Mapping):
        return [], "is not a JSON object."
    statements = document.get("Statement", [])
    return (statements if isinstance(statements, list) else [statements]), "has no statement."


def _consider(
    statement: Any, position: int, action: str, federated: str, context: Context
) -> Reason:
    name = f"statement {position}"
    if not isinstance(statement, Mapping):
        return Reason(action, name, "Deny", True, "is not a JSON object, so all is refused.")
    if statement.get("Sid"):
        name += f" ({statement['Sid']})"
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        # AWS takes no such policy at all.
        sentence = f"has the Effect {effect!r}, so all is refused; it should be Allow or Deny."
        return Reason(action, name, "Deny", True, sentence)
    unfit, unknown = _unfit(statement, action, federated, context)
    if not unfit:
        return Reason(action, name, effect, True, "allows it." if effect == "Allow" else "denies.")
    # What can't be judged must not open a door: an unreadable Deny counts as met.
    applies = unknown and effect == "Deny"
    return Reason(action, name, effect, applies, unfit)


def _unfit(
    statement: Mapping[str, Any], action: str, federated: str, context: Context
) -> tuple[str, bool]:
    """Why the statement doesn't apply (empty: it does), and whether that is for lack of sense."""
    for part in statement:
        if part not in ("Sid", "Effect", "Principal", "Action", "NotAction", "Condition"):
            return (
                f"has {part}, which a trust policy can't have or this sandbox doesn't know.",
                True,
            )
    if "Action" in statement and "NotAction" in statement:
        return "has both Action and NotAction.", True
    listed = _texts(statement.get("NotAction", statement.get("Action")))
    if not listed:
        return "has no readable Action.", True
    named = any(wildcard_match(pattern.lower(), action.lower()) for pattern in listed)
    if named == ("NotAction" in statement):
        return f"does not name the action {action}; it has {', '.join(listed)}.", False
    reason, unknown = unnamed(statement.get("Principal"), federated)
    if reason:
        return reason, unknown
    return unmet(statement.get("Condition", {}), context)


def _texts(value: Any) -> list[str] | None:
    values = value if isinstance(value, list) else [value]
    return values if all(isinstance(each, str) for each in values) else None
