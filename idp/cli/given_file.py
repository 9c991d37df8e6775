"""Reading a small file that somebody named."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from idp.errors import IdpError

LARGEST = 64 * 1024  # bytes


class FileNotTaken(IdpError):
    """A file that was named can't be read, or is none of the kind that is wanted."""


def read_given(path: Path, what: str) -> bytes:
    """The content of a file; `what` names it in sentences. Raises FileNotTaken."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as problem:
        raise FileNotTaken(f"{what} {path} can't be read: {problem.strerror}.") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise FileNotTaken(f"{what} {path} is a directory.", "Name a file.")
        if not stat.S_ISREG(mode):
            raise FileNotTaken(f"{what} {path} is not a regular file.", "Save it to one.")
        content = os.read(descriptor, LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > LARGEST:
        raise FileNotTaken(
            f"{what} {path} is larger than {LARGEST // 1024} KiB; keys and certificates are not.",
            "Name the right file.",
        )
    if not content:
        raise FileNotTaken(f"{what} {path} is empty.", "Name the right file.")
    return content


def others_can_read(path: Path) -> bool:
    """Whether a file is open to other users of this machine."""
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
