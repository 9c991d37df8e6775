"""Where a signing key is kept, and a signer that uses it there."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from idp.keys import kms_custody, pkcs11_custody
from idp.keys.certificate import fingerprint, self_signed
from idp.keys.custody import open_signer
from idp.keys.file_custody import FileSigner
from idp.keys.signing_key import KeyState, SigningKey
from idp.saml.signature import Signer
from idp.settings import Settings
from tests.bench.rows import ENGINE_OF_ONE_CORE
from tests.making import NOON, memory_key
from tests.servers.kms import CREDENTIALS, Kms
from tests.servers.softhsm import SoftHsm, find_module


@dataclass(frozen=True, slots=True)
class Custody:
    """`target` is for responses, in relation to raw RSA on one core; None where it is not ours.

    `missing` says what is not installed, "" if all is there.
    """

    key: str
    title: str
    open: Callable[[], AbstractContextManager[Signer]]
    target: float | None = None
    missing: str = ""


@contextmanager
def _file() -> Iterator[Signer]:
    made = memory_key()
    yield FileSigner(made.certificate, made.private)


@contextmanager
def _pkcs11() -> Iterator[Signer]:
    module = find_module()
    assert module is not None
    with SoftHsm(module) as token:
        yield _signer("pkcs11", {"pkcs11": token.settings()})


@contextmanager
def _kms() -> Iterator[Signer]:
    with Kms() as server:
        before = {name: os.environ.get(name) for name in CREDENTIALS}
        os.environ.update(CREDENTIALS)
        try:
            # Past its door, which would be measured as well.
            yield _signer("kms", {"kms": server.settings(endpoint_url=server.moto_url)})
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


def _signer(custody: str, keys: dict[str, Any]) -> Signer:
    """A signer for a new key, opened as the server opens it."""
    settings = Settings.model_validate({"keys": keys})
    make = pkcs11_custody.make_key if custody == "pkcs11" else kms_custody.make_key
    key_id = secrets.token_hex(8)
    made = make(settings, key_id, 2048)
    certificate = self_signed(made.signing_key, "bench", NOON, timedelta(days=30))
    key = SigningKey(
        id=key_id,
        state=KeyState.ACTIVE,
        custody=custody,
        locator=made.locator,
        certificate=certificate,
        fingerprint=fingerprint(certificate),
        created_at=NOON,
        activated_at=NOON,
    )
    return open_signer(key, settings)


_has_token = find_module() is not None and shutil.which("softhsm2-util") is not None

CUSTODIES = (
    Custody("file", "key in a file", _file, ENGINE_OF_ONE_CORE),
    Custody("pkcs11", "key in SoftHSM2", _pkcs11, missing="" if _has_token else "SoftHSM2"),
    Custody("kms", "key in KMS (moto)", _kms),
)
