"""An assertion for a probe role: real, recorded as any other, and redeemed by ourselves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.audit.events import AssertionIssued
from idp.audit.log import AuditLog, Origin
from idp.aws.arn import ProviderArn, RoleArn
from idp.aws.attributes import AwsSession, aws_attributes
from idp.aws.endpoints import in_order, sign_in_endpoint
from idp.aws.iam import SHORTEST_SESSION
from idp.keys.ring import ReadyKey
from idp.saml.encryption import EncryptionKey
from idp.saml.ids import new_id
from idp.saml.response import NAME_ID_FORMATS, NameId, Statement, build_response
from idp.saml.signature import ALGORITHMS
from idp.settings import Settings

# In CloudTrail; "=" stands in no user name that a directory would give to a person.
PROBE_NAME = "idp=probe"
_UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"


@dataclass(frozen=True, slots=True)
class Probe:
    """What is to be proven: the role, and where and how its assertion is sent.

    `purpose` stands in the audit row in the place of a session.
    """

    role: RoleArn
    provider: ProviderArn
    provider_id: str | None
    encrypt_to: EncryptionKey | None
    purpose: str = ""


def probe_response(
    probe: Probe,
    ready: ReadyKey,
    settings: Settings,
    audit: AuditLog,
    origin: Origin,
    actor: str,
    now: datetime,
) -> str:
    """The base64 response for the probe role, written into the audit trail first."""
    endpoint = sign_in_endpoint(
        probe.role.partition,
        in_order(settings.aws.endpoints, probe.role.partition)[0],
        provider_id=probe.provider_id,
        sandbox_url=settings.aws.sandbox_url,
    )
    session = AwsSession(
        roles=[(probe.role, probe.provider)],
        session_name=PROBE_NAME,
        duration=SHORTEST_SESSION,
        source_identity=None,
        tags={},
        transitive=(),
    )
    statement = Statement(
        issuer=settings.entity_id,
        recipient=endpoint.acs,
        audience=endpoint.audience,
        name_id=NameId(secrets.token_hex(16), NAME_ID_FORMATS["transient"]),
        attributes=aws_attributes(session),
        authn_instant=now,
        authn_context=_UNSPECIFIED,
        session_index=new_id(),
        issue_instant=now,
        lifetime=timedelta(seconds=settings.saml.assertion_seconds),
        clock_skew=timedelta(seconds=settings.saml.clock_skew_seconds),
    )
    response = build_response(
        statement,
        ready.signer,
        ALGORITHMS[settings.saml.digest],
        sign_response=settings.aws.sign_response,
        encrypt_to=probe.encrypt_to,
    )
    event = AssertionIssued(
        actor=actor,
        session=probe.purpose,
        assertion_id=response.assertion_id,
        response_id=response.response_id,
        service_provider=statement.audience,
        recipient=statement.recipient,
        roles=(str(probe.role),),
        session_name=PROBE_NAME,
        source_identity=None,
        name_id=statement.name_id.value,
        duration=SHORTEST_SESSION,
        tags=(),
        key=ready.key.fingerprint,
        encrypted_to=probe.encrypt_to.fingerprint if probe.encrypt_to else None,
    )
    audit.record(event, origin)
    return response.form_value()
