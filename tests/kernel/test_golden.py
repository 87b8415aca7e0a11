"""The golden table, made once with TA-Lib: every column of it, with its gaps."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fluxhero.kernel import calculate_adx, calculate_indicators, calculate_sma
from fluxhero.kernel.state import Array

pytestmark = [pytest.mark.data, pytest.mark.nojit]

RECURSIVE = ("ema20", "rsi14", "atr14", "adx14", "plus_di14", "minus_di14", "kama10")
WINDOWS = ("sma20", "sma50", "bb_up", "bb_mid", "bb_lo", "stddev20")
LINES = ("slope50", "r2_50")
SUITE = {
    "ema20": "ema20", "rsi14": "rsi14", "atr14": "atr14", "adx14": "adx14", "kama10": "kama10", "bb_up": "bb_upper",
    "bb_mid": "bb_mid", "bb_lo": "bb_lower", "stddev20": "stdev20", "slope50": "slope50", "r2_50": "r2_50",
}  # fmt: skip


@pytest.fixture(scope="module")
def golden(data_dir: Path) -> dict[str, Array]:
    columns = pq.read_table(data_dir / "golden_SPY_1d.parquet").to_pydict()
    return {name: np.asarray(column, np.float64) for name, column in columns.items()}


@pytest.fixture(scope="module")
def ours(data_dir: Path) -> dict[str, Array]:
    columns = pq.read_table(data_dir / "SPY_1d.parquet").to_pydict()
    high, low, close = (np.asarray(columns[name]) for name in ("high", "low", "close"))
    read, (_, plus, minus) = calculate_indicators(high, low, close), calculate_adx(high, low, close)
    alone = {"sma20": calculate_sma(close, 20), "sma50": calculate_sma(close, 50)}
    return {**{name: read[field] for name, field in SUITE.items()}, **alone, "plus_di14": plus, "minus_di14": minus}


def test_no_column_is_left_out(golden: dict[str, Array], ours: dict[str, Array]) -> None:
    assert golden.keys() - {"ts", "close"} == ours.keys()


def test_the_gaps_are_the_same(golden: dict[str, Array], ours: dict[str, Array]) -> None:
    assert {name: np.flatnonzero(np.isnan(x)).tolist() for name, x in ours.items()} == {
        name: np.flatnonzero(np.isnan(golden[name])).tolist() for name in ours
    }


@pytest.mark.parametrize("name", RECURSIVE)
def test_recursive_indicators_are_talibs(golden: dict[str, Array], ours: dict[str, Array], name: str) -> None:
    np.testing.assert_allclose(ours[name], golden[name], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", WINDOWS)
def test_windows_are_to_a_billionth_of_the_price(golden: dict[str, Array], ours: dict[str, Array], name: str) -> None:
    assert not (np.abs(ours[name] - golden[name]) > 1e-9 * golden["close"]).any()


@pytest.mark.parametrize("name", LINES)
def test_lines_are_to_a_billionth(golden: dict[str, Array], ours: dict[str, Array], name: str) -> None:
    np.testing.assert_allclose(ours[name], golden[name], rtol=0, atol=1e-9)
