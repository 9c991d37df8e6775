"""Where a person lands in the console: RelayState, held to AWS's console hosts.

Source: AWS Security Blog, "How to use SAML to automatically direct federated users to a specific
AWS Management Console page".
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from idp.aws.endpoints import PARTITIONS
from idp.errors import IdpError

LONGEST = 2000

_HOST_LABEL = r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*"
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class BadDestination(IdpError):
    """A destination that is no page of the AWS console."""


def check_destination(url: str, *, partition: str | None = None, sandbox_url: str = "") -> str:
    """Give `url` back if it is a console page of the partition (of any, if None).

    Allowed are https on console.aws.amazon.com and its subdomains (and their counterparts in
    China and GovCloud) without user name or port, and the sandbox. Raises BadDestination.
    """
    wanted = "It should be like https://eu-west-1.console.aws.amazon.com/s3/home."
    if not _VISIBLE.fullmatch(url) or "\\" in url or len(url) > LONGEST:
        raise BadDestination(
            f"The destination is not an address of up to {LONGEST} characters without spaces.",
            wanted,
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadDestination("The destination is not an address.", wanted) from None
    if sandbox_url and (url == sandbox_url or url.startswith(sandbox_url + "/")):
        return url
    names = [partition] if partition else list(PARTITIONS)
    domains = "|".join(re.escape(PARTITIONS[name].console_domain) for name in names)
    host_fits = re.fullmatch(f"{_HOST_LABEL}(?:{domains})", parts.hostname or "")
    plain = parts.scheme == "https" and port is None and "@" not in parts.netloc
    if not plain or not host_fits or parts.netloc.endswith(":"):
        raise BadDestination("The destination is not a page of the AWS console.", wanted)
    return url
