"""Where a server listens."""

from __future__ import annotations

from dataclasses import dataclass

from idp.settings.directories import TlsMode

_PORTS: dict[TlsMode, int] = {"ldaps": 636, "starttls": 389, "none": 389}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server's host name (or address) and port."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @classmethod
    def parse(cls, text: str, tls: TlsMode) -> Endpoint:
        """The endpoint of "host", "host:port" or "[address]:port", as the settings check it."""
        host, port = text, ""
        if not text.endswith("]") and ":" in text:
            host, _, port = text.rpartition(":")
        return cls(host.strip("[]"), int(port) if port else _PORTS[tls])
