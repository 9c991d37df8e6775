"""The names by which a service provider knows a person, and the promise that they stay theirs."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from sqlalchemy import select

from idp.aws.limits import RefusedByAws, check_session_name, check_source_identity
from idp.db.engine import Database
from idp.db.insert import insert_if_absent
from idp.db.models import NameIdRow
from idp.directory.person import Person
from idp.entitlements.template import Template
from idp.errors import IdpError
from idp.saml.ids import new_id
from idp.saml.response import NAME_ID_FORMATS, NameId
from idp.settings import NameIdFormat
from idp.sso.claimed_names import NameKind, hold, holder_of, name_key, taken

REMEMBERED = 20_000
CLAIM_SECONDS = 10.0  # how long a process may not notice that a name was released

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class NoEmail(IdpError):
    """NameIDs are e-mail addresses by the settings, and the directory knows none."""

    status = 409


def session_name(template: str, person: Person) -> str:
    """The person's RoleSessionName from a template; a value is refused, never mended.

    Raises RefusedByAws naming the setting, MissingAttribute naming the attribute.
    """
    value = _parsed(template).render(person)
    try:
        check_session_name(value)
    except RefusedByAws as refusal:
        raise _blaming(refusal, "aws.role_session_name", template, person) from None
    return value


def source_identity(template: str, person: Person) -> str | None:
    """The person's SourceIdentity from a template, None if that is empty.

    Raises as session_name does.
    """
    if not template:
        return None
    value = _parsed(template).render(person)
    try:
        check_source_identity(value)
    except RefusedByAws as refusal:
        raise _blaming(refusal, "aws.source_identity", template, person) from None
    return value


@lru_cache(maxsize=16)
def _parsed(template: str) -> Template:
    return Template.parse(template)


def _blaming(refusal: RefusedByAws, setting: str, template: str, person: Person) -> RefusedByAws:
    return RefusedByAws(
        f"{refusal.message} It was made from {setting} = {template!r} for {person.username!r} "
        f"of directory {person.directory!r}.",
        "Correct the attribute in the directory, or name another one in the setting.",
    )


class KeptNames:
    """Names that are given once and kept: those that a person claims, and persistent NameIDs.

    A process remembers a claim for CLAIM_SECONDS by `clock` (monotonic seconds), and a persistent
    NameID, which never changes, as long as it lives. With `keep=False` nothing is written: who
    has no name yet gets one that is forgotten again.
    """

    def __init__(
        self,
        database: Database,
        *,
        keep: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._keep = keep
        self._clock = clock
        self._claimed: dict[tuple[NameKind, str], tuple[str, float]] = {}
        self._name_ids: dict[tuple[str, str], str] = {}

    def claim(self, kind: NameKind, name: str, person_id: str, now: datetime) -> None:
        """Make sure that `name`, whatever its case, is this person's and nobody else's.

        The first to use a name keeps it until an administrator releases it. A refusal is always
        the database's answer, never memory's. Raises NameTaken, NameTooLong.
        """
        key = name_key(kind, name)
        holder, until = self._claimed.get((kind, key), ("", 0.0))
        asked_at = self._clock()
        if holder == person_id and asked_at < until:
            return
        if self._find_or_claim(kind, key, person_id, now) != person_id:
            raise taken(kind, name)
        _remember(self._claimed, (kind, key), (person_id, asked_at + CLAIM_SECONDS))

    def _find_or_claim(self, kind: NameKind, key: str, person_id: str, now: datetime) -> str:
        with self._database.reading() as session:
            holder = holder_of(session, kind, key)
        if holder is None and not self._keep:
            return person_id
        if holder is None:
            with self._database.writing() as session:
                holder = hold(session, kind, key, person_id, now)
        return holder

    def name_id(
        self,
        name_format: NameIdFormat,
        person: Person,
        person_id: str,
        audience: str,
        now: datetime,
    ) -> NameId:
        """The person's NameID at the service provider `audience`.

        A persistent one is random, made at first use, and another one at each service provider
        (SAML core 8.3.7). User names and e-mail addresses could be two people's, in two
        directories or one after the other, so they are claimed. Raises NoEmail, and as claim does.
        """
        uri = NAME_ID_FORMATS[name_format]
        if name_format == "transient":
            return NameId(new_id(), uri)
        if name_format == "unspecified":
            self.claim("name_id", person.username, person_id, now)
            return NameId(person.username, uri)
        if name_format == "emailAddress":
            if not person.email:
                raise NoEmail(
                    f"{person.username!r} has no e-mail address, and aws.name_id_format "
                    "asks for one.",
                    "Add it in the directory.",
                )
            self.claim("name_id", person.email, person_id, now)
            return NameId(person.email, uri)
        value = self._name_ids.get((person_id, audience))
        if value is None:
            value = self._find_or_make_name_id(person_id, audience)
            _remember(self._name_ids, (person_id, audience), value)
        return NameId(value, uri)

    def _find_or_make_name_id(self, person_id: str, audience: str) -> str:
        query = select(NameIdRow.value).where(
            NameIdRow.person_id == person_id, NameIdRow.service_provider == audience
        )
        with self._database.reading() as session:
            value = session.scalar(query)
        if value is None and not self._keep:
            return secrets.token_hex(20)
        if value is None:
            with self._database.writing() as session:
                insert_if_absent(
                    session,
                    NameIdRow,
                    person_id=person_id,
                    service_provider=audience,
                    value=secrets.token_hex(20),
                )
                value = session.scalars(query).one()
        return value


def _remember(memory: dict[_Key, _Value], key: _Key, value: _Value) -> None:
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
