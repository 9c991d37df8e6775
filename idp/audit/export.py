"""The trail in other programs' formats, row by row."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any, TextIO

from idp.audit.reading import Record
from idp.audit.text import printable

# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NAMES = [field.name for field in fields(Record)]


def as_document(record: Record) -> dict[str, Any]:
    """The row with its detail as an object; keys as the columns are named.

    The stored detail is this object as Python's json.dumps writes it with sorted keys.
    """
    return {**asdict(record), "detail": record.told()}


def write_json_lines(records: Iterable[Record], file: TextIO) -> int:
    """One JSON object a line, ASCII; gives the number of rows."""
    count = 0
    for record in records:
        file.write(json.dumps(as_document(record)) + "\n")
        count += 1
    return count


def write_csv(records: Iterable[Record], file: TextIO) -> int:
    """Comma-separated with a line of names (RFC 4180); gives the number of rows.

    A cell that a spreadsheet would run as a formula gets an apostrophe in front; what is invisible
    is written as an escape.
    """
    writer = csv.writer(file)
    writer.writerow(_NAMES)
    count = 0
    for record in records:
        writer.writerow([_cell(getattr(record, name)) for name in _NAMES])
        count += 1
    return count


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return "'" * text.startswith(_FORMULA) + printable(text)
