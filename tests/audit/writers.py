"""A program that writes to one audit trail from several processes with several threads each.

    python -m tests.audit.writers URL ROUNDS kill|finish

Each round forks two processes of four threads. A thread prints a name once `record` has returned
for it. With "kill" both processes are killed in the middle of writing, after a number of names
that differs from round to round.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading

from idp.audit.events import SignInRefused
from idp.audit.log import AuditLog, Origin
from idp.db.engine import Database

PROCESSES = 2
THREADS = 4
EACH = 10  # events of a thread that may finish


def main() -> None:
    """Run the rounds; names that are printed were acknowledged."""
    url, rounds, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    for number in range(rounds):
        reading, writing = os.pipe()
        children = [_start(url, f"{number}.{each}", mode, writing) for each in range(PROCESSES)]
        os.close(writing)
        left = 1 + number * 7 % 60
        with os.fdopen(reading, encoding="ascii") as names:
            for name in names:
                sys.stdout.write(name)
                left -= 1
                if left == 0 and mode == "kill":
                    for child in children:
                        os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def _start(url: str, name: str, mode: str, writing: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            _write(url, name, mode, writing)
        finally:
            os._exit(0)
    return child


def _write(url: str, process: str, mode: str, writing: int) -> None:
    log = AuditLog(Database(url))

    def write(thread: int) -> None:
        for number in itertools.count() if mode == "kill" else range(EACH):
            name = f"{process}.{thread}.{number}"
            log.record(SignInRefused(actor=name, reason="wrong_password"), Origin("", ""))
            os.write(writing, f"{name}\n".encode())

    threads = [threading.Thread(target=write, args=(each,)) for each in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
