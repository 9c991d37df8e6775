"""Searching: filters that can't be broken out of, whole answers or none, page by page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import ldap3
from ldap3.utils.conv import escape_bytes, escape_filter_chars

from idp.directory.ldap.connection import Connection, required
from idp.directory.ldap.failure import Refused, Step

Scope = Literal["base", "one", "subtree"]

SIZE_LIMIT_EXCEEDED = 4
REFERRAL = 10
NO_SUCH_OBJECT = 32
ANYTHING = "(objectClass=*)"

_SCOPES = {"base": ldap3.BASE, "one": ldap3.LEVEL, "subtree": ldap3.SUBTREE}


class TooManyEntries(Exception):
    """More entries match than were asked for; `first` is one of them."""

    def __init__(self, first: Entry | None) -> None:
        super().__init__("more entries match than were asked for")
        self.first = first


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `values` maps lower-case attribute names to the values' bytes."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]]

    def raw(self, name: str) -> bytes | None:
        """The first value."""
        found = self.values.get(name.lower(), ())
        return found[0] if found else None

    def texts(self, name: str) -> tuple[str, ...]:
        """All values that are text in UTF-8."""
        found = []
        for value in self.values.get(name.lower(), ()):
            try:
                found.append(value.decode())
            except UnicodeDecodeError:
                continue
        return tuple(found)

    def text(self, name: str) -> str | None:
        """The first value that is text in UTF-8."""
        found = self.texts(name)
        return found[0] if found else None


def equals(attribute: str, value: str | bytes) -> str:
    """The filter (attribute=value), whatever is in `value` (RFC 4515 section 3)."""
    escaped = escape_bytes(value) if isinstance(value, bytes) else escape_filter_chars(value)
    return f"({attribute}={escaped})"


def any_of(filters: Iterable[str]) -> str:
    """A filter that matches where one of `filters` does. There has to be one."""
    given = list(dict.fromkeys(filters))
    return given[0] if len(given) == 1 else f"(|{''.join(given)})"


def all_of(filters: Iterable[str]) -> str:
    """A filter that matches where each of `filters` that is not empty does."""
    given = [each for each in dict.fromkeys(filters) if each]
    return given[0] if len(given) == 1 else f"(&{''.join(given)})"


def find(
    connection: Connection,
    base: str,
    filter_: str,
    attributes: Iterable[str],
    *,
    most: int,
    scope: Scope = "subtree",
) -> list[Entry]:
    """All entries that match, at most `most`; none if there is no entry `base`.

    Raises TooManyEntries; Refused for every answer that is not whole; ServerFailed.
    """
    found = connection.search(
        search_base=base,
        search_filter=filter_,
        search_scope=_SCOPES[scope],
        attributes=list(attributes),
        size_limit=most,
        time_limit=math.ceil(connection.seconds),
    )
    answer = connection.result()
    if answer.code == SIZE_LIMIT_EXCEEDED or len(found) > most:
        raise TooManyEntries(_entry(found[0]) if found else None)
    if answer.code == NO_SUCH_OBJECT:
        return []
    connection.require_healthy(Step.SEARCH, answer)
    required(answer)
    return [_entry(each) for each in found]


def pages(
    connection: Connection,
    base: str,
    filter_: str,
    attributes: Iterable[str],
    *,
    page_size: int,
    scope: Scope = "subtree",
    seconds: float | None = None,
    whole: bool = False,
) -> Iterator[Entry]:
    """All entries that match, however many, one page in memory at a time (RFC 2696).

    `seconds` is the time for each page. With `whole` a part of the tree that lies on another
    server is an error too. Raises Refused as soon as a page is not whole; whoever asked has to
    throw away what came before. Raises ServerFailed.
    """
    wanted = list(attributes)
    allowed = seconds or connection.seconds
    cookie: bytes | None = None
    while True:
        found = connection.search(
            seconds=allowed,
            search_base=base,
            search_filter=filter_,
            search_scope=_SCOPES[scope],
            attributes=wanted,
            paged_size=page_size,
            paged_cookie=cookie,
            time_limit=math.ceil(allowed),
        )
        answer = connection.result()
        if answer.code == NO_SUCH_OBJECT and cookie is None:
            return
        connection.require_healthy(Step.SEARCH, answer)
        required(answer)
        if whole and connection.references:
            elsewhere = f"a part below {base} lies at {connection.references[0]}"
            raise Refused(REFERRAL, "referral", elsewhere)
        cookie = connection.page_cookie()
        yield from map(_entry, found)
        if not cookie:
            return


def read(connection: Connection, dn: str, attributes: Iterable[str]) -> Entry | None:
    """The entry of that DN; None if there is none. Raises Refused, ServerFailed."""
    try:
        found = find(connection, dn, ANYTHING, attributes, most=1, scope="base")
    except Refused as refused:
        if refused.code == 34:  # invalidDNSyntax: nobody has such a name
            return None
        raise
    return found[0] if found else None


def _entry(found: dict[str, Any]) -> Entry:
    cut = next((name for name in found["raw_attributes"] if ";range=" in str(name).lower()), None)
    if cut is not None:  # as Active Directory gives long lists: a part of them
        raise Refused(SIZE_LIMIT_EXCEEDED, "a part of the values", f"{cut} of {found['dn']}")
    values = {
        str(name).lower(): tuple(
            value if isinstance(value, bytes) else bytes(value) for value in given
        )
        for name, given in found["raw_attributes"].items()
    }
    return Entry(str(found["dn"]), values)
