"""What is wrong with a chain, and the first row where it shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """What was done to the chain, as well as can be told from what is left."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    HEAD = "head"
    ANCHOR = "anchor"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True)
class Finding:
    """`seq` is the number of the first bad row; `message` a sentence about it."""

    trouble: Trouble
    seq: int
    message: str
