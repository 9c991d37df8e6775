"""idp settings, and the page that it makes."""

from __future__ import annotations

import json

from idp.cli.settings import reference
from idp.settings import Settings
from tests.cli.conftest import Run
from tests.servers.demonstration import ROOT


def test_the_page_in_docs_is_up_to_date() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == reference(), "run: idp settings --markdown > docs/settings.md"


def test_every_setting_says_what_it_means() -> None:
    for line in reference().splitlines():
        if line.startswith("| `"):
            assert not line.endswith("|  |"), line


def test_values_in_force_are_shown_without_passwords(idp: Run) -> None:
    done = idp(
        "settings",
        "--json",
        IDP_DATABASE__URL="postgresql://idp:hunter2-hunter2@db/idp",
        IDP_SERVER__PORT="9000",
        IDP_AWS__ENDPOINTS='["default", "eu-west-1"]',
    )
    assert done.returncode == 0
    assert "hunter2" not in done.stdout
    lines = {line["name"]: line for line in json.loads(done.stdout)}
    assert lines["server.port"]["value"] == "9000"
    assert lines["server.port"]["default"] == "8080"
    assert lines["server.port"]["variable"] == "IDP_SERVER__PORT"
    assert lines["aws.endpoints"]["value"] == '["default", "eu-west-1"]'
    assert {name.split(".")[0].split("[")[0] for name in lines} == set(Settings.model_fields)


def test_another_port_is_another_address_unless_one_is_set(idp: Run) -> None:
    def address(**environment: str) -> str:
        lines = json.loads(idp("settings", "--json", **environment).stdout)
        return next(str(line["value"]) for line in lines if line["name"] == "server.base_url")

    assert address() == "http://127.0.0.1:8080"
    assert address(IDP_SERVER__PORT="9000") == "http://127.0.0.1:9000"
    mine = {"IDP_SERVER__BASE_URL": "https://idp.example.com"}
    assert address(IDP_SERVER__PORT="9000", **mine) == "https://idp.example.com"
