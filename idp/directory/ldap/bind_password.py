"""The password of the account that searches, from a file or an environment variable."""

from __future__ import annotations

import os
import stat

from idp.errors import IdpError
from idp.settings.directories import DirectorySettings


class BindPasswordUnusable(IdpError):
    """The password of the searching account can't be had."""


def read_bind_password(settings: DirectorySettings) -> bytes:
    """The password, read anew each time, so that a changed one needs no restart.

    A file may be readable by its owner alone; one line break at its end does not count. Raises
    BindPasswordUnusable.
    """
    if settings.bind_password_env:
        secret = os.environ.get(settings.bind_password_env, "").encode("utf-8", "surrogateescape")
        where = f"the environment variable {settings.bind_password_env}"
    else:
        secret = _from_file(settings)
        where = f"the file {settings.bind_password_file}"
    if not secret:
        raise BindPasswordUnusable(
            f"There is no password for {settings.bind_dn} in {where}.", "Put it there."
        )
    try:
        secret.decode()
    except UnicodeDecodeError:
        raise BindPasswordUnusable(
            f"The password for {settings.bind_dn} in {where} is not text in UTF-8.",
            "Store it as UTF-8.",
        ) from None
    return secret


def _from_file(settings: DirectorySettings) -> bytes:
    path = settings.bind_password_file
    if path is None:
        return b""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                raise BindPasswordUnusable(
                    f"The file {path} can be read by others (mode {mode:04o}).",
                    f"Run: chmod 600 {path}",
                )
            return file.read(4096).removesuffix(b"\n").removesuffix(b"\r")
    except OSError as problem:
        raise BindPasswordUnusable(
            f"The file {path} can't be read: {problem.strerror}.",
            "Let the identity provider's system user read it.",
        ) from None
