"""Indicators of whole arrays in TA-Lib's conventions, equal to the last bit to what a live symbol's row reads.

All take float64 in the units of the prices, oldest first; other real dtypes are cast, what is not contiguous is copied.
All give float64 of the same length, NaN until the first bar that has a value; a value never changes when bars follow.
All raise ValueError for an argument that is empty, too short for one value, not of one dimension, not of real numbers,
not finite or not of equal length, and for a period that is no whole number, at least 2: it names the argument, the
value and the bound. That low <= close <= high is not asked: adjusted prices are rounded. Prices whose squares overflow
(1e150) give NaN.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fluxhero.kernel import loops
from fluxhero.kernel.checked import all_finite, gapped, leading, number, place, series, shaped, whole
from fluxhero.kernel.correlation import correlate
from fluxhero.kernel.state import REGIME, RULES, Array, floats, record

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

INDICATORS = record(*floats("ema20 rsi14 atr14 adx14 kama10 bb_upper bb_mid bb_lower slope50 r2_50 stdev20"))


def calculate_sma(close: ArrayLike, period: int) -> Floats:
    """Simple moving average.

    Parameters
    ----------
    close : shape (n,), n >= period
    period : bars

    Returns
    -------
    shape (n,), price; valid from index period - 1
    """
    return _bands(close, period)[0]


def calculate_ema(close: ArrayLike, period: int = 20) -> Floats:
    """Exponential moving average, alpha 2 / (period + 1), seeded by the simple one.

    Parameters
    ----------
    close : shape (n,), n >= period
    period : bars

    Returns
    -------
    shape (n,), price; valid from index period - 1
    """
    n = whole("period", period)
    (x,) = series(n, close=close)
    out = np.empty_like(x)
    loops.averaged(x, n, out)
    return out


def calculate_rsi(close: ArrayLike, period: int = 14) -> Floats:
    """Relative strength index (Wilder 1978).

    Parameters
    ----------
    close : shape (n,), n > period
    period : bars

    Returns
    -------
    shape (n,), 0 to 100, 0 while nothing has moved; valid from index period
    """
    n = whole("period", period)
    (x,) = series(n + 1, close=close)
    out = np.empty_like(x)
    loops.strengths(x, n, out)
    return out


def calculate_atr(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> Floats:
    """Average true range (Wilder 1978).

    Parameters
    ----------
    high, low, close : shape (n,), n > period
    period : bars

    Returns
    -------
    shape (n,), price; valid from index period
    """
    n = whole("period", period)
    h, lo, c = series(n + 1, high=high, low=low, close=close)
    out = np.empty_like(c)
    loops.ranges(h, lo, c, n, out)
    return out


def calculate_adx(high: ArrayLike, low: ArrayLike, close: ArrayLike, period: int = 14) -> tuple[Floats, Floats, Floats]:
    """Average directional index and the directional indicators (Wilder 1978).

    Parameters
    ----------
    high, low, close : shape (n,), n >= 2 period
    period : bars

    Returns
    -------
    adx : shape (n,), 0 to 100; valid from index 2 period - 1
    plus_di, minus_di : shape (n,), 0 to 100; valid from index period
    """
    n = whole("period", period)
    h, lo, c = series(2 * n, high=high, low=low, close=close)
    out = np.empty((3, c.size))
    loops.trends(h, lo, c, n, *out)
    return out[0], out[1], out[2]


def calculate_kama(close: ArrayLike, period: int = 10, fast: int = 2, slow: int = 30) -> Floats:
    """Kaufman's adaptive moving average (1995), seeded by the close at index period - 1.

    Parameters
    ----------
    close : shape (n,), n > period
    period : bars of the efficiency ratio
    fast, slow : bars of the EMAs that it lies between; fast < slow

    Returns
    -------
    shape (n,), price; valid from index period
    """
    quick = whole("fast", fast)
    return _paths(close, period, quick, whole("slow", slow, quick + 1))[1]


def calculate_efficiency_ratio(close: ArrayLike, period: int = 10) -> Floats:
    """The change of `period` bars over the sum of the changes within (Kaufman 1995).

    Parameters
    ----------
    close : shape (n,), n > period
    period : bars

    Returns
    -------
    shape (n,), 0 to 1, 1 where nothing has moved; valid from index period
    """
    return _paths(close, period, 2, 30)[0]


def calculate_bollinger(close: ArrayLike, period: int = 20, width: float = 2.0) -> tuple[Floats, Floats, Floats]:
    """Bollinger bands (2001): the simple moving average, and `width` population deviations around it.

    Parameters
    ----------
    close : shape (n,), n >= period
    period : bars
    width : deviations, > 0

    Returns
    -------
    upper, middle, lower : shape (n,), price; valid from index period - 1
    """
    reach = number("width", width)
    mid, sd = _bands(close, period)
    return mid + reach * sd, mid, mid - reach * sd


def calculate_stdev(close: ArrayLike, period: int = 20) -> Floats:
    """Population standard deviation.

    Parameters
    ----------
    close : shape (n,), n >= period
    period : bars

    Returns
    -------
    shape (n,), price; exactly 0 where nothing has moved; valid from index period - 1
    """
    return _bands(close, period)[1]


def calculate_regression(close: ArrayLike, period: int = 50) -> tuple[Floats, Floats]:
    """The least-squares line through the last `period` closes.

    Parameters
    ----------
    close : shape (n,), n >= period
    period : bars

    Returns
    -------
    slope : shape (n,), price per bar; valid from index period - 1
    r2 : shape (n,), 0 to 1; NaN where nothing has moved, too
    """
    n = whole("period", period)
    (x,) = series(n, close=close)
    out = np.empty((2, x.size))
    loops.lines(x, n, *out)
    return out[0], out[1]


def calculate_correlation(a: ArrayLike, b: ArrayLike, period: int = 50) -> Floats:
    """Pearson's correlation of the last `period` log returns of two symbols.

    Parameters
    ----------
    a, b : shape (n,), n > period; closes of the same times
    period : returns

    Returns
    -------
    shape (n,), -1 to 1; valid from index period, NaN where one has not moved or is not over 0
    """
    n = whole("period", period)
    x, y = series(n + 1, a=a, b=b)
    out = np.empty_like(x)
    correlate(x, y, np.zeros((2, n)), out)
    return out


def calculate_indicators(high: ArrayLike, low: ArrayLike, close: ArrayLike, out: Array | None = None) -> Array:
    """All indicators with the periods that a row has, in one pass.

    Parameters
    ----------
    high, low, close : shape (n,), n >= 50
    out : shape (n,), dtype INDICATORS, contiguous, optional
        Written to instead of a new array; also where a value then turns out not to be finite.

    Returns
    -------
    shape (n,), dtype INDICATORS: each field as the function for it alone gives it
    """
    said = shaped(50, high=high, low=low, close=close)
    h, lo, c = said.values()
    made = np.empty(c.size, INDICATORS) if out is None else place("out", out, c.size, INDICATORS)
    if not math.isfinite(loops.suite(h, lo, c, made.view(np.float64).reshape(c.size, -1))):
        all_finite(**said)
    return made


def calculate_volatility_regime(atr: ArrayLike, period: int = 50, high: float = 1.5, low: float = 0.7) -> Codes:
    """Whether the ATR is far from its own simple mean.

    Parameters
    ----------
    atr : shape (n,), NaN until its first value
    period : bars of the mean
    high, low : times the mean; low < high

    Returns
    -------
    shape (n,): 1 above high, -1 below low, else 0, and 0 until there are `period` values
    """
    n, under = whole("period", period), number("low", low)
    over = number("high", high, under)
    (x,) = gapped(1, atr=atr)
    first = leading("atr", x)
    out = np.empty(x.size, np.int8)
    loops.volatilities(np.nan_to_num(x), first + n - 1, n, under, over, out)
    return out


def detect_regime(
    adx: ArrayLike,
    r2: ArrayLike,
    confirm: int = 3,
    *,
    strong_adx: float = 25.0,
    strong_r2: float = 0.6,
    quiet_adx: float = 20.0,
    quiet_r2: float = 0.4,
) -> Codes:
    """The confirmed regime: trend with both above the strong bounds, mean reversion with both below the quiet ones.

    Parameters
    ----------
    adx, r2 : shape (n,); NaN is neutral
    confirm : bars in a row that make a change, >= 1
    strong_adx, strong_r2, quiet_adx, quiet_r2 : bounds; 0 < quiet < strong

    Returns
    -------
    shape (n,): 0 neutral, 1 trend, 2 reversion (`fluxhero.kernel.codes`); neutral before the first change
    """
    x, y = gapped(1, adx=adx, r2=r2)
    rules, state = np.zeros(1, RULES).view(np.recarray), np.zeros(1, REGIME).view(np.recarray)
    rules.confirm = whole("confirm", confirm, 1)
    trend, share = number("quiet_adx", quiet_adx), number("quiet_r2", quiet_r2)
    rules.quiet_adx, rules.strong_adx = trend, number("strong_adx", strong_adx, trend)
    rules.quiet_r2, rules.strong_r2 = share, number("strong_r2", strong_r2, share)
    out = np.empty(x.size, np.int8)
    loops.regimes(x, y, rules, state, out)
    return out


def _bands(close: ArrayLike, period: int) -> tuple[Floats, Floats]:
    n = whole("period", period)
    (x,) = series(n, close=close)
    out = np.empty((2, x.size))
    loops.bands(x, n, *out)
    return out[0], out[1]


def _paths(close: ArrayLike, period: int, fast: int, slow: int) -> tuple[Floats, Floats]:
    n = whole("period", period)
    (x,) = series(n + 1, close=close)
    out = np.empty((2, x.size))
    loops.paths(x, n, 2.0 / (fast + 1.0), 2.0 / (slow + 1.0), *out)
    return out[0], out[1]
