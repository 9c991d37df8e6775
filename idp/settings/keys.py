"""Signing keys."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from idp.settings.custody import KmsSettings, Pkcs11Settings
from idp.settings.section import Section


class KeySettings(Section):
    """[keys]: where signing keys live."""

    folder: Path = Field(Path("certs"), description="Folder of key files, readable by us alone.")
    rsa_bits: Literal[2048, 3072, 4096] = Field(2048, description="Length of new keys.")
    certificate_days: int = Field(
        1095, ge=1, le=3650, description="How long certificates of new keys are valid."
    )
    overlap_hours: int = Field(
        72, ge=1, le=8760, description="How long a rotation leaves the old certificate published."
    )
    rotate_days_before: int = Field(
        30,
        ge=0,
        le=3650,
        description="When `idp certs rotate --schedule` begins, before the certificate ends; "
        "0: never.",
    )
    propagation_seconds: int = Field(
        20,
        ge=0,
        le=3600,
        description="From the last account's taking a new certificate to the first signature: "
        "IAM needs a while to tell all of AWS.",
    )
    encryption: Literal["file", "environment", "kms", "none"] = Field(
        "file",
        description="Where the key-encryption key is that key files are encrypted with; `none` "
        "writes them unencrypted.",
    )
    encryption_key_file: Path | None = Field(
        None,
        description="For `file`: the key-encryption key, made at first use. Empty: "
        "key-encryption.key in the data folder.",
    )
    encryption_key: SecretStr = Field(
        SecretStr(""),
        description="For `environment`: 32 random bytes in base64. Set it as a variable only.",
    )
    encryption_kms_key: str = Field(
        "", description="For `kms`: ARN of a symmetric KMS key. Credentials as AWS tools find them."
    )
    pkcs11: Pkcs11Settings = Pkcs11Settings()
    kms: KmsSettings = KmsSettings()
