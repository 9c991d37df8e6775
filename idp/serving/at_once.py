"""Handing an answer to granian in one piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def answered_at_once(application: Wsgi) -> Callable[[dict[str, Any], Any], list[bytes]]:
    """The application, with each answer as a list.

    granian sends a list at once; for any other iterable it goes back and forth between a Python
    thread and one of its own for each piece. All our answers are small and made before they are
    sent.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        pieces = application(environ, start_response)
        try:
            return list(pieces)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    return answer
