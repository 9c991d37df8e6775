"""Whose roles a command looks at: the people of all directories, or those of a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from sqlalchemy import func, select

from idp.cli.context import directories_of, settings_from
from idp.cli.progress import progress_bar
from idp.db.engine import Database
from idp.db.models import LocalUserRow
from idp.directory.ldap.attributes import attribute_map
from idp.directory.local import NoSuchUser
from idp.directory.person import Person
from idp.directory.person_json import BadPersonDocument, person_from_json
from idp.entitlements.directory_scope import DirectoryKind
from idp.entitlements.names import name_key
from idp.errors import IdpError
from idp.settings import Settings

STEP = "Comparing people"
LONGEST_LINE = 8 * 1024 * 1024  # bytes; thousands of groups fit in

Command = TypeVar("Command", bound=Callable[..., Any])

people_option = click.option(
    "--people",
    "people_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Look at the people of a file that `idp directory sync` wrote, not at the directories'.",
)


class BadPeopleFile(IdpError):
    """A file of people has a line that is none."""


def configured_directories(settings: Settings) -> dict[str, DirectoryKind]:
    """The directories by name, as rules may name them."""
    return {each.name: each.kind for each in settings.directories}


def attributes_read(settings: Settings) -> dict[str, frozenset[str]]:
    """What each LDAP server or Active Directory is asked for, by our names."""
    read = {}
    for each in settings.directories:
        if each.kind != "local":
            preset = "active_directory" if each.kind == "active_directory" else each.preset
            own = attribute_map(each.model_copy(update={"preset": preset}))
            read[each.name] = frozenset(own.others)
    return read


def everyone(context: click.Context, database: Database, file: Path | None) -> Iterator[Person]:
    """All people of the file, or all enabled ones of every directory; with progress.

    Raises BadPeopleFile, also half-way through the file, and DirectoryUnavailable.
    """
    people = people_of(file) if file else directories_of(context).people()
    total = _lines(file) if file else _total(context, database)
    with progress_bar() as progress:
        count = 0
        for count, person in enumerate(people, start=1):
            yield person
            if count % 100 == 0:
                progress(STEP, count, total)
        progress(STEP, count, total)


def person_named(context: click.Context, username: str, file: Path | None) -> Person:
    """The person of that user name. Raises NoSuchUser, BadPeopleFile, DirectoryUnavailable."""
    if file is None:
        person = directories_of(context).find_by_name(username)
        if person is None:
            raise NoSuchUser(
                f"No directory has an enabled user {username[:128]!r}.",
                "See what a directory says of them with: idp directory show NAME",
            )
        return person
    key = name_key(username)
    found = [each for each in people_of(file) if name_key(each.username) == key]
    if len(found) == 1:
        return found[0]
    if found:
        where = ", ".join(sorted({each.directory for each in found}))
        raise NoSuchUser(
            f"{len(found)} people in {file} have the user name {username[:128]!r}, "
            f"of the directories {where}.",
            "Give a file of one directory.",
        )
    raise NoSuchUser(
        f"There is no user {username[:128]!r} in {file}.", "User names compare whatever their case."
    )


def people_of(file: Path) -> Iterator[Person]:
    """The people of a file of JSON lines, in constant memory. Raises BadPeopleFile."""
    with file.open("rb") as lines:
        number = 0
        while line := lines.readline(LONGEST_LINE + 1):
            number += 1
            if line.strip():
                yield _read(line, number, file)


def _read(line: bytes, number: int, file: Path) -> Person:
    if len(line) > LONGEST_LINE:
        raise BadPeopleFile(f"{file} has a line {number} of more than {LONGEST_LINE:,} bytes.")
    try:
        document = json.loads(line)
        if isinstance(document, dict):
            document.pop("roles", None)  # those of the day when it was written
        return person_from_json(document)
    except BadPersonDocument as problem:
        reason = problem.message.removeprefix("The stored person can't be read: ").rstrip(".")
    except (ValueError, RecursionError):
        reason = "it is not JSON in UTF-8"
    raise BadPeopleFile(
        f"Line {number} of {file} is not a person: {reason}.",
        "Nothing was changed. Write the file anew with: idp directory sync",
    )


def _lines(file: Path) -> int:
    with file.open("rb") as opened:
        return sum(block.count(b"\n") for block in iter(lambda: opened.read(1 << 20), b""))


def _total(context: click.Context, database: Database) -> int | None:
    """How many people there are, if our own database is the only directory."""
    if any(each.kind != "local" for each in settings_from(context).directories):
        return None
    with database.reading() as session:
        return session.scalar(
            select(func.count()).select_from(LocalUserRow).where(LocalUserRow.disabled_at.is_(None))
        )
