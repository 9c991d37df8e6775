"""Small files that nobody but us may read: written whole or not at all, refused if others can."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from pathlib import Path

from idp.keys.signing_key import KeyUnusable

LARGEST = 64 * 1024  # bytes; an RSA key of 16,384 bits needs 13,000


def read_private(path: Path, what: str, missing: str = "Put the file back.") -> bytes:
    """The content of `path`, which `what` names in sentences, such as "The key file".

    `missing` is what to do if it can't be opened.

    Raises KeyUnusable unless it is a regular file, no symbolic link, that belongs to this user or
    to root, and that nobody else can read or write.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise KeyUnusable(
                f"{what} {path} is a symbolic link, which could lead anywhere.",
                "Name the file itself.",
            ) from None
        raise KeyUnusable(f"{what} {path} can't be read: {problem.strerror}.", missing) from None
    try:
        _require_ours_alone(os.fstat(descriptor), path, what)
        return os.read(descriptor, LARGEST)
    except OSError as problem:
        raise KeyUnusable(f"{what} {path} can't be read: {problem.strerror}.") from None
    finally:
        os.close(descriptor)


def _require_ours_alone(found: os.stat_result, path: Path, what: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyUnusable(f"{what} {path} is not a regular file.", "Put the right file there.")
    if found.st_uid not in (os.geteuid(), 0):
        raise KeyUnusable(
            f"{what} {path} belongs to another user (uid {found.st_uid}; this is {os.geteuid()}).",
            "Run as that user, or give the file to this one with chown.",
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise KeyUnusable(
            f"{what} {path} can be read or written by others (mode {mode:04o}).",
            f"Run: chmod 600 {path}",
        )
    if found.st_size >= LARGEST:
        raise KeyUnusable(f"{what} {path} is too large ({found.st_size} bytes).")


def write_new(path: Path, content: bytes, what: str) -> None:
    """Write a file that is not there yet, mode 0600 from its first byte. Raises KeyUnusable."""
    try:
        draft = _draft(path, content)
        try:
            os.link(draft, path, follow_symlinks=False)  # fails if the name is taken
        finally:
            draft.unlink()
        _settle(path.parent)
    except OSError as problem:
        raise _unwritable(path, what, problem) from None


def replace(path: Path, content: bytes, what: str) -> None:
    """Put new content in the place of a file's, at once; a crash leaves one or the other.

    What a process that was killed has left of doing the same goes too, so nobody else may be doing
    it now. Raises KeyUnusable.
    """
    try:
        draft = _draft(path, content)
        try:
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        for abandoned in _drafts(path):
            abandoned.unlink(missing_ok=True)
        _settle(path.parent)
    except OSError as problem:
        raise _unwritable(path, what, problem) from None


def _drafts(path: Path) -> list[Path]:
    of_it = re.compile(re.escape(f".{path.name}.") + "[0-9a-f]{12}")
    return [each for each in path.parent.iterdir() if of_it.fullmatch(each.name)]


def _draft(path: Path, content: bytes) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(draft, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        draft.unlink()
        raise
    return draft


def _settle(folder: Path) -> None:
    """Make a new name in a folder last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, what: str, problem: OSError) -> KeyUnusable:
    return KeyUnusable(
        f"{what} {path} can't be written: {problem.strerror}.",
        "Choose a place where this user may write, and a name that is not taken.",
    )
