"""Killed before or after a commit, then resumed: the end is the end of the unkilled run.

At one commit in five, in each case others; FLUXHERO_POINTS=all: at every single one.
"""

import itertools
import os
from pathlib import Path

import pytest

from tests.market import FIRST, write_bars, write_ticks
from tests.simulation.world import Trace, killed_at, scenario, simulate

EVERY = 1 if os.environ.get("FLUXHERO_POINTS") == "all" else 5


def ended(trace: Trace) -> tuple[object, ...]:
    return trace.journal, trace.orders, trace.fills, trace.positions


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("symbols", [("AAA", "BBB"), ("CCC", "DDD")], ids=["quote", "bar"])
def test_killed_at_every_commit_it_ends_the_same(tmp_path: Path, symbols: tuple[str, ...], before: bool) -> None:
    for n, symbol in enumerate(symbols):
        if symbols[0] == "AAA":
            write_ticks(tmp_path, symbol, n, per=6, minutes=120)
        else:
            write_bars(tmp_path, symbol, n, last=FIRST, minutes=150)
    whole = simulate(scenario(tmp_path, tmp_path / "whole", symbols, speed=0.0), 0)
    assert len(whole.fills) >= 4
    wrong = []
    for n in itertools.count(1 if EVERY == 1 else 1 + before, EVERY):
        state = tmp_path / f"killed-{n}"
        replay = scenario(tmp_path, state, symbols, speed=0.0)
        if not killed_at(replay, n, before):
            break
        killed_at(replay, 2, before)  # and once more while it recovers
        if ended(simulate(replay, 0)) != ended(whole):
            wrong.append(n)
    assert n > 20
    assert wrong == []
