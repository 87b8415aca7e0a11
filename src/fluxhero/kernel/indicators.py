"""Indicators in TA-Lib's conventions, one O(1) step each; `t` counts the symbol's bars from 0.

Sources: Wilder 1978 (RSI, ATR, ADX), Kaufman 1995 (KAMA), Bollinger 2001. Seeds and masks as TA-Lib 0.8 has them.
"""

import math

from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.state import Array, Rec

EPS = 1e-14
ANCHOR = 256  # bars between exact refreshes of the rolling sums; a power of two
MATURE = 64  # bars after which every indicator is valid
SXX = 1.0 / 520625.0  # 1 / (50 sum x^2 - (sum x)^2), x = 0..49
FAINT = 1e-6  # of the price: what a rolling sum says below this may be its rounding alone


@step
def ema(mean: float, x: float, t: int, n: int) -> float:
    """Seeded by the plain mean of the first n values; until then their sum stands in its place."""
    if t >= n:
        return mean + (x - mean) * (2.0 / (n + 1.0))
    return (mean + x) / n if t == n - 1 else mean + x


@step
def wilder(mean: float, x: float, t: int, n: int) -> float:
    """As `ema` with alpha 1/n, over values that begin at bar 1."""
    if t > n:
        return mean * ((n - 1.0) / n) + x * (1.0 / n)
    return (mean + x) / n if t == n else mean + x


@step
def rsi(s: Rec, change: float, t: int) -> float:
    """0..100; NaN while nothing has moved (0/0)."""
    s.up = wilder(s.up, max(change, 0.0), t, 14)
    s.down = wilder(s.down, max(-change, 0.0), t, 14)
    both = s.up + s.down
    return 100.0 * s.up / both if both > EPS else math.nan


@step
def true_range(bar: Rec, prev: Rec) -> float:
    return float(max(bar.high, prev.close) - min(bar.low, prev.close))


@step
def directional(s: Rec, bar: Rec, prev: Rec, t: int) -> float:
    """DX from the smoothed +DM and -DM (sums over 13 bars, then Wilder's), -1 where it is undefined."""
    up, down = bar.high - prev.high, prev.low - bar.low
    keep = 13.0 / 14.0 if t >= 14 else 1.0
    s.up = s.up * keep + (up if (up > down) & (up > 0.0) else 0.0)
    s.down = s.down * keep + (down if (down > up) & (down > 0.0) else 0.0)
    both = s.up + s.down
    return 100.0 * abs(s.up - s.down) / both if both > EPS else -1.0


@step
def adx(mean: float, dx: float, t: int) -> float:
    """The mean of 14 DX at bar 27, then Wilder's; an undefined DX leaves it as it was."""
    if t >= 28:
        return mean * (13.0 / 14.0) + dx * (1.0 / 14.0) if dx >= 0.0 else mean
    if t < 14:
        return 0.0
    mean += max(dx, 0.0)
    return mean / 14.0 if t == 27 else mean


@rare
def still(closes: Array, close: float, t: int, n: int) -> bool:
    """Are the last n closes all the same? Asked where the sums are too faint to say so."""
    j = t - n + 1
    while j < t and closes[j & 63] == close:
        j += 1
    return j == t


@step
def kama(s: Rec, closes: Array, close: float, change: float, t: int) -> None:
    """The efficiency ratio over 10 closes moves the smoothing between 2 and 30."""
    s.length += abs(change)
    if t < 10:
        s.kama = close
        return
    if s.length <= FAINT * close and still(closes, close, t, 11):
        s.length = 0.0
    travelled = abs(close - closes[(t - 10) & 63])
    s.er = min(travelled / s.length, 1.0) if s.length > EPS else 1.0
    s.length -= abs(closes[(t - 9) & 63] - closes[(t - 10) & 63])
    alpha = s.er * (2.0 / 3.0 - 2.0 / 31.0) + 2.0 / 31.0
    s.kama += (close - s.kama) * (alpha * alpha)


@step
def window(s: Rec, closes: Array, close: float, t: int) -> tuple[float, float]:
    """Mean and population deviation of the last 20 closes, by sums relative to `origin`."""
    y = close - s.origin
    s.s += y
    s.ss += y * y
    mean = s.s * 0.05
    sd = math.sqrt(max(s.ss * 0.05 - mean * mean, 0.0))
    if sd <= FAINT * close and still(closes, close, t, 20):
        sd = 0.0
    if t >= 19:
        old = closes[(t - 19) & 63] - s.origin
        s.s -= old
        s.ss -= old * old
    return s.origin + mean, sd


@step
def line(s: Rec, closes: Array, close: float, origin: float, t: int) -> tuple[float, float]:
    """Least-squares slope and R2 of the last 50 closes against 0..49; R2 is NaN for a constant window."""
    y = close - origin
    s.xy += 49.0 * y - s.y if t >= 49 else (t + 1) * y  # the first slide takes one off every weight
    s.y += y
    s.yy += y * y
    if t < 49:
        return math.nan, math.nan
    n = 50.0 * s.xy - 1225.0 * s.y
    d = 50.0 * s.yy - s.y * s.y
    old = closes[(t - 49) & 63] - origin
    s.y -= old
    s.yy -= old * old
    if d <= (50.0 * FAINT * close) ** 2 and still(closes, close, t, 50):
        return 0.0, math.nan
    return n * SXX, min(n * n * SXX / d, 1.0) if d > 1e-12 else math.nan


@step
def mean_of(s: Rec, x: float, t: int, n: int) -> float:
    """Plain mean of the last n values, x included; of all while there are fewer."""
    s.total += x
    if t >= n:
        s.total -= s.ring[(t - n) & 63]
    s.ring[t & 63] = x
    return float(s.total * (1.0 / n) if t >= n - 1 else s.total / (t + 1))


@rare
def anchor(m: Rec, t: int) -> None:
    """Make every rolling sum exact again, as of the bar before t; where that happens depends on t alone."""
    origin, closes = m.prev.close, m.closes
    w, ln = m.window, m.line
    w.origin = origin
    w.s = w.ss = ln.y = ln.xy = ln.yy = m.path.length = m.volumes.total = m.ranges.total = 0.0
    for j in range(t - 49, t):
        y = closes[j & 63] - origin
        ln.y += y
        ln.xy += (j - t + 50) * y
        ln.yy += y * y
    for j in range(t - 19, t):
        y = closes[j & 63] - origin
        w.s += y
        w.ss += y * y
    for j in range(t - 9, t):
        m.path.length += abs(closes[j & 63] - closes[(j - 1) & 63])
    for j in range(t - 20, t):
        m.volumes.total += m.volumes.ring[j & 63]
    for j in range(t - 50, t):
        m.ranges.total += m.ranges.ring[j & 63]


@step
def advance(m: Rec, v: Rec, bar: Rec, t: int) -> None:
    """The t-th bar of a symbol into all its indicators."""
    prev = m.prev
    if t == 0:
        m.window.origin = bar.close
    elif t & (ANCHOR - 1) == 0:
        anchor(m, t)
    m.closes[t & 63] = bar.close
    if t > 0:
        v.rsi = rsi(m.rsi, bar.close - prev.close, t)
        m.atr = v.atr = wilder(m.atr, true_range(bar, prev), t, 14)
        m.adx = v.adx = adx(m.adx, directional(m.dm, bar, prev, t), t)
    kama(m.path, m.closes, bar.close, bar.close - prev.close if t > 0 else 0.0, t)
    m.ema = v.ema = ema(m.ema, bar.close, t, 20)
    v.kama, v.er, v.close = m.path.kama, m.path.er, bar.close
    v.mid, v.sd = window(m.window, m.closes, bar.close, t)
    v.slope, v.r2 = line(m.line, m.closes, bar.close, m.window.origin, t)
    v.atr_mean = mean_of(m.ranges, v.atr, t, 50)
    v.volume_mean = m.volumes.total * 0.05 if t >= 20 else m.volumes.total / max(t, 1)  # the bar itself excluded
    mean_of(m.volumes, bar.volume, t, 20)
    prev.high, prev.low, prev.close = bar.high, bar.low, bar.close
    m.count = t + 1


@rare
def seeding(m: Rec, v: Rec, bar: Rec, t: int) -> None:
    advance(m, v, bar, t)


@step
def observe(m: Rec, v: Rec, bar: Rec) -> None:
    """One rule, compiled twice: past all seeds LLVM drops every seeding branch."""
    t = m.count
    if t < MATURE:
        seeding(m, v, bar, t)
    else:
        advance(m, v, bar, t)
