"""docs/key-custody.md does what it says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from idp.keys import kms_custody
from idp.settings import Settings
from tests.conftest import require_program
from tests.keys.conftest import settings_for
from tests.operations.node import PROJECT
from tests.servers.kms import CREDENTIALS, Kms
from tests.servers.softhsm import find_module

pytestmark = pytest.mark.xdist_group("heavy")

GUIDE = (PROJECT / "docs" / "key-custody.md").read_text()
HOME = "/var/lib/idp"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def settings_file(tmp_path: Path) -> Path:
    """idp.toml with all that the guide puts into it, for a folder of the test's own."""
    module = find_module()
    text = "\n".join(blocks("toml")).replace(HOME, str(tmp_path))
    if module:
        text = text.replace("/usr/lib/softhsm/libsofthsm2.so", str(module))
    file = tmp_path / "idp.toml"
    file.write_text(f'data_folder = "{tmp_path}/var"\n' + text)
    return file


def test_each_command_runs_as_written(kms: Kms, settings_file: Path, tmp_path: Path) -> None:
    require_program("softhsm2", "softhsm2-util")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "idp").symlink_to(Path(sys.executable).parent / "idp")
    script = "\n".join(["set -eu", "idp db upgrade", *blocks("sh")]).replace(HOME, str(tmp_path))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IDP_")}
    done = subprocess.run(
        [shutil.which("sh") or "sh", "-c", script],
        cwd=tmp_path,
        env={
            **kept,
            **CREDENTIALS,
            "PATH": f"{programs}:{kept['PATH']}",
            "IDP_CONFIG": str(settings_file),
            "IDP_KEYS__KMS__ENDPOINT_URL": kms.url,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pkcs11:token=idp;" in done.stdout
    assert "arn:aws:kms:eu-central-1:" in done.stdout
    allowed = {
        action.removeprefix("kms:")
        for each in blocks("json")[:1]
        for statement in json.loads(each)["Statement"]
        for action in statement["Action"]
    }
    assert set(kms.calls) <= allowed


def test_the_policies_are_whole() -> None:
    found: list[dict[str, Any]] = [json.loads(each) for each in blocks("json")]
    assert len(found) == 2
    for policy in found:
        assert policy["Version"] == "2012-10-17"
        for statement in policy["Statement"]:
            assert {"Effect", "Action", "Resource"} <= set(statement)
    signing, managing = found[1]["Statement"]
    assert signing["Action"] == "kms:Sign"
    assert "kms:Sign" not in managing["Action"]
    assert "kms:PutKeyPolicy" in managing["Action"], "else nobody could mend the policy"


def test_the_settings_are_taken(settings_file: Path) -> None:
    keys = Settings.model_validate(tomllib.loads(settings_file.read_text())).keys
    assert (keys.pkcs11.token, keys.kms.region) == ("idp", "eu-central-1")
    for name in re.findall(r"`keys\.(pkcs11|kms)\.(\w+)`", GUIDE):
        assert name[1] in type(getattr(keys, name[0])).model_fields


def test_a_key_that_nobody_uses_is_found_and_removed_as_written(kms: Kms, tmp_path: Path) -> None:
    aws = require_program("the AWS command line", str(Path(sys.executable).parent / "aws"), "aws")
    settings = settings_for(tmp_path, kms=kms.settings())
    arn = kms_custody.make_key(settings, "ab" * 8, 2048).locator

    def run(line: str) -> str:
        done = subprocess.run(
            [aws, *shlex.split(line)[1:], "--region", "eu-central-1", "--endpoint-url", kms.url],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    listing, deletion = re.findall(r"^aws kms (?:list-aliases|schedule-).*$", GUIDE, re.MULTILINE)
    name, key_id = run(listing).split()
    assert name == f"alias/idp-signing-{'ab' * 8}"
    assert arn.endswith(f"/{key_id}")
    run(deletion.replace("KEY-ID", key_id))
    state = kms.ask("DescribeKey", KeyId=key_id)["KeyMetadata"]["KeyState"]
    assert state == "PendingDeletion"
