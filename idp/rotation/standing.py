"""The rotation under way, for whoever watches: does it go on by itself, or wait for somebody?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from idp.keys.attention import Attention
from idp.rotation.lease import Holder, holder_of
from idp.rotation.record import Phase, open_rotation
from idp.rotation.report import LOCKED_OUT, Report, report_of


@dataclass(frozen=True, slots=True)
class Standing:
    """An open rotation, who works on it, and when this was looked at."""

    report: Report
    holder: Holder | None
    now: datetime

    @property
    def worked_on(self) -> bool:
        """Whether a process is at it now."""
        return self.holder is not None and self.holder.alive

    @property
    def waits_for(self) -> str:
        """What comes next, in a sentence."""
        until = self.report.waits_until(self.now)
        if self.worked_on:
            return f"{_named(self.holder)} works on it now."
        if until:
            return f"It waits for the end of the overlap, {until:%Y-%m-%d %H:%M:%S} UTC."
        return "It waits for somebody."

    @property
    def attention(self) -> tuple[Attention, ...]:
        """What somebody has to do, failed accounts first; empty if it goes on by itself."""
        return tuple(self._attention())

    def counted(self) -> Mapping[str, int]:
        """How many accounts are in which state, such as "holds" or "FAILED"."""
        return dict(sorted(Counter(each.word for each in self.report.accounts).items()))

    def document(self) -> dict[str, Any]:
        """The standing as JSON values."""
        return {
            **self.report.document(),
            "worked_on": self.worked_on,
            "waits_for": self.waits_for,
            "needs_attention": bool(self.attention),
        }

    def _attention(self) -> Iterator[Attention]:
        for each in self.report.failures:
            problem = each.progress.problem
            if problem:
                name = f"{each.account.alias} ({each.account.number})"
                yield Attention(name, problem.message, problem.advice)
        for each in self.report.accounts:
            if each.locked_out(self.report.rotation):
                name = f"{each.account.alias} ({each.account.number})"
                message = f"The rotation went on without it: {LOCKED_OUT}"
                yield Attention(name, message, each.mending)
        if not self.worked_on and not self.report.waits_until(self.now):
            yield Attention(f"rotation {self.report.rotation.id}", *self._stuck())

    def _stuck(self) -> tuple[str, str]:
        """Why it does not go on by itself, and what to do."""
        rotation = self.report.rotation
        outcome, advice = self.report.sentences(self.now)
        if self.holder is not None:
            return f"{_named(self.holder)} has ended in the midst of it. {outcome}", advice
        over = rotation.overlap_until
        if rotation.phase is Phase.OVERLAP and over and over <= self.now:
            message = (
                f"The overlap is over since {over:%Y-%m-%d %H:%M:%S} UTC, and the certificate of "
                f"{rotation.old_key_id} is still in the accounts."
            )
            return message, "Run: idp certs rotate --resume (a timer does it with --schedule)"
        return outcome, advice


def standing_of(session: Session, now: datetime) -> Standing | None:
    """How the open rotation stands; None if none is under way."""
    rotation = open_rotation(session)
    if rotation is None:
        return None
    return Standing(report_of(session, rotation.id), holder_of(session, rotation.id, now), now)


def _named(holder: Holder | None) -> str:
    process = (holder.process if holder else "") or "a process"
    return process[0].upper() + process[1:]
