"""An explanation in words: who someone is, what they get and why, and what they just missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from idp.directory.person import Person
from idp.entitlements.duration import format_duration
from idp.entitlements.evaluate import Grants
from idp.entitlements.explain import Fate, RuleOutcome, came_close
from idp.entitlements.plan_words import counted


def story(
    person: Person, grants: Grants, outcomes: Sequence[RuleOutcome], *, everything: bool
) -> Iterator[str]:
    """The explanation line by line; `everything` adds the rules that were far from matching."""
    yield from _who(person)
    yield ""
    yield from _given(grants)
    withheld = [f"  {problem.role}\n      {problem.message}" for problem in grants.problems]
    yield from _section("Withheld:", withheld)
    yield from _section("Not usable:", [f"  {sentence}" for sentence in grants.unusable])
    yield from _section("Denied:", list(_taken(outcomes)))
    yield from _section("Matched, but an earlier rule decides:", list(_overruled(outcomes)))
    close = came_close(tuple(outcomes))
    yield from _section("Came close:", [line for found in close for line in _missed(found)])
    far = [found for found in outcomes if not found.matches and not found.close]
    if everything:
        yield from _section("Not for them:", [line for found in far for line in _missed(found)])
    elif far:
        yield ""
        yield f"{counted(len(far), 'other rule')} did not come close (--all shows them)."


def explanation_document(
    person: Person, grants: Grants, outcomes: Sequence[RuleOutcome]
) -> dict[str, Any]:
    """The explanation as JSON types."""
    return {
        "person": {
            "username": person.username,
            "display_name": person.display_name,
            "email": person.email,
            "directory": person.directory,
            "groups": [group.name for group in person.groups],
            "attributes": {name: list(values) for name, values in person.attributes.items()},
        },
        "grants": [
            {
                "role": str(grant.role),
                "provider": str(grant.provider),
                "account_alias": grant.account_alias,
                "duration": grant.duration,
                "tags": dict(grant.tags),
                "transitive": list(grant.transitive),
                "role_session_name": grant.session_name,
                "source_identity": grant.source_identity,
                "rule": grant.rule,
            }
            for grant in grants.grants
        ],
        "problems": [
            {"role": str(found.role), "rule": found.rule, "message": found.message}
            for found in grants.problems
        ],
        "unusable": list(grants.unusable),
        "rules": [_outcome_document(outcome) for outcome in outcomes],
    }


def _who(person: Person) -> Iterator[str]:
    yield f"{person.username} ({person.display_name}), of the directory {person.directory}"
    if person.email:
        yield f"  e-mail: {person.email}"
    yield f"  groups: {', '.join(group.name for group in person.groups) or 'none'}"
    for name, values in sorted(person.attributes.items()):
        yield f"  {name}: {', '.join(values)}"


def _given(grants: Grants) -> Iterator[str]:
    if not grants.grants:
        yield "Gets no role."
        return
    yield f"Gets {counted(len(grants.grants), 'role')}:"
    for grant in grants.grants:
        yield f"  {grant.role}"
        yield (
            f"      account {grant.account_alias}, for {format_duration(grant.duration)}, "
            f"by rule {grant.rule}"
        )
        if grant.session_name:
            yield f"      RoleSessionName {grant.session_name}"
        if grant.source_identity:
            yield f"      SourceIdentity {grant.source_identity}"
        if grant.tags:
            tags = (
                f"{key}={value}{' (transitive)' if key in grant.transitive else ''}"
                for key, value in grant.tags.items()
            )
            yield f"      tags {', '.join(tags)}"


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from lines


def _roles(outcomes: Sequence[RuleOutcome], fate: Fate) -> Iterator[tuple[str, str, str]]:
    for outcome in outcomes:
        for role in outcome.roles:
            if role.fate == fate:
                yield str(role.role), outcome.rule, role.by


def _taken(outcomes: Sequence[RuleOutcome]) -> Iterator[str]:
    missed = list(_roles(outcomes, "denied"))
    for role, rule, by in missed:
        yield f"  {role}\n      rule {rule} would give it, rule {by} denies it"
    told = {role for role, _, _ in missed}
    for role, rule, _ in _roles(outcomes, "denies"):
        if role not in told:
            yield f"  {role}\n      rule {rule} denies it; no rule would give it"


def _overruled(outcomes: Sequence[RuleOutcome]) -> Iterator[str]:
    for role, rule, by in _roles(outcomes, "earlier_rule"):
        yield f"  {role}\n      rule {rule}; rule {by} stands before it"


def _missed(outcome: RuleOutcome) -> Iterator[str]:
    denies = " (denies)" if outcome.effect == "deny" else ""
    yield f"  rule {outcome.rule}{denies}"
    for reason in outcome.outside:
        yield f"      {reason}"
    if outcome.failed:
        yield (
            f"      wants {outcome.failed.wanted}; has {outcome.failed.seen} "
            f"({outcome.met} of {counted(outcome.asked, 'condition')} met)"
        )
        if outcome.failed.hint:
            yield f"      {outcome.failed.hint}"


def _outcome_document(outcome: RuleOutcome) -> dict[str, Any]:
    failed = outcome.failed
    return {
        "rule": outcome.rule,
        "effect": outcome.effect,
        "matches": outcome.matches,
        "roles": [
            {
                "role": str(role.role),
                "fate": role.fate,
                "by": role.by or None,
                "reason": role.reason or None,
            }
            for role in outcome.roles
        ],
        "outside": list(outcome.outside),
        "conditions_met": outcome.met,
        "conditions": outcome.asked,
        "failed": (
            {"wanted": failed.wanted, "seen": failed.seen, "hint": failed.hint or None}
            if failed
            else None
        ),
        "close": outcome.close,
    }
