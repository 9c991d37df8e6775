"""Rules and accounts in the database, and the compiled copy that each process keeps."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from idp.db.direct import Statement
from idp.db.engine import Database
from idp.db.models import AccountEncryptionRow, AwsAccountRow, RevisionRow, RoleRuleRow
from idp.entitlements.account import Account, Accounts
from idp.entitlements.document import rule_from_stored
from idp.entitlements.rule import RoleRule, to_document
from idp.entitlements.ruleset import RuleSet
from idp.errors import IdpError
from idp.saml.encryption import EncryptionKey

REVISION = "entitlements"
# Every request asks it.
_REVISION = Statement("SELECT number FROM revisions WHERE thing = ?")


class ChangedMeanwhile(IdpError):
    """Someone else changed the rules or accounts between a plan and its application."""

    status = 409


class Entitlements:
    """The rules in force, compiled once per change and process.

    Every write of rules or accounts counts the revision up in its own transaction, so whoever
    begins to read after it has committed sees it at the next call.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._lock = Lock()
        self._compiled: tuple[int, RuleSet] | None = None

    def ruleset(self, session: Session) -> RuleSet:
        """The rules and accounts as `session` sees them.

        Raises BadRule for a stored rule that can't be read.
        """
        number = revision(session)
        compiled = self._compiled
        if compiled and compiled[0] == number:
            return compiled[1]
        with self._lock:
            compiled = self._compiled
            if not compiled or compiled[0] != number:
                compiled = (number, RuleSet(stored_rules(session), stored_accounts(session)))
                self._compiled = compiled
            return compiled[1]

    def current(self, seen: int | None = None) -> RuleSet:
        """The rules and accounts now: one tiny query unless they changed. Raises as ruleset.

        `seen` is the revision now, if it was read along with something else.
        """
        compiled = self._compiled
        if compiled and compiled[0] == (self._revision() if seen is None else seen):
            return compiled[1]
        with self.database.reading() as session:
            return self.ruleset(session)

    def _revision(self) -> int:
        found = self.database.direct.rows(_REVISION, (REVISION,))
        return int(found[0][0]) if found else 0


def revision(session: Session) -> int:
    """How often rules or accounts have been changed."""
    return session.scalar(select(RevisionRow.number).where(RevisionRow.thing == REVISION)) or 0


def count_revision(session: Session) -> None:
    """Count the revision up; on PostgreSQL this also makes two writers wait for each other."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(
        dialect.insert(RevisionRow)
        .values(thing=REVISION, number=1)
        .on_conflict_do_update(
            index_elements=[RevisionRow.thing], set_={"number": RevisionRow.number + 1}
        )
    )


def hold_accounts_still(session: Session) -> None:
    """Let nobody else change rules or accounts until the caller's writing transaction ends."""
    session.execute(
        select(RevisionRow.number).where(RevisionRow.thing == REVISION).with_for_update()
    )


def stored_rules(session: Session) -> tuple[RoleRule, ...]:
    """All rules in the order of the file. Raises BadRule."""
    rows = session.execute(select(RoleRuleRow.document).order_by(RoleRuleRow.position))
    return tuple(rule_from_stored(document) for document in rows.scalars())


def apply_rules(session: Session, rules: Sequence[RoleRule]) -> None:
    """Replace all rules in the caller's transaction. The rules must have been checked."""
    count_revision(session)
    session.execute(delete(RoleRuleRow))
    if rules:
        session.execute(
            insert(RoleRuleRow),
            [
                {"name": rule.name, "position": position, "document": to_document(rule)}
                for position, rule in enumerate(rules)
            ],
        )


def apply_planned(session: Session, rules: Sequence[RoleRule], planned_at: int) -> None:
    """As apply_rules, if nothing has changed since the revision `planned_at`.

    Raises ChangedMeanwhile: what was shown and agreed to would not be what happens.
    """
    apply_rules(session, rules)
    if revision(session) != planned_at + 1:
        raise ChangedMeanwhile(
            "Rules or accounts have been changed since this plan was made.",
            "Nothing was changed. Plan again.",
        )


def stored_accounts(session: Session) -> Accounts:
    """All registered accounts, with the keys that their assertions are encrypted to."""
    found = session.execute(
        select(
            AwsAccountRow, AccountEncryptionRow.public_key, AccountEncryptionRow.fingerprint
        ).outerjoin(AccountEncryptionRow, AccountEncryptionRow.number == AwsAccountRow.number)
    )
    return Accounts(_account(*row) for row in found)


def save_account(session: Session, account: Account) -> None:
    """Register an account, or change the registered one of that number.

    What is known of its encryption stays: idp.entitlements.encryption keeps that.
    """
    count_revision(session)
    values = {
        "alias": account.alias,
        "partition": account.partition,
        "provider_name": account.provider_name,
        "provider_id": account.provider_id,
        "profile": account.profile,
        "access_role": account.access_role,
        "probe_role": account.probe_role,
    }
    session.execute(delete(AwsAccountRow).where(AwsAccountRow.number == account.number))
    session.execute(insert(AwsAccountRow).values(number=account.number, **values))


def delete_account(session: Session, number: str) -> None:
    """Take an account off the list: nothing in it is granted any more."""
    count_revision(session)
    session.execute(delete(AwsAccountRow).where(AwsAccountRow.number == number))
    session.execute(delete(AccountEncryptionRow).where(AccountEncryptionRow.number == number))


def _account(row: AwsAccountRow, public_key: str | None, fingerprint: str | None) -> Account:
    return Account(
        row.number,
        row.alias,
        row.partition,
        row.provider_name,
        row.provider_id,
        row.profile,
        row.access_role,
        row.probe_role,
        encrypt_to=(EncryptionKey(public_key, fingerprint) if public_key and fingerprint else None),
    )
