"""What a halt leaves must survive a torn file, a busy risk actor and a disk that hangs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from fluxhero.actors.risk import risk as actor
from fluxhero.actors.senses import senses
from fluxhero.core import journal
from fluxhero.core.ladder import Rung
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Past, account
from fluxhero.messages import Cid, Command, Granted, Micros, Model, Nanos, Order, Role, Sensed, Shares, Side, Type, Verb
from fluxhero.restore import _unwritten
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.channels import Traffic, ask, box
from fluxhero.runtime.clock import DrivenClock
from fluxhero.store.sentinel import HaltFile
from fluxhero.store.sqlite import SQLiteStore
from tests.core.watching import CASH, minute, risk, seek, signals, terms
from tests.porting import Silent, ports_of


def opened(store: SQLiteStore) -> None:
    store.commit(
        [
            journal.Opened(
                ts=Nanos(0), account="papr", epoch="00", cash=Micros(10**11), model=Model.BAR, symbols=("A", "B"),
                identity={},
            ),
            journal.Settings(ts=Nanos(0), hash="h", strategy="metronome", params=b""),
        ],
        (), 0, 0,
    )  # fmt: skip


def intent(n: int = 1) -> journal.Intent:
    o = Order(
        cid=Cid(f"fh-papr-00-{n}-0"), ts=Nanos(n), slot=0, role=Role.EXIT, side=Side.SELL, type=Type.MARKET,
        qty=Shares(5),
    )  # fmt: skip
    return journal.Intent(ts=Nanos(n), order=o)


async def test_what_somebody_has_pulled_by_hand_no_ruling_lets_go_of(tmp_path: Path) -> None:
    """SIGUSR1 sets the brake; risk, which has not heard of it yet, rules on what the strategy seeks."""
    traffic, brake = Traffic(), Brake(HaltFile(tmp_path))
    to_risk, at_risk = box(64, traffic)
    (to_orders, _), (to_strategy, _), (to_recorder, _) = box(64, traffic), box(64, traffic), box(64, traffic)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            actor, at_risk, to_risk, to_orders, to_strategy, to_recorder, risk(), DrivenClock(), brake, 0, Nanos(0),
            Silent(),
        )  # fmt: skip
        await trio.testing.wait_all_tasks_blocked()
        brake.pull(Rung.HALTED, "SIGUSR1")
        to_risk.send_nowait(signals(minute(1), seek()))
        await trio.testing.wait_all_tasks_blocked()
        assert Rung(brake.rung) is Rung.HALTED
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("torn", ["row c1", "row " + journal.encode(intent()).hex()[:-6], "row 9301", "row"])
def test_a_line_that_is_no_row_keeps_nobody_from_beginning(tmp_path: Path, torn: str) -> None:
    (tmp_path / "halt").write_text(f"why\nrow {journal.encode(intent()).hex()}\n{torn}\n")
    with SQLiteStore(tmp_path) as store:
        opened(store)
        rows = _unwritten(ports_of(store), store.restore(1))
    assert [type(row) for row in rows] == [journal.Intent, journal.Tripped]


def test_a_word_written_by_hand_without_an_end_swallows_no_row(tmp_path: Path) -> None:
    (tmp_path / "halt").write_text("stop now")
    HaltFile(tmp_path).write("the journal cannot be written", [intent()])
    assert HaltFile(tmp_path).read() == ("stop now", [journal.encode(intent())])


def test_rows_of_a_halt_that_lasts_are_journaled_once(tmp_path: Path) -> None:
    """A week later, and 10,000 rows on, at another start."""
    with SQLiteStore(tmp_path) as store:
        opened(store)
        ports = ports_of(store)
        ports.sentinel.write("the journal cannot be written", [intent()])
        for _ in range(2):
            rows = _unwritten(ports, store.restore(1))
            store.commit(rows, (), 0, 0)
            ports.sentinel.kept()
            aim = [journal.Aim(ts=Nanos(9), slot=0, leaving=False, stop=Micros(0), mode=0, volume=0.0)]
            store.commit(aim * 10_001, (), 0, 0)
        assert store.db.execute("SELECT count(*) FROM orders").fetchone() == (1,)


async def test_a_release_keeps_what_the_journal_does_not_have_yet(tmp_path: Path) -> None:
    """The file is the only record of an order that has left, until the journal has caught up."""
    traffic, brake, watch = Traffic(), Brake(HaltFile(tmp_path)), risk()
    to_risk, at_risk = box(64, traffic)
    (to_orders, _), (to_strategy, _), (to_recorder, _) = box(64, traffic), box(64, traffic), box(64, traffic)
    watch.command(Command(verb=Verb.HALT, reason="x"), minute(1))
    brake.sentinel.write("the journal cannot be written", [intent()])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            actor, at_risk, to_risk, to_orders, to_strategy, to_recorder, watch, DrivenClock(), brake, 0, minute(1),
            Silent(),
        )  # fmt: skip
        await ask(to_risk, Command(verb=Verb.RELEASE, trip="halt", reason="y"))
        assert brake.sentinel.read() == ("the journal cannot be written", [journal.encode(intent())])  # not durable yet
        nursery.cancel_scope.cancel()


class Hand:
    def __init__(self) -> None:
        self.stands = False

    def read(self) -> Any:
        return ("by hand", []) if self.stands else None


async def looked(looks: list[tuple[Sensed, ...]], hand: Any, hung: bool) -> list[Any]:
    said: list[Any] = []
    taken = iter(looks)

    async def wire(what: Any) -> None:
        said.append(what)
        if hung and isinstance(what, Sensed):
            await trio.sleep_forever()  # its turn never comes, or the disk never answers

    class Host:
        async def sleep(self, seconds: float) -> None:
            await trio.sleep(seconds)

    with trio.move_on_after(5.5):
        await senses(Host(), lambda: next(taken, ()), Brake(hand), wire, lambda looked: None)  # type: ignore[arg-type]
    return said


FULL = Sensed(trip="disk", over=True, cause="full")


async def test_a_halt_file_is_seen_though_the_machine_s_news_wait(autojump_clock: Any) -> None:
    hand = Hand()
    hand.stands = True
    said = await looked([(FULL,)], hand, hung=True)
    assert Command(verb=Verb.HALT, reason="by hand") in said


async def test_what_a_former_life_may_not_have_canceled_is_canceled_at_once(tmp_path: Path) -> None:
    """It died when the trip was durable and nothing had followed from it."""
    traffic, brake = Traffic(), Brake(HaltFile(tmp_path))
    to_risk, at_risk = box(64, traffic)
    (to_orders, at_orders), (to_strategy, _), (to_recorder, _) = (box(64, traffic) for _ in range(3))
    halted = journal.Tripped(ts=minute(1), trip="halt", cause="x", equity=Micros(0), value=0.0, limit=0.0)
    watch = Risk(account(CASH), terms(), Past(trips=[halted]))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            actor, at_risk, to_risk, to_orders, to_strategy, to_recorder, watch, DrivenClock(), brake, 0, minute(1),
            Silent(),
        )  # fmt: skip
        await trio.testing.wait_all_tasks_blocked()
        assert at_orders.rest() == [Granted(ts=minute(1), cancel_entries=True, durable=True)]
        nursery.cancel_scope.cancel()
