"""Binding the audit trail and the making of assertions to numbers and log lines."""

from __future__ import annotations

import logging
import time
from typing import Any

from sqlalchemy import event as database_event
from sqlalchemy.orm import Session

from idp.audit.events import (
    AssertionIssued,
    AssertionRefused,
    Event,
    SignInRefused,
    SignInSucceeded,
)
from idp.audit.log import AuditLog, Origin
from idp.db.engine import Database
from idp.sso.handover import Handover, PostForm
from idp.telemetry.metrics import Metrics

log = logging.getLogger("idp.events")


class CountedAuditLog(AuditLog):
    """An audit log whose events are counted and logged once they are committed.

    The line says what happened and why, with the request's identifier; who it was stands in the
    audit trail alone, because a password typed into the wrong field would stand there too.
    """

    def __init__(self, database: Database, metrics: Metrics) -> None:
        super().__init__(database)
        self._metrics = metrics

    def record(self, event: Event, origin: Origin, *also: Any, **named: Any) -> None:
        """Record as AuditLog does, then count."""
        super().record(event, origin, *also, **named)
        self._count(event, origin)

    def append(self, session: Session, event: Event, origin: Origin) -> None:
        """Append as AuditLog does; count when the caller's transaction is committed."""
        super().append(session, event, origin)

        def _committed(_session: Session) -> None:
            self._count(event, origin)

        database_event.listen(session, "after_commit", _committed, once=True)

    def _count(self, event: Event, origin: Origin) -> None:
        fields = {"address": origin.address, "request_id": origin.request_id}
        if reason := _reason(event):
            fields["reason"] = reason
        log.info(event.type, extra=fields)
        self._metrics.recorded(event.type)
        match event:
            case SignInSucceeded():
                self._metrics.signed_in()
            case SignInRefused():
                self._metrics.sign_in_refused(event.reason)
            case AssertionIssued():
                self._metrics.assertion_issued()
            case AssertionRefused():
                self._metrics.assertion_refused(_reason(event))


class TimedHandover(Handover):
    """A handover that measures how long an assertion takes."""

    def __init__(self, metrics: Metrics, *parts: Any) -> None:
        super().__init__(*parts)
        self._metrics = metrics

    def open_role(self, *arguments: Any, **named: Any) -> PostForm:
        """As Handover does; a refusal is not measured."""
        began = time.perf_counter()
        form = super().open_role(*arguments, **named)
        self._metrics.assertion_took(time.perf_counter() - began)
        return form


def _reason(event: Event) -> str:
    """The event's reason as a bounded word: the refusal's class, without its sentence."""
    return str(getattr(event, "reason", "")).partition(":")[0]
