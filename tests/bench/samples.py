"""A sampling profiler for one thread: looks every millisecond at what is running.

Unlike a tracing one it does not make many small calls look dearer than they are. What C code does
is counted for the Python function that called it, waiting for the disk included.
"""

from __future__ import annotations

import signal
import sysconfig
from collections import Counter
from functools import cache
from pathlib import Path
from types import FrameType

# Steps by a function that does the whole of one: (title, end of its file's path, its name).
STEPS = (
    ("find the session", "idp/signin/sessions.py", "find"),
    ("which rules are in force, what they grant", "idp/sso/handover.py", "grants_of"),
    ("claim names, make attributes", "idp/sso/handover.py", "_aws_session"),
    ("build and sign the response", "idp/saml/response.py", "build_response"),
    ("- of this RSA", "idp/keys/file_custody.py", "sign"),
    ("record it: audit row, role used, commit", "idp/sso/handover.py", "_record_issue"),
    ("- of this the chain's rows", "idp/audit/chain.py", "extend"),
    ("- of this what else is in the transaction", "idp/audit/log.py", "_call"),
    ("- of this the commit", "idp/db/direct.py", "_commit"),
    ("fill in the page", "idp/web/frames.py", "filled_page"),
    ("Flask after the page", "flask/app.py", "finalize_request"),
    ("Flask before the page", "flask/ctx.py", "push"),
    ("log lines", "logging/__init__.py", "_log"),
    ("numbers for /metrics", "prometheus_client/metrics.py", "inc"),
    ("all that the database does, with its driver", "idp/db/direct.py", ""),
)
_SITE = sysconfig.get_path("purelib")
_STANDARD = sysconfig.get_path("stdlib")
_EVERY = 0.001  # seconds


class Samples:
    """Counts from entry to exit; must be entered in the main thread."""

    def __init__(self) -> None:
        self.taken = 0
        self.own: Counter[str] = Counter()
        self.within: Counter[str] = Counter()
        self.owners: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()

    def __enter__(self) -> Samples:
        self._before = signal.signal(signal.SIGALRM, self._sample)
        signal.setitimer(signal.ITIMER_REAL, _EVERY, _EVERY)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)

    def steps(self) -> list[tuple[str, int]]:
        """How many samples lay within each step."""
        return [(title, self._steps[title]) for title, _, _ in STEPS]

    def _sample(self, _number: int, frame: FrameType | None) -> None:
        if frame is None:
            return
        self.taken += 1
        code = frame.f_code
        self.own[_shown(code.co_filename, code.co_name)] += 1
        self.owners[_owner(code.co_filename)] += 1
        seen: set[str] = set()
        while frame is not None:
            code = frame.f_code
            seen.add(_shown(code.co_filename, code.co_name))
            seen.update(_titles(code.co_filename, code.co_name))
            frame = frame.f_back
        for name in seen:
            self.within[name] += 1
        for title, _, _ in STEPS:
            self._steps[title] += title in seen


@cache
def _titles(file: str, name: str) -> tuple[str, ...]:
    return tuple(
        title for title, path, function in STEPS if file.endswith(path) and function in ("", name)
    )


@cache
def _shown(file: str, name: str) -> str:
    return f"{'/'.join(Path(file).parts[-3:])} {name}"


@cache
def _owner(file: str) -> str:
    """The package that a file belongs to."""
    if file.startswith(_SITE):
        return Path(file).relative_to(_SITE).parts[0]
    if file.startswith(_STANDARD):
        return "Python: " + Path(file).relative_to(_STANDARD).parts[0]
    parts = Path(file).parts
    return "idp: " + parts[parts.index("idp") + 1] if "idp" in parts else file
