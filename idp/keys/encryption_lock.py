"""Who may touch key-encryption keys now: those who change them are alone.

Whoever makes a key file holds a share from the moment it is encrypted until its row is committed;
else `idp certs encrypt` could take away the key-encryption key that opens it, for it looks at the
rows to see what is still needed. On one machine, and on a file system that nodes share, a lock on
a file beside the key-encryption key tells; nodes with one PostgreSQL have its advisory lock as
well. Both are let go of by the kernel and by the server when a process dies.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from idp.db.engine import Database
from idp.errors import IdpError
from idp.keys.encryption_at_rest import key_file
from idp.settings import Settings

PATIENCE_SECONDS = 10.0
_PAUSE = 0.1
_ADVISORY = 0x1D9_CE47  # any number that nothing else in this database uses


class EncryptionBusy(IdpError):
    """Somebody else has what is wanted here, and does not let go of it."""

    status = 503


@contextmanager
def sharing(database: Database, settings: Settings) -> Iterator[None]:
    """Keep key-encryption keys from being taken away meanwhile.

    Raises EncryptionBusy if somebody changes them for longer than PATIENCE_SECONDS.
    """
    with _locked(database, settings, alone=False):
        yield


@contextmanager
def alone(database: Database, settings: Settings) -> Iterator[None]:
    """Keep everybody else from changing key-encryption keys and from making key files.

    Raises EncryptionBusy if somebody does for longer than PATIENCE_SECONDS, or if there can be no
    lock.
    """
    with _locked(database, settings, alone=True):
        yield


@contextmanager
def _locked(database: Database, settings: Settings, *, alone: bool) -> Iterator[None]:
    until = time.monotonic() + PATIENCE_SECONDS
    path = _lock_file(key_file(settings))
    with ExitStack() as held:
        descriptor = _opened(path, alone)
        if descriptor is not None:
            held.callback(os.close, descriptor)
            _wait(lambda: _flock(descriptor, path, alone), until, path, alone)
        if not database.is_sqlite:
            session = held.enter_context(database.reading())
            _wait(lambda: _advisory(session, alone), until, path, alone)
        yield


def _lock_file(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


def _opened(path: Path, alone: bool) -> int | None:
    """The open lock file. None if nobody like us can change anything in its folder anyway."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    except OSError as problem:
        if not alone and not os.access(path.parent, os.W_OK):
            return None
        raise _unlockable(path, problem) from None
    owner = path.parent.stat()
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)  # else root would lock the server out
    return descriptor


def _flock(descriptor: int, path: Path, alone: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EINTR):
            return False
        raise _unlockable(path, problem) from None
    return True


def _advisory(session: Session, alone: bool) -> bool:
    """In a transaction that stays open meanwhile; a pooler may then stand before the server."""
    lock = func.pg_try_advisory_xact_lock if alone else func.pg_try_advisory_xact_lock_shared
    return bool(session.scalar(select(lock(_ADVISORY))))


def _wait(try_it: Callable[[], bool], until: float, path: Path, alone: bool) -> None:
    while not try_it():
        if time.monotonic() > until:
            doing = "makes a signing key or encrypts key files" if alone else "encrypts key files"
            raise EncryptionBusy(
                f"Another command {doing} at this moment, and has not ended within "
                f"{PATIENCE_SECONDS:g} seconds.",
                f"Nothing was changed. Run this again when it has ended (it holds {path}).",
            )
        time.sleep(_PAUSE)


def _unlockable(path: Path, problem: OSError) -> EncryptionBusy:
    return EncryptionBusy(
        f"{path} can't be locked: {problem.strerror}.",
        "Nothing was changed. Run this as the server's user, where it may write.",
    )
