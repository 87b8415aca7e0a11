"""An actor that crashes: all begin anew from the journal, and the market cannot tell."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero.kernel.plug import Strategy
from fluxhero.kernel.think import Mind, build
from tests.market import FIRST, write_bars, write_ticks
from tests.simulation.world import Trace, scenario, simulate


def ended(trace: Trace) -> tuple[object, ...]:
    return trace.journal, trace.orders, trace.fills, trace.positions


class Flaky:
    """A strategy's `think` that crashes at some of its calls."""

    def __init__(self, build: Callable[[Strategy], Mind], crashes: set[int]) -> None:
        self._build, self._crashes, self.calls = build, crashes, 0

    def __call__(self, strategy: Strategy) -> Mind:
        mind = self._build(strategy)

        def flaky(*args: Any) -> int:
            self.calls += 1
            if self.calls in self._crashes:
                raise RuntimeError("a cosmic ray")
            return mind.think(*args)

        return mind._replace(think=flaky)


@pytest.mark.parametrize("symbols", [("AAA", "BBB"), ("CCC", "DDD")], ids=["quote", "bar"])
def test_crashes_of_the_strategy_do_not_show(
    tmp_path: Path, symbols: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for n, symbol in enumerate(symbols):
        write_ticks(tmp_path, symbol, n, per=6, minutes=150) if symbols[0] == "AAA" else write_bars(
            tmp_path, symbol, n, last=FIRST, minutes=150
        )
    whole = simulate(scenario(tmp_path, tmp_path / "whole", symbols), 0)
    assert len(whole.fills) >= 4
    flaky = Flaky(build, {1, 80, 96, 97})
    monkeypatch.setattr("fluxhero.outset.build", flaky)
    crashed = simulate(scenario(tmp_path, tmp_path / "crashed", symbols), 0)
    assert flaky.calls > 97
    assert ended(crashed) == ended(whole)


def test_a_strategy_that_always_crashes_stays_down_and_the_tape_is_seen_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bars(tmp_path, "CCC", 0, last=FIRST, minutes=30)
    flaky = Flaky(build, set(range(100)))
    monkeypatch.setattr("fluxhero.outset.build", flaky)
    trace = simulate(scenario(tmp_path, tmp_path / "state", ("CCC",)), 0)
    assert (flaky.calls, trace.orders, trace.fills, trace.positions) == (6, (), (), ())
    with closing(sqlite3.connect(tmp_path / "state" / "fluxhero.sqlite")) as db:
        assert db.execute("SELECT position FROM cursors WHERE name = 'tape'").fetchall() == [(30,)]
    assert "going on without those who only seek entries" in "".join(capsys.readouterr())


def test_messages_are_frozen() -> None:
    from fluxhero import messages

    classes = [c for c in vars(messages).values() if isinstance(c, type) and issubclass(c, messages.Message)]
    assert len(classes) > 20
    assert {c.__name__ for c in classes if not c.__struct_config__.frozen} == set()
    assert issubclass(messages.Message, msgspec.Struct)
