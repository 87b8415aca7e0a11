"""The synthetic market: a tape that needs no data, a pure function of seed, symbols, first date and index."""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fluxhero.core.calendar import OPENS, Calendar
from fluxhero.feeds import paths
from fluxhero.kernel.state import BAR
from fluxhero.messages import MINUTE, NO_QUOTE, Array, Nanos, Quality, Quote, Trade

QUOTES, TRADES = 24, 12  # per symbol and minute, so that an index is a place in time
PACE = MINUTE // QUOTES  # ns from quote to quote, on average
BLOCK = 30  # minutes that are made at once
LOT = 100  # shares
CENT = 10_000  # micro-dollars
WHOLE_DAY = 390  # minutes

Columns = dict[str, Array]


class Market:
    """Trades and quotes of all symbols in regular sessions, merged: by time, quotes before trades, slot."""

    def __init__(self, symbols: Sequence[str], seed: int, first: datetime.date, calendar: Calendar) -> None:
        """Begins with the first session on or after `first`; ValueError if there is none."""
        self._sessions = [s for s in calendar.sessions if s.date >= first]
        if not self._sessions:
            raise ValueError(f"no session on or after {first}: the calendar ends on {calendar.last}")
        self._past = calendar.sessions[: self._sessions[0].index]
        self._keys = [paths.key_of(seed, symbol) for symbol in symbols]
        self._per = (QUOTES + TRADES) * len(symbols)  # events per minute
        lengths = [(s.close - s.open) // MINUTE for s in self._sessions]
        self._minutes: list[int] = np.append(0, np.cumsum(lengths)).tolist()  # before each session, and in all
        self.begins, self.last = self._sessions[0].open, self._sessions[-1].close

    def __len__(self) -> int:
        return self._per * self._minutes[-1]

    def events(self, start: int) -> Iterator[Trade | Quote]:
        minute = start // self._per
        for number in range(bisect_right(self._minutes, minute) - 1, len(self._sessions)):
            s, before = self._sessions[number], self._minutes[number]
            n = self._minutes[number + 1] - before
            levels = [paths.levels(key, s.index, n) for key in self._keys]
            for at in range(max(0, minute - before) // BLOCK * BLOCK, n, BLOCK):
                index = self._per * (before + at)
                blocks = [_block(key, s.index, s.open, at, path) for key, path in zip(self._keys, levels, strict=True)]
                yield from _messages(blocks, index, max(0, start - index))

    def resume(self, cursor: int) -> int:
        """Where to feed from so that the forming minute, and a minute of quotes before it, are seen again."""
        if cursor == 0:
            return 0
        minute = (cursor - 1) // self._per
        opened = self._minutes[bisect_right(self._minutes, minute) - 1]
        return self._per * max(opened, minute - 1)

    def history(self, n: int) -> Array:
        """The last n minutes of the sessions before `begins`, oldest first: BAR records of shape (n, symbols)."""
        days: list[Array] = []
        session, left = self._sessions[0].index, n
        while left > 0:
            session -= 1
            opened, length = self._placed(session)
            days.append(np.stack([_bars(key, session, opened, length) for key in self._keys], axis=1)[-left:])
            left -= len(days[-1])
        return np.concatenate([np.zeros((0, len(self._keys)), BAR), *reversed(days)])

    def _placed(self, session: int) -> tuple[Nanos, int]:
        """A past session's open and minutes; before the calendar's first, whole sessions every day."""
        if session < 0:
            first = (self._past or self._sessions)[0]
            return Nanos(first.open + session * 24 * 60 * MINUTE), WHOLE_DAY
        s = self._past[session]
        return s.open, (s.close - s.open) // MINUTE


def _block(key: int, session: int, opened: Nanos, at: int, levels: Array) -> tuple[Columns, Columns]:
    """Quotes and trades of a session's minutes from `at` on, BLOCK or as many as there are: shape (minutes, each)."""
    rng = paths.chance(key, paths.TICKS, session, at)
    lively = paths.liveliness(len(levels) - 1)[at : at + BLOCK, None]
    quotes = _quotes(rng, levels[at : at + BLOCK + 1], lively)
    trades = _trades(rng, quotes, lively)
    minutes = opened + (at + np.arange(len(lively))[:, None]) * MINUTE
    for part in (quotes, trades):
        part["ts"] += minutes
    return quotes, trades


def _quotes(rng: np.random.Generator, levels: Array, lively: Array) -> Columns:
    """Whole cents in micro-dollars, times in ns of the minute; a minute's first comes within its first second."""
    mid = _mids(rng, levels, lively)
    spread = 1 + rng.poisson(0.4 * lively**2 * (0.5 + mid / 200.0))
    bid = np.rint(mid * 100.0 - spread / 2.0).astype(np.int64) * CENT
    lots = np.maximum(np.rint(rng.lognormal(1.1, 0.8, (2, *mid.shape))), 1.0).astype(np.int64)
    ts = np.arange(QUOTES) * PACE + rng.integers(PACE * 2 // 5, size=mid.shape)
    return {"ts": ts, "bid": bid, "ask": bid + spread * CENT, "bid_size": lots[0] * LOT, "ask_size": lots[1] * LOT}


def _mids(rng: np.random.Generator, levels: Array, lively: Array) -> Array:
    """USD: a noisy bridge from each minute's level to the next."""
    walk = np.cumsum(rng.standard_normal((len(lively), QUOTES)), axis=1) / np.sqrt(QUOTES)
    share = np.arange(1, QUOTES + 1) / QUOTES
    bridge = paths.NOISE * lively * (walk - walk[:, -1:] * share)
    mid: Array = np.exp(levels[:-1, None] + np.diff(levels)[:, None] * share + bridge)
    return mid


def _trades(rng: np.random.Generator, quotes: Columns, lively: Array) -> Columns:
    """One under every other quote or so, at its bid or its ask."""
    shape = (len(lively), TRADES)
    under = np.arange(0, QUOTES, QUOTES // TRADES) + rng.integers(QUOTES // TRADES, size=shape)
    begin = np.take_along_axis(quotes["ts"], under, 1)
    end = np.take_along_axis(np.insert(quotes["ts"], QUOTES, MINUTE, axis=1), under + 1, 1)
    bid, ask = (np.take_along_axis(quotes[side], under, 1) for side in ("bid", "ask"))
    price = np.where(rng.integers(2, size=shape), ask, bid)
    size = np.ceil(lively * rng.lognormal(4.6, 1.0, shape)).astype(np.int64)
    return {"ts": begin + rng.integers(end - begin), "price": price / 1e6, "size": size}


def _messages(blocks: list[tuple[Columns, Columns]], index: int, skip: int) -> Iterator[Trade | Quote]:
    """A block of every symbol in order of time; what happens at once keeps the order in which it is put together."""
    quotes = _rows([block[0] for block in blocks], "ts bid ask bid_size ask_size")
    trades = _rows([block[1] for block in blocks], "ts price size")
    order = np.argsort(np.array([row[1] for row in quotes + trades]), kind="stable").tolist()
    for i, at in enumerate(order[skip:], index + skip):
        if at < len(quotes):
            slot, ts, bid, ask, bids, asks = quotes[at]
            yield Quote(index=i, ts=ts, slot=slot, bid=bid, ask=ask, bid_size=bids, ask_size=asks)
        else:
            slot, ts, price, size = trades[at - len(quotes)]
            yield Trade(index=i, ts=ts, slot=slot, price=price, size=size)


def _rows(parts: list[Columns], names: str) -> list[tuple[Any, ...]]:
    """Slot and the named columns, symbol after symbol."""
    slots = [np.full(part["ts"].size, slot) for slot, part in enumerate(parts)]
    columns = [slots, *([part[name].ravel() for part in parts] for name in names.split())]
    return list(zip(*(np.concatenate(column).tolist() for column in columns), strict=True))


def _bars(key: int, session: int, opened: Nanos, n: int) -> Array:
    """The trades of a session as it would have been on the tape, by the minute."""
    levels = paths.levels(key, session, n)
    trades = [_block(key, session, opened, at, levels)[1] for at in range(0, n, BLOCK)]
    price, size = (np.concatenate([part[name] for part in trades]) for name in ("price", "size"))
    bars = np.zeros(n, BAR)
    bars["ts"] = opened + np.arange(n) * MINUTE
    bars["open"], bars["close"] = price[:, 0], price[:, -1]
    bars["high"], bars["low"], bars["volume"] = price.max(axis=1), price.min(axis=1), size.sum(axis=1)
    bars["session"], bars["left"], bars["quality"] = session, np.arange(n)[::-1], Quality.FULL
    bars["clock"], bars["spread"] = OPENS + 1 + np.arange(n), NO_QUOTE
    return bars
