"""A smoothing constant from volatility: quick where the ATR is far above its mean. No rule uses it by default."""

import math

import numpy as np
from numpy.typing import ArrayLike

from fluxhero.kernel.arrays import Floats
from fluxhero.kernel.checked import gapped, leading, series
from fluxhero.kernel.compile import entry, step
from fluxhero.kernel.state import Array

BASE, GAIN, MIDDLE = 0.1, 0.5, 0.5
LEAST, MOST = 0.1, 0.6  # alphas
STEEP = 1.0  # the gains that are tried, up and down
ROUGH, FINE = 10, 4  # steps from the middle of a grid to its ends: of the first, of each finer one
ROUNDS = 5


@step
def alpha(ratio: float, base: float, gain: float) -> float:
    return min(max(base + gain * (ratio - MIDDLE), LEAST), MOST)


@entry
def alphas(atr: Array, mean: Array, out: Array) -> None:
    for t in range(atr.size):
        out[t] = alpha(atr[t] / mean[t], BASE, GAIN) if mean[t] > 0.0 else math.nan


@entry
def misses(close: Array, ratio: Array, pairs: Array, means: Array, sums: Array) -> None:
    """What the EMA of each pair (base, gain) misses the next close by, squared and summed; pairs: shape (2, m), the
    EMAs: shape (m,).
    """
    means[:] = close[0]
    sums[:] = 0.0
    for t in range(1, close.size):
        for j in range(sums.size):
            miss = close[t] - means[j]
            sums[j] += miss * miss
            means[j] += alpha(ratio[t], pairs[0, j], pairs[1, j]) * miss


def calculate_volatility_alpha(atr: ArrayLike, atr_mean: ArrayLike) -> Floats:
    """clip(0.1 + 0.5 (x - 0.5), 0.1, 0.6) with x = atr / atr_mean.

    Parameters
    ----------
    atr, atr_mean : shape (n,), price, n >= 1; may be NaN

    Returns
    -------
    shape (n,), alpha of an EMA; NaN where one is, or the mean is not over 0

    Raises
    ------
    ValueError
        Names the argument, the value and the bound, as all in `fluxhero.kernel.arrays`.
    """
    x, mean = gapped(1, atr=atr, atr_mean=atr_mean)
    out = np.empty_like(x)
    alphas(x, mean, out)
    return out


def fit_volatility_alpha(close: ArrayLike, ratio: ArrayLike) -> tuple[float, float]:
    """The pair whose EMA, alpha = clip(base + gain (x - 0.5), 0.1, 0.6), foretells the next close best.

    Least squares of the errors one bar ahead, found on grids of (base, gain), each a quarter as wide around the best of
    the one before: deterministic, to 0.00003 and 0.0001; of equals the first, by base, then gain.

    Parameters
    ----------
    close : shape (n,), price
    ratio : shape (n,), atr / atr_mean, NaN until its first value; at least two values

    Returns
    -------
    base : alpha at x = 0.5, 0.1 to 0.6
    gain : alpha per unit of x, -1 to 1

    Raises
    ------
    ValueError
        Names the argument, the value and the bound.
    """
    (y,) = series(2, close=close)
    _, x = gapped(2, close=y, ratio=ratio)
    first = leading("ratio", x)
    if x.size - first < 2:
        raise ValueError(f"ratio has {x.size - first} values that are not NaN; it must have at least 2")
    base, gain, wide, steep = (LEAST + MOST) / 2.0, 0.0, (MOST - LEAST) / 2.0, STEEP
    for steps in (ROUGH, *(FINE,) * ROUNDS):
        pairs = _grid(base, gain, wide, steep, steps)
        means, sums = np.empty((2, pairs.shape[1]))
        misses(y[first:], x[first:], pairs, means, sums)
        base, gain = pairs[:, int(sums.argmin())].tolist()
        wide, steep = wide / steps, steep / steps
    return base, gain


def _grid(base: float, gain: float, wide: float, steep: float, steps: int) -> Array:
    """Pairs around one, within the bounds; shape (2, m)."""
    part = np.arange(-steps, steps + 1) / steps
    bases = np.unique(np.clip(base + wide * part, LEAST, MOST))
    gains = np.unique(np.clip(gain + steep * part, -STEEP, STEEP))
    return np.array(np.meshgrid(bases, gains, indexing="ij")).reshape(2, -1)
