"""PackedPolicySize: how much of the room for session tags and policies a session takes."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

# AWS publishes no size for its packed form: this one is the sandbox's estimate.
_PACKED_BYTES = 4096


def packed_percent(tags: Mapping[str, str], policy: str = "") -> int:
    """Per cent of the allowed size, rounded up; over 100 AWS refuses (STS: PackedPolicySize)."""
    text = policy + "".join(f"{key}={value};" for key, value in tags.items())
    return -(-100 * len(zlib.compress(text.encode(), 9)) // _PACKED_BYTES) if text else 0
