"""Five-minute and hourly bars, made from the trading bars: each with its own ring and ATR. One rule for both.

A bar of them lies on the grid of the session's open (09:30 New York, so hours begin at half past) and seals with the
last trading bar of its time or of the session; where that one is missing, with the symbol's next.
"""

import math

from fluxhero.kernel.codes import FULL
from fluxhero.kernel.compile import entry, rare, step
from fluxhero.kernel.indicators import true_range, wilder
from fluxhero.kernel.state import Array, Rec

MINUTE = 60_000_000_000
FIVE, HOUR = 5 * MINUTE, 60 * MINUTE
HALF = 30 * MINUTE  # the hours' grid within UTC's hours
ATR = 14
CLOSES = 20  # of five minutes, whose deviation the noise is measured by
RING = 63
ROOT_12 = math.sqrt(12.0)  # five-minute bars of an hour


@rare
def seal(h: Rec) -> None:
    """The forming bar is over."""
    t = h.count
    h.atr = wilder(h.atr, true_range(h.high, h.low, h.before), t, ATR, (ATR - 1.0) / ATR, 1.0 / ATR)
    h.closes[t & RING] = h.before = h.close
    h.count, h.until = t + 1, 0


@rare
def start(h: Rec, bar: Rec, span: int, shift: int) -> None:
    h.ts = bar.ts - (bar.ts - shift) % span
    h.until, h.volume, h.session = h.ts + span, 0.0, bar.session
    h.open, h.high, h.low = bar.open, bar.high, bar.low


@step
def overdue(h: Rec, bar: Rec) -> bool:
    """Is its time over though its last trading bar never came?"""
    return bool((h.until != 0) & (bar.ts >= h.until))


@step
def widen(h: Rec, bar: Rec) -> None:
    h.high, h.low, h.close = max(h.high, bar.high), min(h.low, bar.low), bar.close
    h.volume += bar.volume


@step
def add(h: Rec, bar: Rec, end: int, span: int, shift: int) -> bool:
    """A trading bar that is over at `end`; true if this one seals with it. Grid: multiples of span past shift, UTC."""
    if h.until == 0:
        start(h, bar, span, shift)
    widen(h, bar)
    return bool((end >= h.until) | (bar.left == 0))


@step
def grow(h: Rec, bar: Rec, end: int, span: int, shift: int) -> None:
    if (end < h.until) & (bar.left != 0):  # as most are: neither overdue nor the first nor the last
        widen(h, bar)
        return
    if overdue(h, bar):
        seal(h)
    if add(h, bar, end, span, shift):
        seal(h)


@step
def lift(m: Rec, bar: Rec, length: int) -> None:
    """A trading bar of that length, ns, into the timeframes that are not shorter."""
    if length <= FIVE:
        grow(m.five, bar, bar.ts + length, FIVE, 0)
    if length <= HOUR:
        grow(m.hour, bar, bar.ts + length, HOUR, HALF)


@rare
def wobble(h: Rec) -> float:
    """Population deviation of the last 20 closes, USD; NaN under 20."""
    if h.count < CLOSES:
        return math.nan
    total = squares = 0.0
    for j in range(h.count - CLOSES, h.count):
        total += h.closes[j & RING]
    mean = total / CLOSES
    for j in range(h.count - CLOSES, h.count):
        off = h.closes[j & RING] - mean
        squares += off * off
    return math.sqrt(squares / CLOSES)


@rare
def spike(m: Rec) -> float:
    """ATR of five minutes, scaled to the hour, over the hour's own; NaN while either is not warm."""
    if (m.five.count <= ATR) | (m.hour.count <= ATR):
        return math.nan
    return m.five.atr * ROOT_12 / m.hour.atr if m.hour.atr > 0.0 else math.nan


@rare
def copied(o: Rec, h: Rec) -> None:
    """The bar that just sealed."""
    o.ts, o.open, o.high, o.low, o.close, o.volume = h.ts, h.open, h.high, h.low, h.close, h.volume
    o.session, o.quality, o.spread = h.session, FULL, -1.0


@entry
def lifted(forming: Array, bars: Array, length: int, span: int, shift: int, sealed: Array) -> int:
    """Trading bars of that length into another timeframe, one HIGHER record a symbol; how many sealed.

    sealed: BAR records, shape (2, symbols): what was overdue, and what sealed now; ts 0 where nothing did.
    """
    n = 0
    for i in range(forming.size):
        h, bar = forming[i], bars[i]
        sealed[0, i].ts = sealed[1, i].ts = 0
        if bar.quality != FULL:
            continue
        if overdue(h, bar):
            copied(sealed[0, i], h)
            seal(h)
            n += 1
        if add(h, bar, bar.ts + length, span, shift):
            copied(sealed[1, i], h)
            seal(h)
            n += 1
    return n
