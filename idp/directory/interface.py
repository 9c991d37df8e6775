"""What every directory can do, whatever stands behind it: a database, LDAP, Active Directory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from idp.directory.person import Person
from idp.errors import IdpError


class DirectoryUnavailable(IdpError):
    """A directory did not answer, so nothing can be said about the person; access is not granted.

    The name is written by the directory that raises it, for the log; pages show only the message.
    `word` is for the audit row.
    """

    status = 503

    def __init__(self, directory: str, reason: str, word: str = "directory_unavailable") -> None:
        super().__init__(
            f"The directory {directory} does not answer: {reason}.",
            "Try again in a minute; if it stays so, tell your administrators.",
        )
        self.directory = directory
        self.word = word


class PersonUnavailable(DirectoryUnavailable):
    """A directory answers, and says nothing usable of one person, to whom access is not granted.

    Other than with a directory that is away, the attempt counts as one: waiting changes nothing.
    """


@dataclass(frozen=True, slots=True)
class Authentication:
    """What a directory said to a user name and a password.

    `person` is set if and only if both were right and the person may sign in. Otherwise `reason`
    is a word for the audit row ("unknown_user", "wrong_password", "disabled", "no_password"; other
    directories add theirs, such as "expired"). No page may tell the reasons apart.
    """

    person: Person | None
    reason: str = ""


MayTry = Callable[[str], bool]


def always(_directory_id: str) -> bool:
    """Whoever it is may try a password."""
    return True


class Directory(Protocol):
    """A place where people live. `name` is its configured name, unique among the directories."""

    @property
    def name(self) -> str:
        """The name that stands in `Person.directory`, in audit rows and in role rules."""
        ...

    def authenticate(
        self, username: str, password: str, may_try: MayTry = always
    ) -> Authentication:
        """Check a password, with the same work for an unknown user as for a wrong password.

        `username` and `password` are any text that a person may type. A directory where somebody
        has several names asks `may_try` once, before it looks at the password, with the identifier
        of whom the name belongs to, "" for nobody. If it says no, the password is not tried, and
        the answer is "throttled", after the same work. Raises DirectoryUnavailable.
        """
        ...

    def find(self, directory_id: str) -> Person | None:
        """The person as they are now; None if gone or disabled. Raises DirectoryUnavailable."""
        ...

    def find_by_name(self, username: str) -> Person | None:
        """The same by user name, in any spelling that signs the person in."""
        ...
