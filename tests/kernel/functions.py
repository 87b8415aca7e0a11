"""Every public function of bars, by name; tapes to call it on, and the bits of what it gives."""

import math
from collections.abc import Callable

import numpy as np

from fluxhero.kernel import (
    calculate_adx,
    calculate_atr,
    calculate_bollinger,
    calculate_correlation,
    calculate_efficiency_ratio,
    calculate_ema,
    calculate_indicators,
    calculate_kama,
    calculate_regression,
    calculate_rsi,
    calculate_sma,
    calculate_stdev,
    calculate_volatility_regime,
    detect_regime,
)
from fluxhero.kernel.state import Array
from tests.kernel.exact import HARD, around

Bars = tuple[Array, Array, Array]
Function = Callable[[Array, Array, Array], dict[str, Array]]

# The fewest bars it takes, and its outputs by the names that they have in the suite, or by their own.
ALONE: dict[str, tuple[int, Function]] = {
    "sma": (20, lambda h, lo, c: {"bb_mid": calculate_sma(c, 20)}),
    "ema": (20, lambda h, lo, c: {"ema20": calculate_ema(c)}),
    "rsi": (15, lambda h, lo, c: {"rsi14": calculate_rsi(c)}),
    "atr": (15, lambda h, lo, c: {"atr14": calculate_atr(h, lo, c)}),
    "adx": (28, lambda h, lo, c: dict(zip(("adx14", "plus", "minus"), calculate_adx(h, lo, c), strict=True))),
    "kama": (11, lambda h, lo, c: {"kama10": calculate_kama(c)}),
    "er": (11, lambda h, lo, c: {"er": calculate_efficiency_ratio(c)}),
    "bollinger": (
        20,
        lambda h, lo, c: dict(zip(("bb_upper", "bb_mid", "bb_lower"), calculate_bollinger(c), strict=True)),
    ),
    "stdev": (20, lambda h, lo, c: {"stdev20": calculate_stdev(c)}),
    "regression": (50, lambda h, lo, c: dict(zip(("slope50", "r2_50"), calculate_regression(c), strict=True))),
    "correlation": (51, lambda h, lo, c: {"correlation": calculate_correlation(h, c)}),
    "long windows": (
        300,
        lambda h, lo, c: {"sd": calculate_stdev(c, 300), "r2": calculate_regression(c, 299)[1]},
    ),
    "suite": (50, lambda h, lo, c: fields(calculate_indicators(h, lo, c))),
    "volatility": (15, lambda h, lo, c: {"volatility": calculate_volatility_regime(calculate_atr(h, lo, c))}),
    "regime": (50, lambda h, lo, c: {"regime": regimes(calculate_indicators(h, lo, c))}),
}
# The first valid bar of each output.
FIRST = {
    "bb_mid": 19, "ema20": 19, "rsi14": 14, "atr14": 14, "adx14": 27, "plus": 14, "minus": 14, "kama10": 10, "er": 10,
    "bb_upper": 19, "bb_lower": 19, "stdev20": 19, "slope50": 49, "r2_50": 49, "correlation": 50, "sd": 299, "r2": 298,
    "volatility": 0, "regime": 0,
}  # fmt: skip


def fields(records: Array) -> dict[str, Array]:
    return {name: records[name] for name in records.dtype.names or ()}


def regimes(read: Array) -> Array:
    return detect_regime(read["adx14"], read["r2_50"])


def bits(x: Array) -> bytes:
    """Of every value; all NaN are one, and so are the zeros."""
    return np.where(np.isnan(x), math.nan, x + 0.0).tobytes()


def tape(kind: str, seed: int, n: int) -> Bars:
    close = HARD[kind](seed)[:n]
    return (*around(close, seed), close)
