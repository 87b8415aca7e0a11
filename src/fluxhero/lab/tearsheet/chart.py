"""What the interactive charts are drawn from: columns of numbers, bounded, and a sentence for each thing left out.

A page holds at most CANDLES candles, shared alike by its symbols: a symbol with more bars has them merged within their
sessions. Indicators are of the bars themselves; a merged candle shows those of its last bar.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from fluxhero.kernel import calculate_atr, calculate_kama
from fluxhero.kernel.ledger import ENTRY, EXIT, STOP
from fluxhero.lab.metrics import r_multiples
from fluxhero.lab.result import Mark, Result
from fluxhero.lab.tearsheet import reasons
from fluxhero.lab.tearsheet.series import local
from fluxhero.messages import Array, Quality

CHARTS = 40  # symbols
CANDLES = 120_000
MARKS = 8_000  # with their sentences
ROUNDS, FILLS, LEVELS = 10_000, 20_000, 30_000
KAMA, ATR = 10, 14  # bars before the first value
BAND = 0.5, 0.3  # ATR from KAMA, where a strategy says nothing else: a trend is entered and left there
ROLES = {ENTRY: "entry", EXIT: "exit", STOP: "stop"}


class Chart(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol. Columns are base64 of little-endian numbers; places are those of candles."""

    symbol: str
    intraday: bool
    band: tuple[float, float]
    time: str  # u4, s, New York's wall time
    open: str  # f4, USD, as are all prices
    high: str
    low: str
    close: str
    kama: str  # NaN: none yet
    atr: str
    fills: dict[str, str]
    rounds: dict[str, str]
    levels: dict[str, str]
    marks: list[tuple[int, str, float | None, str]]  # place, kind, price, sentence


class Charts(msgspec.Struct, frozen=True, kw_only=True):
    found: list[Chart]
    slots: list[int]  # of the symbols
    places: dict[int, tuple[int, int, int]]  # of a round: its chart, its first and last candle
    notes: list[str]  # what is not shown


@dataclass(frozen=True, eq=False)
class Line:
    """The bars of one symbol, and the candles made of them."""

    bars: Array
    ends: Array  # of the bars, UTC ns
    starts: Array  # of each candle, a place among the bars

    def places(self, ts: Array) -> Array:
        """Of the candles in which something happened; ts: the ends of its bars."""
        bars = np.minimum(np.searchsorted(self.ends, ts), self.ends.size - 1)
        return np.searchsorted(self.starts, bars, side="right") - 1


def charts(result: Result) -> Charts:
    names, slots = result.setup.symbols, _chosen(result)
    share = CANDLES // max(1, len(slots))
    lines = {slot: _line(result, slot, share) for slot in slots}
    kept = {
        "rounds": _newest(result.rounds, slots, ROUNDS), "fills": _newest(result.fills, slots, FILLS),
        "levels": _newest(result.levels, slots, LEVELS),
    }  # fmt: skip
    marks, many = reasons.marks(result, slots, MARKS)
    found = [_chart(result, lines[slot], slot, kept, marks) for slot in slots]
    notes = [*_unseen(result, slots), *_merged(lines, names), *_left(result, kept, (many, len(marks)))]
    return Charts(found=found, slots=slots, places=_places(result, lines, slots), notes=notes)


def _chosen(result: Result) -> list[int]:
    """Symbols with bars, those that traded most first where there are too many, in config order."""
    there = np.flatnonzero((result.bars["ts"] != 0).any(axis=0))
    traded = np.bincount(result.fills["slot"], minlength=result.bars.shape[1])
    return sorted(sorted(there.tolist(), key=lambda slot: -traded[slot])[:CHARTS])


def _line(result: Result, slot: int, most: int) -> Line:
    column = result.bars[:, slot]
    there = np.flatnonzero(column["ts"])
    bars = column[there]
    return Line(bars=bars, ends=result.ts[there], starts=_starts(bars["session"], most))


def _starts(session: Array, most: int) -> Array:
    """First bars of at most `most` candles; over sessions only where these alone are too many."""
    n = session.size
    if n <= most:
        return np.arange(n)
    fresh = np.flatnonzero(np.append(True, session[1:] != session[:-1]))
    if 2 * fresh.size > most:
        return np.arange(0, n, -(-n // most))
    within = np.arange(n) - np.repeat(fresh, np.diff(np.append(fresh, n)))
    step = next(k for k in range(2, n + 1) if np.count_nonzero(within % k == 0) <= most)
    return np.flatnonzero(within % step == 0)


def _newest(records: Array, slots: list[int], most: int) -> Array:
    return records[np.isin(records["slot"], slots)][-most:]


def _chart(result: Result, line: Line, slot: int, kept: dict[str, Array], marks: list[Mark]) -> Chart:
    bars, starts, lasts = line.bars, line.starts, np.append(line.starts[1:], line.bars.size) - 1
    kama, atr = _bands(bars)
    mine = {name: records[records["slot"] == slot] for name, records in kept.items()}
    return Chart(
        symbol=result.setup.symbols[slot], intraday=not result.setup.timeframe.endswith("d"), band=_reach(result),
        time=_packed(_rising(local(bars["ts"][starts])), "<u4"), open=_price(bars["open"][starts]),
        high=_price(np.maximum.reduceat(bars["high"], starts)), low=_price(np.minimum.reduceat(bars["low"], starts)),
        close=_price(bars["close"][lasts]), kama=_price(kama[lasts]), atr=_price(atr[lasts]),
        fills=_fills(line, mine["fills"]), rounds=_rounds(line, mine["rounds"]), levels=_levels(line, mine["levels"]),
        marks=_marks(line, [m for m in marks if m.slot in (slot, reasons.EVERYWHERE)]),
    )  # fmt: skip


def _bands(bars: Array) -> tuple[Array, Array]:
    """KAMA and ATR as a symbol's row has them: of full bars alone."""
    full = np.flatnonzero(bars["quality"] == Quality.FULL)
    high, low, close = (bars[name][full] for name in ("high", "low", "close"))
    kama = _spread(bars.size, full, KAMA, lambda: calculate_kama(close))
    return kama, _spread(bars.size, full, ATR, lambda: calculate_atr(high, low, close))


def _spread(n: int, full: Array, before: int, made: Callable[[], Array]) -> Array:
    out = np.full(n, np.nan)
    if full.size > before:
        out[full] = made()
    return out


def _reach(result: Result) -> tuple[float, float]:
    params = result.setup.params
    enter, leave = params.get("enter_atr", BAND[0]), params.get("exit_atr", BAND[1])
    return float(enter), float(leave)


def _rising(times: Array) -> Array:
    """Strictly, also over the hour that comes twice in autumn."""
    steps = np.arange(times.size)
    return np.asarray(np.maximum.accumulate(times.astype(np.int64) - steps) + steps)


def _fills(line: Line, fills: Array) -> dict[str, str]:
    return {
        "at": _packed(line.places(fills["ts"]), "<i4"), "qty": _packed(fills["side"] * fills["qty"], "<i4"),
        "price": _money(fills["price"]), "fee": _money(fills["fee"]), "role": _packed(fills["role"], "<i4"),
    }  # fmt: skip


def _rounds(line: Line, rounds: Array) -> dict[str, str]:
    return {
        "from": _packed(line.places(rounds["opened"]), "<i4"), "to": _packed(line.places(rounds["closed"]), "<i4"),
        "qty": _packed(rounds["qty"], "<i4"), "mode": _packed(rounds["mode"], "<i4"), "entry": _money(rounds["entry"]),
        "exit": _money(rounds["exit"]), "stop": _money(rounds["stop"]), "result": _money(rounds["result"]),
        "r": _price(r_multiples(rounds)),
    }  # fmt: skip


def _levels(line: Line, levels: Array) -> dict[str, str]:
    return {"at": _packed(line.places(levels["ts"]), "<i4"), "stop": _money(levels["stop"])}


def _marks(line: Line, marks: list[Mark]) -> list[tuple[int, str, float | None, str]]:
    places = line.places(np.array([m.ts for m in marks], np.int64)).tolist()
    return [
        (at, m.kind, m.price if np.isfinite(m.price) else None, m.text) for at, m in zip(places, marks, strict=True)
    ]


def _places(result: Result, lines: dict[int, Line], slots: list[int]) -> dict[int, tuple[int, int, int]]:
    found = {}
    for chart, slot in enumerate(slots):
        mine = np.flatnonzero(result.rounds["slot"] == slot)
        ends = (lines[slot].places(result.rounds[name][mine]).tolist() for name in ("opened", "closed"))
        found.update({i: (chart, a, b) for i, a, b in zip(mine.tolist(), *ends, strict=True)})
    return found


def _packed(values: Array, kind: str) -> str:
    return b64encode(np.ascontiguousarray(values).astype(kind).tobytes()).decode()


def _price(values: Array) -> str:
    return _packed(values, "<f4")


def _money(values: Array) -> str:
    return _price(values / 1e6)


# -- what is left out


def _unseen(result: Result, slots: list[int]) -> Iterator[str]:
    bare = int((result.bars["ts"] != 0).any(axis=0).sum()) - len(slots)
    if bare:
        yield f"{bare:,} symbols that traded less have no chart: a page has at most {CHARTS}."


def _merged(lines: dict[int, Line], names: tuple[str, ...]) -> Iterator[str]:
    found = [(names[slot], x) for slot, x in lines.items() if x.starts.size < x.bars.size]
    if found:
        bars, candles = (sum(n) for n in zip(*((x.bars.size, x.starts.size) for _, x in found), strict=True))
        yield (
            f"The {bars:,} bars of {_some([name for name, _ in found])} are merged into {candles:,} candles: a page has"
            f" at most {CANDLES:,}."
        )


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} symbols"


def _left(result: Result, kept: dict[str, Array], marks: tuple[int, int]) -> Iterator[str]:
    whole = {
        "trade boxes": (len(result.rounds), kept["rounds"].size), "fills": (len(result.fills), kept["fills"].size),
        "moves of stops": (len(result.levels), kept["levels"].size), "explanations": marks,
    }  # fmt: skip
    for name, (n, shown) in whole.items():
        if shown < n:
            yield f"Of {n:,} {name} the charts show the newest {shown:,}."
