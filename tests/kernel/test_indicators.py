"""What a live row reads beside what the public functions give, and what it makes of a tape that stands still."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from fluxhero.kernel.codes import FLAT
from tests.kernel.drive import bars_of, fresh, observed, thinker, walk

pytestmark = pytest.mark.nojit


@pytest.mark.parametrize("seed", range(3))
def test_means_of_volume_leave_the_bar_itself_out_and_means_of_range_do_not(seed: int) -> None:
    bars = walk(seed, 3000)
    read = observed(bars)
    volumes, ranges = sliding_window_view(bars["volume"], 20), sliding_window_view(read["atr"][14:], 50)
    np.testing.assert_array_equal(np.isnan(read["volume_mean"]), np.arange(3000) < 20)
    np.testing.assert_array_equal(np.isnan(read["atr_mean"]), np.arange(3000) < 63)
    np.testing.assert_allclose(read["volume_mean"][20:], volumes[:-1].mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(read["atr_mean"][63:], ranges.mean(axis=1), rtol=1e-12)


def test_what_the_closes_are_is_read_as_it_is() -> None:
    bars = walk(1, 100)
    assert observed(bars)["close"].tolist() == bars["close"].tolist()


@pytest.mark.parametrize("start", [5.0, 100.0, 1000.0])
def test_an_unmoved_price_is_known_however_far_it_came(start: float) -> None:
    """A rolling sum alone is left with its rounding, and a flat window would not look flat."""
    for seed in range(8):
        moving = 280 + 5 * seed
        close = np.concatenate([walk(seed, moving, start, 2e-3)["close"], np.zeros(70)])
        close[moving:] = close[moving - 1] + 0.01
        read = observed(bars_of(close))
        assert (read["sd"][moving + 18] > 0.0, set(read["sd"][moving + 19 :].tolist())) == (True, {0.0})
        assert set(read["er"][moving + 10 :].tolist()) == {1.0}
        assert (read["slope"][moving + 48] > 0.0, set(read["slope"][moving + 49 :].tolist())) == (True, {0.0})
        assert (np.isnan(read["r2"][moving + 48]), np.isnan(read["r2"][moving + 49 :]).all()) == (False, True)


@pytest.mark.parametrize("start", [5.0, 100.0, 1000.0])
def test_a_flat_window_is_decided_flat_and_never_a_signal(start: float) -> None:
    think = thinker()
    for seed in range(6):
        bars = bars_of(np.concatenate([walk(seed, 300 + 9 * seed, start, 2e-3)["close"], np.zeros(40)]))
        still = len(bars) - 40
        for name in ("open", "high", "low", "close"):
            bars[name][still:] = bars["close"][still - 1] + 0.01
        rows = fresh()
        actions = [int(rows["decision"]["action"][0]) for _ in think.trade(rows, bars[:, None])]
        assert actions[still + 19 :] == [FLAT] * 21


def test_a_tape_that_never_moved_is_flat() -> None:
    rows, think = fresh(), thinker()
    actions = [int(rows["decision"]["action"][0]) for _ in think.trade(rows, bars_of(np.full(90, 100.0))[:, None])]
    assert actions[64:] == [FLAT] * 26
    assert (rows["reading"]["rsi"][0], rows["reading"]["er"][0], rows["reading"]["sd"][0]) == (0.0, 1.0, 0.0)
