"""From a person to the roles they may assume now."""

from __future__ import annotations

from dataclasses import dataclass

from idp.aws.arn import RoleArn
from idp.aws.limits import RefusedByAws, check_tag_value
from idp.directory.person import Person
from idp.entitlements.conditions import Facts
from idp.entitlements.grant import Grant
from idp.entitlements.ruleset import CompiledRule, RuleSet, Target
from idp.entitlements.template import MissingAttribute
from idp.errors import IdpError

SameRole = tuple[str, str]


@dataclass(frozen=True, slots=True)
class GrantProblem:
    """A role that the rule `rule` would give, withheld for the reason in `message`."""

    role: RoleArn
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Grants:
    """One grant per role, sorted by account alias and role name; and what was withheld."""

    grants: tuple[Grant, ...] = ()
    problems: tuple[GrantProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """Which rule speaks for each role: the first that allows it, the first that denies it."""

    allowed: dict[RoleArn, tuple[CompiledRule, Target]]
    denied: dict[SameRole, CompiledRule]


def evaluate(ruleset: RuleSet, person: Person) -> Grants:
    """What `person` gets.

    A denied role is never among it. A role whose session tags can't be made, or would be refused
    by AWS, is withheld and told in `problems`: a session with a wrong tag could open what it
    should not.
    """
    decision = decide(ruleset, Facts.of(person))
    grants: list[Grant] = []
    problems: list[GrantProblem] = []
    rendered: dict[int, dict[str, str] | IdpError] = {}
    for role, (compiled, target) in decision.allowed.items():
        if same_role(role) in decision.denied:
            continue
        if compiled.position not in rendered:
            rendered[compiled.position] = _tags(compiled, person)
        tags = rendered[compiled.position]
        if isinstance(tags, IdpError):
            problems.append(GrantProblem(role, compiled.rule.name, str(tags)))
        else:
            grants.append(_grant(compiled, target, tags))
    grants.sort(key=lambda grant: (grant.account_alias, grant.role.name, grant.role.path))
    problems.sort(key=lambda problem: problem.role)
    return Grants(tuple(grants), tuple(problems))


def decide(ruleset: RuleSet, facts: Facts) -> Decision:
    """Let every rule that matches speak, in the order of the file."""
    decision = Decision({}, {})
    for compiled in ruleset.candidates(facts):
        if not compiled.matches(facts):
            continue
        for target in compiled.targets(facts):
            if compiled.denies:
                decision.denied.setdefault(same_role(target.role), compiled)
            else:
                decision.allowed.setdefault(target.role, (compiled, target))
    return decision


def same_role(role: RoleArn) -> SameRole:
    """Equal for ARNs of one role: IAM role names are unique in an account whatever case and path.

    (IAM API reference, CreateRole.) So a deny can't be walked around by another spelling.
    """
    return role.account, role.name.lower()


def _tags(compiled: CompiledRule, person: Person) -> dict[str, str] | IdpError:
    tags: dict[str, str] = {}
    for key, template in compiled.templates.items():
        try:
            tags[key] = template.render(person)
            check_tag_value(key, tags[key])
        except MissingAttribute as problem:
            return IdpError(
                f"The session tag {key} can't be made: {problem.message}", problem.advice
            )
        except RefusedByAws as problem:
            return IdpError(_refused(template.attributes, problem), problem.advice)
    return tags


def _refused(attributes: tuple[str, ...], problem: RefusedByAws) -> str:
    if not attributes:
        return problem.message
    plural = "attributes" if len(attributes) > 1 else "attribute"
    return f"{problem.message} (From the {plural} {', '.join(attributes)}.)"


def _grant(compiled: CompiledRule, target: Target, tags: dict[str, str]) -> Grant:
    return Grant(
        role=target.role,
        provider=target.account.provider,
        account_alias=target.account.alias,
        duration=compiled.rule.duration,
        tags=tags,
        transitive=compiled.rule.transitive,
        rule=compiled.rule.name,
        provider_id=target.account.provider_id,
        encrypt_to=target.account.encrypt_to,
    )
