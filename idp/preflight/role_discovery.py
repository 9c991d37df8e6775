"""The roles that trust us against the rules that give roles: what one has and the other lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from idp.aws.arn import RoleArn
from idp.aws.role_listing import ListedRole
from idp.entitlements.account import Account
from idp.entitlements.compiled_rule import CompiledRule
from idp.entitlements.duration import format_duration
from idp.entitlements.role_names import same_role
from idp.entitlements.ruleset import RuleSet
from idp.preflight.role_trust import Ourselves, RoleTrust, role_trust

Reach = Literal["reached", "possible", "unreached"]


@dataclass(frozen=True, slots=True)
class TrustingRole:
    """A role that trusts our provider.

    `rules` name it, `possible` are rules by which a group or attribute could name it. `notes` are
    sentences about what would go wrong at a sign-in.
    """

    role: RoleArn
    longest: int
    trust: RoleTrust
    rules: tuple[str, ...]
    possible: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def reach(self) -> Reach:
        """Whether a rule gives it, or might."""
        return "reached" if self.rules else "possible" if self.possible else "unreached"


@dataclass(frozen=True, slots=True)
class LostTarget:
    """A role that a rule gives and nobody can assume; `missing` if it is not there at all."""

    rule: str
    role: RoleArn
    missing: bool
    why: str


@dataclass(frozen=True, slots=True)
class AccountRoles:
    """What was found in one account: `seen` roles in all."""

    account: Account
    seen: int
    trusting: tuple[TrustingRole, ...]
    lost: tuple[LostTarget, ...]

    @property
    def in_order(self) -> bool:
        """Whether there is nothing to mend."""
        good = all(each.reach != "unreached" and not each.notes for each in self.trusting)
        return good and not self.lost


def compare_roles(
    account: Account,
    listed: Sequence[ListedRole],
    ruleset: RuleSet,
    ourselves: Ourselves,
    *,
    always_source_identity: bool,
) -> AccountRoles:
    """Hold an account's roles against the rules.

    `always_source_identity`: the settings send a SourceIdentity where rules say nothing of it.
    """
    giving = [compiled for compiled in ruleset.rules if not compiled.denies]
    by_role: dict[RoleArn, list[CompiledRule]] = {}
    for compiled in giving:
        for target in compiled.fixed_targets:
            if target.account.number == account.number:
                by_role.setdefault(target.role, []).append(compiled)
    denied = {
        target.same: compiled.rule.name
        for compiled in ruleset.rules
        if compiled.denies_everyone
        for target in compiled.fixed_targets
    }
    trusts = {each.arn: role_trust(each.trust_policy, ourselves) for each in listed}
    trusting = []
    for each in listed:
        trust = trusts[each.arn]
        if trust.word == "no":
            continue
        fixed = by_role.get(each.arn, [])
        possible = [compiled for compiled in giving if compiled.could_reach(each.arn)]
        denier = denied.get(same_role(each.arn))
        given = [*fixed, *possible]
        if denier:
            fixed, possible = [], []
        notes = tuple(
            note
            for compiled in (*fixed, *possible)
            for note in _notes(compiled, each, trust, always_source_identity)
        )
        if denier and given:
            notes = (f"rule {denier} denies it to everyone", *notes)
        if trust.word == "depends":
            notes = (f"it trusts us only if: {trust.why}", *notes)
        trusting.append(
            TrustingRole(each.arn, each.longest, trust, _names(fixed), _names(possible), notes)
        )
    lost = [found for role, rules in by_role.items() for found in _lost(role, rules, trusts)]
    return AccountRoles(account, len(listed), tuple(trusting), tuple(lost))


def _lost(
    role: RoleArn, rules: Sequence[CompiledRule], trusts: dict[RoleArn, RoleTrust]
) -> Iterator[LostTarget]:
    trust = trusts.get(role)
    if trust and trust.word != "no":
        return
    if trust:
        why = f"its trust policy does not let us in: {trust.why}"
    else:
        other = next((arn for arn in trusts if same_role(arn) == same_role(role)), None)
        hint = f"; there is {other.path}{other.name}" if other else ""
        why = f"there is no such role{hint}"
    for compiled in rules:
        yield LostTarget(compiled.rule.name, role, trust is None, why)


def _notes(
    compiled: CompiledRule, role: ListedRole, trust: RoleTrust, always_source_identity: bool
) -> Iterator[str]:
    rule = compiled.rule
    if isinstance(rule.duration, int) and rule.duration > role.longest:
        yield (
            f"rule {rule.name} asks for {format_duration(rule.duration)}, and the role allows "
            f"{format_duration(role.longest)}"
        )
    if rule.tags and not trust.tags:
        yield f"rule {rule.name} sends session tags, and the role does not allow sts:TagSession"
    if (rule.source_identity or always_source_identity) and not trust.source_identity:
        yield (
            f"rule {rule.name} gives a session with a SourceIdentity, and the role does not allow "
            "sts:SetSourceIdentity"
        )


def _names(rules: Sequence[CompiledRule]) -> tuple[str, ...]:
    return tuple(compiled.rule.name for compiled in rules)
