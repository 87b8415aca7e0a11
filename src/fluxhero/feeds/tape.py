"""A tape: every event of a replay in the order in which it happens. Its index is what both sides' cursors count."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fluxhero.feeds.rows import Columns
from fluxhero.kernel.state import BAR
from fluxhero.messages import MINUTE, Array, Bars, Event, Nanos, Quote, Trade

CHUNK = 4096
WHOLE_SESSION = 1_000_000  # `left` of a daily bar: no minute of its session is special


class Ticks:
    """Trades and quotes of all symbols, merged: by time, quotes before trades, config order, file order."""

    def __init__(self, trades: list[Columns], quotes: list[Columns]) -> None:
        parts = [self._part(rows, slot, 0) for slot, rows in enumerate(quotes)]
        parts += [self._part(rows, slot, 1) for slot, rows in enumerate(trades)]
        joined = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
        order = np.lexsort((joined["slot"], joined["kind"], joined["ts"]))  # stable: file order stays
        self._columns = {k: v[order] for k, v in joined.items()}
        self.ts: Array = self._columns["ts"]

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def last(self) -> Nanos:
        return Nanos(int(self.ts[-1]))

    def events(self, start: int) -> Iterator[Event]:
        c = self._columns
        names = ("ts", "kind", "slot", "price", "bid", "ask", "size", "ask_size")
        for at in range(start, len(self), CHUNK):
            rows = zip(*(c[name][at : at + CHUNK].tolist() for name in names), strict=True)
            for index, (ts, kind, slot, price, bid, ask, size, ask_size) in enumerate(rows, at):
                if kind:
                    yield Trade(index=index, ts=ts, slot=slot, price=price, size=size)
                else:
                    yield Quote(index=index, ts=ts, slot=slot, bid=bid, ask=ask, bid_size=size, ask_size=ask_size)

    def resume(self, cursor: int) -> int:
        """Where to feed from so that the forming minute, and a minute of quotes before it, are seen again."""
        if cursor == 0:
            return 0
        last = int(self.ts[cursor - 1])
        return int(np.searchsorted(self.ts, last - last % MINUTE - MINUTE))

    @staticmethod
    def _part(rows: Columns, slot: int, kind: int) -> Columns:
        n = len(rows["ts"])
        zero = np.zeros(n, np.int64)
        return {
            "ts": rows["ts"],
            "kind": np.full(n, kind, np.int8),
            "slot": np.full(n, slot, np.int16),
            "price": rows.get("price", np.zeros(n)),
            "bid": _micros(rows["bid"]) if "bid" in rows else zero,
            "ask": _micros(rows["ask"]) if "ask" in rows else zero,
            "size": rows.get("size", rows.get("bid_size", zero)),
            "ask_size": rows.get("ask_size", zero),
        }


class BarTimes:
    """Bars of all symbols, one event per time at which some are known: the bars' end."""

    def __init__(self, bars: list[Array], ends: list[Array]) -> None:
        self.ts: Array = np.unique(np.concatenate(ends))
        self.bars = np.zeros((len(self.ts), len(bars)), BAR)
        for slot, (rows, end) in enumerate(zip(bars, ends, strict=True)):
            self.bars[np.searchsorted(self.ts, end), slot] = rows

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def last(self) -> Nanos:
        return Nanos(int(self.ts[-1]))

    def events(self, start: int) -> Iterator[Event]:
        for index in range(start, len(self)):
            yield Bars(index=index, ts=Nanos(int(self.ts[index])), bars=self.bars[index])

    def resume(self, cursor: int) -> int:
        """A bar time leaves nothing half done."""
        return cursor


Tape = Ticks | BarTimes


def _micros(usd: Array) -> Array:
    return (usd * 1e6 + 0.5).astype(np.int64)


def minutes(trades: Columns) -> Columns:
    """Trades to 1 m bars on the minute grid: file order, bucket floor(ts)."""
    starts = trades["ts"] - trades["ts"] % MINUTE
    _, first = np.unique(starts, return_index=True)
    price = trades["price"]
    last = np.append(first[1:], len(price)) - 1
    return {
        "ts": starts[first],
        "open": price[first],
        "high": np.maximum.reduceat(price, first) if len(first) else price,
        "low": np.minimum.reduceat(price, first) if len(first) else price,
        "close": price[last],
        "volume": (np.add.reduceat(trades["size"], first) if len(first) else price).astype(np.float64),
    }
