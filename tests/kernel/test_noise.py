"""The noise filter: too little volume, a breakout that nobody joins, a spread that drowns the move."""

import itertools
import math

import numpy as np
import pytest

from fluxhero.kernel.codes import (
    BREAKOUT,
    C_BREAKOUT,
    C_GAP,
    C_HOURS,
    C_SPREAD,
    C_VOLUME,
    ENTER,
    GAP,
    HOURS,
    LONG,
    METRONOME,
    OPEN,
    REFUSED,
    SHORT,
    SPREAD,
    VOLUME,
)
from fluxhero.kernel.compile import entry
from fluxhero.kernel.gates import LOUD, allowed, blank
from fluxhero.kernel.rows import observe
from fluxhero.kernel.state import Array
from tests.kernel.drive import bars_of, fresh, rules, thinker, tuned, walk

pytestmark = pytest.mark.nojit

NAN = math.nan
BARS = 105  # 21 five-minute bars; this bar is the last
Told = dict[int, tuple[float, float]]  # value and limit by condition


@entry
def _filtered(rows: Array, bars: Array, params: Array, side: int, filtered: bool) -> int:
    """The gate at the last of these bars."""
    row = rows[0]
    for t in range(bars.size):
        observe(row.market, row.reading, bars[t], params[0].rules)
    blank(row.decision)
    return allowed(row, bars[bars.size - 1], params[0].rules, side, filtered)


def quiet(n: int = BARS, /, **last: float) -> Array:
    """Bars of volume 1000 within 98 and 102 whose five-minute closes, 99 and 101 by turns, deviate by 1.

    `last`: of this bar, which is the last.
    """
    bars = bars_of(100.0 - np.where(np.arange(n) // 5 % 2, 1.0, -1.0))
    bars["high"], bars["low"] = 102.0, 98.0
    for name, value in last.items():
        bars[name][-1] = value
    return bars


def asked(
    bars: Array, side: int = LONG, params: Array | None = None, filtered: bool = True, gap: float = 0.0
) -> tuple[int, Told]:
    """The gate, and what was looked at, of an entry at the last bar."""
    rows = fresh()
    rows["session"]["gap"] = gap
    gate = _filtered(rows, bars, rules() if params is None else params, side, filtered)
    values, limits = (rows["decision"][kind][0].tolist() for kind in ("value", "limit"))
    return gate, {c: (values[c], limits[c]) for c in range(len(values)) if not math.isnan(limits[c])}


# -- volume


@pytest.mark.parametrize(
    ("volume", "gate"), [(0.0, VOLUME), (499.0, VOLUME), (500.0, VOLUME), (501.0, OPEN), (10_000.0, OPEN)]
)
def test_a_bar_needs_more_than_half_the_mean_volume(volume: float, gate: int) -> None:
    said, told = asked(quiet(volume=volume))
    assert (said, told[C_VOLUME], C_BREAKOUT in told) == (gate, (volume / 1000.0, 0.5), False)


def test_the_mean_is_of_the_twenty_bars_before_without_this_one() -> None:
    for at, mean in ((-21, 1950.0), (-22, 1000.0), (-2, 1950.0)):
        bars = quiet(volume=800.0)
        bars["volume"][at] = 20_000.0
        assert asked(bars)[1][C_VOLUME] == (800.0 / mean, 0.5)


@pytest.mark.parametrize("volume", [0.0, 1.0])
def test_where_nothing_was_traded_nothing_is_entered(volume: float) -> None:
    bars = quiet(volume=volume)
    bars["volume"][:-1] = 0.0
    gate, told = asked(bars)
    assert (gate, told[C_VOLUME]) == (VOLUME, (0.0, 0.5))


@pytest.mark.parametrize(("n", "gate"), [(20, OPEN), (21, VOLUME)])
def test_before_there_are_twenty_bars_to_compare_with_no_volume_can_be_judged(n: int, gate: int) -> None:
    said, told = asked(quiet(n, volume=0.0))
    assert (said, math.isnan(told[C_VOLUME][0])) == (gate, n == 20)


def test_the_floor_is_configured() -> None:
    low = tuned(rules(), volume_floor=0.25)
    assert [asked(quiet(volume=volume), params=low)[0] for volume in (250.0, 251.0)] == [VOLUME, OPEN]


# -- breakouts


@pytest.mark.parametrize(
    ("side", "close", "volume", "gate"),
    [
        (LONG, 102.0, 501.0, OPEN),
        (LONG, 102.01, 1500.0, BREAKOUT),
        (LONG, 102.01, 1501.0, OPEN),
        (LONG, 102.01, 500.0, VOLUME),
        (LONG, 97.0, 501.0, OPEN),
        (SHORT, 98.0, 501.0, OPEN),
        (SHORT, 97.99, 1500.0, BREAKOUT),
        (SHORT, 97.99, 1501.0, OPEN),
        (SHORT, 97.99, 500.0, VOLUME),
        (SHORT, 103.0, 501.0, OPEN),
    ],
)
def test_a_close_past_the_last_twenty_bars_needs_half_as_much_again(
    side: int, close: float, volume: float, gate: int
) -> None:
    said, told = asked(quiet(close=close, volume=volume), side)
    past = side * (close - 100.0) > 2.0
    assert said == gate
    assert told.get(C_BREAKOUT) == ((volume / 1000.0, 1.5) if past else None)


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_bars_own_range_and_those_of_before_the_twenty_do_not_count(side: int) -> None:
    name, far = ("high", 103.0) if side == LONG else ("low", 97.0)
    for at, breaks in ((-1, True), (-2, False), (-21, False), (-22, True)):
        bars = quiet(close=100.0 + side * 2.5)
        bars[name][at] = far
        gate, _ = asked(bars, side)
        assert (gate == BREAKOUT) == breaks, at


# -- spreads


@pytest.mark.parametrize(("spread", "gate"), [(0.0, OPEN), (0.25, OPEN), (0.26, SPREAD), (5.0, SPREAD)])
def test_a_spread_beyond_a_quarter_of_the_deviation_refuses(spread: float, gate: int) -> None:
    said, told = asked(quiet(spread=spread))
    assert (said, told[C_SPREAD]) == (gate, (spread, 0.25))


@pytest.mark.parametrize(
    ("clock", "limit"),
    [(571, 0.25), (720, 0.25), (721, 0.15), (750, 0.15), (780, 0.15), (781, 0.25), (960, 0.25), (0, 0.25)],
)
def test_the_hour_from_noon_is_stricter(clock: int, limit: float) -> None:
    """`clock`: the bar's end. The bar to 12:00 lies before that hour, the one to 13:00 in it."""
    for spread in (limit, limit + 0.01):
        gate, told = asked(quiet(clock=clock, spread=spread))
        assert (gate, told[C_SPREAD]) == (OPEN if spread == limit else SPREAD, (spread, limit))


def test_without_a_quote_the_spread_refuses_nothing_and_says_so() -> None:
    for clock, limit in ((600, 0.25), (750, 0.15)):
        gate, told = asked(quiet(clock=clock, spread=-1.0))
        assert (gate, math.isnan(told[C_SPREAD][0]), told[C_SPREAD][1]) == (OPEN, True, limit)


@pytest.mark.parametrize(("n", "known"), [(99, False), (100, True), (104, True)])
def test_under_twenty_five_minute_bars_no_spread_can_be_judged(n: int, known: bool) -> None:
    gate, told = asked(quiet(n, spread=50.0))
    assert (gate, math.isnan(told[C_SPREAD][0])) == ((SPREAD, False) if known else (OPEN, True))


def test_the_deviation_is_that_of_the_last_twenty_sealed_closes() -> None:
    for n in (100, 150, 384, 420):
        bars = walk(n, n)
        bars["spread"] = 0.1
        closes = [bars["close"][i] for i in range(4, n, 5)][-20:]
        assert asked(bars)[1][C_SPREAD][0] == pytest.approx(0.1 / np.std(closes), rel=1e-12)


def test_against_closes_that_never_moved_any_spread_is_too_wide_but_none() -> None:
    for spread, gate, value in ((0.01, SPREAD, LOUD), (0.0, OPEN, 0.0)):
        still = quiet(spread=spread)
        still["close"] = 100.0
        said, told = asked(still)
        assert (said, told[C_SPREAD]) == (gate, (value, 0.25))


def test_noise_is_never_more_than_loud() -> None:
    for spread, value in ((999.0, 999.0), (1001.0, LOUD)):
        assert asked(quiet(spread=spread))[1][C_SPREAD] == (value, 0.25)


def test_the_originals_limits_are_stricter_by_far() -> None:
    strict = tuned(rules(), spread_max=0.05, spread_noon=0.025)
    for clock, limit in ((600, 0.05), (750, 0.025)):
        for spread, gate in ((limit, OPEN), (limit + 0.001, SPREAD)):
            assert asked(quiet(clock=clock, spread=spread), params=strict)[0] == gate


# -- all of them


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_the_first_gate_in_order_refuses_and_all_are_looked_at(side: int) -> None:
    for late, gapped, thin, breaks, wide in itertools.product((False, True), repeat=5):
        volume, gap = 400.0 if thin else 1000.0, 0.03 if gapped else 0.01
        last = {
            "left": 15.0 if late else 16.0, "volume": volume, "close": 100.0 + side * (2.5 if breaks else 0.5),
            "spread": 0.3 if wide else 0.2,
        }  # fmt: skip
        order = ((late, HOURS), (gapped, GAP), (thin, VOLUME), (breaks, BREAKOUT), (wide, SPREAD))
        gate, told = asked(quiet(104, **last), side, gap=gap)
        assert gate == next((g for refuses, g in order if refuses), OPEN)
        assert told == {
            C_HOURS: (last["left"], 15.0), C_GAP: (gap, 0.02), C_VOLUME: (volume / 1000.0, 0.5),
            **({C_BREAKOUT: (volume / 1000.0, 1.5)} if breaks else {}), C_SPREAD: (last["spread"], 0.25),
        }  # fmt: skip


def test_a_strategy_may_ask_for_the_hours_and_the_gap_alone() -> None:
    noisy = {"volume": 0.0, "spread": 50.0, "close": 110.0}
    assert asked(quiet(**noisy), filtered=False) == (OPEN, {C_HOURS: (285.0, 15.0), C_GAP: (0.0, 0.02)})
    assert asked(quiet(left=15.0, **noisy), filtered=False)[0] == HOURS
    assert asked(quiet(**noisy), filtered=False, gap=0.03)[0] == GAP


def test_the_metronome_beats_through_noise_but_not_through_hours_and_gaps() -> None:
    tape = walk(1, 780)
    tape["volume"], tape["spread"] = 0.0, 50.0
    for name in ("open", "high", "low", "close"):
        tape[name][390:] *= 1.05  # an overnight gap
    rows, think = fresh("metronome"), thinker("metronome")
    told = [rows["decision"][["action", "mode", "gate"]][0].item() for _ in think.trade(rows, tape[:, None])]
    sought = [t for t in told if t[0] in (ENTER, REFUSED)]
    late = [(REFUSED, METRONOME, HOURS)] * 2
    assert sought == [(ENTER, METRONOME, OPEN)] * 20 + late + [(REFUSED, METRONOME, GAP)] * 24 + late
