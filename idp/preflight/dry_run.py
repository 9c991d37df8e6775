"""The very response that a person would get, made to be judged and thrown away."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.aws.arn import RoleArn
from idp.db.engine import Database
from idp.db.models import PersonRow
from idp.directory.person import Person
from idp.entitlements.evaluate import Grants
from idp.entitlements.facts import UNKNOWN, Circumstances
from idp.entitlements.grant import Grant
from idp.preflight.pasted import Pasted
from idp.saml.encryption import EncryptionKey
from idp.signin.sessions import SignedIn
from idp.sso.handover import Handover, RoleRequest
from idp.sso.names import KeptNames


@dataclass(frozen=True, slots=True)
class DryRun:
    """The response, and the grant behind it.

    `reader` opens an encrypted response; None if it is in plain.
    """

    response: Pasted
    grant: Grant
    reader: RSAPrivateKey | None = field(default=None, repr=False)


def make_dry_run(
    handover: Handover,
    database: Database,
    person: Person,
    role: RoleArn,
    now: datetime,
    circumstances: Circumstances = UNKNOWN,
) -> DryRun:
    """Build what `person` would get for `role` by the code of a sign-in, and keep nothing.

    `circumstances` are how and from where they are taken to come, for rules that ask. Names that
    a first sign-in would take for good are only tried on. Raises RoleNotGranted, and what else
    makes Handover refuse (RefusedByAws, NameTaken, KeyUnusable).
    """
    with database.reading() as session:
        signed_in = _as_if_signed_in(session, person, circumstances, now)
    grants = handover.grants_of(signed_in, circumstances.address)
    wanted, names = RoleRequest(str(role)), KeptNames(database, keep=False)
    made = handover.prepare(grants, signed_in, wanted, names, now)
    grant = made.grants[0]
    if grant.encrypt_to is None:
        return DryRun(Pasted(made.response.form_value(), "a dry run"), grant)
    # That one only AWS can read. Its twin is encrypted as well, to a key that is thrown away.
    reader = rsa.generate_private_key(65537, grant.encrypt_to.bits)
    ours = replace(grant, encrypt_to=EncryptionKey.of(reader.public_key()))
    twin = handover.prepare(Grants((ours,)), signed_in, wanted, names, now)
    pasted = Pasted(twin.response.form_value(), "a dry run, encrypted to a key made for it")
    return DryRun(pasted, grant, reader)


def _as_if_signed_in(
    session: Session, person: Person, circumstances: Circumstances, now: datetime
) -> SignedIn:
    known = session.scalar(
        select(PersonRow.id).where(
            PersonRow.directory == person.directory,
            PersonRow.directory_id == person.directory_id,
        )
    )
    return SignedIn(
        token_hash=secrets.token_hex(32),
        person_id=known or secrets.token_hex(16),
        person=person,
        authenticated_at=now,
        expires_at=now + timedelta(minutes=1),
        refreshed_at=now,
        factors=tuple(sorted(circumstances.factors or ())),
        address=circumstances.address or "",
    )
