"""Ending together with the process that started this one."""

from __future__ import annotations

import os
import signal
import sys
import threading


def end_with_parent() -> None:
    """Send this process SIGTERM when its standard input ends.

    The parent holds the other end of that pipe, so this works however the parent dies.
    """

    def _wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=_wait, daemon=True).start()
