"""Periods that follow volatility, and KAMA that leans with the efficiency ratio: both off unless they are asked for."""

import numpy as np
import pytest

from fluxhero.kernel.codes import HIGH, LOW, NORMAL
from fluxhero.kernel.compile import entry
from fluxhero.kernel.indicators import leaning
from fluxhero.kernel.observe import spans
from fluxhero.kernel.state import Array, Spans
from tests.kernel.drive import SEEDS, bars_of, fields, fresh, observed, thinker, walk

pytestmark = pytest.mark.nojit

FACTORS = {LOW: 1.3, NORMAL: 1.0, HIGH: 0.7}
FAST, SLOW = 2.0 / 3.0, 2.0 / 31.0
MATURE = 64


@entry
def _spans(factor: float) -> Spans:
    return spans(factor)


@entry
def _leaning(er: float) -> float:
    return leaning(er)


def restless(seed: int, n: int = 1100) -> Array:
    """A walk whose ranges are calm, wild and usual by turns of 80 bars."""
    bars = walk(seed, n, 100.0, 1e-3)
    rng = np.random.default_rng(seed)
    size = np.repeat(np.tile([1.0, 8.0, 0.2, 1.0, 0.1], n // 400 + 1), 80)[:n]
    close = np.round(100.0 + np.cumsum(rng.normal(0.0, 0.03, n) * size), 2)
    bars["close"], bars["open"][1:] = close, close[:-1]
    reach = np.round(rng.uniform(0.02, 0.05, n) * size, 2)
    bars["high"], bars["low"] = np.maximum(bars["open"], close) + reach, np.minimum(bars["open"], close) - reach
    return bars


def states_of(bars: Array, read: Array) -> list[int]:
    """The volatility that each bar from the 64th on leaves behind."""
    return [
        HIGH if atr > 1.5 * mean else LOW if atr < 0.5 * mean else NORMAL
        for atr, mean in zip(read["atr"][MATURE:].tolist(), read["atr_mean"][MATURE:].tolist(), strict=True)
    ]


# -- the periods


def test_periods_are_rounded_and_at_least_two() -> None:
    periods = ((1.0, 10, 20, 20, 14), (0.7, 7, 14, 14, 10), (1.3, 13, 26, 26, 18), (0.01, 2, 2, 2, 2))
    for factor, path, bands, ema, wilder in periods:
        keep, gain = (wilder - 1.0) / wilder, 1.0 / wilder
        assert _spans(factor)._asdict() == {
            "path": path, "bands": bands, "ema_gain": 2.0 / (ema + 1.0), "rsi_keep": keep, "atr_keep": keep,
            "atr_gain": gain, "share": 1.0 / bands,
        }  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_another_volatility_changes_the_periods_from_the_next_bar_on(seed: int) -> None:
    bars, row, seen = restless(seed), fresh(), []
    for t in range(len(bars)):
        before = fields(row["market"]["spans"][0])
        read = observed(bars[t : t + 1], row, adaptive=1)
        state = states_of(bars[t : t + 1], np.concatenate([np.zeros(MATURE, read.dtype), read]))[0]
        expected = state if t >= MATURE else NORMAL
        assert fields(row["market"]["spans"][0]) == _spans(FACTORS[expected])._asdict(), t
        assert row["market"]["volatility"][0] == expected
        seen.append((expected, before != fields(row["market"]["spans"][0])))
    assert {state for state, _ in seen} == {LOW, NORMAL, HIGH}
    assert 5 < sum(changed for _, changed in seen) - 1 < 100  # the first sets them


def smoothed(values: list[float], seed: int, keeps: list[float]) -> list[float]:
    """The plain mean of the first `seed` values, then each value after them at a pace of its own; 0 before."""
    made = [0.0] * (seed - 1) + [sum(values[:seed]) / seed]
    for value, keep in zip(values[seed:], keeps[seed:], strict=True):
        made.append(made[-1] * keep + value * (1.0 - keep))
    return made


@pytest.mark.parametrize("seed", SEEDS)
def test_means_keep_their_state_and_change_their_pace(seed: int) -> None:
    bars = restless(seed)
    read = observed(bars, adaptive=1)
    factors = [1.0] * (MATURE + 1) + [FACTORS[state] for state in states_of(bars, read)[:-1]]
    ema = [1.0 - 2.0 / (int(20 * f + 0.5) + 1.0) for f in factors]
    wilder = [1.0 - 1.0 / int(14 * f + 0.5) for f in factors[1:]]
    close, change = bars["close"].tolist(), np.diff(bars["close"])
    reach = np.maximum(bars["high"][1:], bars["close"][:-1]) - np.minimum(bars["low"][1:], bars["close"][:-1])
    moves = (np.maximum(change, 0.0), np.maximum(-change, 0.0), reach)
    up, down, atr = (np.array(smoothed(x.tolist(), 14, wilder)[13:]) for x in moves)
    np.testing.assert_allclose(read["ema"][19:], smoothed(close, 20, ema)[19:], rtol=1e-12)
    np.testing.assert_allclose(read["atr"][14:], atr, rtol=1e-11)
    np.testing.assert_allclose(read["rsi"][14:], 100.0 * up / (up + down), rtol=1e-11)


@pytest.mark.parametrize("seed", SEEDS)
def test_windows_are_those_of_the_periods_in_force(seed: int) -> None:
    bars = restless(seed)
    read, close = observed(bars, adaptive=1), bars["close"]
    periods = [NORMAL, *states_of(bars, read)]
    for i in range(MATURE, len(bars)):
        q = _spans(FACTORS[periods[i - MATURE]])
        window, path = close[i - q.bands + 1 : i + 1], close[i - q.path : i + 1]
        way = np.abs(np.diff(path)).sum()
        assert read["mid"][i] == pytest.approx(window.mean(), rel=1e-12), i
        assert read["sd"][i] == pytest.approx(window.std(), abs=1e-9), i
        er = min(abs(path[-1] - path[0]) / way, 1.0) if way > 0.0 else 1.0
        assert read["er"][i] == pytest.approx(er, abs=1e-9), i
        line = close[i - 49 : i + 1]
        assert read["slope"][i] == pytest.approx(np.polyfit(np.arange(50.0), line, 1)[0], abs=1e-9), i


def test_the_trend_and_the_line_keep_their_periods() -> None:
    for seed in SEEDS:
        bars = restless(seed)
        fixed, adaptive = observed(bars), observed(bars, adaptive=1)
        assert fixed["adx"].tobytes() == adaptive["adx"].tobytes()
        assert fixed["volume_mean"].tobytes() == adaptive["volume_mean"].tobytes()
        for name in ("slope", "r2"):
            np.testing.assert_allclose(fixed[name], adaptive[name], rtol=0, atol=1e-9)
        for name in ("ema", "rsi", "atr", "kama", "er", "mid", "sd"):
            assert (fixed[name][200:] != adaptive[name][200:]).any(), name


def test_where_volatility_stays_usual_adaptive_periods_are_the_fixed_ones_bit_for_bit() -> None:
    bars = walk(1, 1200)
    fixed, adaptive = fresh(), fresh()
    read = observed(bars, fixed)
    assert set(states_of(bars, read)) == {NORMAL}
    assert observed(bars, adaptive, adaptive=1).tobytes() == read.tobytes()
    assert adaptive.tobytes() == fixed.tobytes()


def test_until_the_volatility_changes_so_are_they_and_by_default_they_never_change() -> None:
    bars = restless(1)
    fixed, row = observed(bars), fresh()
    first = MATURE + next(i for i, state in enumerate(states_of(bars, fixed)) if state != NORMAL)
    adaptive = observed(bars, row, adaptive=1)
    assert adaptive[: first + 1].tobytes() == fixed[: first + 1].tobytes()
    assert adaptive[first + 1] != fixed[first + 1]
    plain = fresh()
    assert observed(bars, plain).tobytes() == fixed.tobytes()
    assert fields(plain["market"]["spans"][0]) == _spans(1.0)._asdict()
    assert (plain["market"]["volatility"][0], thinker().params["rules"]["adaptive"][0]) == (NORMAL, 0)


def test_where_they_are_turned_off_again_the_usual_periods_come_back_with_the_next_bar() -> None:
    bars, row = restless(1), fresh()
    wild = MATURE + next(i for i, state in enumerate(states_of(bars, observed(bars))) if state != NORMAL)
    observed(bars[: wild + 1], row, adaptive=1)
    assert fields(row["market"]["spans"][0]) != _spans(1.0)._asdict()
    observed(bars[wild + 1 : wild + 2], row)
    assert (row["market"]["volatility"][0], fields(row["market"]["spans"][0])) == (NORMAL, _spans(1.0)._asdict())


# -- KAMA by regime


def test_the_ratio_leans_to_slow_under_three_tenths_and_to_fast_over_six() -> None:
    for er in np.linspace(0.0, 1.0, 101).tolist():
        bent = 0.0 if er < 0.3 else 1.0 if er > 0.6 else (er - 0.3) / 0.3
        assert _leaning(er) == pytest.approx((er + bent) / 2, abs=1e-15)
    assert [_leaning(er) for er in (0.0, 1.0)] == [0.0, 1.0]
    assert (_leaning(0.29) < 0.29, _leaning(0.61) > 0.61) == (True, True)


def test_it_leans_without_a_jump_and_never_backwards() -> None:
    for border in (0.3, 0.6):
        assert abs(_leaning(border + 1e-12) - _leaning(border - 1e-12)) < 1e-11
    leant = [_leaning(er) for er in np.linspace(0.0, 1.0, 10_001).tolist()]
    assert leant == sorted(leant)
    assert np.diff(leant).max() < 2.5e-4  # its steepest: half of (1 + 1 / 0.3)


@pytest.mark.parametrize("lean", [0, 1])
def test_kama_moves_by_the_square_of_its_ratios_constant(lean: int) -> None:
    for seed in SEEDS:
        bars = walk(seed, 800)
        read = observed(bars, kama=lean)
        kama, alphas = float(bars["close"][9]), []
        told = read["kama"][10:].tolist()
        for close, er, now in zip(bars["close"][10:].tolist(), read["er"][10:].tolist(), told, strict=True):
            ratio = 0.5 * (er + min(max((er - 0.3) / 0.3, 0.0), 1.0)) if lean else er
            alpha = ratio * (FAST - SLOW) + SLOW
            kama = kama + (close - kama) * (alpha * alpha)
            alphas.append(alpha)
            assert now == pytest.approx(kama, rel=1e-12)
        assert SLOW <= min(alphas) < 0.1 < 0.4 < max(alphas) <= FAST


def test_nothing_but_kama_leans_and_by_default_nothing() -> None:
    bars = walk(4, 800)
    fixed, leaning_ = observed(bars), observed(bars, kama=1)
    for name in fixed.dtype.names or ():
        assert (fixed[name].tobytes() == leaning_[name].tobytes()) == (name != "kama"), name
    assert thinker().params["rules"]["kama"][0] == 0


@pytest.mark.parametrize("lean", [0, 1])
def test_a_perfect_trend_is_followed_fast_and_noise_slowly(lean: int) -> None:
    rise, noise = np.arange(100.0) + 100.0, 100.0 + np.arange(100.0) % 2
    for close, er, alpha in ((rise, 1.0, FAST), (noise, 0.0, SLOW)):
        read = observed(bars_of(close), kama=lean)
        assert set(read["er"][10:].tolist()) == {er}
        moved = np.diff(read["kama"][10:]) / (close[11:] - read["kama"][10:-1])
        np.testing.assert_allclose(moved, alpha**2, rtol=1e-9)
