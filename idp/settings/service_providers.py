"""Service providers other than AWS, which read our metadata by URL."""

from __future__ import annotations

from pydantic import Field

from idp.settings.section import Section


class ServiceProviderSettings(Section):
    """[[service_providers]]: one that fetches its metadata from /metadata/for/NAME."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        description="Its name in the address of its metadata: a-z, 0-9 and hyphens.",
    )
    overlap_hours: int = Field(
        168,
        ge=0,
        le=8760,
        description="How long it is shown the old certificate after a new key began to sign.",
    )
