"""Walking the whole chain to an LDAP directory, step by step, up to the first that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from idp.directory.ldap.attributes import AttributeMap, UnusableEntry
from idp.directory.ldap.bind_password import BindPasswordUnusable, read_bind_password
from idp.directory.ldap.client import Client
from idp.directory.ldap.connection import Connection
from idp.directory.ldap.discovery import Discovery
from idp.directory.ldap.endpoint import Endpoint
from idp.directory.ldap.failure import Refused, ServerFailed, Step
from idp.directory.ldap.groups import MEMBER_OF
from idp.directory.ldap.search import REFERRAL, Entry, TooManyEntries, find, read
from idp.directory.ldap.tree import GroupsNotWhole, Membership
from idp.directory.seen import CheckedStep

_TO_CONNECT = (Step.RESOLVE, Step.CONNECT, Step.TLS)
_ADVICE_FOR_TLS = (
    ("self-signed certificate", "Set ca_file to the CA that signed the server's certificate."),
    ("unable to get local issuer", "Set ca_file to the CA that signed the server's certificate."),
    ("mismatch", "Name the server in servers as its certificate names it."),
    ("not valid for", "Name the server in servers as its certificate names it."),
    ("has expired", "Renew the server's certificate."),
    ("CA file", "Make it a PEM file that the identity provider can read."),
    ("no answer", "Something listens, but does not speak TLS: check the port and tls."),
    ("", "Check the port and tls: ldaps is usually at 636, starttls at 389."),
)
_ADVICE_FOR_OTHER_DOMAINS = (
    "If they are yours, name their domains in srv_domains. If not, somebody answers in place of "
    "your name service."
)
_ADVICE_FOR_REFERRALS = (
    "Set group_base_dn to a place that lies on this server as a whole: referrals are not followed."
)
_ADVICE = {
    Step.RESOLVE: "Check the name in servers, and the name service of this machine.",
    Step.CONNECT: "Check that the server runs, its port, and the firewalls on the way.",
    Step.BIND: "Check bind_dn and its password.",
    Step.SEARCH: "Check base_dn, and what the server lets the searching account read.",
}


class ReadsGroups(Protocol):
    """What finds the groups of an entry: below `base`, of the kinds `sources`."""

    @property
    def base(self) -> str:
        """The DN that groups are below."""
        ...

    @property
    def sources(self) -> tuple[str, ...]:
        """Object classes of groups, or memberOf."""
        ...

    def memberships(
        self, connection: Connection, person: Entry, username: str
    ) -> Sequence[Membership]:
        """The groups of an entry. Raises GroupsNotWhole, Refused, ServerFailed."""
        ...


def check_chain(
    client: Client, attributes: AttributeMap, base: str, groups: ReadsGroups
) -> Iterator[CheckedStep]:
    """Every step with every server. Nothing is changed, and no person's password is asked for."""
    settings = client.settings
    if settings.bind_dn:
        try:
            read_bind_password(settings)
        except BindPasswordUnusable as problem:
            yield CheckedStep("", "password", False, problem.message, problem.advice)
            return
    listed = client.listed()
    if settings.srv_record:
        refused = client.listed.refused if isinstance(client.listed, Discovery) else ""
        found = isinstance(client.listed, Discovery) and client.listed.problem
        good = bool(listed)
        message = f"{settings.srv_record} names {', '.join(map(str, listed))}" if good else found
        advice = "" if good else "Check srv_record, and the name service of this machine."
        if good or not refused:
            yield CheckedStep("", "discover", good, str(message), advice)
        if refused:
            yield CheckedStep("", "discover", False, refused, _ADVICE_FOR_OTHER_DOMAINS)
    for endpoint in listed:
        yield from _check_server(client, endpoint, attributes, base, groups)


def _check_server(
    client: Client, endpoint: Endpoint, attributes: AttributeMap, base: str, groups: ReadsGroups
) -> Iterator[CheckedStep]:
    server = str(endpoint)
    began = time.monotonic()
    try:
        with Connection(endpoint, client.transport) as connection:
            took = f"in {(time.monotonic() - began) * 1000:.0f} ms"
            yield CheckedStep(server, Step.RESOLVE, True, f"{endpoint.host} has an address")
            yield CheckedStep(server, Step.CONNECT, True, f"connected {took}")
            yield _tls_step(server, connection)
            client.bind_service(connection)
            who = client.settings.bind_dn or "nobody, anonymously"
            yield CheckedStep(server, Step.BIND, True, f"bound as {who}")
            yield from _check_content(server, connection, attributes, base, groups)
    except ServerFailed as failure:
        done = _TO_CONNECT[: _TO_CONNECT.index(failure.step)] if failure.step in _TO_CONNECT else ()
        for step in done:
            yield CheckedStep(server, step, True, "done")
        yield CheckedStep(server, failure.step, False, failure.reason, _advice(failure))
    except Refused as refused:
        yield CheckedStep(server, Step.SEARCH, False, str(refused), _ADVICE[Step.SEARCH])


def _tls_step(server: str, connection: Connection) -> CheckedStep:
    if connection.tls_version is None:
        return CheckedStep(server, Step.TLS, True, "none, as the settings ask: all is in clear")
    message = f"{connection.tls_version}, the certificate is good for {connection.endpoint.host}"
    return CheckedStep(server, Step.TLS, True, message)


def _check_content(
    server: str, connection: Connection, attributes: AttributeMap, base: str, groups: ReadsGroups
) -> Iterator[CheckedStep]:
    if read(connection, base, ["1.1"]) is None:
        message = f"there is no entry {base}, or the account may not see it"
        yield CheckedStep(server, Step.SEARCH, False, message, _ADVICE[Step.SEARCH])
        return
    person = _first(connection, base, attributes.user_filter, attributes.wanted())
    if person is None:
        message = f"nobody below {base} matches {attributes.user_filter}"
        advice = "Check user_base_dn, user_filter and preset, and what the account may read."
        yield CheckedStep(server, Step.SEARCH, False, message, advice)
        return
    try:
        name, identifier = attributes.user_name(person), attributes.directory_id(person)
    except UnusableEntry as problem:
        advice = "Check username_attribute, id_attribute and preset, and what the account may read."
        yield CheckedStep(server, Step.SEARCH, False, f"{person.dn}: {problem}", advice)
        return
    message = f"people are found, one is {name} ({attributes.id} {identifier})"
    yield CheckedStep(server, Step.SEARCH, True, message)
    yield _check_groups(server, connection, person, name, groups)


def _check_groups(
    server: str, connection: Connection, person: Entry, name: str, groups: ReadsGroups
) -> CheckedStep:
    if read(connection, groups.base, ["1.1"]) is None:
        message = f"there is no entry {groups.base}, or the account may not see it"
        return CheckedStep(server, "groups", False, message, "Check group_base_dn.")
    try:
        memberships = groups.memberships(connection, person, name)
    except GroupsNotWhole as problem:
        message = f"{name} can't sign in: {problem.reason}"
        advice = f"See all of them: idp directory show {name}"
        return CheckedStep(server, "groups", False, message, advice)
    except Refused as refused:
        if refused.code != REFERRAL:
            raise
        return CheckedStep(server, "groups", False, str(refused), _ADVICE_FOR_REFERRALS)
    if memberships:
        message = f"{name} is in {len(memberships)}, one is {memberships[0].group.name}"
        return CheckedStep(server, "groups", True, message)
    kinds = [kind for kind in groups.sources if kind != MEMBER_OF]
    if kinds:
        filter_ = "(|" + "".join(f"(objectClass={kind})" for kind in kinds) + ")"
        found = _first(connection, groups.base, filter_, ["cn"])
        if found is None:
            message = f"below {groups.base} is no {' or '.join(kinds)}"
            advice = "Check group_base_dn and groups_from, and what the account may read."
            return CheckedStep(server, "groups", False, message, advice)
        message = f"groups are found, one is {found.text('cn')}; {name} is in none"
        return CheckedStep(server, "groups", True, message)
    message = f"{name} has no {MEMBER_OF}; that is right if they are in no group"
    return CheckedStep(server, "groups", True, message)


def _first(connection: Connection, base: str, filter_: str, wanted: list[str]) -> Entry | None:
    """Some entry that matches."""
    try:
        found = find(connection, base, filter_, wanted, most=1)
    except TooManyEntries as several:
        return several.first
    return found[0] if found else None


def _advice(failure: ServerFailed) -> str:
    if failure.step is Step.TLS:
        return next(advice for part, advice in _ADVICE_FOR_TLS if part in failure.reason)
    if failure.step is Step.BIND and ("(8)" in failure.reason or "(13)" in failure.reason):
        return 'The server wants TLS: set tls = "ldaps" or "starttls".'
    return _ADVICE[failure.step]
