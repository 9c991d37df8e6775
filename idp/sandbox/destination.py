"""Where RelayState may lead: pages of the AWS console."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_HOSTS = re.compile(
    r"([a-z0-9-]+\.)?console\.(aws\.amazon\.com|amazonaws\.cn|amazonaws-us-gov\.com)"
    r"|appstream2\.euc-sso\.[a-z0-9-]+\.aws\.amazon\.com"
)


def console_link(relay_state: str) -> str | None:
    """`relay_state` if it is an https address of the AWS console, else None."""
    if not relay_state.isprintable() or "\\" in relay_state or " " in relay_state:
        return None
    try:
        parts = urlsplit(relay_state)
        port = parts.port
    except ValueError:
        return None
    sound = parts.scheme == "https" and port is None and "@" not in parts.netloc
    return relay_state if sound and _HOSTS.fullmatch(parts.hostname or "") else None
