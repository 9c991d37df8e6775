"""What CloudTrail would hold of the sandbox: AssumeRoleWithSAML, as AWS writes it down."""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from threading import Lock
from typing import Any

from idp.aws.arn import ProviderArn, RoleArn
from idp.sandbox.judge import Verdict
from idp.sandbox.refusal import AwsRefusal
from idp.sandbox.sessions import RoleSession

TARGET = "CloudTrail_20131101.LookupEvents"
MOST_EVENTS = 50_000
PAGE = 50  # LookupEvents gives at most 50 at a time (CloudTrail API reference)
_NAME = "AssumeRoleWithSAML"


class Trail:
    """The newest events of all accounts, in memory."""

    def __init__(self) -> None:
        self._events: deque[tuple[str, dict[str, Any]]] = deque(maxlen=MOST_EVENTS)
        self._lock = Lock()

    def assumed(
        self,
        verdict: Verdict,
        provider: ProviderArn,
        session: RoleSession,
        seconds: int,
        now: datetime,
    ) -> None:
        """Note a session that was opened."""
        event = _event(verdict, provider, session.role, now)
        event["requestParameters"]["durationSeconds"] = seconds
        event["responseElements"] = {
            "issuer": verdict.issuer,
            "subject": verdict.name_id,
            "audience": verdict.recipient,
            "assumedRoleUser": {"assumedRoleId": session.user_id, "arn": session.arn},
            "credentials": {
                "accessKeyId": session.access_key,
                "expiration": f"{session.expires:%b %-d, %Y, %-I:%M:%S %p}",
            },
        }
        self._keep(session.role.account, event)

    def refused(
        self,
        verdict: Verdict,
        provider: ProviderArn,
        role: RoleArn,
        refusal: AwsRefusal,
        now: datetime,
    ) -> None:
        """Note a session that AWS would not open."""
        event = _event(verdict, provider, role, now)
        event |= {"errorCode": refusal.code, "errorMessage": refusal.message}
        self._keep(role.account, event)

    def lookup(self, body: bytes, account: str) -> bytes:
        """Answer LookupEvents, newest first. Raises AwsRefusal."""
        asked = _asked(body)
        wanted = {
            str(each.get("AttributeKey")): str(each.get("AttributeValue"))
            for each in asked.get("LookupAttributes", [])
        }
        if set(wanted) - {"EventName"}:
            raise AwsRefusal(
                "InvalidLookupAttributesException", "The sandbox looks up by EventName only."
            )
        since, until = _moment(asked.get("StartTime")), _moment(asked.get("EndTime"))
        with self._lock:
            events = list(self._events)
        found: Iterable[dict[str, Any]] = (
            event
            for number, event in reversed(events)
            if number == account
            and wanted.get("EventName", _NAME) == _NAME
            and (since is None or datetime.fromisoformat(event["eventTime"]) >= since)
            and (until is None or datetime.fromisoformat(event["eventTime"]) <= until)
        )
        start = _start(asked.get("NextToken"))
        size = min(int(asked.get("MaxResults") or PAGE), PAGE)
        page = list(islice(found, start, start + size + 1))
        answer: dict[str, Any] = {"Events": [_looked_up(event) for event in page[:size]]}
        if len(page) > size:
            answer["NextToken"] = str(start + size)
        return json.dumps(answer).encode()

    def _keep(self, account: str, event: dict[str, Any]) -> None:
        with self._lock:
            self._events.append((account, event))


def _event(verdict: Verdict, provider: ProviderArn, role: RoleArn, now: datetime) -> dict[str, Any]:
    """The part that is there in any case (CloudTrail User Guide, "AWS STS API with SAML")."""
    asked: dict[str, Any] = {
        "sAMLAssertionID": verdict.assertion_id,
        "roleSessionName": verdict.session_name,
        "roleArn": str(role),
        "principalArn": str(provider),
    }
    if verdict.source_identity is not None:
        asked["sourceIdentity"] = verdict.source_identity
    if verdict.tags:
        asked["principalTags"] = dict(verdict.tags)
    if verdict.transitive:
        asked["transitiveTagKeys"] = list(verdict.transitive)
    return {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "SAMLUser",
            "principalId": f"{verdict.issuer}:{verdict.name_id}",
            "userName": verdict.name_id,
        },
        "eventTime": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "sts.amazonaws.com",
        "eventName": _NAME,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "127.0.0.1",
        "userAgent": "sandbox",
        "requestParameters": asked,
        "requestID": str(uuid.uuid4()),
        "eventID": str(uuid.uuid4()),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": role.account,
        "eventCategory": "Management",
    }


def _looked_up(event: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "ReadOnly": "true",
        "EventTime": datetime.fromisoformat(event["eventTime"]).timestamp(),
        "EventSource": event["eventSource"],
        "Username": event["userIdentity"]["userName"],
        "Resources": [],
        "CloudTrailEvent": json.dumps(event),
    }


def _asked(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body or b"{}")
        for each in asked.get("LookupAttributes", []):
            each.get("AttributeKey")
        int(asked.get("MaxResults") or 0)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise AwsRefusal("SerializationException", "The request can't be read.") from None
    return dict(asked)


def _moment(seconds: object) -> datetime | None:
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(float(str(seconds)), UTC)
    except (ValueError, OverflowError, OSError):
        raise AwsRefusal("InvalidTimeRangeException", "The time can't be read.") from None


def _start(token: object) -> int:
    text = str(token or 0)
    if not (text.isascii() and text.isdigit() and len(text) < 8):
        raise AwsRefusal("InvalidNextTokenException", "The token is none that was given.")
    return int(text)
