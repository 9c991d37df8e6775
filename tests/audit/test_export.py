"""Exports that other programs read: whole, verifiable, and harmless."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace

from idp.audit.chain import GENESIS, SEALED
from idp.audit.export import write_csv, write_json_lines
from idp.audit.reading import Record, Search, matching
from idp.db.engine import Database
from tests.audit.chains import load

RECORD = Record(1, "2026-01-01T00:00:00.000000Z", "x", "local/ann", "", "", None, "{}", "0", "1")


def test_json_lines_hold_all_that_it_takes_to_verify_the_chain(sqlite: Database) -> None:
    load(sqlite, 50)
    file = io.StringIO()
    assert write_json_lines(matching(sqlite, Search()), file) == 50
    previous = GENESIS
    for line in file.getvalue().splitlines():
        row = json.loads(line)
        row["detail"] = json.dumps(row["detail"], sort_keys=True)
        columns = [row[column.name] for column in SEALED]
        text = json.dumps(columns, separators=(",", ":"))
        assert row["previous_hash"] == previous
        previous = hashlib.sha256(text.encode()).hexdigest()
        assert row["hash"] == previous


def test_csv_has_the_same_rows(sqlite: Database) -> None:
    load(sqlite, 50)
    file = io.StringIO(newline="")
    assert write_csv(matching(sqlite, Search()), file) == 50
    rows = list(csv.DictReader(io.StringIO(file.getvalue(), newline="")))
    assert [row["seq"] for row in rows] == [str(number) for number in range(1, 51)]
    assert json.loads(rows[0]["detail"])["duration"] == 3600
    assert rows[9]["assertion_id"] == ""


def test_no_cell_is_a_formula_or_moves_the_cursor() -> None:
    file = io.StringIO(newline="")
    hostile = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '"=1', "\x1b[2J", 'a,"b"\nc')
    write_csv((replace(RECORD, actor=text) for text in hostile), file)
    cells = [row["actor"] for row in csv.DictReader(io.StringIO(file.getvalue(), newline=""))]
    assert cells == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@SUM(A1)",
        "'\\t=1",
        "'\\r=1",
        '"=1',
        "\\x1b[2J",
        'a,"b"\\nc',
    ]
