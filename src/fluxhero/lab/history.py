"""The past that is tried on: bars of time-aligned symbols, with their places in the calendar."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import msgspec
import numpy as np

from fluxhero.core.calendar import Calendar
from fluxhero.feeds.recording import Recording, Request, load
from fluxhero.feeds.tape import BarTimes
from fluxhero.kernel.simulate import Market
from fluxhero.messages import MINUTE, Array, Model, Nanos


@dataclass(frozen=True, eq=False)
class History:
    symbols: tuple[str, ...]
    timeframe: str
    span: Nanos  # of a bar
    adjusted: bool  # for splits and dividends; else the prices are as traded
    market: Market
    digest: str  # of all that is in it

    @property
    def closes(self) -> Array:
        """Index of the last bar time of every session."""
        sessions = self.market.sessions
        inside = np.flatnonzero(sessions >= 0)
        last = np.append(np.flatnonzero(np.diff(sessions[inside])), len(inside) - 1)
        return inside[last] if len(inside) else inside

    def part(self, first: int, end: int) -> History:
        """Bar times `first` to `end`, which is out."""
        cut = Market(*(column[first:end] for column in self.market))
        return History(self.symbols, self.timeframe, self.span, self.adjusted, cut, f"{self.digest}[{first}:{end}]")


def loaded(request: Request, calendar: Calendar) -> tuple[History, Recording]:
    """Ticks are made into minutes first. Raises Unusable."""
    r = load(msgspec.structs.replace(request, model=Model.BAR), calendar)
    assert isinstance(r.tape, BarTimes)
    digest = hashlib.blake2b(repr(sorted(r.digests.items())).encode() + request.dates.encode(), digest_size=8)
    market = aligned(r.tape.bars, r.tape.ts, calendar)
    span = Nanos(r.timeframe.minutes * MINUTE)
    return History(r.symbols, r.timeframe.value, span, request.adjusted, market, digest.hexdigest()), r


def aligned(bars: Array, ends: Array, calendar: Calendar) -> Market:
    """bars: BAR of shape (T, S), ts 0 where a symbol has none; ends: of the bar times, UTC ns."""
    sessions = np.where(bars["ts"] != 0, bars["session"], -1).max(axis=1)
    months = np.array([s.date.year * 12 + s.date.month for s in calendar.sessions] + [0], np.int64)
    nexts = np.searchsorted([s.close for s in calendar.sessions], ends, side="right")
    return Market(np.ascontiguousarray(bars), ends, sessions, months[sessions], nexts)
