"""The row of a live symbol: indicators, rings and higher timeframes, one sealed bar at a time."""

import math

from fluxhero.kernel.codes import HIGH, LOW, NORMAL
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.higher import lift
from fluxhero.kernel.indicators import ANCHOR, MATURE
from fluxhero.kernel.observe import ATR, EMPTY, LINE, before, fade, mended, slid, spans, told, worn, young
from fluxhero.kernel.state import Means, Rec, Spans, Values, Windows

RING = 63  # mask of the rings
ATRS, VOLUMES = 50, 20  # bars of the plain means of ATR and volume
CALM, WILD = 0.5, 1.5  # of its mean: an ATR that stretches or shortens the periods
LONGER, SHORTER = 1.3, 0.7


@step
def faded(s: Rec) -> Means:
    return Means(s.high, s.low, s.close, s.ema, s.up, s.moved, s.atr, s.rises, s.falls, s.adx)


@step
def windows(s: Rec) -> Windows:
    return Windows(
        s.length, s.short, s.lag, s.variance, s.faint, s.line_lag, s.line_variance, s.line_faint, s.xy,
    )  # fmt: skip


@step
def stored(m: Rec, k: Means, w: Windows, smooth: float) -> None:
    s = m.means
    s.high, s.low, s.close, s.ema, s.up, s.moved = k.high, k.low, k.close, k.ema, k.up, k.moved
    s.atr, s.rises, s.falls, s.adx = k.atr, k.rises, k.falls, k.adx
    s = m.windows
    s.length, s.short, s.lag, s.variance, s.faint = w.length, w.short, w.lag, w.variance, w.faint
    s.line_lag, s.line_variance, s.line_faint, s.xy = w.line_lag, w.line_variance, w.line_faint, w.xy
    m.kama = smooth


@step
def spanned(s: Rec) -> Spans:
    return Spans(s.path, s.bands, s.ema_gain, s.rsi_keep, s.atr_keep, s.atr_gain, s.share)


@step
def span(s: Rec, factor: float) -> None:
    q = spans(factor)
    s.path, s.bands, s.share, s.ema_gain = q.path, q.bands, q.share, q.ema_gain
    s.rsi_keep, s.atr_keep, s.atr_gain = q.rsi_keep, q.atr_keep, q.atr_gain


@step
def read(v: Rec, x: Values, close: float) -> None:
    v.close, v.ema, v.rsi, v.atr, v.adx, v.kama = close, x.ema, x.rsi, x.atr, x.adx, x.kama
    v.er, v.mid, v.sd, v.slope, v.r2 = x.er, x.mid, x.sd, x.slope, x.r2


@step
def volatility(atr: float, mean: float, low: float, high: float) -> int:
    """LOW, NORMAL or HIGH: the ATR against shares of its own mean."""
    return HIGH * (atr > high * mean) + LOW * (atr < low * mean)


@rare
def adapt(m: Rec, state: int) -> None:
    """Other periods from the next bar on: means keep their state and change their pace, windows are summed afresh."""
    fading = 1.0 - m.spans.rsi_keep
    m.volatility = state
    span(m.spans, SHORTER if state == HIGH else LONGER if state == LOW else 1.0)
    scale = fading / (1.0 - m.spans.rsi_keep)  # RSI's means are kept as sums
    m.means.up, m.means.moved = m.means.up * scale, m.means.moved * scale
    m.windows.length = m.windows.variance = math.nan


@rare
def resum(m: Rec, i: int) -> None:
    """The sums of the ATRs and volumes before bar i afresh."""
    m.ranges = m.volumes = 0.0
    for j in range(i - ATRS, i):
        m.ranges += m.past[j & RING].atr
    for j in range(i - VOLUMES, i):
        m.volumes += m.past[j & RING].volume


@step
def keep(m: Rec, v: Rec, bar: Rec, atr: float, i: int) -> None:
    """The bar into the rings, and what is plain means of them: of the ATR with this bar, of the volume without it."""
    m.ranges += atr - m.past[(i - ATRS) & RING].atr
    v.atr_mean, v.volume_mean = m.ranges * (1.0 / ATRS), m.volumes * (1.0 / VOLUMES)
    m.volumes += bar.volume - m.past[(i - VOLUMES) & RING].volume
    past = m.past[i & RING]
    past.high, past.low, past.volume, past.atr = bar.high, bar.low, bar.volume, atr
    m.count = i + 1


@rare
def seeding(m: Rec, v: Rec, bar: Rec, lean: int) -> None:
    """One of the first 64 bars."""
    i = m.count
    if i == 0:
        span(m.spans, 1.0)
        stored(m, before(bar.high, bar.low, bar.close), EMPTY, bar.close)
    m.closes[i & RING] = bar.close
    k, w, smooth, x = young(faded(m.means), m.kama, m.closes, RING, bar.high, bar.low, lean, i)
    stored(m, k, w, smooth)
    read(v, x, bar.close)
    keep(m, v, bar, k.atr if i >= ATR else 0.0, i)
    v.atr_mean = v.atr_mean if i >= ATR + ATRS - 1 else math.nan
    v.volume_mean = v.volume_mean if i >= VOLUMES else math.nan


@step
def grown(m: Rec, v: Rec, bar: Rec, rules: Rec) -> None:
    """One bar past all seeds."""
    i, c, q, k = m.count, m.closes, spanned(m.spans), faded(m.means)
    first = c[(i - q.path) & RING]
    w = slid(
        windows(m.windows), q, k.close, bar.close, first, c[(i - q.path - 1) & RING], c[(i - q.bands) & RING],
        c[(i - LINE) & RING],
    )  # fmt: skip
    k = fade(k, q, bar.high, bar.low, bar.close, MATURE)
    c[i & RING] = bar.close
    if worn(w, i):
        w = mended(w, q, c, RING, i)
    x = told(k, w, m.kama, bar.close - first, rules.kama)
    stored(m, k, w, x.kama)
    read(v, x, bar.close)
    if i & (ANCHOR - 1) == 0:
        resum(m, i)
    keep(m, v, bar, k.atr, i)
    state = volatility(v.atr, v.atr_mean, CALM, WILD) if rules.adaptive != 0 else NORMAL
    if state != m.volatility:
        adapt(m, state)


@step
def observe(m: Rec, v: Rec, bar: Rec, rules: Rec) -> None:
    """A sealed bar of one symbol into its row."""
    if m.count < MATURE:
        seeding(m, v, bar, rules.kama)
    else:
        grown(m, v, bar, rules)
    lift(m, bar, rules.span)
