"""Every reading against an independent source, from its first valid bar to far past many anchors of the sums."""

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import talib

from fluxhero.kernel.codes import FLAT
from fluxhero.kernel.indicators import ANCHOR
from fluxhero.kernel.state import Array
from tests.kernel.drive import bars_of, fresh, observed, recorded, thinker, walk

FIRST = {"ema": 19, "rsi": 14, "atr": 14, "adx": 27, "kama": 10}  # valid bar
SEEDED = [(1, 30_000, 100.0, 8e-4), (2, 30_000, 7.0, 2e-3), (3, 6_000, 700.0, 0.02)]
SERIES = [
    *(pytest.param(seed, id=f"walk{seed[0]}") for seed in SEEDED),
    *(pytest.param(name, id=name, marks=pytest.mark.data) for name in ("SPY_1d", "SPY_1m")),
]


@cache
def _read(path: Path) -> tuple[Array, Array]:
    bars = recorded(path)
    return bars, observed(bars)


@cache
def _walked(seed: tuple[int, int, float, float]) -> tuple[Array, Array]:
    bars = walk(*seed)
    return bars, observed(bars)


@pytest.fixture(params=SERIES)
def series(request: pytest.FixtureRequest) -> tuple[Array, Array]:
    """Bars and what the kernel read of them."""
    if isinstance(request.param, tuple):
        return _walked(request.param)
    return _read(request.getfixturevalue("data_dir") / f"{request.param}.parquet")


def windows(x: Array, n: int) -> Array:
    return np.lib.stride_tricks.sliding_window_view(x, n)


def refit(close: Array) -> tuple[Array, Array]:
    """Slope and R2 of each 50 closes, every window for itself."""
    x, y = np.arange(50) - 24.5, windows(close, 50)
    y = y - y.mean(axis=1, keepdims=True)
    xy, yy = y @ x, (y * y).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return xy / (x @ x), xy * xy / ((x @ x) * yy)


def test_recursive_indicators_are_talibs_from_their_first_valid_bar(series: tuple[Array, Array]) -> None:
    b, ours = series
    theirs = {
        "ema": talib.EMA(b["close"], 20),
        "rsi": talib.RSI(b["close"], 14),
        "atr": talib.ATR(b["high"], b["low"], b["close"], 14),
        "adx": talib.ADX(b["high"], b["low"], b["close"], 14),
        "kama": talib.KAMA(b["close"], 10),
    }
    for name, expected in theirs.items():
        assert int(np.isnan(expected).sum()) == FIRST[name]
        np.testing.assert_allclose(ours[name][FIRST[name] :], expected[FIRST[name] :], rtol=1e-12, atol=0, err_msg=name)


def test_mean_and_deviation_are_talibs_to_a_billionth_of_the_price(series: tuple[Array, Array]) -> None:
    bars, ours = series
    price = bars["close"][19:]
    for name, expected in (("mid", talib.SMA(bars["close"], 20)), ("sd", talib.STDDEV(bars["close"], 20))):
        assert np.abs((ours[name][19:] - expected[19:]) / price).max() <= 1e-9, name


def test_mean_and_deviation_are_those_of_each_window(series: tuple[Array, Array]) -> None:
    bars, ours = series
    w = windows(bars["close"], 20)
    assert np.abs((ours["mid"][19:] - w.mean(axis=1)) / w[:, -1]).max() <= 1e-9
    assert np.abs((ours["sd"][19:] - w.std(axis=1)) / w[:, -1]).max() <= 1e-9


def test_slope_and_r2_are_those_of_a_direct_refit(series: tuple[Array, Array]) -> None:
    bars, ours = series
    slope, r2 = refit(bars["close"])
    assert np.isnan(ours["slope"][:49]).all()
    assert np.isnan(ours["r2"][:49]).all()
    np.testing.assert_allclose(ours["slope"][49:], slope, rtol=0, atol=1e-9)
    np.testing.assert_allclose(ours["r2"][49:], r2, rtol=0, atol=1e-9)


def test_series_reach_far_past_several_anchors(series: tuple[Array, Array]) -> None:
    assert len(series[0]) > 10 * ANCHOR


def test_efficiency_is_the_way_made_over_the_way_gone(series: tuple[Array, Array]) -> None:
    bars, ours = series
    close = bars["close"]
    made, gone = np.abs(close[10:] - close[:-10]), windows(np.abs(np.diff(close)), 10).sum(axis=1)
    expected = np.minimum(np.divide(made, gone, out=np.ones_like(gone), where=gone > 0.0), 1.0)
    np.testing.assert_allclose(ours["er"][10:], expected, rtol=0, atol=1e-9)


def test_means_of_volume_leave_the_bar_itself_out_and_means_of_range_do_not(series: tuple[Array, Array]) -> None:
    bars, ours = series
    np.testing.assert_allclose(ours["volume_mean"][20:], windows(bars["volume"], 20)[:-1].mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(ours["atr_mean"][63:], windows(ours["atr"][14:], 50).mean(axis=1), rtol=1e-11)


@pytest.mark.data
def test_the_golden_table_is_reproduced(data_dir: Path) -> None:
    _, ours = _read(data_dir / "SPY_1d.parquet")
    golden = {k: np.asarray(v) for k, v in pq.read_table(data_dir / "golden_SPY_1d.parquet").to_pydict().items()}
    golden = {k: v.astype(np.float64) for k, v in golden.items()}
    for name, column in (("ema", "ema20"), ("rsi", "rsi14"), ("atr", "atr14"), ("adx", "adx14"), ("kama", "kama10")):
        first = FIRST[name]
        assert int(np.isnan(golden[column]).sum()) == first
        np.testing.assert_allclose(ours[name][first:], golden[column][first:], rtol=1e-12, atol=0, err_msg=name)
    for name, column in (("mid", "sma20"), ("mid", "bb_mid"), ("sd", "stddev20")):
        assert np.abs((ours[name][19:] - golden[column][19:]) / golden["close"][19:]).max() <= 1e-9, column
    for name, column in (("slope", "slope50"), ("r2", "r2_50")):
        np.testing.assert_allclose(ours[name], golden[column], rtol=0, atol=1e-9, err_msg=name)


def test_a_straight_way_is_efficient_and_there_and_back_is_not() -> None:
    straight, noise = bars_of(100.0 + np.arange(100.0)), bars_of(100.0 + np.arange(100.0) % 2)
    assert (observed(straight)["er"][10:] == 1.0).all()
    assert (observed(noise)["er"][10:] == 0.0).all()


def test_rsi_is_undefined_while_nothing_has_moved() -> None:
    read = observed(bars_of(np.r_[np.full(80, 100.0), 101.0]))
    assert np.isnan(read["rsi"][1:80]).all()
    assert read["rsi"][80] == 100.0


@pytest.mark.parametrize("start", [5.0, 100.0, 1000.0])
def test_sums_know_an_unmoved_price_however_far_it_came(start: float) -> None:
    """A rolling sum alone is left with its rounding, and a flat window would not look flat."""
    for seed in range(40):
        moving = 280 + 5 * seed
        close = np.r_[walk(seed, moving, start, 2e-3)["close"], np.zeros(70)]
        close[moving:] = close[moving - 1] + 0.01
        read = observed(bars_of(close))
        assert (read["sd"][moving + 18] > 0.0, (read["sd"][moving + 19 :] == 0.0).all()) == (True, True)
        assert (read["er"][moving + 10 :] == 1.0).all()
        assert not np.isnan(read["r2"][moving + 48])
        assert np.isnan(read["r2"][moving + 49 :]).all()
        assert (read["slope"][moving + 49 :] == 0.0).all()


@pytest.mark.parametrize("start", [5.0, 100.0, 1000.0])
def test_a_flat_window_is_decided_flat_and_never_a_signal(start: float) -> None:
    think = thinker()
    for seed in range(10):
        bars = bars_of(np.r_[walk(seed, 300 + 9 * seed, start, 2e-3)["close"], np.zeros(40)])
        still = len(bars) - 40
        for name in ("open", "high", "low", "close"):
            bars[name][still:] = bars["close"][still - 1] + 0.01
        rows = fresh()
        actions = [int(rows["decision"]["action"][0]) for _ in think.trade(rows, bars[:, None])]
        assert actions[still + 19 :] == [FLAT] * 21
