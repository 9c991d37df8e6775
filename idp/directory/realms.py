"""Which directory a typed name belongs to: ann@corp.example and CORP\\ann say it themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from idp.directory.interface import Directory

D = TypeVar("D", bound=Directory)


def unqualified(name: str, realms: Iterable[str]) -> str | None:
    """The name without its realm, if that is one of `realms`; else None.

    `REALM\\name` and `name@REALM`, in any case; of several @ the last one counts.
    """
    known = {realm.casefold() for realm in realms}
    before, backslash, after = name.partition("\\")
    if backslash and before.casefold() in known:
        return after
    before, at, after = name.rpartition("@")
    if at and after.casefold() in known:
        return before
    return None


class Realms:
    """The realms of all directories; `by_directory` maps directory names to theirs."""

    def __init__(self, by_directory: Mapping[str, Sequence[str]] | None = None) -> None:
        self._by_directory = dict(by_directory or {})
        self._all = [realm for realms in self._by_directory.values() for realm in realms]

    def asked(self, name: str, directories: Sequence[D]) -> Sequence[D]:
        """The directories that a name goes to: one if it names a realm, else all in order."""
        for directory in directories:
            if unqualified(name, self._by_directory.get(directory.name, ())) is not None:
                return (directory,)
        return directories

    def bare(self, name: str) -> str:
        """The name without its realm, so that all spellings of a name are counted as one."""
        return unqualified(name, self._all) or name
