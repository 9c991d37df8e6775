"""An audit trail of assertions that were issued before, chained as the product chains them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from idp.audit.chain import extend
from idp.audit.events import AssertionIssued
from idp.audit.log import Draft
from idp.db.direct import Transaction
from idp.db.models import canonical_time
from tests.bench.size import Size, username

_BATCH = 20_000
_ID = "_0000000000000000000000000000000000000000"
_NAME = "(name)"


def write_past(transaction: Transaction, size: Size, now: datetime) -> None:
    """Append as many rows as `size` says, the last one just before `now`."""
    drafts = _drafts(size, now)
    while batch := list(islice(drafts, _BATCH)):
        extend(transaction, batch)


def _drafts(size: Size, now: datetime) -> Iterator[Draft]:
    issued = AssertionIssued(
        actor=f"local/{_NAME}",
        session="0123456789ab",
        assertion_id=_ID,
        response_id="_1111111111111111111111111111111111111111",
        service_provider="urn:amazon:webservices",
        recipient="https://signin.aws.amazon.com/saml",
        roles=("arn:aws:iam::111122223333:role/Administrator",),
        session_name=_NAME,
        source_identity=None,
        name_id="0123456789abcdef0123456789abcdef01234567",
        duration=3600,
        tags=("CostCenter", "Department"),
        key="0" * 64,
    )
    detail = json.dumps(issued.detail(), sort_keys=True)
    for number in range(size.audit_rows):
        assertion_id = "_" + secrets.token_hex(20)
        name = username(number % size.users)
        yield Draft(
            at=canonical_time(now - timedelta(seconds=size.audit_rows - number)),
            type=issued.kind,
            actor=f"local/{name}",
            address="192.0.2.1",
            request_id=assertion_id[1:17],
            assertion_id=assertion_id,
            detail=detail.replace(_ID, assertion_id).replace(_NAME, name),
        )
