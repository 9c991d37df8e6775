"""Security headers, in one place, as data."""

from __future__ import annotations

from flask import Flask, Response, g

from idp.settings import Settings

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
    g.form_targets = targets


def set_headers(app: Flask, settings: Settings) -> None:
    """Put the headers on every answer."""
    fixed = _EVERY_ANSWER | (_OVER_TLS if settings.server.secure else {})

    @app.after_request
    def _add(response: Response) -> Response:
        response.headers.update(fixed)
        targets: tuple[str, ...] = g.get("form_targets", ("'self'",))
        response.headers["Content-Security-Policy"] = content_security_policy(targets)
        response.headers["X-Request-ID"] = g.request_id
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "no-store"
        return response
