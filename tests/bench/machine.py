"""The machine: what it is, and what other programs do on it while we measure."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cryptography.hazmat.backends.openssl import backend

_TICK = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("granian", "flask", "sqlalchemy", "psycopg", "lxml", "cryptography", "argon2-cffi")


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def facts(folder: Path) -> dict[str, Any]:
    """What figures depend on; `folder` is where the databases lie."""
    return {
        "cores": cores(),
        "cpu": _cpu_model(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_000_000,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "openssl": first_line(["openssl", "version"]),
        "openssl_of_cryptography": backend.openssl_version_text(),
        "wrk": first_line(["wrk", "-v"]),
        "packages": {name: version(name) for name in _PACKAGES},
        "file_system": first_line(["stat", "-f", "-c", "%T", str(folder)]),
        "fsyncs_per_second": round(_fsyncs_per_second(folder)),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def first_line(command: list[str]) -> str:
    """The first line that a program prints, "" if it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else ""


def _cpu_model() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _fsyncs_per_second(folder: Path, seconds: float = 0.3) -> float:
    """Appends of 4 KiB, each made durable: what no durable audit row can be quicker than."""
    path = folder / "fsync"
    count = 0
    began = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        while time.perf_counter() - began < seconds:
            file.write(bytes(4096))
            os.fsync(file.fileno())
            count += 1
    rate = count / (time.perf_counter() - began)
    path.unlink()
    return rate


class Others:
    """How many cores other programs, and ours, kept busy between entry and exit.

    Ours are those that descend from this process: the server, its database, the load generator.
    """

    def __enter__(self) -> Others:
        self._busy, self._own = _busy_seconds(), _tree_seconds(os.getpid())
        self._began = time.perf_counter()
        self.cores = self.ours = 0.0
        return self

    def __exit__(self, *_: object) -> None:
        elapsed = time.perf_counter() - self._began
        ours = _tree_seconds(os.getpid()) - self._own
        self.cores = max(0.0, (_busy_seconds() - self._busy - ours) / elapsed)
        self.ours = ours / elapsed


def _busy_seconds() -> float:
    ticks = [int(part) for part in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / _TICK


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    seconds: float  # of it, and of its children that have ended


def _processes() -> dict[int, _Process]:
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it ended meanwhile
                continue
            ticks = sum(int(field) for field in fields[11:15])
            found[int(entry.name)] = _Process(int(fields[1]), ticks / _TICK)
    return found


def tree(root: int) -> Iterable[int]:
    """The process `root` and all that descend from it."""
    return _tree(root, _processes())


def _tree(root: int, processes: dict[int, _Process]) -> set[int]:
    found = {root}
    while more := {
        pid for pid, process in processes.items() if process.parent in found and pid not in found
    }:
        found |= more
    return found


def _tree_seconds(root: int) -> float:
    processes = _processes()
    return sum(processes[pid].seconds for pid in _tree(root, processes) if pid in processes)


def pss_mb(pids: Iterable[int]) -> float:
    """Memory in MB (10^6 bytes), shared pages divided among those who share them."""
    kib = 0
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        kib += int(found[1]) if found else 0
    return kib * 1024 / 1e6
