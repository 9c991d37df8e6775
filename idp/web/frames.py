"""Pages of which only a few words change: rendered once, and filled in from then on."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import lru_cache

from flask import render_template, request
from markupsafe import escape

# Letters and digits pass through every kind of escaping unchanged.
_MARK = "mark" + secrets.token_hex(8)
_MARKS = re.compile(_MARK + "x([0-9]+)x")


def filled_page(template: str, fixed: Mapping[str, object], words: Mapping[str, str]) -> str:
    """What render_template would give for `fixed` and `words` together.

    The template may only show the `words`, as text or in attributes, and ask whether they are
    empty; `fixed` should have few different values, because a frame is kept for each.
    """
    there = tuple(name for name, word in words.items() if word)
    empty = tuple(name for name, word in words.items() if not word)
    frame = _frame(request.script_root, template, tuple(fixed.items()), there, empty)
    pieces = list(frame)
    for index in range(1, len(pieces), 2):
        pieces[index] = escape(words[pieces[index]])
    return "".join(pieces)


@lru_cache(maxsize=64)
def _frame(
    _root: str,  # of the addresses in the page
    template: str,
    fixed: tuple[tuple[str, object], ...],
    there: tuple[str, ...],
    empty: tuple[str, ...],
) -> tuple[str, ...]:
    """The page in pieces: markup, the name of a word, markup, …"""
    marks = {name: f"{_MARK}x{number}x" for number, name in enumerate(there)}
    context = {"person": None, **dict(fixed), **dict.fromkeys(empty, ""), **marks}
    page = render_template(template, **context)  # for nobody, as it will be shown to everybody
    pieces = _MARKS.split(page)
    pieces[1::2] = [there[int(number)] for number in pieces[1::2]]
    return tuple(pieces)
