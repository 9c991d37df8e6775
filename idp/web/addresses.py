"""The addresses of our own pages, as templates ask for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flask import Flask, request


def remembered_addresses(app: Flask) -> Callable[..., str]:
    """Flask's url_for for templates, which ask for the same few addresses on every page.

    Endpoints must be named in full.
    """

    @lru_cache(maxsize=256)
    def found(_root: str, endpoint: str, values: tuple[tuple[str, Any], ...]) -> str:
        return app.url_for(endpoint, **dict(values))

    def url_for(endpoint: str, **values: str | None) -> str:
        return found(request.script_root, endpoint, tuple(values.items()))

    return url_for
