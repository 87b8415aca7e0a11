"""The dual-mode strategy, one rule at a time: rows and readings made by hand."""

import numpy as np
import pytest

from fluxhero.kernel.codes import ENTER, EXIT, GAP, HOLD, HOURS, NEUTRAL, OPEN, REFUSED, REVERSION, TREND
from fluxhero.kernel.compile import entry
from fluxhero.kernel.dual_mode import decide, remember
from fluxhero.kernel.state import Array
from fluxhero.kernel.think import took
from tests.kernel.drive import bars_of, fields, fresh, rules, thinker, walk

USD = 1_000_000
PARAMS = rules()
HELD: dict[str, float] = {
    "action": HOLD, "mode": NEUTRAL, "gate": OPEN, "stop": 0, "raised": 0, "value": 0.0, "limit": 0.0, "risk": 0.0,
    "scale": 0.0,
}  # fmt: skip
LEFT_TREND, LEFT_REVERSION = HELD | {"action": EXIT, "mode": TREND}, HELD | {"action": EXIT, "mode": REVERSION}


@entry
def _decide(rows: Array, bars: Array, params: Array, stop_atr: float) -> None:
    decide(rows[0], bars[0], params[0], stop_atr)
    remember(rows[0], bars[0], params[0])


def bar(close: float, high: float | None = None) -> Array:
    bars = bars_of(np.array([close]))
    bars["high"] = close if high is None else high
    return bars


def symbol(now: int, reading: dict[str, float] | None = None, changed: int = 0, above: int = 0) -> Array:
    """A row in this regime: KAMA and SMA20 at 100, ATR and deviation 1, nothing extreme."""
    rows = fresh()
    read = {"kama": 100.0, "atr": 1.0, "mid": 100.0, "sd": 1.0, "rsi": 50.0, "slope": 0.1} | (reading or {})
    for name, value in read.items():
        rows["reading"][name] = value
    rows["regime"]["now"], rows["regime"]["changed"], rows["own"]["above"] = now, changed, above
    return rows


def holding(mode: int, stop: float = 98.0, peak: float = 100.0, **reading: float) -> Array:
    rows = symbol(NEUTRAL, reading)
    rows["trade"]["qty"], rows["trade"]["mode"], rows["trade"]["stop"] = 10, mode, round(stop * USD)
    rows["trade"]["peak"] = peak
    return rows


def decided(rows: Array, bars: Array, stop_atr: float = 2.5) -> dict[str, float]:
    """The decision, whole, from a clear one."""
    rows["decision"] = 0
    _decide(rows, bars, PARAMS, stop_atr)
    return fields(rows["decision"][0])


def entered(mode: int, stop: float, risk: float, scale: float = 1.0) -> dict[str, float]:
    return HELD | {"action": ENTER, "mode": mode, "stop": round(stop * USD), "risk": risk, "scale": scale}


# -- trend


TREND_ENTRY = entered(TREND, 98.01, 0.01)
HALF_HEARTED = entered(TREND, 98.01, 0.0075, 0.7)


def test_a_strong_trend_is_entered_on_the_close_over_its_band() -> None:
    rows = symbol(TREND)
    assert decided(rows, bar(100.51)) == TREND_ENTRY


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
def test_a_trend_entry_needs_a_rising_line_and_a_close_over_the_band(reading: dict[str, float], close: float) -> None:
    rows = symbol(TREND, reading)
    assert decided(rows, bar(close)) == HELD


@pytest.mark.parametrize(
    ("above", "changed", "decision"), [(0, 0, TREND_ENTRY), (1, 0, HELD), (1, 1, TREND_ENTRY), (0, 1, TREND_ENTRY)]
)
def test_the_close_before_was_not_over_its_band_or_the_trend_began_on_this_bar(
    above: int, changed: int, decision: dict[str, float]
) -> None:
    assert decided(symbol(TREND, changed=changed, above=above), bar(100.51)) == decision


def test_another_regime_that_began_on_this_bar_is_no_trend_that_began() -> None:
    assert decided(symbol(NEUTRAL, changed=1, above=1), bar(100.51)) == HELD
    assert decided(symbol(NEUTRAL, changed=1, above=0), bar(100.51)) == HALF_HEARTED


def test_each_close_is_remembered_against_its_own_band() -> None:
    rows = symbol(NEUTRAL, {"rsi": 90.0})
    closes = [100.0, 100.51, 100.6, 100.5, 100.7, 100.2]
    seen = []
    for close in closes:
        decided(rows, bar(close))
        seen.append(int(rows["own"]["above"][0]))
    assert seen == [0, 1, 1, 0, 1, 0]


def test_a_close_over_the_band_is_entered_once_while_it_stays_over() -> None:
    rows = symbol(TREND)
    seen = [int(decided(rows, bar(close))["action"]) for close in (100.51, 100.6, 100.7, 100.5, 100.51, 100.52)]
    assert seen == [ENTER, HOLD, HOLD, HOLD, ENTER, HOLD]


def test_a_strong_trend_may_be_overbought() -> None:
    assert decided(symbol(TREND, {"rsi": 95.0, "mid": 90.0}), bar(100.51)) == TREND_ENTRY


def test_a_strong_trend_buys_no_dip() -> None:
    assert decided(symbol(TREND, {"rsi": 10.0}), bar(97.0)) == HELD


def test_the_initial_stop_is_two_and_a_half_ranges_below_the_close_down_to_the_cent() -> None:
    assert decided(symbol(TREND, {"atr": 1.003}), bar(100.6)) == entered(TREND, 98.09, 0.01)  # 98.0925
    assert decided(symbol(TREND), bar(100.51), 2.0) == entered(TREND, 98.51, 0.01)
    assert decided(symbol(TREND, {"atr": 100.0}), bar(150.51)) == entered(TREND, 0.0, 0.01)


@pytest.mark.parametrize(
    ("close", "decision"), [(99.71, HELD), (99.7, HELD), (99.69, LEFT_TREND), (80.0, LEFT_TREND), (97.0, LEFT_TREND)]
)
def test_a_trend_is_left_when_the_close_is_under_the_lower_band(close: float, decision: dict[str, float]) -> None:
    assert decided(holding(TREND), bar(close)) == decision


def test_leaving_is_a_state_and_is_said_until_the_position_is_flat() -> None:
    rows = holding(TREND)
    assert [decided(rows, bar(99.0)) for _ in range(3)] == [LEFT_TREND] * 3
    took(rows, 0, -10, 99 * USD, 0, 0)
    assert decided(rows, bar(99.0)) == HELD


def test_a_trend_position_knows_no_exit_of_mean_reversion() -> None:
    assert decided(holding(TREND, rsi=95.0), bar(100.0)) == HELD


def test_a_close_is_remembered_from_before_the_first_decision_and_over_a_flat_window() -> None:
    bars, rows, think = walk(3, 200), fresh(), thinker()
    for name in ("open", "high", "low", "close"):
        bars[name][97:140] = bars["close"][96] + 1.0  # over the band, until the band has come up
    remembered, expected = [], []
    for _ in think.trade(rows, bars[:, None]):
        v = rows["reading"][0]
        remembered.append(bool(rows["own"]["above"][0]))
        expected.append(bool(v["close"] > v["kama"] + 0.5 * v["atr"]))
    assert remembered == expected
    assert (any(expected[14:63]), expected[97], expected[139]) == (True, True, False)


def test_the_first_bar_that_may_decide_enters_no_trend_that_the_bar_before_was_over_already() -> None:
    over = 0
    for seed in range(100):
        bars, rows, think = walk(seed, 64, 100.0, 1e-3), fresh(), thinker()
        list(think.trade(rows, bars[:63, None]))
        was_over = bool(rows["own"]["above"][0])
        think(rows, bars[63:])
        entered_trend = rows["decision"][["action", "mode"]][0].item() == (ENTER, TREND)
        over += was_over
        assert not (was_over and entered_trend and not rows["regime"]["changed"][0])
    assert over > 10


# -- mean reversion


DIP = entered(REVERSION, 95.06, 0.0075)  # 3 % under 98


def test_a_quiet_market_is_bought_at_its_lower_band() -> None:
    rows = symbol(REVERSION, {"rsi": 29.9, "slope": -0.1})
    assert decided(rows, bar(98.0)) == DIP


@pytest.mark.parametrize(("rsi", "close"), [(30.0, 98.0), (29.9, 98.01), (70.0, 98.0), (29.9, 100.0)])
def test_a_dip_is_oversold_and_at_or_under_the_band(rsi: float, close: float) -> None:
    assert decided(symbol(REVERSION, {"rsi": rsi}), bar(close)) == HELD


def test_a_quiet_market_is_not_followed_upwards() -> None:
    assert decided(symbol(REVERSION), bar(101.0)) == HELD


@pytest.mark.parametrize(
    ("close", "rsi", "decision"),
    [
        (99.99, 50.0, HELD),
        (100.0, 50.0, LEFT_REVERSION),
        (101.0, 20.0, LEFT_REVERSION),
        (97.0, 70.0, HELD),
        (97.0, 70.1, LEFT_REVERSION),
    ],
)
def test_mean_reversion_is_left_at_the_mean_or_overbought(close: float, rsi: float, decision: dict[str, float]) -> None:
    assert decided(holding(REVERSION, rsi=rsi), bar(close)) == decision


def test_mean_reversion_never_trails() -> None:
    rows = holding(REVERSION, stop=90.0)
    assert decided(rows, bar(99.0, high=120.0)) == HELD
    assert (rows["trade"]["stop"][0], rows["trade"]["peak"][0]) == (90 * USD, 100.0)


# -- in between


def test_neutral_follows_with_less_risk_and_less_size() -> None:
    assert decided(symbol(NEUTRAL), bar(100.51)) == HALF_HEARTED


@pytest.mark.parametrize(
    ("reading", "decision"),
    [
        ({"rsi": 69.9}, HALF_HEARTED),
        ({"rsi": 70.0}, HELD),
        ({"mid": 98.52}, HALF_HEARTED),
        ({"mid": 98.5}, HELD),
        ({"mid": 98.4}, HELD),
    ],
)
def test_neutral_follows_nothing_that_is_stretched(reading: dict[str, float], decision: dict[str, float]) -> None:
    """The close 100.51 is to be under the upper band, two deviations over the mean."""
    assert decided(symbol(NEUTRAL, reading), bar(100.51)) == decision


def test_neutral_buys_a_dip_in_no_falling_line() -> None:
    half_hearted = entered(REVERSION, 95.06, 0.0075, 0.7)
    assert decided(symbol(NEUTRAL, {"rsi": 29.9, "slope": 0.0}), bar(98.0)) == half_hearted
    assert decided(symbol(NEUTRAL, {"rsi": 29.9, "slope": -1e-9}), bar(98.0)) == HELD


# -- whatever the regime


@pytest.mark.parametrize("mode", [TREND, REVERSION])
@pytest.mark.parametrize("regime", [NEUTRAL, TREND, REVERSION])
def test_a_position_keeps_the_rules_of_the_mode_that_opened_it(mode: int, regime: int) -> None:
    for close, left in ((99.8, False), (99.0, mode == TREND), (100.2, mode == REVERSION)):
        rows = holding(mode, stop=90.0)
        rows["regime"]["now"], rows["regime"]["changed"] = regime, 1
        assert (decided(rows, bar(close))["action"] == EXIT) == left


def test_nothing_is_entered_while_something_is_held() -> None:
    assert decided(holding(TREND, stop=98.5), bar(100.51)) == HELD
    assert decided(holding(REVERSION, rsi=20.0), bar(97.0)) == HELD


def test_a_gate_refuses_with_its_value() -> None:
    late, gapped = bar(100.51), symbol(TREND)
    late["left"], gapped["session"]["gap"] = 10, 0.03
    for rows, bars, why in (
        (symbol(TREND), late, {"gate": HOURS, "value": 10.0, "limit": 15.0}),
        (gapped, bar(100.51), {"gate": GAP, "value": 0.03, "limit": 0.02}),
    ):
        assert decided(rows, bars) == TREND_ENTRY | {"action": REFUSED} | why


def test_a_gate_keeps_nobody_in() -> None:
    late = bar(99.0)
    late["left"] = 0
    assert decided(holding(TREND), late) == LEFT_TREND


# -- the trail


@pytest.mark.parametrize(
    ("stop", "high", "atr", "raised"),
    [
        (95.0, 105.0, 1.0, 102.5),
        (102.25, 105.0, 1.0, 102.5),  # a quarter of the range: just enough
        (102.26, 105.0, 1.0, 0.0),
        (102.5, 105.0, 1.0, 0.0),
        (103.0, 105.0, 1.0, 0.0),
        (95.0, 105.0, 3.0, 97.5),
        (98.0, 105.0, 3.0, 0.0),
        (102.0, 105.0, 1.003, 102.49),  # 102.4925
    ],
)
def test_the_stop_follows_the_highest_high_and_never_loosens(
    stop: float, high: float, atr: float, raised: float
) -> None:
    rows = holding(TREND, stop=stop, atr=atr)
    assert decided(rows, bar(104.0, high)) == HELD | {"raised": round(raised * USD)}
    assert rows["trade"][0].item() == (10, TREND, round((raised or stop) * USD), high)


def test_a_high_of_before_is_kept() -> None:
    rows = holding(TREND, stop=95.0, peak=110.0)
    assert decided(rows, bar(108.0, 109.0)) == HELD | {"raised": 107_500_000}
    assert rows["trade"]["peak"][0] == 110.0


def test_in_a_drawdown_the_trail_is_tighter() -> None:
    assert decided(holding(TREND), bar(104.0, 105.0), 2.0) == HELD | {"raised": 103 * USD}


def test_a_looser_factor_loosens_no_stop() -> None:
    rows = holding(TREND)
    assert decided(rows, bar(104.0, 105.0), 2.0)["raised"] == 103 * USD
    assert decided(rows, bar(104.0, 105.0), 2.5) == HELD
    assert rows["trade"]["stop"][0] == 103 * USD


def test_a_bar_that_leaves_moves_no_stop() -> None:
    rows = holding(TREND)
    assert decided(rows, bar(99.0, 120.0)) == LEFT_TREND
    assert rows["trade"][0].item() == (10, TREND, 98 * USD, 100.0)


# -- the trade


def test_the_first_fill_opens_the_trade_in_its_orders_mode_and_the_last_clears_it() -> None:
    rows = symbol(TREND)
    decided(rows, bar(100.51))
    seen = []
    for qty, price in ((30, 100_600_000), (10, 100_700_000), (-15, 99 * USD), (-25, 98 * USD)):
        took(rows, 0, qty, price, TREND if qty == 30 else REVERSION, 98_010_000)
        seen.append(rows["trade"][0].item())
    stop = 98_010_000
    assert seen == [(30, TREND, stop, 100.6), (40, TREND, stop, 100.6), (25, TREND, stop, 100.6), (0, 0, 0, 0.0)]


# -- and all of it together


def test_a_rise_is_followed_when_its_trend_is_confirmed_and_left_when_it_ends() -> None:
    calm = 100.0 + 0.02 * (np.arange(100) % 4)
    up, down = 100.0 * 1.001 ** np.arange(260), 130.0 * 0.998 ** np.arange(40)
    tape, rows, think = bars_of(np.r_[calm, up, down])[:, None], fresh(), thinker()
    taken: list[tuple[float, ...]] = []
    stops: list[float] = []
    began: list[int] = []
    for t, _ in enumerate(think.trade(rows, tape)):
        d = fields(rows["decision"][0])
        taken += [(t, d["action"], d["mode"])] if d["action"] in (ENTER, EXIT) else []
        stops += [d["raised"]] if d["raised"] else []
        began += [t] if rows["regime"][["now", "changed"]][0].item() == (TREND, 1) else []
    (begin, *entry_), (end, *exit_) = taken
    assert (entry_, exit_) == ([ENTER, TREND], [EXIT, TREND])
    assert began[0] == begin
    assert 360 <= end < 370
    assert len(stops) > 100
    assert stops == sorted(stops)
