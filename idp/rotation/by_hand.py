"""Activating a key by hand, after a look into every account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from idp.audit.admin_events import KeyActivated
from idp.aws.account_refusal import AccountRefusal
from idp.entitlements.account import Account
from idp.entitlements.store import hold_accounts_still, stored_accounts
from idp.keys.lifecycle import activate, find_key
from idp.keys.signing_key import KeyState, SigningKey
from idp.keys.store import active_key
from idp.rotation.record import RotationRefused, open_rotation
from idp.rotation.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found: `without` are the accounts that do not hold the key's certificate, or can't
    be asked, each with the reason.
    """

    key: SigningKey
    active: SigningKey
    accounts: tuple[Account, ...]
    without: tuple[tuple[Account, str], ...]


def look(around: Surroundings, key_text: str) -> Looked:
    """Ask every registered account whether it holds a next key's certificate. Changes nothing.

    Raises KeyNotFound, RotationRefused, KeyUnusable (there is no active key).
    """
    with around.database.reading() as session:
        _refuse_during_rotation(session)
        key, active = find_key(session, key_text), active_key(session)
        accounts = tuple(stored_accounts(session))
    if key.state is not KeyState.NEXT:
        raise RotationRefused(
            f"Key {key.id} is {key.state}; only a next key can become active.",
            "Make one: idp certs generate",
        )
    without = []
    issuer = around.settings.entity_id
    around.show("Accounts", 0, len(accounts))
    work = around.aws.holding(accounts, key.fingerprint, issuer, around.stopped)
    for done, (account, answer) in enumerate(work, start=1):
        around.show("Accounts", done, len(accounts))
        if isinstance(answer, AccountRefusal):
            without.append((account, answer.message))
        elif not answer:
            without.append((account, "It does not hold the certificate."))
    without.sort(key=lambda found: found[0].alias)
    return Looked(key, active, accounts, tuple(without))


def activate_by_hand(
    around: Surroundings, looked: Looked, despite: Sequence[Account] = ()
) -> SigningKey:
    """Let the key sign that was looked after; gives it as it is then.

    Raises RotationRefused if an account is without the certificate and is not in `despite`, or if
    accounts or keys have been changed since the look.
    """
    left = [account for account, _ in looked.without if account not in despite]
    if left:
        names = ", ".join(account.alias for account in left[:10])
        more = f" and {len(left) - 10} more" if len(left) > 10 else ""
        raise RotationRefused(
            f"Nobody could sign in to {names}{more}: the certificate of key {looked.key.id} is "
            "not known to be there.",
            "Run idp aws register --all first. Or name each: --despite ACCOUNT",
        )
    now = around.now()
    with around.database.writing() as session:
        hold_accounts_still(session)
        _refuse_during_rotation(session)
        if tuple(stored_accounts(session)) != looked.accounts:
            raise RotationRefused(
                "Accounts were changed during the look.", "Nothing was changed. Run it again."
            )
        key = activate(session, looked.key.id, now, around.actor, replacing=looked.active.id)
        changes = {
            "fingerprint": key.fingerprint,
            "retiring": looked.active.id,
            "despite": [account.number for account, _ in looked.without],
        }
        event = KeyActivated(actor=around.actor, subject=key.id, changes=changes)
        around.audit.append(session, event, around.origin)
    return key


def _refuse_during_rotation(session: Session) -> None:
    if open_rotation(session) is not None:
        raise RotationRefused(
            "A rotation is under way, and activates its key itself.",
            "Go on with it: idp certs rotate --resume. Or go back: idp certs rotate --abort",
        )
