"""What we say to AWS, and how."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from idp.settings.section import Section

NameIdFormat = Literal["persistent", "transient", "emailAddress", "unspecified"]
SignatureDigest = Literal["sha256", "sha384", "sha512"]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SamlSettings(Section):
    """[saml]: what our messages look like."""

    entity_id: str = Field(
        "", description="Our name as an identity provider; empty: the metadata URL."
    )
    digest: SignatureDigest = Field("sha256", description="Hash of our signatures, with RSA.")
    assertion_seconds: int = Field(
        300, ge=60, le=300, description="AWS redeems for 5 minutes at most, so longer has no use."
    )
    clock_skew_seconds: int = Field(60, ge=0, le=300, description="How far NotBefore lies back.")
    metadata_valid_days: int = Field(0, ge=0, le=3650, description="validUntil; 0 leaves it out.")
    sign_metadata: bool = Field(False, description="Sign the metadata; IAM does not look at it.")


class AwsSettings(Section):
    """[aws]: how we speak to AWS."""

    role_choice: Literal["portal", "aws"] = Field(
        "portal", description="Who asks which role: our portal, or AWS's own chooser."
    )
    endpoints: tuple[str, ...] = Field(
        ("default",),
        min_length=1,
        description='Sign-in endpoints in order of preference: "default" or a Region code.',
    )
    destination: str = Field(
        "", description="Console page after sign-in; empty: the console's home."
    )
    role_session_name: str = Field(
        "{username}", description="Template over the person's attributes."
    )
    source_identity: str = Field("", description="Template; empty sends no SourceIdentity.")
    sign_response: bool = Field(False, description="Sign the Response as well as the Assertion.")
    name_id_format: NameIdFormat = Field(
        "persistent",
        description="What AWS knows people by: an opaque identifier, or another format.",
    )
    contact: str = Field("your AWS administrators", description="Whom to ask for a role.")
    sandbox_url: str = Field("", description="Send people to a sandbox here, not to AWS.")

    @field_validator("sandbox_url")
    @classmethod
    def _loopback_only(cls, value: str) -> str:
        parts = urlsplit(value)
        plain = parts.scheme == "http" and parts.path in ("", "/") and not parts.query
        if value and not (plain and parts.port and parts.hostname in _LOOPBACK):
            raise ValueError("should be on loopback, with a port, like http://127.0.0.1:8081")
        return value.rstrip("/")
