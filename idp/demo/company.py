"""Filling an empty identity provider with the demonstration's company."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files

from idp.db import schema
from idp.db.engine import Database
from idp.demo.accounts import ACCOUNTS
from idp.demo.people import PEOPLE
from idp.directory.configured import local_directory
from idp.directory.local import LocalDirectory
from idp.entitlements.account import Accounts
from idp.entitlements.rules_file import parse_rules
from idp.entitlements.store import apply_rules, save_account, stored_accounts, stored_rules
from idp.keys.new_key import generated_key
from idp.keys.store import all_keys
from idp.settings import DirectorySettings, Settings


def prepare_company(settings: Settings, now: datetime) -> None:
    """Bring the schema up to date, and add whatever of the company is not there yet.

    What somebody changed since the last start is left alone.
    """
    database = Database(settings.database_url)
    try:
        schema.upgrade(database)
        _add_key(settings, database, now)
        with database.writing() as session:
            if not len(stored_accounts(session)):
                for account in ACCOUNTS:
                    save_account(session, account)
            if not stored_rules(session):
                kinds = {each.name: each.kind for each in settings.directories}
                rules = parse_rules(_rules(settings.directories[0]), Accounts(ACCOUNTS), kinds)
                apply_rules(session, rules)
        if any(each.kind == "local" for each in settings.directories):
            _add_people(local_directory(settings, database), now)
    finally:
        database.close()


def _rules(directory: DirectorySettings) -> bytes:
    """The rules file, about the people of the demonstration's directory."""
    held = f'directory = "{directory.name}"'
    if directory.kind != "local":
        held += f'\ngroup_base = "ou=groups,{directory.base_dn}"'
    text = files("idp.demo").joinpath("roles.toml").read_text(encoding="utf-8")
    return text.replace('directory = "local"', held).encode()


def _add_key(settings: Settings, database: Database, now: datetime) -> None:
    with database.reading() as session:
        if all_keys(session):
            return
    with generated_key(database, settings, now=now) as new, database.writing() as session:
        if not all_keys(session):
            new.write_down(session)


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
