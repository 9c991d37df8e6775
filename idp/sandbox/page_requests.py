"""Tell what a web page sent from what an SDK or the CLI sent, by the headers that browsers add."""

from __future__ import annotations

from urllib.parse import urlsplit

from werkzeug.wrappers import Request

# Of the same site is not good enough: a page at another port of localhost is somebody else's.
_NOT_FROM_ELSEWHERE = ("", "none", "same-origin")


def own_origins(address: str) -> frozenset[str]:
    """The origins of the sandbox at `address`: its port, by each name of loopback."""
    port = urlsplit(address).port or 80
    ending = "" if port == 80 else f":{port}"
    return frozenset(f"http://{name}{ending}" for name in ("127.0.0.1", "localhost", "[::1]"))


def sent_by_another_page(request: Request, own: frozenset[str]) -> bool:
    """Whether a page of an origin that isn't among `own` made the browser send this.

    Goes by Origin (Fetch standard) and Sec-Fetch-Site (W3C Fetch Metadata). Pages can neither
    leave them out nor choose their values; SDKs and the CLI send neither.
    """
    origin = request.headers.get("Origin")
    if origin is not None and origin not in own:
        return True
    return request.headers.get("Sec-Fetch-Site", "") not in _NOT_FROM_ELSEWHERE
