"""A hand that trips at an event of the tape, holds it for a while over all lives, lets go, and sees what still goes in.

Exposure is the most that a symbol could come to at the venue, either way, whatever rests there fills.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import pytest

from fluxhero import daemon
from fluxhero.core.ladder import ACCOUNT, RULES, Rung, Trip
from fluxhero.core.risk import Risk
from fluxhero.messages import MINUTE, SECOND, Cancel, Command, Event, Nanos, Order, Outcome, Quote, Role, Sensed, Verb
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.channels import Outbox, ask
from tests.simulation import surviving
from tests.simulation.surviving import SurvivingWorld, Way

HOLDS = Nanos(4 * MINUTE)  # from the trip to its release
DURABLE, CANCELED = Nanos(SECOND), Nanos(2 * SECOND)  # from the confirming mark
PACE = 20  # market per host time, where somebody has to look
GLANCED = Nanos(PACE * 3 * SECOND // 2)  # until a word beside the journal is a trip


class Life(NamedTuple):
    """What of one life a hand can reach."""

    own: Outbox[Any]
    watch: Risk
    brake: Brake


class Cause(NamedTuple):
    """`bring`: before the event, once and again until it is held; `leave`: what lets go of it, the same."""

    trip: Trip
    bring: Callable[[Hand, Life, Event], Awaitable[None]]
    leave: Callable[[Hand, Life, Event], Awaitable[None]]
    slot: int = ACCOUNT
    quoted: bool = False  # of the `quote` model alone
    beside: bool = False  # it holds before the journal knows
    paced: bool = False  # it is seen when somebody looks
    outlives: bool = False  # it is at the broker, whom no death of ours reaches


class Hand:
    def __init__(self, cause: Cause, n: int) -> None:
        """`n`: the index of the event."""
        self.cause, self.n = cause, n
        self.found: list[str] = []
        self.brought: Nanos | None = None  # when we first reached out
        self.since: Nanos | None = None  # held, from then on
        self.released: Nanos | None = None
        self.exits = self.entries = 0  # that left while it was held; after the release
        self.deaths = 0  # while it was held
        self.silent = self.moved = False  # the market to us; cash at the broker
        self.calls = 0  # for another event
        self.span = [0, 0]  # calls from the first reach to the release
        self.way: Way | None = None
        self._life: Life | None = None
        self._before: set[str] = set()  # on their way when it tripped
        self._leaving: set[int] = set()
        self._rests: set[str] = set()  # told of
        self.posted: set[str] = set()
        self._durable = False

    @property
    def held(self) -> bool:
        return self.since is not None and self.released is None

    def scope(self, slot: int) -> bool:
        return self.cause.slot in (ACCOUNT, slot)

    @property
    def rung(self) -> Rung:
        return RULES[self.cause.trip].rung

    @property
    def venue(self) -> Any:
        assert self.way
        return self.way._venue

    # -- what happens

    def born(self, life: Life) -> None:
        """What was durable is held again, before anything is done; what was not, nobody was promised."""
        self._life = life
        if not self.held:
            return
        self.deaths += 1
        if self._row() or life.brake.sentinel.read():
            if not life.watch.trips.held(self.cause.trip, self.cause.slot):
                self.found.append(f"a new life does not hold {self.cause.trip}")
        else:
            self.since = None

    async def event(self, e: Event, quiet: Callable[[], Awaitable[None]], flush: Callable[[], Awaitable[None]]) -> None:
        """Between two turns; `e` is about to be given."""
        life = self._life
        if e.index < self.n or life is None:
            return
        holds = life.watch.trips.held(self.cause.trip, self.cause.slot)
        if self.since is None and self.released is None:
            if self.brought is None:
                self.brought, self.span[0] = e.ts, self.calls
            if not holds:
                await self.cause.bring(self, life, e)
                await quiet()
                await flush()
            if self.cause.beside or life.watch.trips.held(self.cause.trip, self.cause.slot):
                self._trips(e.ts, life)
        elif self.since is not None and self.released is None and e.ts - self.since >= HOLDS:
            self._rest()
            await self._lets_go(life, e, quiet, flush)
        elif self.held:
            self._holds(life, holds, e.ts)
        elif holds:
            await self._lets_go(life, e, quiet, flush)

    async def _lets_go(self, life: Life, e: Event, quiet: Any, flush: Any) -> None:
        await self.cause.leave(self, life, e)
        await quiet()
        await flush()
        if not life.watch.trips.held(self.cause.trip, self.cause.slot):
            self.released = self.released or e.ts
            self.span[1] = self.span[1] or self.calls

    def _trips(self, ts: Nanos, life: Life) -> None:
        assert self.way
        assert self.brought is not None
        rows = [row.ts for row in life.watch.trips if (row.trip, row.slot) == (self.cause.trip, self.cause.slot)]
        self.since = max(rows, default=ts)
        if self.cause.bring is by_file and self.since - self.brought > GLANCED:
            self.found.append(f"{(self.since - self.brought) / SECOND} s until the file halts")
        self._before = {w.cid for w in self.way._beyond.flying if isinstance(w, Order)}
        scene = self.way._scene
        self._leaving = {slot for (slot,) in scene.ours.execute("SELECT slot FROM aims WHERE leaving")}
        if not life.brake.rung and self.cause.slot == ACCOUNT:
            self.found.append(f"{self.cause.trip} is held and the brake is off")

    def _holds(self, life: Life, holds: bool, ts: Nanos) -> None:
        """While it is to be held: durable in time, and in force all the while."""
        assert self.since is not None
        late = ts - self.since
        if self.cause.slot == ACCOUNT and life.brake.rung < self.rung:
            self.found.append(f"{late / SECOND} s after {self.cause.trip} the brake stands at {life.brake.rung}")
        if late > (GLANCED if self.cause.beside else DURABLE) and not (holds and self._row()):
            self.found.append(f"{late / SECOND} s after {self.cause.trip}: held {holds}, durable {self._row()}")

    def _row(self) -> bool:
        if self._durable:
            return True
        sql = "SELECT 1 FROM trips WHERE trip = ? AND slot = ? AND released IS NULL"
        self._durable = bool(self._db.execute(sql, (self.cause.trip, self.cause.slot)).fetchone())
        return self._durable

    @property
    def _db(self) -> Any:
        assert self.way
        return self.way._scene.ours

    def _rest(self) -> None:
        """At the release: out of what was to be left."""
        if self.rung is Rung.FLATTEN:
            left = {slot: q for slot, q in self.venue.positions.items() if q and self.scope(slot)}
            if left:
                self.found.append(f"{self.cause.trip} has left {left}")

    # -- what goes over the way

    def leaves(self, what: Order | Cancel) -> None:
        self.posted.add(what.cid)
        if not isinstance(what, Order) or not self.scope(what.slot):
            return
        if self.released is not None and what.role is Role.ENTRY:
            self.entries += 1
        if not self.held:
            return
        if what.role is Role.ENTRY:
            self.found.append(f"{what.cid}, an entry, left while {self.cause.trip} was held")
        if what.role is Role.EXIT:
            self.exits += 1
            if self.rung is Rung.HALTED and what.slot not in self._leaving:
                self.found.append(f"{what.cid}, an exit, left while {self.cause.trip} was held")

    def arrived(self, order: Order, before: int) -> None:
        after = exposure(self.venue, order.slot)
        if self.held and self.scope(order.slot) and after > before and order.cid not in self._before:
            self.found.append(f"{order.cid} raised slot {order.slot} from {before} to {after} under {self.cause.trip}")

    def looked(self, ts: Nanos) -> None:
        """The market goes on: is there an entry that it could fill?"""
        within = CANCELED + GLANCED if self.cause.beside else CANCELED
        if not self.held or self.since is None or ts - self.since <= within:
            return
        for cid, r in self.venue.resting.items():
            if r.order.role is Role.ENTRY and self.scope(r.order.slot) and cid not in self._rests:
                self._rests.add(cid)
                self.found.append(f"{cid}, an entry, rests {(ts - self.since) / SECOND} s after {self.cause.trip}")


def exposure(venue: Any, slot: int) -> int:
    buys: int = 0
    sells: int = 0
    for r in venue.resting.values():
        if r.order.slot == slot and r.armed:
            buys, sells = (buys + r.left, sells) if r.order.side > 0 else (buys, sells + r.left)
    held: int = venue.positions.get(slot, 0)
    return max(abs(held), abs(held + buys), abs(held - sells))


class Handed:
    """A source, its events seen by the hand before they are given."""

    def __init__(self, inner: Any, hand: Hand, quiet: Any, flush: Any) -> None:
        self._inner, self._hand, self._quiet, self._flush = inner, hand, quiet, flush

    def __aiter__(self) -> Handed:
        return self

    async def __anext__(self) -> Any:
        self._hand.calls += 1
        while True:
            e = await self._inner.__anext__()
            if not self._inner.again:
                await self._hand.event(e, self._quiet, self._flush)
            if not (self._hand.silent and isinstance(e, Quote) and self._hand.scope(e.slot)):
                return e

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@contextmanager
def reaching(hand: Hand) -> Iterator[None]:
    """All lives are within its reach."""

    class Seen(Way):
        def post(self, what: Order | Cancel) -> None:
            hand.leaves(what)
            super().post(what)

        def event(self, e: Event) -> bool:
            hand.looked(e.ts)
            return super().event(e)

        def _arrive(self, what: Order | Cancel, now: Nanos) -> None:
            if not isinstance(what, Order) or self._ledger.arrived(what.cid):
                super()._arrive(what, now)
                return
            before = exposure(self._venue, what.slot)
            super()._arrive(what, now)
            hand.arrived(what, before)

    class World(SurvivingWorld):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            hand.way = self.way

        def source(self, traffic: Any, ours: int, pending: Any, flush: Any) -> Any:
            return Handed(super().source(traffic, ours, pending, flush), hand, traffic.quiet, flush)

    real = getattr(daemon, "risk")  # noqa: B009 - of others, who do not export it

    async def risk(inbox: Any, own: Any, orders: Any, strategy: Any, recorder: Any, watch: Any, clock: Any, brake: Any,
                   *rest: Any) -> None:  # fmt: skip
        hand.born(Life(own, watch, brake))
        await real(inbox, own, orders, strategy, recorder, watch, clock, brake, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surviving, "Way", Seen)
        patch.setattr(surviving, "SurvivingWorld", World)
        patch.setattr(daemon, "risk", risk)
        yield


# -- the ways in which they come about, and go

Act = Callable[[Hand, Life, Event], Awaitable[None]]


async def halts(hand: Hand, life: Life, e: Event) -> None:
    outcome: Outcome = await ask(life.own, Command(verb=Verb.HALT, reason="we want it"))
    assert outcome.ok


async def releases(hand: Hand, life: Life, e: Event) -> None:
    """By the operator; a day's loss is over by then, for as long as it lasts it trips again."""
    life.watch.account["day_base"] = life.watch.account["equity"]
    await ask(life.own, Command(verb=Verb.RELEASE, trip=hand.cause.trip, reason="we have looked"))


def worth(name: str, times: float) -> Act:
    """Equity was so much more."""

    async def bring(hand: Hand, life: Life, e: Event) -> None:
        life.watch.account[name] = int(life.watch.account["equity"][0] * times)

    return bring


def senses(over: bool) -> Act:
    async def bring(hand: Hand, life: Life, e: Event) -> None:
        await ask(life.own, Sensed(trip=hand.cause.trip, over=over, cause="the test", value=1.0, limit=0.0))

    return bring


def books(told: Callable[[Event], dict[str, Any]]) -> Act:
    """The desk tells risk, beside what it has told before."""

    async def bring(hand: Hand, life: Life, e: Event) -> None:
        news = {"rounds": (), "flows": (), "rejects": (), "fled": (), "resent": (), **told(e)}
        life.own.send_nowait(msgspec.structs.replace(life.watch.book, ts=e.ts, **news))

    return bring


def silence(is_: bool) -> Act:
    async def bring(hand: Hand, life: Life, e: Event) -> None:
        hand.silent = is_

    return bring


def deposits(by: int) -> Act:
    """Somebody moves cash at the broker; that is his word, as long as it stands."""

    async def bring(hand: Hand, life: Life, e: Event) -> None:
        if hand.moved is (by < 0):
            hand.venue.cash += by
            hand.moved = by > 0

    return bring


async def signals(hand: Hand, life: Life, e: Event) -> None:
    """As SIGUSR1 does."""
    life.brake.pull(Rung.HALTED, "SIGUSR1")


async def by_file(hand: Hand, life: Life, e: Event) -> None:
    life.brake.sentinel.write("written by hand")
