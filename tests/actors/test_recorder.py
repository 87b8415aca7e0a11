from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import trio
import trio.testing

from fluxhero.actors.recorder import Backlog, notes, recorder
from fluxhero.core import journal
from fluxhero.core.ladder import Rung
from fluxhero.messages import Cid, Commit, Nanos, Note, Order, Role, Says, Shares, Side, State, Type
from fluxhero.ports import Offload
from fluxhero.runtime import seeded
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.channels import Traffic, ask
from fluxhero.runtime.real import inline
from fluxhero.runtime.writer import Writer
from fluxhero.store.sqlite import FILE, SQLiteStore
from tests.porting import ports_of

SEEDS = range(20)
MANY = 30

T = TypeVar("T")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path) as store:
        yield store


class Gate:
    """An Offload whose work waits until it is let through; `begun` counts it."""

    def __init__(self) -> None:
        self.begun, self._open = 0, trio.Event()

    def let(self) -> None:
        self._open.set()
        self._open = trio.Event()

    async def __call__(self, work: Callable[[], T]) -> T:
        self.begun += 1
        await self._open.wait()
        return work()


class Desk:
    """A recorder at work: the way to it, what it has told its witness, and who has had an answer."""

    def __init__(self, store: SQLiteStore, offload: Offload, size: int = 64) -> None:
        ports = ports_of(store, offload)
        self.traffic, self.answered = Traffic(), list[int]()
        self.seen: list[list[journal.Row]] = []
        backlog = Backlog(ports.host)
        self.to, inbox = notes(size, self.traffic, backlog)
        told = self.seen.append
        self.args = (
            inbox,
            ports,
            backlog,
            lambda: 7,
            lambda rows, _: told(list(rows)),
            Brake(ports.sentinel),
        )

    async def want(self, n: int) -> None:
        await ask(self.to, Commit(rows=(row(n),)))
        self.answered.append(n)


def row(n: int) -> journal.Row:
    return journal.Odd(ts=Nanos(n), cid=Cid(str(n)), seq=n, says=Says.ACCEPTED, state="filled")


def written(store: SQLiteStore) -> list[int]:
    """As anybody else sees it: what is committed."""
    with sqlite3.connect(f"file:{store.directory / FILE}?mode=ro", uri=True) as db:
        return [n for (n,) in db.execute("SELECT ts FROM journal ORDER BY seq")]


async def test_nobody_is_answered_before_the_rows_are_on_the_disk(store: SQLiteStore) -> None:
    gate = Gate()
    desk = Desk(store, gate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder, *desk.args)
        nursery.start_soon(desk.want, 1)
        await trio.testing.wait_all_tasks_blocked()
        assert (gate.begun, desk.answered, written(store), desk.seen) == (1, [], [], [])
        gate.let()
        await trio.testing.wait_all_tasks_blocked()
        assert (desk.answered, written(store), desk.seen) == ([1], [1], [[row(1)]])
        nursery.cancel_scope.cancel()


async def test_who_asks_while_a_commit_is_under_way_shares_the_next_with_all_others(store: SQLiteStore) -> None:
    gate = Gate()
    desk = Desk(store, gate)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder, *desk.args)
        nursery.start_soon(desk.want, 0)
        await trio.testing.wait_all_tasks_blocked()
        for n in range(1, MANY):
            nursery.start_soon(desk.want, n)
            await trio.testing.wait_all_tasks_blocked()
        gate.let()
        await trio.testing.wait_all_tasks_blocked()
        assert (gate.begun, desk.answered) == (2, [0])
        gate.let()
        await trio.testing.wait_all_tasks_blocked()
        assert gate.begun == 2
        assert sorted(desk.answered) == written(store) == list(range(MANY))
        assert desk.seen == [[row(0)], [row(n) for n in range(1, MANY)]]
        nursery.cancel_scope.cancel()


async def test_the_box_may_be_smaller_than_the_crowd(store: SQLiteStore) -> None:
    desk = Desk(store, inline, size=4)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder, *desk.args)
        for n in range(MANY):
            nursery.start_soon(desk.want, n)
        await desk.traffic.quiet()
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(desk.answered) == sorted(written(store)) == list(range(MANY))
        nursery.cancel_scope.cancel()


async def test_notes_wait_for_who_asks_and_keep_their_place_among_the_asked(store: SQLiteStore) -> None:
    gate = Gate()
    desk = Desk(store, gate)
    state = State(name="kernel", blob=b"k", count=3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder, *desk.args)
        await desk.to.send(Note(rows=(row(1),)))
        await trio.testing.wait_all_tasks_blocked()
        assert gate.begun == 0
        nursery.start_soon(desk.want, 2)
        await trio.testing.wait_all_tasks_blocked()
        await desk.to.send(Note(rows=(row(3),), states=(state,), updates=5))
        nursery.start_soon(desk.want, 4)
        await trio.testing.wait_all_tasks_blocked()
        await desk.to.send(Note(rows=(row(5),)))
        for _ in range(2):
            gate.let()
            await trio.testing.wait_all_tasks_blocked()
        assert (desk.answered, written(store)) == ([2, 4], [1, 2, 3, 4, 5])
        nursery.cancel_scope.cancel()
    db = store.db
    assert db.execute("SELECT * FROM states").fetchall() == [("kernel", 3, b"k")]
    assert dict(db.execute("SELECT * FROM cursors").fetchall()) == {"rows": 5, "tape": 7, "updates": 5}


def test_the_journal_does_not_show_who_shared_a_commit(tmp_path: Path) -> None:
    """Few at a time, in any order of the scheduler: the rows are those that were sent, in that order."""
    sent = list[int]()

    async def one(desk: Desk, n: int) -> None:
        sent.append(n)
        await desk.want(n)

    async def crowd(store: SQLiteStore) -> None:
        desk = Desk(store, inline)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder, *desk.args)
            for n in range(MANY):
                nursery.start_soon(one, desk, n)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    for seed in SEEDS:
        sent.clear()
        with SQLiteStore(tmp_path / f"{seed}") as shared, SQLiteStore(tmp_path / f"{seed} alone") as alone:
            seeded.run(crowd, shared, seed=seed)
            for n in sent:
                alone.commit([row(n)], (), 7, 0)
            assert (written(shared), shared.head) == (sent, alone.head)


async def test_a_commit_that_fails_ends_the_recorder_and_answers_nobody(store: SQLiteStore) -> None:
    order = Order(
        cid=Cid("1"), ts=Nanos(1), slot=0, role=Role.EXIT, side=Side.SELL, type=Type.MARKET, qty=Shares(1)
    )  # fmt: skip
    twice = Commit(rows=(journal.Intent(ts=Nanos(1), order=order),) * 2)
    desk = Desk(store, inline)

    async def want_twice() -> None:
        await ask(desk.to, twice)
        desk.answered.append(-1)

    with pytest.RaisesGroup(sqlite3.IntegrityError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(want_twice)
            for n in range(3):
                nursery.start_soon(desk.want, n)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(recorder, *desk.args)
    assert (desk.answered, desk.seen, written(store), store.seq) == ([], [], [], 0)


async def test_a_store_of_the_loop_is_written_by_a_thread(store: SQLiteStore) -> None:
    with Writer(store.fold) as writer:
        desk = Desk(store, writer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder, *desk.args)
            async with trio.open_nursery() as crowd:
                for n in range(MANY):
                    crowd.start_soon(desk.want, n)
            nursery.cancel_scope.cancel()
    assert sorted(desk.answered) == sorted(written(store)) == list(range(MANY))
    assert [n for rows in desk.seen for n in rows] == [row(n) for n in written(store)]


async def test_what_has_come_while_the_disk_refused_is_a_reason_to_try_again(store: SQLiteStore) -> None:
    tries, gate = list[int](), Gate()

    async def refuses_once(work: Callable[[], T]) -> T:
        tries.append(1)
        await gate(lambda: None)
        if len(tries) == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return work()

    desk = Desk(store, refuses_once)
    brake = desk.args[-1]
    assert isinstance(brake, Brake)
    brake.stands(Rung.HALTED)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder, *desk.args)
        nursery.start_soon(desk.want, 1)
        await trio.testing.wait_all_tasks_blocked()
        desk.to.send_nowait(Note(rows=(row(2),)))  # nobody waits for it, and it wakes nobody
        gate.let()
        await trio.testing.wait_all_tasks_blocked()
        assert (len(tries), desk.answered) == (2, [])
        gate.let()
        await trio.testing.wait_all_tasks_blocked()
        assert (desk.answered, written(store)) == ([1], [1, 2])
        nursery.cancel_scope.cancel()
