"""Who holds which name: the rows of `claimed_names`, read, made and released."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from idp.db.insert import insert_if_absent
from idp.db.models import ClaimedNameRow, PersonRow
from idp.errors import IdpError

LONGEST_NAME = 320  # characters after case folding; the longest e-mail address

NameKind = Literal["role_session_name", "source_identity", "name_id"]
NAME_KINDS: dict[NameKind, str] = {
    "role_session_name": "RoleSessionName",
    "source_identity": "SourceIdentity",
    "name_id": "NameID",
}
_ADVICE: dict[NameKind, str] = {
    "role_session_name": "make aws.role_session_name differ for each person",
    "source_identity": "make aws.source_identity differ for each person",
    "name_id": 'set aws.name_id_format to "persistent"',
}


class NameTaken(IdpError):
    """Somebody else is known to AWS by this name already."""

    status = 409


class NameTooLong(IdpError):
    """The name has more characters than are kept of one."""


@dataclass(frozen=True, slots=True)
class HeldName:
    """A name, case-folded, and the person who holds it, as "directory/username"."""

    kind: NameKind
    name: str
    person_id: str
    person: str
    claimed_at: datetime


def name_key(kind: NameKind, name: str) -> str:
    """The form in which names are compared. Raises NameTooLong."""
    key = name.casefold()
    if len(key) > LONGEST_NAME:
        raise NameTooLong(
            f"The {NAME_KINDS[kind]} {name[:40]!r}... has {len(key)} characters; up to "
            f"{LONGEST_NAME} are kept.",
            "Give the person a shorter one in the directory.",
        )
    return key


def taken(kind: NameKind, name: str) -> NameTaken:
    """The refusal of a name that is another person's."""
    # The dashes are for a name that begins with one: it would be taken for an option.
    command = f"idp user release-name --kind {kind} -- {shlex.quote(name)}"
    return NameTaken(
        f"The {NAME_KINDS[kind]} {name!r} already belongs to another person, "
        "and CloudTrail could not tell the two apart.",
        f"An administrator must {_ADVICE[kind]}, or, if the holder is gone, run: {command}",
    )


def holder_of(session: Session, kind: NameKind, key: str) -> str | None:
    """The id of the person who holds a name, None if nobody does."""
    return session.scalar(
        select(ClaimedNameRow.person_id).where(
            ClaimedNameRow.kind == kind, ClaimedNameRow.name_key == key
        )
    )


def hold(session: Session, kind: NameKind, key: str, person_id: str, now: datetime) -> str:
    """Give a name to a person unless somebody has it; the id of whoever holds it then.

    Of two at once the first gets it. `session` must be a writing one.
    """
    # Again if it was released after the insert had found it taken.
    while (holder := holder_of(session, kind, key)) is None:
        insert_if_absent(
            session, ClaimedNameRow, kind=kind, name_key=key, person_id=person_id, claimed_at=now
        )
    return holder


def holders(session: Session, name: str, kinds: Sequence[NameKind]) -> list[HeldName]:
    """Who holds `name`, whatever its case, as each of `kinds`."""
    return _held(session, ClaimedNameRow.name_key == name.casefold(), kinds)


def owners(session: Session, kind: NameKind) -> dict[str, tuple[tuple[str, str], str]]:
    """All names of a kind, case-folded: whose each is, as directory and identifier there.

    With that comes the person as "directory/username", for sentences.
    """
    rows = session.execute(
        select(
            ClaimedNameRow.name_key,
            PersonRow.directory,
            PersonRow.directory_id,
            PersonRow.username,
        )
        .join(PersonRow, PersonRow.id == ClaimedNameRow.person_id)
        .where(ClaimedNameRow.kind == kind)
    )
    return {
        name: ((directory, identifier), f"{directory}/{username}")
        for name, directory, identifier, username in rows
    }


def names_of(session: Session, directory: str, directory_id: str) -> list[HeldName]:
    """The names that a person of a directory holds, by kind and name."""
    here = (PersonRow.directory == directory) & (PersonRow.directory_id == directory_id)
    return _held(session, here, tuple(NAME_KINDS))


def release(session: Session, held: HeldName) -> bool:
    """Take a name from the person who holds it; False if they hold it no longer."""
    gone = session.scalars(
        delete(ClaimedNameRow)
        .where(
            ClaimedNameRow.kind == held.kind,
            ClaimedNameRow.name_key == held.name,
            ClaimedNameRow.person_id == held.person_id,
        )
        .returning(ClaimedNameRow.name_key)
    )
    return gone.one_or_none() is not None


def _held(
    session: Session, where: ColumnElement[bool], kinds: Sequence[NameKind]
) -> list[HeldName]:
    rows = session.execute(
        select(ClaimedNameRow, PersonRow)
        .join(PersonRow, PersonRow.id == ClaimedNameRow.person_id)
        .where(where, ClaimedNameRow.kind.in_(kinds))
        .order_by(ClaimedNameRow.kind, ClaimedNameRow.name_key)
    )
    by_text = {str(kind): kind for kind in NAME_KINDS}
    return [
        HeldName(
            by_text[claim.kind],
            claim.name_key,
            person.id,
            f"{person.directory}/{person.username}",
            claim.claimed_at,
        )
        for claim, person in rows
    ]
