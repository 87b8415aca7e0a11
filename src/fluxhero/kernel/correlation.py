"""Pearson correlation of log returns: of two arrays of closes, and of two symbols at the bar times they share."""

import math
from typing import NamedTuple

from fluxhero.kernel.codes import FULL
from fluxhero.kernel.compile import entry, rare, step
from fluxhero.kernel.indicators import ANCHOR
from fluxhero.kernel.state import Array, Rec

PERIOD, LEAST = 50, 20  # returns in common: the most that are looked at, the fewest that say something
RING = 63  # mask of a tape
NOISE = 1e-28  # a variance of log returns below it is the rounding of the prices
FAINT = 1e-4  # of the largest squares since the sums were made: where fewer are left, digits have been lost
LN2, ROOT2 = 0.6931471805599453, 1.4142135623730951


class Sums(NamedTuple):
    """Of pairs: the means, and the squares and products of the deviations from them; off the first pair, until they are
    centred, plain sums.
    """

    x: float
    y: float
    xx: float
    yy: float
    xy: float


NOTHING = Sums(0.0, 0.0, 0.0, 0.0, 0.0)


@step
def log_return(a: float, b: float) -> float:
    """log(b / a), NaN unless both are positive. By arithmetic alone, for libm's log differs between machines."""
    if not ((a > 0.0) & (b > 0.0) & (a + b < math.inf)):
        return math.nan
    doublings = 0.0
    while b > ROOT2 * a:
        b, doublings = b * 0.5, doublings + 1.0
    while a > ROOT2 * b:
        b, doublings = b * 2.0, doublings - 1.0
    s = (b - a) / (b + a)  # log(b / a) = 2 atanh(s), |s| < 0.18
    z = s * s
    tail = 1.0 / 15.0 + z * (1.0 / 17.0 + z * (1.0 / 19.0 + z * (1.0 / 21.0)))
    series = 1.0 / 5.0 + z * (1.0 / 7.0 + z * (1.0 / 9.0 + z * (1.0 / 11.0 + z * (1.0 / 13.0 + z * tail))))
    return 2.0 * s * (1.0 + z * (1.0 / 3.0 + z * series)) + doublings * LN2


@step
def added(s: Sums, u: float, v: float) -> Sums:
    """A pair, off the first one: what cancels costs a factor of their number at most."""
    return Sums(s.x + u, s.y + v, s.xx + u * u, s.yy + v * v, s.xy + u * v)


@step
def centred(s: Sums, n: int, x: float, y: float) -> Sums:
    """Of n pairs off the first one, which is given, what they are around their means."""
    xx, yy, xy = s.xx - s.x * s.x / n, s.yy - s.y * s.y / n, s.xy - s.x * s.y / n
    return Sums(x + s.x / n, y + s.y / n, xx, yy, xy)


@step
def slid(s: Sums, n: int, x: float, y: float, old_x: float, old_y: float) -> Sums:
    """One pair for another, of n."""
    u, v, old_u, old_v = x - s.x, y - s.y, old_x - s.x, old_y - s.y
    dx, dy = (x - old_x) / n, (y - old_y) / n
    xx = s.xx + (u * u - old_u * old_u - dx * dx * n)
    yy = s.yy + (v * v - old_v * old_v - dy * dy * n)
    return Sums(s.x + dx, s.y + dy, xx, yy, s.xy + (u * v - old_u * old_v - dx * dy * n))


@step
def pearson(s: Sums, n: int) -> float:
    """-1 to 1; NaN where one of both stands still."""
    if (s.xx > n * NOISE) & (s.yy > n * NOISE):
        return max(-1.0, min(1.0, s.xy / math.sqrt(s.xx * s.yy)))
    return math.nan


@rare
def summed(x: Array, y: Array, newest: int) -> Sums:
    """Two full rings, from the newest pair to the oldest."""
    s, k = NOTHING, newest
    for _ in range(x.size):
        s = added(s, x[k] - x[newest], y[k] - y[newest])
        k = k - 1 if k > 0 else x.size - 1
    return centred(s, x.size, x[newest], y[newest])


@entry
def correlate(a: Array, b: Array, rings: Array, out: Array) -> None:
    """Rolling over the last `period` (>= 2) log returns of aligned closes; a, b, out: shape (n,), C-contiguous.

    rings: zeros, shape (2, period). NaN before index `period`, and where one of both stood still or is not positive.
    """
    x, y, period = rings[0], rings[1], rings.shape[1]
    s, most_x, most_y, k = NOTHING, 0.0, 0.0, 0
    out[:period] = math.nan
    for t in range(1, a.size):
        new_x, new_y = log_return(a[t - 1], a[t]), log_return(b[t - 1], b[t])
        old_x, old_y, x[k], y[k] = x[k], y[k], new_x, new_y
        if t >= period:
            s = slid(s, period, new_x, new_y, old_x, old_y)
            lasting = (s.xx >= FAINT * most_x) & (s.yy >= FAINT * most_y)  # False where there is a NaN
            if (t == period) | (t & (ANCHOR - 1) == 0) | (not lasting):
                s = summed(x, y, k)
                most_x, most_y = s.xx, s.yy
            most_x, most_y = max(most_x, s.xx), max(most_y, s.yy)
            out[t] = pearson(s, period)
        k = k + 1 if k + 1 < period else 0


@step
def between(tape: Rec, early: int, late: int) -> float:
    """The log return from one bar of a tape to a later one."""
    if early + 1 == late:
        return float(tape.back[late & RING])
    return log_return(tape.close[early & RING], tape.close[late & RING])


@step
def reckon(tape: Rec) -> None:
    """The returns of what has come since somebody asked."""
    for k in range(max(tape.reckoned, tape.count - RING, 1), tape.count):
        tape.back[k & RING] = log_return(tape.close[(k - 1) & RING], tape.close[k & RING])
    tape.reckoned = tape.count


@step
def aligned(a: Rec, b: Rec) -> bool:
    """Have both the same bar times, enough of them, in the same places?"""
    apart = (a.count ^ b.count) | (a.count <= PERIOD)
    for k in range(RING + 1):
        apart |= a.ts[k] ^ b.ts[k]
    return bool(apart == 0)


@step
def together(a: Rec, b: Rec) -> float:
    """Of two tapes that are aligned, from the newest return to the oldest."""
    s, newest = NOTHING, (a.count - 1) & RING
    x, y = a.back[newest], b.back[newest]
    for d in range(PERIOD):
        k = (a.count - 1 - d) & RING
        s = added(s, a.back[k] - x, b.back[k] - y)
    return pearson(centred(s, PERIOD, x, y), PERIOD)


@rare
def matched(a: Rec, b: Rec) -> float:
    """Of any two, over the bar times that they share."""
    p, q, last_a, last_b, n = a.count - 1, b.count - 1, -1, -1, 0
    s, x, y = NOTHING, 0.0, 0.0
    while (p >= max(a.count - RING - 1, 0)) & (q >= max(b.count - RING - 1, 0)) & (n < PERIOD):
        gap = a.ts[p & RING] - b.ts[q & RING]
        if gap == 0:
            if last_a >= 0:
                u, v = between(a, p, last_a), between(b, q, last_b)
                x, y, n = u if n == 0 else x, v if n == 0 else y, n + 1
                s = added(s, u - x, v - y)
            last_a, last_b = p, q
        p, q = p - (gap >= 0), q - (gap <= 0)
    return pearson(centred(s, n, x, y), n) if n >= LEAST else math.nan


@rare
def correlation(tapes: Array, i: int, j: int) -> float:
    """Of two symbols, over at most 50 returns between their last common bar times; NaN under 20."""
    a, b = tapes[i], tapes[j]
    reckon(a)
    reckon(b)
    return together(a, b) if aligned(a, b) else matched(a, b)


@entry
def correlated(tapes: Array, i: int, j: int) -> float:
    """`correlation`, for whoever reports it."""
    return correlation(tapes, i, j)


@step
def push(tape: Rec, bar: Rec) -> None:
    """A full bar, each time once."""
    k = tape.count & RING
    if bar.ts > tape.ts[(k - 1) & RING]:
        tape.ts[k], tape.close[k] = bar.ts, bar.close
        tape.count += 1


@entry
def pushed(tapes: Array, bars: Array) -> None:
    """The full bars of one time, one slot per symbol."""
    for i in range(tapes.size):
        if bars[i].quality == FULL:
            push(tapes[i], bars[i])
