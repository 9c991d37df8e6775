"""What can go wrong in any command, and is nobody's fault: a full disk, a database that breaks."""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence

from idp.audit.text import printable
from idp.errors import IdpError

_OUTPUT_LOST = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def in_words(accident: Exception, arguments: Sequence[str]) -> IdpError | None:
    """The sentence for an accident in a command called with `arguments`; None if it is a bug."""
    if isinstance(accident, OSError):
        return _of_file(accident) if accident.filename is not None else _of_output(accident)
    if isinstance(accident, UnicodeEncodeError):
        return _of_arguments(arguments)
    # Not imported for this: a command that has not loaded it has had no database to fail.
    if "sqlalchemy" in sys.modules:
        from idp.db.engine import unusable

        return unusable(accident)
    return None


def _of_file(accident: OSError) -> IdpError:
    return IdpError(f"{printable(str(accident.filename), 200)} can't be used: {accident.strerror}.")


def _of_output(accident: OSError) -> IdpError | None:
    """It names no file, so it is what the command prints."""
    if accident.errno not in _OUTPUT_LOST:
        return None
    return IdpError(
        f"The output can't be written: {accident.strerror}.", "What was printed is not whole."
    )


def _of_arguments(arguments: Sequence[str]) -> IdpError | None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            shown = ascii(argument[:64])
            return IdpError(f"The argument {shown} is not text in UTF-8.", "Write it in UTF-8.")
    return None
