"""Signing in and out."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Blueprint, Response, make_response, redirect, render_template, session, url_for
from werkzeug.wrappers import Response as AnyResponse

from idp.audit.events import SessionEnded, actor
from idp.directory.interface import DirectoryUnavailable
from idp.signin.journey import SignInRefused, sign_in
from idp.signin.negotiate import Kerberos, TicketSignInRefused, sign_in_with_ticket
from idp.signin.sessions import SignedIn
from idp.signin.throttle import TooManyAttempts
from idp.web.fields import form_field, query_field
from idp.web.negotiate import (
    ask_for_ticket,
    has_signed_out,
    may_be_asked,
    prove_ourselves,
    shown_token,
    signed_out_cookie,
)
from idp.web.parts import parts
from idp.web.recording import sign_in_recorder
from idp.web.visitor import (
    browser_cookie,
    client,
    drop_cookie,
    origin,
    request_cookie,
    session_cookie,
    set_cookie,
    signed_in,
)

blueprint = Blueprint("sign_in", __name__)

_BROWSER_REMEMBERED = 400 * 24 * 3600  # seconds; the longest that browsers keep a cookie
_OWN_PAGE = re.compile(r"/(?:aws|preflight|for-admins/keys)?(?:\?[\x21-\x7e]*)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """What the form says about the last attempt."""

    heading: str
    text: str


@blueprint.get("/sign-in")
def page() -> AnyResponse | str:
    """The form; somebody who is signed in already goes on to where they wanted.

    Browsers that may hold a Kerberos ticket are asked for it along with the form, so that those
    with a ticket sign in without typing. Whoever signed out has to ask for that with ?network=1.
    """
    own = parts()
    wanted = _own_page(query_field("next", longest=4000))
    by_network = bool(query_field("network", longest=1))
    if signed_in():
        return redirect(wanted or url_for("portal.page"), 303)
    if (
        own.kerberos is None
        or not may_be_asked(own.kerberos, own.settings)
        or (has_signed_out(own.settings) and not by_network)
    ):
        return _form("", wanted, None)
    token = shown_token()
    if token is not None:
        return _sign_in_with_ticket(own.kerberos, token, wanted)
    return ask_for_ticket(make_response(_form("", wanted, None)))


@blueprint.post("/sign-in")
def submit() -> AnyResponse:
    """Check the password and open a session."""
    own = parts()
    username = form_field("username", longest=1000, verbatim=True)
    password = form_field("password", longest=10_000, verbatim=True)
    wanted = _own_page(form_field("next", longest=4000))
    where = origin()
    try:
        result = sign_in(
            username,
            password,
            address=where.address,
            browser=request_cookie(browser_cookie(own.settings)) or None,
            now=own.now(),
            directories=tuple(own.directories.values()),
            throttle=own.throttle,
            sessions=own.sessions,
            browser_tokens=own.browser_tokens,
            record=sign_in_recorder(own.audit, where),
            realms=own.realms,
        )
    except SignInRefused as refusal:
        return _refused(username, wanted, Problem("You are not signed in", str(refusal)), 401)
    except TooManyAttempts as refusal:
        problem = Problem("Too many attempts", str(refusal))
        response = _refused(username, wanted, problem, 429)
        response.headers["Retry-After"] = str(refusal.retry_after)
        return response
    onward = _let_in(result.token, result.signed_in, wanted)
    set_cookie(
        onward,
        browser_cookie(own.settings),
        result.browser_token,
        max_age=_BROWSER_REMEMBERED,
    )
    return onward


def _sign_in_with_ticket(kerberos: Kerberos, token: bytes, wanted: str) -> AnyResponse:
    """Open a session for the ticket's holder, or show the form without asking a second time.

    A page that another site opens can make a browser sign in here, as the person that sits before
    it and as nobody else: a ticket can't be lent to a stranger's browser as a password can.
    """
    own = parts()
    where = origin()
    try:
        result = sign_in_with_ticket(
            token,
            acceptor=kerberos.acceptor,
            directory=kerberos.directory,
            address=where.address,
            now=own.now(),
            sessions=own.sessions,
            record=sign_in_recorder(own.audit, where),
        )
    except TicketSignInRefused as refusal:
        return _refused("", wanted, Problem("You are not signed in", str(refusal)), 401)
    except DirectoryUnavailable as down:
        return _refused("", wanted, Problem("Not available at the moment", str(down)), 503)
    onward = _let_in(result.token, result.signed_in, wanted)
    prove_ourselves(onward, result.answer)
    return onward


def _let_in(token: str, person: SignedIn, wanted: str) -> AnyResponse:
    """On to the page that was wanted, with a new session in place of any old one."""
    settings = parts().settings
    _end_session("replaced")
    session.clear()  # a new form token too, so that nothing from before the sign-in lives on
    onward: AnyResponse = redirect(wanted or _first_page(person), 303)
    set_cookie(onward, session_cookie(settings), token)
    if has_signed_out(settings):
        drop_cookie(onward, signed_out_cookie(settings))
    return onward


@blueprint.post("/sign-out")
def sign_out() -> str | AnyResponse:
    """End the session on the server and in the browser."""
    own = parts()
    _end_session("signed_out")
    session.clear()
    response = redirect(url_for("sign_in.signed_out"), 303)
    drop_cookie(response, session_cookie(own.settings))
    if own.kerberos:
        set_cookie(response, signed_out_cookie(own.settings), "1")
    return response


def _end_session(reason: str) -> None:
    """End the session of this browser's cookie, if there is one, and record why."""
    own = parts()
    token = request_cookie(session_cookie(own.settings))
    found = own.sessions.find(token, own.now()) if token else None
    if found:
        own.sessions.end(token)
        event = SessionEnded(
            actor=actor(found.person), session=found.token_hash[:12], reason=reason
        )
        own.audit.record(event, origin())


@blueprint.get("/signed-out")
def signed_out() -> str:
    """Says what signing out here does, and what it does not."""
    return render_template("signed_out.html")


def _form(username: str, wanted: str, problem: Problem | None) -> str:
    own = parts()
    return render_template(
        "sign_in.html",
        username=username,
        next=wanted,
        problem=problem,
        demo_people=own.demo_people,
        by_network=may_be_asked(own.kerberos, own.settings),
        password_pages=_password_pages(),
    )


def _password_pages() -> list[tuple[str, str]]:
    """Where passwords are changed: the directory's name and the address, each address once.

    They are shown to everybody, so that they say nothing about who is signing in.
    """
    found = {
        each.password_change_url: each.name
        for each in reversed(parts().settings.directories)
        if each.password_change_url
    }
    return [(name, url) for url, name in reversed(found.items())]


def _refused(username: str, wanted: str, problem: Problem, status: int) -> Response:
    shown = username if username.isprintable() and len(username) <= 128 else ""
    return make_response(_form(shown, wanted, problem), status)


def _first_page(person: SignedIn) -> str:
    """Straight to AWS for somebody with one role, or if AWS is to ask which; else the portal."""
    own = parts()
    grants = own.handover.grants_of(person, client())
    if len(grants.grants) == 1:
        return url_for("aws.deep_link", role=str(grants.grants[0].role))
    for partition, choosable in own.handover.choosable_at_aws(grants).items():
        if len(choosable) == len(grants.grants):
            return url_for("aws.deep_link", partition=partition)
    return url_for("portal.page")


def _own_page(path: str) -> str:
    """The page to go to after signing in: one of ours, never another site's."""
    root = url_for("portal.page")
    if not path.startswith(root):
        return ""
    inside = "/" + path.removeprefix(root)
    return path if _OWN_PAGE.fullmatch(inside) else ""
