"""What has to be known of a backup before it may replace a database."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """A row of the audit chain: its number and its hash, or where the chain's head points."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The schema's revision, the head of the audit chain and its last row; None where missing."""

    revision: str | None
    head: ChainEnd | None
    last: ChainEnd | None
