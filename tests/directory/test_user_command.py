"""idp user, run as a program."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

GOOD = "correct horse battery"


class Idp:
    """The command with a database of its own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("IDP_")},
            "IDP_DATABASE__URL": url,
            "IDP_SIGN_IN__ARGON2_MEMORY_KIB": "8192",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        self.command = [sys.executable, "-m", "idp", "user"]

    def __call__(self, *arguments: str, typed: str = "", code: int = 0) -> str:
        done = subprocess.run(
            [*self.command, *arguments],
            input=typed.encode(),
            capture_output=True,
            cwd=self.folder,
            env=self.environment,
            check=False,
            timeout=60,
        )
        output = (done.stdout + done.stderr).decode()
        assert done.returncode == code, output
        assert "Traceback" not in output
        return output


@pytest.fixture
def idp(sqlite_url: str, tmp_path: Path) -> Idp:
    return Idp(sqlite_url, tmp_path)


def test_the_life_of_a_person(idp: Idp) -> None:
    idp(
        *("add", "ann", "--display-name", "Ann Lee", "--email", "ann@x.org", "--group", "b"),
        *("--group", "a", "--attribute", "Dept=x=y", "--attribute", "dept=z", "--password-stdin"),
        typed=GOOD + "\n",
    )
    shown = json.loads(idp("show", "ANN", "--json"))
    assert shown["groups"] == ["a", "b"]
    assert shown["attributes"] == {"dept": ["x=y", "z"]}
    assert shown["has_password"] is True
    assert "display name: Ann Lee" in idp("show", "ann")
    idp("set-groups", "ann", "c")
    idp("disable", "ann")
    listed = json.loads(idp("list", "--json"))
    assert [(each["username"], each["groups"]) for each in listed] == [("ann", ["c"])]
    assert listed[0]["disabled_at"]
    idp("enable", "ann")
    idp("set-password", "ann", "--password-stdin", typed="another long password\n")
    assert json.loads(idp("show", "ann", "--json"))["disabled_at"] is None


def test_lists_and_searches(idp: Idp) -> None:
    assert json.loads(idp("list", "--json")) == []
    for name, group in (("ann", "x"), ("bob", "y"), ("Änne", "x")):
        idp("add", name, "--no-password", "--group", group)
    assert idp("list").splitlines()[0].split("\t")[0] == "ann"
    assert len(json.loads(idp("list", "--json", "--group", "x"))) == 2
    assert [each["username"] for each in json.loads(idp("list", "--json", "--search", "ÄN"))] == [
        "Änne"
    ]


def test_reads_a_password_from_a_file(idp: Idp) -> None:
    (idp.folder / "secret").write_text(GOOD + "\r\n")
    idp("add", "ann", "--password-file", "secret")
    assert "yes" in idp("show", "ann")


def test_asks_twice_on_a_terminal_and_shows_nothing(idp: Idp) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*idp.command, "add", "ann"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=idp.folder,
        env=idp.environment,
        start_new_session=True,
    )
    os.close(theirs)
    seen = b""
    for prompt in (b"Password:", b"Once more:"):
        while prompt not in seen:
            seen += os.read(ours, 1024)
        os.write(ours, GOOD.encode() + b"\n")
    with suppress(OSError):  # the terminal is gone when the command has ended
        while more := os.read(ours, 1024):
            seen += more
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert GOOD.encode() not in seen
    assert b"Added ann." in seen


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        (("add", "ann"), ""),
        (("add", "ann", "--password-stdin"), "short\n"),
        (("add", "ann", "--password-stdin"), ""),
        (("add", "ann", "--password-stdin", "--no-password"), GOOD),
        (("add", "ann\u202e", "--no-password"), ""),
        (("add", "", "--no-password"), ""),
        (("add", "x" * 129, "--no-password"), ""),
        (("add", "\udcff", "--no-password"), ""),
        (("add", "ann", "--no-password", "--attribute", "dept"), ""),
        (("add", "ann", "--no-password", "--attribute", "email=x"), ""),
        (("add", "ann", "--no-password", "--email", "no address"), ""),
        (("show", "nobody"), ""),
        (("disable", "nobody"), ""),
        (("set-password", "nobody", "--password-stdin"), GOOD),
        (("set-groups", "nobody", "x"), ""),
        (("import", "missing.csv"), ""),
    ],
)
def test_bad_input_is_told_in_a_sentence(idp: Idp, arguments: tuple[str, ...], typed: str) -> None:
    idp(*arguments, typed=typed, code=2)
    assert json.loads(idp("list", "--json")) == []


def test_imports_a_file_or_says_why_not(idp: Idp) -> None:
    people = idp.folder / "people.csv"
    people.write_text(f"username,groups,password\nann,a;b,{GOOD}\nbob,,\n")
    assert "Would add 2 and update 0" in idp("import", "people.csv", "--dry-run")
    assert json.loads(idp("list", "--json")) == []
    assert "Added 2 and updated 0" in idp("import", "people.csv")
    assert "line 2: There is a user 'ann' already" in idp("import", "people.csv", code=2)
    assert "Added 0 and updated 2" in idp("import", "people.csv", "--update")
    people.rename(idp.folder / "people")
    assert "--format" in idp("import", "people", code=2)
    assert "updated 2" in idp("import", "people", "--format", "csv", "--update")
