"""Reading people from CSV or JSON lines: every line becomes a checked row or a reason why not."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from idp.directory.passwords import check_new_password, check_password_hash
from idp.directory.profile import Profile, checked_attribute_name, checked_profile
from idp.directory.usernames import username_key
from idp.errors import IdpError

ImportFormat = Literal["csv", "jsonl"]

LONGEST_LINE = 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_OWN_COLUMNS = ("username", "display_name", "email", "groups", "password", "password_hash")


class BadImportFile(IdpError):
    """The file as a whole can't be read as a list of people."""


class _BadRow(IdpError):
    """One line is not in the form of a person."""


class _UnreadableLine(csv.Error):
    """A line is not text, and what follows it can't be trusted to be lines."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class ImportRow:
    """One person of the file, checked. `line` is where they begin, `key` is the user name's key.

    `given` are the names that the line speaks of, attributes among them: an update leaves alone
    what is not in it. At most one of `password` and `password_hash` is set.
    """

    line: int
    key: str
    profile: Profile
    given: frozenset[str]
    password: str | None
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be imported. `reason` never shows a password."""

    line: int
    reason: str


def read_rows(stream: BinaryIO, form: ImportFormat) -> Iterator[ImportRow | BadLine]:
    """Every line of the file as a row or a reason. Raises BadImportFile for an unusable header.

    CSV: a header with `username` and any of display_name, email, groups (separated by semicolons),
    password or password_hash; any other column is an attribute, several of one name give several
    values, an empty cell gives none. JSON lines: objects with the same names; groups is a list,
    an attribute is text or a list of texts.
    """
    return _read_csv(stream) if form == "csv" else _read_json_lines(stream)


def _read_csv(stream: BinaryIO) -> Iterator[ImportRow | BadLine]:
    reader = csv.reader(_decoded(_lines(stream)), strict=True)
    columns: list[str] = []
    try:
        columns = _columns(next(reader, []))
        given = frozenset(columns)
        for line, cells in _numbered(reader):
            if cells:
                try:
                    yield _checked_row(line, _fields(columns, cells), given)
                except IdpError as refusal:
                    yield BadLine(line, str(refusal))
    except csv.Error as problem:
        if not columns:
            raise BadImportFile(f"The file is not CSV: {problem}.", "Export it again.") from None
        bad = problem.line if isinstance(problem, _UnreadableLine) else reader.line_num
        yield BadLine(bad, f"This is not CSV: {problem}. The lines after it were not read.")


def _numbered(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line on which each begins: a quoted cell may run over several lines."""
    begins = reader.line_num + 1
    for cells in reader:
        yield begins, cells
        begins = reader.line_num + 1


def _columns(header: list[str]) -> list[str]:
    columns = []
    for cell in header:
        name = cell.strip().lower()
        columns.append(sys.intern(name if name in _OWN_COLUMNS else checked_attribute_name(name)))
    if "username" not in columns:
        raise BadImportFile(
            "The first line has no column username.",
            "It should be like: username,display_name,email,groups,department",
        )
    for name in _OWN_COLUMNS:
        if columns.count(name) > 1:
            raise BadImportFile(f"The column {name} is there twice.", "Keep one.")
    return columns


def _fields(columns: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) != len(columns):
        raise _BadRow(f"There are {len(cells)} cells and {len(columns)} columns.")
    fields: dict[str, Any] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column == "groups":
            fields[column] = [name.strip() for name in cell.split(";") if name.strip()]
        elif column in _OWN_COLUMNS:
            fields[column] = cell
        elif cell:
            fields.setdefault(column, []).append(cell)
    return fields


def _read_json_lines(stream: BinaryIO) -> Iterator[ImportRow | BadLine]:
    try:
        for line, raw in enumerate(_lines(stream), start=1):
            if not raw.strip():
                continue
            try:
                fields = _object(raw)
                yield _checked_row(line, fields, frozenset(fields))
            except IdpError as refusal:
                yield BadLine(line, str(refusal))
    except _UnreadableLine as problem:
        yield BadLine(problem.line, f"This is no line: {problem}. Those after it were not read.")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw.decode(), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as problem:
        reason = problem.msg if isinstance(problem, json.JSONDecodeError) else "it can't be read"
        raise _BadRow(f"The line is not JSON in UTF-8: {reason}.") from None
    if not isinstance(found, dict):
        raise _BadRow("The line is not a JSON object.")
    fields: dict[str, Any] = {}
    for given, value in found.items():
        name = given.lower()
        name = sys.intern(name if name in _OWN_COLUMNS else checked_attribute_name(given))
        if name in fields:
            raise _BadRow(f"{name} is there twice.")
        if name in _OWN_COLUMNS:
            fields[name] = _list_of_text(name, value) if name == "groups" else _text(name, value)
        else:
            fields[name] = [value] if isinstance(value, str) else _list_of_text(name, value)
    return fields


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _BadRow("A name is there twice.")
    return found


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _BadRow(f"{name} is not text.")
    return value


def _list_of_text(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _BadRow(f"{name} is not a list of texts.")
    return value


def _checked_row(line: int, fields: Mapping[str, Any], given: frozenset[str]) -> ImportRow:
    profile = checked_profile(
        fields.get("username", ""),
        fields.get("display_name", ""),
        fields.get("email", ""),
        map(sys.intern, fields.get("groups", ())),
        {name: values for name, values in fields.items() if name not in _OWN_COLUMNS},
    )
    password = fields.get("password") or None
    password_hash = fields.get("password_hash") or None
    if password and password_hash:
        raise _BadRow("There is a password and a password_hash.", "Give one of them.")
    if password:
        check_new_password(password, profile.username)
    if password_hash:
        check_password_hash(password_hash)
    return ImportRow(line, username_key(profile.username), profile, given, password, password_hash)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    number = 1
    while raw := stream.readline(LONGEST_LINE + 1):
        if len(raw) > LONGEST_LINE:
            raise _UnreadableLine(number, f"it is longer than {LONGEST_LINE} bytes")
        yield raw.removeprefix(_BOM) if number == 1 else raw
        number += 1


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, raw in enumerate(lines, start=1):
        try:
            yield raw.decode()
        except UnicodeDecodeError:
            raise _UnreadableLine(number, "it is not UTF-8") from None
