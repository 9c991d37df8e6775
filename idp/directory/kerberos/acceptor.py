"""Accepting the tickets that browsers send: GSS-API with SPNEGO (RFC 4178), by MIT Kerberos."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from idp.directory.kerberos.keytab import require_service
from idp.directory.kerberos.ticket import Ticket, parse_principal, sid_of_pac
from idp.errors import IdpError

LONGEST_TOKEN = 64 * 1024  # bytes; Windows holds tickets to 48,000 (MaxTokenSize)
_NTLM = b"NTLMSSP\0"
_PAC_NAMES = b"urn:mspac:upn-dns-info"
# What MIT Kerberos says, and the word for the audit row.
_REASONS = (
    ("replay", "kerberos_replayed"),
    ("clock skew", "kerberos_clock_skew"),
    ("ticket expired", "kerberos_ticket_expired"),
    ("not yet valid", "kerberos_clock_skew"),
    ("key table entry", "kerberos_wrong_service"),
    ("wrong principal", "kerberos_wrong_service"),
    ("cannot find key", "kerberos_wrong_service"),
    ("decrypt integrity", "kerberos_wrong_key"),
    ("unsupported mechanism", "kerberos_other_mechanism"),
)

log = logging.getLogger("idp.kerberos")


class KerberosUnusable(IdpError):
    """Kerberos is set up, and the library that it needs is not there."""

    status = 503


class TicketRefused(Exception):
    """A token that proves nothing; `reason` is the word for the audit row."""

    def __init__(self, reason: str, principal: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.principal = principal


class TicketAcceptor:
    """Opens tickets for one service with the key of its keytab.

    Each call reads the keytab, so a new one counts at once. Tokens that were used before are
    remembered in `replay_cache`, a file that the processes of this machine share.
    """

    def __init__(
        self, keytab: Path, service_principal: str, realm: str, replay_cache: Path
    ) -> None:
        """Raise KerberosUnusable or KeytabUnusable if no ticket could be opened."""
        require_library()
        require_service(keytab, service_principal, realm)
        self._service = f"{service_principal}@{realm}"
        self._realm = realm
        self._store = {"keytab": f"FILE:{keytab}", "rcache": f"file2:{replay_cache}"}

    def accept(self, token: bytes) -> tuple[Ticket, bytes]:
        """The ticket in a token, and the answer that proves us to the browser.

        Only Kerberos in one step: a ticket that our service's key opens, of a person of our realm,
        that was not shown before. Raises TicketRefused.
        """
        if token.startswith(_NTLM):
            raise TicketRefused("kerberos_ntlm")
        if not 0 < len(token) <= LONGEST_TOKEN:
            raise TicketRefused("kerberos_malformed")
        context, answer = self._opened(token)
        principal = str(context.initiator_name)
        if str(context.target_name).casefold() != self._service.casefold():
            raise TicketRefused("kerberos_wrong_service", principal)
        named = parse_principal(principal)
        if named is None:
            raise TicketRefused("kerberos_not_a_person", principal)
        name, realm = named
        if realm.upper() != self._realm:
            raise TicketRefused("kerberos_other_realm", principal)
        return Ticket(name, realm.upper(), _signed_sid(context)), answer

    def _opened(self, token: bytes) -> tuple[Any, bytes]:
        import gssapi

        try:
            # Without a name: no host name is looked up, and the ticket's own is checked after.
            credentials = gssapi.Credentials(usage="accept", store=self._store)
            context = gssapi.SecurityContext(creds=credentials, usage="accept")
            answer = context.step(token)
            # The library keeps an error for the next call where it has an answer for the browser.
            complete = context.complete
        except gssapi.exceptions.GSSError as problem:
            said = str(problem)
            log.warning("a Kerberos ticket was refused", extra={"reason": said})
            raise TicketRefused(_reason(said)) from None
        if not complete or context.mech != gssapi.MechType.kerberos:
            raise TicketRefused("kerberos_other_mechanism")
        return context, answer or b""


def require_library() -> None:
    """Raise KerberosUnusable unless python-gssapi and MIT Kerberos are there."""
    try:
        import gssapi  # noqa: F401
    except ImportError as problem:
        raise KerberosUnusable(
            f"Kerberos needs the Python package gssapi, which can't be loaded: {problem}.",
            "On Debian: apt install python3-gssapi, then make kerberos. See docs/kerberos.md.",
        ) from None


def _reason(said: str) -> str:
    lower = said.lower()
    return next((word for text, word in _REASONS if text in lower), "kerberos_malformed")


def _signed_sid(context: Any) -> str | None:
    """The SID that the domain controller signed; None where it or the library says nothing."""
    import gssapi

    try:
        found = context.initiator_name.attributes[_PAC_NAMES]
    except (gssapi.exceptions.GSSError, KeyError, NotImplementedError, AttributeError):
        return None
    values = list(found.values)
    return sid_of_pac(values[0]) if found.authenticated and values else None
