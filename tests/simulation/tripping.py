"""A hand that trips at an event of the tape, holds it for a while over all lives, lets go, and sees what still goes in.

Exposure is the most that a symbol could come to at the venue, either way, whatever rests there fills.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from fluxhero.core import journal
from fluxhero.core.ladder import ACCOUNT, RULES, Rung, Trip
from fluxhero.core.risk import Risk
from fluxhero.kernel import codes
from fluxhero.messages import MINUTE, SECOND, Cancel, Command, Event, Granted, Nanos, Note, Order, Quote, Role, Verb
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.channels import Outbox, ask
from tests.simulation.fence import Border
from tests.simulation.midst import EVERY
from tests.simulation.surviving import Way

HOLDS = Nanos(EVERY * MINUTE + 30 * SECOND)  # from the trip to its release: somebody wants to enter meanwhile
DURABLE, CANCELED = Nanos(SECOND), Nanos(2 * SECOND)  # from the confirming mark
PACE = 20  # market per host time, where somebody has to look
NEVER = 10**9  # a life ends before that
GLANCED = Nanos(PACE * 3 * SECOND // 2)  # until a word beside the journal is a trip


class Life(NamedTuple):
    """What of one life a hand can reach."""

    own: Outbox[Any]
    watch: Risk
    brake: Brake


Act = Callable[["Hand", Life, Event], Awaitable[None]]


class Took(NamedTuple):
    """From the confirming mark, in market time."""

    durable: Nanos
    canceled: Nanos  # the last entry


class Cause(NamedTuple):
    """`bring`: before the event, once and again until it is held; `leave`: what lets go of it, the same."""

    trip: Trip
    bring: Act
    leave: Act
    slot: int = ACCOUNT
    quoted: bool = False  # of the `quote` model alone
    wired: bool = False  # whoever brings it waits until all is durable
    beside: bool = False  # it holds before the journal knows
    paced: bool = False  # it is seen when somebody looks
    outlives: bool = False  # it is at the broker, whom no death of ours reaches
    marked: bool = False  # by what a position is worth
    slow: Nanos = Nanos(10 * SECOND)  # it takes no longer to come about


class Hand:
    def __init__(self, cause: Cause, n: int, deaths: Iterable[int] = ()) -> None:
        """`n`: the index of the event; `deaths`: before so many effects after the first reach, then of each life."""
        self.cause, self.n, self.deaths = cause, n, list(deaths)
        self.found: list[str] = []
        self.brought: Nanos | None = None  # when we last reached out
        self.since: Nanos | None = None  # held, from then on
        self.released: Nanos | None = None
        self.exits = self.entries = 0  # that left while it was held; after the release
        self.refused = 0  # entries that somebody sought while it was held
        self.busy = 0  # after it: of symbols of which an order is under way, or never came
        self.died = 0  # since we first reached out
        self.silent = self.moved = False  # the market to us; cash at the broker
        self.way: Way | None = None
        self.posted: set[str] = set()
        self._life: Life | None = None
        self._border: Border | None = None
        self._mark: Nanos | None = None  # what has confirmed it
        self._kept: list[Nanos] = []  # when it was durable, each time
        self._canceled: list[Nanos] = []  # when a cancel of an entry was at the venue
        self._before: set[str] = set()  # on their way when it tripped
        self._leaving: set[int] = set()
        self._rests: set[str] = set()  # told of
        self._letting: Nanos | None = None  # when we first let go
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

    def begun(self, border: Border) -> None:
        """A life has, behind that border."""
        self._border = border
        if self.brought is not None:
            self.died += 1
            self._dies()

    def born(self, life: Life) -> None:
        """What was durable is held again, before anything is done; what was not, nobody was promised."""
        self._life = life
        holds = life.watch.trips.held(self.cause.trip, self.cause.slot)
        if self.held and not holds:
            if self._row() or life.brake.sentinel.read():
                self.found.append(f"a new life does not hold {self.cause.trip}")
            else:
                self.since = self._mark = None
        elif holds and self.brought is not None and self.since is None:
            self._trips(self.brought)

    async def event(self, e: Event, quiet: Callable[[], Awaitable[None]], flush: Callable[[], Awaitable[None]]) -> None:
        """Between two turns; `e` is about to be given."""
        life = self._life
        if e.index < self.n or life is None:
            return
        holds = life.watch.trips.held(self.cause.trip, self.cause.slot)
        if self.since is None and self.released is None:
            await self._reaches(life, e, quiet, flush)
        elif self.since is not None and self.released is None and e.ts - self.since >= HOLDS:
            self._rest()
            await self._lets_go(life, e, quiet, flush)
        elif self.held:
            self._holds(life, holds, e.ts)
        elif holds:
            await self._lets_go(life, e, quiet, flush)
        elif life.watch.trips.slots(Trip.NAKED):  # what the market has brought about meanwhile
            await ask(life.own, Command(verb=Verb.RELEASE, trip=Trip.NAKED, reason="we have looked"))

    async def _reaches(self, life: Life, e: Event, quiet: Any, flush: Any) -> None:
        if self.brought is None:
            if e.index != self.n:
                self.found.append(f"the first event that is new to us is {e.index}")
            self._dies()
        if not life.watch.trips.held(self.cause.trip, self.cause.slot):
            self.brought = e.ts
            await self.cause.bring(self, life, e)
            await quiet()
            if self.cause.wired:
                await flush()
            if self.cause.marked and self._mark is None and marks(life, e):
                self._mark = e.ts
        if self.since is None and (self.cause.beside or life.watch.trips.held(self.cause.trip, self.cause.slot)):
            self._trips(e.ts)

    def _dies(self) -> None:
        """Once more, if it is to."""
        assert self._border
        if self.deaths:
            self._border.soon(self.deaths.pop(0))

    async def _lets_go(self, life: Life, e: Event, quiet: Any, flush: Any) -> None:
        assert self._border
        self._border.soon(NEVER)  # what a hand has done to the world, no death undoes
        self._letting = self._letting or e.ts
        await self.cause.leave(self, life, e)
        await quiet()
        await flush()
        if not life.watch.trips.held(self.cause.trip, self.cause.slot):
            self.released = self.released or e.ts

    def noted(self, note: Note) -> None:
        """By risk: what has tripped holds from here on."""
        judged = [row for row in note.rows if isinstance(row, journal.Judged) and row.entry and self.scope(row.slot)]
        if self.held:
            self.refused += sum(not row.qty for row in judged)
        elif self.released is not None:
            self.busy += sum(row.gate == codes.BUSY for row in judged)
        own = (self.cause.trip, self.cause.slot)
        row = next((row for row in note.rows if isinstance(row, journal.Tripped) and (row.trip, row.slot) == own), None)
        if row is not None and self.brought is not None and self.since is None and self.released is None:
            self._trips(row.ts)

    def _trips(self, ts: Nanos) -> None:
        assert self.way
        assert self._life
        self.since, self._mark = ts, min(ts, self._mark or ts)
        if self.cause.paced and self.brought is not None and ts - self.brought > GLANCED:
            self.found.append(f"{(ts - self.brought) / SECOND} s until {self.cause.trip} is seen")
        under_way = (*self.way._beyond.flying, *self.way._under_way)  # of this life, and of the one before
        self._before = {w.cid for w in under_way if isinstance(w, Order)}
        self._leaving = {slot for (slot,) in self._db.execute("SELECT slot FROM aims WHERE leaving")}
        brake = self._life.brake
        if not (brake.rung if self.cause.slot == ACCOUNT else self.cause.slot in brake.slots):
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
        """In the journal, for whoever reads it."""
        sql = "SELECT 1 FROM trips WHERE trip = ? AND slot = ? AND released IS NULL"
        own = (self.cause.trip, self.cause.slot)
        self._durable = self._durable or bool(self._db.execute(sql, own).fetchone())
        return self._durable

    @property
    def _db(self) -> Any:
        assert self.way
        return self.way._scene.ours

    def judged(self) -> Took:
        """How long it took, which is to be little."""
        if self._mark is None or self.since is None:
            return Took(Nanos(0), Nanos(0))
        until = self._letting or self._now
        durable = min(self._kept, default=until)
        canceled = [Nanos(at - self._mark) for at in self._canceled if self._mark <= at <= until]
        took = Took(Nanos(max(0, durable - self._mark)), max(canceled, default=Nanos(0)))
        glance = GLANCED if self.cause.beside else Nanos(0)
        if took.durable > max(DURABLE, glance) or took.canceled > CANCELED + glance:
            self.found.append(f"{self.cause.trip} took {took} ns")
        return took

    def _rest(self) -> None:
        """At the release: out of what was to be left."""
        if self.rung is Rung.FLATTEN:
            left = {slot: q for slot, q in self.venue.positions.items() if q and self.scope(slot)}
            if left:
                self.found.append(f"{self.cause.trip} has left {left}")

    # -- what the store keeps, and risk grants

    def committed(self, rows: Iterable[Any]) -> None:
        own = (self.cause.trip, self.cause.slot)
        if any(isinstance(row, journal.Tripped) and (row.trip, row.slot) == own for row in rows):
            self._kept.append(self._now)

    def granted(self, g: Granted) -> None:
        """Before risk knows of it."""
        assert self._life
        if self.held and not self._life.watch.trips.held(self.cause.trip, self.cause.slot):
            self._leaving.update(g.exits)

    @property
    def _now(self) -> Nanos:
        assert self.way
        now: Nanos = self.way._clock.now()
        return now

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

    def canceled(self, r: Any) -> None:
        """At the venue."""
        if r.order.role is Role.ENTRY and self.scope(r.order.slot):
            self._canceled.append(self._now)

    def looked(self, ts: Nanos) -> None:
        """The market goes on: is there an entry that it could fill?"""
        within = CANCELED + GLANCED if self.cause.beside else CANCELED
        if not self.held or self.since is None or ts - self.since <= within:
            return
        for cid, r in self.venue.resting.items():
            if r.order.role is Role.ENTRY and self.scope(r.order.slot) and cid not in self._rests:
                self._rests.add(cid)
                self.found.append(f"{cid}, an entry, rests {(ts - self.since) / SECOND} s after {self.cause.trip}")


def marks(life: Life, e: Event) -> bool:
    """Will risk judge the account by it?"""
    return isinstance(e, Quote) and e.usable and any(lot.slot == e.slot for lot in life.watch.book.held)


def exposure(venue: Any, slot: int) -> int:
    buys: int = 0
    sells: int = 0
    for r in venue.resting.values():
        if r.order.slot == slot and r.armed:
            buys, sells = (buys + r.left, sells) if r.order.side > 0 else (buys, sells + r.left)
    held: int = venue.positions.get(slot, 0)
    return max(abs(held), abs(held + buys), abs(held - sells))
