"""Every setting, typed, with its default: read from idp.toml, overridden by IDP_* variables."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from idp.errors import IdpError
from idp.settings.aws import AwsSettings, NameIdFormat, SamlSettings, SignatureDigest
from idp.settings.custody import KmsSettings, Pkcs11Settings
from idp.settings.directories import LOCAL, DirectorySettings, checked_together
from idp.settings.kerberos import KerberosSettings
from idp.settings.keys import KeySettings
from idp.settings.section import Section
from idp.settings.server import AuditSettings, DatabaseSettings, LogSettings, ServerSettings
from idp.settings.service_providers import ServiceProviderSettings
from idp.settings.sign_in import SessionSettings, SignInSettings

__all__ = [
    "AuditSettings",
    "AwsSettings",
    "DatabaseSettings",
    "DirectorySettings",
    "KerberosSettings",
    "KeySettings",
    "KmsSettings",
    "LogSettings",
    "NameIdFormat",
    "Pkcs11Settings",
    "SamlSettings",
    "Section",
    "ServerSettings",
    "ServiceProviderSettings",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "SignInSettings",
    "SignatureDigest",
    "load_settings",
]

DEFAULT_FILE = Path("idp.toml")


class SettingsError(IdpError):
    """idp.toml or an IDP_* variable can't be used as it stands."""


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
    kerberos: KerberosSettings = KerberosSettings()
    saml: SamlSettings = SamlSettings()
    aws: AwsSettings = AwsSettings()
    audit: AuditSettings = AuditSettings()
    log: LogSettings = LogSettings()
    service_providers: tuple[ServiceProviderSettings, ...] = Field(
        (), description="Those other than AWS that fetch our metadata by URL."
    )
    directories: Annotated[
        tuple[DirectorySettings, ...], Field(min_length=1), AfterValidator(checked_together)
    ] = (LOCAL,)
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

    @model_validator(mode="after")
    def _service_providers_have_names_of_their_own(self) -> Settings:
        names = [each.name for each in self.service_providers]
        if len(set(names)) != len(names):
            raise ValueError("service_providers should each have a name of its own")
        return self

    @model_validator(mode="after")
    def _tickets_over_tls(self) -> Settings:
        if self.kerberos.keytab and not (self.server.secure or self.server.is_loopback):
            raise ValueError(
                "kerberos needs an https server.base_url: over plain HTTP others could read the "
                "cookie of a session that a ticket opened (RFC 4559 section 6)"
            )
        return self

    @property
    def service_principal(self) -> str:
        """The Kerberos service's name without its realm: as set, or HTTP/ and our host."""
        return self.kerberos.service_principal or f"HTTP/{urlsplit(self.server.base_url).hostname}"

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


def _is_secret(name: str) -> bool:
    return "url" in name or name == "keys.encryption_key"


def _sentences(problem: ValidationError, path: Path) -> str:
    lines = []
    for error in problem.errors():
        name = ".".join(str(part) for part in error["loc"]) or "settings"
        reason = error["msg"].removeprefix("Value error, ")
        shown = ""
        if (
            error["loc"]
            and not isinstance(error["input"], dict | BaseModel)
            and not _is_secret(name)
            and error["type"] != "extra_forbidden"
        ):
            shown = f" (it is {error['input']!r})"
        lines.append(f"{name}: {reason}{shown}.")
    where = f"{path} and IDP_* variables" if path.is_file() else "IDP_* variables"
    return f"Settings from {where} can't be used:\n  " + "\n  ".join(lines)
