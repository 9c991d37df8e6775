"""Assertions that prove a key: signed with the next key, for a machine, for a probe role only."""

from __future__ import annotations

import secrets
from datetime import timedelta

from idp.audit.events import AssertionIssued
from idp.aws.arn import RoleArn
from idp.aws.attributes import AwsSession, aws_attributes
from idp.aws.endpoints import in_order, sign_in_endpoint
from idp.aws.limits import SHORTEST_SESSION
from idp.entitlements.account import Account
from idp.keys.custody import open_signer
from idp.keys.signing_key import SigningKey
from idp.rotation.surroundings import Surroundings
from idp.saml.response import NAME_ID_FORMATS, NameId, Statement, build_response
from idp.saml.signature import ALGORITHMS

# In CloudTrail; "=" stands in no user name that a directory would give to a person.
SESSION_NAME = "idp=rotation-probe"
ACTOR = "machine/rotation-probe"
_AUTHENTICATED = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"


class ProbeAssertions:
    """Makes one assertion for an account's probe role, at each call.

    Each is in the audit trail before it leaves, like the assertions for people, so that the trail
    has every assertion that a key ever signed. Called from several threads.
    """

    def __init__(self, around: Surroundings, rotation_id: str, key: SigningKey) -> None:
        self._around = around
        self._rotation_id = rotation_id
        self._key = key
        self._signer = open_signer(key, around.settings)

    def __call__(self, account: Account) -> str:
        """The Response in base64, as AssumeRoleWithSAML takes it. Raises BadArn, RefusedByAws."""
        aws = AwsSession(
            roles=[(RoleArn.parse(account.probe_role or ""), account.provider)],
            session_name=SESSION_NAME,
            duration=SHORTEST_SESSION,
        )
        statement = self._statement(account, aws)
        response = build_response(
            statement,
            self._signer,
            ALGORITHMS[self._around.settings.saml.digest],
            sign_response=self._around.settings.aws.sign_response,
            encrypt_to=account.encrypt_to,
        )
        event = AssertionIssued(
            actor=ACTOR,
            session=f"rotation {self._rotation_id}",
            assertion_id=response.assertion_id,
            response_id=response.response_id,
            service_provider=statement.audience,
            recipient=statement.recipient,
            roles=(str(aws.roles[0][0]),),
            session_name=aws.session_name,
            source_identity=None,
            name_id=statement.name_id.value,
            duration=aws.duration,
            tags=(),
            key=self._key.fingerprint,
            encrypted_to=account.encrypt_to.fingerprint if account.encrypt_to else None,
        )
        self._around.audit.record(event, self._around.origin)
        return response.form_value()

    def _statement(self, account: Account, aws: AwsSession) -> Statement:
        settings, now = self._around.settings, self._around.now()
        endpoint = sign_in_endpoint(
            account.partition,
            in_order(settings.aws.endpoints, account.partition)[0],
            provider_id=account.provider_id,
            sandbox_url=settings.aws.sandbox_url,
        )
        return Statement(
            issuer=settings.entity_id,
            recipient=endpoint.acs,
            audience=endpoint.audience,
            name_id=NameId(secrets.token_hex(16), NAME_ID_FORMATS["transient"]),
            attributes=aws_attributes(aws),
            authn_instant=now,
            authn_context=_AUTHENTICATED,
            session_index=f"_{secrets.token_hex(16)}",
            issue_instant=now,
            lifetime=timedelta(seconds=settings.saml.assertion_seconds),
            clock_skew=timedelta(seconds=settings.saml.clock_skew_seconds),
        )
