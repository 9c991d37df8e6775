"""Reading a new password: from a terminal, a file or standard input, never from the arguments."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, BinaryIO

import click

from idp.directory.passwords import LONGEST_BYTES, BadPassword

Command = Callable[..., Any]


def password_options(command: Command) -> Command:
    """Add --password-file and --password-stdin to a command."""

    @click.option(
        "--password-file",
        type=click.File("rb"),
        help="Read the password from the first line of a file.",
    )
    @click.option(
        "--password-stdin", is_flag=True, help="Read the password from one line of standard input."
    )
    @wraps(command)
    def with_options(*arguments: Any, **named: Any) -> Any:
        return command(*arguments, **named)

    return with_options


def new_password(file: BinaryIO | None, from_stdin: bool) -> str:
    """The password; asked for twice if neither place is named. Raises BadPassword.

    Raises click.UsageError if there is no terminal to ask at.
    """
    if file is not None and from_stdin:
        raise click.UsageError("Give --password-file or --password-stdin, not both.")
    if file is not None:
        return _first_line(file)
    stdin = sys.stdin
    if from_stdin:
        return _first_line(stdin.buffer)
    if not stdin.isatty():
        raise click.UsageError(
            "There is no terminal to ask for a password: give --password-stdin or --password-file."
        )
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more")
    return password


def _first_line(stream: BinaryIO) -> str:
    line = stream.readline(LONGEST_BYTES + 3).rstrip(b"\r\n")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise BadPassword("The password is not UTF-8 text.", "Save it as UTF-8.") from None
