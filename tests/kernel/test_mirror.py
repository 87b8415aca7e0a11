"""A market turned upside down is traded upside down, bar for bar: prices p become 2 L - p.

Prices are multiples of 1/64 between 64 and 128, and L is 96: there a price and its mirror have the same distance to
their neighbours, so sums, changes, KAMA and ATR round alike to the last bit. The means of the bands and the fit of the
line do not (1/20 and 1/50 are no binary fractions): a close that met a band or R2 a limit to the last bit could
decide otherwise on one side. None does in these walks. A stop of mean reversion is a share of the close, not of its
mirror; everything else about a decision is its mirror.
"""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from fluxhero.kernel.codes import ENTER, EXIT, LONG, REFUSED, REVERSION, SHORT, TREND
from fluxhero.kernel.state import Array
from tests.kernel.drive import SEEDS, bars_of, fresh, thinker

L = 96.0
TICK = 1 / 64
BARS = 1500
EXACT = ("atr", "adx", "er", "atr_mean", "volume_mean")  # of a reading: the same in the mirror, bit for bit
TURNED = ("close", "kama", "ema")  # 2 L - x
Told = tuple[Any, ...]
Lives = list[tuple[list[Told], Array, list[Told], Array]]  # of a market and of its mirror: what was told, what was read
DECISION = ("action", "side", "mode", "gate", "stop", "raised", "risk", "scale", "wide")


def tape_of(seed: int) -> Array:
    """A walk on the grid within (64, 128), quoted; it trends and ranges by turns."""
    rng = np.random.default_rng(seed)
    drift = np.repeat(rng.normal(0.0, 2.0, BARS // 60 + 1), 60)[:BARS]
    steps = np.cumsum(np.round(rng.normal(drift, 6.0)))
    close = L + TICK * (np.abs((steps + 1600) % 6400 - 3200) - 1600)  # folded back at 71 and 121
    bars = bars_of(close)
    bars["open"][1:] = close[:-1]
    reach = TICK * np.abs(np.round(rng.normal(0.0, 3.0, (2, BARS))))
    bars["high"], bars["low"] = np.maximum(bars["open"], close) + reach[0], np.minimum(bars["open"], close) - reach[1]
    bars["volume"] = rng.integers(1_000, 5_000, BARS)
    bars["spread"] = TICK * rng.integers(0, 6, BARS)
    return bars


def turned(bars: Array) -> Array:
    other = bars.copy()
    for name, of in (("open", "open"), ("high", "low"), ("low", "high"), ("close", "close")):
        other[name] = 2 * L - bars[of]
    return other


def life(bars: Array, **said: float) -> tuple[list[Told], Array]:
    """(action, side, mode, gate, stop, raised, risk, scale, wide, beyond, quantity) at each bar; the readings."""
    rows, think, told, readings = fresh(), thinker(shorts=1, **said), [], []
    for _ in think.trade(rows, bars[:, None]):
        d = [rows["decision"][name][0].item() for name in DECISION]
        told.append((*d, int(rows["own"]["beyond"][0]), int(rows["trade"]["qty"][0])))
        readings.append(rows["reading"].copy())
    return told, np.concatenate(readings)


def mirror(told: Told) -> Told:
    action, side, mode, gate, stop, raised, risk, scale, wide, beyond, qty = told
    stops = (round(2 * L * 1e6) - x if x else 0 for x in (stop, raised))
    return action, -side, mode, gate, *stops, risk, scale, wide, -beyond, -qty


def unstopped(told: Told) -> Told:
    """Without the stop that is a share of the close."""
    return (*told[:4], 0, *told[5:]) if told[2] == REVERSION else told


RULES = [
    pytest.param({}, id="default", marks=pytest.mark.nojit), pytest.param({"kama": 1, "adaptive": 1}, id="adaptive")
]  # fmt: skip


@pytest.fixture(scope="module", params=RULES)
def lives(request: pytest.FixtureRequest) -> Lives:
    made = []
    for seed in range(2 + len(SEEDS)):
        bars = tape_of(seed)
        assert (bars["low"].min() > 64.0, bars["high"].max() < 128.0) == (True, True)
        made.append((*life(bars, **request.param), *life(turned(bars), **request.param)))
    return made


def test_a_mirrored_market_gives_mirrored_decisions_bar_for_bar(lives: Lives) -> None:
    for told, _, other, _ in lives:
        assert [unstopped(mirror(t)) for t in other] == [unstopped(t) for t in told]


def test_what_is_mirrored_is_worth_it(lives: Lives) -> None:
    """Both sides, both modes, exits, refusals and moved stops."""
    seen = Counter((t[0], t[1], t[2]) for told, *_ in lives for t in told)
    for action in (ENTER, EXIT, REFUSED):
        for side in (LONG, SHORT):
            for mode in (TREND, REVERSION):
                assert seen[action, side, mode] > 0, (action, side, mode)
    assert sum(t[5] > 0 for told, *_ in lives for t in told) > 100


def test_a_stop_of_mean_reversion_is_three_per_cent_of_its_own_close(lives: Lives) -> None:
    for told, readings, *_ in lives:
        for t, close in zip(told, readings["close"].tolist(), strict=True):
            if t[2] == REVERSION and t[0] in (ENTER, REFUSED):
                cents = close * 100 * (1.0 - 0.03 * t[1])
                assert t[4] == 10_000 * int(np.floor(cents) if t[1] == LONG else np.ceil(cents))


def test_readings_are_mirrored_to_the_last_bit_where_nothing_is_divided(lives: Lives) -> None:
    for _, readings, _, other in lives:
        for name in EXACT:
            assert readings[name].tobytes() == other[name].tobytes(), name
        for name in TURNED:
            assert readings[name][20:].tolist() == (2 * L - other[name][20:]).tolist(), name
        for name, reflect in (("rsi", 100.0 - other["rsi"]), ("mid", 2 * L - other["mid"]), ("sd", other["sd"])):
            np.testing.assert_allclose(readings[name][20:], reflect[20:], rtol=0, atol=1e-10, err_msg=name)
        for name, reflect in (("slope", -other["slope"]), ("r2", other["r2"])):
            np.testing.assert_allclose(readings[name][50:], reflect[50:], rtol=0, atol=1e-10, err_msg=name)
