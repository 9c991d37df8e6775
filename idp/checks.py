"""Everything that can be known to be wrong before the first person signs in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from idp.aws.destination import check_destination
from idp.aws.endpoints import DEFAULT, PARTITIONS, BadEndpoint, sign_in_endpoint
from idp.db import schema
from idp.db.engine import Database
from idp.directory.configured import local_directory
from idp.directory.kerberos.acceptor import require_library
from idp.directory.kerberos.keytab import require_service
from idp.directory.ldap.bind_password import BindPasswordUnusable, read_bind_password
from idp.entitlements.store import Entitlements
from idp.entitlements.template import Template
from idp.errors import IdpError
from idp.keys.custody import FILE, open_signer
from idp.keys.encryption_at_rest import NONE, key_file
from idp.keys.file_custody import at_rest, unknown_key_files
from idp.keys.store import active_key, all_keys, published_keys
from idp.settings import Settings
from idp.signin.negotiate import NoTicketDirectory
from idp.web.tls import require_usable_pair

EXPIRY_WARNING = timedelta(days=60)
LEFT_OVER_AFTER = timedelta(hours=1)  # a command that is at work needs no more


class Severity(StrEnum):
    """How bad a finding is."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    severity: Severity
    subject: str
    message: str
    advice: str = ""


def check_all(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Check the settings, then the database and what is in it."""
    yield from _transport(settings)
    yield from _aws_settings(settings)
    yield from _directories(settings)
    yield from _kerberos(settings)
    database = Database(settings.database_url, settings.database.pool_size)
    try:
        try:
            schema.require_current(database)
        except IdpError as problem:
            yield _bad("database", problem)
            return
        kind = "SQLite" if database.is_sqlite else "PostgreSQL"
        yield Finding(Severity.GOOD, "database", f"{kind}, schema up to date.")
        yield from _key(settings, database, now)
        yield from _encryption(settings, database)
        yield from _unknown_files(settings, database, now)
        yield from _entitlements(settings, database)
    finally:
        database.close()


def _bad(subject: str, problem: IdpError) -> Finding:
    return Finding(Severity.BAD, subject, problem.message, problem.advice)


def _transport(settings: Settings) -> Iterator[Finding]:
    server = settings.server
    if server.tls_certificate and server.tls_key:
        try:
            require_usable_pair(server.tls_certificate, server.tls_key)
        except IdpError as problem:
            yield _bad("tls", problem)
    loopback = server.host in ("127.0.0.1", "::1", "localhost")
    if server.secure and not server.tls_certificate and not server.trusted_proxies:
        yield Finding(
            Severity.WARNING,
            "server",
            "TLS ends at a proxy that is not trusted, so everybody seems to come from its address "
            "and shares one limit of failed sign-ins.",
            "Set server.trusted_proxies to the number of proxies in front, usually 1.",
        )
    elif server.secure:
        yield Finding(Severity.GOOD, "server", f"People reach {server.base_url} over TLS.")
    elif loopback:
        yield Finding(
            Severity.WARNING,
            "server",
            f"{server.base_url} is not TLS; that is good enough on this machine alone.",
            "For others, set server.base_url to an https address.",
        )
    else:
        yield Finding(
            Severity.BAD,
            "server",
            f"Passwords would cross the network in clear: {server.base_url} is not TLS.",
            "Put TLS in front and set server.base_url to its https address.",
        )


def _aws_settings(settings: Settings) -> Iterator[Finding]:
    aws = settings.aws
    for code in aws.endpoints:
        if code != DEFAULT and not any(_is_endpoint(name, code) for name in PARTITIONS):
            message = f"aws.endpoints names {code!r}, which is no AWS Region."
            yield Finding(Severity.BAD, "aws", message, 'Use "default" or a code like eu-west-1.')
    if len(aws.endpoints) == 1 and not aws.sandbox_url:
        yield Finding(
            Severity.WARNING,
            "aws",
            "There is one sign-in endpoint, so nobody gets in while that Region is down.",
            'Name two in aws.endpoints, and both in the trust policies: ["default", "eu-west-1"]',
        )
    try:
        if Template.parse(aws.role_session_name).is_literal:
            raise IdpError(
                f"aws.role_session_name is {aws.role_session_name!r} for everybody, and a session "
                "name belongs to one person.",
                'Name an attribute that differs for each person, like "{username}".',
            )
        if aws.source_identity and Template.parse(aws.source_identity).is_literal:
            raise IdpError(
                f"aws.source_identity is {aws.source_identity!r} for everybody.",
                'Name an attribute, like "{username}", or leave it empty.',
            )
        if aws.destination:
            check_destination(aws.destination, sandbox_url=aws.sandbox_url)
    except IdpError as problem:
        yield _bad("aws", problem)
    if aws.sandbox_url:
        message = f"People are sent to the sandbox at {aws.sandbox_url}, not to AWS."
        yield Finding(Severity.WARNING, "aws", message, "Leave aws.sandbox_url empty for AWS.")


def _directories(settings: Settings) -> Iterator[Finding]:
    """What can be said of directories without asking them; `idp directory check` asks."""
    for each in settings.directories:
        subject = f"directory {each.name}"
        if each.tls == "none" and each.kind != "local":
            yield Finding(
                Severity.WARNING,
                subject,
                "Passwords cross the network in clear between us and its servers.",
                'Set tls = "ldaps" or "starttls", and ca_file to the CA of the servers.',
            )
        if each.bind_dn:
            try:
                read_bind_password(each)
            except BindPasswordUnusable as problem:
                yield _bad(subject, problem)
        if each.kind != "local":
            yield Finding(
                Severity.GOOD,
                subject,
                f"To see whether it answers: idp directory check {each.name}",
            )


def _kerberos(settings: Settings) -> Iterator[Finding]:
    """Whether tickets could be opened; nothing is asked of a domain controller."""
    own = settings.kerberos
    if own.keytab is None:
        return
    kinds = {each.name: each.kind for each in settings.directories}
    try:
        if kinds.get(own.directory) != "active_directory":
            raise NoTicketDirectory(own.directory)
        require_library()
        require_service(own.keytab, settings.service_principal, own.realm)
    except IdpError as problem:
        yield _bad("kerberos", problem)
        return
    server = settings.server
    if server.secure and not server.tls_certificate and not server.trusted_proxies:
        yield Finding(
            Severity.BAD,
            "kerberos",
            "No browser is asked for a ticket: TLS ends at a proxy that is not trusted, so that "
            "neither the browser's network nor its channel is known.",
            "Set server.trusted_proxies to the number of proxies in front, usually 1.",
        )
        return
    yield Finding(
        Severity.GOOD,
        "kerberos",
        f"{own.keytab} has a key of {settings.service_principal}@{own.realm}; asked for a ticket "
        f"are browsers in {', '.join(own.networks)}.",
    )


def _is_endpoint(partition: str, code: str) -> bool:
    try:
        sign_in_endpoint(partition, code)
    except BadEndpoint:
        return False
    return True


def _key(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    try:
        with database.reading() as session:
            key = active_key(session)
        open_signer(key, settings)
    except IdpError as problem:
        yield _bad("signing key", problem)
        return
    left = key.certificate.not_valid_after_utc - now
    if left < EXPIRY_WARNING:
        yield Finding(
            Severity.WARNING,
            "signing key",
            f"The certificate of {key.id} ends in {max(left.days, 0)} days.",
            "AWS does not look at that, other service providers do: make a new key in time.",
        )
    else:
        yield Finding(
            Severity.GOOD, "signing key", f"{key.id}, RSA {key.bits}, for {left.days} more days."
        )


def _encryption(settings: Settings, database: Database) -> Iterator[Finding]:
    """Key files that a copy of the key folder would give away."""
    subject = "key encryption"
    if settings.keys.encryption == NONE:
        yield Finding(
            Severity.WARNING,
            subject,
            'Key files are written unencrypted: keys.encryption is "none".',
            'Set it to "file", "environment" or "kms", and run: idp certs encrypt',
        )
        return
    with database.reading() as session:
        files = [key for key in published_keys(session) if key.custody == FILE]
    try:
        plain = [key.id for key in files if at_rest(key).kind == NONE]
    except IdpError as problem:
        yield _bad(subject, problem)
        return
    if plain:
        yield Finding(
            Severity.WARNING,
            subject,
            f"The private key of {', '.join(plain)} is not encrypted.",
            "Run: idp certs encrypt",
        )
    elif files:
        kind = settings.keys.encryption
        yield Finding(Severity.GOOD, subject, f"Key files are encrypted ({kind}).")
    beside = key_file(settings)
    if settings.keys.encryption == "file" and beside.is_relative_to(
        settings.keys.folder.absolute()
    ):
        yield Finding(
            Severity.WARNING,
            subject,
            f"{beside} lies in the folder of the key files, so a copy of that gives both away.",
            "Move it, and set keys.encryption_key_file.",
        )


def _unknown_files(settings: Settings, database: Database, now: datetime) -> Iterator[Finding]:
    """Private keys that nobody knows of: a command was killed before it wrote its key down."""
    with database.reading() as session:
        known = [Path(key.locator) for key in all_keys(session)]
    found = unknown_key_files(settings.keys.folder.absolute(), known, now - LEFT_OVER_AFTER)
    if found:
        yield Finding(
            Severity.WARNING,
            "key files",
            f"{len(found)} of no key that is known here: {', '.join(map(str, found[:5]))}"
            + ", …" * (len(found) > 5)
            + ".",
            "A command that was killed leaves such. Remove them, unless another installation "
            "has them.",
        )


def _entitlements(settings: Settings, database: Database) -> Iterator[Finding]:
    try:
        ruleset = Entitlements(database).current()
    except IdpError as problem:
        yield _bad("role rules", problem)
        return
    if not ruleset.rules:
        yield Finding(
            Severity.WARNING,
            "role rules",
            "There are none, so nobody gets a role.",
            "Write a file and run: idp roles plan FILE",
        )
    else:
        yield Finding(Severity.GOOD, "role rules", f"{len(ruleset.rules)} in force.")
    if not any(each.kind == "local" for each in settings.directories):
        return
    if next(local_directory(settings, database).people(), None) is None:
        yield Finding(
            Severity.WARNING,
            "directory",
            "The local directory has nobody who can sign in.",
            "Run: idp user add NAME",
        )
    else:
        yield Finding(Severity.GOOD, "directory", "The local directory has people in it.")
