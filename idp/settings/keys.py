"""Signing keys."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from idp.settings.custody import KmsSettings, Pkcs11Settings
from idp.settings.section import Section


class KeySettings(Section):
    """[keys]: where signing keys live."""

    folder: Path = Field(Path("certs"), description="Folder of key files, readable by us alone.")
    rsa_bits: Literal[2048, 3072, 4096] = Field(2048, description="Length of new keys.")
    certificate_days: int = Field(
        1095, ge=1, le=3650, description="How long certificates of new keys are valid."
    )
    pkcs11: Pkcs11Settings = Pkcs11Settings()
    kms: KmsSettings = KmsSettings()
