"""The public functions: one rule with the live row, no look ahead, and a package that loads without the compiler."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fluxhero.kernel as kernel
from fluxhero.kernel import (
    calculate_efficiency_ratio,
    calculate_indicators,
    calculate_volatility_regime,
    detect_regime,
)
from fluxhero.kernel.codes import HIGH, LOW, NEUTRAL, NORMAL, REVERSION, TREND
from fluxhero.kernel.state import READING, Array
from tests.kernel.drive import fresh, observed, thinker, walk
from tests.kernel.exact import HARD
from tests.kernel.functions import ALONE, FIRST, bits, fields, regimes, tape

NAN = math.nan


# -- one rule


def row_says(read: Array) -> dict[str, Array]:
    """Readings of a live row under the names of the suite."""
    names = {
        "ema20": "ema", "rsi14": "rsi", "atr14": "atr", "adx14": "adx", "kama10": "kama", "bb_mid": "mid",
        "slope50": "slope", "r2_50": "r2", "stdev20": "sd", "er": "er",
    }  # fmt: skip
    width = 2.0 * read["sd"]
    return {
        **{ours: np.asarray(read[name]) for ours, name in names.items()},
        "bb_upper": np.asarray(read["mid"] + width), "bb_lower": np.asarray(read["mid"] - width),
    }  # fmt: skip


def bars_of(high: Array, low: Array, close: Array) -> Array:
    bars = walk(0, close.size)
    bars["high"], bars["low"], bars["close"] = high, low, close
    return bars


@pytest.mark.nojit
@pytest.mark.parametrize("kind", HARD)
def test_each_alone_all_at_once_and_a_row_agree_to_the_last_bit(kind: str) -> None:
    for seed in range(2):
        bars = tape(kind, seed, 1500)
        together = {**fields(calculate_indicators(*bars)), **ALONE["er"][1](*bars)}
        alone: dict[str, Array] = {}
        for name in ("sma", "ema", "rsi", "atr", "adx", "kama", "er", "stdev", "regression", "bollinger"):
            alone |= ALONE[name][1](*bars)
        row = row_says(observed(bars_of(*bars)))
        assert together.keys() == row.keys()
        for name, x in together.items():
            assert bits(x) == bits(alone[name]) == bits(row[name]), name


@pytest.mark.nojit
@pytest.mark.parametrize("kind", ["crash", "halts", "split"])
def test_a_row_that_was_saved_goes_on_to_the_last_bit(kind: str) -> None:
    for seed in range(3):
        bars = bars_of(*tape(kind, seed, 1200))
        row, cut = fresh(), int(np.random.default_rng(seed).integers(1, 1200))
        first = observed(bars[:cut], row)
        loaded = fresh()
        loaded[:] = np.frombuffer(row.tobytes(), row.dtype)
        read = np.concatenate([first, observed(bars[cut:], loaded)]).view(READING)
        for name, x in fields(calculate_indicators(bars["high"], bars["low"], bars["close"])).items():
            assert bits(x) == bits(row_says(read)[name]), (cut, name)


@pytest.mark.nojit
def test_regimes_are_those_of_a_row() -> None:
    for seed in range(3):
        bars, rows, think = walk(seed, 1500, 100.0, 2e-3), fresh(), thinker()
        now, volatility = [], []
        for _ in think.trade(rows, bars[:, None]):
            now.append(int(rows["regime"]["now"][0]))
            volatility.append(int(rows["regime"]["volatility"][0]))
        read = calculate_indicators(bars["high"], bars["low"], bars["close"])
        assert regimes(read).tolist() == now
        assert calculate_volatility_regime(read["atr14"]).tolist() == volatility
        assert {TREND, REVERSION, NEUTRAL, HIGH, LOW} >= set(now) | set(volatility) > {NEUTRAL}


# -- no look ahead


@pytest.mark.nojit
@pytest.mark.parametrize("name", ALONE)
@settings(max_examples=15)
@given(kind=st.sampled_from(sorted(HARD)), seed=st.integers(0, 5), cut=st.integers(0, 1100))
def test_a_value_never_changes_when_bars_follow(name: str, kind: str, seed: int, cut: int) -> None:
    least, function = ALONE[name]
    bars, n = tape(kind, seed, 1100), max(cut, least)
    whole, part = function(*bars), function(*(x[:n] for x in bars))
    for output, x in part.items():
        assert bits(x) == bits(whole[output][:n]), output


@pytest.mark.nojit
@pytest.mark.parametrize("name", ALONE)
def test_the_shortest_input_gives_one_value_and_one_bar_less_gives_none(name: str) -> None:
    least, function = ALONE[name]
    bars = tape("walk", 1, least)
    for output, x in function(*bars).items():
        assert int(np.isnan(x).sum()) == FIRST.get(output, 0), output
    with pytest.raises(ValueError, match=rf" has {least - 1} values; it must have at least \d+, for the first"):
        function(*(x[: least - 1] for x in bars))


# -- what they say


@pytest.mark.nojit
def test_a_straight_way_is_efficient_and_there_and_back_is_not() -> None:
    assert set(calculate_efficiency_ratio(100.0 + np.arange(100.0))[10:].tolist()) == {1.0}
    assert set(calculate_efficiency_ratio(100.0 + np.arange(100.0) % 2)[10:].tolist()) == {0.0}
    assert set(calculate_efficiency_ratio(np.full(100, 7.0))[10:].tolist()) == {1.0}


@pytest.mark.nojit
def test_volatility_is_compared_with_its_own_mean_from_its_fiftieth_value_on() -> None:
    atr = np.concatenate([np.full(14, NAN), np.ones(60), [1.6, 1.0, 0.6]])
    assert calculate_volatility_regime(atr).tolist() == [NORMAL] * 74 + [HIGH, NORMAL, LOW]
    late = np.concatenate([np.full(14, NAN), np.ones(48), [9.0, 1.0, 9.0]])
    assert calculate_volatility_regime(late).tolist() == [NORMAL] * 63 + [NORMAL, HIGH]
    assert calculate_volatility_regime(late, 3, 8.0, 0.9).tolist() == [NORMAL] * 63 + [LOW, NORMAL]


@pytest.mark.nojit
def test_volatility_of_each_bar_is_that_of_a_plain_mean() -> None:
    atr = np.exp(np.random.default_rng(1).normal(0.0, 0.5, 3000))
    mean = np.lib.stride_tricks.sliding_window_view(atr, 50).mean(axis=1)
    told = calculate_volatility_regime(atr, 50, 1.5, 0.7)
    assert told[49:].tolist() == ((atr[49:] > 1.5 * mean) * 1 - (atr[49:] < 0.7 * mean)).tolist()
    assert set(told[:49].tolist()) == {NORMAL}
    assert told.dtype == np.int8


@pytest.mark.nojit
def test_regimes_change_on_the_bar_that_confirms_them() -> None:
    adx, r2 = np.array([30.0] * 4 + [10.0] * 4 + [NAN] * 4), np.array([0.9] * 4 + [0.1] * 8)
    told = detect_regime(adx, r2)
    assert told.tolist() == [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 0, 0]
    assert told.dtype == np.int8
    assert detect_regime(adx, r2, 1).tolist() == [1] * 4 + [2] * 4 + [0] * 4
    assert detect_regime(adx, r2, 1, strong_adx=30.0).tolist() == [0] * 4 + [2] * 4 + [0] * 4
    assert detect_regime(adx, r2, 1, quiet_r2=0.1).tolist() == [1] * 4 + [0] * 8


# -- the package


@pytest.mark.nojit
def test_the_public_names_are_there_and_no_other() -> None:
    assert {name for name in dir(kernel) if name in kernel.__all__} == set(kernel.__all__)
    for name in kernel.__all__:
        assert getattr(kernel, name) is not None
    with pytest.raises(AttributeError, match=r"module 'fluxhero\.kernel' has no attribute 'calculate_luck'"):
        kernel.calculate_luck  # noqa: B018


def test_codes_need_no_compiler() -> None:
    script = (
        "import sys, fluxhero.kernel, fluxhero.kernel.codes\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'numba', 'numpy', 'msgspec'}))\n"
        "from fluxhero.kernel import calculate_ema\n"
        "print(calculate_ema([1.0, 2.0, 3.0], 2)[1:].tolist(), 'numba' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines() == ["[]", "[1.5, 2.5] True"]
