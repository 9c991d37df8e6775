"""`idp aws preflight` as a program would be run, but in this process: it is run very often."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from idp.cli.main import idp
from idp.errors import IdpError
from tests.sandbox import maker


@dataclass(frozen=True)
class Done:
    code: int
    out: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def broken(self) -> list[str]:
        return [each["rule"] for each in self.document["checks"] if each["passed"] is False]


@dataclass(frozen=True)
class Command:
    """Runs it with files in `folder`."""

    folder: Path

    def __call__(self, *words: str, stdin: str | bytes = "") -> Done:
        done = CliRunner().invoke(idp, ["aws", "preflight", *words], input=stdin)
        if isinstance(done.exception, IdpError):  # as idp.cli.main.run does
            return Done(2, f"{done.exception.message} {done.exception.advice}")
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.output)

    def file(self, name: str, content: str | bytes) -> str:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def judge(self, response: str | bytes, *words: str, metadata: str | None = None) -> Done:
        """Judge a response of tests.sandbox.maker, as of the time it is made for; as JSON."""
        held = maker.metadata() if metadata is None else metadata
        more = ["--metadata", self.file("metadata.xml", held)] if held else []
        fixed = ["--endpoint", maker.ENDPOINT, "--at", maker.stamp(maker.NOW), "--json"]
        return self("--response", "-", *more, *fixed, *words, stdin=response)
