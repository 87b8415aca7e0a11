"""What is left of the best of many trials."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxhero.lab.statistics import (
    NORMAL,
    RATE,
    Skill,
    deflated,
    expected_maximum,
    independent_trials,
    probabilistic_sharpe,
    returns,
    shape,
    sharpe,
)
from fluxhero.messages import Array

# -- the example of the paper: a Sharpe of 2.5 a year of 250 days, the best of 100 trials, over five years


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "probability"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_the_example_of_bailey_and_lopez_de_prado(
    trials: int, skew: float, kurtosis: float, probability: float
) -> None:
    hurdle = math.sqrt(0.5) * expected_maximum(trials)
    found = probabilistic_sharpe(2.5, 1250, skew, kurtosis, hurdle=hurdle, year=250)
    assert round(found or 0.0, 4) == probability
    if trials == 100:
        assert round(hurdle / math.sqrt(250), 4) == 0.1132


def noise(seed: int, trials: int, n: int = 500, mean: float = RATE) -> Array:
    return np.random.default_rng(seed).normal(mean, 0.01, (trials, n))


def test_without_skill_the_best_of_many_looks_skilled_until_it_is_deflated() -> None:
    """Of 100 sweeps of 200 trials, all of them without skill."""
    fooled = believed = 0
    for seed in range(100):
        sharpes = sharpe(moved := noise(seed, 200))
        skill = deflated(moved[sharpes.argmax()], sharpes.tolist())
        assert skill is not None
        assert skill.probabilistic is not None
        assert skill.deflated is not None
        fooled, believed = fooled + (skill.probabilistic > 0.95), believed + (skill.deflated > 0.95)
    assert (fooled, believed <= 5) == (100, True)


def test_skill_is_believed_still() -> None:
    moved = noise(1, 100)
    moved[7] = noise(2, 1, mean=RATE + 0.004)
    skill = deflated(moved[7], sharpe(moved).tolist())
    assert skill is not None
    assert (skill.tried, skill.independent) == (100, 100.0)
    assert (skill.deflated or 0.0) > 0.99


def test_one_trial_has_no_hurdle() -> None:
    moved = noise(3, 1)[0]
    ratio = float(sharpe(moved))
    chance = probabilistic_sharpe(ratio, 500, *shape(moved))
    assert deflated(moved, [ratio]) == Skill(
        sharpe=ratio, tried=1, independent=1.0, hurdle=0.0, probabilistic=chance, deflated=chance
    )


def test_trials_without_a_sharpe_were_tried_too() -> None:
    moved = noise(4, 10)
    sharpes: list[float | None] = [*sharpe(moved).tolist()]
    few, many = deflated(moved[0], sharpes), deflated(moved[0], [*sharpes, *[None] * 90])
    assert few is not None
    assert many is not None
    assert (few.tried, many.tried) == (10, 100)
    assert many.hurdle == pytest.approx(few.hurdle * expected_maximum(100) / expected_maximum(10))
    assert few.probabilistic == many.probabilistic


def test_what_has_no_sharpe_has_no_skill_to_speak_of() -> None:
    assert deflated(np.zeros(100), [None, 1.0]) is None
    assert deflated(np.zeros(0), []) is None


def test_fewer_independent_trials_make_a_lower_hurdle() -> None:
    sharpes = sharpe(moved := noise(5, 50)).tolist()
    skills = [deflated(moved[0], sharpes, independent) for independent in (1.0, 1.5, 5.0, 20.0, None)]
    hurdles = [s.hurdle for s in skills if s]
    assert hurdles == sorted(hurdles)
    assert (hurdles[0], len(hurdles)) == (0.0, 5)


# -- its parts


def test_the_expected_maximum_is_near_the_integral() -> None:
    x = np.linspace(-10, 10, 20_001)
    cdf = np.array([NORMAL.cdf(v) for v in x.tolist()])
    for trials in (2, 5, 10, 100, 10_000):
        exact = float((x[1:] * np.diff(cdf**trials)).sum())
        assert expected_maximum(trials) == pytest.approx(exact, abs=0.05), trials


@settings(deadline=None, derandomize=True)
@given(st.floats(0.0, 1e9), st.floats(0.0, 1e9))
def test_more_trials_never_expect_less(some: float, more: float) -> None:
    some, more = sorted((some, more))
    assert 0.0 <= expected_maximum(some) <= expected_maximum(more)


@settings(deadline=None, derandomize=True)
@given(st.floats(-5.0, 5.0), st.integers(2, 5000), st.floats(-5.0, 5.0), st.floats(-5.0, 5.0))
def test_a_higher_hurdle_is_less_likely_passed(ratio: float, n: int, hurdle: float, higher: float) -> None:
    hurdle, higher = sorted((hurdle, higher))
    lower, upper = (probabilistic_sharpe(ratio, n, 0.0, 3.0, hurdle=h) for h in (higher, hurdle))
    assert 0.0 <= (lower or 0.0) <= (upper or 0.0) <= 1.0
    assert probabilistic_sharpe(ratio, n, 0.0, 3.0, hurdle=ratio) == 0.5


def test_a_tail_of_losses_makes_a_sharpe_less_certain() -> None:
    plain, skewed, tailed = (probabilistic_sharpe(1.0, 500, s, k) or 0.0 for s, k in ((0, 3), (-2, 8), (0, 12)))
    assert plain > tailed > skewed > 0.5


def test_returns_of_two_values_have_no_error_to_speak_of() -> None:
    """Skew and kurtosis of a coin that is not fair; the Sharpe at which the error vanishes."""
    assert probabilistic_sharpe(2.0 * math.sqrt(252), 100, 1.0, 2.0) is None


def test_shape_is_of_the_population() -> None:
    skew, kurtosis = shape(np.array([-1.0, -1.0, -1.0, 3.0]))
    assert (skew, kurtosis) == pytest.approx((6 / 3**1.5, 21 / 9))


def test_trials_alike_are_one_and_strangers_are_many() -> None:
    moved = noise(6, 40)
    assert independent_trials([moved[0]] * 40) == pytest.approx(1.0)
    assert independent_trials(moved) == pytest.approx(40.0, rel=0.02)
    assert independent_trials(moved * 1e-3 + 7.0) == pytest.approx(independent_trials(moved))


def test_independent_trials_are_by_the_mean_of_all_correlations() -> None:
    for seed in range(5):
        moved = noise(seed, 12) + noise(100 + seed, 1)
        mean = (np.corrcoef(moved).sum() - 12) / (12 * 11)
        assert independent_trials(moved) == pytest.approx(mean + (1 - mean) * 12)


def test_trials_that_never_moved_are_like_none() -> None:
    assert independent_trials([np.zeros(50), np.zeros(50)]) == 2.0
    assert (independent_trials([]), independent_trials([np.zeros(50)])) == (0.0, 1.0)


def test_many_curves_at_once_are_each_as_alone() -> None:
    moved = noise(8, 20)
    assert sharpe(moved).tolist() == [float(sharpe(row)) for row in moved]


def test_a_curve_that_came_to_nothing_earns_no_more() -> None:
    assert returns(np.array([1.0, 0.0, 1.0])).shape == (0,)
    assert returns(np.array([1.0, 0.0])).tolist() == [-1.0]
