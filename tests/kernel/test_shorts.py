"""Short positions: only where they are allowed, and what one side would not enter never hides the other side's entry.

Then whole lives, on one side and on both, against the rules said anew. Rule by rule both sides stand in test_dual_mode;
a whole market turned over in test_mirror.
"""

import itertools
import math
from collections import Counter
from functools import cache
from typing import NamedTuple

import pytest

from fluxhero.kernel.codes import ENTER, EXIT, HOLD, LONG, NEUTRAL, REFUSED, REVERSION, SHORT, TREND
from fluxhero.kernel.compile import entry
from fluxhero.kernel.state import Rec
from fluxhero.kernel.trade import stop_at
from fluxhero.messages import micros
from tests.kernel.drive import SEEDS, fill, fresh, rules, thinker, walk
from tests.kernel.hand import HELD, bar, decided, symbol
from tests.kernel.hand import entered as decision

pytestmark = pytest.mark.nojit

Case = dict[str, float]
MATURE = 64
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
    assert decided(symbol(TREND, FALLING), bar(99.0)) == decision(TREND, 98.5, 0.01, side=SHORT)  # its stop: 101.5
    assert decided(symbol(REVERSION, FALLING), bar(99.0)) == decision(REVERSION, 96.03, 0.0075)


def test_a_rise_is_sold_in_a_quiet_market_though_it_would_be_followed_in_a_trend() -> None:
    stop = 200.0 - 104.03
    assert decided(symbol(REVERSION, RISING), bar(101.0)) == decision(REVERSION, stop, 0.0075, side=SHORT)
    assert decided(symbol(TREND, RISING), bar(101.0)) == decision(TREND, 98.5, 0.01)


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


# -- whole lives


class Bar(NamedTuple):
    """One bar of a life: the row as it came to the bar and as the decision left it, fills apart."""

    before: Rec
    after: Rec
    close: float
    high: float
    low: float


@cache
def life(seed: int, shorts: int) -> list[Bar]:
    bars, rows, think, lived = walk(seed, 1500, 100.0, 2e-3), fresh(), thinker(shorts=shorts), []
    for t in range(len(bars)):
        before, bar = rows.copy(), bars[t]
        think(rows, bars[t : t + 1])
        lived.append(Bar(before[0], rows.copy()[0], *(float(bar[name]) for name in ("close", "high", "low"))))
        fill(rows, 0, micros(lived[-1].close))
    return lived


def cents(price: float, side: int) -> int:
    return 10_000 * (math.floor(price * 100.0) if side == LONG else math.ceil(price * 100.0))


def entered(b: Bar, mode: int, side: int) -> Case:
    """What requirements 6 make of an entry, its gate apart; there is no spike in three sessions."""
    v, neutral = b.after["reading"], b.after["regime"]["now"] == NEUTRAL
    off = 2.5 * float(v["atr"]) if mode == TREND else 0.03 * b.close
    return {
        "side": side, "mode": mode, "stop": cents(b.close - side * off, side), "raised": 0,
        "risk": 0.01 if mode == TREND and not neutral else 0.0075, "scale": 0.7 if neutral else 1.0, "wide": 1.0,
    }  # fmt: skip


def left(b: Bar) -> bool:
    """Of a position: does its mode leave it at this bar?"""
    v, trade = b.after["reading"], b.before["trade"]
    side = 1 if trade["qty"] > 0 else -1
    if trade["mode"] == TREND:
        return bool(side * (b.close - v["kama"]) < -0.3 * v["atr"])
    rsi = v["rsi"] if side == LONG else 100.0 - v["rsi"]
    return bool(side * (b.close - v["mid"]) >= 0.0 or rsi > 70.0)


def trailed(b: Bar) -> int:
    """The stop that a trend position asks for at this bar, 0 for none."""
    trade, atr = b.before["trade"], float(b.after["reading"]["atr"])
    side = 1 if trade["qty"] > 0 else -1
    best = max(float(trade["best"]), b.high) if side == LONG else min(float(trade["best"]), b.low)
    stop = cents(best - side * 2.5 * atr, side)
    closer = side * (stop - int(trade["stop"]))
    return stop if closer > 0 and closer >= 0.25 * atr * 1e6 else 0


@pytest.mark.parametrize("shorts", [0, 1])
def test_every_bar_of_a_life_is_decided_as_the_rules_say(shorts: int) -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        for b in life(seed, shorts)[MATURE:]:
            d, v, regime, qty = b.after["decision"], b.after["reading"], b.after["regime"], b.before["trade"]["qty"]
            told = {name: d[name].item() for name in ("side", "mode", "stop", "raised", "risk", "scale", "wide")}
            if qty != 0:
                assert (d["action"] == EXIT) == left(b)
                trends = b.before["trade"]["mode"] == TREND
                assert told["raised"] == (trailed(b) if trends and d["action"] == HOLD else 0)
                seen["left" if d["action"] == EXIT else "raised" if told["raised"] else "kept"] += 1
                continue
            reading = {name: float(v[name]) for name in v.dtype.names}
            before, anew = int(b.before["own"]["beyond"]), bool(regime["changed"])
            sides = (LONG, SHORT) if shorts else (LONG,)
            modes = [wanted(int(regime["now"]), reading, b.close, before, anew, side) for side in sides]
            found = next((mode for mode in modes if mode), None)
            assert (d["action"] in (ENTER, REFUSED)) == (found is not None)
            if found:
                assert told == entered(b, *found)
                seen[f"{found}"] += 1
    assert len(seen) == (7 if shorts else 5)
    assert {int(b.after["decision"]["side"]) for b in life(0, shorts)} == ({-1, 0, 1} if shorts else {0, 1})
