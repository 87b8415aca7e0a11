"""Lives that are ended at an effect, and a venue that outlives them, with what was on its way there."""

from __future__ import annotations

import enum
import random
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio
import trio.testing

from fluxhero import restore
from fluxhero.brokers.faults import Ask, Fault, drawn
from fluxhero.brokers.faulty import Faulty
from fluxhero.brokers.paper import Ledger, Paper
from fluxhero.core.orders import Desk
from fluxhero.daemon import Daemon, run
from fluxhero.exchange.matching import Venue
from fluxhero.feeds.replay import ReplaySource, Tape
from fluxhero.house import House
from fluxhero.kernel.plug import find
from fluxhero.messages import SECOND, Booked, Cancel, Event, Model, Nanos, Order
from fluxhero.ports import Host, Ports, Traffic, Word
from fluxhero.replay import Replay
from fluxhero.runtime import seeded
from fluxhero.runtime.clock import DrivenClock
from fluxhero.store.sqlite import SQLiteStore
from fluxhero.store.venue import VenueLedger
from fluxhero.world import EmbeddedWorld, Embedding
from tests.simulation.fence import Border, Guarded, guarded
from tests.simulation.invariants import KNOWN, SINCE, Moment, Scene, Witness
from tests.simulation.world import Killed, VirtualHost, alarmed


class Fate(enum.StrEnum):
    """What a death of ours does to the venue, and to what was on its way there."""

    DIES = "dies"  # embedded, it dies with us, and begins again from its ledger
    ARRIVES = "arrives"  # it lives on, and what was under way comes in its time
    LOST = "lost"  # it lives on, and what was under way never comes
    AHEAD = "ahead"  # it lives on and trades on for AWAY, with what was under way
    FAULTY = "faulty"  # as ARRIVES, over a wire that misbehaves until it heals


AWAY = Nanos(20 * SECOND)
SAME = (Fate.DIES, Fate.ARRIVES, Fate.LOST)  # under which nobody can tell afterwards
WITHIN = {Fate.AHEAD: SINCE, Fate.FAULTY: None}
CARRIED = (Fate.ARRIVES, Fate.AHEAD, Fate.FAULTY)


class Beyond:
    """What no death of ours reaches."""

    def __init__(self, fate: Fate, witness: Witness, heals: Nanos = Nanos(0), seed: int = 0) -> None:
        self.fate, self.witness, self.heals, self.seed = fate, witness, heals, seed
        self.venue: Venue | None = None
        self.ledger: VenueLedger | None = None
        self.cursor = 0
        self.lives = 0
        self.flying = witness.scene.flying

    def close(self) -> None:
        if self.ledger is not None:
            self.ledger.close()
        self.witness.scene.close()


class Way(Paper):
    """The way to the venue, with somebody who looks at all that goes over it."""

    def __init__(self, venue: Venue, ledger: Ledger, clock: DrivenClock, latency: Nanos, beyond: Beyond) -> None:
        super().__init__(venue, ledger, clock, latency)
        self._beyond, self._scene = beyond, beyond.witness.scene
        self._scene.venue, self._scene.arrived, self._scene.filled = venue, ledger.arrived, self._filled
        if beyond.venue is not None:
            self.cursor = beyond.cursor
        self._under_way = list(beyond.flying)
        beyond.flying.clear()

    def listen(self, deliver: Callable[[Word], None], after: int) -> None:
        """What was said is heard before what arrives later; the lives before have left that under way."""
        super().listen(deliver, after)
        under_way, self._under_way = self._under_way, []
        if self._beyond.fate in CARRIED:
            for what in under_way:
                self._carry(what)

    @property
    def said(self) -> int:
        """Words so far."""
        return self._venue.seq

    def post(self, what: Order | Cancel) -> None:
        self._beyond.witness.look(Moment.LEAVES, what)
        self._carry(what)

    def event(self, e: Event) -> bool:
        self._scene.now = max(self._scene.now, e.ts)
        self._beyond.witness.look(Moment.QUIET)
        heard = super().event(e)
        self._beyond.cursor = self.cursor
        self._beyond.witness.look(Moment.STANDS)
        return heard

    def _carry(self, what: Order | Cancel) -> None:
        self._beyond.flying.append(what)
        super().post(what)

    def _arrive(self, what: Order | Cancel, now: Nanos) -> None:
        if what in self._beyond.flying:
            self._beyond.flying.remove(what)
        self._scene.now = max(self._scene.now, now)
        if isinstance(what, Order) and not self._ledger.arrived(what.cid):
            self._beyond.witness.look(Moment.ARRIVES, what)
        super()._arrive(what, now)
        self._beyond.witness.look(Moment.STANDS)


class SurvivingWorld(EmbeddedWorld):
    """One life's view of it."""

    def __init__(self, of: Embedding, store: SQLiteStore, host: Host, beyond: Beyond, border: Border) -> None:
        super().__init__(of, store, host)
        self._beyond = beyond
        beyond.witness.scene.booked = None  # the dead reckon with nothing
        venue: Venue = self.broker._venue
        ledger: Any = self._ledger
        if beyond.fate is Fate.DIES:
            ledger = Guarded("ledger", ledger, border)
        elif beyond.venue is None:
            beyond.venue, beyond.ledger, beyond.cursor = venue, self._ledger, self._ledger.cursor
        else:
            self._ledger.close()
            assert beyond.ledger
            venue, ledger = beyond.venue, beyond.ledger
        latency = Nanos(0 if of.model is Model.BAR else of.config.paper.latency_ms * 1_000_000)
        if beyond.fate is Fate.AHEAD and beyond.lives:
            _goes_on(of.tape, beyond.cursor, Way(venue, ledger, clock := DrivenClock(), latency, beyond), clock, AWAY)
        self.way = self.broker = Way(venue, ledger, self.clock, latency, beyond)
        if beyond.fate is Fate.FAULTY:
            self.broker = self._faulty(drawn(random.Random(f"{beyond.seed}/{beyond.lives}").random, 0.3))
        beyond.lives += 1

    def source(
        self, traffic: Traffic, ours: int, pending: Callable[[], bool], flush: Callable[[], Awaitable[None]]
    ) -> ReplaySource:
        """The tape goes to the venue, whoever stands between it and the desk."""
        front, self.broker = self.broker, self.way
        try:
            return super().source(traffic, ours, pending, flush)
        finally:
            self.broker = front

    def flush(self) -> None:
        self.way.flush()

    def close(self) -> None:
        if self._beyond.fate is Fate.DIES:
            super().close()

    def _faulty(self, pick: Callable[[Ask, int], Fault | None]) -> Any:
        heals = self._beyond.heals
        faulty = Faulty(self.way, self.clock, lambda ask, n: pick(ask, n) if self.clock.now() < heals else None)
        self.clock.at(heals, faulty.let_go, rank=0)
        return faulty


def _goes_on(tape: Tape, cursor: int, way: Way, clock: DrivenClock, away: Nanos) -> None:
    """The market, while nobody of ours looks."""
    way.listen(lambda word: None, way.said)
    until: Nanos | None = None
    for e in tape.events(cursor):
        until = Nanos(e.ts + away) if until is None else until
        if e.ts > until:
            break
        while (due := clock.next()) is not None and due <= e.ts:
            clock.fire()
        clock.advance(e.ts)
        way.event(e)
    way.flush()


class End(NamedTuple):
    """What the market and the journal saw."""

    journal: str
    orders: tuple[tuple[Any, ...], ...]
    fills: tuple[tuple[Any, ...], ...]
    positions: tuple[tuple[Any, ...], ...]


class Played(NamedTuple):
    end: End | None  # None: it was not reached
    effects: tuple[tuple[str, ...], ...]  # of each life
    broken: tuple[str, ...]


@contextmanager
def told(scene: Scene) -> Iterator[None]:
    """The scene knows what risk is told of the book, whichever desk is built."""
    kind: type[Desk] = getattr(restore, "Desk")  # noqa: B009 - of others, who do not export it

    class Telling(kind):  # type: ignore[misc, valid-type]
        def booked(self, ts: Nanos = Nanos(0)) -> Booked:
            scene.booked = super().booked(ts)
            return scene.booked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(restore, "Desk", Telling)
        yield


def played(
    replay: Replay, kills: Sequence[int] = (), fate: Fate = Fate.DIES, seed: int = 0, heals: Nanos = Nanos(0),
    until: Nanos | None = None,
) -> Played:  # fmt: skip
    """One life after another, each ended before so many effects, and one that goes to the end; `until`: or so far."""
    witness = Witness(Scene(replay.directory, within=WITHIN.get(fate, KNOWN)))
    beyond, effects = Beyond(fate, witness, heals, seed), list[tuple[str, ...]]()
    end = None
    try:
        with told(witness.scene):
            for n in (*kills, 0):
                border = Border(n)
                try:
                    end = lived(replay, beyond, border, until)
                except BaseException as e:
                    if not death(e):
                        raise
                effects.append(tuple(border.crossed))
                if end is not None or until is not None:
                    break
        if end is not None:
            witness.ended()
    except Exception as e:
        witness.broken.append(f"a life ended of {e!r}: {e.__cause__!r}")
    finally:
        beyond.close()
    return Played(end, tuple(effects), tuple(dict.fromkeys(witness.broken)))


def death(e: BaseException) -> bool:
    """Was it ours?"""
    return isinstance(e, Killed) or (isinstance(e, BaseExceptionGroup) and e.split(Killed)[1] is None)


@contextmanager
def opened(directory: Path, border: Border) -> Iterator[SQLiteStore]:
    """The dead sign nothing off."""
    store = SQLiteStore(directory)
    try:
        yield store
    finally:
        if border.dead:
            store.db.close()
            store._lock.release()
        else:
            store.close()


def lived(replay: Replay, beyond: Beyond, border: Border, until: Nanos | None = None) -> End:
    clock = trio.testing.MockClock(autojump_threshold=0)
    with opened(replay.directory, border) as store:
        with alarmed():
            seeded.run(_main, replay, store, beyond, border, until, seed=0, clock=clock)
        db = store.db
        return End(
            journal=store.head.hex(),
            orders=tuple(db.execute("SELECT cid, slot, role, side, qty, stop, state, filled FROM orders ORDER BY n")),
            fills=tuple(db.execute("SELECT exec_id, cid, ts, slot, side, price, qty, fee FROM fills ORDER BY n")),
            positions=tuple(db.execute("SELECT * FROM positions ORDER BY slot")),
        )


async def _main(replay: Replay, store: SQLiteStore, beyond: Beyond, border: Border, until: Nanos | None) -> None:
    of = replay.outset()
    ports = replay.ports(of, store, VirtualHost(0))
    r = replay.recording
    embedding = Embedding(tape=r.tape, model=r.model, config=replay.config, params=of.params, speed=replay.speed)

    def world() -> Any:
        made = SurvivingWorld(embedding, store, ports.host, beyond, border)
        if until is not None:
            made.clock.at(until, border.die, rank=0)
        return made

    ports = guarded(Ports(**{**vars(ports), "world": world}), border)
    code = find(replay.config.strategy.name).code
    ports.store.begin_run(pid=1, host="", started=ports.host.wall(), version="", code=code)
    await run(Daemon(of, ports, House(replay.config, of, ports), trio.Event()))


def copied(base: Path, to: Path) -> Path:
    """A state that somebody has left."""
    shutil.copytree(base, to)
    return to
