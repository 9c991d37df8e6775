"""A token, a KMS, and the settings that keep keys there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from idp.settings import Settings
from tests.conftest import require_program
from tests.servers.kms import CREDENTIALS, Kms
from tests.servers.softhsm import SoftHsm, find_module


@pytest.fixture
def softhsm() -> Iterator[SoftHsm]:
    """A token of the test's own."""
    require_program("softhsm2", "softhsm2-util")
    module = find_module()
    assert module, "softhsm2-util is there, and its module is not"
    with SoftHsm(module) as token:
        yield token


@pytest.fixture(scope="module")
def kms_server() -> Iterator[Kms]:
    """A KMS for the tests of one file."""
    with Kms() as server:
        yield server


@pytest.fixture
def kms(kms_server: Kms, monkeypatch: pytest.MonkeyPatch) -> Kms:
    """That KMS, with credentials for it and none of this machine's."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    kms_server.forget()
    kms_server.calls.clear()
    return kms_server


@pytest.fixture(params=["file", "pkcs11", "kms"])
def custody(request: pytest.FixtureRequest) -> str:
    """Each custody."""
    name: str = request.param
    return name


@pytest.fixture
def key_settings(request: pytest.FixtureRequest, custody: str, tmp_path: Path) -> dict[str, Any]:
    """The table [keys] for the custody of the test."""
    found: dict[str, Any] = {"folder": tmp_path / "certs"}
    if custody == "pkcs11":
        found["pkcs11"] = request.getfixturevalue("softhsm").settings()
    if custody == "kms":
        found["kms"] = request.getfixturevalue("kms").settings()
    return found


def settings_for(folder: Path, **keys: Any) -> Settings:
    """Settings with these tables of [keys]."""
    return Settings.model_validate(
        {"data_folder": folder, "keys": {"folder": folder / "certs", **keys}}
    )
