"""Asking whether to go on."""

from __future__ import annotations

import sys

import click

from idp.errors import IdpError


class NotConfirmed(IdpError):
    """Nobody said yes."""


def confirm(question: str, yes: bool) -> None:
    """Return if `yes` is set, or somebody at the terminal says so. Raises NotConfirmed."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed("Nothing was done: nobody is here to say yes.", "Give --yes.")
    if not click.confirm(question, err=True):
        raise NotConfirmed("Nothing was done.")
