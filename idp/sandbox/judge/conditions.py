"""Conditions, audience, freshness and the AuthnStatement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lxml import etree

from idp.sandbox.judge.check import EXPIRED, INVALID_RESPONSE, AwsError, Notebook, Rule
from idp.sandbox.judge.names import ASSERTION, read_instant, text_of

REDEEM_WITHIN = timedelta(minutes=5)
# How far a provider's clock may run ahead. AWS states none; a minute is this judge's choice.
CLOCK_SKEW = timedelta(seconds=60)

AUDIENCES = {
    "aws": ("urn:amazon:webservices", "https://signin.aws.amazon.com/saml"),
    "aws-cn": ("urn:amazon:webservices:cn-north-1", "https://signin.amazonaws.cn/saml"),
    "aws-us-gov": ("urn:amazon:webservices:govcloud",),
}

RULES = (
    Rule(
        "assertion",
        "The assertion is of version 2.0 and has an ID.",
        INVALID_RESPONSE,
        'Set Version="2.0" and an ID on the Assertion.',
        confirmed=False,
    ),
    Rule(
        "issue-instant",
        "IssueInstant is a UTC time that isn't in the future.",
        INVALID_RESPONSE,
        "Mend the identity provider's clock; write times like 2026-01-31T12:00:00Z.",
        confirmed=False,
    ),
    Rule(
        "five-minutes",
        "The assertion was issued no more than 5 minutes ago.",
        AwsError("ExpiredTokenException", "Token must be redeemed within 5 minutes of issuance"),
        "Sign in again and hand the response in at once; a longer NotOnOrAfter doesn't help.",
        side="late",
    ),
    Rule(
        "conditions",
        "There is one Conditions element with a NotOnOrAfter.",
        INVALID_RESPONSE,
        "Send Conditions with NotBefore and NotOnOrAfter.",
        confirmed=False,
    ),
    Rule(
        "conditions-not-before",
        "Conditions' NotBefore, if given, has come.",
        INVALID_RESPONSE,
        "Mend the identity provider's clock, or set NotBefore a little into the past.",
        confirmed=False,
    ),
    Rule(
        "conditions-fresh",
        "Conditions' NotOnOrAfter lies ahead.",
        EXPIRED,
        "Hand the response in sooner, or mend the identity provider's clock (UTC).",
        side="late",
    ),
    Rule(
        "audience",
        "Every AudienceRestriction names AWS in the role's partition.",
        AwsError("InvalidIdentityToken", "Response does not contain the required audience."),
        "Send the audience of the partition in which the role lies.",
    ),
    Rule(
        "authn-statement",
        "There is one AuthnStatement with an AuthnInstant.",
        INVALID_RESPONSE,
        "Say in an AuthnStatement when and how the person signed in.",
        confirmed=False,
    ),
    Rule(
        "session-not-on-or-after",
        "SessionNotOnOrAfter, if given, lies ahead (it shortens the session).",
        EXPIRED,
        "Leave SessionNotOnOrAfter out, or set it to the wanted end of the session.",
        confirmed=False,
    ),
)

_START_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Conditions:
    """When the assertion was made, for whom, and when the session must end."""

    issued: datetime
    audiences: tuple[str, ...]
    session_ends: datetime | None


def read_conditions(
    assertion: etree._Element, partition: str | None, now: datetime, notebook: Notebook
) -> Conditions:
    """Times and audiences of the assertion, each rule noted.

    `partition` is that of the role; None, where no role could be read, allows any.
    """
    identifier, version = assertion.get("ID", ""), assertion.get("Version", "")
    notebook.note(
        "assertion",
        bool(identifier) and version == "2.0",
        f"Version {version or 'missing'}, ID {identifier or 'missing'}",
        "2.0 and an ID",
    )
    issued = _check_issue(assertion, now, notebook)
    found = assertion.findall(f"{ASSERTION}Conditions")
    audiences: tuple[str, ...] = ()
    if notebook.note(
        "conditions",
        len(found) == 1 and found[0].get("NotOnOrAfter") is not None,
        f"{len(found)} Conditions" + ("" if len(found) != 1 else _window(found[0])),
        "one, with NotOnOrAfter",
    ):
        _check_window(found[0], now, notebook)
        audiences = _check_audience(found[0], partition, notebook)
    return Conditions(issued, audiences, _check_authentication(assertion, now, notebook))


def _check_issue(assertion: etree._Element, now: datetime, notebook: Notebook) -> datetime:
    stated = assertion.get("IssueInstant", "")
    issued = read_instant(stated)
    if issued is None or not notebook.note(
        "issue-instant", issued - now <= CLOCK_SKEW, stated, f"no later than {now:%FT%TZ}"
    ):
        notebook.note("issue-instant", False, stated or "missing", "a UTC time, not in the future")
        return _START_OF_TIME
    age = int((now - issued).total_seconds())
    notebook.note(
        "five-minutes", now - issued <= REDEEM_WITHIN, f"issued {age} s ago", "300 s at most"
    )
    return issued


def _window(conditions: etree._Element) -> str:
    return f", {conditions.get('NotBefore', '…')} to {conditions.get('NotOnOrAfter', 'no end')}"


def _check_window(conditions: etree._Element, now: datetime, notebook: Notebook) -> None:
    early = conditions.get("NotBefore")
    starts = read_instant(early)
    notebook.note(
        "conditions-not-before",
        early is None or (starts is not None and starts - now <= CLOCK_SKEW),
        early or "absent",
        f"no later than {now:%FT%TZ}",
    )
    late = conditions.get("NotOnOrAfter", "")
    ends = read_instant(late)
    notebook.note(
        "conditions-fresh", ends is not None and now < ends, late, f"later than {now:%FT%TZ}"
    )


def _check_audience(
    conditions: etree._Element, partition: str | None, notebook: Notebook
) -> tuple[str, ...]:
    if partition is None:
        accepted = tuple(name for names in AUDIENCES.values() for name in names)
    else:
        accepted = AUDIENCES[partition]
    restrictions = [
        [text_of(e) for e in restriction.findall(f"{ASSERTION}Audience")]
        for restriction in conditions.findall(f"{ASSERTION}AudienceRestriction")
    ]
    audiences = tuple(name for names in restrictions for name in names)
    notebook.note(
        "audience",
        bool(restrictions) and all(set(names) & set(accepted) for names in restrictions),
        ", ".join(audiences) or "none",
        " or ".join(accepted),
    )
    return audiences


def _check_authentication(
    assertion: etree._Element, now: datetime, notebook: Notebook
) -> datetime | None:
    statements = assertion.findall(f"{ASSERTION}AuthnStatement")
    instants = [element.get("AuthnInstant", "") for element in statements]
    if not notebook.note(
        "authn-statement",
        len(instants) == 1 and read_instant(instants[0]) is not None,
        ", ".join(instants) or "none",
        "one, with a UTC AuthnInstant",
    ):
        return None
    stated = statements[0].get("SessionNotOnOrAfter")
    ends = read_instant(stated)
    notebook.note(
        "session-not-on-or-after",
        stated is None or (ends is not None and now < ends),
        stated or "absent",
        f"absent, or later than {now:%FT%TZ}",
    )
    return ends
