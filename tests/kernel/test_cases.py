"""The markets that the requirements name, from bars to decisions: what is read of them, and what is done."""

from typing import Any, NamedTuple

import numpy as np
import pytest

from fluxhero.kernel.codes import (
    BREAKOUT,
    C_VOLUME,
    ENTER,
    EXIT,
    FLAT,
    GAP,
    LONG,
    METRONOME,
    NEUTRAL,
    OPEN,
    REFUSED,
    REVERSION,
    SHORT,
    SUSPECT,
    TREND,
    VOLUME,
    WARMUP,
)
from fluxhero.kernel.state import Array
from fluxhero.messages import micros
from tests.kernel.drive import SEEDS, SESSION, bars_of, beside, fill, fresh, lively, rules, thinker, walk

pytestmark = pytest.mark.nojit

CALM = 100.0 + 0.02 * (np.arange(100) % 4)  # neither up nor down, and it moves
PRICES = ("open", "high", "low", "close")


class Seen(NamedTuple):
    """One bar: what was decided, and what of the row it came from."""

    action: int
    side: int
    mode: int
    gate: int
    regime: int
    qty: int
    reading: dict[str, float]
    volume: float  # the condition's value


def lived(bars: Array, strategy: str = "dual_mode", **said: float) -> list[Seen]:
    """Every bar; orders fill at its close."""
    rows, think, seen = fresh(strategy), thinker(strategy, **said), []
    for t in range(len(bars)):
        think(rows, bars[t : t + 1])
        d, v = rows["decision"][0], rows["reading"]
        action, side, mode, gate = (d[name].item() for name in ("action", "side", "mode", "gate"))
        reading = {name: v[name][0].item() for name in v.dtype.names or ()}
        now, qty = int(rows["regime"]["now"][0]), int(rows["trade"]["qty"][0])
        seen.append(Seen(action, side, mode, gate, now, qty, reading, d["value"][C_VOLUME].item()))
        fill(rows, 0, micros(float(bars["close"][t])))
    return seen


def sought(seen: list[Seen], action: int = ENTER) -> list[tuple[int, int, int]]:
    """(bar, side, mode) wherever that was decided."""
    return [(t, s.side, s.mode) for t, s in enumerate(seen) if s.action == action]


def tape(*parts: Any) -> Array:
    """Closes one after the other, each bar opening where the last one closed."""
    bars = bars_of(np.concatenate(parts))
    bars["open"][1:] = bars["close"][:-1]
    bars["high"], bars["low"] = np.maximum(bars["open"], bars["close"]), np.minimum(bars["open"], bars["close"])
    return bars


# -- trends


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_perfect_trend_is_all_efficiency_and_is_followed(side: int) -> None:
    seen = lived(lively(tape(CALM, 100.0 + side * 0.1 * np.arange(150))), shorts=1, oversold=1e-9)
    last = seen[-1].reading
    assert last["er"] == pytest.approx(1.0, abs=1e-12)
    assert last["rsi"] == pytest.approx(50.0 + side * 50.0, abs=0.01)
    assert (last["adx"] > 99.0, last["r2"] > 0.999999, seen[-1].regime) == (True, True, TREND)
    (begin, *entry_), *more = sought(seen)
    assert (entry_, more, sought(seen, EXIT)) == ([side, TREND], [], [])
    assert (seen[begin - 1].regime != TREND, begin > 100) == (True, True)
    assert seen[-1].qty == 10 * side


def test_a_trend_that_is_older_than_the_indicators_is_not_entered_late() -> None:
    """No close was ever within its band, and the regime was confirmed before the first bar that may decide."""
    seen = lived(lively(tape(100.0 + 0.1 * np.arange(250))))
    assert {s.regime for s in seen[63:]} == {TREND}
    assert [(s.action in (ENTER, REFUSED)) for s in seen] == [False] * 250


def test_a_trend_without_volume_behind_it_is_a_breakout_that_nobody_joins() -> None:
    seen = lived(tape(CALM, 100.0 + 0.1 * np.arange(150)))
    refusals = {s.gate for s in seen if s.action == REFUSED}
    assert (refusals, sought(seen)) == ({BREAKOUT}, [])


# -- noise


@pytest.mark.parametrize("size", [0.01, 0.5, 5.0])
def test_alternating_noise_goes_nowhere_and_is_never_a_trend(size: float) -> None:
    seen = lived(bars_of(100.0 + size * (np.arange(800) % 2)), shorts=1)
    warm = seen[63:]
    assert {s.reading["er"] for s in warm} == {0.0}
    assert all(s.reading["r2"] < 0.01 and 45.0 < s.reading["rsi"] < 55.0 for s in warm)
    assert {s.regime for s in warm} == {REVERSION}
    assert [s for s in seen if s.action in (ENTER, EXIT, REFUSED)] == []


def test_random_noise_about_a_level_is_inefficient_and_is_no_trend() -> None:
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        seen = lived(tape(np.round(100.0 + rng.normal(0.0, 0.1, 1000), 2)), shorts=1)
        warm = seen[63:]
        assert np.mean([s.reading["er"] for s in warm]) < 0.2
        assert np.mean([s.regime == TREND for s in warm]) < 0.01


# -- from one to the other


def test_a_market_that_turns_from_range_to_trend_to_range_is_followed_through() -> None:
    rng = np.random.default_rng(3)
    ranging, rising = 100.0 + rng.normal(0.0, 0.05, 250), 100.0 + 0.08 * np.arange(120)
    after = rising[-1] + rng.normal(0.0, 0.05, 300)
    seen = lived(tape(np.round(np.r_[ranging, rising, after], 2)))
    regimes = [s.regime for s in seen]
    spans = [regimes[63:250], regimes[300:370], regimes[560:]]
    assert [max(set(span), key=span.count) for span in spans] == [REVERSION, TREND, REVERSION]
    changes = [t for t in range(1, len(regimes)) if regimes[t] != regimes[t - 1]]
    assert min(np.diff(changes)) >= 3
    assert 250 < next(t for t in changes if regimes[t] == TREND) < 300
    assert seen[300].reading["kama"] - seen[300].reading["mid"] > 0.0  # fast in the trend
    still = np.ptp([s.reading["kama"] for s in seen[600:]])
    assert still < np.ptp([s.reading["close"] for s in seen[600:]]) / 3  # slow in the range


# -- a flash crash


@pytest.mark.parametrize("side", [LONG, SHORT])
def test_a_flash_crash_ends_a_position_and_nothing_is_left_of_it_when_it_has_left_the_windows(side: int) -> None:
    calm, away = CALM, 100.0 + side * 0.1 * np.arange(100)
    end = away[-1]
    back = end + 0.05 * (np.arange(400) % 3)
    crashed = np.r_[calm, away, end * (0.5 if side == LONG else 1.5), back]
    bars, quiet = lively(tape(crashed)), lively(tape(np.r_[calm, away, end, back]))
    bars["volume"][450:] = quiet["volume"][450:] = 1000.0
    seen = lived(bars, shorts=1, oversold=1e-9)
    assert sought(seen)[0][1:] == (side, TREND)
    assert sought(seen, EXIT)[0] == (200, side, TREND)
    assert all(np.isfinite(list(s.reading.values())).all() for s in seen[63:])
    for ours, theirs in zip(seen[260:], lived(quiet)[260:], strict=True):
        for name in ("mid", "sd", "slope", "r2", "er"):
            assert ours.reading[name] == pytest.approx(theirs.reading[name], abs=1e-9), name


def test_a_crash_in_a_quiet_market_is_a_dip_with_its_stop_under_it() -> None:
    rng = np.random.default_rng(1)
    level = np.round(100.0 + rng.normal(0.0, 0.1, 200), 2)
    bars = tape(np.r_[level, 90.0])
    rows, think = fresh(), thinker()
    list(think.trade(rows, bars[:, None]))
    (t, *entry_) = sought(lived(bars))[-1]
    assert (t, entry_) == (200, [LONG, REVERSION])
    assert rows["decision"]["stop"][0] == 87_300_000


# -- nothing happens


def test_a_flat_tape_is_flat_and_never_a_signal() -> None:
    for strategy, shorts in (("dual_mode", 0), ("dual_mode", 1), ("metronome", 1)):
        seen = lived(tape(np.full(400, 123.45)), strategy, shorts=shorts)
        assert [s.action for s in seen] == [WARMUP] * 63 + [FLAT] * 337
        assert {s.regime for s in seen} == {NEUTRAL}
        last = seen[-1].reading
        assert (last["sd"], last["er"], last["rsi"], last["slope"], repr(last["r2"])) == (0.0, 1.0, 0.0, 0.0, "nan")


def test_one_tick_of_movement_is_not_flat_until_it_has_left_the_bands() -> None:
    closes = np.full(400, 123.45)
    closes[200] += 0.01
    flat = [t for t, s in enumerate(lived(tape(closes))) if s.action == FLAT]
    moving = [t for t in range(63, 400) if t not in flat]
    assert moving == list(range(200, 220))


# -- volume


@pytest.mark.parametrize("volume", [0.0, 1e15])
def test_without_volume_nothing_is_ever_entered(volume: float) -> None:
    """None at all, or ever less of it."""
    refused = 0
    for seed in range(3 * len(SEEDS)):
        bars = walk(seed, 300, 100.0, 2e-3)
        bars["volume"] = np.floor(volume * 0.9 ** np.arange(300))
        seen = lived(bars, shorts=1)
        assert sought(seen) == []
        for s in seen:
            if s.action == REFUSED and s.gate == VOLUME:
                assert s.volume <= 0.5
                refused += 1
    assert refused > 20


def test_a_bar_without_volume_is_read_like_any_other() -> None:
    bars = walk(1, 300)
    empty = bars.copy()
    empty["volume"] = 0.0
    for ours, theirs in zip(lived(bars), lived(empty), strict=True):
        for name in ("ema", "rsi", "atr", "adx", "kama", "mid", "sd", "slope", "r2"):
            assert repr(ours.reading[name]) == repr(theirs.reading[name])


# -- nights


def sessions(gap: float) -> Array:
    """Three sessions, the second of them a gap away."""
    bars = walk(2, 3 * SESSION, 100.0, 2e-3)
    for name in PRICES:
        bars[name][SESSION:] = np.round(bars[name][SESSION:] * (1.0 + gap), 2)
    bars["open"][SESSION] = np.round(bars["close"][SESSION - 1] * (1.0 + gap), 2)
    return bars


@pytest.mark.parametrize("gap", [0.03, -0.03, 0.2, -0.3])
def test_a_gap_keeps_a_symbol_out_for_its_session_and_no_longer(gap: float) -> None:
    seen = lived(sessions(gap), shorts=1)
    entries = [t // SESSION for t, *_ in sought(seen)]
    assert (entries.count(0) > 0, entries.count(1), entries.count(2) > 0) == (True, 0, True)
    early = [s.gate for s in seen[SESSION : 2 * SESSION - 15] if s.action == REFUSED]
    assert (set(early), len(early) > 5) == ({GAP}, True)


def test_a_small_gap_keeps_nobody_out() -> None:
    seen = lived(sessions(0.015), shorts=1)
    assert GAP not in {s.gate for s in seen}
    assert {t // SESSION for t, *_ in sought(seen)} == {0, 1, 2}


@pytest.mark.parametrize("ratio", [2.0, 7.0, 0.1])
def test_a_split_left_in_raw_prices_stops_all_decisions_and_an_adjusted_tape_trades_on(ratio: float) -> None:
    bars = walk(2, 3 * SESSION, 100.0, 2e-3)
    for name in PRICES:
        bars[name][SESSION:] /= ratio
    bars["open"][SESSION] = bars["close"][SESSION - 1] / ratio
    seen = lived(bars, shorts=1)
    assert SUSPECT not in {s.action for s in seen[:SESSION]}
    assert {(s.action, s.side, s.gate) for s in seen[SESSION:]} == {(SUSPECT, 0, OPEN)}
    assert rules()["rules"]["raw"][0] == 1
    adjusted = lived(bars, shorts=1, raw=0)
    assert SUSPECT not in {s.action for s in adjusted}
    assert {t // SESSION for t, *_ in sought(adjusted)} == {0, 2}


def test_a_suspect_symbol_stops_no_other() -> None:
    bars = walk(2, 2 * SESSION, 100.0, 2e-3)
    split = bars.copy()
    for name in PRICES:
        split[name][SESSION:] /= 4.0
    rows, think, seen = fresh("metronome", 2), thinker("metronome"), []
    for _ in think.trade(rows, beside(split, bars)):
        seen.append(rows["decision"][["action", "mode"]].tolist())
    assert {left for left, _ in seen[SESSION:]} == {(SUSPECT, 0)}
    assert (ENTER, METRONOME) in [right for _, right in seen[SESSION:]]
