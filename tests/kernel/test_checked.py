"""What the public functions take, and how they say what is wrong: the argument, its value, the bound."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fluxhero.kernel import (
    INDICATORS,
    calculate_adx,
    calculate_atr,
    calculate_bollinger,
    calculate_correlation,
    calculate_ema,
    calculate_indicators,
    calculate_kama,
    calculate_volatility_regime,
    detect_regime,
)
from tests.kernel.functions import ALONE, bits, tape

pytestmark = pytest.mark.nojit

NAN = math.nan


@pytest.mark.parametrize("name", [name for name in ALONE if name not in ("volatility", "regime")])
def test_what_is_not_contiguous_or_read_only_or_another_real_dtype_is_copied(name: str) -> None:
    function = ALONE[name][1]
    bars = tuple(np.round(x * 100.0) for x in tape("walk", 2, 400))
    expected = {output: bits(x) for output, x in function(*bars).items()}
    frozen = tuple(x.copy() for x in bars)
    for x in frozen:
        x.flags.writeable = False
    for same in (
        tuple(np.repeat(x, 3)[::3] for x in bars),
        frozen,
        tuple(x.astype(np.int32) for x in bars),
        tuple(x.astype(np.float32) for x in bars),
        tuple(x.astype(">f8") for x in bars),
        tuple(x.tolist() for x in bars),
    ):
        assert {output: bits(x) for output, x in function(*same).items()} == expected


CLOSE = np.linspace(100.0, 101.0, 60)
HOLED, ENDLESS = np.where(np.arange(60) == 17, NAN, CLOSE), np.append(CLOSE, -math.inf)
SHORT = CLOSE[:27]
FIX = "drop such bars, or fill them"
BOUND = f"it must be finite: {FIX}"
BEFORE = f"it must be NaN before the first value alone: {FIX}"
LEAST = "for the first that is known"
REAL = "it must be of real numbers, such as float64"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: calculate_ema([]), f"close has 0 values; it must have at least 20, {LEAST}"),
        (lambda: calculate_ema(CLOSE[:19]), f"close has 19 values; it must have at least 20, {LEAST}"),
        (lambda: calculate_ema(CLOSE.reshape(2, 30)), "close has the shape (2, 30); it must have one dimension"),
        (lambda: calculate_ema(100.0), "close has the shape (); it must have one dimension"),
        (lambda: calculate_ema(CLOSE.astype(object)), f"close has the dtype object; {REAL}"),
        (lambda: calculate_ema(CLOSE + 1j), f"close has the dtype complex128; {REAL}"),
        (lambda: calculate_ema(CLOSE > 100.0), f"close has the dtype bool; {REAL}"),
        (lambda: calculate_ema(["a"] * 60), f"close has the dtype <U1; {REAL}"),
        (lambda: calculate_ema(HOLED), f"close[17] is nan; {BOUND}"),
        (lambda: calculate_ema(ENDLESS), f"close[60] is -inf; {BOUND}"),
        (lambda: calculate_ema(CLOSE, 1), "period is 1; it must be a whole number, at least 2"),
        (lambda: calculate_ema(CLOSE, True), "period is True; it must be a whole number, at least 2"),
        (lambda: calculate_ema(CLOSE, 20.0), "period is 20.0; it must be a whole number, at least 2"),  # type: ignore[arg-type]
        (lambda: calculate_ema(CLOSE, "20"), "period is '20'; it must be a whole number, at least 2"),  # type: ignore[arg-type]
        (lambda: calculate_atr(CLOSE, CLOSE[1:], CLOSE), "low has 59 values and high 60; they must have equally many"),
        (lambda: calculate_atr(CLOSE, HOLED, CLOSE), f"low[17] is nan; {BOUND}"),
        (lambda: calculate_adx(SHORT, SHORT, SHORT), f"high has 27 values; it must have at least 28, {LEAST}"),
        (lambda: calculate_kama(CLOSE, 10, 30, 30), "slow is 30; it must be a whole number, at least 31"),
        (lambda: calculate_bollinger(CLOSE, 20, 0.0), "width is 0.0; it must be a finite number over 0"),
        (lambda: calculate_bollinger(CLOSE, 20, math.inf), "width is inf; it must be a finite number over 0"),
        (lambda: calculate_bollinger(CLOSE, 20, "2x"), "width is '2x'; it must be a finite number over 0"),  # type: ignore[arg-type]
        (lambda: calculate_correlation(CLOSE, CLOSE[:50]), "b has 50 values and a 60; they must have equally many"),
        (lambda: calculate_volatility_regime(HOLED), f"atr[17] is nan; {BEFORE}"),
        (lambda: calculate_volatility_regime(ENDLESS), f"atr[60] is -inf; it must be finite or NaN: {FIX}"),
        (lambda: calculate_volatility_regime(CLOSE, 50, 0.7, 0.7), "high is 0.7; it must be a finite number over 0.7"),
        (lambda: detect_regime(CLOSE, CLOSE, 0), "confirm is 0; it must be a whole number, at least 1"),
        (lambda: detect_regime(CLOSE, CLOSE, quiet_r2=0.7), "strong_r2 is 0.6; it must be a finite number over 0.7"),
        (lambda: detect_regime(CLOSE, CLOSE, quiet_adx=NAN), "quiet_adx is nan; it must be a finite number over 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named_with_its_value_and_its_bound(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        call()
    assert str(refused.value) == said


@pytest.mark.parametrize("wrong", [NAN, math.inf, -math.inf])
@pytest.mark.parametrize("t", [0, 30, 63, 64, 300, 399])
@pytest.mark.parametrize("which", range(3))
def test_the_suite_finds_whatever_is_not_finite(wrong: float, t: int, which: int) -> None:
    bars = [x.copy() for x in tape("walk", 3, 400)]
    bars[which][t] = wrong
    name = ("high", "low", "close")[which]
    with np.errstate(invalid="ignore"), pytest.raises(ValueError) as refused:  # noqa: PT011
        calculate_indicators(*bars)
    assert str(refused.value) == f"{name}[{t}] is {wrong}; {BOUND}"


def test_the_suite_writes_where_it_is_told_to() -> None:
    bars = tape("walk", 4, 200)
    out = np.zeros(200, INDICATORS)
    assert calculate_indicators(*bars, out) is out
    assert out.tobytes() == calculate_indicators(*bars).tobytes()


def test_where_it_cannot_write_it_says_why() -> None:
    bars = tape("walk", 4, 200)
    fixed = np.zeros(200, INDICATORS)
    fixed.flags.writeable = False
    for out, said in (
        ([], "out is a list; it must be an array"),
        (np.zeros(200), f"out has the dtype float64; it must be {INDICATORS}"),
        (np.zeros(199, INDICATORS), "out has the shape (199,); it must be (200,), one for each bar"),
        (np.zeros(400, INDICATORS)[::2], "out is read-only or not contiguous; give it memory of its own"),
        (fixed, "out is read-only or not contiguous; give it memory of its own"),
    ):
        with pytest.raises(ValueError) as refused:  # noqa: PT011
            calculate_indicators(*bars, out)  # type: ignore[arg-type]
        assert str(refused.value) == said


def test_bars_whose_close_is_not_within_are_taken() -> None:
    high, low, close = tape("walk", 5, 100)
    assert np.isfinite(calculate_atr(low, high, close)[14:]).all()
