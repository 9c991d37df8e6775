"""The names that people sign in with, as filters that find their entry."""

from __future__ import annotations

from collections.abc import Iterable

# Ordinary accounts of people and services; no computers and no trusts ([MS-ADTS] 2.2.19).
IS_PERSON = "(sAMAccountType=805306368)"


def filter_for(typed: str, realms: Iterable[str]) -> str | None:
    """The filter for a name as typed; None for one that nobody of this directory can have.

    - `ann` is an account name;
    - `CORP\\ann` is one, if CORP is among `realms` (NetBIOS and DNS names of the domain);
    - `ann@corp.example` is a user principal name, or, if corp.example is among `realms`, an account
      name, as Active Directory gives every account that name besides the one it has.
    """
    ours = {realm.casefold() for realm in realms}
    domain, backslash, account = typed.rpartition("\\")
    if backslash:
        return _account(account) if domain.casefold() in ours and account else None
    account, at, suffix = typed.rpartition("@")
    if not at:
        return _account(typed) if typed else None
    if not account or not suffix:
        return None
    by_principal = f"(userPrincipalName={escaped_text(typed)})"
    if suffix.casefold() in ours:
        return f"(|{by_principal}{_account(account)})"
    return by_principal


def filter_for_principal(name: str, realm: str, realms: Iterable[str]) -> str | None:
    """The filter for the holder of a Kerberos ticket, whose principal is `name`@`realm`."""
    if "@" in name:  # an enterprise name: the user principal name itself (RFC 6806 section 5)
        return filter_for(name, (*realms, realm))
    return filter_for(f"{name}@{realm}", (*realms, realm)) if name else None


def filter_for_guid(guid: bytes) -> str:
    """The filter for the one entry with this objectGUID."""
    return f"(objectGUID={escaped_bytes(guid)})"


def escaped_bytes(raw: bytes) -> str:
    """Bytes as a filter takes them (RFC 4515 section 3)."""
    return "".join(f"\\{byte:02x}" for byte in raw)


def _account(name: str) -> str:
    return f"(sAMAccountName={escaped_text(name)})"


def escaped_text(text: str) -> str:
    """Text as a filter takes it: all but ASCII letters and digits as escaped bytes of UTF-8."""
    return "".join(
        character
        if character.isascii() and character.isalnum()
        else escaped_bytes(character.encode())
        for character in text
    )
