"""Our signing keys in time, as a picture with a table beside it, for people who are signed in.

The certificates of published keys are public, as metadata is. What became of keys that are no
longer published is for signed-in people only; who did it, why, and where keys are kept stays with
`idp certs show`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from idp.keys.publication import PublishedCertificate
from idp.keys.signing_key import KeyState
from idp.keys.store import all_keys
from idp.keys.timeline import KeyLine, Timeline, timeline
from idp.web.parts import parts
from idp.web.visitor import signed_in

blueprint = Blueprint("signing_keys", __name__)

_MOST_TICKS = 6
_HEAD, _ROW = 40, 64  # heights in pixels


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of a row: `kind` is its class, `x` and `width` are percents of the picture."""

    kind: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """A key in the picture, `y` pixels from the top; `stop` is where it was taken out of use."""

    y: int
    label: str
    state: str
    validity: Bar
    bars: tuple[Bar, ...]
    stop: float | None


@dataclass(frozen=True, slots=True)
class Tick:
    """A date on the axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the template draws."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    now: float
    height: int


@blueprint.get("/for-admins/keys")
def page() -> Response | str:
    """The picture and the table."""
    own = parts()
    if signed_in() is None:
        return redirect(url_for("sign_in.page", next=url_for("signing_keys.page")), 303)
    with own.database.reading() as db:
        keys = all_keys(db)
    found = timeline(keys, own.now())
    return render_template(
        "signing_keys.html",
        picture=drawn(found),
        keys=[(line.key, PublishedCertificate.of(line.key)) for line in reversed(found.lines)],
    )


def drawn(found: Timeline) -> Picture:
    """Lay a timeline out, the newest key on top."""
    lines = tuple(reversed(found.lines))
    rows = tuple(_row(found, line, _HEAD + _ROW * at) for at, line in enumerate(lines))
    return Picture(rows, ticks(found), _percent(found, found.now), _HEAD + _ROW * len(rows))


def ticks(found: Timeline) -> tuple[Tick, ...]:
    """At most six round dates between begin and end: years, or months if it is not that long."""
    first = found.begin.year * 12 + found.begin.month  # months since the year 0, from the next one
    last = found.end.year * 12 + found.end.month - 1
    steps = (1, 2, 3, 6, 12, 24, 60, 120, 600)
    step = next((each for each in steps if last // each - (first - 1) // each <= _MOST_TICKS), 1200)
    months = range(-(-first // step) * step, last + 1, step)
    return tuple(_tick(found, month, yearly=step >= 12) for month in months)


def _tick(found: Timeline, month: int, *, yearly: bool) -> Tick:
    moment = datetime(month // 12, month % 12 + 1, 1, tzinfo=found.begin.tzinfo)
    label = f"{moment:%Y}" if yearly or moment.month == 1 else f"{moment:%b}"
    return Tick(_percent(found, moment), label)


def _row(found: Timeline, line: KeyLine, y: int) -> Row:
    ended = line.key.state in (KeyState.RETIRED, KeyState.REVOKED)
    return Row(
        y,
        line.key.id,
        line.key.state.value,
        _bar(found, "valid", line.valid_from, line.valid_until),
        tuple(_bar(found, each.state.value, each.begin, each.end) for each in line.periods),
        _percent(found, line.periods[-1].end) if ended and line.periods else None,
    )


def _bar(found: Timeline, kind: str, begin: datetime, end: datetime) -> Bar:
    x = _percent(found, begin)
    return Bar(kind, x, round(max(_percent(found, end) - x, 0), 3))


def _percent(found: Timeline, moment: datetime) -> float:
    return round(found.share(moment) * 100, 3)
