"""A private key's passphrase: from a file, a variable or a prompt, never from the arguments."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from idp.cli.given_file import read_given
from idp.errors import IdpError

Command = Callable[..., Any]


class NoPassphrase(IdpError):
    """There is no passphrase where one was said to be."""


def passphrase_options(command: Command) -> Command:
    """Add --passphrase-file and --passphrase-env to a command."""

    @click.option(
        "--passphrase-file",
        type=click.Path(path_type=Path),
        help="Read the passphrase of the private key from the first line of a file.",
    )
    @click.option("--passphrase-env", metavar="NAME", help="Read it from an environment variable.")
    @wraps(command)
    def with_options(*arguments: Any, **named: Any) -> Any:
        return command(*arguments, **named)

    return with_options


def given_passphrase(file: Path | None, variable: str | None) -> bytes | None:
    """The passphrase; None if neither place is named. Raises NoPassphrase."""
    if file is not None and variable is not None:
        raise click.UsageError("Give --passphrase-file or --passphrase-env, not both.")
    if file is not None:
        found = read_given(file, "The passphrase file").removeprefix(b"\xef\xbb\xbf")
        passphrase = found.splitlines()[0] if found.splitlines() else b""
        place = str(file)
    elif variable is not None:
        passphrase, place = os.environb.get(variable.encode(), b""), f"${variable}"
    else:
        return None
    if not passphrase:
        raise NoPassphrase(f"There is no passphrase in {place}.", "Put it there.")
    return passphrase


def asked_passphrase() -> bytes | None:
    """The passphrase as somebody types it; None if there is no terminal to ask at."""
    if not sys.stdin.isatty():
        return None
    text: str = click.prompt("Passphrase of the private key", hide_input=True, err=True)
    return text.encode()
