"""What a rotation works with; all that is not the same in every run comes in from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.audit.log import AuditLog, Origin, utc_now
from idp.db.engine import Database
from idp.rotation.aws_side import AwsSide
from idp.rotation.lease import HEARTBEAT_SECONDS
from idp.settings import Settings


def _quiet(_step: str, _done: int, _total: int | None) -> None:
    return None


def _go_on(_boundary: str) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """`propagation`: how long AWS may take to tell all its parts of a new certificate.

    `show` draws progress (a step, how much is done, of how much). `boundary` is called with a name
    between any two steps, where a crash must do no harm; it is called in the caller's thread.
    """

    database: Database
    settings: Settings
    audit: AuditLog
    aws: AwsSide
    actor: str
    origin: Origin
    propagation: timedelta = timedelta(0)
    now: Callable[[], datetime] = utc_now
    sleep: Callable[[float], None] = time.sleep
    stopped: Callable[[], bool] = lambda: False
    show: Callable[[str, int, int | None], None] = _quiet
    boundary: Callable[[str], None] = _go_on
    heartbeat: float | None = HEARTBEAT_SECONDS
