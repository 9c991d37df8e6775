"""Text from outside, made fit for a column, a terminal and a log."""

from __future__ import annotations


def printable(text: str, longest: int | None = None) -> str:
    """The text with everything that is invisible written as an escape, in `longest` characters."""
    shown = text[:longest]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown)
    return shown[:longest]
