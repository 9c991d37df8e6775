"""[[directories]]: what is refused, and that nothing unsafe comes by default."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from idp.settings import Settings, SettingsError, load_settings

CORP: dict[str, Any] = {
    "name": "corp",
    "kind": "ldap",
    "servers": ["ldap.corp.example"],
    "base_dn": "dc=corp,dc=example",
}


def _load(folder: Path, *directories: dict[str, Any]) -> Settings:
    file = folder / "idp.toml"
    file.write_text(tomli_w.dumps({"directories": list(directories)}))
    return load_settings(file)


def test_our_own_database_is_the_only_directory_by_default() -> None:
    (only,) = Settings().directories
    assert (only.name, only.kind) == ("local", "local")


def test_tls_is_on_unless_it_is_switched_off_by_name(tmp_path: Path) -> None:
    assert _load(tmp_path, CORP).directories[0].tls == "ldaps"
    assert _load(tmp_path, {**CORP, "tls": "none"}).directories[0].tls == "none"


def test_directories_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "IDP_DIRECTORIES",
        '[{"name": "corp", "kind": "ldap", "servers": ["a"], "base_dn": "dc=a"}]',
    )
    assert load_settings().directories[0].servers == ("a",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"servers": ["ldaps://ldap.corp.example"]}, "a host, or a host and a port"),
        ({"servers": []}, "either servers or srv_record"),
        ({"srv_record": "_ldap._tcp.corp.example"}, "either servers or srv_record"),
        ({"base_dn": ""}, "set base_dn"),
        ({"bind_dn": "cn=idp"}, "bind_dn goes together with"),
        ({"bind_password_env": "SECRET"}, "bind_dn goes together with"),
        ({"bind_dn": "cn=idp", "bind_password_env": "IDP_SECRET"}, "should not begin with IDP_"),
        ({"tls": "none", "ca_file": "ca.pem"}, "ca_file has no use"),
        ({"tls": "yes"}, "tls"),
        ({"name": "cor p"}, "1 to 64 letters"),
        ({"realms": ["corp\\example"]}, "realms"),
        ({"attributes": {"Department": "ou"}}, "a letter and up to 63"),
        ({"attributes": {"department": "ou)(uid=*"}}, "name of an LDAP attribute"),
        ({"login_attributes": ["uid)(x"]}, "name of an LDAP attribute"),
        ({"groups_from": []}, "at least 1"),
        ({"password_change_url": "javascript:alert(1)"}, "address of a page"),
        ({"bind_password": "secret"}, "Extra inputs"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError, match="directories") as refusal:
        _load(tmp_path, {**CORP, **changed})
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"name": "CORP"}, "two directories with the name"),
        ({"name": "other", "realms": ["corp.EXAMPLE"]}, "is that of corp and of other"),
    ],
)
def test_names_and_realms_belong_to_one_directory(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        _load(tmp_path, {**CORP, "realms": ["corp.example"]}, {**CORP, **other})
    assert said in str(refusal.value)


def test_there_is_one_local_database(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="at most one directory is local"):
        _load(tmp_path, {"name": "one"}, {"name": "two"})


def test_commands_do_not_load_ldap_libraries_that_no_directory_needs() -> None:
    code = "import sys, idp.cli.user, idp.cli.roles; print({'ldap3', 'dns'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
