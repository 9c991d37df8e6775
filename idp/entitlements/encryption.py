"""The encryption of accounts, as the database keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from idp.aws.encryption_state import ChangedTrust, EncryptionState, Work
from idp.db.models import AccountEncryptionRow
from idp.entitlements.account import BadAccount, check_account
from idp.entitlements.store import count_revision, save_account, stored_accounts
from idp.saml.encryption import EncryptionKey


def stored_encryption(session: Session, number: str) -> EncryptionState:
    """What is known of the account of that number. Raises BadAccount if there is none."""
    account = stored_accounts(session).find(number)
    if account is None:
        raise BadAccount(f"Account {number} is not registered any more.", "Add it again.")
    row = session.get(AccountEncryptionRow, number)
    if row is None:
        return EncryptionState(account.provider_id)
    said = row.progress
    return EncryptionState(
        provider_id=account.provider_id,
        key=_key(row.public_key, row.fingerprint),
        key_id=row.key_id or "",
        work=Work(row.work),
        pending=_key(said.get("pending"), said.get("pending_fingerprint")),
        pending_id=said.get("pending_id", ""),
        ids_before=tuple(said.get("ids_before", ())),
        retiring=tuple(said.get("retiring", ())),
        mode_before=said.get("mode_before", ""),
        provider_id_before=said.get("provider_id_before"),
        trust=tuple(ChangedTrust(**change) for change in said.get("trust", ())),
    )


def encryption_since(session: Session, number: str) -> datetime | None:
    """Since when the account's assertions are encrypted to the key of now."""
    row = session.get(AccountEncryptionRow, number)
    return row.since if row else None


def save_encryption(session: Session, number: str, state: EncryptionState, now: datetime) -> None:
    """Keep `state`: sign-ins that begin after the caller's transaction go by it.

    Raises BadAccount for an account that is not registered.
    """
    before = stored_encryption(session, number)
    since = encryption_since(session, number)
    if state.provider_id != before.provider_id:
        account = stored_accounts(session).find(number)
        if account is not None:
            changed = replace(account, provider_id=state.provider_id)
            check_account(changed)
            save_account(session, changed)
    if state.key != before.key:
        count_revision(session)
        since = now if state.key else None
    session.execute(delete(AccountEncryptionRow).where(AccountEncryptionRow.number == number))
    if state == EncryptionState(state.provider_id):
        return
    session.execute(
        insert(AccountEncryptionRow).values(
            number=number,
            public_key=state.key.pem if state.key else None,
            fingerprint=state.key.fingerprint if state.key else None,
            key_id=state.key_id or None,
            since=since,
            work=state.work.value,
            progress=_progress(state),
        )
    )


def _progress(state: EncryptionState) -> dict[str, Any]:
    if state.work is Work.NONE:
        return {}
    return {
        "pending": state.pending.pem if state.pending else None,
        "pending_fingerprint": state.pending.fingerprint if state.pending else None,
        "pending_id": state.pending_id,
        "ids_before": list(state.ids_before),
        "retiring": list(state.retiring),
        "mode_before": state.mode_before,
        "provider_id_before": state.provider_id_before,
        "trust": [
            {"role": change.role, "before": change.before, "after": change.after}
            for change in state.trust
        ],
    }


def _key(pem: str | None, fingerprint: str | None) -> EncryptionKey | None:
    return EncryptionKey(pem, fingerprint) if pem and fingerprint else None
