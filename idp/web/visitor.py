"""Who is asking: the cookie, the session behind it, and where the request came from."""

from __future__ import annotations

from flask import g, request
from werkzeug.wrappers import Response

from idp.audit.log import Origin
from idp.settings import Settings
from idp.signin.sessions import SignedIn
from idp.web.parts import parts


def session_cookie(settings: Settings) -> str:
    """The session cookie's name; over TLS the prefix makes browsers hold it to this host."""
    return "__Host-idp-session" if settings.server.secure else "idp-session"


def browser_cookie(settings: Settings) -> str:
    """The name of the cookie by which a browser is known to have signed somebody in before."""
    return "__Host-idp-browser" if settings.server.secure else "idp-browser"


def wanted_page() -> str | None:
    """The address asked for, to come back to after signing in; None for the bare portal."""
    here = request.full_path.rstrip("?")
    return request.script_root + here if here != "/" else None


def client() -> str | None:
    """The IP address that asks, as the trusted proxies tell it; None if nobody knows."""
    return request.remote_addr or None


def origin() -> Origin:
    """Where this request came from, for the audit trail."""
    return Origin(client() or "", g.request_id)


def signed_in() -> SignedIn | None:
    """The person behind the session cookie, with groups as fresh as the settings ask.

    Raises DirectoryUnavailable if they had to be read again and could not.
    """
    own = parts()
    token = request_cookie(session_cookie(own.settings))
    if not token:
        return None
    now = own.now()
    found = own.sessions.find(token, now)
    if found is None:
        return None
    fresh: SignedIn | None = found
    if own.sessions.is_stale(found, now):
        fresh = own.sessions.refresh(found, own.directories.values(), now)
    g.person = fresh.person if fresh else None
    return fresh


def set_cookie(response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
    """A cookie that scripts can't read and other sites can't send along with a POST."""
    response.set_cookie(
        name,
        value,
        max_age=max_age,
        path="/",
        secure=parts().settings.server.secure,
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(response: Response, name: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(
        name, path="/", secure=parts().settings.server.secure, httponly=True, samesite="Lax"
    )


def request_cookie(name: str) -> str:
    """A cookie of this request, "" if there is none."""
    return request.cookies.get(name, "")
