"""The command: python -m tests.bench."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
from rich.console import Console

from tests.bench.plan import FULL, QUICK, SECTIONS
from tests.bench.run import run
from tests.bench.table import show


@click.command()
@click.option("--quick", is_flag=True, help="Seconds, not minutes: shows that it works, not more.")
@click.option("--only", default=",".join(SECTIONS), show_default=True, help="What to measure.")
@click.option(
    "--database",
    type=click.Choice(["sqlite", "postgresql", "both"]),
    default="both",
    show_default=True,
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write everything here as JSON as well; - is standard output, without the table.",
)
def bench(quick: bool, only: str, database: str, json_file: Path | None) -> None:
    """Measure how fast it is, related to what the same cores do at most.

    \b
    Examples:
      python -m tests.bench
      python -m tests.bench --only engine,http --database sqlite
    """
    sections = only.split(",")
    if unknown := set(sections) - set(SECTIONS):
        raise click.UsageError(
            f"There is no {', '.join(unknown)}; there are {', '.join(SECTIONS)}."
        )
    for program in ("wrk", "openssl"):
        if not shutil.which(program):
            raise click.ClickException(f"{program} is not installed; run: sh tests/prepare.sh")
    databases = ("sqlite", "postgresql") if database == "both" else (database,)
    progress = Console(stderr=True)
    with progress.status("Measuring") as status:
        report = run(
            QUICK if quick else FULL,
            sections,
            databases,
            lambda what: status.update(f"Measuring: {what}"),
        )
    document = json.dumps(report.as_json(), indent=2)
    if json_file == Path("-"):
        click.echo(document)
        return
    if json_file:
        json_file.write_text(document + "\n")
    show(report, Console(width=None if Console().is_terminal else 220))


if __name__ == "__main__":
    bench()
