"""Serving below a path, such as https://example.com/idp, whether or not a proxy cuts it off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def mounted_at(path: str, application: Wsgi) -> Wsgi:
    """The application with `path` (like "/idp", or "") as its root."""
    if not path:
        return application

    def mounted(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        inside = environ.get("PATH_INFO", "")
        if inside == path or inside.startswith(path + "/"):
            environ["PATH_INFO"] = inside.removeprefix(path) or "/"
        environ["SCRIPT_NAME"] = path
        return application(environ, start_response)

    return mounted
