"""Claim rules of AD FS that name AWS roles, as role rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from idp.directory.ldap.attributes import PRESETS
from idp.entitlements.duration import parse_session_length
from idp.entitlements.importing.arn_template import read_arn_template
from idp.entitlements.importing.claim_rules import ClaimCondition, ClaimRule, parse_claim_rules
from idp.entitlements.importing.foreign_pattern import without_anchors, without_flag
from idp.entitlements.importing.imported import Imported, NotTakenOver
from idp.entitlements.importing.naming import naming_fields, remark_on_provider
from idp.entitlements.rule import RoleRule
from idp.errors import IdpError

AWS = "https://aws.amazon.com/SAML/Attributes/"
_TAG = AWS + "PrincipalTag:"
_NAME_ID = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"
_QUERY = re.compile(r"[^;]*;(?P<attributes>[^;]*);.*", re.DOTALL)
_SID = re.compile(r"S-1-[\d-]+", re.ASCII)
_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_PRESET = PRESETS["active_directory"]
# Our names of what is read from every Active Directory, by its own in lower case.
_READ = {
    **{theirs.lower(): ours for ours, theirs in _PRESET.others.items()},
    _PRESET.username.lower(): "username",
    _PRESET.email.lower(): "email",
    "displayname": "display_name",
}
_READ_AS_CLAIMS = {_CLAIMS + "upn": "{upn}", _CLAIMS + "emailaddress": "{email}"}
_OF_GROUPS = ("groupsid", "primarygroupsid", "claims/group", "/groups", "temp/variable", "role")


@dataclass(slots=True)
class _Session:
    """What claim rules say of all sessions."""

    duration: int | str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    transitive: list[str] = field(default_factory=list)
    session_name: str = ""
    source_identity: str = ""


def import_claim_rules(text: str, directory: str, bases: tuple[str, ...]) -> Imported:
    """Take over a claim rule set for people of `directory`, for groups below `bases`.

    Raises BadClaimRules for text that is none.
    """
    imported = Imported("claim rules of AD FS")
    session = _Session()
    for number, claim in enumerate(parse_claim_rules(text), start=1):
        title = f"rule {number}{f' ({claim.name})' if claim.name else ''}"
        try:
            _take_over(claim, number, session, imported, directory, bases)
        except NotTakenOver as problem:
            imported.left.append(f"{title}: {problem.message}")
    found, imported.rules = imported.rules, []
    for rule in found:
        try:
            imported.add(_with_session(rule, session))
        except NotTakenOver as problem:
            imported.left.append(f"how sessions of {rule.name} look: {problem.message}")
            imported.rules.append(rule)
    return imported


def _take_over(
    claim: ClaimRule,
    number: int,
    session: _Session,
    imported: Imported,
    directory: str,
    bases: tuple[str, ...],
) -> None:
    about_aws = [kind for kind in claim.types if kind.startswith(AWS)]
    if claim.does == "issue" and AWS + "Role" in about_aws:
        fields = _role_fields(claim, imported)
        by_name = fields.get("groups") or fields.get("group_pattern")
        name = re.sub(r"[^\w .-]", "", claim.name).strip() or f"adfs-{number}"
        imported.add(
            RoleRule(
                name if name not in imported.names else f"{name} {number}",
                directory=directory,
                group_base=bases if by_name else (),
                **fields,
            )
        )
    elif about_aws and claim.does == "issue":
        for kind in about_aws:
            _take_session(kind, claim, session, imported)
    elif _NAME_ID in claim.types:
        imported.remark("The NameID is made by this provider: see aws.name_id_format.")
    elif claim.does == "issue" and claim.types:
        raise NotTakenOver(f"AWS does not read the claim {claim.types[0]}.")
    else:
        _look_at_source(claim, imported)


def _look_at_source(claim: ClaimRule, imported: Imported) -> None:
    """A rule that only reads groups needs no counterpart: the directory is read at sign-in."""
    query = claim.fields.get("query")
    wanted = _queried(query.text or "") if query else ()
    if any("domainqualified" in attribute.lower() for attribute in wanted):
        imported.remark(
            "AD FS read groups as DOMAIN\\name. Here a group's name has no domain, and rules hold "
            "to a directory instead; expressions that ask for the domain have to be changed."
        )


def _role_fields(claim: ClaimRule, imported: Imported) -> dict[str, Any]:
    if query := claim.fields.get("query"):
        attributes = _queried(query.text or "")
        index = claim.types.index(AWS + "Role")
        if index >= len(attributes):
            raise NotTakenOver("it reads no attribute for the role.")
        name = _own_name(attributes[index], "Role", imported)
        return {"role_attribute": name}
    value = claim.fields.get("value")
    if value is None:
        raise NotTakenOver("it passes on a claim from elsewhere.")
    if len(claim.conditions) != 1 or claim.conditions[0].asks:
        if value.text is not None and not claim.conditions:
            raise NotTakenOver(
                "it gives a role to everyone whom AD FS lets in; say who that is, or write "
                "everyone = true."
            )
        raise NotTakenOver("it asks for several claims, or for one that must not be there.")
    condition = claim.conditions[0]
    if replaced := value.replacement:
        return _by_pattern(condition, *replaced, imported)
    if value.text is not None:
        return _by_group(condition, value.text, imported)
    raise NotTakenOver("its value is put together in a way that has no counterpart.")


def _by_pattern(
    condition: ClaimCondition, pattern: str, replacement: str, imported: Imported
) -> dict[str, Any]:
    _check_is_of_groups(condition)
    arns = read_arn_template(replacement)
    bare, ignore_case = without_flag(pattern)
    expression, begins, ends = without_anchors(bare)
    held = condition.value("Value", "=~")
    if held is not None:
        held_bare, held_in_any_case = without_flag(held)
        _check_implied(held, held_bare, bare, begins, imported)
        if held_in_any_case and not ignore_case:
            imported.remark(
                "AD FS asked for some names whatever their case, but replaced them in one case "
                "only, so that other spellings gave no good ARN; the pattern takes that one case."
            )
    elif not begins:
        imported.remark(f"{pattern!r} could stand anywhere in a name; here it begins the name.")
    fields = naming_fields(
        expression, arns, imported, rest_is_role=not ends, ignore_case=ignore_case
    )
    remark_on_provider(arns, imported)
    return fields


def _check_implied(
    held: str, held_bare: str, pattern: str, begins: bool, imported: Imported
) -> None:
    """Whether the condition says no more than the pattern does, which is anchored here."""
    start = held_bare.removeprefix("^").removesuffix(".*").removesuffix("$")
    if not pattern.removeprefix("^").startswith(start) or (
        not held_bare.startswith("^") and not begins
    ):
        imported.remark(
            f"AD FS also held the name to {held!r}, which the pattern may not say; compare them."
        )


def _by_group(condition: ClaimCondition, value: str, imported: Imported) -> dict[str, Any]:
    _check_is_of_groups(condition)
    arns = read_arn_template(value)
    group = condition.value("Value", "==")
    if group is None and (held := condition.value("Value", "=~")):
        bare, ignore_case = without_flag(held)
        expression, begins, ends = without_anchors(bare)
        if not (begins and ends) or ignore_case or re.search(r"[\\.\[\](){}?*+|^$]", expression):
            raise NotTakenOver(f"the group is held to {held!r}, and the role is always the same.")
        group = expression
    if group is None:
        raise NotTakenOver("it does not say which group.")
    if arns.account is None or arns.role_reference is not None:
        raise NotTakenOver(f"{value!r} has parts of a match, and nothing is matched.")
    remark_on_provider(arns, imported)
    roles: dict[str, Any] = {"roles": (arns.before,), "accounts": (arns.account,)}
    if _SID.fullmatch(group):
        return roles | {"group_sids": (group,)}
    if "\\" in group:
        domain, _, group = group.partition("\\")
        imported.remark(
            f"{domain} of {domain}\\{group} is left out: the rule's directory takes its place."
        )
    return roles | {"groups": (group,)}


def _check_is_of_groups(condition: ClaimCondition) -> None:
    kind = condition.value("Type", "==") or ""
    if not any(word in kind.lower() for word in _OF_GROUPS):
        raise NotTakenOver(f"it is about the claim {kind or 'of any type'}, not about groups.")


def _take_session(kind: str, claim: ClaimRule, session: _Session, imported: Imported) -> None:
    template = _template(kind, claim, imported)
    what = kind.removeprefix(AWS)
    if what == "RoleSessionName":
        session.session_name = template
    elif what == "SourceIdentity":
        session.source_identity = template
    elif what == "SessionDuration":
        session.duration = template if "{" in template else _seconds(template)
    elif what == "TransitiveTagKeys":
        session.transitive.append(template)
    elif kind.startswith(_TAG):
        session.tags[kind.removeprefix(_TAG)] = template
    else:
        raise NotTakenOver(f"AWS's attribute {what} is not known here.")


def _seconds(text: str) -> int:
    try:
        return parse_session_length(text)
    except IdpError as problem:
        raise NotTakenOver(problem.message) from None


def _own_name(attribute: str, what: str, imported: Imported) -> str:
    """Our name of an attribute of Active Directory."""
    if known := _READ.get(attribute.lower()):
        return known
    imported.remark(
        f"{what} is made from {attribute}, which the directory has to read. Add to its attributes "
        f'in the settings: {attribute.lower()} = "{attribute}".'
    )
    return attribute.lower()


def _template(kind: str, claim: ClaimRule, imported: Imported) -> str:
    """The text, or the attribute as a template."""
    if query := claim.fields.get("query"):
        attributes = _queried(query.text or "")
        index = claim.types.index(kind)
        if index < len(attributes) and re.fullmatch(r"[A-Za-z][\w-]*", attributes[index]):
            return "{" + _own_name(attributes[index], kind.removeprefix(AWS), imported) + "}"
    value = claim.fields.get("value")
    if value and value.text is not None:
        return value.text.replace("{", "{{").replace("}", "}}")
    if value and len(claim.conditions) == 1 and value.is_value_of(claim.conditions[0].variable):
        passed_on = claim.conditions[0].value("Type", "==") or ""
        if passed_on in _READ_AS_CLAIMS:
            return _READ_AS_CLAIMS[passed_on]
    raise NotTakenOver(
        f"{kind.removeprefix(AWS)} is made of another claim; write it as a template over the "
        "directory's attributes, like {mail}."
    )


def _queried(query: str) -> tuple[str, ...]:
    """The attributes of ";mail,department;{0}"."""
    match = _QUERY.fullmatch(query)
    return tuple(name.strip() for name in match["attributes"].split(",")) if match else ()


def _with_session(rule: RoleRule, session: _Session) -> RoleRule:
    return replace(
        rule,
        duration=rule.duration if session.duration is None else session.duration,
        role_session_name=session.session_name,
        source_identity=session.source_identity,
        tags=session.tags,
        transitive=tuple(key for key in session.transitive if key in session.tags),
    )
