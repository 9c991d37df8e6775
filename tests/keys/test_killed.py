"""Killed at any moment, keys are whole: one active, none lost, every file opens."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import tomli_w

from idp.db.engine import Database
from idp.keys.custody import open_signer
from idp.keys.encryption_lock import alone
from idp.keys.file_custody import private_key_path
from idp.keys.lifecycle import retire
from idp.keys.reencryption import (
    add_key_encryption_key,
    drop_old_key_encryption_keys,
    encrypt_file,
)
from idp.keys.signing_key import KeyState
from idp.keys.steps import steps_of
from idp.keys.store import all_keys
from idp.settings import load_settings
from tests.making import generate_key
from tests.servers.demonstration import ROOT

ROUNDS = 4


@pytest.mark.xdist_group("heavy")
def test_a_process_that_is_killed_leaves_one_active_key_and_every_file_whole(
    sqlite: Database, sqlite_url: str, tmp_path: Path, now: datetime
) -> None:
    file = tmp_path / "idp.toml"
    file.write_text(
        tomli_w.dumps(
            {
                "data_folder": str(tmp_path / "data"),
                "database": {"url": sqlite_url},
                "keys": {"folder": str(tmp_path / "certs")},
            }
        )
    )
    settings = load_settings(file)
    with sqlite.writing() as session:
        generate_key(session, settings, now=now)
    for number in range(ROUNDS):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.keys.rotator", str(file)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", process.communicate()[1]
        assert process.stdout.readline() == "round\n", process.communicate()[1]
        time.sleep(0.07 * number)
        process.kill()
        assert process.communicate()[1] == ""
        with sqlite.reading() as session:
            keys = all_keys(session)
            newest = [steps_of(session, key.id)[-1].step for key in keys]
        states = [key.state for key in keys]
        assert states.count(KeyState.ACTIVE) == 1
        for key, step in zip(keys, newest, strict=True):
            open_signer(key, settings)
            assert key.locator == str(private_key_path(settings.keys.folder, key.id))
            assert step == ("generated" if key.state is KeyState.NEXT else _step_to(key.state))
        with sqlite.writing() as session:
            for key in keys:
                if key.state is KeyState.NEXT:
                    retire(session, key.id, now, "x")
    assert len(keys) > ROUNDS
    with alone(sqlite, settings):  # what the dead have locked is free
        add_key_encryption_key(settings)
        for key in keys:
            encrypt_file(key, settings)
        assert drop_old_key_encryption_keys(settings, keys) == 1
    known = {f"{key.id}.key" for key in keys}
    for folder in (settings.keys.folder, settings.data_folder):
        drafts = [path.name for path in folder.iterdir() if path.name.startswith(".")]
        assert [name for name in drafts if name[1:].rpartition(".")[0] in known] == []
        assert [name for name in drafts if "key-encryption" in name] == []


def _step_to(state: KeyState) -> str:
    return "activated" if state is KeyState.ACTIVE else state.value
