"""The directories that the settings name, each made by its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from idp.db.engine import Database
from idp.directory.interface import Directory
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.directory.person import Person
from idp.directory.realms import Realms
from idp.directory.seen import CheckedStep, LeftOut, Seen, untold
from idp.errors import IdpError
from idp.settings import DirectorySettings, Settings
from idp.settings.directories import DirectoryKind


class ListedDirectory(Directory, Protocol):
    """A directory as the settings name it, with what administrators ask of it."""

    def people(self, left_out: LeftOut = untold) -> Iterator[Person]:
        """All people who could sign in now, in constant memory. Raises DirectoryUnavailable.

        Who is not disabled and can't be read as a whole is left out, and `left_out` is told.
        """
        ...

    def see(self, username: str) -> Seen | None:
        """What we see of somebody, disabled or not. Raises DirectoryUnavailable."""
        ...

    def check(self) -> Iterator[CheckedStep]:
        """Ask it something, step by step, and say how each step went."""
        ...

    def close(self) -> None:
        """Close what is open towards its servers."""
        ...


class NoSuchDirectory(IdpError):
    """No directory of that name, or of that kind, is in the settings."""

    status = 404


Maker = Callable[[DirectorySettings, Settings, Database], ListedDirectory]


def _local(own: DirectorySettings, settings: Settings, database: Database) -> LocalDirectory:
    return LocalDirectory(database, Passwords(settings.sign_in), own.name, own.realms)


# Both are imported only where they are used: ldap3 and dnspython take long to import, and most
# commands need neither.
def _ldap(own: DirectorySettings, _settings: Settings, _database: Database) -> ListedDirectory:
    from idp.directory.ldap.openldap import LdapDirectory

    return LdapDirectory(own)


def _active_directory(
    own: DirectorySettings, _settings: Settings, _database: Database
) -> ListedDirectory:
    from idp.directory.active_directory.directory import ActiveDirectory

    return ActiveDirectory(own)


_MAKERS: Mapping[DirectoryKind, Maker] = {
    "local": _local,
    "ldap": _ldap,
    "active_directory": _active_directory,
}


@dataclass(frozen=True, slots=True)
class Directories:
    """All directories by name, in the order in which they are asked."""

    by_name: Mapping[str, ListedDirectory]
    realms: Realms

    def find_by_name(self, username: str) -> Person | None:
        """The first person of that name, or the one of the realm that it names.

        Raises DirectoryUnavailable: nobody knows whether an earlier directory has the name.
        """
        for directory in self.realms.asked(username, tuple(self.by_name.values())):
            person = directory.find_by_name(username)
            if person is not None:
                return person
        return None

    def people(self, left_out: LeftOut = untold) -> Iterator[Person]:
        """Everybody, directory by directory. Raises DirectoryUnavailable."""
        for directory in self.by_name.values():
            yield from directory.people(left_out)

    def named(self, name: str) -> ListedDirectory:
        """One of them. Raises NoSuchDirectory."""
        if name not in self.by_name:
            raise NoSuchDirectory(
                f"There is no directory {name!r}.", f"There are: {', '.join(self.by_name)}."
            )
        return self.by_name[name]

    def close(self) -> None:
        """Close what is open towards all servers."""
        for directory in self.by_name.values():
            directory.close()


def open_directories(settings: Settings, database: Database) -> Directories:
    """Every directory of the settings. Nothing is asked of any server yet.

    Raises IdpError for settings that can't be used.
    """
    made = {each.name: _made(each, settings, database) for each in settings.directories}
    realms = Realms({each.name: each.realms for each in settings.directories})
    return Directories(made, realms)


def local_directory(settings: Settings, database: Database) -> LocalDirectory:
    """The directory that is our own database. Raises NoSuchDirectory."""
    for each in settings.directories:
        if each.kind == "local":
            return cast(LocalDirectory, _made(each, settings, database))
    raise NoSuchDirectory(
        "None of the directories is our own database.",
        'Add one with kind = "local", or change people where they live.',
    )


def _made(own: DirectorySettings, settings: Settings, database: Database) -> ListedDirectory:
    maker = _MAKERS.get(own.kind)
    if maker is None:
        raise NoSuchDirectory(f"Directories of the kind {own.kind} can't be used yet.")
    return maker(own, settings, database)
