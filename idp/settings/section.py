"""A table of idp.toml."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of idp.toml; an unknown name in it is an error, so that a typo can't go unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
