"""Keeping the server's processes small."""

from __future__ import annotations

import ctypes
import gc
import sys

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # malloc.h of glibc
_LARGE = 1024 * 1024  # bytes


def share_with_workers() -> None:
    """Keep what is loaded now out of the collector's sight, so that forked workers share it.

    The collector writes to every object that it visits, and a written page is a page of one's own.
    """
    gc.collect()
    gc.freeze()


def give_large_blocks_back() -> None:
    """Let glibc return large blocks to the system as soon as they are freed.

    Left alone it keeps them for the next time: 19 MiB of Argon2 for every thread that ever
    checked a password.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _LARGE)
            mallopt(_M_ARENA_MAX, 2)
