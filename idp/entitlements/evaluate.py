"""From a person to the roles they may assume now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from idp.aws.arn import RoleArn
from idp.directory.person import Person
from idp.entitlements.compiled_rule import CompiledRule, Target
from idp.entitlements.facts import UNKNOWN, Circumstances, Facts
from idp.entitlements.grant import Grant
from idp.entitlements.role_names import SameRole
from idp.entitlements.ruleset import RuleSet
from idp.entitlements.session_shape import NoSuchSession, SessionShape, session_shape


@dataclass(frozen=True, slots=True)
class GrantProblem:
    """A role that the rule `rule` would give, withheld for the reason in `message`."""

    role: RoleArn
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Grants:
    """One grant per role, sorted by account alias and role name; and what was withheld.

    `unusable` are sentences about the values of a role attribute that give nothing.
    """

    grants: tuple[Grant, ...] = ()
    problems: tuple[GrantProblem, ...] = ()
    unusable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Which rule speaks for each role: the first that allows it, the first that denies it."""

    allowed: dict[RoleArn, tuple[CompiledRule, Target]]
    denied: dict[SameRole, CompiledRule]
    unusable: list[str]


def evaluate(ruleset: RuleSet, person: Person, circumstances: Circumstances = UNKNOWN) -> Grants:
    """What `person` gets, having come as `circumstances` say.

    A denied role is never among it. A role whose session can't be made as its rule says, or would
    be refused by AWS, is withheld and told in `problems`: a session with a wrong tag could open
    what it should not.
    """
    facts = Facts.of(person, circumstances)
    return evaluate_rules(ruleset.candidates(facts), facts)


def evaluate_rules(rules: Iterable[CompiledRule], facts: Facts) -> Grants:
    """As `evaluate`, of these rules alone: those that may concern the person, in their order."""
    person, decision = facts.person, _decide(rules, facts)
    grants: list[Grant] = []
    problems: list[GrantProblem] = []
    shapes: dict[int, SessionShape | NoSuchSession] = {}
    for role, (compiled, target) in decision.allowed.items():
        if target.same in decision.denied:
            continue
        if compiled.position not in shapes:
            shapes[compiled.position] = _shape(compiled, person)
        shape = shapes[compiled.position]
        if isinstance(shape, NoSuchSession):
            problems.append(GrantProblem(role, compiled.rule.name, str(shape)))
        else:
            grants.append(_grant(compiled, target, shape))
    grants.sort(key=lambda grant: (grant.account_alias, grant.role.name, grant.role.path))
    problems.sort(key=lambda problem: problem.role)
    return Grants(tuple(grants), tuple(problems), tuple(dict.fromkeys(decision.unusable)))


def decide(ruleset: RuleSet, facts: Facts) -> Decision:
    """Let every rule that matches speak, in the order of the file."""
    return _decide(ruleset.candidates(facts), facts)


def _decide(rules: Iterable[CompiledRule], facts: Facts) -> Decision:
    decision = Decision({}, {}, [])
    for compiled in rules:
        if not compiled.matches(facts):
            continue
        for target in compiled.targets(facts):
            if compiled.denies:
                decision.denied.setdefault(target.same, compiled)
            else:
                decision.allowed.setdefault(target.role, (compiled, target))
        if compiled.rule.role_attribute:
            decision.unusable.extend(found.reason for found in compiled.unreachable(facts))
    return decision


def _shape(compiled: CompiledRule, person: Person) -> SessionShape | NoSuchSession:
    try:
        return session_shape(compiled, person)
    except NoSuchSession as problem:
        return problem


def _grant(compiled: CompiledRule, target: Target, shape: SessionShape) -> Grant:
    return Grant(
        role=target.role,
        provider=target.provider,
        account_alias=target.account.alias,
        duration=shape.duration,
        tags=shape.tags,
        transitive=compiled.rule.transitive,
        rule=compiled.rule.name,
        provider_id=target.account.provider_id,
        session_name=shape.session_name,
        source_identity=shape.source_identity,
        encrypt_to=target.account.encrypt_to,
    )
