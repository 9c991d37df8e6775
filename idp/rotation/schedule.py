"""What a timer has to do now, if anything."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy.orm import Session

from idp.keys.store import active_key
from idp.rotation.lease import RotationBusy, refuse_while_worked_on
from idp.rotation.record import open_rotation
from idp.rotation.report import report_of
from idp.settings import Settings


class Due(StrEnum):
    """What is due."""

    NOTHING = "nothing"
    BEGIN = "begin"
    GO_ON = "go on"


def what_is_due(session: Session, settings: Settings, now: datetime) -> Due:
    """Whether a rotation is to begin, or an open one can go on.

    Nothing is due while somebody works on it, or while all that it waits for is the overlap.
    Raises KeyUnusable if there is no active key.
    """
    rotation = open_rotation(session)
    if rotation is not None:
        try:
            refuse_while_worked_on(session, rotation.id, now)
        except RotationBusy:
            return Due.NOTHING
        return Due.NOTHING if report_of(session, rotation.id).waits_until(now) else Due.GO_ON
    days = settings.keys.rotate_days_before
    ends = active_key(session).certificate.not_valid_after_utc
    return Due.BEGIN if days and ends - now <= timedelta(days=days) else Due.NOTHING
