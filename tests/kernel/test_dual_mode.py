"""The dual-mode strategy, one rule at a time and for both sides: rows and readings made by hand.

Prices are a long position's; a short one's are mirrored at 100.
"""

import numpy as np
import pytest

from fluxhero.kernel.codes import ENTER, EXIT, GAP, HOLD, HOURS, NEUTRAL, REFUSED, REVERSION, SHORT, TREND
from fluxhero.kernel.think import took
from tests.kernel.drive import SEEDS, bars_of, fields, fresh, lively, rules, thinker, tuned, walk
from tests.kernel.hand import HELD, SIDES, USD, bar, decided, entered, holding, left, symbol, traded

pytestmark = pytest.mark.nojit

both_sides = pytest.mark.parametrize("side", SIDES)
Case = dict[str, float]


def trend(side: int) -> Case:
    return entered(TREND, 98.01, 0.01, side=side)


def half_hearted(side: int) -> Case:
    return entered(TREND, 98.01, 0.0075, 0.7, side)


# -- trend


@both_sides
def test_a_strong_trend_is_entered_on_the_close_past_its_band(side: int) -> None:
    for slope in (0.1, 1e-9):
        assert decided(symbol(TREND, {"slope": slope}, side), bar(100.51, side=side)) == trend(side)


@both_sides
@pytest.mark.parametrize(
    ("reading", "close"),
    [
        ({"slope": 0.0}, 100.51),
        ({"slope": -0.1}, 100.51),
        ({}, 100.5),
        ({"kama": 100.02}, 100.51),
        ({"atr": 1.1}, 100.51),
    ],
)
def test_a_trend_entry_needs_the_line_with_it_and_a_close_past_the_band(side: int, reading: Case, close: float) -> None:
    assert decided(symbol(TREND, reading, side), bar(close, side=side)) == HELD


@both_sides
@pytest.mark.parametrize(("beyond", "changed", "enters"), [(0, 0, True), (1, 0, False), (1, 1, True), (0, 1, True)])
def test_the_close_before_was_not_past_its_band_or_the_trend_began_on_this_bar(
    side: int, beyond: int, changed: int, enters: bool
) -> None:
    rows = symbol(TREND, side=side, changed=changed, beyond=beyond)
    assert decided(rows, bar(100.51, side=side)) == (trend(side) if enters else HELD)


@both_sides
def test_a_close_past_the_other_band_is_not_one_past_this_one(side: int) -> None:
    assert decided(symbol(TREND, side=side, beyond=-1), bar(100.51, side=side)) == trend(side)


@both_sides
def test_another_regime_that_began_on_this_bar_is_no_trend_that_began(side: int) -> None:
    for beyond, decision in ((1, HELD), (0, half_hearted(side))):
        assert decided(symbol(NEUTRAL, side=side, changed=1, beyond=beyond), bar(100.51, side=side)) == decision


def test_each_close_is_remembered_against_its_own_bands() -> None:
    rows, seen = symbol(NEUTRAL, {"rsi": 90.0}), []
    for close in (100.0, 100.51, 100.6, 100.5, 100.7, 100.2, 99.5, 99.49, 99.0, 100.51, 99.4):
        decided(rows, bar(close), params=rules())
        seen.append(int(rows["own"]["beyond"][0]))
    assert seen == [0, 1, 1, 0, 1, 0, 0, -1, -1, 1, -1]


@both_sides
def test_a_close_past_the_band_is_entered_once_while_it_stays_there(side: int) -> None:
    rows, closes = symbol(TREND, side=side), (100.51, 100.6, 100.7, 100.5, 100.51, 100.52)
    seen = [int(decided(rows, bar(close, side=side))["action"]) for close in closes]
    assert seen == [ENTER, HOLD, HOLD, HOLD, ENTER, HOLD]


@both_sides
def test_a_strong_trend_may_be_overbought(side: int) -> None:
    assert decided(symbol(TREND, {"rsi": 95.0, "mid": 90.0}, side), bar(100.51, side=side)) == trend(side)


@both_sides
def test_a_strong_trend_buys_no_dip(side: int) -> None:
    rows = symbol(TREND, {"rsi": 10.0}, side)
    assert decided(rows, bar(97.0, side=side)) == HELD


@both_sides
def test_the_initial_stop_is_two_and_a_half_ranges_from_the_close_away_from_it_to_the_cent(side: int) -> None:
    for atr, close, factor, stop in ((1.003, 100.6, 2.5, 98.09), (1.0, 100.51, 2.0, 98.51)):  # 98.0925
        rows = symbol(TREND, {"atr": atr}, side)
        assert decided(rows, bar(close, side=side), factor) == entered(TREND, stop, 0.01, side=side)


def test_a_long_stop_is_never_under_nothing() -> None:
    assert decided(symbol(TREND, {"atr": 100.0}), bar(150.51)) == entered(TREND, 0.0, 0.01)


@both_sides
@pytest.mark.parametrize(
    ("close", "leaves"), [(99.71, False), (99.7, False), (99.69, True), (97.0, True), (80.0, True)]
)
def test_a_trend_is_left_when_the_close_is_past_the_other_band(side: int, close: float, leaves: bool) -> None:
    assert decided(holding(TREND, side=side), bar(close, side=side)) == (left(TREND, side) if leaves else HELD)


@both_sides
def test_the_other_band_itself_is_not_past_it(side: int) -> None:
    for close, decision in ((97.0, HELD), (96.99, left(TREND, side))):
        rows = holding(TREND, stop=80.0, atr=10.0, side=side)
        assert decided(rows, bar(close, side=side)) == decision


@both_sides
def test_leaving_is_a_state_and_is_said_until_the_position_is_flat(side: int) -> None:
    rows, low = holding(TREND, side=side), bar(99.0, side=side)
    assert [decided(rows, low) for _ in range(3)] == [left(TREND, side)] * 3
    took(rows, 0, -10 * side, 99 * USD, 0, 0, 1.0)
    assert decided(rows, low, params=rules()) == HELD


@both_sides
def test_a_trend_position_knows_no_exit_of_mean_reversion(side: int) -> None:
    assert decided(holding(TREND, rsi=95.0, side=side), bar(100.0, side=side)) == HELD


def test_a_close_is_remembered_from_before_the_first_decision_and_over_a_flat_window() -> None:
    bars, rows, think = walk(3, 200), fresh(), thinker()
    for name in ("open", "high", "low", "close"):
        bars[name][97:140] = bars["close"][96] + 1.0  # past the band, until the band has come up
    remembered, expected = [], []
    for _ in think.trade(rows, bars[:, None]):
        v = rows["reading"][0]
        remembered.append(int(rows["own"]["beyond"][0]))
        off, reach = v["close"] - v["kama"], 0.5 * v["atr"]
        expected.append(int(off > reach) - int(off < -reach))
    assert remembered == expected
    assert (set(expected[14:63]), expected[97], expected[139]) == ({-1, 0, 1}, 1, 0)


def test_the_first_bar_that_may_decide_enters_no_trend_that_the_bar_before_was_past_already() -> None:
    past = 0
    for seed in range(30 * len(SEEDS)):
        bars, rows, think = walk(seed, 64, 100.0, 1e-3), fresh(), thinker(shorts=1)
        list(think.trade(rows, bars[:63, None]))
        before = int(rows["own"]["beyond"][0])
        think(rows, bars[63:])
        d = fields(rows["decision"][0])
        anew = bool(rows["regime"]["changed"][0])
        past += before != 0
        assert not (d["action"] in (ENTER, REFUSED) and (d["mode"], d["side"]) == (TREND, before) and not anew)
    assert past > 5


# -- mean reversion


@both_sides
def test_a_quiet_market_is_bought_at_its_lower_band(side: int) -> None:
    rows, low = symbol(REVERSION, {"rsi": 29.9, "slope": -0.1}, side), bar(98.0, side=side)
    stop = 95.06 if side > 0 else 94.94  # 3 % of 98 under it, of 102 over that
    assert decided(rows, low) == entered(REVERSION, stop, 0.0075, side=side)


@both_sides
@pytest.mark.parametrize(("rsi", "close"), [(30.0, 98.0), (29.9, 98.01), (50.0, 98.0), (29.9, 100.0)])
def test_a_dip_is_oversold_and_at_or_past_the_band(side: int, rsi: float, close: float) -> None:
    assert decided(symbol(REVERSION, {"rsi": rsi}, side), bar(close, side=side)) == HELD


@both_sides
def test_a_quiet_market_is_not_followed(side: int) -> None:
    assert decided(symbol(REVERSION, side=side), bar(101.0, side=side)) == HELD


@both_sides
@pytest.mark.parametrize(
    ("close", "rsi", "leaves"),
    [(99.99, 50.0, False), (100.0, 50.0, True), (101.0, 20.0, True), (97.0, 70.0, False), (97.0, 70.1, True)],
)
def test_mean_reversion_is_left_at_the_mean_or_overbought(side: int, close: float, rsi: float, leaves: bool) -> None:
    rows = holding(REVERSION, rsi=rsi, side=side)
    assert decided(rows, bar(close, side=side)) == (left(REVERSION, side) if leaves else HELD)


@both_sides
def test_mean_reversion_never_trails(side: int) -> None:
    rows = holding(REVERSION, stop=90.0, side=side)
    before = traded(rows)
    assert decided(rows, bar(99.0, 120.0, side)) == HELD
    assert traded(rows) == before


# -- in between


@both_sides
def test_neutral_follows_with_less_risk_and_less_size(side: int) -> None:
    assert decided(symbol(NEUTRAL, side=side), bar(100.51, side=side)) == half_hearted(side)


@both_sides
@pytest.mark.parametrize(
    ("reading", "enters"),
    [
        ({"rsi": 69.9}, True),
        ({"rsi": 70.0}, False),
        ({"mid": 98.52}, True),
        ({"mid": 98.5}, False),
        ({"mid": 98.4}, False),
    ],
)
def test_neutral_follows_nothing_that_is_stretched(side: int, reading: Case, enters: bool) -> None:
    """The close 100.51 is to be within the bands, two deviations from the mean."""
    rows = symbol(NEUTRAL, reading, side)
    assert decided(rows, bar(100.51, side=side)) == (half_hearted(side) if enters else HELD)


@both_sides
def test_neutral_buys_a_dip_unless_the_line_is_against_it(side: int) -> None:
    stop = 95.06 if side > 0 else 94.94
    dip = entered(REVERSION, stop, 0.0075, 0.7, side)
    for slope, decision in ((0.0, dip), (0.1, dip), (-1e-9, HELD)):
        assert decided(symbol(NEUTRAL, {"rsi": 29.9, "slope": slope}, side), bar(98.0, side=side)) == decision


@both_sides
@pytest.mark.parametrize(
    ("reading", "close", "enters"),
    [
        ({}, 100.51, False),
        ({"rsi": 29.9, "slope": 0.0}, 98.0, False),
        ({"rsi": 29.9, "mid": 103.0}, 100.51, True),
        ({"rsi": 30.0, "mid": 103.0}, 100.51, False),
        ({"rsi": 29.9, "mid": 103.0, "slope": 0.0}, 100.51, False),
    ],
)
def test_the_original_wants_both_modes_entries_on_one_bar(side: int, reading: Case, close: float, enters: bool) -> None:
    rows, original = symbol(NEUTRAL, reading, side), tuned(rules(), shorts=1, neutral=1)
    assert decided(rows, bar(close, side=side), params=original) == (half_hearted(side) if enters else HELD)


@pytest.mark.parametrize("mode", [TREND, REVERSION])
def test_the_original_differs_in_the_neutral_regime_alone(mode: int) -> None:
    for rows, close in ((symbol(mode), 100.51), (symbol(mode, {"rsi": 29.9}), 98.0)):
        other = rows.copy()
        assert decided(rows, bar(close), params=tuned(rules(), neutral=1)) == decided(other, bar(close), params=rules())


# -- whatever the regime


@both_sides
@pytest.mark.parametrize("mode", [TREND, REVERSION])
@pytest.mark.parametrize("regime", [NEUTRAL, TREND, REVERSION])
def test_a_position_keeps_the_rules_of_the_mode_that_opened_it(side: int, mode: int, regime: int) -> None:
    for close, leaves in ((99.8, False), (99.0, mode == TREND), (100.2, mode == REVERSION)):
        rows = holding(mode, stop=90.0, side=side)
        rows["regime"]["now"], rows["regime"]["changed"] = regime, 1
        assert (decided(rows, bar(close, side=side))["action"] == EXIT) == leaves


@both_sides
def test_nothing_is_entered_while_something_is_held(side: int) -> None:
    assert decided(holding(TREND, stop=98.5, side=side), bar(100.51, side=side)) == HELD
    assert decided(holding(REVERSION, rsi=20.0, side=side), bar(97.0, side=side)) == HELD


@both_sides
def test_a_gate_refuses_what_would_have_been_entered(side: int) -> None:
    late, gapped = bar(100.51, side=side), symbol(TREND, side=side)
    late["left"], gapped["session"]["gap"] = 15, 0.03
    for rows, bars, gate in ((symbol(TREND, side=side), late, HOURS), (gapped, bar(100.51, side=side), GAP)):
        assert decided(rows, bars) == trend(side) | {"action": REFUSED, "gate": gate}


@both_sides
def test_a_gate_keeps_nobody_in(side: int) -> None:
    late, rows = bar(99.0, side=side), holding(TREND, side=side)
    late["left"], rows["session"]["gap"] = 0, 0.5
    assert decided(rows, late) == left(TREND, side)


# -- and all of it together


@both_sides
def test_a_move_is_followed_when_its_trend_is_confirmed_and_left_when_it_ends(side: int) -> None:
    calm = 100.0 + 0.02 * (np.arange(100) % 4)
    away, back = 100.0 * 1.001 ** (side * np.arange(260)), 100.0 * 1.3**side * 0.998 ** (side * np.arange(40))
    tape = lively(bars_of(np.r_[calm, away, back]))[:, None]
    rows, think = fresh(), thinker(shorts=int(side == SHORT), oversold=1e-9)
    taken: list[tuple[float, ...]] = []
    stops: list[float] = []
    began: list[int] = []
    for t, _ in enumerate(think.trade(rows, tape)):
        d = fields(rows["decision"][0])
        taken += [(t, d["action"], d["mode"], d["side"])] if d["action"] in (ENTER, EXIT) else []
        stops += [d["raised"]] if d["raised"] and len(taken) == 1 else []
        began += [t] if rows["regime"][["now", "changed"]][0].item() == (TREND, 1) else []
    (begin, *entry_), (end, *exit_) = taken[:2]  # the way back may be a trend of its own
    assert (entry_, exit_) == ([ENTER, TREND, side], [EXIT, TREND, side])
    assert began[0] == begin
    assert 360 <= end < 370
    assert len(stops) > 100
    assert stops == sorted(stops, reverse=side == SHORT)
