"""Which accounts a command means, how it reaches them, and how it is stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, current_thread, main_thread
from types import FrameType
from typing import Any, TypeVar

import click

from idp.aws.iam import Reach, check_api_endpoint
from idp.cli.seconds import Seconds
from idp.entitlements.account import Account, Accounts
from idp.errors import IdpError
from idp.rotation.distribution import WORKERS
from idp.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])


class NoSuchSelection(IdpError):
    """The command names accounts that it can't work on."""


def reach_options(command: Command) -> Command:
    """The options by which accounts are reached: --workers, --timeout and --endpoint-url."""
    for option in (
        click.option(
            "--endpoint-url", metavar="URL", help="The AWS API elsewhere, such as a sandbox."
        ),
        click.option(
            "--timeout",
            type=Seconds(1, 600),
            default=60,
            show_default=True,
            help="Seconds that one account may take, retries and all.",
        ),
        click.option(
            "--workers",
            type=click.IntRange(1, 32),
            default=WORKERS,
            show_default=True,
            help="Accounts worked on at the same time.",
        ),
    ):
        command = option(command)
    return command


def named_accounts(accounts: Accounts, names: Sequence[str], everything: bool) -> list[Account]:
    """The accounts meant, by alias and each once. Raises NoSuchSelection."""
    if names and everything:
        raise NoSuchSelection("Accounts are named and --all is given too.", "Give one of the two.")
    if not names and not everything:
        raise NoSuchSelection("No account is named.", "Name accounts, or give --all.")
    if not accounts:
        raise NoSuchSelection(
            "No account is registered.", "Add one: idp aws account add NUMBER --alias NAME"
        )
    if everything:
        return list(accounts)
    unknown = [name for name in names if accounts.find(name) is None]
    if unknown:
        shown = ", ".join(repr(name[:128]) for name in unknown[:10])
        raise NoSuchSelection(
            f"No account {shown} is registered.",
            "Nothing was done. See the registered ones with: idp aws account list",
        )
    wanted = {accounts.find(name) for name in names}
    return [account for account in accounts if account in wanted]


def reach_of(settings: Settings, endpoint_url: str | None, timeout: float) -> Reach:
    """Where the API is: at the address given, else at the sandbox of the settings, else at AWS.

    Raises BadApiEndpoint.
    """
    url = settings.aws.sandbox_url if endpoint_url is None else endpoint_url
    if url or endpoint_url is not None:
        url = check_api_endpoint(url)
    return Reach(url, connect=min(5, timeout), answer=min(10, timeout), total=timeout)


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """A function that says whether somebody has asked to stop, with Ctrl-C or SIGTERM.

    Being asked once lets what runs come to its end; the second time ends the program as usual.
    """
    asked = Event()
    before: dict[int, Any] = {}

    def ask(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, before[number])
        asked.set()
        os.write(2, b"\nStopping after the calls under way; Ctrl-C again leaves at once.\n")

    if current_thread() is main_thread():
        for number in map(int, (signal.SIGINT, signal.SIGTERM)):
            before[number] = signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def columns(accounts: Sequence[Account], terminal: bool) -> str:
    """A format for alias, number and the rest: aligned on a terminal, with tabs in a pipe."""
    width = max((len(account.alias) for account in accounts), default=0)
    return f"{{:<{width}}}  {{}}  {{:<12}} {{}}" if terminal else "{}\t{}\t{}\t{}"
