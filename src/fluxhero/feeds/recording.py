"""Which recorded data a replay runs on: files found per symbol, one model and one timeframe for all."""

from __future__ import annotations

import enum
from collections import Counter
from datetime import date
from pathlib import Path

import msgspec

from fluxhero.core.calendar import Calendar
from fluxhero.feeds.files import Columns, File, Timeframe, Unusable, kind_of, read, timeframe_of
from fluxhero.feeds.tape import BarTimes, Tape, Ticks, minutes, placed
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


class Recorded(msgspec.Struct):
    """One symbol's data: ticks, or bars of one timeframe."""

    symbol: str
    files: list[File]
    trades: Columns | None = None
    quotes: Columns | None = None
    bars: Columns | None = None
    timeframe: Timeframe = Timeframe.M1


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
            found.append(_homely(_cut(_find(symbol, request), request, calendar), calendar))
        except Unusable as e:
            left_out[symbol] = str(e)
    model = request.model or (Model.QUOTE if found and all(r.quotes is not None for r in found) else Model.BAR)
    if model is Model.QUOTE:
        for r in [r for r in found if r.trades is None or r.quotes is None]:
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


def _find(symbol: str, r: Request) -> Recorded:
    adjusted = "-adj" if r.adjusted else ""
    trades, quotes = r.data / f"{symbol}_trades.parquet", r.data / f"{symbol}_quotes.parquet"
    if symbol in r.files:
        return _given(symbol, r.files[symbol], r)
    both = trades.exists() and quotes.exists() and not r.adjusted
    if r.input is Input.TICKS or (r.input is Input.AUTO and both):
        files = [read(trades, "trades")]
        if r.model is not Model.BAR and (quotes.exists() or r.model is Model.QUOTE):
            files.append(read(quotes, "quotes"))
        return Recorded(symbol, files, files[0].rows, files[1].rows if len(files) > 1 else None)
    timeframe = Timeframe.M1 if r.input is Input.AUTO else Timeframe(r.input)
    file = read(r.data / f"{symbol}_{timeframe}{adjusted}.parquet", "bars")
    return Recorded(symbol, [file], bars=file.rows, timeframe=timeframe)


def _given(symbol: str, path: Path, r: Request) -> Recorded:
    kind = kind_of(path) if path.exists() else "bars"
    file = read(path, kind)
    if kind == "quotes":
        raise Unusable(f"{path.name} holds quotes alone; a replay needs trades or bars")
    if kind == "trades":
        return Recorded(symbol, [file], trades=file.rows)
    named = Timeframe(r.input) if r.input not in (Input.AUTO, Input.TICKS) else timeframe_of(path)
    if named is None:
        raise Unusable(f"{path.name}: its name shows no timeframe; say it with --input 1m, 5m, 1h or 1d")
    return Recorded(symbol, [file], bars=file.rows, timeframe=named)


def _cut(r: Recorded, request: Request, calendar: Calendar) -> Recorded:
    """To the dates asked for; what the calendar does not reach is refused."""
    whole = calendar.day_of(calendar.first)[0], calendar.day_of(calendar.last)[1]
    low = calendar.day_of(request.first or calendar.first)[0]
    high = calendar.day_of(request.last or calendar.last)[1]
    for file in r.files:
        ts = file.rows["ts"]
        outside = int(((ts < whole[0]) | (ts >= whole[1])).sum())
        file.refused += Counter({"outside the calendar": outside})
        inside = (ts >= low) & (ts < high)
        if not inside.any():
            span = f"{request.first or calendar.first} to {request.last or calendar.last}"
            raise Unusable(f"{file.path.name} has no good row from {span}")
        for name, column in file.rows.items():
            file.rows[name] = column[inside]
    return r


def _homely(r: Recorded, calendar: Calendar) -> Recorded:
    """Daily bars need sessions to belong to."""
    daily = r.bars if r.timeframe is Timeframe.D1 else None
    if daily is not None and not len(placed(daily, r.timeframe, calendar)[0]):
        raise Unusable(f"{r.files[0].path.name} has no bar of a day with a session")
    return r


def _tape(found: list[Recorded], model: Model, calendar: Calendar) -> tuple[Tape, dict[str, Counter[str]]]:
    refused = {r.symbol: sum((f.refused for f in r.files), Counter[str]()) for r in found}
    if model is Model.QUOTE:
        return Ticks([r.trades or {} for r in found], [r.quotes or {} for r in found]), refused
    placed_bars = [placed(_bars_of(r), r.timeframe, calendar) for r in found]
    for r, (bars, _, reasons) in zip(found, placed_bars, strict=True):
        refused[r.symbol] += reasons
        if r.trades is not None and r.trades["ts"][0] - bars["ts"][0] > SECOND and bars["quality"][0] == Quality.FULL:
            bars["quality"][0] = Quality.PARTIAL
    return BarTimes([bars for bars, _, _ in placed_bars], [ends for _, ends, _ in placed_bars]), refused


def _bars_of(r: Recorded) -> Columns:
    return r.bars if r.bars is not None else minutes(r.trades or {})
