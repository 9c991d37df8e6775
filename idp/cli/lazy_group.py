"""A group whose commands are imported when they are called, so that each starts at once."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """Finds commands by name in `lazy`: "module:attribute" within idp.cli."""

    def __init__(self, *arguments: Any, lazy: dict[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in alphabetical order."""
        return sorted([*super().list_commands(ctx), *self._lazy])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command `name`."""
        if name not in self._lazy:
            return super().get_command(ctx, name)
        module, _, attribute = self._lazy[name].partition(":")
        command: click.Command = getattr(import_module(f"idp.cli.{module}"), attribute)
        return command
