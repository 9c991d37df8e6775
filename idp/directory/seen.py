"""What an administrator may see of a directory: somebody in it, and whether it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idp.directory.person import Group, Person

# Is told of somebody whom a list leaves out, for they can't sign in: the entry, and a word for why.
LeftOut = Callable[[str, str], None]


def untold(_entry: str, _reason: str) -> None:
    """Nobody is told who is left out."""


@dataclass(frozen=True, slots=True)
class SeenGroup:
    """A group somebody is in. `path` are the groups that it is inherited by, the direct one first.

    It is empty for a direct membership.
    """

    group: Group
    path: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """All that we see of somebody. `entry` is where they are: a DN; empty in our own database.

    `reason` is the word for why they may not sign in now, if the directory says more than that.
    """

    person: Person
    disabled: bool
    groups: tuple[SeenGroup, ...]
    entry: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckedStep:
    """One step of asking a directory something.

    `server` is the one that was asked, "" for none; `step` a word such as "resolve", "connect",
    "tls", "bind", "search", "groups". If it failed, `advice` says what to do.
    """

    server: str
    step: str
    good: bool
    message: str
    advice: str = ""
