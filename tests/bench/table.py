"""The rows as a table for people."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.bench.rows import Report, Row, Verdict


def show(report: Report, console: Console) -> None:
    """Print the machine, the rows with their targets, and how to read them."""
    machine = report.machine
    console.print(
        f"\n{machine['cores']} cores of {machine['cpu']}, Python {machine['python']}, "
        f"{machine['openssl']}; {machine['fsyncs_per_second']:,} fsyncs/s on "
        f"{machine['file_system']}",
        highlight=False,
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, align in (
        ("", "left"),
        ("Database", "left"),
        ("Measured", "right"),
        ("p50", "right"),
        ("p99 ms", "right"),
        ("Ratio", "right"),
        ("of", "left"),
        ("Target", "left"),
        ("Others", "right"),
        ("", "left"),
    ):
        table.add_column(heading, justify="right" if align == "right" else "left")
    for row in report.rows:
        table.add_row(*_cells(row))
    console.print(table)
    for sentence in report.left_out:
        console.print(sentence, style="bold")
    console.print(
        f"\n{machine.get('run_seconds', 0)} s. Ratios compare with what was measured next to them. "
        '"Others": cores that programs which are not part of this kept busy meanwhile; '
        "measure again if that is not near 0.",
        style="dim",
        highlight=False,
    )


def _cells(row: Row) -> list[str | Text]:
    digits = 0 if row.value >= 100 else 1 if row.value >= 10 else 2
    return [
        row.title,
        row.database,
        f"{row.value:,.{digits}f} {row.unit}",
        _number(row.p50_ms, 1),
        _number(row.p99_ms, 1),
        _number(row.ratio, 2),
        row.ratio_to,
        Text("  ").join(_target(verdict) for verdict in row.verdicts),
        _number(row.others, 1),
        row.note,
    ]


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _target(verdict: Verdict) -> Text:
    sign = "≥" if verdict.at_least else "≤"
    mark, style = ("✔", "green") if verdict.met else ("✘", "red")
    shown = "" if verdict.what in ("MB", "s", "of one core", "of all cores") else verdict.what + " "
    return Text(f"{shown}{sign} {verdict.target:g} {mark}", style=style)
