"""Words that conditions share: alternatives, a person's groups, and what may have been meant."""

from __future__ import annotations

from difflib import get_close_matches

from idp.entitlements.facts import Facts
from idp.entitlements.names import name_key


def one_of(names: tuple[str, ...]) -> str:
    """Names as alternatives, shortened where there are many."""
    shown = names if len(names) <= 6 else (*names[:5], f"{len(names) - 5} others")
    return " or ".join(shown)


def groups_in_words(facts: Facts) -> str:
    """The person's groups by name, shortened where there are many."""
    names = facts.group_names
    if not names:
        return "no groups"
    shown = names if len(names) <= 10 else (*names[:9], f"{len(names) - 9} others")
    return f"{'group' if len(names) == 1 else 'groups'} {', '.join(shown)}"


def resembling(key: str, names: tuple[str, ...], kind: str) -> str:
    """Which of `names` looks like `key` without being it, as a clause; else empty."""
    by_key = {name_key(name): name for name in names}
    close = get_close_matches(key, by_key, n=1, cutoff=0.8)
    return f"{kind} {key} looks like {by_key[close[0]]}" if close and close[0] != key else ""
