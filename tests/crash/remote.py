"""A venue that is another process, as broker and world: what it is asked for travels over HTTP.

The tape's time stands still while an answer or a word that was announced is under way. The venue follows the tape as
far as we have made it durable, so that after a kill it is never ahead of us.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial

import httpx
import msgspec
import trio

from fluxhero.brokers.lanes import Lanes
from fluxhero.core.calendar import nyse
from fluxhero.feeds.replay import Pace, ReplaySource, Tape
from fluxhero.messages import SECOND, Cancel, Cid, Event, Nanos, Order, Says, Statement, Unavailable, Update
from fluxhero.ports import Clock, Host, Traffic, Word
from fluxhero.runtime.clock import DrivenClock
from fluxhero.runtime.turns import Turns
from fluxhero.store.sqlite import SQLiteStore
from tests.crash.letters import PATIENCE, Letter, Reply, encode

DEADLINE = 0.5  # s of the host for an answer
WORKERS = 4
GRAIN = Nanos(10 * SECOND)  # of market time, after which the venue is told how far the tape is
PAUSE = 0.02  # s after a failed question for words


class Status(msgspec.Struct, frozen=True):
    cid: Cid


class Account(msgspec.Struct, frozen=True): ...


class Advance(msgspec.Struct, frozen=True):
    fed: int


What = Order | Cancel | Status | Account | Advance


class Failed(Exception):
    """No answer, or none that says anything."""


class Remote:
    """`ports.Broker`, and the venue that a source tells of its events."""

    def __init__(self, url: str, clock: Clock, host: Host) -> None:
        self.cursor = 0  # of ours, when this life began
        self.position: Callable[[], int] = lambda: 0  # in the tape, durable whenever an order leaves
        self.due = False  # is the venue to be told how far the tape is?
        self._url, self._clock = url, clock
        self._lanes = Lanes[What](host.now, budget=1_000_000)
        self._busy = 0  # requests under way
        self._sailing: list[Cid] = []  # orders that wait or are under way
        self._said: int | None = None  # the venue's newest word that we know of
        self._rests = True
        self._next = Nanos(0)
        self._fed = -1  # the newest event of this life
        self._deliver: Callable[[Word], None] | None = None
        self._heard = self._told = 0
        self._unheard: deque[tuple[int | None, Update]] = deque()
        self._statements: list[Statement] = []
        self._ear = trio.CancelScope()
        self._settled = trio.lowlevel.ParkingLot()
        self.scope = trio.CancelScope()

    # -- ports.Broker

    def listen(self, deliver: Callable[[Word], None], after: int) -> None:
        self._deliver, self._heard, self._told, self._said = deliver, after, after, None
        self._unheard.clear()
        self._ear.cancel()

    async def place(self, order: Order) -> None:
        if order not in self._lanes:
            self._sailing.append(order.cid)
            self._lanes.put(order)

    async def replace_stop(self, order: Order) -> None:
        await self.place(order)

    async def cancel(self, cancel: Cancel) -> None:
        self._lanes.put(cancel)

    async def status(self, cid: Cid) -> None:
        self._lanes.put(Status(cid))

    async def account(self) -> None:
        self._lanes.put(Account())

    # -- the tape

    def event(self, e: Event) -> bool:
        """True if somebody heard a word because of it."""
        told, self._fed = self._told, e.index
        if e.index >= self.position() and e.ts >= self._next:
            self.due, self._next = self._rests, Nanos(e.ts + GRAIN)
        self._tell()
        return self._told > told

    async def advance(self, fed: int) -> None:
        self.due = False
        self._lanes.put(Advance(fed))
        await self.settled()

    @property
    def busy(self) -> bool:
        return bool(self._lanes or self._busy) or self._said is None or self._heard < self._said

    async def settled(self) -> bool:
        """Until all answers and all words announced are here; not for ever, should the venue be gone."""
        with trio.move_on_after(PATIENCE):
            while self.busy:
                await self._settled.park()
        return not self.busy

    # -- the wire

    async def run(self) -> None:
        async with httpx.AsyncClient(base_url=self._url, timeout=DEADLINE, trust_env=False) as client:
            with self.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._hear, client)
                    for _ in range(WORKERS):
                        nursery.start_soon(self._work, client)

    async def _work(self, client: httpx.AsyncClient) -> None:
        while True:
            what = await self._lanes.take()
            self._busy += 1
            try:
                await self._carry(client, what)
            finally:
                self._busy -= 1
                self._settled.unpark_all()

    async def _carry(self, client: httpx.AsyncClient, what: What) -> None:
        match what:
            case Advance():
                await self._asks(client, "/advance", Letter(fed=what.fed, now=self._clock.now()))
            case Order():
                await self._write(client, "/order", what.cid, what.ts, Letter(fed=self.position(), order=what))
                self._sailing.remove(what.cid)
            case Cancel():
                await self._write(client, "/cancel", what.cid, what.ts, Letter(fed=self.position(), cancel=what))
            case Account():
                await self._account(client)
            case Status():
                await self._status(client, what.cid)

    async def _write(self, client: httpx.AsyncClient, path: str, cid: Cid, ts: Nanos, letter: Letter) -> None:
        now = max(self._clock.now(), ts)
        try:
            await self._post(client, path, msgspec.structs.replace(letter, now=now), (200, 422))
        except Failed as e:
            self._say(Update(seq=0, ts=now, cid=cid, says=Says.UNANSWERED, reason=str(e)))

    async def _status(self, client: httpx.AsyncClient, cid: Cid) -> None:
        now = self._clock.now()
        if cid in self._sailing:
            self._say(Unavailable(ts=now, what=cid, why="it is on its way"))
            return
        try:
            status, _ = await self._post(client, "/status", Letter(cid=cid, now=now), (200, 404))
        except Failed as e:
            self._say(Unavailable(ts=now, what=cid, why=str(e)))
            return
        if status == 404:
            self._say(Update(seq=0, ts=now, cid=cid, says=Says.ABSENT))

    async def _account(self, client: httpx.AsyncClient) -> None:
        try:
            _, reply = await self._post(client, "/account", Letter(now=self._clock.now()), (200,))
        except Failed as e:
            self._say(Unavailable(ts=self._clock.now(), what="account", why=str(e)))
            return
        if reply.statement:
            self._statements.append(reply.statement)
            self._tell()

    async def _asks(self, client: httpx.AsyncClient, path: str, letter: Letter) -> None:
        """What is asked again anyway."""
        try:
            await self._post(client, path, letter, (200,))
        except Failed:
            self.due = True

    async def _post(
        self, client: httpx.AsyncClient, path: str, letter: Letter, good: tuple[int, ...], timeout: float = DEADLINE
    ) -> tuple[int, Reply]:
        letter = msgspec.structs.replace(letter, pid=os.getpid())
        try:
            answer = await client.post(path, content=encode(letter), timeout=timeout)
            if answer.status_code not in good:
                raise Failed(f"{path}: {answer.status_code}")
            reply = msgspec.json.decode(answer.content, type=Reply)
        except (httpx.HTTPError, msgspec.MsgspecError, UnicodeDecodeError) as e:
            raise Failed(f"{path}: {type(e).__name__}") from None
        if self._said is None or reply.said > self._said:
            self._said = reply.said
        self._rests = reply.rests
        return answer.status_code, reply

    # -- its words

    async def _hear(self, client: httpx.AsyncClient) -> None:
        """Without end, each from where we are; listening anew begins again at once."""
        while True:
            with trio.CancelScope() as self._ear:
                if self._deliver is None:
                    await trio.sleep_forever()
                await self._hear_more(client)

    async def _hear_more(self, client: httpx.AsyncClient) -> None:
        letter = Letter(after=self._heard, patient=self._said is not None)
        try:
            _, reply = await self._post(client, "/words", letter, (200,), 2 * PATIENCE)
        except Failed:
            await trio.sleep(PAUSE)
            return
        for event, word in reply.words:
            self._heard = word.seq
            self._unheard.append((event, word))
            if event is None and not self._ripe(event, word):
                self._clock.at(word.ts, self._tell, rank=0)
        self._tell()
        self._settled.unpark_all()

    def _say(self, word: Word) -> None:
        if self._deliver:
            self._deliver(word)

    def _tell(self) -> None:
        """What is due, in the venue's order: what our tape has not come to yet, later."""
        while self._unheard and self._ripe(*self._unheard[0]):
            _, word = self._unheard.popleft()
            self._told = word.seq
            self._say(word)
        ready = [s for s in self._statements if s.heard <= self._told]
        self._statements = [s for s in self._statements if s.heard > self._told]
        for statement in ready:
            self._say(statement)

    def _ripe(self, event: int | None, word: Update) -> bool:
        return word.ts <= self._clock.now() if event is None else event <= self._fed


class Both:
    """Quiet among the actors, and on the wire."""

    def __init__(self, traffic: Traffic, remote: Remote) -> None:
        self._traffic, self._remote = traffic, remote

    async def quiet(self) -> None:
        await self._traffic.quiet()
        while self._remote.busy and await self._remote.settled():
            await self._traffic.quiet()


@dataclass(frozen=True)
class Link:
    """What is the same in all lives of a remote world."""

    tape: Tape
    url: str
    speed: float  # market per host time; 0: as fast as it goes


class RemoteWorld:
    def __init__(self, of: Link, store: SQLiteStore, host: Host, nursery: trio.Nursery, kind: type[Remote]) -> None:
        self.clock = DrivenClock()
        self.broker = kind(of.url, self.clock, host)
        self._of, self._store, self._host, self._turns = of, store, host, Turns()
        nursery.start_soon(self.broker.run)

    def source(
        self, traffic: Traffic, ours: int, pending: Callable[[], bool], flush: Callable[[], Awaitable[None]]
    ) -> ReplaySource:
        broker, pace = self.broker, Pace(self._host, nyse(), self._of.speed)
        broker.cursor = ours
        both = Both(traffic, broker)
        source = ReplaySource(
            self._of.tape, self.clock, broker, pace, self._host, self._turns, both, ours,
            lambda: broker.due or pending(), partial(self._flush, flush, both),
        )  # fmt: skip
        broker.position = lambda: source.position
        self._store.refed(source.refed)
        return source

    def flush(self) -> None: ...

    def turn(self) -> AbstractAsyncContextManager[None]:
        return self._turns

    def close(self) -> None:
        self.broker.scope.cancel()

    async def _flush(self, flush: Callable[[], Awaitable[None]], both: Both) -> None:
        """What is durable, the venue may know."""
        await flush()
        if self.broker.due:
            await self.broker.advance(self.broker.position())
        await both.quiet()
