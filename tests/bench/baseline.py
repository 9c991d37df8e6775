"""What the machine can do at most: raw RSA-2048 signatures, as everything else is related to it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from statistics import fmean

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from tests.bench.machine import cores
from tests.making import memory_key


class NoFigure(Exception):
    """`openssl speed` printed something else than its machine-readable result."""


def openssl_rate(seconds: int, processes: int = 1) -> float:
    """Signatures a second by `openssl speed`, all processes together."""
    command = ["openssl", "speed", "-mr", "-seconds", str(seconds)]
    if processes > 1:
        command += ["-multi", str(processes)]
    done = subprocess.run([*command, "rsa2048"], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        if line.startswith("+F2:"):  # +F2:index:bits:signatures:verifications
            figure = float(line.split(":")[3])
            return figure if figure >= 1 else 1 / figure  # some versions print seconds
    raise NoFigure(done.stdout + done.stderr)


def cryptography_rate(seconds: float) -> float:
    """Signatures a second through the library that we sign with, in this process."""
    key, scheme, digest = memory_key().private, padding.PKCS1v15(), hashes.SHA256()
    count = 0
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        key.sign(b"a canonical SignedInfo", scheme, digest)
        count += 1
    return count / elapsed


@dataclass(slots=True)
class AllCores:
    """Measures RSA on all cores again and again, close in time to what is related to it.

    With `once`, the first figure is taken for the whole run.
    """

    seconds: int
    once: bool = False
    measured: list[float] = field(default_factory=list)

    def now(self) -> float:
        """Signatures a second on all cores."""
        if not (self.once and self.measured):
            self.measured.append(openssl_rate(self.seconds, cores()))
        return self.measured[-1]

    def between(self, before: float) -> float:
        """What to relate to something that was measured after `before` and until now."""
        return fmean((before, self.now()))
