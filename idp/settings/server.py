"""How we listen, store and log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, field_validator, model_validator

from idp.settings.section import Section

_DEFAULT_PORTS = {"http": 80, "https": 443}


class ServerSettings(Section):
    """[server]: where the identity provider listens and how the world reaches it."""

    base_url: str = Field(
        "http://127.0.0.1:8080", description="The address people type; 8080 is server.port."
    )
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

    @model_validator(mode="before")
    @classmethod
    def _another_port_is_another_address(cls, given: Any) -> Any:
        """Without it, who only sets the port would be told on every page to go elsewhere."""
        if not isinstance(given, dict) or "base_url" in given or given.get("tls_certificate"):
            return given
        port = str(given.get("port", ""))
        if not re.fullmatch("[0-9]{1,5}", port, re.ASCII):
            return given
        return {**given, "base_url": f"http://127.0.0.1:{int(port)}"}

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

    @property
    def is_loopback(self) -> bool:
        """Whether people reach us on this machine alone (RFC 6761 section 6.3 for the names)."""
        host = urlsplit(self.base_url).hostname or ""
        return host in ("127.0.0.1", "::1", "localhost") or host.endswith(".localhost")


class DatabaseSettings(Section):
    """[database]: SQLite in the data folder by default; PostgreSQL by URL for several nodes."""

    url: str = Field(
        "", description="Empty: SQLite in the data folder. Or postgresql://user@host/name"
    )
    pool_size: int = Field(8, ge=1, le=200, description="Connections that each process keeps open.")


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


def _origin(parts: SplitResult) -> str:
    """Scheme, host and port as browsers send them: in lower case, without the usual port."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
