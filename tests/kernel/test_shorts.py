"""Short positions: only where they are allowed, and what one side would not enter never hides the other side's entry.

Rule by rule both sides stand in test_dual_mode; a whole market turned over in test_mirror.
"""

import itertools
from functools import cache
from typing import Any

import pytest

from fluxhero.kernel.codes import ENTER, EXIT, HOLD, LONG, NEUTRAL, REFUSED, REVERSION, SHORT, TREND
from fluxhero.kernel.compile import entry
from fluxhero.kernel.trade import stop_at
from tests.kernel.drive import SEEDS, fresh, rules, thinker, walk
from tests.kernel.hand import HELD, bar, decided, entered, symbol, traded

pytestmark = pytest.mark.nojit

Case = dict[str, float]
REGIMES = (NEUTRAL, TREND, REVERSION)
FALLING = {"slope": -0.1, "rsi": 20.0, "mid": 101.0, "sd": 0.5}  # under both bands
RISING = {"slope": 0.1, "rsi": 80.0, "mid": 99.0, "sd": 0.5}


@entry
def _stop_at(price: float, side: int) -> int:
    return stop_at(price, side)


@pytest.mark.parametrize(("now", "reading", "close"), [(TREND, FALLING, 99.0), (REVERSION, RISING, 101.0)])
def test_nothing_is_sold_short_unless_shorts_are_allowed(now: int, reading: Case, close: float) -> None:
    assert decided(symbol(now, reading), bar(close), params=rules()) == HELD
    assert decided(symbol(now, reading), bar(close))["side"] == SHORT


def test_a_fall_is_followed_though_its_dip_would_be_bought_in_a_quiet_market() -> None:
    assert decided(symbol(TREND, FALLING), bar(99.0)) == entered(TREND, 98.5, 0.01, side=SHORT)  # its stop: 101.5
    assert decided(symbol(REVERSION, FALLING), bar(99.0)) == entered(REVERSION, 96.03, 0.0075)


def test_a_rise_is_sold_in_a_quiet_market_though_it_would_be_followed_in_a_trend() -> None:
    stop = 200.0 - 104.03
    assert decided(symbol(REVERSION, RISING), bar(101.0)) == entered(REVERSION, stop, 0.0075, side=SHORT)
    assert decided(symbol(TREND, RISING), bar(101.0)) == entered(TREND, 98.5, 0.01)


def test_in_between_neither_is_done() -> None:
    """Following is stretched, and the dip's line points the other way."""
    for reading, close in ((FALLING, 99.0), (RISING, 101.0)):
        assert decided(symbol(NEUTRAL, reading), bar(close)) == HELD


def wanted(now: int, v: Case, close: float, before: int, anew: bool, side: int) -> tuple[int, int] | None:
    """(mode, side) of requirements 6, said anew for one side: the oracle."""
    rsi = v["rsi"] if side == LONG else 100.0 - v["rsi"]
    off, slope, away = side * (close - v["kama"]), side * v["slope"], side * (close - v["mid"])
    cross = off > 0.5 * v["atr"] and slope > 0.0 and (before != side or (anew and now == TREND))
    dip = rsi < 30.0 and away <= -2.0 * v["sd"]
    follows, buys = {
        TREND: (cross, False),
        REVERSION: (False, dip),
        NEUTRAL: (cross and rsi < 70.0 and away < 2.0 * v["sd"], dip and slope >= 0.0),
    }[now]
    return (TREND, side) if follows else (REVERSION, side) if buys else None


def test_every_mixture_of_readings_is_entered_on_the_one_side_that_the_rules_say() -> None:
    seen = set()
    grid = (REGIMES, (20.0, 30.0, 50.0, 70.0, 80.0), (-0.1, 0.0, 0.1), (98.0, 99.0, 99.5, 100.5, 101.0, 102.0),
            (99.0, 100.0, 101.0), (-1, 0, 1), (0, 1))  # fmt: skip
    for now, rsi, slope, close, mid, before, anew in itertools.product(*grid):
        v = {"kama": 100.0, "atr": 0.8, "rsi": rsi, "slope": slope, "mid": mid, "sd": 0.5}
        sides = [wanted(now, v, close, before, bool(anew), side) for side in (LONG, SHORT)]
        assert None in sides
        d = decided(symbol(now, v, changed=anew, beyond=before), bar(close))
        expected = sides[0] or sides[1]
        assert (d["action"], d["mode"], d["side"]) == ((ENTER, *expected) if expected else (HOLD, 0, 0))
        seen.add((now, expected))
    assert seen == {
        *((now, None) for now in REGIMES), *((TREND, (TREND, side)) for side in (LONG, SHORT)),
        *((REVERSION, (REVERSION, side)) for side in (LONG, SHORT)),
        *((NEUTRAL, (mode, side)) for mode in (TREND, REVERSION) for side in (LONG, SHORT)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("price", "long", "short"),
    [
        (98.0, 98_000_000, 98_000_000),
        (98.001, 98_000_000, 98_010_000),
        (98.0099, 98_000_000, 98_010_000),
        (0.50001, 500_000, 500_100),
        (1.0, 1_000_000, 1_000_000),
        (0.99999, 999_900, 1_000_000),
        (1.00001, 1_000_000, 1_010_000),
    ],
)
def test_a_stop_lies_on_the_tick_that_is_farther_from_the_position(price: float, long: int, short: int) -> None:
    assert (_stop_at(price, LONG), _stop_at(price, SHORT)) == (long, short)


def test_a_long_stop_under_nothing_is_none() -> None:
    assert _stop_at(-3.0, LONG) == 0


Life = list[tuple[dict[str, Any], tuple[float, ...], float]]


@cache
def life(seed: int, shorts: int) -> Life:
    """Of every bar: the decision, the position before it, and the close; orders fill at once."""
    bars, rows, think = walk(seed, 1500, 100.0, 2e-3), fresh(), thinker(shorts=shorts)
    lived = []
    for t, _ in enumerate(think.trade(rows, bars[:, None])):
        d = {name: rows["decision"][name][0].item() for name in HELD}
        lived.append((d, traded(rows), float(bars["close"][t])))
    return lived


def test_walks_are_traded_on_both_sides_and_in_both_modes() -> None:
    modes = {(d["mode"], d["side"]) for seed in SEEDS for d, *_ in life(seed, 1) if d["action"] == ENTER}
    assert modes == {(mode, side) for mode in (TREND, REVERSION) for side in (LONG, SHORT)}


def test_without_shorts_no_walk_is_sold() -> None:
    for seed in SEEDS:
        assert {d["side"] for d, *_ in life(seed, 0)} == {0, LONG}


def test_a_stop_lies_on_the_losing_side_and_only_ever_comes_closer() -> None:
    moved = 0
    for seed in SEEDS:
        side = stop = 0
        for d, (qty, *_), close in life(seed, 1):
            if d["action"] in (ENTER, REFUSED):
                assert d["side"] * (close - d["stop"] / 1e6) > 0.0
                side, stop = d["side"], d["stop"]
            if d["raised"]:
                assert side * qty > 0
                assert side * (d["raised"] - stop) > 0
                stop, moved = d["raised"], moved + 1
            if d["action"] == EXIT:
                assert (d["side"], qty) == (side, 0)
    assert moved > 200
