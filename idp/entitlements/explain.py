"""Why a person gets a role or does not: what every rule had to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from idp.aws.arn import RoleArn
from idp.directory.person import Person
from idp.entitlements.compiled_rule import CompiledRule, Target
from idp.entitlements.evaluate import Decision, Grants, decide, evaluate
from idp.entitlements.facts import UNKNOWN, Circumstances, Facts
from idp.entitlements.role_names import same_role
from idp.entitlements.rule import Effect
from idp.entitlements.ruleset import RuleSet

Fate = Literal["given", "denies", "denied", "earlier_rule", "withheld"]


@dataclass(frozen=True, slots=True)
class RoleOutcome:
    """What became of one role that a matching rule is about.

    `given`: the rule gives it. `denies`: the rule takes it away. `denied`: the rule would give it,
    and `by` is the rule that denies it. `earlier_rule`: the rule `by` of the same file comes first
    and decides. `withheld`: its session can't be made, and `reason` says why.
    """

    role: RoleArn
    account_alias: str
    fate: Fate
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class UnmetCondition:
    """The first condition of a rule that a person does not meet. `hint` may be empty."""

    wanted: str
    seen: str
    hint: str


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What one rule had to say of one person.

    `met` of `asked` conditions are met; `failed` is the first that is not, None if the rule
    matches. `outside` says what the rule names outside the registered or allowed accounts.
    """

    rule: str
    description: str
    effect: Effect
    roles: tuple[RoleOutcome, ...]
    outside: tuple[str, ...]
    met: int
    asked: int
    failed: UnmetCondition | None

    @property
    def matches(self) -> bool:
        """Whether the person meets every condition."""
        return self.failed is None

    @property
    def close(self) -> int:
        """How close a rule came to giving more than it does; 0 is not at all.

        A match that leads outside the accounts is closest, then conditions met, and a near miss in
        spelling counts as one.
        """
        if self.failed is None:
            return self.asked + 1 if self.outside else 0
        return self.met + (1 if self.failed.hint else 0)


def explain(
    ruleset: RuleSet, person: Person, circumstances: Circumstances = UNKNOWN
) -> tuple[RuleOutcome, ...]:
    """What every rule had to say, in the order of the file."""
    facts = Facts.of(person, circumstances)
    decision = decide(ruleset, facts)
    grants = evaluate(ruleset, person, circumstances)
    return tuple(_outcome(compiled, facts, decision, grants) for compiled in ruleset.rules)


def came_close(outcomes: tuple[RuleOutcome, ...]) -> tuple[RuleOutcome, ...]:
    """The rules that could have given more and came close, closest first."""
    close = [outcome for outcome in outcomes if outcome.close]
    return tuple(sorted(close, key=lambda outcome: (outcome.asked - outcome.met, -outcome.close)))


def _outcome(
    compiled: CompiledRule, facts: Facts, decision: Decision, grants: Grants
) -> RuleOutcome:
    unmet = [condition for condition in compiled.conditions if not condition.met(facts)]
    failed = None
    roles: tuple[RoleOutcome, ...] = ()
    outside: tuple[str, ...] = ()
    if unmet:
        first = unmet[0]
        failed = UnmetCondition(first.wanted(), first.seen(facts), first.hint(facts))
    else:
        roles = tuple(
            _fate(compiled, target, decision, grants) for target in compiled.targets(facts)
        )
        outside = tuple(found.reason for found in compiled.unreachable(facts))
    return RuleOutcome(
        rule=compiled.rule.name,
        description=compiled.rule.description,
        effect=compiled.rule.effect,
        roles=roles,
        outside=outside,
        met=len(compiled.conditions) - len(unmet),
        asked=len(compiled.conditions),
        failed=failed,
    )


def _fate(
    compiled: CompiledRule, target: Target, decision: Decision, grants: Grants
) -> RoleOutcome:
    role, alias = target.role, target.account.alias
    if compiled.denies:
        return RoleOutcome(role, alias, "denies")
    if denier := decision.denied.get(same_role(role)):
        return RoleOutcome(role, alias, "denied", by=denier.rule.name)
    decider = decision.allowed[role][0]
    if decider is not compiled:
        return RoleOutcome(role, alias, "earlier_rule", by=decider.rule.name)
    for problem in grants.problems:
        if problem.role == role:
            return RoleOutcome(role, alias, "withheld", reason=problem.message)
    return RoleOutcome(role, alias, "given")
