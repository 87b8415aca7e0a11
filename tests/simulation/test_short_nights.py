"""Short over a night, killed here and there and resumed: it is charged once, and the end is the same."""

from datetime import date
from pathlib import Path

import pytest

from fluxhero.config import parse
from fluxhero.core.calendar import nyse
from fluxhero.feeds.recording import Request, load
from fluxhero.kernel.plug import settled
from fluxhero.replay import Replay
from fluxhero.store.sqlite import SQLiteStore
from fluxhero.store.venue import VenueLedger
from tests.market import write_bars, write_ticks
from tests.simulation.world import Trace, killed_at, simulate

LAST = date(2024, 3, 27)
CONFIG = """
strategy.name = "metronome"
strategy.metronome = { every = 34, keep = 30 }
gates = { shorts = true, last_minutes = 0 }
risk.stop_atr = 20.0
"""
MINUTES = 70  # of both sessions: sold short with bar 68, and bought back on the second day


def replay(data: Path, state: Path, symbols: tuple[str, ...]) -> Replay:
    request = Request(data=data, symbols=symbols)
    return Replay(
        recording=load(request, nyse()), request=request, config=settled(parse(CONFIG)), directory=state, speed=0.0
    )  # fmt: skip


def ended(trace: Trace) -> tuple[object, ...]:
    return trace.journal, trace.orders, trace.fills, trace.positions


@pytest.mark.parametrize(("symbols", "step"), [(("AAA", "BBB"), 11), (("CCC", "DDD"), 5)], ids=["quote", "bar"])
def test_killed_before_or_after_a_commit_a_night_is_charged_once(
    tmp_path: Path, symbols: tuple[str, ...], step: int
) -> None:
    for n, symbol in enumerate(symbols):
        if symbols[0] == "AAA":
            write_ticks(tmp_path, symbol, n, last=LAST, per=12, minutes=MINUTES)
        else:
            write_bars(tmp_path, symbol, n, last=LAST, minutes=MINUTES)
    whole = simulate(replay(tmp_path, tmp_path / "whole", symbols), 0)
    with SQLiteStore(tmp_path / "whole") as store:
        charged = store.db.execute("SELECT slot FROM charges ORDER BY n").fetchall()
        ledger = VenueLedger(tmp_path / "whole")
        assert ledger.state is not None
        assert (charged, store.restore(1).cash) == ([(0,), (1,)], ledger.state.cash)
        ledger.close()
    wrong, n = [], 1
    while killed_at(replay(tmp_path, tmp_path / f"killed-{n}", symbols), n, n % 2 == 0):
        if ended(simulate(replay(tmp_path, tmp_path / f"killed-{n}", symbols), 0)) != ended(whole):
            wrong.append(n)
        n += step
    assert (wrong, n > 10 * step) == ([], True)
