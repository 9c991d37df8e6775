"""Writing a file that was not there before."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from idp.errors import IdpError


@contextmanager
def new_file(path: Path, force: bool) -> Iterator[TextIO]:
    """A file for us alone, that is not there if it could not be written whole."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise IdpError(f"{path} is there already.", "Name another file.") from None
    except OSError as problem:
        raise IdpError(f"{path} can't be written: {problem.strerror}.") from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            yield opened
    except BaseException as problem:
        path.unlink(missing_ok=True)
        if isinstance(problem, OSError):
            raise IdpError(f"{path} can't be written: {problem.strerror}.") from None
        raise
