"""Groups in groups: everything above a person, once, and by which way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from idp.directory.ldap.names import dn_key
from idp.directory.ldap.search import Entry
from idp.directory.person import Group


class GroupsNotWhole(Exception):
    """Not all groups of somebody can be known.

    With some of them alone a rule that denies could be missed, so none of them count. `reason` is
    for people, `word` for the audit row.
    """

    reason: str
    word: str


class TooManyGroups(GroupsNotWhole):
    """Someone is in more groups than most_groups allows."""

    reason = "it names more groups than are allowed"
    word = "too_many_groups"


class GroupsTooDeep(GroupsNotWhole):
    """Someone's groups are nested deeper than group_depth allows."""

    reason = "its groups are nested deeper than is allowed"
    word = "groups_too_deep"


class EntryMoved(GroupsNotWhole):
    """Someone's entry was renamed, moved or removed while its groups were looked for."""

    reason = "an entry was moved while it was read"
    word = "entry_moved"


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """A group and the entry that it was made from."""

    group: Group
    entry: Entry


@dataclass(frozen=True, slots=True)
class Membership:
    """A group that someone is in.

    `path` are the groups through which it is inherited, the direct one first; empty for a direct
    membership. `depth` is 0 for a direct one.
    """

    found: FoundGroup
    path: tuple[Group, ...]
    depth: int

    @property
    def group(self) -> Group:
        """The group itself."""
        return self.found.group


def walk(
    direct: Iterable[FoundGroup],
    parents_of: Callable[[Sequence[FoundGroup]], Iterable[FoundGroup]],
    *,
    depth: int,
    most: int,
    batch: int = 50,
) -> list[Membership]:
    """All groups above `direct`, level by level, each once: a loop among them ends nowhere.

    `parents_of` gives the groups that any of the given ones is a member of. With `batch` 1 it is
    asked for one at a time, which is slower and is what tells paths; else paths are not known and
    empty. With `depth` 0 nothing is asked, and the direct ones are all; else it is the deepest
    nesting that may be there. Raises TooManyGroups, GroupsTooDeep.
    """
    found: dict[str, Membership] = {}
    level = _new(found, (Membership(each, (), 0) for each in direct), most)
    for above in range(1, depth + 2 if depth else 1):
        following: list[Membership] = []
        for start in range(0, len(level), batch):
            chunk = level[start : start + batch]
            path = (*chunk[0].path, chunk[0].group) if batch == 1 else ()
            parents = parents_of([each.found for each in chunk])
            following += _new(found, (Membership(each, path, above) for each in parents), most)
        if not following:
            break
        if above > depth:
            raise GroupsTooDeep
        level = following
    return list(found.values())


def _new(
    found: dict[str, Membership], memberships: Iterable[Membership], most: int
) -> list[Membership]:
    added = []
    for each in memberships:
        key = dn_key(each.found.entry.dn)
        if key not in found:
            if len(found) >= most:
                raise TooManyGroups
            found[key] = each
            added.append(each)
    return added
