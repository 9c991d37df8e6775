"""What belongs to a row outside the database, such as a file: it goes if the row does not come."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction


def unless_committed(session: Session, undo: Callable[[], object]) -> None:
    """Call `undo` when the running transaction of `session` ends otherwise than by a commit.

    If the connection breaks during the commit, nobody knows whether the row is there. Then
    nothing is undone: one key file too many is harmless, and a key whose private half is gone
    can't sign.
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
            undo()

    event.listen(session, "before_commit", committing)
    event.listen(session, "after_commit", committed)
    event.listen(session, "after_rollback", rolled_back)
    event.listen(session, "after_transaction_end", ended)


class _Fate:
    """What has become of the transaction so far; settled once the file stays or is gone."""

    def __init__(self) -> None:
        self.committing = False
        self.settled = False
