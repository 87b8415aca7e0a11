"""Ratios of equity and returns, and what is left of the best of many: Bailey and Lopez de Prado, The Deflated Sharpe
Ratio, 2014.

Arrays are taken over their last axis and give NaN where there is no such number.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import msgspec
import numpy as np

from fluxhero.messages import Array

YEAR = 252  # sessions
RATE = 1.04 ** (1 / YEAR) - 1  # free of risk, a session
FAINT = 1e-14  # a deviation of returns below it is rounding
UNIT = 2**32  # of a z-score: sums of integers are the same in any order
EULER = 0.5772156649015329
NORMAL = NormalDist()


def returns(equity: Array) -> Array:
    """(..., 1 + n) -> (..., n); none at all where there was nothing left to earn them."""
    before = equity[..., :-1]
    return np.asarray(equity[..., 1:] / before - 1.0) if (before > 0.0).all() else np.zeros((*before.shape[:-1], 0))


def deviation(moved: Array) -> Array:
    """Of the sample (ddof 1)."""
    if moved.shape[-1] < 2:
        return np.full(moved.shape[:-1], np.nan)
    found = moved.std(axis=-1, ddof=1)
    return np.where(found > FAINT, found, 0.0)


def sharpe(moved: Array) -> Array:
    """A year's, over the rate that is free of risk."""
    return _ratio(moved, deviation(moved))


def sortino(moved: Array) -> Array:
    """Likewise, to the root of the mean square of what fell short of that rate, over all n."""
    if not moved.shape[-1]:
        return np.full(moved.shape[:-1], np.nan)
    short = np.sqrt(np.square(np.minimum(moved - RATE, 0.0)).mean(axis=-1))
    return _ratio(moved, np.where(short > FAINT, short, 0.0))


def cagr(equity: Array) -> Array:
    """-1 where nothing was left."""
    n = equity.shape[-1] - 1
    if not n:
        return np.full(equity.shape[:-1], np.nan)
    with np.errstate(over="ignore"):
        return np.asarray(np.maximum(equity[..., -1] / equity[..., 0], 0.0) ** (YEAR / n) - 1.0)


def underwater(equity: Array) -> Array:
    """(..., 1 + n), <= 0: shares of the highest so far. The least is the maximum drawdown."""
    return np.asarray(equity / np.maximum.accumulate(equity, axis=-1) - 1.0)


class Skill(msgspec.Struct, frozen=True, kw_only=True):
    """Of the best of many trials. Sharpe ratios are a year's."""

    sharpe: float
    tried: int
    independent: float  # trials
    hurdle: float  # the Sharpe expected of the best of so many without any skill
    probabilistic: float | None  # probability that the true Sharpe is over 0
    deflated: float | None  # that it is over the hurdle: what to believe; from 0.95 on it is called significant


def deflated(moved: Array, sharpes: Sequence[float | None], independent: float | None = None) -> Skill | None:
    """`moved`: (n,) returns of the best; `sharpes`: a year's, of all that were tried, the best among them, None: had
    none; `independent`: see `independent_trials`, all of them if not given. None: the best has no Sharpe itself.
    """
    best, known = float(sharpe(moved)), np.array([x for x in sharpes if x is not None], np.float64)
    if math.isnan(best):
        return None
    trials = float(len(sharpes)) if independent is None else independent
    hurdle = expected_maximum(trials) * float(deviation(known)) if known.size > 1 else 0.0
    chances = [probabilistic_sharpe(best, moved.size, *shape(moved), hurdle=bar) for bar in (0.0, hurdle)]
    return Skill(
        sharpe=best, tried=len(sharpes), independent=trials, hurdle=hurdle, probabilistic=chances[0],
        deflated=chances[1],
    )  # fmt: skip


def probabilistic_sharpe(
    ratio: float, n: int, skew: float, kurtosis: float, *, hurdle: float = 0.0, year: int = YEAR
) -> float | None:
    """Probability that the true Sharpe is over the hurdle, both a year's, after n >= 2 returns; kurtosis: 3 is normal.

    None: returns of two values, whose Sharpe has no error.
    """
    once = ratio / math.sqrt(year)
    variance = 1.0 - skew * once + (kurtosis - 1.0) / 4.0 * once * once
    if not variance > FAINT:
        return None
    return NORMAL.cdf((ratio - hurdle) / math.sqrt(year) * math.sqrt(n - 1) / math.sqrt(variance))


def expected_maximum(trials: float) -> float:
    """Of so many independent draws from N(0, 1), nearly; 0 for one."""
    if trials <= 1.0:
        return 0.0
    rest = 1.0 / trials
    return max(0.0, -(1.0 - EULER) * NORMAL.inv_cdf(rest) - EULER * NORMAL.inv_cdf(rest / math.e))


@dataclass
class Alike:
    """How much trials are like one another, each (n,) returns by the same sessions, without keeping them: of those that
    never moved none is like another.
    """

    total: Array = field(default_factory=lambda: np.zeros(0, np.int64))  # of their z-scores by session, in 1/UNIT
    moving: int = 0
    trials: int = 0

    def add(self, moved: Array) -> None:
        spread = float(moved.std()) if moved.size else 0.0
        self.trials += 1
        if spread > FAINT:
            self._sum(np.rint((moved - moved.mean()) / spread * UNIT).astype(np.int64), 1)

    def join(self, other: Alike) -> None:
        self.trials += other.trials
        if other.moving:
            self._sum(other.total, other.moving)

    def _sum(self, total: Array, moving: int) -> None:
        self.total = self.total + total if self.moving else total
        self.moving += moving

    @property
    def independent(self) -> float:
        """Of M trials: r + (1 - r) M, r the mean correlation of two of them."""
        m = self.trials
        if m < 2:
            return float(m)
        square = float(np.square(self.total / UNIT).mean()) if self.moving else 0.0
        alike = (square - self.moving) / (m * (m - 1))
        return min(float(m), max(1.0, alike + (1.0 - alike) * m))

    def packed(self) -> bytes:
        return msgspec.json.encode((self.trials, self.moving, base64.b64encode(self.total.tobytes()).decode()))


def unpacked(text: bytes) -> Alike:
    trials, moving, total = msgspec.json.decode(text, type=tuple[int, int, str])
    return Alike(np.frombuffer(base64.b64decode(total), np.int64), moving, trials)


def independent_trials(trials: Iterable[Array]) -> float:
    """See `Alike`."""
    alike = Alike()
    for moved in trials:
        alike.add(moved)
    return alike.independent


def shape(moved: Array) -> tuple[float, float]:
    """Skew and kurtosis (3 is normal) of (n,) returns that differ; of the population, as scipy has them."""
    z = (moved - moved.mean()) / moved.std()
    return float((z**3).mean()), float((z**4).mean())


def _ratio(moved: Array, spread: Array) -> Array:
    if not moved.shape[-1]:
        return spread
    return np.asarray((moved.mean(axis=-1) - RATE) / np.where(spread > 0.0, spread, np.nan) * math.sqrt(YEAR))
