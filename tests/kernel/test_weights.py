"""What closed trades say of their mode, and what a losing mode may still risk in the month to come."""

from collections.abc import Sequence

import numpy as np
import pytest

from fluxhero.kernel.codes import MODES, OPEN, REVERSION, TREND
from fluxhero.kernel.risk import admitted, closed, watched
from fluxhero.kernel.state import Array
from tests.accounts import blank, opened, rules
from tests.kernel.drive import fields

pytestmark = pytest.mark.nojit

USD = 1_000_000
CASH = 100_000 * USD
MARCH = 2024 * 12 + 3
RULES = rules()


def traded(results: Sequence[float], mode: int = TREND, a: Array | None = None) -> Array:
    """An account, in March, after trades of these results in USD."""
    if a is None:
        a = opened()
        sealed(a, MARCH)
    for result in results:
        closed(a, mode, round(result * USD))
    return a


def sealed(a: Array, month: int, params: Array = RULES) -> list[float]:
    """The weights after a seal in that month."""
    watched(a, CASH, month, month, 0, params["rules"])
    weights: list[float] = a["modes"]["weight"][0].tolist()
    return weights


def weights(**modes: float) -> list[float]:
    """1, but for the modes named."""
    return [modes.get(f"of{mode}", 1.0) for mode in range(MODES)]


def test_a_fresh_account_gives_every_mode_its_full_weight() -> None:
    assert opened()["modes"]["weight"][0].tolist() == weights()


def test_statistics_are_sums_and_the_deepest_fall_of_the_net_result() -> None:
    a = traded([100.0, -30.0, -50.5, 0.0, 200.0, -10.0])
    assert fields(a[0]["modes"][TREND]) == {
        "trades": 6, "wins": 2, "gains": 300 * USD, "losses": 90_500_000, "net": 209_500_000, "peak": 219_500_000,
        "worst": 80_500_000, "returns": 209.5, "squares": 10_000 + 900 + 50.5**2 + 40_000 + 100, "weight": 1.0,
    }  # fmt: skip
    untouched = [a[0]["modes"][mode].tobytes() for mode in range(MODES) if mode != TREND]
    assert untouched == [opened()[0]["modes"][0].tobytes()] * (MODES - 1)


def test_statistics_agree_with_a_recount_of_any_results() -> None:
    for seed in range(20):
        results = np.random.default_rng(seed).integers(-(10**9), 10**9, 200)
        a = opened()
        for result in results.tolist():
            closed(a, REVERSION, result)
        m, net = a[0]["modes"][REVERSION], np.concatenate([[0], np.cumsum(results)])
        assert [int(m[k]) for k in ("trades", "wins", "gains", "losses", "net")] == [
            200, (results > 0).sum(), results[results > 0].sum(), -results[results < 0].sum(), net[-1],
        ]  # fmt: skip
        assert int(m["worst"]) == (np.maximum.accumulate(net) - net).max()


@pytest.mark.parametrize(
    ("results", "weight"),
    [
        ([-10.0] * 19, 1.0),  # too few
        ([-10.0] * 20, 0.5),  # nothing won: the floor
        ([-10.0] * 19 + [1e6], 1.0),
        ([8.0, -10.0] * 10, 0.8),
        ([4.0, -10.0] * 10, 0.5),
        ([10.0, -10.0] * 10, 1.0),  # what was lost was won
        ([9.999999, -10.0] * 10, 0.9999999),
        ([10.0] * 20, 1.0),
        ([0.0] * 20, 1.0),
    ],
)
def test_a_months_weight_is_the_profit_factor_between_a_half_and_one(results: list[float], weight: float) -> None:
    a = traded(results)
    assert sealed(a, MARCH) == weights()  # not before the month is over
    assert sealed(a, MARCH + 1) == weights(of1=weight)


def test_each_mode_has_its_own_weight() -> None:
    a = traded([-10.0, 6.0] * 10, REVERSION, traded([-10.0, 7.0] * 10, TREND))
    assert sealed(a, MARCH + 1) == weights(of1=0.7, of2=0.6)


def test_a_weight_holds_for_its_month_whatever_is_traded_in_it() -> None:
    a = traded([-10.0, 6.0] * 10)
    assert sealed(a, MARCH + 1) == weights(of1=0.6)
    traded([1000.0] * 50, TREND, a)
    assert sealed(a, MARCH + 1) == weights(of1=0.6)
    assert sealed(a, MARCH + 2) == weights()


def test_the_turn_of_the_year_is_a_month_like_any() -> None:
    a = traded([-10.0, 6.0] * 10)
    december, january = 2024 * 12 + 12, 2025 * 12 + 1
    assert january == december + 1
    assert [sealed(a, december), sealed(a, january)] == [weights(of1=0.6)] * 2


def test_count_and_floor_are_the_configurations() -> None:
    a = traded([-10.0, 3.0] * 3)
    assert sealed(a, MARCH + 1, rules(limits={"weight_trades": 6, "weight_floor": 0.25})) == weights(of1=0.3)
    assert sealed(a, MARCH + 2, rules(limits={"weight_trades": 6, "weight_floor": 0.4})) == weights(of1=0.4)
    assert sealed(a, MARCH + 3, rules(limits={"weight_trades": 7})) == weights()


@pytest.mark.parametrize("mode", [-1, -(2**40), MODES, 99, 2**40])
def test_a_mode_that_nobody_has_counts_as_the_nearest_and_writes_nowhere_else(mode: int) -> None:
    nearest = 0 if mode < 0 else MODES - 1
    assert traded([5.0], mode).tobytes() == traded([5.0], nearest).tobytes()


def test_the_weight_is_of_the_size_whatever_bounds_it() -> None:
    a = traded([-10.0, 6.0] * 10)
    sealed(a, MARCH + 1)
    sizes = {}
    for mode in (TREND, REVERSION):
        said = admitted(
            a.copy(), blank(1), np.zeros(1, np.int64), RULES["rules"], 0, 1, mode, 50 * USD, 48 * USD, 0.01, 1.0, False
        )
        sizes[mode] = said.gate, *said[3:9]
    assert sizes == {TREND: (OPEN, 240, 500, 400, 1000, 0.6, 0.6), REVERSION: (OPEN, 400, 500, 400, 1000, 1.0, 1.0)}
