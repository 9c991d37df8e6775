"""Our side of an account's encryption: in the database, with the audit trail, and proven."""

from __future__ import annotations

from datetime import datetime

from idp.audit import admin_events
from idp.audit.events import AdminEvent
from idp.audit.log import AuditLog, Origin, utc_now
from idp.aws.account_refusal import AccountRefusal
from idp.aws.arn import ProviderArn, RoleArn
from idp.aws.assume_with_saml import assume_with_saml
from idp.aws.encryption_state import ANOTHER_RUN, Act, EncryptionState
from idp.aws.iam import Reach
from idp.cli.acting import acting_admin
from idp.db.engine import Database
from idp.entitlements.account import Account
from idp.entitlements.encryption import save_encryption, stored_encryption
from idp.keys.ring import KeyRing
from idp.saml.encryption import EncryptionKey
from idp.settings import Settings
from idp.sso.probe import Probe, probe_response

_EVENTS: dict[Act, type[AdminEvent]] = {
    Act.KEY_ADDED: admin_events.EncryptionKeyAdded,
    Act.KEY_REMOVED: admin_events.EncryptionKeyRemoved,
    Act.TRUST_CHANGED: admin_events.TrustPolicyChanged,
    Act.ENABLED: admin_events.EncryptionEnabled,
    Act.REQUIRED: admin_events.EncryptionRequired,
    Act.ROTATED: admin_events.EncryptionRotated,
    Act.DISABLED: admin_events.EncryptionDisabled,
    Act.ROLLED_BACK: admin_events.EncryptionRolledBack,
}


class StoredEncryption:
    """A Record (idp.aws.encryption_state) of one account."""

    def __init__(
        self,
        account: Account,
        database: Database,
        settings: Settings,
        keys: KeyRing,
        reach: Reach,
        origin: Origin,
        probe_role: RoleArn | None,
        settle: float,
    ) -> None:
        self._account = account
        self._database = database
        self._settings = settings
        self._keys = keys
        self._reach = reach
        self._origin = origin
        self._probe_role = probe_role
        self._settle = settle
        self._audit = AuditLog(database)
        self._last: EncryptionState | None = None

    @property
    def provider(self) -> ProviderArn:
        """The account's SAML provider."""
        return self._account.provider

    def read(self) -> EncryptionState:
        """What was kept last. Raises BadAccount if the account is gone."""
        with self._database.reading() as session:
            self._last = stored_encryption(session, self._account.number)
        return self._last

    def keep(
        self, state: EncryptionState, act: Act | None = None, **changes: str | list[str]
    ) -> None:
        """Keep it with its event, if nobody else has kept anything meanwhile."""
        with self._database.writing() as session:
            if self._last is not None:
                found = stored_encryption(session, self._account.number)
                if found != self._last:
                    raise AccountRefusal(
                        ANOTHER_RUN,
                        "Somebody else is changing this account's encryption now.",
                        "Wait for them, then look with: idp aws encryption status",
                    )
            save_encryption(session, self._account.number, state, self._now())
            if act is not None:
                event = _EVENTS[act](
                    actor=acting_admin(),
                    subject=self._account.number,
                    changes={"provider": str(self.provider), **changes},
                )
                self._audit.append(session, event, self._origin)
        self._last = state

    def prove(self, key: EncryptionKey, provider_id: str) -> bool:
        """Assume the probe role for real. Raises AccountRefusal, and what signing raises."""
        if self._probe_role is None:
            return False
        response = probe_response(
            Probe(self._probe_role, self.provider, provider_id, key),
            self._keys.active(),
            self._settings,
            self._audit,
            self._origin,
            acting_admin(),
            self._now(),
        )
        # The key and the trust policy may not have come to every copy of AWS's yet.
        assume_with_saml(
            self._probe_role,
            self.provider,
            response,
            self._reach,
            pauses=[part * self._settle for part in (0.2, 0.4, 0.8)],
            not_yet=("InvalidIdentityToken", "AccessDenied"),
        )
        return True

    def _now(self) -> datetime:
        return utc_now()
