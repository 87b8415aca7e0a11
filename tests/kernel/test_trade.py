"""What every strategy asks for by: an entry that makes sense, an exit, a trailing stop; and what it knows of its trade.

The trail is that of a trend of the dual-mode strategy; prices are a long position's, a short one's mirrored at 100.
"""

import math

import numpy as np
import pytest

from fluxhero.kernel.codes import (
    C_GAP,
    C_HOURS,
    C_SPIKE,
    ENTER,
    EXIT,
    FLAT,
    LONG,
    METRONOME,
    MODES,
    OPEN,
    REFUSED,
    REVERSION,
    STOP,
    TREND,
)
from fluxhero.kernel.compile import entry
from fluxhero.kernel.state import Array
from fluxhero.kernel.think import took
from fluxhero.kernel.trade import enter, leave
from tests.kernel.drive import bars_of, fresh, rules, thinker, walk
from tests.kernel.hand import HELD, SIDES, USD, at, bar, decided, holding, left, raised, symbol, traded

pytestmark = pytest.mark.nojit

both_sides = pytest.mark.parametrize("side", SIDES)
DECISION = ["action", "side", "mode", "gate", "stop", "risk", "scale", "wide"]


@entry
def _enter(rows: Array, bars: Array, params: Array, side: int, mode: int, distance: float) -> None:
    enter(rows[0], bars[0], params[0].rules, side, mode, distance, 0.01, 0.7, False)


@entry
def _leave(rows: Array) -> None:
    leave(rows[0])


def sought(side: int, distance: float, mode: int = METRONOME) -> Array:
    """The row after an entry was sought at 50."""
    rows = fresh()
    rows["decision"]["value"] = rows["decision"]["limit"] = 7.0  # of another bar
    _enter(rows, bars_of(np.array([50.0])), rules(), side, mode, distance)
    return rows


@both_sides
def test_an_entry_has_its_stop_on_the_losing_side_and_what_it_was_asked_with(side: int) -> None:
    rows = sought(side, 2.0)
    stop = (50 - side * 2) * USD
    assert rows["decision"][DECISION][0].item() == (ENTER, side, METRONOME, OPEN, stop, 0.01, 0.7, 1.0)
    limits = rows["decision"]["limit"][0].tolist()
    assert {c: x for c, x in enumerate(limits) if not math.isnan(x)} == {C_HOURS: 15.0, C_GAP: 0.02, C_SPIKE: 2.0}


@both_sides
@pytest.mark.parametrize("distance", [math.nan, math.inf, -math.inf, 0.0, -1.0])
def test_an_entry_without_a_sound_stop_is_refused(side: int, distance: float) -> None:
    rows = sought(side, distance)
    assert rows["decision"][DECISION][0].item() == (REFUSED, side, METRONOME, STOP, 50 * USD, 0.01, 0.7, 1.0)


@pytest.mark.parametrize(
    ("mode", "known"), [(-1, 0), (0, 0), (MODES - 1, MODES - 1), (MODES, MODES - 1), (99, MODES - 1)]
)
def test_a_mode_is_one_that_is_counted(mode: int, known: int) -> None:
    assert sought(LONG, 2.0, mode)["decision"]["mode"][0] == known


@both_sides
def test_an_exit_has_the_side_and_the_mode_of_what_is_held_and_risks_nothing(side: int) -> None:
    rows = sought(-side, 2.0)
    took(rows, 0, side, 50 * USD, REVERSION, 49 * USD, 1.5)
    rows["decision"]["stop"] = 0
    _leave(rows)
    assert rows["decision"][DECISION][0].item() == (EXIT, side, REVERSION, OPEN, 0, 0.0, 0.0, 1.0)
    assert np.isnan(rows["decision"]["limit"]).all()


@both_sides
@pytest.mark.parametrize("mode", [TREND, REVERSION])
def test_the_best_price_is_the_highest_high_since_entry_whatever_is_decided_on_the_way(side: int, mode: int) -> None:
    """Through bars that are too young to decide, that are flat, that hold and that want to leave."""
    bars = walk(1, 200)
    for name in ("open", "high", "low", "close"):
        bars[name][100:140] = bars["close"][99]
    bars["high"][130] += 5.0
    bars["low"][130] -= 5.0
    rows, think, actions = fresh(), thinker(shorts=1), set()
    took(rows, 0, side, 100 * USD, mode, 50 * USD if side == LONG else 150 * USD, 1.0)
    for t in range(len(bars)):
        think(rows, bars[t : t + 1])
        best = max(100.0, bars["high"][: t + 1].max()) if side == LONG else min(100.0, bars["low"][: t + 1].min())
        assert rows["trade"]["best"][0] == best, t
        actions.add(int(rows["decision"]["action"][0]))
    assert {EXIT, FLAT} <= actions


def test_what_is_not_held_has_no_best_price() -> None:
    rows, think = fresh(), thinker()
    for t in range(20):
        think(rows, walk(1, 20)[t : t + 1])
    assert rows["trade"][0].item() == (0, 0, 0, 0.0, 0.0)


# -- the trail


@both_sides
@pytest.mark.parametrize(
    ("stop", "best", "atr", "to"),
    [
        (98.0, 101.0, 1.0, 98.5),
        (98.0, 100.75, 1.0, 98.25),  # by a quarter of the range, the least
        (98.0, 100.74, 1.0, 0.0),
        (98.0, 100.5, 1.0, 0.0),
        (99.0, 101.0, 1.0, 0.0),
        (98.0, 105.0, 3.0, 0.0),
        (97.0, 105.0, 3.0, 0.0),
        (96.75, 105.0, 3.0, 97.5),
        (102.0, 105.0, 1.003, 102.49),  # 102.4925
    ],
)
def test_the_stop_follows_the_best_price_by_steps_and_never_loosens(
    side: int, stop: float, best: float, atr: float, to: float
) -> None:
    rows = holding(TREND, stop=stop, atr=atr, side=side)
    assert decided(rows, bar(104.0, best, side)) == raised(to, side)
    assert traded(rows) == (10 * side, TREND, round(at(to or stop, side) * USD), at(best, side), 1.0)


@both_sides
def test_a_stop_that_is_where_it_should_be_is_not_moved_again(side: int) -> None:
    """Without a range every step is long enough, but none."""
    rows = holding(TREND, stop=98.0, best=98.0, side=side, atr=0.0)
    assert decided(rows, bar(100.0, 98.0, side)) == HELD


@both_sides
def test_while_the_range_is_unknown_no_stop_moves(side: int) -> None:
    rows = holding(TREND, side=side, atr=math.nan)
    assert decided(rows, bar(104.0, 120.0, side)) == HELD


@both_sides
def test_a_best_price_of_before_is_kept(side: int) -> None:
    rows = holding(TREND, stop=95.0, best=110.0, side=side)
    assert decided(rows, bar(108.0, 109.0, side)) == raised(107.5, side)
    assert traded(rows)[3] == at(110.0, side)


@both_sides
def test_in_a_drawdown_the_trail_is_tighter(side: int) -> None:
    assert decided(holding(TREND, side=side), bar(104.0, 105.0, side), 2.0) == raised(103.0, side)


@both_sides
def test_a_looser_factor_loosens_no_stop(side: int) -> None:
    rows, high = holding(TREND, side=side), bar(104.0, 105.0, side)
    assert [decided(rows, high, factor) for factor in (2.0, 2.5)] == [raised(103.0, side), HELD]
    assert traded(rows)[2] == round(at(103.0, side) * USD)


@both_sides
def test_what_was_entered_in_a_spike_trails_as_far_off_for_its_whole_life(side: int) -> None:
    rows = holding(TREND, stop=96.0, wide=1.5, side=side)
    assert decided(rows, bar(104.0, 101.0, side)) == raised(97.25, side)  # 101 - 1.5 x 2.5
    assert decided(rows, bar(104.0, 105.0, side), 2.0) == raised(102.0, side)
    assert traded(rows)[4] == 1.5


@both_sides
def test_a_bar_that_leaves_moves_no_stop(side: int) -> None:
    rows = holding(TREND, side=side)
    before = traded(rows)
    assert decided(rows, bar(99.0, 120.0, side)) == left(TREND, side)
    assert traded(rows) == before


# -- the trade


@both_sides
def test_the_first_fill_opens_the_trade_in_its_orders_mode_and_the_last_clears_it(side: int) -> None:
    rows, seen = symbol(TREND, side=side), []
    for qty, price in ((30, 100_600_000), (10, 100_700_000), (-15, 99 * USD), (-25, 98 * USD)):
        first = qty == 30
        took(rows, 0, qty * side, price, TREND if first else REVERSION, 98_010_000, 1.5 if first else 1.0)
        seen.append(traded(rows))
    kept = (TREND, 98_010_000, 100.6, 1.5)
    assert seen == [(30 * side, *kept), (40 * side, *kept), (25 * side, *kept), (0, 0, 0, 0.0, 0.0)]
