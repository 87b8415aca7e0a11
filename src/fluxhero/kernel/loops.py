"""The steps of a live row over whole arrays, one indicator at a time and all at once.

What one writes here is to the last bit what a row reads: windows are summed afresh at the same bars.
"""

import math

import numpy as np

from fluxhero.kernel.compile import entry, rare, step
from fluxhero.kernel.indicators import (
    ANCHOR,
    EPS,
    MATURE,
    adx,
    anew,
    efficiency,
    ema,
    filled,
    kama,
    path,
    percent,
    r2,
    rise,
    rsi,
    slope,
    summed,
    tilt,
    true_range,
    way,
    wilder,
    window,
)
from fluxhero.kernel.observe import BANDS, EMPTY, LINE, PATH, before, fade, mended, slid, spans, told, worn, young
from fluxhero.kernel.regime import regime, seen
from fluxhero.kernel.rows import volatility
from fluxhero.kernel.state import Array, Values

NAN = math.nan


@entry
def averaged(close: Array, n: int, out: Array) -> None:
    """EMA."""
    mean, gain = 0.0, 2.0 / (n + 1.0)
    for t in range(close.size):
        mean = ema(mean, close[t], t, n, gain)
        out[t] = mean
    out[: n - 1] = NAN


@entry
def strengths(close: Array, n: int, out: Array) -> None:
    """RSI."""
    up, moved, keep, last = 0.0, 0.0, (n - 1.0) / n, close[0]
    for t in range(1, close.size):
        change, last = close[t] - last, close[t]
        up = summed(up, max(change, 0.0), t, n + 1, keep)
        moved = summed(moved, abs(change), t, n + 1, keep)
        out[t] = rsi(up, moved, n)
    out[:n] = NAN


@entry
def ranges(high: Array, low: Array, close: Array, n: int, out: Array) -> None:
    """ATR."""
    mean, keep, gain, last = 0.0, (n - 1.0) / n, 1.0 / n, close[0]
    for t in range(1, close.size):
        mean = wilder(mean, true_range(high[t], low[t], last), t, n, keep, gain)
        out[t], last = mean, close[t]
    out[:n] = NAN


@entry
def trends(high: Array, low: Array, close: Array, n: int, out: Array, plus: Array, minus: Array) -> None:
    """ADX, +DI, -DI."""
    mean, rises, falls, reach, keep = 0.0, 0.0, 0.0, 0.0, 1.0 - 1.0 / n
    for t in range(1, close.size):
        was = np.uint64(t - 1)
        up, down = high[t] - high[was], low[was] - low[t]
        rises = summed(rises, rise(up, down), t, n, keep)
        falls = summed(falls, rise(down, up), t, n, keep)
        reach = summed(reach, true_range(high[t], low[t], close[was]), t, n, keep)
        mean = adx(mean, rises, falls, t, n, keep, 1.0 / n)
        out[t], plus[t], minus[t] = mean, percent(rises, reach, EPS), percent(falls, reach, EPS)
    out[: 2 * n - 1] = NAN
    plus[:n] = minus[:n] = NAN


@rare
def walked(close: Array, t: int, n: int) -> tuple[float, float]:
    return way(close, -1, t, n)


@entry
def paths(close: Array, n: int, fast: float, slow: float, ratio: Array, out: Array) -> None:
    """Efficiency ratio and KAMA; fast, slow: smoothing constants."""
    length, short, smooth, last, left = 0.0, 0.0, close[n - 1], close[n - 1], close[0]
    for t in range(n, close.size):
        y, first = close[t], close[np.uint64(t - n)]
        length, short = path(length, y - last, first - left)
        if anew(t, n + 1) | (not length > short):
            length, short = walked(close, t, n)
        er = efficiency(y - first, length)
        smooth = kama(smooth, y, er, fast, slow)
        ratio[t], out[t], last, left = er, smooth, y, first
    ratio[:n] = out[:n] = NAN


@rare
def refilled(close: Array, t: int, n: int) -> tuple[float, float, float, float]:
    return filled(close, -1, t, n)


@entry
def bands(close: Array, n: int, mid: Array, sd: Array) -> None:
    """Mean and population deviation."""
    lag, variance, faint, _ = refilled(close, n - 1, n)
    last, share = close[n - 1], 1.0 / n
    mid[: n - 1] = sd[: n - 1] = NAN
    mid[n - 1], sd[n - 1] = last + lag, math.sqrt(variance)
    for t in range(n, close.size):
        y = close[t]
        lag, variance, faint = window(lag, variance, faint, y, last, close[np.uint64(t - n)], share)
        if anew(t, n) | (not variance > faint):
            lag, variance, faint, _ = refilled(close, t, n)
        mid[t], sd[t], last = y + lag, math.sqrt(variance), y


@entry
def lines(close: Array, n: int, out: Array, share: Array) -> None:
    """Slope and R2."""
    lag, variance, faint, xy = refilled(close, n - 1, n)
    last = close[n - 1]
    out[: n - 1] = share[: n - 1] = NAN
    out[n - 1], share[n - 1] = slope(xy, n), r2(xy, slope(xy, n), variance)
    for t in range(n, close.size):
        y, gone = close[t], close[np.uint64(t - n)]
        xy = tilt(xy, lag, y, last, gone, n)
        lag, variance, faint = window(lag, variance, faint, y, last, gone, 1.0 / n)
        if anew(t, n) | (not variance > faint):
            lag, variance, faint, xy = refilled(close, t, n)
        b = slope(xy, n)
        out[t], share[t], last = b, r2(xy, b, variance), y


@step
def columns(v: Values) -> tuple[float, float, float, float, float, float, float, float, float, float, float]:
    """In the order of INDICATORS."""
    width = 2.0 * v.sd
    return v.ema, v.rsi, v.atr, v.adx, v.kama, v.mid + width, v.mid, v.mid - width, v.slope, v.r2, v.sd


@entry
def suite(high: Array, low: Array, close: Array, o: Array) -> float:
    """All, as a row reads them; o: shape (n, 11), INDICATORS as columns. Returns what is finite if all prices are."""
    q, k, w, smooth = spans(1.0), before(high[0], low[0], close[0]), EMPTY, close[0]
    proof = 0.0
    for t in range(min(MATURE, close.size)):
        proof += high[t] - low[t]
        k, w, smooth, v = young(k, smooth, close, -1, high[t], low[t], 0, t)
        o[t, 0], o[t, 1], o[t, 2], o[t, 3], o[t, 4], o[t, 5], o[t, 6], o[t, 7], o[t, 8], o[t, 9], o[t, 10] = columns(v)
    for t in range(MATURE, close.size):
        i = np.uint64(t)
        y, first, left = close[i], close[np.uint64(t - PATH)], close[np.uint64(t - PATH - 1)]
        w = slid(w, q, k.close, y, first, left, close[np.uint64(t - BANDS)], close[np.uint64(t - LINE)])
        proof += high[i] - low[i]
        k = fade(k, q, high[i], low[i], y, MATURE)
        if worn(w, t):
            w = mended(w, q, close, -1, t)
        v = told(k, w, smooth, y - first, 0)
        smooth = v.kama
        o[i, 0], o[i, 1], o[i, 2], o[i, 3], o[i, 4], o[i, 5], o[i, 6], o[i, 7], o[i, 8], o[i, 9], o[i, 10] = columns(v)
    return proof + k.ema


@rare
def added(x: Array, first: int, end: int) -> float:
    total = 0.0
    for t in range(max(first, 0), end):
        total += x[t]
    return total


@entry
def volatilities(atr: Array, known: int, n: int, low: float, high: float, out: Array) -> None:
    """The ATR against shares of its own mean of n bars, from bar `known` on; 0.0 where it has no value."""
    total = 0.0
    for t in range(atr.size):
        if t >= MATURE and t & (ANCHOR - 1) == 0:
            total = added(atr, t - n, t)
        total += atr[t] - (atr[t - n] if t >= n else 0.0)
        out[t] = volatility(atr[t], total * (1.0 / n), low, high) if t >= known else 0


@entry
def regimes(trend: Array, share: Array, rules: Array, state: Array, out: Array) -> None:
    """ADX and R2 to confirmed regimes; rules: RULES, shape (1,); state: REGIME, shape (1,)."""
    for t in range(trend.size):
        regime(state[0], seen(trend[t], share[t], rules[0]), rules[0].confirm)
        out[t] = state[0].now
