"""Options for what only a sign-in knows: the factors used, and where the person came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from idp.entitlements.facts import FACTORS, Circumstances, client_address
from idp.errors import IdpError

Command = TypeVar("Command", bound=Callable[..., Any])


class BadAddress(IdpError):
    """What was given as the address of a client is none."""


def circumstance_options(command: Command) -> Command:
    """The options --factor and --from-address, passed on as `factor` and `from_address`."""
    for option in (
        click.option(
            "--from-address",
            metavar="IP",
            help="Suppose that people come from there, for rules with networks.",
        ),
        click.option(
            "--factor",
            multiple=True,
            type=click.Choice(FACTORS),
            help="Suppose that people sign in with it, for rules with factors; can be repeated.",
        ),
    ):
        command = option(command)
    return command


def circumstances_of(factor: tuple[str, ...], from_address: str | None) -> Circumstances:
    """What the options say. Raises BadAddress."""
    if from_address is not None and client_address(from_address) is None:
        raise BadAddress(
            f"{from_address[:80]!r} is not an IP address.",
            "Write one like 10.1.2.3 or 2001:db8::1.",
        )
    return Circumstances(frozenset(factor) or None, from_address)
