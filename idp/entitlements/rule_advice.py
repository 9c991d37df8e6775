"""What rules may give more, or a plan less, than it seems: not wrong, but worth a look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from idp.entitlements.directory_scope import DirectoryKind, by_name_alone
from idp.entitlements.facts import Circumstances
from idp.entitlements.rule import RoleRule

NAMED = 5


def advice_on(
    rules: Sequence[RoleRule],
    circumstances: Circumstances,
    directories: Mapping[str, DirectoryKind],
) -> Iterator[str]:
    """Sentences for the administrator, each about all rules that it concerns."""
    by_name = [
        rule.name
        for rule in rules
        if by_name_alone(rule) and directories.get(rule.directory, "local") != "local"
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


def _rules(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{'Rule' if len(names) == 1 else 'Rules'} {shown}{more}"
