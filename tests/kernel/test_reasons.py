"""Every decision carries all that it looked at, each with its value and its limit."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from fluxhero.kernel.codes import (
    C_ADX,
    C_BEAT,
    C_BREAKOUT,
    C_CALM_ADX,
    C_CALM_R2,
    C_ENTRY_BAND,
    C_EXIT_BAND,
    C_GAP,
    C_HOURS,
    C_LOWER,
    C_MIDDLE,
    C_R2,
    C_RSI_HIGH,
    C_RSI_LOW,
    C_SLOPE,
    C_SPIKE,
    C_SPREAD,
    C_UPPER,
    C_VOLUME,
    CONDITIONS,
    ENTER,
    EXIT,
    FLAT,
    HOLD,
    LONG,
    OPEN,
    REFUSED,
    REVERSION,
    SHORT,
    TREND,
)
from fluxhero.kernel.state import Array
from tests.kernel.drive import SEEDS, Thinker, bars_of, fill, fresh, thinker, walk

pytestmark = pytest.mark.nojit

BARS = 1500
Told = dict[int, tuple[float, float]]  # value and limit by condition


def told(rows: Array) -> Told:
    """What was looked at, NaN as None so that it can be compared."""
    values, limits = (rows["decision"][kind][0].tolist() for kind in ("value", "limit"))
    return {c: (values[c], limits[c]) for c in range(len(values)) if not math.isnan(limits[c])}


def same(a: Told, b: Told) -> bool:
    """NaN is NaN."""
    return repr(sorted(a.items())) == repr(sorted(b.items()))


def dual_mode(rows: Array, close: float, side: int, low: float = 30.0, high: float = 70.0) -> Told:
    """The strategy's conditions as the readings make them."""
    v = {name: float(rows["reading"][name][0]) for name in rows["reading"].dtype.names or ()}
    lower, upper = (low, high) if side == LONG else (100.0 - high, 100.0 - low)
    return {
        C_ADX: (v["adx"], 25.0), C_R2: (v["r2"], 0.6), C_CALM_ADX: (v["adx"], 20.0), C_CALM_R2: (v["r2"], 0.4),
        C_SLOPE: (v["slope"], 0.0),
        C_ENTRY_BAND: (close, v["kama"] + side * 0.5 * v["atr"]),
        C_EXIT_BAND: (close, v["kama"] - side * 0.3 * v["atr"]),
        C_LOWER: (close, v["mid"] - 2.0 * v["sd"]), C_MIDDLE: (close, v["mid"]),
        C_UPPER: (close, v["mid"] + 2.0 * v["sd"]), C_RSI_LOW: (v["rsi"], lower), C_RSI_HIGH: (v["rsi"], upper),
    }  # fmt: skip


def gates(rows: Array, bars: Array, t: int, side: int) -> Told:
    """What may refuse, and the spike, from the bars themselves."""
    bar, m = bars[t], rows["market"][0]
    volume = float(bar["volume"]) / float(bars["volume"][t - 20 : t].mean())
    closes = bars["close"][4 : t + 1 : 5][-20:]
    noise = float(bar["spread"]) / float(np.std(closes)) if bar["spread"] >= 0.0 and len(closes) == 20 else math.nan
    warm = m["five"]["count"] > 14 and m["hour"]["count"] > 14
    heat = float(m["five"]["atr"]) * math.sqrt(12.0) / float(m["hour"]["atr"]) if warm else math.nan
    past = bars[t - 20 : t]
    broke = bar["close"] > past["high"].max() if side == LONG else bar["close"] < past["low"].min()
    return {
        C_HOURS: (float(bar["left"]), 15.0), C_GAP: (float(rows["session"]["gap"][0]), 0.02), C_VOLUME: (volume, 0.5),
        C_SPREAD: (noise, 0.15 if 720 < bar["clock"] <= 780 else 0.25), C_SPIKE: (heat, 2.0),
        **({C_BREAKOUT: (volume, 1.5)} if broke else {}),
    }  # fmt: skip


def close_to(a: Told, b: Told) -> bool:
    """The same conditions with the same limits; values to the rounding of another order of the same sums."""
    return a.keys() == b.keys() and all(
        x == pytest.approx(y, rel=1e-9, nan_ok=True) for c in a for x, y in zip(a[c], b[c], strict=True)
    )


def quoted(seed: int) -> Array:
    bars = walk(seed, BARS, 100.0, 2e-3)
    bars["spread"] = np.where(np.arange(BARS) % 7, 0.01 * (np.arange(BARS) % 12), -1.0)
    return bars


def lived(seed: int, **said: float) -> Iterator[tuple[Array, int, Array, int, int]]:
    """Of each bar: the row before its fills, its number, all bars, action and side."""
    bars, rows, think = quoted(seed), fresh(), thinker(shorts=1, **said)
    for t in range(BARS):
        think(rows, bars[t : t + 1])
        d = rows["decision"][0]
        yield rows, t, bars, int(d["action"]), int(d["side"])
        fill(rows, 0, int(float(bars["close"][t]) * 1e6 + 0.5))


# -- decisions


@pytest.mark.parametrize("seed", SEEDS)
def test_an_entry_or_its_refusal_carries_the_strategys_conditions_and_all_gates(seed: int) -> None:
    seen = set()
    for rows, t, bars, action, side in lived(seed):
        if action in (ENTER, REFUSED):
            expected = dual_mode(rows, float(bars["close"][t]), side) | gates(rows, bars, t, side)
            assert close_to(told(rows), expected), t
            seen.add((action, side, C_BREAKOUT in expected))
    assert len(seen) >= 6


@pytest.mark.parametrize("seed", SEEDS)
def test_an_exit_carries_the_strategys_conditions_alone(seed: int) -> None:
    sides = set()
    for rows, t, bars, action, side in lived(seed):
        if action == EXIT:
            assert same(told(rows), dual_mode(rows, float(bars["close"][t]), side)), t
            assert rows["decision"][["risk", "scale", "wide", "stop"]][0].item() == (0.0, 0.0, 1.0, 0)
            sides.add(side)
    assert sides == {LONG, SHORT}


def test_the_gate_that_refuses_is_one_whose_value_is_beyond_its_limit() -> None:
    gates_seen = set()
    for seed in SEEDS:
        for rows, _, _, action, _ in lived(seed):
            gate = int(rows["decision"]["gate"][0])
            if action == REFUSED:
                value, limit = told(rows)[CONDITIONS[gate]]
                beyond = value > limit if CONDITIONS[gate] in (C_GAP, C_SPREAD) else value <= limit
                assert beyond, (gate, value, limit)
                gates_seen.add(gate)
            else:
                assert gate == OPEN
    assert len(gates_seen) >= 3


def test_a_short_entrys_limits_of_rsi_are_mirrored() -> None:
    sought = set()
    for seed in range(2 * len(SEEDS)):
        for rows, t, bars, action, side in lived(seed, oversold=25.0, overbought=60.0):
            if action in (ENTER, EXIT, REFUSED):
                strategy = dual_mode(rows, float(bars["close"][t]), side, 25.0, 60.0)
                assert same({c: told(rows)[c] for c in strategy}, strategy)
                sought.add((action, side, int(rows["decision"]["mode"][0])))
                if (action, side, rows["decision"]["mode"][0]) == (ENTER, SHORT, REVERSION):
                    assert told(rows)[C_RSI_HIGH][1] == 75.0 < told(rows)[C_RSI_HIGH][0]
    assert {(ENTER, SHORT, REVERSION), (EXIT, SHORT, TREND), (ENTER, LONG, TREND)} <= sought


def test_the_metronome_tells_its_beat() -> None:
    bars, rows, think, seen = walk(1, 380), fresh("metronome"), thinker("metronome"), []
    for t, _ in enumerate(think.trade(rows, bars[:, None])):
        action = int(rows["decision"]["action"][0])
        if action == ENTER:
            assert same(told(rows), {
                C_BEAT: (0.0, 0.0), C_HOURS: (float(bars["left"][t]), 15.0), C_GAP: (0.0, 0.02),
                C_SPIKE: (math.nan, 2.0),
            })  # fmt: skip
        elif action == EXIT:
            assert told(rows) == {C_BEAT: (10.0, 10.0)}
        seen.append(action)
    assert {ENTER, EXIT} <= set(seen)


# -- flat


def test_a_flat_window_is_said_to_be_flat_whatever_would_have_been_done() -> None:
    for strategy in ("dual_mode", "metronome"):
        bars = bars_of(np.r_[walk(2, 200)["close"], np.full(60, 100.0)])
        rows, think = fresh(strategy), thinker(strategy)
        acts = [rows["decision"][["action", "side"]][0].item() for _ in think.trade(rows, bars[:, None])]
        assert acts[220:] == [(FLAT, 0)] * 40
        assert FLAT not in [action for action, _ in acts[:219]]


# -- the bars on which nothing was sought


def explained(think: Thinker, rows: Array, bar: Array) -> Told:
    """Of a copy, for it is written to."""
    other = rows.copy()
    think.explain(other, bar)
    return told(other)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_held_bar_is_explained_by_what_an_entry_on_it_would_have_carried(seed: int) -> None:
    think, held = thinker(shorts=1), 0
    for rows, t, bars, action, _ in lived(seed):
        if action == HOLD:
            side = LONG if rows["trade"]["qty"][0] >= 0 else SHORT
            expected = dual_mode(rows, float(bars["close"][t]), side) | gates(rows, bars, t, side)
            assert close_to(explained(think, rows, bars[t : t + 1]), expected), t
            held += 1
    assert held > 500


def test_the_explanation_of_a_bar_is_its_decisions_to_the_last_bit() -> None:
    """Where something was decided, for a row that had not: the same numbers out of the same steps."""
    think, entries = thinker(shorts=1), 0
    for rows, t, bars, action, side in lived(1):
        if action in (ENTER, REFUSED) and side == LONG:
            assert same(explained(think, rows, bars[t : t + 1]), told(rows)), t
            entries += 1
        if action == EXIT:
            expected, all_of_it = told(rows), explained(think, rows, bars[t : t + 1])
            assert same({c: all_of_it[c] for c in expected}, expected), t
    assert entries > 20


def test_explaining_writes_the_reasons_and_nothing_else() -> None:
    think = thinker()
    for rows, t, bars, _, _ in lived(2):
        if t % 50 == 49:
            other = rows.copy()
            think.explain(other, bars[t : t + 1])
            for kind in ("value", "limit"):
                other["decision"][kind] = rows["decision"][kind]
            assert other.tobytes() == rows.tobytes()


def test_before_the_indicators_are_warm_what_is_unknown_is_told_as_unknown() -> None:
    rows, think, bars = fresh(), thinker(), walk(1, 30)
    for t in range(30):
        think(rows, bars[t : t + 1])
    seen = explained(think, rows, bars[-1:])
    unknown = {c for c, (value, limit) in seen.items() if math.isnan(value)}
    assert unknown == {C_R2, C_CALM_R2, C_SLOPE, C_SPREAD, C_SPIKE}
    assert (seen[C_VOLUME][0] > 0.0, seen[C_MIDDLE][0]) == (True, float(bars["close"][-1]))
