"""Binding the sign-in journey to the audit trail."""

from __future__ import annotations

from collections.abc import Callable

from idp.audit.events import Event, SignInRefused, SignInSucceeded
from idp.audit.log import AuditLog, Origin


def sign_in_recorder(audit: AuditLog, origin: Origin) -> Callable[..., None]:
    """A callable that the journey tells what happened, by event name and its details."""

    def record(event: str, **details: str) -> None:
        audit.record(_event(event, details), origin)

    return record


def _event(name: str, details: dict[str, str]) -> Event:
    actor = f"{details.get('directory') or '?'}/{details['username']}"
    if name == SignInSucceeded.type:
        return SignInSucceeded(
            actor=actor,
            directory_id=details["directory_id"],
            person_id=details["person_id"],
            factor=details.get("factor", ""),
        )
    return SignInRefused(actor=actor, reason=details["reason"])
