"""A report in words, for a terminal, a page and other programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from idp.preflight.report import Report
from idp.sandbox.judge import Check

UNCONFIRMED = (
    "AWS does not document this. The strict reading is taken here; many providers keep to it, and "
    "AWS may take a response that does not."
)
MARKS = {True: "✔", False: "✘", None: "•"}
NOT_REACHED = "not reached"
SIDES = {
    "identity provider": "at the identity provider",
    "AWS": "in AWS",
    "either": "at the identity provider or in AWS, whichever is wrong",
    "late": "nothing, if this is an old copy; else whoever hands it in, or a clock",
}


def summary(report: Report) -> str:
    """The one line that comes first."""
    if report.unread:
        return "This can't be judged: the assertion is encrypted, and only AWS has the key."
    first = report.first
    if first is None:
        if report.outcome == "open":
            return (
                "AWS would take this as far as could be checked, but issuer and signature could "
                "not be: the provider's metadata is missing."
            )
        return "AWS would take this."
    words = f"{first.aws_error.code}: {first.aws_error.message}"
    if not first.rule.confirmed:
        return f"AWS would refuse this, if it checks what it does not document: {words}"
    return f"AWS would refuse this: {words}"


def remarks(report: Report) -> Iterator[str]:
    """What else a person should know before reading the list."""
    broken = len(report.refusals)
    if broken:
        yield f"{broken} of {len(report.checks)} rules {'is' if broken == 1 else 'are'} broken."
    if report.only_late and report.issued:
        yield (
            "Nothing but its age is wrong: as of its own IssueInstant "
            f"({report.issued:%Y-%m-%dT%H:%M:%SZ}) AWS would take it."
            if report.trust
            else "Nothing but its age was found to be wrong."
        )
    if broken and not report.trust:
        yield "Issuer and signature could not be checked: the provider's metadata is missing."


def held_against(report: Report) -> Iterator[tuple[str, str]]:
    """(what, value) of everything that the response was held against."""
    yield "Read as", report.form
    yield "Judged as of", f"{report.judged_at:%Y-%m-%dT%H:%M:%SZ}"
    yield "Sign-in endpoint", report.endpoint
    yield "Role", report.role or "none that can be read"
    yield "Signature and issuer against", report.trust or "nothing: no metadata"


def check_line(check: Check) -> str:
    """One rule in one line: mark, name, value seen and value wanted."""
    if check.passed is None:
        return f"{MARKS[None]} {check.name}: {check.seen or NOT_REACHED}"
    wanted = f" (wanted: {check.wanted})" if check.wanted else ""
    return f"{MARKS[check.passed]} {check.name}: {check.seen}{wanted}"


def check_story(check: Check) -> Iterator[tuple[str, str]]:
    """(heading, text) of what there is to say about a broken rule."""
    yield "Rule", check.rule.sentence
    yield "AWS says", f"{check.aws_error.code}: {check.aws_error.message}"
    yield "Change", check.advice
    yield "Where", SIDES[check.rule.side]
    if not check.rule.confirmed:
        yield "Unconfirmed", UNCONFIRMED


def report_document(report: Report) -> dict[str, Any]:
    """The report as JSON types."""
    return {
        "outcome": report.outcome,
        "summary": summary(report),
        "remarks": list(remarks(report)),
        "read_as": report.form,
        "judged_at": report.judged_at.isoformat(),
        "issued_at": report.issued.isoformat() if report.issued else None,
        "endpoint": report.endpoint,
        "role": report.role or None,
        "held_against": report.trust or None,
        "checks": [
            _check_document(section.title, check)
            for section in report.sections
            for check in section.checks
        ],
    }


def _check_document(section: str, check: Check) -> dict[str, Any]:
    return {
        "section": section,
        "rule": check.name,
        "passed": check.passed,
        "seen": check.seen or None,
        "wanted": check.wanted or None,
        "sentence": check.rule.sentence,
        "confirmed": check.rule.confirmed,
        "error": {
            "code": check.aws_error.code,
            "message": check.aws_error.message,
            "status": check.aws_error.status,
        },
        "advice": check.advice,
        "side": check.rule.side,
    }
