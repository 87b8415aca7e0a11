"""How far chance may have carried a backtest: the stationary bootstrap of its session returns (Politis and Romano,
1994), in blocks as long as their memory (Politis and White, 2004, as corrected by Patton, Politis and White, 2009).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from fluxhero.lab.statistics import cagr, deviation, returns, sharpe, underwater
from fluxhero.messages import Array

FEW = 20  # sessions under which nothing is said
RUN = 5  # lags in a row without correlation are the end of it
AT_ONCE = 1 << 20  # returns drawn together, for memory's sake


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    low: float
    high: float


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """None: under 20 sessions, no returns, or all equal."""

    level: float  # share of the samples that lie between, as many beyond either end
    samples: int
    block: float  # mean length, in sessions
    sharpe: Interval | None = None
    cagr: Interval | None = None
    max_drawdown: Interval | None = None  # what the same returns may bring in another order


def intervals(
    equity: ArrayLike, *, level: float = 0.95, samples: int = 2000, seed: int = 0, block: float | None = None
) -> Intervals:
    """Of (1 + n,) equity at session closes, the initial cash first. The same seed gives the same numbers."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; it must be over 0 and under 1, such as 0.95")
    if samples < 100:
        raise ValueError(f"samples is {samples}; it must be at least 100, or the ends of an interval are chance")
    if block is not None and not block >= 1.0:
        raise ValueError(f"block is {block}; it must be at least 1 session")
    moved = returns(np.asarray(equity, np.float64))
    if moved.size < FEW or not deviation(moved) > 0.0 or moved.min() <= -1.0:
        return Intervals(level=level, samples=0, block=1.0)
    length = block_length(moved) if block is None else block
    rng = np.random.default_rng(seed)
    drawn = [_numbers(moved[at]) for at in places(rng, moved.size, samples, length)]
    found = [_between(np.concatenate(column), level) for column in zip(*drawn, strict=True)]
    return Intervals(level=level, samples=samples, block=length, sharpe=found[0], cagr=found[1], max_drawdown=found[2])


def places(rng: np.random.Generator, n: int, samples: int, length: float) -> Iterator[Array]:
    """(some, n) indices, `samples` rows in all: blocks from anywhere, of geometric length; on the last follows 0."""
    step = np.arange(n)
    while samples > 0:
        rows = min(samples, max(1, AT_ONCE // n))
        fresh = rng.random((rows, n)) < 1.0 / length
        fresh[:, 0] = True
        began = np.maximum.accumulate(np.where(fresh, step, 0), axis=1)
        starts = np.take_along_axis(rng.integers(n, size=(rows, n)), began, axis=1)
        yield (starts + step - began) % n
        samples -= rows


def block_length(moved: Array) -> float:
    """The longer of what the returns and their squares ask for, since ratios lean on both. 1: no memory."""
    return max(_memory(moved), _memory(np.square(moved - moved.mean())))


def _memory(x: Array) -> float:
    """The block length that estimates a mean's variance best."""
    n, x = x.size, x - x.mean()
    lags = np.arange(min(math.ceil(math.sqrt(n)) + RUN, n - 1) + 1)
    covariance = np.array([x[: n - k] @ x[k:] for k in lags.tolist()]) / n
    if not covariance[0] > 0.0:
        return 1.0
    quiet = np.abs(covariance[1:]) < 2.0 * math.sqrt(math.log10(n) / n) * covariance[0]
    reach = min(2 * _silence(quiet), int(lags[-1]))
    flat_top = np.clip(2.0 * (1.0 - lags / reach), 0.0, 1.0) * covariance
    slope, level = 2.0 * float(lags @ flat_top), 2.0 * float(flat_top.sum()) - float(covariance[0])
    longest = math.ceil(min(3.0 * math.sqrt(n), n / 3.0))
    return min(max(1.0, float(np.cbrt(n * (slope / level) ** 2))), longest) if level else float(longest)


def _silence(quiet: Array) -> int:
    """The first lag, from 1, of a run of quiet ones; all of them if there is none."""
    runs = np.lib.stride_tricks.sliding_window_view(quiet, RUN).all(axis=1)
    return int(runs.argmax()) + 1 if runs.any() else quiet.size


def _numbers(moved: Array) -> tuple[Array, Array, Array]:
    equity = np.concatenate((np.ones((moved.shape[0], 1)), np.cumprod(1.0 + moved, axis=1)), axis=1)
    return sharpe(moved), cagr(equity), underwater(equity).min(axis=1)


def _between(sampled: Array, level: float) -> Interval | None:
    """A sample without such a number has no say."""
    known = sampled[np.isfinite(sampled)]
    if not known.size:
        return None
    low, high = np.quantile(known, ((1.0 - level) / 2.0, (1.0 + level) / 2.0))
    return Interval(low=float(low), high=float(high))
