"""Filling an empty identity provider with the demonstration's company."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from importlib.resources import files

from idp.db import schema
from idp.db.engine import Database
from idp.demo.accounts import ACCOUNTS
from idp.demo.people import PEOPLE
from idp.directory.configured import local_directory
from idp.directory.local import LocalDirectory
from idp.entitlements.account import Accounts
from idp.entitlements.rule import RoleRule
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.store import apply_rules, save_account, stored_accounts, stored_rules
from idp.keys.store import all_keys, generate_key
from idp.settings import Settings


def prepare_company(settings: Settings, now: datetime) -> None:
    """Bring the schema up to date, and add whatever of the company is not there yet.

    What somebody changed since the last start is left alone.
    """
    database = Database(settings.database_url)
    try:
        schema.upgrade(database)
        with database.writing() as session:
            if not all_keys(session):
                generate_key(session, settings, now=now)
            if not len(stored_accounts(session)):
                for account in ACCOUNTS:
                    save_account(session, account)
            if not stored_rules(session):
                rules = files("idp.demo").joinpath("roles.toml").read_bytes()
                directory = settings.directories[0].name.encode()
                rules = rules.replace(b'directory = "local"', b'directory = "%s"' % directory)
                parsed = parse_rules(rules, Accounts(ACCOUNTS))
                apply_rules(session, [_held(rule, settings) for rule in parsed])
        if any(each.kind == "local" for each in settings.directories):
            _add_people(local_directory(settings, database), now)
    finally:
        database.close()


def _held(rule: RoleRule, settings: Settings) -> RoleRule:
    """The rule held to the place of the groups, as `idp roles apply` would ask for in LDAP."""
    base = settings.directories[0].group_base_dn
    by_name = rule.groups or rule.group_pattern
    return replace(rule, group_base=(base,)) if base and by_name else rule


def _add_people(directory: LocalDirectory, now: datetime) -> None:
    known = {person.username for person in directory.people()}
    for person in PEOPLE:
        if person.username not in known:
            directory.add(
                person.username,
                display_name=person.display_name,
                email=person.email,
                groups=person.groups,
                attributes=person.attributes,
                password=person.password,
                now=now,
            )
