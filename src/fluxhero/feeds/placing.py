"""Bars on their sessions: where each belongs, which cannot be there, and whether they are of their timeframe at all."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from fluxhero.core.calendar import OPENS, Calendar
from fluxhero.feeds.faults import Fault
from fluxhero.feeds.files import Timeframe
from fluxhero.feeds.rows import KINDS, Columns, Reason, sift
from fluxhero.feeds.tape import WHOLE_SESSION
from fluxhero.kernel.state import BAR
from fluxhero.messages import MINUTE, NO_QUOTE, SECOND, Array, Quality

HOUR, DAY = 60 * MINUTE, 1440 * MINUTE
SPANS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))
TOO_MANY = 1 / 3  # of a file's rows misplaced: they are bars of something else
ENOUGH = 30  # bars, fewer than a strategy warms up on: only more are judged as a whole
MOST = 0.95  # of those steps


def _overlapping(r: Columns) -> Array:
    """What starts before the last kept bar is over."""
    start, end = r["ts"], r["end"]
    bad = np.zeros(len(start), bool)
    if (start[1:] < end[:-1]).any():
        free = 0
        for i, (begins, ends) in enumerate(zip(start.tolist(), end.tolist(), strict=True)):
            bad[i] = begins < free
            free = free if bad[i] else ends
    return bad


OFF_GRID = Reason(
    "off the grid of its timeframe",
    "a 1m bar starts with a minute, a 5m bar with five, a 1h bar with an hour or a half",
    {
        Timeframe.M1: lambda r: r["ts"] % MINUTE != 0,
        Timeframe.M5: lambda r: r["ts"] % (5 * MINUTE) != 0,
        Timeframe.H1: lambda r: r["ts"] % (HOUR // 2) != 0,
    },
)
NO_SESSION = Reason(
    "no session on that day", "a daily bar of a weekend or holiday", {Timeframe.D1: lambda r: r["session"] < 0}
)
AFTER_CLOSE = Reason(
    "after the close of its day",
    "a daily bar stamped with its end, or with midnight UTC",
    {Timeframe.D1: lambda r: r["ts"] >= r["closes"]},
)
OVERLAPPING = Reason(
    "overlaps the bar before",
    "it starts before the last bar that was kept is over",
    dict.fromkeys(Timeframe, _overlapping),
)
UNITS = {"seconds": 10**9, "milliseconds": 10**6, "microseconds": 10**3}
PLACES = (OFF_GRID, NO_SESSION, AFTER_CLOSE)


class Placed(msgspec.Struct):
    """BAR records, when each is known (its end), and the rows that were refused, by reason."""

    bars: Array
    ends: Array
    refused: Counter[str]


def outside(calendar: Calendar) -> Reason:
    low, high = _reach(calendar)

    def test(r: Columns) -> Array:
        return (r["ts"] < low) | (r["ts"] >= high)

    says = f"before {calendar.first} or after {calendar.last}, in New York"
    return Reason("outside the calendar", says, dict.fromkeys(KINDS, test))


def unit_of(ts: Array, calendar: Calendar) -> str | None:
    """The unit in which these times, which are no nanoseconds, would lie within the calendar."""
    low, high = _reach(calendar)
    ends = (int(ts[0]), int(ts[-1])) if len(ts) else (0, 0)
    return next((unit for unit, ns in UNITS.items() if all(low <= t * ns < high for t in ends)), None)


def _reach(calendar: Calendar) -> tuple[int, int]:
    return calendar.day_of(calendar.first)[0], calendar.day_of(calendar.last)[1]


def placed(rows: Columns, timeframe: Timeframe, calendar: Calendar) -> Placed:
    daily = timeframe is Timeframe.D1
    on = _daily(rows, calendar) if daily else _intraday(rows, timeframe.minutes * MINUTE, calendar)
    on, refused = sift(PLACES, timeframe, rows | on)
    on, overlapping = sift((OVERLAPPING,), timeframe, on)
    bars = np.zeros(len(on["ts"]), BAR)
    for name in ("ts", "open", "high", "low", "close", "volume", "session"):
        bars[name] = on[name]
    regular = on["session"] >= 0
    bars["quality"] = np.where(regular, Quality.FULL, Quality.EXTENDED)
    bars["left"] = WHOLE_SESSION if daily else np.where(regular, (on["closes"] - on["end"]) // MINUTE, 0)
    bars["clock"] = 0 if daily else np.where(regular, OPENS + (on["end"] - on["opens"]) // MINUTE, 0)
    bars["spread"] = NO_QUOTE
    return Placed(bars, on["end"], refused + overlapping)


def fitting(path: Path, rows: Columns, timeframe: Timeframe, calendar: Calendar) -> Placed:
    """A file's bars, placed. Raises Unusable where they are not of that timeframe: to trade on a part of a bar, or on
    one before it is over, is worse than not to trade.
    """
    ts = rows["ts"]
    if timeframe is Timeframe.D1 and (ts % DAY == 0).mean() > TOO_MANY:
        raise Fault.MIDNIGHT.of(path)
    found = placed(rows, timeframe, calendar)
    why = ", ".join(f"{n} {name}" for name, n in found.refused.items())
    amiss = found.refused.total() - found.refused[NO_SESSION.name]
    if len(ts) > ENOUGH and amiss > TOO_MANY * len(ts):
        raise Fault.FINE.of(path, timeframe=timeframe, count=len(ts), why=why, apart=_apart(ts))
    if not len(found.bars):
        raise Fault.PLACELESS.of(path, count=len(ts), why=why)
    if _coarse(found.bars["ts"], timeframe, calendar):
        raise Fault.COARSE.of(path, timeframe=timeframe, apart=_apart(found.bars["ts"]))
    return found


def _intraday(rows: Columns, length: int, calendar: Calendar) -> Columns:
    """`session` (-1: outside all), its close, and the bar's end."""
    s, start = _sessions(calendar), rows["ts"]
    index = np.minimum(np.searchsorted(s.closes, start, side="right"), len(s.closes) - 1)
    regular = (s.opens[index] < start + length) & (start < s.closes[index])
    end = np.where(regular, np.minimum(start + length, s.closes[index]), start + length)
    return {"session": np.where(regular, index, -1), "opens": s.opens[index], "closes": s.closes[index], "end": end}


def _daily(rows: Columns, calendar: Calendar) -> Columns:
    """The same, of the session of that New York date."""
    s, start = _sessions(calendar), rows["ts"]
    index = np.maximum(np.searchsorted(s.begins, start, side="right") - 1, 0)
    same = (s.begins[index] <= start) & (start < s.ends[index])
    return {
        "session": np.where(same, index, -1),
        "opens": s.opens[index],
        "closes": s.closes[index],
        "end": s.closes[index],
    }


def _coarse(ts: Array, timeframe: Timeframe, calendar: Calendar) -> bool:
    """Do (nearly) all steps skip the same number of bars? By New York's clock, so that summer time is no step."""
    s = _sessions(calendar)
    index = np.maximum(np.searchsorted(s.begins, ts, side="right") - 1, 0)
    steps = np.diff(ts - s.begins[index] + s.days[index] * DAY)
    length = timeframe.minutes * MINUTE
    return len(ts) > ENOUGH and any((steps % (length * many) == 0).mean() >= MOST for many in (2, 3, 5, 7))


def _apart(ts: Array) -> str:
    """The step between most bars, for a person."""
    steps, counts = np.unique(np.diff(ts), return_counts=True)
    step = int(steps[counts.argmax()]) if len(steps) else 0
    return next((f"{step / unit:g} {name}" for unit, name in SPANS if step >= unit), f"{step} ns")


class _Sessions(msgspec.Struct):
    opens: Array
    closes: Array
    begins: Array  # the midnights of their New York dates
    ends: Array
    days: Array  # from the first to those dates


@lru_cache(maxsize=2)
def _sessions(calendar: Calendar) -> _Sessions:
    days = [calendar.day_of(s.date) for s in calendar.sessions]
    first = calendar.sessions[0].date
    return _Sessions(
        opens=np.array([s.open for s in calendar.sessions]),
        closes=np.array([s.close for s in calendar.sessions]),
        begins=np.array([begins for begins, _ in days]),
        ends=np.array([ends for _, ends in days]),
        days=np.array([(s.date - first).days for s in calendar.sessions]),
    )
