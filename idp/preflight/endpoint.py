"""Which of AWS's sign-in endpoints a response is meant for."""

from __future__ import annotations

import re

from idp.aws.endpoints import DEFAULT, PARTITIONS, BadEndpoint, sign_in_endpoint

_ACS = re.compile(r"(?P<origin>https?://.+?)/saml(?:/acs/(?P<provider_id>[A-Z0-9]{22,64}))?")


def find_endpoint(recipient: str, partition: str, sandbox_url: str = "") -> str:
    """The endpoint that `recipient` names, if it is one of the partition; else its default one.

    With `sandbox_url` the sandbox's counterparts count as well. Regional and provider-specific
    URLs are known too.
    """
    if _is_endpoint(recipient, partition, ""):
        return recipient
    if sandbox_url and _is_endpoint(recipient, partition, sandbox_url):
        return recipient
    return sign_in_endpoint(partition).acs


def _is_endpoint(url: str, partition: str, sandbox_url: str) -> bool:
    found = _ACS.fullmatch(url)
    if not found:
        return False
    if sandbox_url:
        code = found["origin"].removeprefix(sandbox_url).removeprefix("/")
    else:
        host = PARTITIONS[partition].sign_in_host
        code = found["origin"].removeprefix("https://").removesuffix(host).removesuffix(".")
    try:
        endpoint = sign_in_endpoint(
            partition,
            code or DEFAULT,
            provider_id=found["provider_id"],
            sandbox_url=sandbox_url,
        )
    except BadEndpoint:
        return False
    return endpoint.acs == url
