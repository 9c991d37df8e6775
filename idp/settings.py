"""Every setting, typed, with its default: read from idp.toml, overridden by IDP_* variables."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from idp.errors import IdpError

DEFAULT_FILE = Path("idp.toml")

NameIdFormat = Literal["persistent", "transient", "emailAddress", "unspecified"]
SignatureDigest = Literal["sha256", "sha384", "sha512"]


_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class SettingsError(IdpError):
    """idp.toml or an IDP_* variable can't be used as it stands."""


class Section(BaseModel):
    """A table of idp.toml; an unknown name in it is an error, so that a typo can't go unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(Section):
    """[server]: where the identity provider listens and how the world reaches it."""

    base_url: str = Field("http://127.0.0.1:8080", description="The address people type.")
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8080, ge=1, le=65535, description="The port to listen on.")
    workers: int = Field(0, ge=0, le=64, description="Worker processes; 0 means one per core.")
    threads: int = Field(4, ge=1, le=64, description="Threads in each worker.")
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="How many proxies in front may set X-Forwarded-*; 0 trusts none."
    )
    tls_certificate: Path | None = Field(
        None, description="PEM file, the server's certificate first; with tls_key we speak TLS."
    )
    tls_key: Path | None = Field(None, description="PEM file of its private key, not encrypted.")
    metrics: Literal["loopback", "off", "public"] = Field(
        "loopback", description="Who may read /metrics: this machine, nobody, or everybody."
    )

    @field_validator("base_url")
    @classmethod
    def _an_origin_with_an_optional_path(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("should be like https://idp.example.com")
        if parts.query or parts.fragment or parts.username:
            raise ValueError("should have no query, fragment or user name")
        return _origin(parts) + parts.path.rstrip("/")

    @model_validator(mode="after")
    def _tls_is_whole(self) -> ServerSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key go together: set both or neither")
        if self.tls_certificate and not self.secure:
            raise ValueError("base_url should begin with https:// when tls_certificate is set")
        return self

    @property
    def secure(self) -> bool:
        """Whether people reach us over TLS, and cookies can be held to it."""
        return self.base_url.startswith("https://")


class DatabaseSettings(Section):
    """[database]: SQLite in the data folder by default; PostgreSQL by URL for several nodes."""

    url: str = Field(
        "", description="Empty: SQLite in the data folder. Or postgresql://user@host/name"
    )
    pool_size: int = Field(8, ge=1, le=200, description="Connections that each process keeps open.")


class KeySettings(Section):
    """[keys]: where signing keys live."""

    folder: Path = Field(Path("certs"), description="Folder of key files, readable by us alone.")
    rsa_bits: Literal[2048, 3072, 4096] = Field(2048, description="Length of new keys.")
    certificate_days: int = Field(
        1095, ge=1, le=3650, description="How long certificates of new keys are valid."
    )


class SessionSettings(Section):
    """[session]: how long a sign-in lasts with us (AWS sessions have lengths of their own)."""

    idle_minutes: int = Field(
        30, ge=1, le=1440, description="A sign-in ends after so long without a request."
    )
    absolute_hours: int = Field(10, ge=1, le=168, description="And after so long in any case.")
    refresh_seconds: int = Field(
        60, ge=0, le=3600, description="How old a person's groups may be when an assertion is made."
    )


class SignInSettings(Section):
    """[sign_in]: how attempts at passwords are slowed down. All windows slide."""

    window_minutes: int = Field(15, ge=1, le=1440, description="How long a failed attempt counts.")
    failures_per_person_and_network: int = Field(
        5, ge=1, description="So many, then the next attempt has to wait."
    )
    failures_per_person: int = Field(50, ge=1, description="From unknown browsers, all networks.")
    failures_per_network: int = Field(100, ge=1, description="All people.")
    argon2_memory_kib: int = Field(
        19456,
        ge=8192,
        description="Cost of a password check: memory (OWASP's choice for Argon2id).",
    )
    argon2_passes: int = Field(2, ge=1, description="Cost of a password check: passes.")
    argon2_lanes: int = Field(1, ge=1, description="Cost of a password check: lanes.")


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


class AuditSettings(Section):
    """[audit]: the record of what happened."""

    keep_days: int = Field(
        0, ge=0, description="`idp audit prune` removes what is older; 0 keeps everything."
    )


class LogSettings(Section):
    """[log]: structured lines on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is worth a line."
    )
    format: Literal["json", "console"] = Field("json", description="For machines, or for people.")


class Settings(BaseSettings):
    """All of idp.toml."""

    model_config = SettingsConfigDict(
        env_prefix="IDP_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    organization: Annotated[str, Field(min_length=1, max_length=80)] = Field(
        "Example", description="Your company's name, as pages and metadata show it."
    )
    data_folder: Path = Field(Path("var"), description="What we write at run time lives here.")
    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    keys: KeySettings = KeySettings()
    session: SessionSettings = SessionSettings()
    sign_in: SignInSettings = SignInSettings()
    saml: SamlSettings = SamlSettings()
    aws: AwsSettings = AwsSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()
    demo_people: tuple[tuple[str, str, str], ...] = Field(
        (), description="Shown below the sign-in form: user name, password, what it shows."
    )

    @model_validator(mode="after")
    def _idle_within_absolute(self) -> Settings:
        if self.session.idle_minutes > self.session.absolute_hours * 60:
            raise ValueError(
                "session.idle_minutes should not be longer than session.absolute_hours"
            )
        return self

    @property
    def entity_id(self) -> str:
        """Our entityID: the metadata URL unless set, as SAML metadata 4.1.1 recommends."""
        return self.saml.entity_id or f"{self.server.base_url}/metadata"

    @property
    def database_url(self) -> str:
        """The database's address: as set, or SQLite in the data folder."""
        return self.database.url or f"sqlite:///{self.data_folder / 'idp.sqlite3'}"


def load_settings(file: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings from `file`, $IDP_CONFIG or ./idp.toml, then from IDP_* variables.

    Raises SettingsError naming every wrong value, so that all can be mended in one go.
    """
    named = file or (Path(os.environ["IDP_CONFIG"]) if os.environ.get("IDP_CONFIG") else None)
    path = named or DEFAULT_FILE
    if named and not named.is_file():
        raise SettingsError(f"There is no settings file at {named}.", "Name one that exists.")

    class _FromFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            toml = TomlConfigSettingsSource(settings_cls, toml_file=path)
            return (init_settings, env_settings, toml)

    _refuse_unknown_variables()
    try:
        return _FromFile(**overrides)
    except ValidationError as problem:
        raise SettingsError(_sentences(problem, path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise SettingsError(f"{path} is not valid TOML: {problem}.") from None
    except OSError as problem:
        raise SettingsError(f"{path} can't be read: {problem.strerror}.") from None


def _origin(parts: SplitResult) -> str:
    """Scheme, host and port as browsers send them: in lower case, without the usual port."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _refuse_unknown_variables() -> None:
    known = {"CONFIG"} | {name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith("IDP_"):
            first = variable.removeprefix("IDP_").split("__")[0]
            if first not in known:
                raise SettingsError(
                    f"{variable} is not a setting.",
                    "Sections and names are joined by two underscores, like IDP_SERVER__PORT.",
                )


def _sentences(problem: ValidationError, path: Path) -> str:
    lines = []
    for error in problem.errors():
        name = ".".join(str(part) for part in error["loc"]) or "settings"
        reason = error["msg"].removeprefix("Value error, ")
        shown = ""
        if error["loc"] and not isinstance(error["input"], dict | BaseModel) and "url" not in name:
            shown = f" (it is {error['input']!r})"
        lines.append(f"{name}: {reason}{shown}.")
    where = f"{path} and IDP_* variables" if path.is_file() else "IDP_* variables"
    return f"Settings from {where} can't be used:\n  " + "\n  ".join(lines)
