"""A whole day with a broker that misbehaves in every way that we know of, heals, and is killed in between.

FLUXHERO_SEEDS=n: so many days.
"""

import os
import random
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero import replay as page
from fluxhero.brokers.faults import Ask, Fault, drawn
from fluxhero.brokers.faulty import Faulty
from fluxhero.cli import main
from fluxhero.exchange.matching import Snapshot
from fluxhero.feeds.replay import ReplaySource
from fluxhero.messages import MINUTE, Nanos
from fluxhero.ports import Traffic
from fluxhero.store.sqlite import FILE
from fluxhero.store.venue import FILE as VENUE
from fluxhero.world import EmbeddedWorld
from tests.market import FIRST, sessions, write_ticks
from tests.simulation.world import killed_at, scenario, simulate

SEEDS = int(os.environ.get("FLUXHERO_SEEDS", "5"))
OPEN = sessions(FIRST, FIRST)[0].open
HEALS = Nanos(OPEN + 90 * MINUTE)
ODDS = 0.3


class Ill(EmbeddedWorld):
    """Between the desk and the embedded venue stands a faulty wire; the market goes on as ever."""

    seed = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.paper, pick = self.broker, drawn(random.Random(f"{self.seed}").random, ODDS)

        def until_healed(ask: Ask, n: int) -> Fault | None:
            return pick(ask, n) if self.clock.now() < HEALS else None

        faulty = Faulty(self.paper, self.clock, until_healed)
        self.clock.at(HEALS, faulty.let_go, rank=0)
        self.broker: Any = faulty

    def source(
        self, traffic: Traffic, ours: int, pending: Callable[[], bool], flush: Callable[[], Awaitable[None]]
    ) -> ReplaySource:
        faulty, self.broker = self.broker, self.paper
        try:
            return super().source(traffic, ours, pending, flush)
        finally:
            self.broker = faulty

    def flush(self) -> None:
        self.paper.flush()


def books(state: Path) -> tuple[Any, ...]:
    """What is ours, and what is the venue's: positions, cash, open orders."""
    with closing(sqlite3.connect(state / FILE)) as db, closing(sqlite3.connect(state / VENUE)) as v:
        theirs = msgspec.msgpack.decode(v.execute("SELECT body FROM state").fetchone()[0], type=Snapshot)
        ours = (
            dict(db.execute("SELECT slot, qty FROM positions")), *db.execute("SELECT cash FROM account").fetchone(),
            {c for (c,) in db.execute("SELECT cid FROM orders WHERE state IN ('live', 'partial')")},
        )  # fmt: skip
        return ours, (theirs.positions, theirs.cash, {w.order.cid for w in theirs.resting})


@pytest.mark.parametrize("kills", [(), (9, 14, 25)], ids=["alive", "killed"])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_after_a_broker_that_misbehaved_the_books_agree(
    tmp_path: Path, seed: int, kills: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "EmbeddedWorld", Ill)
    monkeypatch.setattr(Ill, "seed", seed)
    for n, symbol in enumerate(("AAA", "BBB")):
        write_ticks(tmp_path, symbol, seed * 2 + n, per=6, minutes=150)
    state = tmp_path / "state"
    for kill in kills:
        killed_at(scenario(tmp_path, state, ("AAA", "BBB"), speed=0.0), kill, bool(kill % 2))
    trace = simulate(scenario(tmp_path, state, ("AAA", "BBB"), speed=0.0), 0)
    assert trace.orders
    ours, theirs = books(state)
    assert ours == theirs
    assert main(["verify", "--state", str(state)]) == 0
