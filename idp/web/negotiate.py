"""The browser's side of Kerberos: HTTP Negotiate (RFC 4559), offered once and never in a loop."""

from __future__ import annotations

import base64
import binascii
import ipaddress

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from idp.directory.kerberos.acceptor import LONGEST_TOKEN
from idp.settings import Settings
from idp.settings.kerberos import Network
from idp.signin.negotiate import Kerberos
from idp.web.visitor import request_cookie

_SCHEME = "Negotiate"
_LONGEST_HEADER = LONGEST_TOKEN * 4 // 3 + 100


def signed_out_cookie(settings: Settings) -> str:
    """The name of the cookie that remembers a sign-out, so that no ticket undoes it at once."""
    return "__Host-idp-signed-out" if settings.server.secure else "idp-signed-out"


def may_be_asked(kerberos: Kerberos | None, settings: Settings) -> bool:
    """Whether this request may be asked for a ticket, and one that it brings be looked at.

    Only in the networks of the settings, only over the channel that the settings promise (RFC 4559
    section 6: whoever reads the session's cookie has the session), and only for a page of its own:
    not for a picture or a frame that another site shows. Behind a proxy that is not trusted neither
    network nor channel is known, so nobody is asked.
    """
    return (
        kerberos is not None
        and _is_within(request.remote_addr or "", kerberos.networks)
        and (request.is_secure or not settings.server.secure)
        and request.headers.get("Sec-Fetch-Dest", "document") == "document"
    )


def has_signed_out(settings: Settings) -> bool:
    """Whether the person signed out of this browser and has not signed in since."""
    return bool(request_cookie(signed_out_cookie(settings)))


def shown_token() -> bytes | None:
    """The token that the request brings: None without one, empty if it can't be read."""
    values = request.headers.getlist("Authorization")
    if not values or values[0].partition(" ")[0].lower() != _SCHEME.lower():
        return None
    if len(values) > 1 or len(values[0]) > _LONGEST_HEADER:
        return b""
    try:
        return base64.b64decode(values[0].partition(" ")[2].strip(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def ask_for_ticket(response: Response) -> Response:
    """Make a page the answer 401 that asks for a ticket; browsers without one show the page."""
    response.status_code = 401
    response.headers["WWW-Authenticate"] = _SCHEME
    return response


def prove_ourselves(response: AnyResponse, answer: bytes) -> None:
    """Give the browser the proof that it wants of the service (RFC 4559 section 4.1)."""
    if answer:
        response.headers["WWW-Authenticate"] = f"{_SCHEME} {base64.b64encode(answer).decode()}"


def _is_within(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in networks)
