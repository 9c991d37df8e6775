"""Everyone with their groups, in constant memory: who is in which group waits in a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache

from idp.directory.ldap.attributes import group_of
from idp.directory.ldap.connection import Connection
from idp.directory.ldap.groups import MEMBER_ATTRIBUTES, MEMBER_OF, POSIX_GROUP, GroupReader
from idp.directory.ldap.names import dn_key, is_below
from idp.directory.ldap.search import Entry, any_of, pages
from idp.directory.ldap.tree import GroupsNotWhole, GroupsTooDeep, TooManyGroups
from idp.directory.person import Group

_SECONDS = 60.0  # for a page; nobody waits at a form, and groups may have 100,000 members
_GROUPS_AT_ONCE = 100


def people_with_groups(
    connection: Connection,
    base: str,
    user_filter: str,
    wanted: Sequence[str],
    username_attribute: str,
    groups: GroupReader,
) -> Iterator[tuple[Entry, list[Group] | GroupsNotWhole]]:
    """Each entry with all its groups, direct and inherited, or with why they can't be known.

    First all groups are read, a page at a time, into a temporary SQLite file that vanishes with
    the last answer; then the people. Raises Refused, ServerFailed.
    """
    with _MembershipFile(groups.depth, groups.most) as memberships:
        memberships.fill(connection, groups)
        for entry in pages(
            connection, base, user_filter, wanted, page_size=groups.page_size, seconds=_SECONDS
        ):
            keys = [_dn(entry.dn)]
            if POSIX_GROUP in groups.sources:
                keys += [_uid(uid) for uid in entry.texts(username_attribute)[:1]]
                keys += [_gid(number) for number in entry.texts("gidNumber")[:1]]
            named = entry.texts(MEMBER_OF) if MEMBER_OF in groups.sources else ()
            try:
                of_entry: list[Group] | GroupsNotWhole = memberships.of(keys, named)
            except GroupsNotWhole as problem:
                of_entry = problem
            yield entry, of_entry


class _MembershipFile:
    """Groups, and who is in them, by keys of members. SQLite keeps it on disk and removes it."""

    def __init__(self, depth: int, most: int) -> None:
        self._depth, self._most = depth, most
        self._file = sqlite3.connect("", isolation_level=None)  # "": a temporary file
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "PRAGMA cache_size = -8192",
            "CREATE TABLE groups (id INTEGER PRIMARY KEY, key TEXT UNIQUE, name TEXT, dn TEXT)",
            "CREATE TABLE members (member TEXT, group_id INTEGER, PRIMARY KEY (member, group_id))"
            " WITHOUT ROWID",
        ):
            self._file.execute(statement)
        self._above = lru_cache(maxsize=4096)(self._parents)

    def __enter__(self) -> _MembershipFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def fill(self, connection: Connection, groups: GroupReader) -> None:
        kinds: list[str] = [kind for kind in groups.sources if kind != MEMBER_OF]
        if MEMBER_OF in groups.sources:
            kinds += list(MEMBER_ATTRIBUTES)
        attributes = ["cn", "memberUid", "gidNumber", MEMBER_OF, *MEMBER_ATTRIBUTES.values()]
        self._file.execute("BEGIN")
        for entry in pages(
            connection,
            groups.base,
            any_of(f"(objectClass={kind})" for kind in kinds),
            attributes,
            page_size=min(_GROUPS_AT_ONCE, groups.page_size),
            seconds=_SECONDS,
            whole=True,
        ):
            self._add(entry, groups)
        self._file.execute("COMMIT")

    def of(self, keys: Sequence[str], named: Sequence[str]) -> list[Group]:
        """The groups of who has these keys, or names these groups itself, with all above.

        Raises GroupsNotWhole, as a sign-in does.
        """
        found: dict[int, None] = {}
        level = [group for key in keys for group in self._above(key)]
        level += [group for dn in named for group in self._known(dn)]
        for above in range(self._depth + 2 if self._depth else 1):
            fresh = [group for group in dict.fromkeys(level) if group not in found]
            if fresh and above > self._depth:
                raise GroupsTooDeep
            found.update(dict.fromkeys(fresh))
            if len(found) > self._most:
                raise TooManyGroups
            level = [above for group in fresh for above in self._above(f"group {group}")]
            if not level:
                break
        return [self._group(number) for number in found]

    def _add(self, entry: Entry, groups: GroupReader) -> None:
        group = group_of(entry)
        number = self._number(entry.dn)
        self._file.execute(
            "UPDATE groups SET name = ?, dn = ? WHERE id = ?", (group.name, entry.dn, number)
        )
        members = [
            _dn(dn)
            for kind, attribute in MEMBER_ATTRIBUTES.items()
            if kind in groups.sources
            for dn in entry.texts(attribute)
        ]
        if POSIX_GROUP in groups.sources:
            members += [_uid(uid) for uid in entry.texts("memberUid")]
            members += [_gid(each) for each in entry.texts("gidNumber")]
        statement = "INSERT OR IGNORE INTO members VALUES (?, ?)"
        self._file.executemany(statement, ((member, number) for member in members))
        if MEMBER_OF in groups.sources:
            above = [self._number(dn) for dn in entry.texts(MEMBER_OF) if is_below(dn, groups.base)]
            own = _dn(entry.dn)
            self._file.executemany(statement, ((own, each) for each in above))

    def _number(self, dn: str) -> int:
        key = _dn(dn)
        self._file.execute("INSERT OR IGNORE INTO groups (key) VALUES (?)", (key,))
        row = self._file.execute("SELECT id FROM groups WHERE key = ?", (key,)).fetchone()
        number: int = row[0]
        return number

    def _parents(self, key: str) -> tuple[int, ...]:
        if key.startswith("group "):
            row = self._file.execute("SELECT key FROM groups WHERE id = ?", (key[6:],)).fetchone()
            key = row[0]
        rows = self._file.execute(
            "SELECT group_id FROM members JOIN groups ON id = group_id"
            " WHERE member = ? AND dn IS NOT NULL ORDER BY group_id",
            (key,),
        )
        return tuple(number for (number,) in rows)

    def _known(self, dn: str) -> tuple[int, ...]:
        rows = self._file.execute(
            "SELECT id FROM groups WHERE key = ? AND dn IS NOT NULL", (_dn(dn),)
        )
        return tuple(number for (number,) in rows)

    def _group(self, number: int) -> Group:
        name, dn = self._file.execute(
            "SELECT name, dn FROM groups WHERE id = ?", (number,)
        ).fetchone()
        return Group(name, dn)


def _dn(dn: str) -> str:
    return "dn " + dn_key(dn)


def _uid(uid: str) -> str:
    return "uid " + uid


def _gid(number: str) -> str:
    return "gid " + number
