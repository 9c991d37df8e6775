"""A file that belongs to a row: it stays if the row is committed, and goes if it is not."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction


def remove_unless_committed(session: Session, file: Path) -> None:
    """Unlink `file` when the running transaction of `session` ends otherwise than by a commit.

    If the connection breaks during the commit, nobody knows whether the row is there. Then the
    file stays: one too many is harmless, and a key whose private half is gone can't sign.
    """
    connection = session.connection()
    outermost = session.get_transaction()
    fate = _Fate()

    def committing(_session: Session) -> None:
        fate.committing = True

    def committed(session: Session) -> None:
        fate.settled = fate.settled or not session.in_nested_transaction()

    def rolled_back(_session: Session) -> None:
        fate.settled = fate.settled or (fate.committing and connection.invalidated)

    def ended(_session: Session, transaction: SessionTransaction) -> None:
        if transaction is outermost and not fate.settled:
            fate.settled = True
            file.unlink(missing_ok=True)

    event.listen(session, "before_commit", committing)
    event.listen(session, "after_commit", committed)
    event.listen(session, "after_rollback", rolled_back)
    event.listen(session, "after_transaction_end", ended)


class _Fate:
    """What has become of the transaction so far; settled once the file stays or is gone."""

    def __init__(self) -> None:
        self.committing = False
        self.settled = False
