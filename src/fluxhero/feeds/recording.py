"""Which recorded data a replay runs on: files found per symbol, one model and one timeframe for all."""

from __future__ import annotations

import enum
import os
from collections import Counter
from datetime import date
from pathlib import Path

import msgspec
import numpy as np

from fluxhero.core.calendar import Calendar
from fluxhero.feeds.faults import Fault
from fluxhero.feeds.files import File, Timeframe, Unusable, read, timeframe_of
from fluxhero.feeds.placing import Placed, fitting, outside, placed, unit_of
from fluxhero.feeds.rows import Columns, sift
from fluxhero.feeds.tape import BarTimes, Tape, Ticks, minutes
from fluxhero.messages import SECOND, Model, Quality


class Input(enum.StrEnum):
    AUTO = "auto"
    TICKS = "ticks"
    M1 = "1m"
    M5 = "5m"
    H1 = "1h"
    D1 = "1d"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked to replay; dates are New York session dates, inclusive."""

    data: Path
    symbols: tuple[str, ...]
    input: Input = Input.AUTO
    adjusted: bool = False
    files: dict[str, Path] = {}
    model: Model | None = None
    first: date | None = None
    last: date | None = None

    @property
    def dates(self) -> str:
        return f"{self.first or 'first'} to {self.last or 'last'}"


class Recorded(msgspec.Struct):
    """One symbol's data: ticks, or bars of one timeframe."""

    symbol: str
    files: list[File]
    timeframe: Timeframe = Timeframe.M1
    placed: Placed | None = None  # its bars

    def rows(self, kind: str) -> Columns | None:
        return next((f.rows for f in self.files if f.kind == kind), None)


class Recording(msgspec.Struct):
    symbols: tuple[str, ...]
    model: Model
    timeframe: Timeframe
    tape: Tape
    digests: dict[str, str]  # of the files, by symbol
    refused: dict[str, dict[str, int]]  # rows, by symbol and reason
    left_out: dict[str, str]  # symbols, and why


def load(request: Request, calendar: Calendar) -> Recording:
    """Raises Unusable where nothing is left to replay."""
    _check(request, calendar)
    found: list[Recorded] = []
    left_out: dict[str, str] = {}
    for symbol in request.symbols:
        try:
            found.append(_recorded(symbol, request, calendar))
        except Unusable as e:
            left_out[symbol] = str(e)
    model = request.model or (Model.QUOTE if found and all(r.rows("quotes") for r in found) else Model.BAR)
    if model is Model.QUOTE:
        for r in [r for r in found if not (r.rows("trades") and r.rows("quotes"))]:
            left_out[r.symbol] = f"{r.symbol} has no trades with quotes, which the quote model needs"
            found.remove(r)
    if not found:
        raise Unusable("; ".join(left_out.values()) or "no symbols")
    if len({r.timeframe for r in found}) > 1:
        raise Unusable("one replay has one timeframe: " + ", ".join(f"{r.symbol} {r.timeframe}" for r in found))
    tape, refused = _tape(found, model, calendar)
    return Recording(
        symbols=tuple(r.symbol for r in found),
        model=model,
        timeframe=found[0].timeframe,
        tape=tape,
        digests={r.symbol: "+".join(f.digest for f in r.files) for r in found},
        refused={symbol: dict(sorted(reasons.items())) for symbol, reasons in refused.items() if reasons},
        left_out=left_out,
    )


def _check(r: Request, calendar: Calendar) -> None:
    """What no data could satisfy."""
    for day in (r.first, r.last):
        if day and not calendar.first <= day <= calendar.last:
            raise Unusable(f"{day} lies outside the calendar, which goes from {calendar.first} to {calendar.last}")
    if r.adjusted and r.input is Input.TICKS:
        raise Unusable("ticks are never adjusted; leave --adjusted or --input ticks")


def _recorded(symbol: str, request: Request, calendar: Calendar) -> Recorded:
    """The rows of the dates asked for; whether a file can be used does not depend on them."""
    r = _given(symbol, request) if symbol in request.files else _found(symbol, request)
    for file in r.files:
        _within(file, calendar)
    if bars := r.rows("bars"):
        r.placed = fitting(r.files[0].path, bars, r.timeframe, calendar)
    _cut(r, request, calendar)
    return r


def _found(symbol: str, r: Request) -> Recorded:
    trades, quotes = (r.data / f"{symbol}_{kind}.parquet" for kind in ("trades", "quotes"))
    both = _there(trades) and _there(quotes) and not r.adjusted
    if r.input is Input.TICKS or (r.input is Input.AUTO and both):
        files = [read(trades, "trades")]
        if r.model is not Model.BAR and (_there(quotes) or r.model is Model.QUOTE):
            files.append(read(quotes, "quotes"))
        return Recorded(symbol, files)
    timeframe = Timeframe.M1 if r.input is Input.AUTO else Timeframe(r.input)
    name = f"{symbol}_{timeframe}{'-adj' if r.adjusted else ''}.parquet"
    return Recorded(symbol, [read(r.data / name, "bars")], timeframe)


def _there(path: Path) -> bool:
    """A link to nothing is there: it is for `read` to say what is wrong with it."""
    return os.path.lexists(path)


def _given(symbol: str, r: Request) -> Recorded:
    path = r.files[symbol]
    file = read(path)
    if file.kind == "quotes":
        raise Fault.QUOTES.of(path)
    if file.kind == "trades":
        return Recorded(symbol, [file])
    named = Timeframe(r.input) if r.input not in (Input.AUTO, Input.TICKS) else timeframe_of(path)
    if named is None:
        raise Fault.NAMELESS.of(path)
    return Recorded(symbol, [file], named)


def _within(file: File, calendar: Calendar) -> None:
    """Refuses what the calendar does not reach."""
    good, refused = sift((outside(calendar),), file.kind, file.rows)
    if not len(good["ts"]):
        if unit := unit_of(file.rows["ts"], calendar):
            raise Fault.UNIT.of(file.path, what=unit)
        why = ", ".join(f"{n} {name}" for name, n in (file.refused + refused).items()) or "it has no rows"
        raise Fault.NO_ROW.of(file.path, span=_span(None, None, calendar), why=f": {why}")
    file.rows = good
    file.refused += refused


def _cut(r: Recorded, request: Request, calendar: Calendar) -> None:
    """To the dates asked for."""
    low = calendar.day_of(request.first or calendar.first)[0]
    high = calendar.day_of(request.last or calendar.last)[1]
    for file in r.files:
        ts = r.placed.bars["ts"] if r.placed else file.rows["ts"]
        a, b = np.searchsorted(ts, (low, high))
        if a >= b:
            raise Fault.NO_ROW.of(file.path, span=_span(request.first, request.last, calendar), why="")
        if r.placed:
            r.placed.bars, r.placed.ends = r.placed.bars[a:b], r.placed.ends[a:b]
        else:
            file.rows = {name: column[a:b] for name, column in file.rows.items()}


def _span(first: date | None, last: date | None, calendar: Calendar) -> str:
    return f"{first or calendar.first} to {last or calendar.last}"


def _tape(found: list[Recorded], model: Model, calendar: Calendar) -> tuple[Tape, dict[str, Counter[str]]]:
    refused = {r.symbol: sum((f.refused for f in r.files), Counter[str]()) for r in found}
    if model is Model.QUOTE:
        return Ticks([r.rows("trades") or {} for r in found], [r.rows("quotes") or {} for r in found]), refused
    bars = [_bars(r, calendar) for r in found]
    for r, p in zip(found, bars, strict=True):
        refused[r.symbol] += p.refused
    return BarTimes([p.bars for p in bars], [p.ends for p in bars]), refused


def _bars(r: Recorded, calendar: Calendar) -> Placed:
    """A minute that begins before its first trade is known is partial."""
    if r.placed:
        return r.placed
    trades = r.rows("trades") or {}
    p = placed(minutes(trades), Timeframe.M1, calendar)
    if trades["ts"][0] - p.bars["ts"][0] > SECOND and p.bars["quality"][0] == Quality.FULL:
        p.bars["quality"][0] = Quality.PARTIAL
    return p
