"""Writing a file that was not there before."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from idp.errors import IdpError


@contextmanager
def new_file(path: Path, force: bool) -> Iterator[TextIO]:
    """A file for us alone, that is there as soon as it is written whole, and not before.

    With `force` it replaces one that is there; what is no file, such as a pipe or a device, is
    written to as it stands. Raises IdpError.
    """
    if os.path.lexists(path) and not force:
        raise _taken(path)
    in_place = force and path.exists() and not stat.S_ISREG(path.stat().st_mode)
    target = path if in_place else path.with_name(f".idp-{secrets.token_hex(8)}")
    flags = os.O_WRONLY | (0 if in_place else os.O_CREAT | os.O_EXCL)
    try:
        descriptor = os.open(target, flags, 0o600)
    except OSError as problem:
        raise _not_written(path, problem) from None
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            yield opened
        if not in_place:
            _move(target, path, force)
    except OSError as problem:
        raise _not_written(path, problem) from None
    finally:
        if not in_place:
            target.unlink(missing_ok=True)


def _move(written: Path, path: Path, force: bool) -> None:
    if not force:
        try:
            os.link(written, path)  # which, unlike a rename, never replaces
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            pass
        else:
            return
    written.replace(path)


def _taken(path: Path) -> IdpError:
    return IdpError(f"{path} is there already.", "Name another file.")


def _not_written(path: Path, problem: OSError) -> IdpError:
    if isinstance(problem, FileExistsError):
        return _taken(path)
    return IdpError(f"{path} can't be written: {problem.strerror}.")
