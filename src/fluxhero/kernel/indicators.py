"""Indicators in TA-Lib's conventions, one O(1) step each; `t` counts the symbol's bars from 0.

Sources: Wilder 1978 (RSI, ATR, ADX), Kaufman 1995 (KAMA), Bollinger 2001. Seeds and masks as TA-Lib 0.8 has them.
Windows slide: what leaves is taken off them. They are summed afresh at every multiple of 256 bars, and where what is
left is faint beside what they held, for then digits have been lost. They lie in `closes[j & mask]`: mask 63 for the
ring of a row, -1 for a whole array.
"""

import math

import numpy as np

from fluxhero.kernel.compile import step
from fluxhero.kernel.state import Array

EPS = 1e-14
SLOW, FAST = 2.0 / 31.0, 2.0 / 3.0  # KAMA's smoothing between 30 and 2 bars
ANCHOR = 256  # bars between exact sums; a power of two
MATURE = 64  # bars after which every indicator is valid; until then all sums are exact
FAINT = 1e-4  # of the most that a window held: with less left it has lost digits


@step
def ema(mean: float, x: float, t: int, n: int, gain: float) -> float:
    """Seeded by the plain mean of the first n values; until then their sum stands in its place. gain: 2 / (n + 1)."""
    if t >= n:
        return mean + (x - mean) * gain
    return (mean + x) / n if t == n - 1 else mean + x


@step
def wilder(mean: float, x: float, t: int, n: int, keep: float, gain: float) -> float:
    """The same over values that begin at bar 1, with gain 1 / n and keep 1 - gain."""
    if t > n:
        return mean * keep + x * gain
    if t == 0:
        return 0.0
    return (mean + x) / n if t == n else mean + x


@step
def percent(part: float, whole: float, least: float) -> float:
    """0 to 100; 0 where the whole is not over `least`."""
    return 100.0 * (part / whole) if whole > least else 0.0


@step
def rsi(up: float, moved: float, n: int) -> float:
    """From the fading sums of rises and of all changes; 0 while nothing has moved (0/0)."""
    return percent(up, moved, EPS * n)


@step
def true_range(high: float, low: float, before: float) -> float:
    """`before`: the previous close."""
    return max(high, before) - min(low, before)


@step
def summed(total: float, x: float, t: int, n: int, keep: float) -> float:
    """Wilder's mean times its period: the plain sum of the values from bar 1, from bar n on fading by keep."""
    return total * keep + x if t >= n else total + x


@step
def rise(up: float, down: float) -> float:
    """+DM from the rise of the high and the fall of the low; -DM with the two exchanged."""
    return max(up, 0.0) if up > down else 0.0


@step
def adx(mean: float, rises: float, falls: float, t: int, n: int, keep: float, gain: float) -> float:
    """DX is 100 |rises - falls| / both: the mean of n of it at bar 2n - 1, then Wilder's; no movement, no change."""
    both = rises + falls
    if t >= 2 * n:
        return mean * keep + abs(rises - falls) / both * (100.0 * gain) if both > EPS else mean
    if t < n:
        return 0.0
    mean += 100.0 * abs(rises - falls) / both if both > EPS else 0.0
    return mean / n if t == 2 * n - 1 else mean


@step
def efficiency(change: float, length: float) -> float:
    """The change of n bars over the way it went, 0 to 1; 1 where it went none."""
    return min(abs(change) / length, 1.0) if length > 0.0 else 1.0


@step
def leaning(er: float) -> float:
    """The regime-aware ratio: towards slow under 0.3, towards fast over 0.6, without a jump."""
    return 0.5 * (er + min(max((er - 0.3) / 0.3, 0.0), 1.0))


@step
def kama(mean: float, close: float, er: float, fast: float, slow: float) -> float:
    alpha = er * (fast - slow) + slow
    return mean + (close - mean) * (alpha * alpha)


@step
def path(length: float, change: float, gone: float) -> tuple[float, float]:
    """Slides the length of the way by one change; and what is faint beside it."""
    return length + (abs(change) - abs(gone)), FAINT * length


@step
def window(
    lag: float, variance: float, faint: float, y: float, was: float, gone: float, share: float
) -> tuple[float, float, float]:
    """Slides by one value: the mean less the last value, the population variance, and what is faint beside that.

    was: the last value before; share: 1 / n. All of the size of the moves: rounding of the price's size would pile up.
    """
    change, behind = y - gone, lag - (y - was)
    move = change * share
    lag = behind + move
    variance -= move * ((change + behind) + lag)
    return lag, variance, max(faint, FAINT * variance)


@step
def tilt(xy: float, lag: float, y: float, was: float, gone: float, n: int) -> float:
    """Slides the mean of values times centered places; `lag` is that of the window before."""
    change, behind = y - gone, lag - (y - was)
    return xy + ((0.5 * (n - 1) / n) * change - (change + behind))


@step
def slope(xy: float, n: int) -> float:
    """Of the least-squares line against 0 .. n - 1."""
    return xy * (12.0 / (n * n - 1.0))


@step
def r2(xy: float, slope: float, variance: float) -> float:
    """Of that line, 0 to 1; NaN where nothing varies."""
    return min(slope * xy / variance, 1.0) if variance > 0.0 else math.nan


@step
def at(closes: Array, j: int, mask: int) -> float:
    """As unsigned, for which no end has to be counted from."""
    return float(closes[np.uint64(j & mask)])


@step
def anew(t: int, n: int) -> bool:
    """Is a window of n summed afresh at bar t whatever is left of it?"""
    return (t < MATURE) | (t < n) | (t & (ANCHOR - 1) == 0)


@step
def way(closes: Array, mask: int, t: int, n: int) -> tuple[float, float]:
    """What `path` slides: of the n changes up to bar t, or as many as there are."""
    length = 0.0
    for j in range(max(t - n, 0) + 1, t + 1):
        length += abs(at(closes, j, mask) - at(closes, j - 1, mask))
    return length, 0.0


@step
def filled(closes: Array, mask: int, t: int, n: int) -> tuple[float, float, float, float]:
    """What `window` and `tilt` slide: of the n values up to bar t, or as many as there are.

    Around the last one: a flat window is flat, and what cancels costs a factor of n at most.
    """
    last = at(closes, t, mask)
    total = squares = xy = 0.0
    for j in range(max(t - n + 1, 0), t):
        off = at(closes, j, mask) - last
        total += off
        squares += off * off
        xy += (j - t + 0.5 * (n - 1)) * off
    share = 1.0 / n
    lag = total * share
    variance = max(squares * share - lag * lag, 0.0)
    return lag, variance, FAINT * variance, xy * share
