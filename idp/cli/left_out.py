"""Telling who is not among the people that a command looks at, though nobody disabled them."""

from __future__ import annotations

from collections import Counter

import click

from idp.entitlements.plan_words import printable

_SHOWN = 10


class LeftOutPeople:
    """Counts them by reason, and keeps the first few names. Called with an entry and a word."""

    def __init__(self) -> None:
        self.reasons: Counter[str] = Counter()
        self._shown: list[str] = []

    def __call__(self, entry: str, reason: str) -> None:
        """Note one of them."""
        self.reasons[reason] += 1
        if len(self._shown) < _SHOWN:
            self._shown.append(f"{reason}: {entry}")

    def tell(self) -> None:
        """Write to the terminal's error output how many there are, and who; nothing if none."""
        count = self.reasons.total()
        if not count:
            return
        click.echo(f"Left out, for they can't sign in: {count}", err=True)
        for line in self._shown:
            click.echo(printable(f"  {line}"), err=True)
        if count > len(self._shown):
            click.echo(f"  and {count - len(self._shown)} more", err=True)
