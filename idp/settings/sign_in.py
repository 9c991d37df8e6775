"""Sign-in and sessions."""

from __future__ import annotations

from pydantic import Field

from idp.settings.section import Section


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
