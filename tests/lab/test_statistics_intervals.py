"""Intervals by the stationary bootstrap cover the truth as often as they say."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxhero.lab.intervals import FEW, Interval, Intervals, block_length, intervals, places
from fluxhero.lab.metrics import calculate_metrics
from fluxhero.lab.statistics import RATE
from fluxhero.messages import Array


def grown(moved: Array) -> Array:
    return np.concatenate(([1.0], np.cumprod(1.0 + moved)))


def wandering(seed: int, n: int = 500, memory: float = 0.0, mean: float = 0.0006) -> Array:
    """Returns around `mean` with deviation 0.01, each with `memory` of the one before."""
    draw = np.random.default_rng(seed).normal(0.0, 0.01 * math.sqrt(1.0 - memory**2), n + 50)
    for t in range(1, draw.size):
        draw[t] += memory * draw[t - 1]
    return mean + draw[50:]


def covered(memory: float, block: float | None) -> int:
    """Of 200 curves, those whose 90 % interval has the true Sharpe in it."""
    truth = (0.0006 - RATE) / 0.01 * math.sqrt(252)
    found = [
        intervals(grown(wandering(seed, 250, memory)), level=0.9, samples=200, seed=seed, block=block).sharpe
        for seed in range(200)
    ]
    return sum(i.low <= truth <= i.high for i in found if i)


def test_returns_without_memory_are_covered_as_often_as_said() -> None:
    assert 170 <= covered(0.0, None) <= 190


def test_returns_with_memory_need_their_blocks() -> None:
    """Blocks break some of it still: a little under the 180 that were said."""
    alone, blocks = covered(0.5, 1.0), covered(0.5, None)
    assert alone < 145
    assert blocks >= 155


def test_the_same_seed_gives_the_same_interval() -> None:
    equity = grown(wandering(1))
    assert intervals(equity, samples=300) == intervals(equity, samples=300)
    assert intervals(equity, samples=300) != intervals(equity, samples=300, seed=1)


def test_what_was_found_lies_between() -> None:
    for seed in range(5):
        equity = grown(wandering(seed))
        m, i = calculate_metrics(equity), intervals(equity, samples=500)
        for name in ("sharpe", "cagr", "max_drawdown"):
            assert getattr(i, name).low < getattr(m, name) < getattr(i, name).high, name


def test_more_certainty_is_a_wider_interval() -> None:
    equity = grown(wandering(2))
    wide, narrow = (intervals(equity, level=level, samples=500) for level in (0.99, 0.8))
    for name in ("sharpe", "cagr", "max_drawdown"):
        assert getattr(wide, name).low < getattr(narrow, name).low, name
        assert getattr(wide, name).high > getattr(narrow, name).high, name


def test_one_endless_block_is_the_curve_itself_begun_elsewhere() -> None:
    equity = grown(wandering(3))
    m, i = calculate_metrics(equity), intervals(equity, samples=200, block=1e12)
    assert i.sharpe is not None
    assert i.cagr is not None
    assert (i.sharpe.low, i.sharpe.high) == pytest.approx((m.sharpe, m.sharpe))
    assert (i.cagr.low, i.cagr.high) == pytest.approx((m.cagr, m.cagr))


@pytest.mark.parametrize(
    "equity",
    [[1.0], [1.0, 2.0], [1.0] * 100, [2.0**n for n in range(40)], [1.0, *[0.0] * 99], [*grown(wandering(1, FEW - 1))]],
    ids=["no session", "one", "never moved", "always doubled", "came to nothing", "too few"],
)
def test_what_says_nothing_has_no_interval(equity: list[float]) -> None:
    assert intervals(equity) == Intervals(level=0.95, samples=0, block=1.0)


def test_one_trade_in_a_long_rest_says_little_and_leaks_nothing() -> None:
    """Many samples miss it; those have no Sharpe and no say in it."""
    i = intervals(grown(np.where(np.arange(100) == 40, 0.02, 0.0)), samples=300, block=1.0)
    assert msgspec.json.decode(msgspec.json.encode(i), type=Intervals) == i
    assert i.cagr is not None
    assert i.cagr.low == 0.0 < i.cagr.high
    assert i.max_drawdown == Interval(low=0.0, high=0.0)


@pytest.mark.parametrize(
    ("asked", "says"),
    [({"level": 1.0}, "level is 1.0"), ({"samples": 99}, "samples is 99"), ({"block": 0.5}, "block is 0.5")],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        intervals([1.0, 2.0], **asked)  # type: ignore[arg-type]


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 50), st.integers(1, 40), st.floats(1.0, 100.0), st.integers(0, 9))
def test_places_are_of_the_returns_and_as_many_as_asked(n: int, samples: int, length: float, seed: int) -> None:
    drawn = np.concatenate(list(places(np.random.default_rng(seed), n, samples, length)))
    assert drawn.shape == (samples, n)
    assert ((drawn >= 0) & (drawn < n)).all()


def test_places_come_in_pieces_that_fit_in_memory() -> None:
    assert [p.shape[0] for p in places(np.random.default_rng(0), 1 << 18, 10, 5.0)] == [4, 4, 2]


def test_blocks_are_as_long_as_asked_and_begin_anywhere() -> None:
    for length in (1.0, 4.0, 25.0):
        at = np.concatenate(list(places(np.random.default_rng(7), 1000, 300, length)))
        broken = (np.diff(at, axis=1) % 1000 != 1).mean()
        assert broken == pytest.approx(1.0 / length, rel=0.03)
        assert np.bincount(at.ravel(), minlength=1000) == pytest.approx(300, abs=150 + 20 * length)


def test_the_block_grows_with_memory_of_returns_or_of_their_size() -> None:
    for seed in range(5):
        none, some, much = (block_length(wandering(seed, 2000, memory)) for memory in (0.0, 0.4, 0.9))
        assert 1.0 <= none < some < much <= 135.0
        calm = np.repeat(np.random.default_rng(seed).choice([0.2, 2.0], 40), 50)
        assert block_length(calm * wandering(seed, 2000, mean=0.0)) > 2.0 * none


@settings(deadline=None, derandomize=True)
@given(st.lists(st.floats(-0.5, 0.5), min_size=FEW, max_size=80), st.floats(0.01, 100.0))
def test_the_unit_of_returns_does_not_matter_to_the_block(moved: list[float], unit: float) -> None:
    length = block_length(np.array(moved))
    assert 1.0 <= length <= math.ceil(len(moved) / 3)
    assert math.isfinite(block_length(np.array(moved) * unit))
