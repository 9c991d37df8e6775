"""Every refusal as a page: what happened, what to do, and a reference for support."""

from __future__ import annotations

import logging

from flask import Flask, Response, g, make_response, render_template, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from idp.errors import IdpError
from idp.keys.signing_key import KeyUnusable
from idp.signin.throttle import TooManyAttempts

log = logging.getLogger("idp.web")

_HEADINGS = {
    400: "This request can't be used",
    401: "Sign in first",
    403: "This is not allowed",
    404: "There is no such page",
    405: "This page can't be used that way",
    409: "This can't be done now",
    413: "This is too large",
    415: "This kind of content is not taken",
    429: "Too many attempts",
    503: "Not available at the moment",
}
_SENTENCES = {
    404: ("The address may be mistyped or out of date.", "Start from your roles."),
    405: ("The page exists, but not for this kind of request.", "Start from your roles."),
    413: ("What was sent is larger than anything this page takes.", "Send less."),
}


def register(app: Flask) -> None:
    """Turn refusals and accidents into pages."""
    app.register_error_handler(IdpError, _refusal)
    app.register_error_handler(KeyUnusable, _key_refusal)
    for down in (OperationalError, InterfaceError, NoConnectionFree):
        app.register_error_handler(down, _database_down)
    app.register_error_handler(CSRFError, _stale_form)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _accident)


def error_page(status: int, heading: str, text: str, advice: str = "") -> Response:
    """One page for all of them."""
    page = render_template(
        "error.html",
        heading=heading,
        text=text,
        advice=advice,
        reference=g.request_id,
        action=("Go to your roles", url_for("portal.page")),
    )
    return make_response(page, status)


def _key_refusal(refusal: KeyUnusable) -> Response:
    """The page says nothing of where keys lie; the log does."""
    log.error("signing key unusable", extra={"reason": str(refusal)})
    return error_page(
        refusal.status,
        _HEADINGS[refusal.status],
        "The signing key can't be used just now, so nobody can be sent to AWS.",
        "Try again in a minute. The administrators find the reason in the log.",
    )


def _database_down(problem: SQLAlchemyError) -> Response:
    """The page says nothing of where the database lies; the log does, without the statement."""
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    reason = " ".join(str(cause).split())
    log.error("database unusable", extra={"reason": reason, "request_id": g.request_id})
    return error_page(
        503,
        _HEADINGS[503],
        "The database does not answer, so nobody can be signed in or sent to AWS.",
        "Try again in a minute. The administrators find the reason in the log.",
    )


def _refusal(refusal: IdpError) -> Response:
    heading = _HEADINGS.get(refusal.status, _HEADINGS[400])
    response = error_page(refusal.status, heading, refusal.message, refusal.advice)
    if isinstance(refusal, TooManyAttempts):
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


def _stale_form(_problem: CSRFError) -> Response:
    return error_page(
        400,
        "This page was open for too long",
        "The form could not be matched to your browser, so nothing was done.",
        "Go back, reload the page and try again. Cookies must be allowed for this site.",
    )


def _http(problem: HTTPException) -> AnyResponse:
    status = problem.code or 400
    if status < 400:
        return problem.get_response()
    text, advice = _SENTENCES.get(status, (problem.description or "It can't be read.", ""))
    return error_page(status, _HEADINGS.get(status, "This request can't be used"), text, advice)


def _accident(_problem: Exception) -> Response:
    log.exception("unexpected error", extra={"request_id": g.request_id})
    return error_page(
        500,
        "Something went wrong on our side",
        "Nothing was changed and nobody was signed in by this request.",
        "Try again. If it happens again, give the reference below to support.",
    )
