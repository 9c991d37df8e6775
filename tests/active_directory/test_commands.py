"""idp directory and idp check, with a real domain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest
import tomli_w

from idp.cli.main import idp
from idp.directory.active_directory.directory import ActiveDirectory
from idp.directory.active_directory.normal import completed
from idp.errors import IdpError
from idp.settings import load_settings
from idp.settings.directories import DirectorySettings
from tests.active_directory.conftest import SERVICE, Open, directory_table
from tests.active_directory.corp import EVERYBODY, READER
from tests.servers.samba import PASSWORD, Controller

pytestmark = pytest.mark.xdist_group("ad")

Command = Callable[..., click.testing.Result]


@pytest.fixture
def command(controller: Controller, tmp_path: Path, sqlite_url: str) -> Command:
    """Run `idp WORDS` with the directory "corp" and other sections of idp.toml."""

    def run(*words: str, corp: dict[str, Any] | None = None, **more: Any) -> click.testing.Result:
        table = directory_table(controller, tmp_path, **(corp or {}))
        document = {"database": {"url": sqlite_url}, "directories": [table], **more}
        (tmp_path / "idp.toml").write_text(tomli_w.dumps(document))
        config = str(tmp_path / "idp.toml")
        return click.testing.CliRunner().invoke(idp, ["-c", config, *words])

    return run


def test_check_walks_the_whole_chain(command: Command) -> None:
    done = command("directory", "check", "corp")
    assert done.exit_code == 0, done.output
    for step in ("resolve", "connect", "tls", "bind", "search", "groups"):
        assert f" {step}: " in done.stdout
    assert PASSWORD not in done.output


@pytest.mark.parametrize(
    ("changed", "step"),
    [
        ({"bind_dn": "nobody@corp.test"}, "bind"),
        ({"base_dn": "DC=other,DC=test"}, "search"),
        ({"group_base_dn": "OU=None,DC=corp,DC=test"}, "groups"),
    ],
)
def test_check_says_what_is_wrong(command: Command, changed: dict[str, Any], step: str) -> None:
    done = command("directory", "check", "corp", "--json", corp=changed)
    assert done.exit_code == 1
    (wrong,) = [each for each in json.loads(done.stdout) if not each["good"]]
    assert wrong["step"] == step
    assert wrong["advice"]


@pytest.mark.parametrize("way", ["token", "chain"])
def test_show_tells_how_each_group_came(command: Command, way: str) -> None:
    done = command("directory", "show", "CORP\\ann", "--json", corp={"nested_groups": way})
    assert done.exit_code == 0, done.output
    (seen,) = json.loads(done.stdout)
    assert seen["entry"] == "CN=Ann Archer,OU=People,DC=corp,DC=test"
    paths = {group["name"]: (group["direct"], group["path"]) for group in seen["groups"]}
    assert paths["AWS-inner"] == (True, [])
    assert paths["AWS-outer"] == (False, ["AWS-inner", "AWS-middle"])
    assert paths["Domain Users"] == (True, [])  # the primary group
    done = command("directory", "show", "ann@corp.test", corp={"nested_groups": way})
    assert "AWS-outer (inherited: AWS-inner > AWS-middle > AWS-outer)" in done.stdout


def test_show_says_why_somebody_may_not_sign_in(command: Command) -> None:
    for name, state in (
        ("ended", "account_expired"),
        ("dis", "disabled"),
        ("hours", "logon_hours"),
    ):
        assert f"state: {state}" in command("directory", "show", name).stdout


def test_everybody_who_may_sign_in_is_read_page_by_page(
    controller: Controller, open_corp: Open
) -> None:
    corp = open_corp(controller, page_size=10, user_base_dn="OU=People,DC=corp,DC=test")
    found = {person.username: person for person in corp.people()}
    accounts = {someone.account for someone in EVERYBODY}
    assert {"ann", "bob", "ddent", "target", READER} <= set(found)
    assert not {"dis", "ended", "must", "hours"} & set(found)
    assert set(found) <= accounts | {name for name in found if name.startswith(("r", "t", "new"))}
    assert found["ann"] == corp.find_by_name("ann")


def test_controllers_are_found_by_the_records_that_windows_publishes(
    controller: Controller,
) -> None:
    def record(**more: Any) -> str:
        table = {"kind": "active_directory", "name": "corp", "base_dn": "OU=A,DC=corp,DC=example"}
        return completed(DirectorySettings.model_validate({**table, **more})).srv_record

    assert record() == "_ldap._tcp.dc._msdcs.corp.example"
    assert record(global_catalogue=True) == "_gc._tcp.corp.example"
    assert record(srv_record="_ldap._tcp.berlin.corp.example") == "_ldap._tcp.berlin.corp.example"
    assert record(servers=["dc1.corp.example"]) == ""


def kerberos(keytab: Path) -> dict[str, Any]:
    table = {"keytab": str(keytab), "realm": "CORP.TEST", "directory": "corp"}
    return {**table, "service_principal": SERVICE}


def test_check_names_kerberos_and_what_is_wrong_with_it(command: Command, keytab: Path) -> None:
    done = command("check", kerberos=kerberos(keytab))
    assert f"✔ kerberos: {keytab} has a key of {SERVICE}@CORP.TEST" in done.stdout
    done = command("check", kerberos=kerberos(keytab), server={"base_url": "https://idp.test"})
    assert "No browser is asked for a ticket" in done.stdout
    for wrong, sentence in (
        ({"service_principal": "HTTP/elsewhere.test"}, "has no key of HTTP/elsewhere.test"),
        ({"directory": "local"}, "which is no Active Directory of ours"),
        ({"keytab": "/no/such/file"}, "can't be read from /no/such/file"),
    ):
        done = command("check", kerberos={**kerberos(keytab), **wrong})
        assert done.exit_code == 1
        assert sentence in done.stdout


@pytest.mark.parametrize(
    ("kerberos_table", "server", "sentence"),
    [
        ({"keytab": "k"}, {}, "keytab, realm and directory go together"),
        (
            {"keytab": "k", "realm": "R", "directory": "corp"},
            {"base_url": "http://idp.corp.test"},
            "kerberos needs an https server.base_url",
        ),
        ({"networks": ["10.1.2.3/8"]}, {}, "host bits set"),
        ({"networks": []}, {}, "kerberos.networks"),
        ({"service_principal": "host/idp.corp.test"}, {}, "should be like HTTP/"),
    ],
)
def test_settings_that_can_not_work_are_refused(
    tmp_path: Path, kerberos_table: dict[str, Any], server: dict[str, Any], sentence: str
) -> None:
    file = tmp_path / "idp.toml"
    file.write_text(tomli_w.dumps({"kerberos": kerberos_table, "server": server}))
    with pytest.raises(IdpError, match=sentence):
        load_settings(file)


def test_closing_a_directory_leaves_no_connection(controller: Controller, tmp_path: Path) -> None:
    settings = DirectorySettings.model_validate(directory_table(controller, tmp_path))
    opened = ActiveDirectory(settings)
    assert opened.find_by_name("ann")
    opened.close()
