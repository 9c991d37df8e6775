"""Ending together with the process that started this one."""

from __future__ import annotations

import os
import signal
import threading


def end_with_parent() -> None:
    """Send this process SIGTERM when its standard input ends.

    The parent holds the other end of that pipe, so this works however the parent dies.
    """

    def _wait() -> None:
        while os.read(0, 1024):  # not sys.stdin, whose lock a forked worker would inherit
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=_wait, daemon=True).start()
