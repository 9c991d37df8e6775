"""Checkpoints: what is signed, and what is refused."""

from __future__ import annotations

import base64
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from idp.audit.checkpoint import Checkpoint, CheckpointRefused, Statement
from tests.conftest import require_program
from tests.making import MemoryKey, memory_key

STATEMENT = Statement(
    7, "ab" * 32, "2026-11-23T12:00:00.000000Z", "https://idp.example.com/metadata", "cd" * 32
)


def signed(key: MemoryKey) -> Checkpoint:
    return Checkpoint.make(STATEMENT, key.certificate, lambda data: key.sign(data, "sha256"))


def test_survives_its_file() -> None:
    made = signed(memory_key())
    read = Checkpoint.from_json(made.to_json().encode())
    assert read == made
    read.check_signature(memory_key().x509)


def test_the_signature_holds_for_openssl(tmp_path: Path) -> None:
    """The signed text is the type on a line, then the statement as `jq -cS` prints it."""
    require_program("openssl", "openssl")
    document = json.loads(signed(memory_key()).to_json())
    statement = json.dumps(document["statement"], sort_keys=True, separators=(",", ":"))
    (tmp_path / "text").write_text(f"{document['type']}\n{statement}")
    (tmp_path / "signature").write_bytes(base64.b64decode(document["signature"]))
    (tmp_path / "key").write_bytes(
        memory_key()
        .x509.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature", "text"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "Verified OK\n"


def test_what_is_signed_can_not_be_a_saml_message() -> None:
    assert STATEMENT.signed_text().startswith(b"idp audit checkpoint v1\n{")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seq", 8),
        ("hash", "ef" * 32),
        ("time", "2027-11-23T12:00:00.000000Z"),
        ("entity_id", "https://other.example.com"),
        ("key", "ef" * 32),
    ],
)
def test_any_change_of_the_statement_breaks_the_signature(field: str, value: object) -> None:
    made = signed(memory_key())
    changed = replace(made, statement=replace(STATEMENT, **{field: value}))  # type: ignore[arg-type]
    with pytest.raises(CheckpointRefused, match="does not hold"):
        changed.check_signature(memory_key().x509)


def test_another_keys_certificate_is_refused() -> None:
    with pytest.raises(CheckpointRefused, match="does not hold"):
        signed(memory_key()).check_signature(memory_key(number=2).x509)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 60_000,
        b'{"type": "idp audit checkpoint v2", "algorithm": "rsa-sha256"}',
        b'{"type": "idp audit checkpoint v1", "algorithm": "none"}',
        signed(memory_key()).to_json().replace('"seq": 7', '"seq": "7"').encode(),
        signed(memory_key()).to_json().replace('"seq": 7', '"seq": true').encode(),
        signed(memory_key()).to_json().replace('"seq": 7', '"seq": 7, "more": 1').encode(),
        signed(memory_key()).to_json().replace('"signature": "', '"signature": "*').encode(),
    ],
)
def test_what_is_no_checkpoint_is_refused(content: bytes) -> None:
    with pytest.raises(CheckpointRefused):
        Checkpoint.from_json(content)
