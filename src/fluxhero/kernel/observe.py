"""One bar of a symbol into all its indicators.

What they carry from bar to bar are tuples of numbers: in registers over a whole array, in a row between the bars of a
live symbol. It is one rule for both, and one order of operations, so they agree to the last bit.
"""

import math

from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.indicators import (
    FAST,
    SLOW,
    adx,
    anew,
    at,
    efficiency,
    ema,
    filled,
    kama,
    leaning,
    path,
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
from fluxhero.kernel.state import Array, Means, Spans, Values, Windows

EMA, RSI, ATR, ADX, PATH, BANDS, LINE = 20, 14, 14, 14, 10, 20, 50  # periods
# For a strategy that never reads what is of them, some are False: kernel.reads. What stops, gates and the rule of flat
# windows need is for all: `moved`, the ATR and the bands.
MEAN = STRENGTH = TREND = TRACK = SLOPE = True
EMPTY = Windows(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@step
def scaled(n: int, factor: float) -> int:
    return max(int(n * factor + 0.5), 2)


@step
def spans(factor: float) -> Spans:
    """Periods times a factor, rounded, at least 2; ADX and the line keep theirs."""
    e, r, a = scaled(EMA, factor), scaled(RSI, factor), scaled(ATR, factor)
    length, bands = scaled(PATH, factor), scaled(BANDS, factor)
    return Spans(length, bands, 2.0 / (e + 1.0), (r - 1.0) / r, (a - 1.0) / a, 1.0 / a, 1.0 / bands)


@step
def before(high: float, low: float, close: float) -> Means:
    """Before the first bar, which this is."""
    return Means(high, low, close, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@step
def fade(k: Means, q: Spans, high: float, low: float, close: float, t: int) -> Means:
    """t: the bar, or MATURE past all seeds."""
    change, up, down = close - k.close, high - k.high, k.low - low
    rises = summed(k.rises, rise(up, down), t, ADX, 1.0 - 1.0 / ADX) if TREND else 0.0
    falls = summed(k.falls, rise(down, up), t, ADX, 1.0 - 1.0 / ADX) if TREND else 0.0
    return Means(
        high, low, close,
        ema(k.ema, close, t, EMA, q.ema_gain) if MEAN else 0.0,
        summed(k.up, max(change, 0.0), t, RSI + 1, q.rsi_keep) if STRENGTH else 0.0,
        summed(k.moved, abs(change), t, RSI + 1, q.rsi_keep),
        wilder(k.atr, true_range(high, low, k.close), t, ATR, q.atr_keep, q.atr_gain),
        rises,
        falls,
        adx(k.adx, rises, falls, t, ADX, 1.0 - 1.0 / ADX, 1.0 / ADX) if TREND else 0.0,
    )  # fmt: skip


@step
def slid(
    w: Windows, q: Spans, before: float, close: float, first: float, left: float, gone: float, last: float
) -> Windows:
    """By one close; the one before. `first`: that of the path, which has `left` behind what stood before it; `gone` is
    out of the bands, `last` out of the line.
    """
    length, short, lag, variance, faint = w.length, w.short, w.lag, w.variance, w.faint
    line_lag, line_variance, line_faint, xy = w.line_lag, w.line_variance, w.line_faint, w.xy
    if TRACK:
        length, short = path(length, close - before, first - left)
    lag, variance, faint = window(lag, variance, faint, close, before, gone, q.share)
    if SLOPE:
        xy = tilt(xy, line_lag, close, before, last, LINE)
        line_lag, line_variance, line_faint = window(
            line_lag, line_variance, line_faint, close, before, last, 1.0 / LINE
        )
    return Windows(length, short, lag, variance, faint, line_lag, line_variance, line_faint, xy)


@step
def worn(w: Windows, t: int) -> bool:
    """Is one to be summed afresh at bar t, past all seeds? NaN is."""
    lasts = (w.variance > w.faint) & (not TRACK or w.length > w.short)
    return anew(t, 0) | (not lasts & (not SLOPE or w.line_variance > w.line_faint))


@rare
def mended(w: Windows, q: Spans, closes: Array, mask: int, t: int) -> Windows:
    """Those that are worn, each by itself, so that it agrees with one that slides alone."""
    length, short, lag, variance, faint = w.length, w.short, w.lag, w.variance, w.faint
    line_lag, line_variance, line_faint, xy = w.line_lag, w.line_variance, w.line_faint, w.xy
    if TRACK and (anew(t, q.path) | (not length > short)):
        length, short = way(closes, mask, t, q.path)
    if anew(t, q.bands) | (not variance > faint):
        lag, variance, faint, _ = filled(closes, mask, t, q.bands)
    if SLOPE and (anew(t, LINE) | (not line_variance > line_faint)):
        line_lag, line_variance, line_faint, xy = filled(closes, mask, t, LINE)
    return Windows(length, short, lag, variance, faint, line_lag, line_variance, line_faint, xy)


@step
def told(k: Means, w: Windows, smooth: float, change: float, lean: int) -> Values:
    """smooth: KAMA before this bar; change: of the path; lean: 1 is the regime-aware KAMA."""
    er = efficiency(change, w.length)
    b = slope(w.xy, LINE)
    return Values(
        k.ema if MEAN else math.nan,
        rsi(k.up, k.moved, RSI) if STRENGTH else math.nan,
        k.atr,
        k.adx if TREND else math.nan,
        kama(smooth, k.close, leaning(er) if lean != 0 else er, FAST, SLOW) if TRACK else math.nan,
        er if TRACK else math.nan,
        k.close + w.lag,
        math.sqrt(w.variance),
        b if SLOPE else math.nan,
        r2(w.xy, b, w.line_variance) if SLOPE else math.nan,
    )


@rare
def young(
    k: Means, smooth: float, closes: Array, mask: int, high: float, low: float, lean: int, i: int
) -> tuple[Means, Windows, float, Values]:
    """Bar i, one of the first 64: windows are summed afresh, and what is not known yet is NaN."""
    q, close, first = spans(1.0), at(closes, i, mask), at(closes, max(i - PATH, 0), mask)
    k = fade(k, q, high, low, close, i)
    w = mended(EMPTY, q, closes, mask, i)
    v = told(k, w, smooth, close - first, lean)
    values = Values(
        veil(v.ema, i, EMA - 1), veil(v.rsi, i, RSI), veil(v.atr, i, ATR), veil(v.adx, i, 2 * ADX - 1),
        veil(v.kama, i, PATH), veil(v.er, i, PATH), veil(v.mid, i, BANDS - 1), veil(v.sd, i, BANDS - 1),
        veil(v.slope, i, LINE - 1), veil(v.r2, i, LINE - 1),
    )  # fmt: skip
    return k, w, v.kama if i >= PATH else close, values


@step
def veil(x: float, i: int, first: int) -> float:
    """NaN before the first bar that it can speak of."""
    return x if i >= first else math.nan
