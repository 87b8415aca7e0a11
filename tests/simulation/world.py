"""The daemon in a world without a machine: virtual host time, seeded scheduler, and an alarm on every way around."""

import hashlib
import os
import random
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import trio
import trio.testing

from fluxhero.core.calendar import nyse
from fluxhero.daemon import Daemon, run
from fluxhero.house import House
from fluxhero.kernel.plug import settled
from fluxhero.messages import Nanos
from fluxhero.replay import Replay
from fluxhero.runtime import seeded
from fluxhero.store.sqlite import SQLiteStore
from fluxhero.store.venue import VenueLedger


class Escaped(BaseException):
    """Our code reached past the ports."""


class VirtualHost:
    """Host time under Trio's mock clock; every sleep is a little late, as on a busy machine."""

    def __init__(self, seed: int) -> None:
        self._late = random.Random(f"{seed}/host")

    def now(self) -> float:
        return trio.current_time()

    def wall(self) -> Nanos:
        return Nanos(1_700_000_000_000_000_000)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds + self._late.expovariate(1000.0))


class Schedule(trio.abc.Instrument):
    """A hash of which task ran when."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.steps = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        self._hash.update(f"{task.name.rpartition('.')[2]}@{trio.current_time():.6f}\n".encode())

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


class Trace(msgspec.Struct, frozen=True):
    """What a run came to: how it was scheduled, and what the market saw of it."""

    schedule: str
    journal: str
    orders: tuple[tuple[Any, ...], ...]
    fills: tuple[tuple[Any, ...], ...]
    positions: tuple[tuple[Any, ...], ...]


@contextmanager
def alarmed() -> Iterator[None]:
    """No ambient time or chance for our own modules while the simulation runs."""
    saved: list[tuple[Any, str, Any]] = []

    def watch(owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            caller = sys._getframe(1).f_globals.get("__name__", "")
            if caller.startswith("fluxhero."):
                raise Escaped(f"{caller} called {getattr(owner, '__name__', owner)}.{name}")
            return real(*args, **kwargs)

        saved.append((owner, name, real))
        setattr(owner, name, guarded)

    for owner, name in (
        (time, "time"), (time, "time_ns"), (time, "monotonic"), (time, "sleep"), (os, "urandom"), (uuid, "uuid4"),
        (random, "random"), (trio, "sleep"), (trio.to_thread, "run_sync"),
    ):  # fmt: skip
        watch(owner, name)
    try:
        yield
    finally:
        for owner, name, real in reversed(saved):
            setattr(owner, name, real)


class Killed(BaseException):
    """The process is dead; nothing may catch this."""


class Fence:
    """Counts commits, of ours and of the venue's; kills before or after the n-th."""

    def __init__(self, n: int, before: bool) -> None:
        self._n, self._before, self.commits = n, before, 0

    def around(self, commit: Callable[..., None]) -> Callable[..., None]:
        def fenced(*args: Any, **kwargs: Any) -> None:
            self.commits += 1
            if self.commits == self._n and self._before:
                raise Killed
            if self.commits > self._n:
                raise Killed  # the dead write no more
            commit(*args, **kwargs)
            if self.commits == self._n:
                raise Killed

        return fenced

    @contextmanager
    def up(self) -> Iterator[None]:
        ours, venues = SQLiteStore.commit, VenueLedger.commit
        SQLiteStore.commit = self.around(ours)  # type: ignore[method-assign]
        VenueLedger.commit = self.around(venues)  # type: ignore[method-assign]
        try:
            yield
        finally:
            SQLiteStore.commit, VenueLedger.commit = ours, venues  # type: ignore[method-assign]


def killed_at(replay: Replay, n: int, before: bool) -> bool:
    """Runs until the n-th commit kills it. False if it ended before that."""
    fence = Fence(n, before)
    try:
        with fence.up():
            simulate(replay, 0)
    except BaseExceptionGroup as group:
        if group.split(Killed)[1] is not None:
            raise
        return True
    except Killed:
        return True
    return False


def simulate(replay: Replay, seed: int | None) -> Trace:
    """One whole run under a scheduler seed; None leaves the scheduler to chance."""
    schedule = Schedule()
    clock = trio.testing.MockClock(autojump_threshold=0)
    with SQLiteStore(replay.directory) as store, alarmed():
        options: dict[str, Any] = {"instruments": [schedule], "clock": clock}
        if seed is None:
            trio.run(_main, replay, store, 0, **options)
        else:
            seeded.run(_main, replay, store, seed, seed=seed, **options)
        db = store.db
        return Trace(
            schedule=schedule.digest,
            journal=store.head.hex(),
            orders=tuple(db.execute("SELECT cid, slot, role, side, qty, stop, state, filled FROM orders ORDER BY n")),
            fills=tuple(db.execute("SELECT exec_id, cid, ts, slot, side, price, qty, fee FROM fills ORDER BY n")),
            positions=tuple(db.execute("SELECT * FROM positions ORDER BY slot")),
        )


async def _main(replay: Replay, store: SQLiteStore, seed: int) -> None:
    of = replay.outset()
    ports = replay.ports(of, store, VirtualHost(seed))
    house = House(replay.config, of, ports)
    async with trio.open_nursery() as nursery:
        for i in range(3):  # others on the machine, so that there is something to schedule
            nursery.start_soon(_bystander, random.Random(f"{seed}/{i}"), name=f"bystander-{i}")
        await run(Daemon(of, ports, house, trio.Event()))
        nursery.cancel_scope.cancel()


async def _bystander(chance: random.Random) -> None:
    while True:
        await trio.sleep(chance.uniform(0.01, 0.1))


def scenario(data: Path, state: Path, symbols: tuple[str, ...], **settings: Any) -> Replay:
    """`metronome` over seeded data at a pace, so that host time passes as well."""
    from fluxhero.config import Config, Strategy
    from fluxhero.feeds.recording import Request, load

    request = Request(data=data, symbols=symbols)
    return Replay(
        recording=load(request, nyse()),
        request=request,
        config=settled(Config(strategy=Strategy(name="metronome"))),
        directory=state,
        **{"speed": 600.0, **settings},
    )
