"""Handing a signed-in person over to AWS: from a session and a chosen role to a form that posts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.audit.events import AssertionIssued, AssertionRefused, actor
from idp.audit.log import AuditLog, Origin
from idp.aws.arn import RoleArn
from idp.aws.attributes import AwsSession, aws_attributes
from idp.aws.destination import check_destination
from idp.aws.endpoints import SignInEndpoint, in_order, sign_in_endpoint
from idp.aws.limits import ASSERTION_CHARACTERS, RefusedByAws
from idp.db.engine import Database
from idp.entitlements.evaluate import Grants
from idp.entitlements.facts import Circumstances
from idp.entitlements.grant import Grant
from idp.entitlements.remembered import RememberedGrants
from idp.entitlements.store import Entitlements
from idp.errors import IdpError
from idp.keys.ring import KeyRing, ReadyKey
from idp.keys.signing_key import SigningKey
from idp.saml.encryption import EncryptionKey
from idp.saml.response import SignedResponse, Statement, build_response
from idp.saml.signature import ALGORITHMS
from idp.settings import Settings
from idp.signin.sessions import SignedIn
from idp.sso.names import KeptNames, session_name, source_identity
from idp.sso.remembered_roles import remember_use

_BY_TICKET = "urn:oasis:names:tc:SAML:2.0:ac:classes:Kerberos"
_OVER_TLS = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
_WITHOUT_TLS = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"


NOTE_EVERY = timedelta(minutes=1)
MOST_NOTED = 10_000


class RoleNotGranted(IdpError):
    """A role was asked for that no rule gives to this person."""

    status = 403


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """What a person asked for: a role's ARN (None: all, for AWS's chooser), and where to land."""

    role: str | None
    partition: str | None = None
    destination: str = ""
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class PostForm:
    """The form that the browser posts to AWS (SAML bindings 3.5), and what its page shows."""

    acs: str
    saml_response: str
    relay_state: str
    grants: tuple[Grant, ...]
    endpoint: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """A signed response and what it was made of, neither recorded nor handed over yet."""

    grants: tuple[Grant, ...]
    endpoint: SignInEndpoint
    relay_state: str
    aws: AwsSession
    statement: Statement
    key: SigningKey
    response: SignedResponse

    @property
    def encrypted_to(self) -> str | None:
        """Fingerprint of the key that the assertion is encrypted to, None if it is in plain."""
        key = self.grants[0].encrypt_to
        return key.fingerprint if key else None


class Handover:
    """Makes assertions for AWS. One instance serves a process; it keeps no state of a person
    that another process would need.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        entitlements: Entitlements,
        keys: KeyRing,
        audit: AuditLog,
    ) -> None:
        self._settings = settings
        self._entitlements = entitlements
        self._keys = keys
        self._audit = audit
        self._names = KeptNames(database)
        self._algorithm = ALGORITHMS[settings.saml.digest]
        self._remembered = RememberedGrants()
        self._noted: dict[tuple[str, str], datetime] = {}

    def grants_of(self, signed_in: SignedIn, address: str | None) -> Grants:
        """What the person may assume now, asking from the IP address `address` (None: unknown)."""
        factors = frozenset(signed_in.factors) or None
        ruleset = self._entitlements.current(signed_in.rules_revision)
        return self._remembered.of(ruleset, signed_in.person, Circumstances(factors, address))

    def open_role(
        self,
        grants: Grants,
        signed_in: SignedIn,
        request: RoleRequest,
        origin: Origin,
        now: datetime,
    ) -> PostForm:
        """The whole way from a choice to a form: grant, names, assertion, signature, audit row.

        `grants` are what the person may assume now, evaluated for this very request.
        Raises RoleNotGranted, RefusedByAws, NameTaken and others of IdpError; then nothing
        was signed, and the refusal stands in the audit trail.
        """
        try:
            made = self.prepare(grants, signed_in, request, self._names, now)
        except IdpError as refusal:
            self._record_refusal(signed_in, request, refusal, origin)
            raise
        self._record_issue(signed_in, made, origin, now)
        return PostForm(
            made.endpoint.acs,
            made.response.form_value(),
            made.relay_state,
            made.grants,
            made.endpoint.code,
        )

    def prepare(
        self,
        grants: Grants,
        signed_in: SignedIn,
        request: RoleRequest,
        names: KeptNames,
        now: datetime,
    ) -> Prepared:
        """The way of open_role up to the signed response, recording nothing. Raises as it does."""
        chosen = self._chosen(grants, request)
        endpoint = self._endpoint(chosen, request)
        relay_state = self._relay_state(chosen[0].role.partition, request.destination)
        aws = self._aws_session(chosen, signed_in, names, now)
        statement = self._statement(aws, endpoint, signed_in, names, now)
        ready = self._keys.active()
        response = self._signed(statement, ready, chosen[0].encrypt_to)
        return Prepared(tuple(chosen), endpoint, relay_state, aws, statement, ready.key, response)

    def _chosen(self, grants: Grants, request: RoleRequest) -> Sequence[Grant]:
        if request.role is not None:
            for grant in grants.grants:
                if str(grant.role) == request.role:
                    return [grant]
            raise RoleNotGranted(
                "This role is not yours to take, or it does not exist.",
                f"Choose one in the portal, or ask {self._settings.aws.contact}.",
            )
        choosable = self.choosable_at_aws(grants)
        if request.partition not in choosable:
            raise RoleNotGranted(
                "AWS's own role chooser is not offered for this: it would need one set of session "
                "tags for all of your roles there.",
                f"Choose a role in the portal, or ask {self._settings.aws.contact}.",
            )
        return choosable[request.partition]

    def choosable_at_aws(self, grants: Grants) -> dict[str, list[Grant]]:
        """By partition, the grants that may go into one assertion for AWS's chooser.

        Tags and names hold for every role of an assertion, and a role must never come without
        those of its rule. So a partition is there only if all its grants have the same ones, and
        only if role_choice = "aws". What is encrypted is for one account's provider alone, so
        roles of an account with encryption are left out: they are opened one by one.
        """
        if self._settings.aws.role_choice != "aws":
            return {}
        by_partition: dict[str, list[Grant]] = {}
        for grant in grants.grants:
            if grant.encrypt_to is not None:
                continue
            by_partition.setdefault(grant.role.partition, []).append(grant)
        return {
            name: found
            for name, found in by_partition.items()
            if all(_said_of(grant) == _said_of(found[0]) for grant in found)
        }

    def endpoints_for(self, grant: Grant) -> list[SignInEndpoint]:
        """The sign-in endpoints that a role can be opened through, in the configured order."""
        aws = self._settings.aws
        partition = grant.role.partition
        return [
            sign_in_endpoint(
                partition, code, provider_id=grant.provider_id, sandbox_url=aws.sandbox_url
            )
            for code in in_order(aws.endpoints, partition)
        ]

    def _endpoint(self, grants: Sequence[Grant], request: RoleRequest) -> SignInEndpoint:
        """The endpoint asked for, or else the first of the configured ones.

        With several roles it is never a provider-specific one, which is of one account only;
        nor are they ever of an account that takes encrypted assertions.
        """
        aws = self._settings.aws
        partition = grants[0].role.partition
        order = in_order(aws.endpoints, partition)
        code = request.endpoint or order[0]
        # The portal offers one list of endpoints, and the role may be of another partition.
        if code in aws.endpoints and code not in order:
            code = order[0]
        one_account = len({grant.role.account for grant in grants}) == 1
        provider_id = grants[0].provider_id if one_account else None
        return sign_in_endpoint(
            partition, code, provider_id=provider_id, sandbox_url=aws.sandbox_url
        )

    def _relay_state(self, partition: str, destination: str) -> str:
        aws = self._settings.aws
        if destination:
            return check_destination(destination, partition=partition, sandbox_url=aws.sandbox_url)
        return aws.destination

    def _aws_session(
        self, grants: Sequence[Grant], signed_in: SignedIn, names: KeptNames, now: datetime
    ) -> AwsSession:
        aws, first = self._settings.aws, grants[0]
        name = first.session_name or session_name(aws.role_session_name, signed_in.person)
        identity = first.source_identity or source_identity(aws.source_identity, signed_in.person)
        names.claim("role_session_name", name, signed_in.person_id, now)
        if identity is not None:
            names.claim("source_identity", identity, signed_in.person_id, now)
        return AwsSession(
            roles=[(grant.role, grant.provider) for grant in grants],
            session_name=name,
            duration=min(grant.duration for grant in grants),
            source_identity=identity,
            tags=first.tags,
            transitive=first.transitive,
        )

    def _statement(
        self,
        aws: AwsSession,
        endpoint: SignInEndpoint,
        signed_in: SignedIn,
        names: KeptNames,
        now: datetime,
    ) -> Statement:
        saml = self._settings.saml
        session_index = hashlib.sha256(
            f"{signed_in.token_hash} {endpoint.audience}".encode()
        ).hexdigest()
        return Statement(
            issuer=self._settings.entity_id,
            recipient=endpoint.acs,
            audience=endpoint.audience,
            name_id=names.name_id(
                self._settings.aws.name_id_format,
                signed_in.person,
                signed_in.person_id,
                endpoint.audience,
                now,
            ),
            attributes=aws_attributes(aws),
            authn_instant=signed_in.authenticated_at,
            authn_context=self._authn_context(signed_in),
            session_index="_" + session_index[:40],
            issue_instant=now,
            lifetime=timedelta(seconds=saml.assertion_seconds),
            clock_skew=timedelta(seconds=saml.clock_skew_seconds),
        )

    def _authn_context(self, signed_in: SignedIn) -> str:
        if "kerberos" in signed_in.factors:
            return _BY_TICKET
        return _OVER_TLS if self._settings.server.secure else _WITHOUT_TLS

    def _signed(
        self, statement: Statement, ready: ReadyKey, encrypt_to: EncryptionKey | None
    ) -> SignedResponse:
        response = build_response(
            statement,
            ready.signer,
            self._algorithm,
            sign_response=self._settings.aws.sign_response,
            encrypt_to=encrypt_to,
        )
        if len(response.form_value()) > ASSERTION_CHARACTERS:
            raise RefusedByAws(
                f"The response would be longer than the {ASSERTION_CHARACTERS:,} characters that "
                "AWS takes: too many roles in one assertion.",
                'Set aws.role_choice = "portal", which sends one role at a time.',
            )
        return response

    def _record_issue(
        self, signed_in: SignedIn, made: Prepared, origin: Origin, now: datetime
    ) -> None:
        aws, statement = made.aws, made.statement
        event = AssertionIssued(
            actor=actor(signed_in.person),
            session=signed_in.token_hash[:12],
            assertion_id=made.response.assertion_id,
            response_id=made.response.response_id,
            service_provider=statement.audience,
            recipient=statement.recipient,
            roles=tuple(str(role) for role, _ in aws.roles),
            session_name=aws.session_name,
            source_identity=aws.source_identity,
            name_id=statement.name_id.value,
            duration=aws.duration,
            tags=tuple(aws.tags),
            key=made.key.fingerprint,
            encrypted_to=made.encrypted_to,
        )

        use = (signed_in.person_id, str(aws.roles[0][0])) if len(aws.roles) == 1 else None
        if use is None or not self._due(use, now):
            self._audit.record(event, origin)
            return
        self._audit.record(event, origin, lambda session: remember_use(session, *use, now))
        self._noted[use] = now

    def _due(self, use: tuple[str, str], now: datetime) -> bool:
        """Whether the use of a role is to be noted: once a minute is enough for the portal."""
        if len(self._noted) > MOST_NOTED:
            self._noted.clear()
        noted = self._noted.get(use)
        return noted is None or now - noted >= NOTE_EVERY

    def _record_refusal(
        self, signed_in: SignedIn, request: RoleRequest, refusal: IdpError, origin: Origin
    ) -> None:
        event = AssertionRefused(
            actor=actor(signed_in.person),
            session=signed_in.token_hash[:12],
            role=_role_for_the_record(request.role),
            reason=f"{type(refusal).__name__}: {refusal.message}",
        )
        self._audit.record(event, origin)


def _said_of(grant: Grant) -> tuple[object, ...]:
    """What an assertion says of all its roles at once."""
    names = grant.session_name, grant.source_identity
    return (dict(grant.tags), frozenset(grant.transitive), *names)


def _role_for_the_record(text: str | None) -> str:
    if text is None:
        return "(all)"
    try:
        return str(RoleArn.parse(text))
    except IdpError:
        return "(no role ARN)"
