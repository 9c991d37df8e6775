"""Where signing keys can be held besides files: a token, or AWS KMS."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator, model_validator

from idp.settings.section import Section


class Pkcs11Settings(Section):
    """[keys.pkcs11]: a token (an HSM) that holds signing keys."""

    module: Path | None = Field(
        None, description="The vendor's PKCS#11 library, like /usr/lib/softhsm/libsofthsm2.so."
    )
    token: str = Field("", max_length=32, description="Label of the token.")
    serial: str = Field(
        "", max_length=16, description="Its serial number, needed if several have this label."
    )
    pin_file: Path | None = Field(
        None, description="File with the user PIN, readable by us alone (mode 0600)."
    )
    pin_variable: str = Field(
        "", description="Or the name of an environment variable that holds the PIN."
    )
    answer_seconds: float = Field(
        3, ge=0.2, le=30, description="How long a sign-in waits for the token."
    )
    generate_seconds: float = Field(
        180, ge=1, le=3600, description="How long `idp certs generate` waits for a new key."
    )

    @field_validator("module")
    @classmethod
    def _whole_path(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_absolute():
            raise ValueError("should be an absolute path, for it is code that runs in our process")
        return value

    @field_validator("pin_variable")
    @classmethod
    def _no_setting_of_ours(cls, value: str) -> str:
        if value.upper().startswith("IDP_"):
            raise ValueError("should not begin with IDP_, which is for settings")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Pkcs11Settings:
        if self.module is None:
            return self
        if not self.token:
            raise ValueError("token should be set when module is")
        if (self.pin_file is None) == (not self.pin_variable):
            raise ValueError("set one of pin_file and pin_variable when module is set")
        return self


class KmsSettings(Section):
    """[keys.kms]: asymmetric keys in AWS KMS that sign. Credentials as AWS tools find them."""

    region: str = Field(
        "", description="Region of new keys; empty: as the profile or AWS_REGION says."
    )
    profile: str = Field("", description="Profile of the AWS configuration; empty: the default.")
    endpoint_url: str = Field(
        "", description="Another address of the KMS API, https or on loopback; empty: AWS's own."
    )
    connect_seconds: float = Field(
        1, ge=0.1, le=10, description="How long one attempt waits for a connection."
    )
    answer_seconds: float = Field(
        1.5, ge=0.1, le=10, description="And then for each part of the answer."
    )
    total_seconds: float = Field(
        3, ge=0.2, le=30, description="How long a sign-in waits for KMS, all attempts together."
    )
    deletion_days: int = Field(
        30, ge=7, le=30, description="How long KMS keeps a key that was given up, to bring it back."
    )
