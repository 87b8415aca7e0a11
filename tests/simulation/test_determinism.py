"""The same seed gives the same run; other seeds give another schedule and the same trades."""

import random
from datetime import date
from pathlib import Path

import pytest
import trio._core._run as trio_run

from tests.market import write_bars, write_ticks
from tests.simulation.world import Escaped, Trace, alarmed, scenario, simulate

SEEDS = range(20)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    for seed, symbol in enumerate(("AAA", "BBB")):
        write_ticks(folder, symbol, seed, per=3, minutes=300)
    for seed, symbol in enumerate(("CCC", "DDD")):
        write_bars(folder, symbol, seed, last=date(2024, 3, 26))
    return folder


def traced(data: Path, state: Path, seed: int | None, symbols: tuple[str, ...] = ("AAA", "BBB")) -> Trace:
    return simulate(scenario(data, state, symbols), seed)


@pytest.fixture(scope="module")
def traces(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Trace, Trace]]:
    states = tmp_path_factory.mktemp("states")
    return {s: (traced(data, states / f"{s}a", s), traced(data, states / f"{s}b", s)) for s in SEEDS}


def test_every_seed_run_twice_is_equal_to_the_last_task_step(traces: dict[int, tuple[Trace, Trace]]) -> None:
    assert {seed for seed, (once, again) in traces.items() if once != again} == set()


def test_the_seeds_give_different_schedules(traces: dict[int, tuple[Trace, Trace]]) -> None:
    assert len({once.schedule for once, _ in traces.values()}) == len(SEEDS)


def test_the_schedule_does_not_show_in_the_journal(traces: dict[int, tuple[Trace, Trace]]) -> None:
    assert len({once.journal for once, _ in traces.values()}) == 1
    assert len({(once.orders, once.fills, once.positions) for once, _ in traces.values()}) == 1


def test_the_scenario_trades(traces: dict[int, tuple[Trace, Trace]]) -> None:
    trace = traces[0][0]
    assert len(trace.orders) > 20
    assert len(trace.fills) > 6
    assert {order[2] for order in trace.orders} == {"entry", "exit", "stop"}


def test_an_unseeded_scheduler_differs_so_the_check_can_fail(data: Path, tmp_path: Path) -> None:
    schedules = {traced(data, tmp_path / str(i), None).schedule for i in range(4)}
    assert len(schedules) > 1


def test_bar_mode_does_not_depend_on_the_schedule_either(data: Path, tmp_path: Path) -> None:
    traces = [traced(data, tmp_path / str(seed), seed, ("CCC", "DDD")) for seed in range(3)]
    assert len({t.schedule for t in traces}) == 3
    assert len({t.journal for t in traces}) == 1


def test_the_private_hooks_that_make_trio_repeatable_are_there() -> None:
    assert isinstance(trio_run._ALLOW_DETERMINISTIC_SCHEDULING, bool)
    assert isinstance(trio_run._r, random.Random)


def test_the_alarm_rings() -> None:
    import time

    namespace = {"__name__": "fluxhero.core.culprit", "time": time}
    with alarmed(), pytest.raises(Escaped, match=r"fluxhero\.core\.culprit called time\.time"):
        exec("time.time()", namespace)
