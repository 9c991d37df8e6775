"""A company of any size, loaded straight into the tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, insert, text

from idp.aws.endpoints import sign_in_endpoint
from idp.db import schema
from idp.db.engine import Database
from idp.db.models import (
    Base,
    ClaimedNameRow,
    LocalMembershipRow,
    LocalUserRow,
    NameIdRow,
    PersonRow,
    SessionRow,
)
from idp.directory.passwords import Passwords
from idp.directory.person import Group, Person
from idp.directory.person_json import person_to_json
from idp.entitlements.account import Account
from idp.entitlements.rule import RoleRule
from idp.entitlements.store import apply_rules, save_account
from idp.settings import Settings
from tests.bench.past import write_past
from tests.bench.size import Size, username
from tests.making import generate_key

PASSWORD = "correct horse battery staple"
ROLES_EACH = 5
TAGS = {
    "Department": "{department}",
    "CostCenter": "{cost_center}",
    **{f"Tag{number}": f"a fixed value {number}" for number in range(1, 9)},
}
_BATCH = 10_000


def fill(database: Database, settings: Settings, size: Size, now: datetime) -> None:
    """Make the schema, a key, accounts, rules, people and the audit trail of past sign-ins."""
    schema.upgrade(database)
    with database.writing() as session:
        generate_key(session, settings, now=now, days=30)
        for number in range(size.accounts):
            save_account(session, _account(number))
        apply_rules(session, [_rule(number, size) for number in range(size.rules)])
        connection = session.connection()
        stored = Passwords(settings.sign_in).hash(PASSWORD)  # one for all, or it takes an hour
        numbers = range(size.users)
        _load(connection, LocalUserRow, (_user(number, stored, now) for number in numbers))
        _load(connection, LocalMembershipRow, _memberships(size))
        if size.audit_rows:
            _load(connection, PersonRow, (_person_row(number, now) for number in numbers))
            _load(connection, ClaimedNameRow, (_session_name(number, now) for number in numbers))
            _load(connection, NameIdRow, (_name_id(number) for number in numbers))
            _load(connection, SessionRow, (_session(number, size, now) for number in numbers))
            write_past(database.direct.joining(session), size, now)
    with database.engine.connect() as connection:
        settled = connection.execution_options(isolation_level="AUTOCOMMIT")
        if database.is_sqlite:
            settled.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        else:
            settled.execute(text("VACUUM ANALYZE"))


def chosen_people(count: int, size: Size) -> list[int]:
    """As many people as sign in, spread over all."""
    return [index * size.users // count for index in range(count)]


def role_of(number: int, size: Size) -> str:
    """The ARN of the first of a person's roles."""
    rule = _rule_numbers(number, size)[0]
    return f"arn:aws:iam::{_account(rule % size.accounts).number}:role/{_role_name(rule)}"


def _account(number: int) -> Account:
    return Account(f"{100_000_000_000 + number}", f"account-{number}", "aws", "ExampleIdP")


def _role_name(rule: int) -> str:
    return f"Role{rule:05}"


def _rule(number: int, size: Size) -> RoleRule:
    return RoleRule(
        name=f"rule-{number:05}",
        groups=(_group(number),),
        roles=(_role_name(number),),
        accounts=(f"account-{number % size.accounts}",),
        duration=3600,
        tags=TAGS,
        transitive=("Department", "CostCenter"),
    )


def _group(rule: int) -> str:
    return f"team-{rule:05}"


def _rule_numbers(number: int, size: Size) -> list[int]:
    return [(number * ROLES_EACH + index) % size.rules for index in range(ROLES_EACH)]


def _attributes(number: int) -> dict[str, list[str]]:
    return {"department": [f"Department {number % 40}"], "cost_center": [f"{number % 900}"]}


def _id(kind: str, number: int) -> str:
    """32 hex digits as random as a UUID's, so that the indexes are as scattered as in real life."""
    return hashlib.md5(f"{kind} {number}".encode(), usedforsecurity=False).hexdigest()


def _user(number: int, password_hash: str, now: datetime) -> dict[str, Any]:
    return {
        "id": _id("user", number),
        "username": username(number),
        "username_key": username(number),
        "display_name": f"Person {number}",
        "email": f"{username(number)}@corp.example",
        "password_hash": password_hash,
        "attributes": _attributes(number),
        "created_at": now,
    }


def _memberships(size: Size) -> Iterator[dict[str, Any]]:
    for number in range(size.users):
        for rule in _rule_numbers(number, size):
            yield {"user_id": _id("user", number), "group_name": _group(rule)}


def _person_row(number: int, now: datetime) -> dict[str, Any]:
    return {
        "id": _id("person", number),
        "directory": "local",
        "directory_id": _id("user", number),
        "username": username(number),
        "first_seen_at": now,
    }


def _session_name(number: int, now: datetime) -> dict[str, Any]:
    return {
        "kind": "role_session_name",
        "name_key": username(number),
        "person_id": _id("person", number),
        "claimed_at": now,
    }


def _name_id(number: int) -> dict[str, Any]:
    return {
        "person_id": _id("person", number),
        "service_provider": sign_in_endpoint("aws").audience,
        "value": _id("name", number) + "00000000",
    }


def _session(number: int, size: Size, now: datetime) -> dict[str, Any]:
    person = Person(
        directory="local",
        directory_id=_id("user", number),
        username=username(number),
        display_name=f"Person {number}",
        email=f"{username(number)}@corp.example",
        groups=tuple(Group(_group(rule)) for rule in _rule_numbers(number, size)),
        attributes={name: tuple(values) for name, values in _attributes(number).items()},
    )
    return {
        "token_hash": hashlib.sha256(_id("token", number).encode()).hexdigest(),
        "person_id": _id("person", number),
        "person": person_to_json(person),
        "refreshed_at": now,
        "authenticated_at": now,
        "last_seen_at": now,
        "expires_at": now + timedelta(hours=10),
        "factors": ["password"],
        "address": "192.0.2.1",
    }


def _load(connection: Connection, table: type[Base], rows: Iterable[Mapping[str, Any]]) -> None:
    remaining = iter(rows)
    while batch := list(islice(remaining, _BATCH)):
        connection.execute(insert(table), batch)
