"""Which process this is, so that another one on the same machine can tell whether it still runs."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_PROC = Path("/proc")


def process_mark() -> str:
    """This process: the place it runs in, its number and when it began; without spaces."""
    return f"{_place()}/{os.getpid()}/{_began(os.getpid())}"


def surely_ended(mark: str) -> bool:
    """Whether the process of a mark has ended, for sure.

    False for one that still runs, and for one elsewhere: on another machine, in another container,
    or where the system has no /proc.
    """
    place, number, began = ["", "", *mark.rsplit("/", 2)][-3:]
    if place != _place() or not number.isdigit() or began in ("", "?"):
        return False
    return _began(int(number)) not in (began, "?")


def _place() -> str:
    """Host, boot and process namespace: within one, a process number means one process."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (_PROC / "self/ns/pid").readlink().name
    except OSError:
        boot, namespace = "?", "?"
    return f"{socket.gethostname()[:64]}/{boot}/{namespace}"


def _began(process: int) -> str:
    """When a process began, in ticks since the boot; "gone" if there is none, "?" if unknown."""
    try:
        text = (_PROC / str(process) / "stat").read_text()
    except FileNotFoundError:
        return "gone" if (_PROC / "self").exists() else "?"
    except OSError:
        return "?"
    state, *fields = text.rpartition(")")[2].split()  # proc_pid_stat(5): the name may hold spaces
    return "gone" if state in "ZX" else fields[18]
