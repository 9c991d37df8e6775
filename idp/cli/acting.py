"""Who runs a command, for the audit trail."""

from __future__ import annotations

import getpass
import secrets
import socket

from idp.audit.log import Origin


def acting_admin() -> str:
    """The administrator as the trail names one: "cli/" and the system's user name."""
    try:
        return f"cli/{getpass.getuser()}"
    except (KeyError, OSError):  # no entry in the user database, as in some containers
        return "cli/unknown"


def command_origin() -> Origin:
    """Where a command's events come from: this machine, and an identifier for this call."""
    return Origin(f"host {socket.gethostname()}"[:64], secrets.token_hex(8))
