"""Device tokens: a browser that has signed in as someone can show it later, without a table."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from idp.directory.usernames import username_key

_TOKEN = re.compile(r"(?P<id>[0-9a-f]{32})\.(?P<seal>[0-9a-f]{64})", re.ASCII)
_PURPOSE = b"idp browser token 1"


class BrowserTokens:
    """Seals tokens with HMAC-SHA-256 under `secret` (32 bytes or more, the same on every node).

    A token holds a random id and a seal over that id and one user name, so that it says nothing
    about the user to those who find it, and counts for no other user (OWASP, "Slow Down Online
    Guessing Attacks with Device Cookies").
    """

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 32:
            raise ValueError("the secret of browser tokens has less than 32 bytes")
        self._secret = secret

    def issue(self, username: str) -> str:
        """A token for a browser in which `username` has just signed in."""
        browser_id = secrets.token_hex(16)
        return f"{browser_id}.{self._seal(browser_id, username)}"

    def recognise(self, token: str | None, username: str) -> str | None:
        """The browser's id, if `token` was issued here for `username`; else None."""
        match = _TOKEN.fullmatch(token or "")
        if not match or not hmac.compare_digest(match["seal"], self._seal(match["id"], username)):
            return None
        return match["id"]

    def _seal(self, browser_id: str, username: str) -> str:
        key = username_key(username).encode("utf-8", "surrogatepass")
        sealed = b"\0".join((_PURPOSE, browser_id.encode(), key))
        return hmac.new(self._secret, sealed, hashlib.sha256).hexdigest()
