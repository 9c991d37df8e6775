"""What every command needs: the settings, and a database of the right schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from idp.db import schema
from idp.db.engine import Database
from idp.settings import Settings, load_settings

if TYPE_CHECKING:
    from idp.directory.configured import Directories


def settings_from(context: click.Context) -> Settings:
    """The settings of this call, read once. Raises SettingsError."""
    root = context.find_root()
    root.ensure_object(dict)
    if "settings" not in root.obj:
        root.obj["settings"] = load_settings(root.params.get("config"))
    settings: Settings = root.obj["settings"]
    return settings


def open_database(context: click.Context, *, any_schema: bool = False) -> Database:
    """The database, opened once and closed when the command ends.

    Raises SchemaOutOfDate unless its schema is this version's, or `any_schema` is set.
    """
    settings = settings_from(context)
    root = context.find_root()
    if "database" not in root.obj:
        root.obj["database"] = Database(settings.database_url, settings.database.pool_size)
        root.call_on_close(root.obj["database"].close)
    database: Database = root.obj["database"]
    if not any_schema:
        schema.require_current(database)
    return database


def directories_of(context: click.Context) -> Directories:
    """All directories of the settings, closed when the command ends."""
    from idp.directory.configured import open_directories  # few commands need any of it

    settings, database = settings_from(context), open_database(context)
    root = context.find_root()
    if "directories" not in root.obj:
        opened = open_directories(settings, database)
        root.obj["directories"] = opened
        root.call_on_close(opened.close)
    directories: Directories = root.obj["directories"]
    return directories
