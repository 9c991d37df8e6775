"""What somebody has to look at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that somebody has to look at, and what to do."""

    subject: str
    message: str
    advice: str
