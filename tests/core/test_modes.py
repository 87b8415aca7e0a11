"""A mode's figures, as a person reads them."""

import statistics

import numpy as np
import pytest

from fluxhero.core.modes import Figures, figures
from fluxhero.core.terms import account
from fluxhero.kernel.codes import REVERSION, TREND
from fluxhero.kernel.risk import closed
from fluxhero.messages import Micros

USD = 1_000_000


def of(*results: float) -> Figures:
    a = account(Micros(USD))
    for result in results:
        closed(a, TREND, round(result * USD))
    assert figures(a["modes"][0][REVERSION]) == figures(account(Micros(USD))["modes"][0][0])
    return figures(a["modes"][0][TREND])


def test_before_the_first_trade_nothing_is_known() -> None:
    assert of() == Figures(trades=0, net=0.0, weight=1.0, drawdown=0.0, win_rate=None, profit_factor=None, sharpe=None)


def test_one_trade_has_no_deviation_and_one_that_won_no_profit_factor() -> None:
    assert of(5.0) == Figures(
        trades=1, net=5.0, weight=1.0, drawdown=0.0, win_rate=1.0, profit_factor=None, sharpe=None
    )


def test_some_trades() -> None:
    results = (100.0, -30.0, -50.0, 0.0, 200.0, -20.0)
    f = of(*results)
    assert f == Figures(
        trades=6, net=200.0, weight=1.0, drawdown=80.0, win_rate=2 / 6, profit_factor=3.0, sharpe=f.sharpe
    )
    assert f.sharpe == pytest.approx(statistics.mean(results) / statistics.stdev(results))


def test_a_mode_that_only_lost_is_under_water_from_its_first_trade() -> None:
    f = of(-10.0, -20.0)
    assert (f.drawdown, f.profit_factor, f.win_rate) == (30.0, 0.0, 0.0)


@pytest.mark.parametrize("result", [3.3, -7.77, 0.0])
def test_equal_results_have_no_deviation(result: float) -> None:
    assert of(*[result] * 100).sharpe is None


def test_sharpe_agrees_with_a_recount() -> None:
    for seed in range(10):
        results = np.random.default_rng(seed).normal(5.0, 300.0, 5000).round(6)
        assert of(*results.tolist()).sharpe == pytest.approx(results.mean() / results.std(ddof=1), rel=1e-9)
