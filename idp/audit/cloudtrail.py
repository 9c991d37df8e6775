"""CloudTrail's AssumeRoleWithSAML events, read from what AWS and its tools write."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from idp.errors import IdpError

EVENT_NAME = "AssumeRoleWithSAML"
LARGEST_FILE = 256 * 1024 * 1024  # bytes, unpacked; CloudTrail delivers some megabytes at most


class BadCloudTrail(IdpError):
    """A file does not hold CloudTrail events."""


@dataclass(frozen=True, slots=True)
class RoleAssumed:
    """One AssumeRoleWithSAML event. What the event does not say is empty, or None for numbers.

    `error` is AWS's error code if it refused. Fields: CloudTrail User Guide, "Log file examples",
    and IAM User Guide, "Logging IAM and AWS STS API calls with AWS CloudTrail".
    """

    event_id: str
    at: datetime
    account: str
    role: str
    provider: str
    session_name: str
    assertion_id: str
    source_identity: str
    issuer: str
    duration: int | None
    address: str
    error: str


def read_events(paths: Iterable[Path], standard_input: bytes = b"") -> Iterator[RoleAssumed]:
    """The AssumeRoleWithSAML events of files and folders, "-" meaning `standard_input`.

    Taken are CloudTrail's own log files (`{"Records": [...]}`, gzip or not), what
    `aws cloudtrail lookup-events` prints, a list of events, and JSON lines. In folders, that is
    every .json, .jsonl and .gz below. An event that stands in several files is given once.
    Raises BadCloudTrail.
    """
    seen = set[str]()
    for path in paths:
        for file in _files(path):
            content = standard_input if str(file) == "-" else _content(file)
            for document in _documents(content, str(file)):
                event = _event(document, str(file))
                if event is None or event.event_id in seen:
                    continue
                seen.add(event.event_id)
                yield event


def _files(path: Path) -> Iterator[Path]:
    if str(path) == "-" or not path.is_dir():
        yield path
        return
    found = sorted(file for file in path.rglob("*") if file.suffix in (".json", ".jsonl", ".gz"))
    if not found:
        raise BadCloudTrail(
            f"The folder {path} holds no .json, .jsonl or .gz file.",
            "Name a folder that CloudTrail's log files were copied to.",
        )
    yield from found


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            packed = opened.read(2) == b"\x1f\x8b"
            opened.seek(0)
            content = (
                gzip.GzipFile(fileobj=opened).read(LARGEST_FILE + 1)
                if packed
                else opened.read(LARGEST_FILE + 1)
            )
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadCloudTrail(f"{file} is cut off, or no gzip file.", "Copy it again.") from None
    except OSError as problem:
        raise BadCloudTrail(f"{file} can't be read: {problem.strerror}.") from None
    if len(content) > LARGEST_FILE:
        raise BadCloudTrail(
            f"{file} is larger than {LARGEST_FILE // 2**20} MiB.", "Split it, and name all parts."
        )
    return content


def _documents(content: bytes, name: str) -> Iterator[Mapping[str, Any]]:
    try:
        text = content.decode("utf-8-sig")
        try:
            whole = [json.loads(text)]
        except ValueError:
            whole = [json.loads(line) for line in text.splitlines() if line.strip()]
        if not whole:
            raise ValueError("empty")
        for each in whole:
            yield from _events_in(each)
    except (ValueError, RecursionError, TypeError, AttributeError):
        raise BadCloudTrail(
            f"{name} does not hold CloudTrail events.",
            "Wanted is a log file that CloudTrail delivered, or what "
            "`aws cloudtrail lookup-events --output json` prints.",
        ) from None


def _events_in(document: Any) -> Iterator[Mapping[str, Any]]:
    """The events of one JSON value, whichever of the known forms it has."""
    if isinstance(document, list):
        for each in document:
            yield from _events_in(each)
    elif "Records" in document:
        yield from _events_in(list(document["Records"]))
    elif "Events" in document:
        yield from _events_in(list(document["Events"]))
    elif "CloudTrailEvent" in document:
        yield from _events_in(json.loads(document["CloudTrailEvent"]))
    elif "eventName" in document:
        yield document
    else:
        raise ValueError("no event")


def _event(document: Mapping[str, Any], name: str) -> RoleAssumed | None:
    if document.get("eventName") != EVENT_NAME:
        return None
    try:
        asked = document.get("requestParameters") or {}
        answered = document.get("responseElements") or {}
        at = datetime.fromisoformat(str(document["eventTime"])).astimezone(UTC)
        role = str(asked.get("roleArn") or "")
        duration = asked.get("durationSeconds")
        return RoleAssumed(
            event_id=str(document["eventID"]),
            at=at,
            account=str(document.get("recipientAccountId") or "") or _account(role),
            role=role,
            provider=str(asked.get("principalArn") or ""),
            session_name=str(asked.get("roleSessionName") or ""),
            assertion_id=str(asked.get("sAMLAssertionID") or ""),
            source_identity=str(asked.get("sourceIdentity") or ""),
            issuer=str(answered.get("issuer") or ""),
            duration=None if duration is None else int(duration),
            address=str(document.get("sourceIPAddress") or ""),
            error=str(document.get("errorCode") or ""),
        )
    except (KeyError, ValueError, TypeError, AttributeError):
        raise BadCloudTrail(
            f"{name} has an {EVENT_NAME} event that can't be read: "
            f"{str(document.get('eventID'))[:64]!r}.",
            "It has no eventID or eventTime, or they are not as CloudTrail writes them.",
        ) from None


def _account(role: str) -> str:
    parts = role.split(":")
    return parts[4] if len(parts) > 4 else ""
