"""Importing people: all of them, or nobody and every reason."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from idp.db.engine import Database
from idp.directory.import_rows import ImportFormat, read_rows
from idp.directory.local import LocalDirectory
from idp.directory.passwords import Passwords
from idp.directory.user_import import ImportPlan, ImportRefused, apply_import, plan_import
from idp.errors import IdpError
from idp.settings import SessionSettings
from idp.signin.sessions import Sessions

GOOD = "correct horse battery"


class Importer:
    """Runs a whole import and keeps the steps that it told."""

    def __init__(self, database: Database, passwords: Passwords, now: datetime) -> None:
        self.database, self.passwords, self.now = database, passwords, now
        self.steps: list[tuple[str, int, int | None]] = []

    def __call__(
        self, content: str | bytes, form: ImportFormat = "csv", update: bool = False
    ) -> ImportPlan:
        plan = self.plan(content, form, update)
        apply_import(plan, self.database, self.passwords, now=self.now, progress=self._told)
        return plan

    def plan(
        self, content: str | bytes, form: ImportFormat = "csv", update: bool = False
    ) -> ImportPlan:
        stream = io.BytesIO(content.encode() if isinstance(content, str) else content)
        return plan_import(stream, form, self.database, update=update, progress=self._told)

    def _told(self, step: str, done: int, total: int | None) -> None:
        self.steps.append((step, done, total))


@pytest.fixture
def small_importer(sqlite: Database, passwords: Passwords, now: datetime) -> Importer:
    return Importer(sqlite, passwords, now)


@pytest.fixture
def importer(database: Database, passwords: Passwords, now: datetime) -> Importer:
    return Importer(database, passwords, now)


def test_imports_csv_with_passwords_hashes_groups_and_attributes(
    importer: Importer, local: LocalDirectory, passwords: Passwords
) -> None:
    ready = passwords.hash("from another system")
    plan = importer(
        "\ufeffusername,Display_Name,email,groups,password,password_hash,Phone,phone,note\r\n"
        f'ann,"Lee, Ann",ann@x.org,admins; all;,{GOOD},,1,2,"a;b"\r\n'
        "\r\n"
        f'bob,,,,,"{ready}",,,\r\n'
        "carl,,,,,,,,\r\n"
    )
    assert (plan.added, plan.updated, plan.passwords) == (3, 0, 1)
    ann = local.authenticate("ann", GOOD).person
    assert ann
    assert (ann.display_name, ann.email) == ("Lee, Ann", "ann@x.org")
    assert [group.name for group in ann.groups] == ["admins", "all"]
    assert ann.attributes == {"phone": ("1", "2"), "note": ("a;b",)}
    assert local.authenticate("bob", "from another system").person
    assert local.authenticate("carl", GOOD).reason == "no_password"
    assert ("Writing", 3, 3) in importer.steps


def test_imports_json_lines(importer: Importer, local: LocalDirectory) -> None:
    lines = [
        {"username": "ann", "groups": ["a", "b;c"], "phone": ["1", "2"], "note": "x"},
        {"username": "bob", "email": None, "password": GOOD},
    ]
    importer("\n\n".join(map(json.dumps, lines)), "jsonl")
    ann = local.account("ann").person
    assert [group.name for group in ann.groups] == ["a", "b;c"]
    assert ann.attributes == {"phone": ("1", "2"), "note": ("x",)}
    assert local.authenticate("bob", GOOD).person


def test_reports_every_bad_line_and_imports_nobody(
    importer: Importer, local: LocalDirectory, now: datetime
) -> None:
    local.add("taken", now=now)
    with pytest.raises(ImportRefused) as refusal:
        importer(
            "username,email,password,password_hash,note\n"
            "ann,,,,\n"
            "ANN,,,,\n"
            "a b ,,,,\n"
            "bob,no address,,,\n"
            "carl,,secret,,\n"
            "dora,,,$1$md5,\n"
            f'"eve\n",,,,\n'
            "fay,,,\n"
            "Taken,,,,\n"
            f"gil,,{GOOD},$argon2id$,\n"
        )
    assert [problem.line for problem in refusal.value.problems] == [3, 4, 5, 6, 7, 8, 10, 11, 12]
    text = str(refusal.value)
    assert "same as on line 2" in text
    assert "secret" not in text
    assert GOOD not in text
    assert [each.person.username for each in local.accounts()] == ["taken"]


def test_shows_twenty_reasons_and_counts_the_rest(small_importer: Importer) -> None:
    with pytest.raises(ImportRefused) as refusal:
        small_importer("username\n" + " x\n" * 30)
    assert len(refusal.value.problems) == 30
    assert "30 lines" in str(refusal.value)
    assert "line 21:" in str(refusal.value)
    assert "line 22:" not in str(refusal.value)
    assert "and 10 more" in str(refusal.value)


def test_an_update_changes_what_the_file_speaks_of(
    database: Database, importer: Importer, local: LocalDirectory, now: datetime
) -> None:
    attributes = {"keep": ["k"], "change": ["old"], "drop": ["d"]}
    ann = local.add(
        "Ann",
        now=now,
        display_name="Ann Lee",
        email="a@x.org",
        groups=["g"],
        attributes=attributes,
        password=GOOD,
    )
    sessions = Sessions(database, SessionSettings())
    sessions.open(ann, ("password",), "192.0.2.1", now)
    content = "username,email,change,drop,password\nANN,,new,,\nbob,b@x.org,,,\n"
    with pytest.raises(ImportRefused):
        importer(content)
    plan = importer(content, update=True)
    assert (plan.added, plan.updated) == (1, 1)
    changed = local.authenticate("ann", GOOD).person
    assert changed
    assert (changed.directory_id, changed.username) == (ann.directory_id, "Ann")
    assert (changed.display_name, changed.email, changed.groups) == ("Ann Lee", None, ann.groups)
    assert changed.attributes == {"keep": ("k",), "change": ("new",)}
    assert len(sessions.list_for(ann, now)) == 1
    importer("username,groups,password\nann,h,another long password\n", update=True)
    changed = local.authenticate("ann", "another long password").person
    assert changed
    assert [group.name for group in changed.groups] == ["h"]
    assert sessions.list_for(ann, now) == []


def test_a_user_added_meanwhile_stops_the_whole_import(
    importer: Importer, local: LocalDirectory, now: datetime
) -> None:
    plan = importer.plan("username\nann\nbob\n")
    local.add("bob", now=now)
    with pytest.raises(ImportRefused):
        apply_import(
            plan, importer.database, importer.passwords, now=now, progress=lambda *told: None
        )
    assert [each.person.username for each in local.accounts()] == ["bob"]


def test_ready_hashes_and_no_passwords_cost_no_argon2_and_few_statements(
    sqlite: Database, passwords: Passwords, now: datetime
) -> None:
    statements: list[str] = []
    event.listen(sqlite.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    rows = "".join(f"user{n},User {n},all;team-{n % 7}\n" for n in range(5000))
    importer = Importer(sqlite, passwords, now)
    plan = importer("username,display_name,groups\n" + rows)
    assert (plan.added, plan.passwords) == (5000, 0)
    assert not [step for step in importer.steps if step[0] == "Hashing passwords"]
    assert len(statements) < 100
    people = list(LocalDirectory(sqlite, passwords).people())
    assert len(people) == 5000
    assert all(len(person.groups) == 2 for person in people)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"name\nann\n",
        b"username,username\nann,bob\n",
        b"username,e mail\nann,x\n",
        b"username,\nann,x\n",
        "username\nann".encode("utf-16"),
        b'"username\n',
        b"x" * 2_000_000,
        b"username,directory_id\nann,x\n",
    ],
)
def test_a_header_that_names_no_columns_is_refused(
    small_importer: Importer, content: bytes
) -> None:
    with pytest.raises(IdpError) as refusal:
        small_importer(content)
    assert not isinstance(refusal.value, ImportRefused)


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{",
        b"null",
        b'{"username": 1}',
        b'{"username": "a", "username": "b"}',
        b'{"username": "a", "groups": "g"}',
        b'{"username": "a", "note": {"x": 1}}',
        b'{"username": "a", "note": [1]}',
        b'{"username": "a", "Note": "x", "note": "y"}',
        b'{"username": "a", "attributes": {"x": "y"}}',
        b'{"username": "\\ud800"}',
        b'{"username": "a\\u0000"}',
        b'{"username": "\xff"}',
        b"[" * 100_000,
        b'{"username": ' + b"9" * 10_000 + b"}",
        b'{"username": NaN}',
        b'{"username": "' + b"a" * 2_000_000 + b'"}',
    ],
)
def test_a_json_line_of_another_form_is_a_bad_line(small_importer: Importer, line: bytes) -> None:
    with pytest.raises(ImportRefused) as refusal:
        small_importer(b'{"username": "good"}\n' + line + b"\n", "jsonl")
    assert [problem.line for problem in refusal.value.problems] == [2]


@pytest.mark.parametrize(
    "line", [b"\xff", b'"a', b'"a"b', b"a" * 200_000, b"a" * 2_000_000, b"a\0"]
)
def test_a_csv_line_of_another_form_is_a_bad_line(small_importer: Importer, line: bytes) -> None:
    with pytest.raises(ImportRefused) as refusal:
        small_importer(b"username\ngood\n" + line + b"\n")
    assert [problem.line for problem in refusal.value.problems] == [3]


@given(st.binary() | st.text().map(str.encode), st.sampled_from(["csv", "jsonl"]))
def test_any_bytes_end_in_rows_or_reasons(content: bytes, form: ImportFormat) -> None:
    with suppress(IdpError):  # of the header
        list(read_rows(io.BytesIO(content), form))
    list(read_rows(io.BytesIO(b"username,password,note\n" + content), form))
