"""What it costs to be sure, against this disk's own fdatasync in the same run: `python -m tests.benchmarks.durability`.

Interleaved rounds, medians: disks and machines differ, the ratios hold. The disk's floor is 4 KiB written over what is
there and synced; a file that grows costs more.
"""

import argparse
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import trio

from fluxhero.actors.orders import orders
from fluxhero.actors.recorder import Backlog, notes, recorder
from fluxhero.actors.risk import risk
from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.kernel.state import row
from fluxhero.kernel.strategies import metronome
from fluxhero.messages import (
    MINUTE,
    Cancel,
    Cid,
    Commit,
    Micros,
    Model,
    Nanos,
    Order,
    Role,
    Says,
    Sealed,
    Shares,
    Side,
    Signals,
    Type,
    Update,
)
from fluxhero.outset import Outset
from fluxhero.ports import Offload, Word
from fluxhero.restore import begun
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.channels import Inbox, Outbox, Traffic, ask, box
from fluxhero.runtime.clock import DrivenClock
from fluxhero.runtime.real import inline
from fluxhero.runtime.writer import Writer
from fluxhero.store.sqlite import SQLiteStore
from tests.accounts import rules
from tests.core.watching import CASH, N, sealed, seek
from tests.porting import Silent, ports_of

ROUNDS, WARM = 1000, 150  # WARM: the log has grown to its size
WAITERS, TURNS = 64, 100
PAGE = bytes(4096)
PLACES = 1024  # pages of the floor's file

Line = tuple[str, str, str]
Times = dict[str, list[float]]


class Floor:
    """What the disk itself takes."""

    def __init__(self, directory: Path) -> None:
        self._over, self._grown = directory / "over", directory / "grown"
        self._over.write_bytes(PAGE * PLACES)
        self._files = [os.open(path, os.O_RDWR | os.O_CREAT) for path in (self._over, self._grown)]
        os.fsync(self._files[0])

    def over(self, n: int) -> None:
        self._sync(self._files[0], n % PLACES)

    def grown(self, n: int) -> None:
        self._sync(self._files[1], n)

    def _sync(self, file: int, place: int) -> None:
        os.pwrite(file, PAGE, place * len(PAGE))
        os.fdatasync(file)

    def close(self) -> None:
        for file in self._files:
            os.close(file)


async def to_thread(work: Callable[[], Any]) -> Any:
    return await trio.to_thread.run_sync(work)


def intent(n: int) -> journal.Intent:
    order = Order(
        cid=Cid(f"fh-papr-00000000-{n}-0"), ts=Nanos(n * MINUTE), slot=n % N, role=Role.ENTRY, side=Side.BUY,
        type=Type.MARKET, qty=Shares(400), mark=Micros(50_000_000), stop=Micros(48_000_000), volume=5e4, mode=1,
    )  # fmt: skip
    return journal.Intent(ts=order.ts, order=order)


def quantile(times: list[float], q: float) -> float:
    return sorted(times)[int(q * (len(times) - 1))]


def figure(times: list[float], floor: list[float]) -> str:
    """p50 and p99, and what they are of the floor's."""
    p50, p99 = ((quantile(times, q), quantile(floor, q)) for q in (0.5, 0.99))
    ratios = f"{p50[0] / p50[1]:.2f} x, p99 {p99[0] / p99[1]:.2f} x"
    return f"{ratios} ({p50[0] * 1e6:.0f} us, p99 {p99[0] * 1e6:.0f})"


@contextmanager
def opened(directory: Path, how: str) -> Iterator[tuple[SQLiteStore, Offload]]:
    """A store in use, and how: one that a thread writes has that thread alone."""
    ways: dict[str, Offload] = {"inline": inline, "pooled": to_thread}
    with SQLiteStore(directory) as store, ExitStack() as stack:
        store.begin_run(pid=os.getpid(), host="", started=Nanos(0), version="", code="")
        yield store, ways[how] if how in ways else stack.enter_context(Writer(store.fold))


@asynccontextmanager
async def recording(store: SQLiteStore, offload: Offload) -> AsyncIterator[Outbox[Any]]:
    """The recorder at work; the way to it."""
    ports = ports_of(store, offload)
    backlog = Backlog(ports.host)
    to, at = notes(WAITERS, Traffic(), backlog)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder, at, ports, backlog, lambda: 1, lambda rows, seconds: None, Brake(ports.sentinel))
        yield to
        nursery.cancel_scope.cancel()


async def rounds(calls: dict[str, Callable[[int], Awaitable[object] | None]], n: int, warm: int) -> Times:
    """Seconds of each call, in n interleaved rounds after `warm` that do not count."""
    times: Times = {name: [] for name in calls}
    for i in range(warm + n):
        for name, call in calls.items():
            began = time.perf_counter()
            if (waited := call(i)) is not None:
                await waited
            if i >= warm:
                times[name].append(time.perf_counter() - began)
    return times


ASKED = "p50 <= 1.5 x, p99 <= 2 x"
DURABLE = {
    "over": ("fdatasync of 4 KiB written over", ""),
    "grown": ("fdatasync of 4 KiB appended", ""),
    "direct": ("commit of an intent, nobody asking", ASKED),
    "inline": ("durable intent, committed in the loop", ASKED),
    "thread": ("durable intent, by the writer's thread", ASKED),
    "pooled": ("durable intent, by to_thread", ""),
    "hop": ("to the writer's thread and back", ""),
}


async def durable(directory: Path, n: int = ROUNDS, warm: int = WARM) -> list[Line]:
    """An intent from the asking to the answer; and what that is made of."""
    floor = Floor(directory)
    with (
        opened(directory / "direct", "inline") as (direct, _), opened(directory / "inline", "inline") as own,
        opened(directory / "thread", "thread") as threaded, opened(directory / "pooled", "pooled") as pooled,
    ):  # fmt: skip
        async with recording(*own) as loop, recording(*threaded) as to, recording(*pooled) as pool:
            times = await rounds(
                {
                    "over": floor.over,
                    "grown": floor.grown,
                    "direct": lambda i: direct.commit([intent(i)], (), i, 0),
                    "inline": lambda i: ask(loop, Commit(rows=(intent(i),))),
                    "thread": lambda i: ask(to, Commit(rows=(intent(i),))),
                    "pooled": lambda i: ask(pool, Commit(rows=(intent(i),))),
                    "hop": lambda i: threaded[1](lambda: None),
                },
                n, warm,
            )  # fmt: skip
    floor.close()
    return [(what, figure(times[k], times["over"]), goal) for k, (what, goal) in DURABLE.items()]


HOWS = "inline", "thread"
GROUPED = ">= 50,000 rows/s"


async def grouped(directory: Path, turns: int = TURNS, waiters: int = WAITERS) -> list[Line]:
    """Many wait for an answer each, all the time."""
    lines = []
    kinds: dict[str, Callable[[int], journal.Row]] = {"rows": plain, "intents": intent}
    for (what, made), how in product(kinds.items(), HOWS):
        with opened(directory / f"{what}-{how}", how) as (store, offload):
            async with recording(store, offload) as to:
                await crowd(to, made, 0, max(1, turns // 10), waiters)
                first, began = store.seq, time.perf_counter()
                await crowd(to, made, first, turns, waiters)
                seconds = time.perf_counter() - began
                rows = store.seq - first
        each = f"{seconds / turns * 1e6:.0f} us a turn"
        lines.append((f"{waiters} waiters for {what}, {how}", f"{rows / seconds:,.0f} rows/s, {each}", GROUPED))
    return lines


def plain(n: int) -> journal.Row:
    """A row that no table but the journal has."""
    return journal.Odd(ts=Nanos(n), cid=Cid(f"fh-papr-00000000-{n}-0"), seq=n, says=Says.ACCEPTED, state="filled")


async def crowd(to: Outbox[Any], made: Callable[[int], journal.Row], first: int, turns: int, waiters: int) -> None:
    async def one(who: int) -> None:
        for turn in range(turns):
            await ask(to, Commit(rows=(made(first + turn * waiters + who),)))

    async with trio.open_nursery() as nursery:
        for who in range(waiters):
            nursery.start_soon(one, who)


class Refuses:
    """A broker at the other end of the wire: notes when an order came, and wants none."""

    def __init__(self) -> None:
        self.came = 0.0
        self._seq = 0
        self._deliver: Callable[[Word], None] = lambda word: None

    def listen(self, deliver: Callable[[Word], None], after: int) -> None:
        self._deliver = deliver

    async def place(self, order: Order) -> None:
        self.came = time.perf_counter()
        for cid in (order.cid, order.stop_cid):
            if cid:
                self._seq += 1
                self._deliver(Update(seq=self._seq, ts=order.ts, cid=cid, says=Says.REJECTED, reason="no"))

    async def cancel(self, cancel: Cancel) -> None: ...

    async def replace_stop(self, order: Order) -> None: ...

    async def status(self, cid: Cid) -> None: ...

    async def account(self) -> None: ...


def outset(directory: Path) -> Outset:
    return Outset(
        directory=directory, symbols=tuple("ABCDEFGH"), model=Model.BAR, cash=CASH, identity={}, settings="",
        strategy="metronome", auto_release=True, begins=Nanos(0), params=rules(),
        rows=lambda: np.zeros(N, row(metronome.OWN)), think=lambda *_: 0,
    )  # fmt: skip


class Desks:
    """Risk, orders and recorder as the daemon has them, and who stands for strategy and venue."""

    def __init__(self, store: SQLiteStore, offload: Offload) -> None:
        self.ports, self.clock, self.broker = ports_of(store, offload), DrivenClock(), Refuses()
        self.traffic = Traffic()
        self._minds = begun(outset(store.directory), self.ports)
        self._risk, self._orders, self._strategy = (box(WAITERS, self.traffic) for _ in range(3))

    def start(self, nursery: trio.Nursery) -> None:
        mind, (to_risk, at_risk), (to_orders, at_orders) = self._minds, self._risk, self._orders
        backlog, brake = Backlog(self.ports.host), Brake(self.ports.sentinel)
        to_recorder, at_recorder = notes(WAITERS, self.traffic, backlog)
        nursery.start_soon(recorder, at_recorder, self.ports, backlog, lambda: 1, lambda rows, seconds: None, brake)
        nursery.start_soon(
            orders, at_orders, to_orders, to_risk, self._strategy[0], to_recorder, mind.desk, self.broker, self.clock,
            mind.last, mind.sent, brake,
        )  # fmt: skip
        nursery.start_soon(
            risk, at_risk, to_risk, to_orders, self._strategy[0], to_recorder, mind.risk, self.clock, brake, 0,
            mind.last, Silent(),
        )  # fmt: skip
        nursery.start_soon(thoughtless, self._strategy[1])

    async def signal(self, bars: Sealed, slot: int) -> float:
        """Seconds from a signal to its order at the broker."""
        self.clock.advance(bars.ts)
        await self._risk[0].send(bars)
        await self.traffic.quiet()
        began = time.perf_counter()
        await self._risk[0].send(Signals(sealed=bars, signals=(seek(slot),)))
        await self.traffic.quiet()
        assert self.broker.came > began, "no order came"
        return self.broker.came - began


async def thoughtless(inbox: Inbox[Any]) -> None:
    async for _ in inbox:
        pass


async def wired(directory: Path, n: int = ROUNDS, warm: int = WARM) -> list[Line]:
    """From the signals in the watch's inbox to the order at the broker, the intent on the disk in between."""
    lines = []
    for how in HOWS:
        times = await signals(directory / how, how, n, warm)
        lines.append((f"signal to wire, {how}", figure(times["wire"], times["over"]), "p50 <= 4 x, p99 <= 8 x"))
    return lines


async def signals(directory: Path, how: str, n: int, warm: int) -> Times:
    """Each beside a sync of the disk itself."""
    times: Times = {"over": [], "wire": []}
    sessions = nyse().sessions[-(n + warm) :]
    with opened(directory, how) as (store, offload):
        floor = Floor(directory)
        async with trio.open_nursery() as nursery:
            desks = Desks(store, offload)
            desks.start(nursery)
            for i, session in enumerate(sessions):
                bars = sealed(session.open + 30 * MINUTE, dict.fromkeys(range(N), 50.0), session.index)
                seconds = await desks.signal(bars, i % N)
                began = time.perf_counter()
                floor.over(i)
                if i >= warm:
                    times["over"].append(time.perf_counter() - began)
                    times["wire"].append(seconds)
            nursery.cancel_scope.cancel()
        floor.close()
    return times


def table(directory: Path) -> Iterator[Line]:
    for part in (durable, grouped, wired):
        at = directory / part.__name__
        at.mkdir()
        yield from trio.run(partial(part, at))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--on", type=Path, help="a directory on the disk that is meant (default: the temporary one)")
    with tempfile.TemporaryDirectory(dir=parser.parse_args().on) as made:
        for what, told, goal in table(Path(made)):
            print(f"{what:40}  {told:44}  {goal}")
