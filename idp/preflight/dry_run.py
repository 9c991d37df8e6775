"""The very response that a person would get, made to be judged and thrown away."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from idp.aws.arn import RoleArn
from idp.db.engine import Database
from idp.db.models import PersonRow
from idp.directory.person import Person
from idp.entitlements.grant import Grant
from idp.preflight.pasted import Pasted
from idp.signin.sessions import SignedIn
from idp.sso.handover import Handover, RoleRequest
from idp.sso.names import KeptNames


@dataclass(frozen=True, slots=True)
class DryRun:
    """The response, and the grant behind it."""

    response: Pasted
    grant: Grant


def make_dry_run(
    handover: Handover, database: Database, person: Person, role: RoleArn, now: datetime
) -> DryRun:
    """Build what `person` would get for `role` by the code of a sign-in, and keep nothing.

    Names that a first sign-in would take for good are only tried on. Raises RoleNotGranted, and
    what else makes Handover refuse (RefusedByAws, NameTaken, KeyUnusable).
    """
    with database.reading() as session:
        signed_in = _as_if_signed_in(session, person, now)
    grants = handover.grants_of(signed_in)
    made = handover.prepare(
        grants, signed_in, RoleRequest(str(role)), KeptNames(database, keep=False), now
    )
    return DryRun(Pasted(made.response.form_value(), "a dry run"), made.grants[0])


def _as_if_signed_in(session: Session, person: Person, now: datetime) -> SignedIn:
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
        factors=(),
        address="",
    )
