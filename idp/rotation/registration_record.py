"""What changing an account's SAML provider leaves in the audit trail."""

from __future__ import annotations

from idp.audit.admin_events import ProviderRegistered
from idp.audit.log import AuditLog, Origin
from idp.aws.registration import Registration
from idp.entitlements.account import Account
from idp.keys.publication import PublishedMetadata


def record_registration(
    audit: AuditLog,
    account: Account,
    done: Registration,
    published: PublishedMetadata,
    issuer: str,
    actor: str,
    origin: Origin,
) -> None:
    """Put a change into the trail, by itself: AWS has made it, whatever comes after."""
    if not done.outcome.changed:
        return
    event = ProviderRegistered(
        actor=actor,
        subject=account.number,
        changes={
            "provider": str(account.provider),
            "outcome": done.outcome.value,
            "issuer": issuer,
            "issuers_replaced": list(done.before.other_issuers),
            "certificates_added": list(done.before.missing),
            "certificates_removed": list(done.before.extra),
            "metadata": published.etag,
            "read_back": done.unchecked is None,
        },
    )
    audit.record(event, origin)
