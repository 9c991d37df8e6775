"""Security headers, in one place, as data."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from flask import request

from idp.settings import Settings
from idp.web.mount import Wsgi

REQUEST_ID = "idp.request_id"  # in the WSGI environment
_FORM_TARGETS = "idp.form_targets"

_EVERY_ANSWER = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}


def content_security_policy(form_targets: tuple[str, ...] = ("'self'",)) -> str:
    """Our own styles, scripts and images, no inline code; forms go to `form_targets` alone."""
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        "connect-src 'self'; "
        f"base-uri 'none'; frame-ancestors 'none'; form-action {' '.join(form_targets)}"
    )


def let_forms_go_to(*targets: str) -> None:
    """Let the forms of the page that answers this request go to `targets` and nowhere else."""
    request.environ[_FORM_TARGETS] = targets


def guarded(application: Wsgi, settings: Settings) -> Wsgi:
    """The application with an identifier for each request, and the headers on every answer."""
    fixed = tuple((_EVERY_ANSWER | (_OVER_TLS if settings.server.secure else {})).items())

    @lru_cache(maxsize=64)
    def headers_for(targets: tuple[str, ...]) -> list[tuple[str, str]]:
        return [*fixed, ("Content-Security-Policy", content_security_policy(targets))]

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[REQUEST_ID] = secrets.token_hex(8)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            headers += headers_for(environ.get(_FORM_TARGETS, ("'self'",)))
            headers.append(("X-Request-ID", environ[REQUEST_ID]))
            if not any(name == "Cache-Control" for name, _ in headers):
                headers.append(("Cache-Control", "no-store"))
            return start_response(status, headers, *rest)

        return application(environ, start)

    return answer
