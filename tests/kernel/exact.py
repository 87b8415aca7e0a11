"""References for windows, each window by itself, and series that are hard on sums that slide."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fluxhero.kernel.state import Array
from tests.kernel.drive import walk

CHUNK = 20_000  # windows at once


def windows(close: Array, n: int) -> Iterator[tuple[int, Array]]:
    """(index of the first window's last value, windows less their last value) in chunks; what is near loses nothing."""
    for first in range(0, close.size - n + 1, CHUNK):
        w = sliding_window_view(close[first : first + CHUNK + n - 1], n)
        yield first + n - 1, w - w[:, -1:]


def moments(close: Array, n: int) -> tuple[Array, Array]:
    """Mean and population deviation of each n values, in two passes."""
    mean, sd = np.full((2, close.size), np.nan)
    for t, w in windows(close, n):
        off = w.mean(axis=1)
        mean[t : t + len(w)] = close[t : t + len(w)] + off
        sd[t : t + len(w)] = np.sqrt(((w - off[:, None]) ** 2).mean(axis=1))
    return mean, sd


def refits(close: Array, n: int) -> tuple[Array, Array]:
    """Slope and R2 of the least-squares line through each n values."""
    slope, r2 = np.full((2, close.size), np.nan)
    x = np.arange(n) - 0.5 * (n - 1)
    for t, w in windows(close, n):
        off = w - w.mean(axis=1, keepdims=True)
        xy, yy = off @ x, (off * off).sum(axis=1)
        slope[t : t + len(w)] = xy / (x @ x)
        still = (w == 0.0).all(axis=1)
        with np.errstate(invalid="ignore"):
            r2[t : t + len(w)] = np.where(still, np.nan, xy * xy / ((x @ x) * yy))
    return slope, r2


def ratios(close: Array, n: int) -> Array:
    """Efficiency ratio of each n changes."""
    made, change = np.full(close.size, np.nan), np.abs(np.diff(close))
    for t, _ in windows(close, n + 1):
        last = min(t + CHUNK, close.size)
        gone = sliding_window_view(change[t - n : last - 1], n).sum(axis=1)
        net = np.abs(close[t:last] - close[t - n : last - n])
        made[t:last] = np.minimum(np.divide(net, gone, out=np.ones_like(gone), where=gone > 0.0), 1.0)
    return made


def million(seed: int) -> Array:
    """A walk of a million closes, not rounded."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0.0, 5e-4, 1_000_000)
    return np.asarray(100.0 * np.exp(np.cumsum(moves - moves.mean())))


def _walked(seed: int, n: int = 6000) -> Array:
    return np.array(walk(seed, n, 100.0)["close"])


def _crash(seed: int) -> Array:
    """A bar at half the price, and back, at places that are everywhere between anchors."""
    close = _walked(seed)
    close[70::97] *= 0.5
    return close


def _split(seed: int) -> Array:
    """Seven for one, and later one for three."""
    close = _walked(seed)
    close[300:] /= 7.0
    close[3000:] *= 3.0
    return close


def _halts(seed: int) -> Array:
    """Moves, then none for 70 bars, again and again."""
    t, close = np.arange(6000), _walked(seed)
    return np.array(close[np.where(t % 200 < 130, t, t - t % 200 + 129)])


def _decaying(seed: int) -> Array:
    """Jumps of two thirds that die away until only the last digit moves."""
    return np.asarray((50.0 + seed) * np.exp(0.5 * np.exp(-(np.arange(6000) % 1000) / 30.0)))


def _calm(seed: int) -> Array:
    """Noise of a billionth of the price."""
    return np.asarray(100.0 * (1.0 + np.random.default_rng(seed).normal(0.0, 1e-9, 6000)))


def _steps(seed: int) -> Array:
    """A price of 1000 USD that seldom moves, and then by a cent."""
    moves = np.random.default_rng(seed).choice([-0.01, 0.0, 0.01], 6000, p=[0.02, 0.96, 0.02])
    return np.asarray(np.round(1000.0 + np.cumsum(moves), 2))


HARD: dict[str, Callable[[int], Array]] = {
    "walk": _walked,
    "crash": _crash,
    "split": _split,
    "halts": _halts,
    "decaying": _decaying,
    "calm": _calm,
    "steps": _steps,
    "cheap": lambda seed: np.asarray(_walked(seed) * 1e-5),
    "dear": lambda seed: np.asarray(_walked(seed) * 1e4),
    "monotone": lambda seed: np.asarray(1.0 + seed + 0.01 * np.arange(6000)),
    "alternating": lambda seed: np.asarray(10.0 + seed + 0.01 * (np.arange(6000) % 2)),
    "doubling": lambda seed: np.asarray((1.0 + seed) * 2.0 ** (np.arange(6000) % 8)),
}


def around(close: Array, seed: int) -> tuple[Array, Array]:
    """Highs and lows beyond each close and the one before it."""
    reach = np.abs(np.random.default_rng(seed).normal(0.0, 4e-4, (2, close.size))) * close
    before = np.concatenate([close[:1], close[:-1]])
    return np.maximum(close, before) + reach[0], np.minimum(close, before) - reach[1]
