"""A smoothing constant from volatility, and its fit to a history."""

import math

import numpy as np
import pytest

from fluxhero.kernel import calculate_volatility_alpha, fit_volatility_alpha
from fluxhero.kernel.state import Array
from tests.kernel.drive import walk

NAN = math.nan


def missed(close: Array, ratio: Array, base: float, gain: float) -> float:
    """The squared errors one bar ahead, summed."""
    mean, total = float(close[0]), 0.0
    for y, x in zip(close[1:].tolist(), ratio[1:].tolist(), strict=True):
        total += (y - mean) ** 2
        mean += min(max(base + gain * (x - 0.5), 0.1), 0.6) * (y - mean)
    return total


def history(seed: int, n: int = 400) -> tuple[Array, Array]:
    """Noise around a level while calm, moves while wild: the better EMA is quick only where the ratio is high."""
    rng = np.random.default_rng(seed)
    wild = np.arange(n) // 40 % 2 == 1
    level = 100.0 + np.cumsum(np.where(wild, rng.normal(0.0, 0.5, n), 0.0))
    return np.asarray(level + rng.normal(0.0, 0.3, n)), np.where(wild, 1.6, 0.6)


@pytest.mark.nojit
def test_alpha_grows_with_the_ratio_between_a_tenth_and_six_tenths() -> None:
    atr = np.array([0.0, 0.4, 0.5, 1.0, 1.4, 1.5, 1.6, 9.0, NAN, 1.0, 1.0, 1.0])
    mean = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, NAN, 0.0, 2.0])
    expected = [0.1, 0.1, 0.1, 0.35, 0.55, 0.6, 0.6, 0.6, NAN, NAN, NAN, 0.1]
    np.testing.assert_allclose(calculate_volatility_alpha(atr, mean), expected, rtol=1e-15)


@pytest.mark.nojit
def test_what_is_fitted_misses_least() -> None:
    close, ratio = history(1, 120)
    base, gain = fit_volatility_alpha(close, ratio)
    least = missed(close, ratio, base, gain)
    for b in np.linspace(0.1, 0.6, 21).tolist():
        for g in np.linspace(-1.0, 1.0, 21).tolist():
            assert least <= missed(close, ratio, b, g) * (1.0 + 1e-12), (b, g)


def test_the_fit_is_quick_where_moves_last_and_slow_where_they_are_noise() -> None:
    for seed in range(5):
        base, gain = fit_volatility_alpha(*history(seed, 4000))
        calm, wild = (min(max(base + gain * (x - 0.5), 0.1), 0.6) for x in (0.6, 1.6))
        assert (calm < 0.2, wild > 0.4) == (True, True), (base, gain)


def test_the_fit_is_the_same_each_time_and_in_bounds() -> None:
    for seed in range(5):
        bars = walk(seed, 2000)
        close, ratio = np.array(bars["close"]), np.exp(np.random.default_rng(seed).normal(0.0, 0.4, 2000))
        base, gain = fit_volatility_alpha(close, ratio)
        assert fit_volatility_alpha(close, ratio) == (base, gain)
        assert 0.1 <= base <= 0.6
        assert -1.0 <= gain <= 1.0


@pytest.mark.nojit
def test_the_fit_begins_with_the_first_ratio() -> None:
    close, ratio = history(2, 60)
    late = np.concatenate([np.full(20, NAN), ratio])
    assert fit_volatility_alpha(np.concatenate([np.full(20, 7.0), close]), late) == fit_volatility_alpha(close, ratio)


@pytest.mark.nojit
def test_of_equals_the_first_is_taken() -> None:
    still = np.full(30, 5.0)
    assert fit_volatility_alpha(still, np.ones(30)) == (0.1, -1.0)


@pytest.mark.nojit
@pytest.mark.parametrize(
    ("close", "ratio", "said"),
    [
        ([1.0], [1.0], "close has 1 values; it must have at least 2, for the first that is known"),
        ([1.0, 2.0], [1.0], "ratio has 1 values and close 2; they must have equally many"),
        ([1.0, 2.0], [NAN, 1.0], "ratio has 1 values that are not NaN; it must have at least 2"),
        ([1.0, NAN], [1.0, 1.0], "close[1] is nan; it must be finite: drop such bars, or fill them"),
        ([1.0, 2.0, 3.0], [1.0, NAN, 1.0],
         "ratio[1] is nan; it must be NaN before the first value alone: drop such bars, or fill them"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_named(close: list[float], ratio: list[float], said: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        fit_volatility_alpha(close, ratio)
    assert str(refused.value) == said
