"""A plan in words: what changes in the rules, and for whom."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from idp.entitlements.difference import Difference
from idp.entitlements.impact import ImpactTotals, PersonImpact
from idp.entitlements.plan import Plan
from idp.entitlements.rule import DOCUMENT_KEYS, RoleRule, to_document


def printable(text: str) -> str:
    """The text with everything that a terminal might obey written as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def plan_lines(plan: Plan) -> Iterator[str]:
    """The plan line by line, as an administrator reads it; the last line sums it up."""
    for title, lines in (
        ("Rules:", list(_rule_lines(plan.difference))),
        ("People:", list(_person_lines(plan.people))),
        ("AWS would refuse, or could not tell apart:", list(_problem_lines(plan.people))),
        ("Worth a look:", [f"  {sentence}" for sentence in plan.advice]),
    ):
        if lines:
            yield title
            yield from lines
            yield ""
    if unnamed := plan.totals.concerned - len(plan.people):
        yield f"{unnamed:,} more people are concerned (--all names everyone)."
    yield _summary(plan.difference, plan.totals)


def _rule_lines(found: Difference) -> Iterator[str]:
    """The rules that are added (+), changed (~) and removed (-), each key on a line."""
    for rule in found.added:
        yield f"  + {rule.name}"
        for key, value in to_document(rule).items():
            if key != "name":
                yield f"      {key} = {_written(value)}"
    for change in found.changed:
        yield f"  ~ {change.name}"
        for field in change.fields:
            yield f"      {field.key}: {_written(field.before)} → {_written(field.after)}"
    for rule in found.removed:
        yield f"  - {rule.name}"
    if found.reordered:
        yield "  ~ The rules stand in another order; where several give one role, the first decides"
    if found.unchanged:
        yield f"    {counted(found.unchanged, 'rule')} unchanged"


def _person_lines(people: Iterable[PersonImpact]) -> Iterator[str]:
    """Who gains (+), keeps with other tags or duration (~) and loses (-) which role."""
    for person in people:
        if not (person.gained or person.lost or person.altered):
            continue
        yield f"  {person.username}"
        for sign, roles in (("+", person.gained), ("~", person.altered), ("-", person.lost)):
            for role in roles:
                yield f"      {sign} {role}"


def _problem_lines(people: Iterable[PersonImpact]) -> Iterator[str]:
    """What AWS would refuse, and which names two people would share."""
    for person in people:
        for problem in person.problems:
            yield f"  {person.username}: {problem.role} by rule {problem.rule}: {problem.message}"
        for sentence in (person.session_name, person.source_identity, *person.unusable):
            if sentence:
                yield f"  {person.username}: {sentence}"


def _summary(found: Difference, totals: ImpactTotals) -> str:
    """The plan in one line."""
    wrong = ""
    if totals.wrong:
        have = "has" if totals.wrong == 1 else "have"
        wrong = (
            f" {_people(totals.wrong)} {have} something that AWS would refuse, or could not tell "
            "apart."
        )
    if found.empty:
        return f"Plan: no changes.{wrong}"
    text = (
        f"Plan: {counted(len(found.added), 'rule')} to add, {len(found.changed)} to change, "
        f"{len(found.removed)} to remove; "
        f"{_people(totals.gaining)} {'gains' if totals.gaining == 1 else 'gain'} a role, "
        f"{_number(totals.losing)} {'loses' if totals.losing == 1 else 'lose'} one."
    )
    if totals.altered:
        text += f" For {_people(totals.altered)} the tags or duration of a role change."
    return text + wrong


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON types."""
    found, totals = plan.difference, plan.totals
    return {
        "rules": {
            "add": [to_document(rule) for rule in found.added],
            "change": [
                {
                    "name": change.name,
                    "fields": [
                        {"key": field.key, "before": field.before, "after": field.after}
                        for field in change.fields
                    ],
                }
                for change in found.changed
            ],
            "remove": [rule.name for rule in found.removed],
            "unchanged": found.unchanged,
            "reordered": found.reordered,
        },
        "people": [_person_document(person) for person in plan.people],
        "totals": {
            "people": totals.people,
            "gain_a_role": totals.gaining,
            "lose_a_role": totals.losing,
            "keep_a_role_changed": totals.altered,
            "have_a_role_withheld": totals.withheld,
            "have_a_bad_session_name": totals.session_names,
            "have_a_bad_source_identity": totals.source_identities,
            "have_unusable_values": totals.unusable,
        },
        "advice": list(plan.advice),
    }


def rule_columns(rule: RoleRule) -> tuple[str, str, str, str]:
    """Name, whom it matches, what it gives or denies, and for how long."""
    document = to_document(rule)
    keys = DOCUMENT_KEYS[DOCUMENT_KEYS.index("everyone") : DOCUMENT_KEYS.index("role")]
    whom = ", ".join(f"{key} {_plain(document[key])}" for key in keys if key in document)
    by_person = "the attribute" if rule.role_attribute else "the group"
    roles = " or ".join(rule.roles) or f"as {by_person} says"
    where = f" in {', '.join(rule.accounts)}" if rule.accounts else ""
    denies = "deny " if rule.effect == "deny" else ""
    duration = "" if denies else document.get("duration", "1h")
    return rule.name, whom, f"{denies}{roles}{where}", duration


def counted(number: int, noun: str) -> str:
    """ "1 rule", "2 rules"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _people(number: int) -> str:
    return f"{number:,} {'person' if number == 1 else 'people'}"


def _number(number: int) -> str:
    return {0: "none", 1: "one"}.get(number, f"{number:,}")


def _written(value: object) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} = {_plain(held)}" for name, held in value.items())
    if isinstance(value, list):
        return " or ".join(value)
    return "" if value is True else str(value)


def _person_document(person: PersonImpact) -> dict[str, Any]:
    return {
        "username": person.username,
        "directory": person.directory,
        "gained": [str(role) for role in person.gained],
        "lost": [str(role) for role in person.lost],
        "changed": [str(role) for role in person.altered],
        "problems": [
            {"role": str(found.role), "rule": found.rule, "message": found.message}
            for found in person.problems
        ],
        "session_name": person.session_name or None,
        "source_identity": person.source_identity or None,
        "unusable": list(person.unusable),
    }
