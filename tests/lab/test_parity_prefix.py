"""What a backtest has come to by some bar time does not depend on later ones, on where it stopped, or on a compiler."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from fluxhero.core.terms import account, parameters
from fluxhero.kernel.places import TABLES
from fluxhero.kernel.plug import find
from fluxhero.kernel.simulate import Track, opened, simulator
from fluxhero.kernel.trading import BY_RISK, Symbols, Terms
from fluxhero.lab.engine import BacktestEngine, Played, Trial
from fluxhero.lab.history import History
from fluxhero.messages import Array, Model, micros
from tests.kernel.drive import COMPILED
from tests.lab.portfolios import Portfolio, drawn
from tests.lab.twin import digests

ROOT = Path(__file__).parents[2]
SEEDS = range(12)


def played(p: Portfolio, past: History) -> Played:
    return BacktestEngine(past, Trial(config=p.config, release=p.release)).played()


def written_by(tables: dict[str, Array], end: int) -> dict[str, bytes]:
    """What stood there at `end`, which saw nothing of a trip's later release."""
    made = {}
    for name, table in tables.items():
        rows = table[table["closed" if name == "rounds" else "ts"] <= end].copy()
        if name == "trips":
            rows["released"][rows["released"] > end] = 0
        made[name] = rows.tobytes()
    return made


def test_a_prefix_of_the_bars_comes_to_the_prefix_of_the_whole() -> None:
    for seed in SEEDS:
        p = drawn(seed)
        past, whole = p.past, played(p, p.past)
        for cut in np.random.default_rng(seed).integers(1, len(past.market.ends), 4).tolist():
            part = played(p, past.part(0, cut))
            end = int(past.market.ends[cut - 1])
            assert written_by(dict(part.tables), end) == written_by(dict(whole.tables), end), (seed, cut)
            for ours, theirs in zip(part.track, whole.track, strict=True):
                assert ours.tobytes() == theirs[:cut].tobytes(), (seed, cut)


class Stepped:
    """One backtest that goes on from wherever it was left."""

    def __init__(self, p: Portfolio) -> None:
        self.past, self.strategy = p.past, find(p.config.strategy.name)
        cash, n = micros(p.config.paper.cash), len(p.past.symbols)
        rules = parameters(
            p.config, Model.BAR, daily=p.past.timeframe == "1d", raw=not p.past.adjusted, span=p.past.span
        )  # fmt: skip
        began = account(cash)
        began["trail"] = rules["rules"]["stop_atr"]
        self.desk, self.of = opened(self.strategy, n, began, rules, cash)
        self.desk["verbose"] = 1
        barred = np.array([symbol in p.config.gates.hard_to_borrow for symbol in p.past.symbols], np.int64)
        self.terms = Terms(BY_RISK, 0, p.release, barred)
        self.track = Track(*(np.zeros(len(p.past.market.ends), np.int64) for _ in Track._fields))
        self.at = 0

    def on(self, end: int) -> None:
        """Up to bar time `end`, out of copies of all that there is, as another process would."""
        self.desk, self.of = self.desk.copy(), Symbols(*(x.copy() for x in self.of))
        part = self.past.part(0, end).market
        busy = np.zeros(len(self.past.symbols), np.int64)
        self.at = simulator(self.strategy)(self.desk, self.of, part, self.track, self.terms, busy, self.at)

    def bytes(self) -> list[bytes]:
        rows = [self.desk["log"][name][0][: int(self.desk["purse"][name][0])] for name in TABLES._fields]
        return [x.tobytes() for x in (*rows, *self.of, *self.track, self.desk["account"], self.desk["purse"])]


def test_stopping_and_going_on_comes_to_the_same() -> None:
    for seed in SEEDS:
        p = drawn(seed)
        times = len(p.past.market.ends)
        stops = sorted(set(np.random.default_rng(seed).integers(1, times, 6).tolist()))
        whole, parts = Stepped(p), Stepped(p)
        whole.on(times)
        for stop in (*stops, times):
            parts.on(stop)
        assert parts.bytes() == whole.bytes(), seed


def test_the_rows_at_a_cut_are_those_of_a_backtest_that_ends_there() -> None:
    for seed in SEEDS:
        p = drawn(seed)
        cut, stepped = len(p.past.market.ends) // 2, Stepped(p)
        stepped.on(cut)
        part = played(p, p.past.part(0, cut))
        assert stepped.at == cut
        assert [x.tobytes() for x in part.symbols[:3]] == [x.tobytes() for x in stepped.of[:3]], seed
        assert part.desk["account"].tobytes() == stepped.desk["account"].tobytes(), seed


def test_plain_python_comes_to_the_same_as_compiled_code() -> None:
    assert COMPILED
    run = [sys.executable, "-m", "tests.lab.twin"]
    out = subprocess.run(run, cwd=ROOT, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, check=True)
    assert json.loads(out.stdout) == digests()
