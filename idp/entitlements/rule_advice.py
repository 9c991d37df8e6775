"""What rules may give more, or a plan less, than it seems: not wrong, but worth a look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from idp.entitlements.directory_scope import DirectoryKind
from idp.entitlements.facts import Circumstances
from idp.entitlements.rule import RoleRule
from idp.entitlements.template import OF_EVERYBODY, Template

NAMED = 5


def advice_on(
    rules: Sequence[RoleRule],
    circumstances: Circumstances,
    directories: Mapping[str, DirectoryKind],
    attributes_read: Mapping[str, frozenset[str]],
) -> Iterator[str]:
    """Sentences for the administrator, each about all rules that it concerns.

    `attributes_read` are those that a directory is asked for, by the names of the directories that
    have to be asked for them.
    """
    yield from _unread(rules, attributes_read)
    by_name = [
        rule.name
        for rule in rules
        if rule.effect == "allow"
        and rule.groups
        and not (rule.group_base or rule.group_dns or rule.group_sids)
        and directories.get(rule.directory, "local") != "local"
    ]
    if by_name:
        yield (
            f"{_rules(by_name)}: groups are told by their names alone, so whoever can create a "
            "group of that name anywhere in the directory is let in. Give group_base, group_dns "
            "or group_sids."
        )
    for key, known, option in (
        ("factors", circumstances.factors, "--factor"),
        ("networks", circumstances.address, "--from-address"),
    ):
        asking = [rule.name for rule in rules if getattr(rule, key)]
        if asking and known is None:
            yield (
                f"{_rules(asking)}: {key} are looked at when people sign in. This plan knows none, "
                "so these rules give nothing here, and those that deny deny. "
                f"Give {option} to see what they would do."
            )


def _unread(
    rules: Sequence[RoleRule], attributes_read: Mapping[str, frozenset[str]]
) -> Iterator[str]:
    unread: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        asked = attributes_of(rule)
        for directory, read in attributes_read.items() if asked else ():
            if rule.directory in ("", directory):
                for attribute in sorted(asked - read):
                    unread.setdefault((directory, attribute), []).append(rule.name)
    for (directory, attribute), names in unread.items():
        yield (
            f"{_rules(names)}: nobody of {directory} has the attribute {attribute}, because that "
            "directory is not asked for it. Name it in the settings, with LDAP's name for it: "
            f'attributes = {{ {attribute} = "..." }}.'
        )


def attributes_of(rule: RoleRule) -> set[str]:
    """The attributes that a rule asks for, but for what everybody has."""
    texts = (rule.role_session_name, rule.source_identity, *rule.tags.values())
    templates = [*texts, rule.duration] if isinstance(rule.duration, str) else texts
    asked = {name for text in templates for name in Template.parse(text).attributes}
    named = {rule.role_attribute} if rule.role_attribute else set()
    return (asked - OF_EVERYBODY) | named | set(rule.attributes)


def _rules(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{'Rule' if len(names) == 1 else 'Rules'} {shown}{more}"
