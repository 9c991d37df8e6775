"""wrk as the load generator: many connections, every answer looked at."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.visitor import Errand, WrongAnswer

_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it. All answers were right; `wrk_cores` is what wrk itself took, at most 1."""

    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    wrk_cores: float


def load(
    port: int, errands: Sequence[Errand], folder: Path, *, connections: int, seconds: int
) -> Load:
    """Go over the errands on so many connections. Raises WrongAnswer if any answer was wrong."""
    requests = folder / "requests"
    requests.write_text("".join(f"{errand.path}\t{errand.cookie}\n" for errand in errands))
    # What differs from answer to answer, such as the signature, is of one length.
    fewest = min(errand.answer_bytes for errand in errands) - 16
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(_SCRIPT), f"http://127.0.0.1:{port}", "--", str(requests), str(fewest)]
    before = _children_seconds()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    used = _children_seconds() - before
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            result = json.loads(line.removeprefix("RESULT "))
            break
    else:
        raise WrongAnswer(done.stdout + done.stderr)
    if result["bad"] or result["failed"] or not result["good"]:
        raise WrongAnswer(f"wrk got wrong answers: {result}")
    return Load(
        result["good"],
        result["good"] / result["seconds"],
        result["p50_ms"],
        result["p99_ms"],
        used / result["seconds"],
    )


def _children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
