"""A value never changes when later bars arrive, and a row saved at any bar goes on as if it had never stopped.

Rows are all that there is: what a bar time makes of them depends on them and on its bars alone.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxhero.kernel.state import Array
from fluxhero.messages import MINUTE, Quality
from tests.kernel.drive import beside, fresh, observed, thinker, walk

CUTS = [1, 10, 20, 27, 50, 62, 63, 64, 65, 128, 255, 256, 257, 300, 511, 512, 513, 768, 1023, 1024, 1025]
BARS = 1200
SYMBOLS = 3


class Case(NamedTuple):
    strategy: str
    said: dict[str, float]


CASES = {
    "dual_mode": Case("dual_mode", {}),
    "both sides": Case("dual_mode", {"shorts": 1}),
    "adaptive": Case("dual_mode", {"shorts": 1, "adaptive": 1, "kama": 1}),
    "metronome": Case("metronome", {}),
    "metronome, both sides": Case("metronome", {"shorts": 1}),
}


class Life(NamedTuple):
    """Several symbols that trade, one of them with bars missing, and what came of each bar time."""

    case: Case
    tape: Array
    days: list[tuple[list[int], bytes]]


def lived(case: Case, rows: Array, tape: Array) -> Iterator[tuple[list[int], bytes]]:
    """Each bar time's busy symbols and all that the kernel knows after it."""
    for busy in thinker(case.strategy, **case.said).trade(rows, tape):
        yield busy, rows.tobytes()


@pytest.fixture(scope="module", params=CASES)
def life(request: pytest.FixtureRequest) -> Life:
    case = CASES[request.param]
    tape = beside(*(walk(seed, BARS, 20.0 * seed, 2e-3) for seed in range(1, SYMBOLS + 1)))
    tape["spread"] = 0.01
    tape["quality"][7::11, 1] = Quality.NONE
    return Life(case, tape, list(lived(case, fresh(case.strategy, SYMBOLS), tape)))


def rows_at(life: Life, bar: int) -> Array:
    """As they were after that many bars."""
    rows = fresh(life.case.strategy, SYMBOLS)
    if bar:
        rows[:] = np.frombuffer(life.days[bar - 1][1], rows.dtype)
    return rows


def test_the_run_that_is_compared_trades_on_every_side_that_it_may(life: Life) -> None:
    held = np.array([np.frombuffer(state, fresh(life.case.strategy).dtype)["trade"]["qty"] for _, state in life.days])
    opened = (np.diff(held != 0, axis=0) & (held[1:] != 0)).sum(axis=0)
    assert (opened >= 3).all()
    assert {int(s) for s in np.sign(held).ravel()} == ({-1, 0, 1} if "shorts" in life.case.said else {0, 1})


@pytest.mark.parametrize("cut", CUTS)
def test_a_saved_row_continues_bit_for_bit(life: Life, cut: int) -> None:
    some = life.tape[cut : cut + 300]
    assert list(lived(life.case, rows_at(life, cut), some)) == life.days[cut : cut + 300]


@settings(max_examples=25)
@given(st.lists(st.integers(0, BARS - 1), min_size=1, max_size=4))
def test_however_often_it_was_stopped(life: Life, cuts: list[int]) -> None:
    """Each stop is followed by twenty bars, and the last one by all that is left, out of what was saved there."""
    stops = sorted(cuts)
    for stop in stops[:-1]:
        assert list(lived(life.case, rows_at(life, stop), life.tape[stop : stop + 20])) == life.days[stop : stop + 20]
    last = max(stops[-1], BARS - 200)
    assert list(lived(life.case, rows_at(life, last), life.tape[last:])) == life.days[last:]


def test_a_prefix_of_the_bars_is_decided_as_the_whole(life: Life) -> None:
    for end in (100, 513):
        assert list(lived(life.case, rows_at(life, 0), life.tape[:end])) == life.days[:end]


def test_symbols_in_one_call_are_each_as_alone(life: Life) -> None:
    size = fresh(life.case.strategy).dtype.itemsize
    for i in range(SYMBOLS):
        alone = list(lived(life.case, fresh(life.case.strategy), life.tape[:, i : i + 1]))
        assert [state for _, state in alone] == [state[i * size : (i + 1) * size] for _, state in life.days]
        assert [bool(busy) for busy, _ in alone] == [i in busy for busy, _ in life.days]


def test_symbols_decide_alike_in_any_order(life: Life) -> None:
    turned = [2, 0, 1]
    size = fresh(life.case.strategy).dtype.itemsize
    tape = beside(*(life.tape[:300, i] for i in turned))
    again = list(lived(life.case, fresh(life.case.strategy, SYMBOLS), tape))
    for (busy, state), (expected, all_) in zip(again, life.days, strict=False):
        assert state == b"".join(all_[i * size : (i + 1) * size] for i in turned)
        assert busy == sorted(turned.index(i) for i in expected)


def test_a_symbol_without_a_bar_does_not_move_and_the_others_do(life: Life) -> None:
    size = fresh(life.case.strategy).dtype.itemsize
    before = bytes(SYMBOLS * size)
    for bars, (busy, state) in zip(life.tape, life.days, strict=True):
        moved = [state[i * size : (i + 1) * size] != before[i * size : (i + 1) * size] for i in range(SYMBOLS)]
        assert moved == (bars["quality"] == Quality.FULL).tolist()
        assert all(moved[i] for i in busy)
        before = state


@pytest.mark.nojit
@pytest.mark.parametrize("quality", [Quality.NONE, Quality.EXTENDED, Quality.PARTIAL])
def test_a_bar_that_is_not_full_moves_nothing(quality: Quality) -> None:
    bars, rows, think = walk(4, 300), fresh("metronome"), thinker("metronome")
    list(think.trade(rows, bars[:, None]))
    before = rows.tobytes()
    other = bars[-1:].copy()
    other["quality"], other["close"], other["session"], other["ts"] = quality, 1.0, 99, 10**6 * MINUTE
    assert think(rows, other) == []
    assert rows.tobytes() == before


@pytest.mark.parametrize("said", [{}, {"adaptive": 1, "kama": 1}], ids=["default", "adaptive"])
def test_readings_of_a_prefix_are_the_prefix_of_the_readings(said: dict[str, float]) -> None:
    for seed in range(3):
        bars = walk(seed, 2000)
        whole = observed(bars, **said)
        for cut in (*CUTS, 1999):
            assert observed(bars[:cut], **said).tobytes() == whole[:cut].tobytes()


@pytest.mark.nojit
def test_bar_by_bar_is_the_whole_array_bit_for_bit() -> None:
    bars, rows = walk(5, 600), fresh()
    assert b"".join(observed(bars[t : t + 1], rows).tobytes() for t in range(600)) == observed(bars).tobytes()
