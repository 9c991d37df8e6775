"""The Principal of a trust policy held against one SAML provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = ("AWS", "Federated", "Service", "CanonicalUser")
# AWS knows a wildcard in a Principal only as the whole value, and no policy variables there.
_NO_PLAIN_NAME = ("*", "?", "${")


def unnamed(principal: Any, federated: str) -> tuple[str, bool]:
    """Why `principal` doesn't name the provider ARN `federated` (empty: it does), and whether
    it may still be meant, because the Principal can't be read or names everybody.
    """
    if principal is None:
        return "has no Principal.", True
    if principal == "*":
        return "", False
    if not isinstance(principal, Mapping):
        return "has a Principal that is neither an object nor *.", True
    named: dict[str, list[str]] = {}
    for kind, value in principal.items():
        if kind not in _KINDS:
            return f"has the Principal key {kind!r}, which is none of {', '.join(_KINDS)}.", True
        names = value if isinstance(value, list) else [value]
        if not names or not all(isinstance(name, str) and name for name in names):
            return f"has an unreadable Principal.{kind}.", True
        named[kind] = names
    everybody = "*" in named.get("AWS", [])
    for kind, names in named.items():
        for name in names:
            if any(sign in name for sign in _NO_PLAIN_NAME) and (kind, name) != ("AWS", "*"):
                return f"trusts {kind} {name}, which is no exact name.", True
    trusted = named.get("Federated", [])
    if federated in trusted:
        return "", False
    shown = ", ".join(trusted) or "no SAML provider"
    return f"trusts {shown}, not {federated}.", everybody or not named
