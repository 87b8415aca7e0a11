"""A disk that is full when trading is to stop."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import trio

from fluxhero.brokers.paper import Paper
from fluxhero.core.ladder import Rung
from fluxhero.messages import Cancel, Command, Order, Role, Verb
from fluxhero.store.sqlite import SQLiteStore
from tests.simulation import hour as an
from tests.simulation.test_arms import Living, live
from tests.simulation.world import scenario


def test_what_lessens_risk_leaves_though_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry stands, somebody halts, and the journal takes nothing for three seconds."""
    commit, post, full = SQLiteStore.commit, Paper.post, [False]
    left: list[Order | Cancel] = []
    seen: list[Any] = []

    def refusing(self: Any, *args: Any) -> None:
        if full[0]:
            raise sqlite3.OperationalError("database or disk is full")
        commit(self, *args)

    def posting(self: Any, what: Order | Cancel) -> None:
        if full[0]:
            left.append(what)
        post(self, what)

    monkeypatch.setattr(SQLiteStore, "commit", refusing)
    monkeypatch.setattr(Paper, "post", posting)

    def entering(d: Living) -> bool:
        life = d.house._life
        return life is not None and any(x.open and x.order.role is Role.ENTRY for x in life.mind.desk.lives.values())

    async def play(d: Living) -> None:
        while not entering(d):
            await trio.sleep(0.01)
        full[0] = True
        with trio.move_on_after(3):
            await d.controllers[-1]._wire(Command(verb=Verb.HALT, reason="by hand"))
        full[0] = False
        await trio.sleep(3)
        seen.append((Rung(d.house.brake.rung), d.house.vitals.crashes.total()))
        d.leaving.set()

    live(scenario(an.market(tmp_path, "quote"), tmp_path / "s", an.MODELS["quote"], speed=60.0), play)
    with SQLiteStore(tmp_path / "s") as store:
        held = [row.trip for row in store.restore(1).trips]
    assert (seen, held) == ([(Rung.HALTED, 0)], ["halt"])
    assert [type(what) for what in left if isinstance(what, Cancel) or what.role is Role.ENTRY][:1] == [Cancel]
