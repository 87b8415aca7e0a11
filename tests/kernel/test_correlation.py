"""How alike two symbols move: one rule for whole arrays and for the tapes that the gate reads."""

import math

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from fluxhero.kernel.compile import entry
from fluxhero.kernel.correlation import LEAST, PERIOD, correlate, correlated, log_return, pushed
from fluxhero.kernel.state import Array
from fluxhero.messages import Quality
from tests.accounts import blank, taped, times, together
from tests.kernel.drive import COMPILED

pytestmark = pytest.mark.nojit

NAN = math.nan
MANY = 1_000_000 if COMPILED else 5_000  # bars


def rolling(a: Array, b: Array, period: int = PERIOD) -> Array:
    out = np.full(len(a), 7.0)
    correlate(np.ascontiguousarray(a), np.ascontiguousarray(b), np.zeros((2, period)), out)
    return out


def direct(a: Array, b: Array, period: int = PERIOD) -> Array:
    """By the definition, window by window, from returns of extended precision."""
    out = np.full(len(a), NAN)
    x, y = (np.diff(np.log(c.astype(np.longdouble))).astype(float) for c in (a, b))
    for first in range(0, len(x) - period + 1, 20_000):
        u, v = (sliding_window_view(r[first : first + 20_000 + period - 1], period) for r in (x, y))
        u, v = u - u.mean(axis=1, keepdims=True), v - v.mean(axis=1, keepdims=True)
        r = (u * v).sum(axis=1) / np.sqrt((u * u).sum(axis=1) * (v * v).sum(axis=1))
        out[first + period : first + period + len(r)] = r
    return out


def pair(seed: int, n: int, jumps: int = 0) -> tuple[Array, Array]:
    """Two walks that share about half of what moves them; in a jump the first moves a hundred times as far."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0.0, 5e-4, (2, n))
    moves[1] = 0.7 * moves[0] + 0.7 * moves[1]
    moves[0, rng.integers(0, n, jumps)] = rng.choice([-0.05, 0.05], jumps)
    a, b = 100.0 * np.exp(np.cumsum(moves - moves.mean(axis=1, keepdims=True), axis=1))
    return a, b


# -- whole arrays


@pytest.mark.parametrize("period", [2, 3, 20, 50, 300])
def test_it_is_pearsons_of_log_returns_from_index_period_on(period: int) -> None:
    for seed in range(5):
        a, b = pair(seed, 2000, jumps=5)
        r = rolling(a, b, period)
        assert np.isnan(r[:period]).all()
        np.testing.assert_allclose(r[period:], direct(a, b, period)[period:], rtol=0, atol=1e-9)


def test_however_many_bars_stay_within_a_billionth_of_a_direct_computation() -> None:
    a, b = pair(1, MANY, jumps=MANY // 3000)
    np.testing.assert_allclose(rolling(a, b)[PERIOD:], direct(a, b)[PERIOD:], rtol=0, atol=1e-9)


def test_a_quiet_time_after_a_shock_is_as_exact_as_any() -> None:
    """Between two anchors, so that the shock has to leave the sums by itself."""
    rng = np.random.default_rng(3)
    moves = rng.normal(0.0, 1e-9, (2, 250))
    moves[:, 10] = 0.4
    a, b = 100.0 * np.exp(np.cumsum(moves, axis=1))
    # Prices near 100 are known to 1e-14 of their size, moves of 1e-9 so to 1e-5, whoever reckons with them.
    np.testing.assert_allclose(rolling(a, b)[PERIOD:], direct(a, b)[PERIOD:], rtol=0, atol=1e-5)


def test_what_comes_later_changes_nothing() -> None:
    a, b = pair(2, 1200, jumps=4)
    whole = rolling(a, b)
    for n in (0, 1, 2, 50, 51, 256, 257, 511, 700, 1199):
        assert rolling(a[:n], b[:n]).tobytes() == whole[:n].tobytes()


def test_it_knows_no_order_of_the_two() -> None:
    a, b = pair(4, 1000)
    assert rolling(a, b).tobytes() == rolling(b, a).tobytes()


def test_a_series_is_one_with_itself_and_against_its_mirror() -> None:
    a, _ = pair(5, 1000, jumps=2)
    assert rolling(a, a)[PERIOD:].tolist() == [1.0] * 950
    np.testing.assert_allclose(rolling(a, 1.0 / a)[PERIOD:], -1.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize("still", [np.full(300, 50.0), 50.0 * 1.001 ** np.arange(300)])
def test_what_stands_still_or_grows_evenly_has_none(still: Array) -> None:
    a, _ = pair(6, 300)
    assert np.isnan(rolling(a, still)).all()
    assert np.isnan(rolling(still, a)).all()


def test_a_pause_of_one_has_none_for_as_long_as_the_window_is_within() -> None:
    a, b = pair(7, 600)
    b[200:300] = b[200]
    known = ~np.isnan(rolling(a, b))
    assert np.flatnonzero(~known).tolist() == [*range(50), *range(250, 300)]


@pytest.mark.parametrize("bad", [NAN, 0.0, -5.0, math.inf])
def test_what_is_no_price_has_none_and_leaves_no_trace(bad: float) -> None:
    a, b = pair(8, 600)
    clean, b[300] = rolling(a, b), bad
    r = rolling(a, b)
    assert np.flatnonzero(np.isnan(r)).tolist() == [*range(50), *range(300, 351)]
    np.testing.assert_allclose(r[351:], clean[351:], rtol=0, atol=1e-12)


def test_too_few_bars_have_none() -> None:
    a, b = pair(9, 50)
    for n in range(51):
        assert np.isnan(rolling(a[:n], b[:n])).all()


@entry
def _logs(a: Array, b: Array, out: Array) -> None:
    for i in range(a.size):
        out[i] = log_return(a[i], b[i])


def test_the_logarithm_is_right_to_the_last_digits() -> None:
    rng = np.random.default_rng(10)
    a = rng.uniform(0.01, 1000.0, 20_000)
    ratio = np.exp(rng.normal(0.0, np.repeat([1e-6, 1e-3, 0.1, 3.0, 30.0], 4000)))
    b, out = a * ratio, np.zeros(20_000)
    _logs(a, b, out)
    wide_a, wide_b = a.astype(np.longdouble), b.astype(np.longdouble)
    exact = np.sign(b - a) * np.log1p(np.abs(wide_b - wide_a) / np.minimum(wide_a, wide_b))
    assert float(np.abs(out / exact - 1).max()) < 1e-15


# -- tapes


def test_tapes_whose_bars_all_agree_give_what_the_arrays_give() -> None:
    """Where the arrays' sums have just been made anew, bit for bit."""
    a, b = pair(11, 800)
    whole = rolling(a, b)
    for n in (257, 513, 769):
        assert correlated(taped(np.stack([a[:n], b[:n]], axis=1)), 0, 1) == whole[n - 1]
    for n in (51, 64, 65, 200, 700):
        assert correlated(taped(np.stack([a[:n], b[:n]], axis=1)), 0, 1) == pytest.approx(whole[n - 1], abs=1e-12)


@pytest.mark.parametrize("wanted", [0.0, 0.3, 0.7, 0.95])
def test_it_finds_the_correlation_that_was_put_in(wanted: float) -> None:
    tapes = taped(together(wanted, (1, 1, -1)))
    found = [correlated(tapes, i, j) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert found == pytest.approx([wanted, -wanted, -wanted], abs=1e-10)


def test_nineteen_returns_say_nothing_and_twenty_do() -> None:
    a, b = pair(12, 100)
    closes = np.stack([a, b], axis=1)
    assert math.isnan(correlated(taped(closes[:LEAST]), 0, 1))
    assert correlated(taped(closes[: LEAST + 1]), 0, 1) == pytest.approx(
        np.corrcoef(*np.diff(np.log(closes[:21].T)))[0, 1]
    )


def test_only_the_last_fifty_returns_count() -> None:
    a, b = pair(13, 60)
    closes = np.stack([a, b], axis=1)
    last = np.corrcoef(*np.diff(np.log(closes[-51:].T)))[0, 1]
    assert correlated(taped(closes), 0, 1) == pytest.approx(last, abs=1e-12)


def test_returns_are_between_the_bar_times_that_both_have() -> None:
    rng = np.random.default_rng(14)
    for _ in range(20):
        closes = np.stack(pair(int(rng.integers(1000)), 55), axis=1)
        holes = rng.random((55, 2)) < 0.2
        both = closes[~holes.any(axis=1)]
        expected = np.corrcoef(*np.diff(np.log(both.T)))[0, 1]
        assert correlated(taped(np.where(holes, NAN, closes)), 0, 1) == pytest.approx(expected, abs=1e-12)


def test_symbols_without_a_common_time_or_without_a_bar_are_unknown() -> None:
    closes = np.stack(pair(15, 100), axis=1)
    closes[::2, 0] = closes[1::2, 1] = NAN
    assert math.isnan(correlated(taped(closes), 0, 1))
    assert math.isnan(correlated(blank(2), 0, 1))


def test_one_that_stands_still_is_unknown() -> None:
    a, _ = pair(16, 100)
    assert math.isnan(correlated(taped(np.stack([a, np.full(100, 5.0)], axis=1)), 0, 1))


def test_only_full_bars_are_kept() -> None:
    closes = np.stack(pair(17, 64), axis=1)
    tapes = taped(closes)
    before = tapes.tobytes()
    for quality in (Quality.NONE, Quality.EXTENDED, Quality.PARTIAL):
        for bars in times(closes, start=100):
            bars["quality"] = quality
            pushed(tapes, bars)
    assert tapes.tobytes() == before


def test_a_tape_is_a_ring_of_the_newest_sixty_four() -> None:
    closes = np.stack(pair(18, 200), axis=1)
    tapes = taped(closes)
    assert tapes["count"].tolist() == [200, 200]
    assert sorted(tapes["close"][0].tolist()) == sorted(closes[-64:, 0].tolist())
