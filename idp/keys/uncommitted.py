"""What becomes of a transaction: whether what belongs to a row outside the database may go."""

from __future__ import annotations

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction


class Fate:
    """What is known of a transaction so far.

    `ended`: it is over. `kept`: it was committed, or nobody knows. For if the connection breaks
    during the commit, the row may be there: one private key too many is harmless, and a key whose
    private half is gone can't sign.
    """

    def __init__(self) -> None:
        self.ended = False
        self.kept = False
        self._committing = False


def fate_of(session: Session) -> Fate:
    """Follow the running transaction of `session`, or one that begins now."""
    connection = session.connection()
    outermost = session.get_transaction()
    fate = Fate()

    def committing(_session: Session) -> None:
        fate._committing = not fate.ended

    def committed(session: Session) -> None:
        if not fate.ended and not session.in_nested_transaction():
            fate.kept = True

    def rolled_back(_session: Session) -> None:
        if not fate.ended and fate._committing and connection.invalidated:
            fate.kept = True

    def ended(_session: Session, transaction: SessionTransaction) -> None:
        if transaction is outermost:
            fate.ended = True

    event.listen(session, "before_commit", committing)
    event.listen(session, "after_commit", committed)
    event.listen(session, "after_rollback", rolled_back)
    event.listen(session, "after_transaction_end", ended)
    return fate
