"""idp directory: checking step by step, showing somebody, reading everybody."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click.testing
import pytest
import tomli_w

from idp.cli.main import idp
from idp.db.engine import Database
from idp.entitlements.rule import RoleRule
from idp.entitlements.store import apply_rules
from idp.errors import IdpError
from tests.directory.ldap.conftest import MakeDirectory, settings_for
from tests.servers.ldap_certificates import Authority
from tests.servers.slapd import PASSWORD, SERVICE_PASSWORD, Slapd

ADMIN = "arn:aws:iam::111122223333:role/Admin"
Command = Callable[..., click.testing.Result]


@pytest.fixture
def command(slapd: Slapd, tmp_path: Path, sqlite_url: str) -> Command:
    """Run `idp WORDS` with a directory "corp" whose settings keyword arguments change."""

    def run(*words: str, **changed: Any) -> click.testing.Result:
        corp = settings_for(slapd, folder=tmp_path, **changed).model_dump(mode="json")
        kept = {name: value for name, value in corp.items() if value is not None}
        file = tmp_path / "idp.toml"
        directories = [{"name": "local"}, kept]
        file.write_text(
            tomli_w.dumps({"database": {"url": sqlite_url}, "directories": directories})
        )
        return click.testing.CliRunner().invoke(idp, ["-c", str(file), *words])

    return run


def _steps(done: click.testing.Result) -> dict[str, dict[str, Any]]:
    return {step["step"]: step for step in json.loads(done.stdout)}


def test_every_step_is_told_when_all_is_well(command: Command) -> None:
    done = command("directory", "check", "corp")
    assert done.exit_code == 0
    for step in ("resolve", "connect", "tls", "bind", "search", "groups"):
        assert f" {step}: " in done.stdout
    assert "TLSv1.3" in done.stdout
    assert SERVICE_PASSWORD not in done.output


def _own_ca(folder: Path) -> str:
    return str(Authority(folder / "other").file)


@pytest.mark.parametrize(
    ("changed", "step", "message", "advice"),
    [
        ({"servers": ["no-such-host.invalid"]}, "resolve", "", "name service"),
        ({"servers": ["127.0.0.1:1"]}, "connect", "refused", "firewalls"),
        ({"servers": ["127.0.0.2:PORT"]}, "connect", "refused", "firewalls"),
        ({"ca_file": "OTHER"}, "tls", "certificate is not accepted", "ca_file"),
        ({"ca_file": "/no/such/file"}, "tls", "can't be read", "PEM"),
        ({"tls": "ldaps", "servers": ["localhost:PLAIN"]}, "tls", "", "tls"),
        ({"bind_dn": "cn=nobody,dc=example,dc=test"}, "bind", "invalidCredentials", "password"),
        ({"bind_password_file": "EMPTY"}, "password", "no password", "Put it there"),
        ({"base_dn": "dc=elsewhere,dc=test"}, "search", "no entry", "base_dn"),
        ({"user_filter": "(objectClass=printer)"}, "search", "nobody", "user_filter"),
        ({"id_attribute": "employeeNumber"}, "search", "employeeNumber", "id_attribute"),
        ({"group_base_dn": "ou=nothing,dc=example,dc=test"}, "groups", "no entry", "group_base"),
        ({"srv_record": "_ldap._tcp.corp.invalid", "servers": []}, "discover", "", "srv_record"),
    ],
)
def test_the_first_step_that_fails_says_what_is_wrong(
    command: Command,
    slapd: Slapd,
    tmp_path: Path,
    changed: dict[str, Any],
    step: str,
    message: str,
    advice: str,
) -> None:
    (tmp_path / "empty").touch(mode=0o600)
    filled = {"EMPTY": str(tmp_path / "empty"), "OTHER": _own_ca(tmp_path)}
    for name, value in changed.items():
        if isinstance(value, list):
            ports = (("PORT", str(slapd.tls_port)), ("PLAIN", str(slapd.port)))
            for word, port in ports:
                value = [each.replace(word, port) for each in value]
        changed = {**changed, name: filled.get(value, value) if isinstance(value, str) else value}
    done = command("directory", "check", "corp", "--json", timeout_seconds=1.0, **changed)
    assert done.exit_code == 1, done.output
    steps = json.loads(done.stdout)
    failed = [each for each in steps if not each["good"]]
    assert [each["step"] for each in failed] == [step]
    assert steps[-1] == failed[0], "nothing is tried behind the step that failed"
    assert message in failed[0]["message"]
    assert advice in failed[0]["advice"]
    assert SERVICE_PASSWORD not in done.output


def test_a_search_that_needs_a_name_says_so_to_nobody(command: Command) -> None:
    done = command("directory", "check", "corp", "--json", bind_dn="", bind_password_file=None)
    assert done.exit_code == 1
    assert not _steps(done)["search"]["good"]


def test_shows_somebody_with_the_way_of_each_group(command: Command) -> None:
    done = command("directory", "show", "ann")
    assert done.exit_code == 0
    assert "group: inner (direct)" in done.stdout
    assert "group: outer (inherited: inner > middle > outer)" in done.stdout
    assert "department: Platform" in done.stdout
    (seen,) = json.loads(command("directory", "show", "ann", "--json").stdout)
    groups = {group["name"]: group for group in seen["groups"]}
    assert groups["outer"]["path"] == ["inner", "middle"]
    assert groups["unique"]["direct"]
    assert not seen["disabled"]


def test_shows_somebody_disabled_and_refuses_nobody(command: Command) -> None:
    assert "state: disabled" in command("directory", "show", "gone").stdout
    done = command("directory", "show", "nobody")
    assert isinstance(done.exception, IdpError)


def test_an_unknown_directory_is_named_with_those_there_are(command: Command) -> None:
    done = command("directory", "check", "nowhere")
    assert "local, corp" in str(done.exception)


def test_lists_the_directories(command: Command) -> None:
    listed = json.loads(command("directory", "list", "--json", realms=["CORP"]).stdout)
    assert [(each["name"], each["kind"]) for each in listed] == [
        ("local", "local"),
        ("corp", "ldap"),
    ]
    assert listed[1]["realms"] == ["CORP"]


def test_sync_reports_writes_and_compares(command: Command, slapd: Slapd, tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    slapd.add_person("leaver")
    done = command("directory", "sync", "corp", "--output", str(first), "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    lines = [json.loads(line) for line in first.read_text().splitlines()]
    assert report["people"]["corp"] == len(lines)
    assert first.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in first.read_text()
    assert "userPassword" not in first.read_text()
    ann = next(line for line in lines if line["username"] == "ann")
    assert {"inner", "middle", "outer", "posix", "unique"} == {g["name"] for g in ann["groups"]}
    slapd.delete("uid=leaver,ou=people,dc=example,dc=test")
    slapd.add_person("comer")
    done = command(*("directory", "sync", "corp", "--output", str(second), "--compare", str(first)))
    assert "Came: 1. Left: 1. Changed: 0." in done.stdout
    assert "came: comer" in done.stdout
    assert "left: leaver" in done.stdout
    slapd.delete("uid=comer,ou=people,dc=example,dc=test")


def test_sync_tells_whom_it_leaves_out(command: Command) -> None:
    done = command("directory", "sync", "corp", group_depth=1)
    assert "Left out, for they can't sign in: 2" in done.stderr
    assert "groups_too_deep: uid=ann,ou=people,dc=example,dc=test" in done.stderr
    done = command("directory", "sync", "corp", "--json", group_depth=1)
    assert json.loads(done.stdout)["left_out"] == {"groups_too_deep": 2}
    done = command("directory", "sync", "corp", "--json")
    assert json.loads(done.stdout)["left_out"] == {}
    assert done.stderr == ""


def test_check_names_rules_in_force_that_tell_groups_by_name_alone(
    command: Command, sqlite_url: str
) -> None:
    """They may be older than the directory's kind, or than the rule that they need a base."""
    loose = RoleRule("loose", directory="corp", groups=("admins",), roles=(ADMIN,))
    held = replace(loose, name="held", group_base=("ou=groups,dc=example,dc=test",))
    denies = replace(loose, name="denies", effect="deny")
    ours = replace(loose, name="ours", directory="local")
    database = Database(sqlite_url)
    with database.writing() as session:
        apply_rules(session, [loose, held, denies, ours])
    database.close()
    (line,) = [
        line for line in command("check").stdout.splitlines() if "group of that name" in line
    ]
    assert line.startswith("! role rules: loose: whoever can create")


def test_sync_refuses_a_list_that_is_none(command: Command, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.jsonl"
    for content in ("hello\n", "[]\n", '{"directory": "corp"}\n', "null\n"):
        wrong.write_text(content)
        done = command("directory", "sync", "corp", "--compare", str(wrong))
        assert "Line 1" in str(done.exception)


def test_explaining_roles_finds_people_of_every_directory(
    command: Command, sqlite: Database
) -> None:
    done = command("roles", "explain", "ann")
    assert done.exit_code == 0, done.output
    assert isinstance(command("roles", "explain", "nobody").exception, IdpError)


def test_check_warns_of_clear_text_and_of_a_password_that_is_not_there(
    command: Command, tmp_path: Path
) -> None:
    done = command("check", "--json", tls="none")
    found = {(finding["severity"], finding["subject"]) for finding in json.loads(done.stdout)}
    assert ("warning", "directory corp") in found
    (tmp_path / "ldap-password").chmod(0o644)
    done = command("check", "--json")
    bad = [each for each in json.loads(done.stdout) if each["subject"] == "directory corp"]
    assert "can be read by others" in bad[0]["message"]


def test_reading_everybody_takes_the_same_memory_for_more_of_them(make: MakeDirectory) -> None:
    with Slapd() as server:
        server.seed()
        peaks = []
        added = 0
        for count in (100, 500):
            with server.admin() as admin:
                for number in range(added, count):
                    uid = f"u{number:05}"
                    values = {"uid": uid, "cn": uid, "sn": uid}
                    admin.add(f"uid={uid},ou=people,dc=example,dc=test", "inetOrgPerson", values)
            added = count
            directory = make(server, page_size=50)
            tracemalloc.start()
            assert sum(1 for _ in directory.people()) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] * 1.5 + 200_000
