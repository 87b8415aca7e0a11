"""The public functions against independent sources: TA-Lib where it is exact, else each window by itself."""

import math
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from fluxhero.kernel import (
    calculate_adx,
    calculate_atr,
    calculate_bollinger,
    calculate_efficiency_ratio,
    calculate_ema,
    calculate_indicators,
    calculate_kama,
    calculate_regression,
    calculate_rsi,
    calculate_sma,
    calculate_stdev,
)
from fluxhero.kernel.state import Array
from tests.kernel.drive import walk
from tests.kernel.exact import HARD, around, million, moments, ratios, refits

FIELDS = {"ema20": 19, "rsi14": 14, "atr14": 14, "adx14": 27, "kama10": 10}  # first valid bar
REAL = ("SPY_1d", "QQQ_1d", "AAPL_1d", "AAPL_1h", "MSFT_5m", "SPY_1m", "QQQ_1m")
Bars = tuple[Array, Array, Array]


def talibs(high: Array, low: Array, close: Array) -> dict[str, Array]:
    return {
        "ema20": talib.EMA(close, 20),
        "rsi14": talib.RSI(close, 14),
        "atr14": talib.ATR(high, low, close, 14),
        "adx14": talib.ADX(high, low, close, 14),
        "kama10": talib.KAMA(close, 10),
    }


def agree(high: Array, low: Array, close: Array) -> None:
    """All eleven and the ratio within KAMA, from their first valid bar."""
    ours = calculate_indicators(high, low, close)
    for name, theirs in talibs(high, low, close).items():
        assert int(np.isnan(ours[name]).sum()) == FIELDS[name]
        least = 1e-12 if name == "rsi14" else 0.0  # where its means are under 1e-14 ours is 0, theirs is not
        np.testing.assert_allclose(ours[name], theirs, rtol=1e-12, atol=least, err_msg=name)
    mid, sd = moments(close, 20)
    slope, r2 = refits(close, 50)
    for name, true, allowed in (
        ("bb_mid", mid, 1e-9 * close),
        ("stdev20", sd, 1e-9 * close),
        ("bb_upper", mid + 2.0 * sd, 1e-9 * close),
        ("bb_lower", mid - 2.0 * sd, 1e-9 * close),
        ("slope50", slope, 1e-9),
        ("r2_50", r2, 1e-9),
    ):
        assert (np.isnan(ours[name]) == np.isnan(true)).all(), name
        assert not (np.abs(ours[name] - true) > allowed).any(), name
    np.testing.assert_allclose(calculate_efficiency_ratio(close), ratios(close, 10), rtol=0, atol=1e-9)


def bars_of(table: Path) -> Bars:
    columns = pq.read_table(table, columns=["high", "low", "close"]).to_pydict()
    high, low, close = (np.asarray(columns[name], np.float64) for name in ("high", "low", "close"))
    return high, low, close


@pytest.mark.nojit
@pytest.mark.parametrize("seed", range(2))
def test_a_walk_agrees(seed: int) -> None:
    bars = walk(seed, 1500)
    agree(*(np.array(bars[name]) for name in ("high", "low", "close")))


@pytest.mark.nojit
@pytest.mark.parametrize("kind", HARD)
def test_what_is_hard_on_sums_that_slide_agrees(kind: str) -> None:
    for seed in range(3):
        close = HARD[kind](seed)
        agree(*around(close, seed), close)


def test_a_million_bars_agree() -> None:
    close = million(1)
    agree(*around(close, 1), close)


@pytest.mark.data
@pytest.mark.parametrize("name", REAL)
def test_real_bars_agree(data_dir: Path, name: str) -> None:
    agree(*bars_of(data_dir / f"{name}.parquet"))


@pytest.mark.nojit
@pytest.mark.parametrize("n", [2, 3, 7, 50, 63, 64, 65, 255, 256, 257, 600])
def test_other_periods_agree_from_their_first_valid_bar(n: int) -> None:
    close = HARD["crash"](n)[:3000]
    high, low = around(close, n)
    for ours, theirs in (
        (calculate_ema(close, n), talib.EMA(close, n)),
        (calculate_rsi(close, n), talib.RSI(close, n)),
        (calculate_atr(high, low, close, n), talib.ATR(high, low, close, n)),
        (calculate_adx(high, low, close, n)[0], talib.ADX(high, low, close, n)),
        (calculate_kama(close, n), talib.KAMA(close, n)),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=0)
    mid, sd = moments(close, n)
    np.testing.assert_allclose(calculate_sma(close, n), mid, rtol=1e-9)
    np.testing.assert_allclose(calculate_stdev(close, n), sd, rtol=0, atol=1e-9 * close.min())
    for ours, true in zip(calculate_regression(close, n), refits(close, n), strict=True):
        np.testing.assert_allclose(ours, true, rtol=0, atol=1e-9)


@pytest.mark.nojit
def test_directional_indicators_are_talibs() -> None:
    for seed in range(3):
        close = HARD["walk"](seed)
        high, low = around(close, seed)
        _, plus, minus = calculate_adx(high, low, close)
        np.testing.assert_allclose(plus, talib.PLUS_DI(high, low, close, 14), rtol=1e-12)
        np.testing.assert_allclose(minus, talib.MINUS_DI(high, low, close, 14), rtol=1e-12)


@pytest.mark.nojit
def test_what_only_rises_is_a_hundred_and_no_more() -> None:
    for move in (0.01, 0.1, 1.0 / 3.0, 7.0):
        close = 1.0 + move * np.arange(2000.0)
        adx, plus, minus = calculate_adx(close, close, close)
        assert (set(calculate_rsi(close)[14:].tolist()), set(adx[27:].tolist())) == ({100.0}, {100.0})
        assert (plus[14:].max(), minus[14:].max()) == (100.0, 0.0)
        assert 1.0 - 1e-12 < calculate_regression(close)[1][49:].max() <= 1.0


@pytest.mark.nojit
def test_bands_are_as_wide_as_asked() -> None:
    close = HARD["walk"](1)
    mid, sd = calculate_sma(close, 30), calculate_stdev(close, 30)
    upper, middle, lower = calculate_bollinger(close, 30, 1.5)
    np.testing.assert_array_equal(upper, mid + 1.5 * sd)
    np.testing.assert_array_equal(middle, mid)
    np.testing.assert_array_equal(lower, mid - 1.5 * sd)


MOVES = st.sampled_from([0.0, 0.0, 0.0, 0.01, -0.01, 1e-9, -1e-7, 3.0, -3.0, 50.0, -50.0, 1e4, -1e4])


@pytest.mark.nojit
@settings(max_examples=60)
@given(start=st.sampled_from([1e-3, 1.0, 100.0, 1e6]), moves=st.lists(MOVES, min_size=80, max_size=300))
def test_whatever_moves_windows_stay_exact_and_what_is_bounded_in_bounds(start: float, moves: list[float]) -> None:
    close = start + np.cumsum(moves)
    read = calculate_indicators(close, close, close)
    largest = sliding_window_view(np.abs(close), 50).max(axis=1)
    mid, sd = (x[49:] for x in moments(close, 20))
    slope, r2 = (x[49:] for x in refits(close, 50))
    read = read[49:]
    assert (np.abs(read["bb_mid"] - mid) <= 1e-14 * largest).all()
    assert (np.abs(read["stdev20"] - sd) <= 1e-12 * largest).all()
    assert (np.abs(read["slope50"] - slope) <= 1e-14 * largest).all()
    np.testing.assert_allclose(read["r2_50"], r2, rtol=0, atol=1e-9)
    assert ((read["rsi14"] >= 0.0) & (read["rsi14"] <= 100.0)).all()
    assert ((read["adx14"] >= 0.0) & (read["adx14"] <= 100.0)).all()


@pytest.mark.nojit
def test_the_mean_is_that_of_an_exact_sum() -> None:
    close = HARD["crash"](5)[:1500]
    exact = [math.fsum(close[t - 19 : t + 1]) / 20 for t in range(19, close.size)]
    np.testing.assert_allclose(calculate_sma(close, 20)[19:], exact, rtol=1e-14)


@pytest.mark.nojit
def test_a_flat_tape_after_moves_is_exactly_flat() -> None:
    """A sum that slides would be left with its rounding."""
    for seed in range(4):
        moving = 300 + 5 * seed
        close = np.concatenate([walk(seed, moving, 10.0 ** (seed - 1))["close"], np.zeros(450)])
        close[moving:] = close[moving - 1] + 0.01
        read = calculate_indicators(close, close, close)
        assert read["stdev20"][moving + 18] > 0.0
        assert set(read["stdev20"][moving + 19 :].tolist()) == {0.0}
        assert read["slope50"][moving + 48] > 0.0
        assert set(read["slope50"][moving + 49 :].tolist()) == {0.0}
        assert not np.isnan(read["r2_50"][moving + 48])
        assert np.isnan(read["r2_50"][moving + 49 :]).all()
        assert (read["rsi14"][moving + 300] > 0.0, read["rsi14"][-1]) == (True, 0.0)  # means under 1e-14 are none
        assert set(read["bb_mid"][moving + 19 :].tolist()) == {close[-1]}


@pytest.mark.nojit
@pytest.mark.parametrize("seed", range(5))
def test_a_cold_start_from_500_bars_is_a_long_history(seed: int) -> None:
    bars = walk(seed, 6000)
    high, low, close = (np.array(bars[name]) for name in ("high", "low", "close"))
    long = calculate_indicators(high, low, close)
    for end in range(600, 6001, 450):
        cold = calculate_indicators(high[end - 500 : end], low[end - 500 : end], close[end - 500 : end])[-1]
        for name in FIELDS:
            assert cold[name] == pytest.approx(long[name][end - 1], rel=1e-12, abs=0), name
        for name in ("bb_upper", "bb_mid", "bb_lower", "stdev20"):
            assert cold[name] == pytest.approx(long[name][end - 1], rel=0, abs=1e-12 * close[end - 1]), name
        for name in ("slope50", "r2_50"):
            assert cold[name] == pytest.approx(long[name][end - 1], rel=0, abs=1e-9), name
