"""A value never changes when later bars arrive, and a row saved at any bar goes on as if it had never stopped."""

from collections.abc import Iterator

import numpy as np
import pytest

from fluxhero.config import StrategyName
from fluxhero.kernel.state import Array
from fluxhero.messages import Quality
from tests.kernel.drive import fresh, observed, thinker, walk

CUTS = [1, 10, 20, 27, 50, 62, 63, 64, 65, 128, 255, 256, 257, 300, 511, 512, 513, 768, 1023, 1024, 1025]
BARS = 1200
Run = tuple[StrategyName, Array, list[tuple[list[int], bytes]]]  # its bars, and what came of each bar time


def life(strategy: StrategyName, rows: Array, tape: Array) -> Iterator[tuple[list[int], bytes]]:
    """Each bar time's busy symbols and all that the kernel knows after it."""
    for busy in thinker(strategy).trade(rows, tape):
        yield busy, rows.tobytes()


@pytest.fixture(scope="module", params=["dual_mode", "metronome"])
def unbroken(request: pytest.FixtureRequest) -> Run:
    """Three symbols that trade, one of them with bars missing."""
    strategy: StrategyName = request.param
    tape = np.stack([walk(seed, BARS, 20.0 * seed, 2e-3) for seed in (1, 2, 3)], axis=1)
    tape["quality"][7::11, 1] = Quality.NONE
    return strategy, tape, list(life(strategy, fresh(strategy, 3), tape))


def test_the_run_that_is_compared_trades(unbroken: Run) -> None:
    strategy, _, days = unbroken
    held = np.array([np.frombuffer(state, fresh(strategy).dtype)["trade"]["qty"] for _, state in days])
    opened = (np.diff(held != 0, axis=0) & (held[1:] != 0)).sum(axis=0)
    assert (opened >= 3).all()


@pytest.mark.parametrize("cut", CUTS)
def test_a_saved_row_continues_bit_for_bit(unbroken: Run, cut: int) -> None:
    strategy, tape, days = unbroken
    restored = np.frombuffer(days[cut - 1][1], fresh(strategy).dtype).copy()
    assert list(life(strategy, restored, tape[cut:])) == days[cut:]


def test_symbols_in_one_call_are_each_as_alone(unbroken: Run) -> None:
    strategy, tape, days = unbroken
    size = fresh(strategy).dtype.itemsize
    for i in range(3):
        alone = list(life(strategy, fresh(strategy), tape[:, i : i + 1]))
        assert [state for _, state in alone] == [state[i * size : (i + 1) * size] for _, state in days]
        assert [bool(busy) for busy, _ in alone] == [i in busy for busy, _ in days]


@pytest.mark.parametrize("quality", [Quality.NONE, Quality.EXTENDED, Quality.PARTIAL])
def test_a_bar_that_is_not_full_moves_nothing(quality: Quality) -> None:
    bars, rows, think = walk(4, 300), fresh("metronome"), thinker("metronome")
    list(think.trade(rows, bars[:, None]))
    before = rows.tobytes()
    other = bars[-1:].copy()
    other["quality"], other["close"], other["session"] = quality, 1.0, 99
    assert think(rows, other) == []
    assert rows.tobytes() == before


def test_readings_of_a_prefix_are_the_prefix_of_the_readings() -> None:
    for seed in range(3):
        bars = walk(seed, 2000)
        whole = observed(bars)
        for cut in (*CUTS, 1999):
            assert observed(bars[:cut]).tobytes() == whole[:cut].tobytes()


def test_bar_by_bar_is_the_whole_array_bit_for_bit() -> None:
    bars, rows = walk(5, 600), fresh()
    assert b"".join(observed(bars[t : t + 1], rows).tobytes() for t in range(600)) == observed(bars).tobytes()
