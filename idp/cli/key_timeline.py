"""Keys in time, drawn with characters."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from idp.keys.signing_key import KeyState
from idp.keys.timeline import KeyLine, Timeline

NARROWEST = 20
_WIDE = 80
_BESIDE, _BESIDE_NARROW = 50, 28  # columns that the words beside the picture take
_BLOCKS = {KeyState.NEXT: "▒", KeyState.ACTIVE: "█", KeyState.RETIRING: "▓"}
_COLOURS = {
    KeyState.NEXT: "cyan",
    KeyState.ACTIVE: "green",
    KeyState.RETIRING: "yellow",
    KeyState.RETIRED: "dim",
    KeyState.REVOKED: "red",
}


def timeline_table(found: Timeline, columns: int) -> RenderableType:
    """A row for each key, `columns` characters wide, and a line that explains the signs."""
    wide = columns >= _WIDE
    width = max(columns - (_BESIDE if wide else _BESIDE_NARROW), NARROWEST)
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("KEY", "STATE", "CUSTODY", "UNTIL") if wide else ("KEY", "STATE"):
        table.add_column(name, no_wrap=True)
    table.add_column(_ends(found, width), no_wrap=True)
    for line in found.lines:
        key = line.key
        table.add_row(
            Text(key.id),
            Text(key.state.value, style=_COLOURS[key.state]),
            *((Text(key.custody), Text(f"{line.valid_until:%Y-%m-%d}")) if wide else ()),
            _drawn(line, found, width),
        )
    signs: Sequence[str | tuple[str, str]] = (
        *((f"{_BLOCKS[state]} {state}  ", _COLOURS[state]) for state in _BLOCKS),
        ("─ certificate valid  ", "dim"),
        ("▾ │ now", "bold"),
    )
    return Group(table, Text.assemble(*signs))


def _ends(found: Timeline, width: int) -> str:
    """The axis: its first and last month, and where now is."""
    begin, end = f"{found.begin:%Y-%m}", f"{found.end:%Y-%m}"
    axis = begin + end.rjust(width - len(begin))
    now = round(found.share(found.now) * (width - 1))
    free = len(begin) < now < width - len(end) - 1
    return axis[:now] + "▾" + axis[now + 1 :] if free else axis


def _drawn(line: KeyLine, found: Timeline, width: int) -> Text:
    last = width - 1
    cells: list[tuple[str, str]] = [(" ", "")] * width

    def at(share: float) -> int:
        return round(share * last)

    begin, end = at(found.share(line.valid_from)), at(found.share(line.valid_until))
    cells[begin : end + 1] = [("─", "dim")] * (end - begin + 1)
    now = at(found.share(found.now))
    cells[now] = ("│", "bold")
    for period in line.periods:
        first, past = at(found.share(period.begin)), at(found.share(period.end))
        sign = (_BLOCKS[period.state], _COLOURS[period.state])
        cells[first : max(past, first + 1)] = [sign] * max(past - first, 1)
    if line.key.state in (KeyState.RETIRED, KeyState.REVOKED) and line.periods:
        stop = at(found.share(line.periods[-1].end))
        cells[stop] = ("×", _COLOURS[line.key.state])
    return Text.assemble(*cells)
