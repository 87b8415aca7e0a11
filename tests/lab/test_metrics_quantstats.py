"""The formulas of quantstats give the same numbers to 1e-9, where it is installed.

Where it differs by intent: its win rate and profit factor are of days, ours of trades, so it is given the trades; it
leaves out what came to exactly 0, which we count as not won; a ratio to nothing is inf or NaN there, None here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fluxhero.kernel.ledger import ROUND
from fluxhero.lab.metrics import calculate_metrics, of_rounds
from fluxhero.lab.statistics import probabilistic_sharpe, returns, sharpe, underwater
from fluxhero.messages import Array

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def stats() -> Any:
    return pytest.importorskip("quantstats").stats


CURVES = {
    "ordinary": (1250, 0.0005, 0.01), "of a quarter": (63, 0.002, 0.02), "that falls": (500, -0.002, 0.015),
    "that hardly moves": (300, 0.0002, 3e-4), "that leaps": (300, 0.003, 0.08),
}  # fmt: skip


def curve(what: str, seed: int) -> tuple[Array, Any]:
    n, mean, deviation = CURVES[what]
    equity = 100_000 * np.concatenate(([1.0], np.cumprod(1 + np.random.default_rng(seed).normal(mean, deviation, n))))
    return equity, series(equity)


def series(equity: Array) -> Any:
    return pd.Series(returns(equity), pd.bdate_range("2020-01-01", periods=equity.size - 1))


@pytest.mark.parametrize("what", CURVES)
def test_curves(stats: Any, what: str) -> None:
    for seed in range(5):
        equity, moved = curve(what, seed)
        m = calculate_metrics(equity)
        ours = [
            m.total_return, m.cagr, m.volatility, m.sharpe, m.sortino, m.calmar, m.max_drawdown, m.best_session,
            m.worst_session,
        ]  # fmt: skip
        theirs = [
            stats.comp(moved), stats.cagr(moved), stats.volatility(moved), stats.sharpe(moved, rf=0.04),
            stats.sortino(moved, rf=0.04), stats.calmar(moved), stats.max_drawdown(moved), stats.best(moved),
            stats.worst(moved),
        ]  # fmt: skip
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


def test_a_curve_that_only_rises_is_where_conventions_differ(stats: Any) -> None:
    equity = 100_000 * np.concatenate(([1.0], np.cumprod(1 + np.tile([0.01, 0.02], 30))))
    m, moved = calculate_metrics(equity), series(equity)
    assert (m.sortino, m.calmar, m.max_drawdown) == (None, None, 0.0)
    assert math.isnan(stats.sortino(moved, rf=0.04))
    assert (stats.calmar(moved), stats.max_drawdown(moved)) == (math.inf, 0.0)


def test_the_depths_of_all_drawdowns(stats: Any) -> None:
    for seed in range(5):
        equity, moved = curve("ordinary", seed)
        assert underwater(equity)[1:] == pytest.approx(stats.to_drawdown_series(moved).to_numpy(), abs=1e-9)


def test_trades(stats: Any) -> None:
    for seed in range(5):
        rounds = np.zeros(80, ROUND)
        rounds["result"] = np.random.default_rng(seed).normal(2e7, 3e8, 80)
        usd = pd.Series(rounds["result"] / 1e6)
        t = of_rounds(rounds)
        ours = [t.win_rate, t.average_win, t.average_loss, t.profit_factor, t.expectancy, t.trade_sharpe]
        bare = {"prepare_returns": False}
        theirs = [
            stats.win_rate(usd, **bare), stats.avg_win(usd, **bare), stats.avg_loss(usd, **bare),
            stats.profit_factor(usd, **bare), usd.mean(), usd.mean() / usd.std(),
        ]  # fmt: skip
        assert ours == pytest.approx(theirs, rel=1e-9)


def test_the_probability_that_a_sharpe_is_over_nothing(stats: Any) -> None:
    """Its skew and kurtosis are the unbiased estimates; by those the formula is the same."""
    for seed in range(5):
        _, moved = curve("ordinary", seed)
        excess = moved - (1.04 ** (1 / 252) - 1)
        skew, kurtosis = stats.skew(excess, prepare_returns=False), stats.kurtosis(excess, prepare_returns=False) + 3
        ours = probabilistic_sharpe(float(sharpe(moved.to_numpy())), moved.size, skew, kurtosis)
        assert ours == pytest.approx(stats.probabilistic_sharpe_ratio(excess), rel=1e-9)
        assert math.isfinite(ours or math.nan)
