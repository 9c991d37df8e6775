"""Which directory's people a rule is for: a group of one never counts as a group of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from idp.entitlements.rule import RoleRule
from idp.entitlements.rule_table import Problems

DirectoryKind = Literal["local", "ldap", "active_directory"]


def held_to_a_directory(
    rule: RoleRule, directories: Mapping[str, DirectoryKind] | None, problems: Problems
) -> RoleRule:
    """The rule with its directory written out; what could let strangers in is noted.

    `directories` are those configured, by name; None if nobody knows them here.

    A rule that gives roles by user, group or attribute is for one directory. With one configured
    it is that one, and stays so when another one is added; with several the rule has to say it.
    In a directory where others may create groups, a pattern has to say below which DN, and so has
    a group's name where names are not unique, as in LDAP. A rule that denies needs none of this:
    without a directory it denies in all of them.
    """
    known = set(directories or ())
    if rule.directory and directories is not None and rule.directory not in known:
        problems.add(
            "directory",
            f"There is no directory {rule.directory!r}.",
            f"Configured are: {', '.join(sorted(known))}.",
        )
    if rule.effect == "deny" or rule.everyone:
        return rule
    if not rule.directory and len(known) == 1:
        rule = replace(rule, directory=next(iter(known)))
    if not rule.directory and len(known) > 1:
        problems.add(
            "directory",
            "There are several directories, and a person or group of one is not that of another.",
            f"Write directory = one of {', '.join(sorted(known))}.",
        )
    _check_pattern(rule, directories or {}, problems)
    _check_names(rule, directories or {}, problems)
    return rule


def by_name_alone(rule: RoleRule) -> bool:
    """Whether the rule gives something to groups of a name, wherever they lie."""
    exact = rule.group_base or rule.group_dns or rule.group_sids
    return rule.effect == "allow" and bool(rule.groups) and not exact


def _check_names(
    rule: RoleRule, directories: Mapping[str, DirectoryKind], problems: Problems
) -> None:
    """In LDAP many groups may share a name; in Active Directory one of a domain has it."""
    if by_name_alone(rule) and directories.get(rule.directory) == "ldap":
        problems.add(
            "group_base",
            "Whoever can create a group of that name anywhere in the directory would be let in.",
            'Write group_base = "ou=groups,dc=example,dc=com", where only your administrators '
            "create groups; or group_dns in place of groups.",
        )


def _check_pattern(
    rule: RoleRule, directories: Mapping[str, DirectoryKind], problems: Problems
) -> None:
    if not rule.group_pattern or rule.group_base:
        return
    if not rule.directory and len(directories) < 2:
        problems.add(
            "group_pattern",
            "A pattern without directory or group_base would take any directory's groups.",
            'Write directory = "...", and group_base = "..." where others may create groups.',
        )
    elif directories.get(rule.directory, "local") != "local":
        problems.add(
            "group_base",
            "Whoever can create a group anywhere in the directory could name himself an "
            "administrator.",
            'Write group_base = "OU=AWS,OU=Groups,DC=corp,DC=example", where only your '
            "administrators create groups.",
        )
