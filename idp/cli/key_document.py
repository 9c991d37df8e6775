"""A signing key in JSON, as every `idp certs` command prints it."""

from __future__ import annotations

from typing import Any

from idp.keys.signing_key import SigningKey


def key_document(key: SigningKey) -> dict[str, Any]:
    """What is known of a key; times in ISO 8601, None for what did not happen."""
    moments = {
        "created_at": key.created_at,
        "activated_at": key.activated_at,
        "retiring_at": key.retiring_at,
        "retired_at": key.retired_at,
        "revoked_at": key.revoked_at,
    }
    return {
        "id": key.id,
        "state": key.state.value,
        "custody": key.custody,
        "locator": key.locator,
        "algorithm": key.algorithm,
        "bits": key.bits,
        "fingerprint": key.fingerprint,
        "subject": key.subject,
        "not_before": key.certificate.not_valid_before_utc.isoformat(),
        "not_after": key.certificate.not_valid_after_utc.isoformat(),
        "created_by": key.created_by,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "revoked_reason": key.revoked_reason,
    }
