"""An order's life as a table, and the desk that turns what is granted and what is known into orders."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

import msgspec

from fluxhero.core import journal
from fluxhero.core.book import Book
from fluxhero.messages import (
    Booked,
    Cancel,
    Cid,
    Entry,
    Granted,
    Lot,
    Micros,
    Model,
    Nanos,
    Order,
    Role,
    Round,
    Says,
    Shares,
    Side,
    Traded,
    Type,
    Update,
)


class State(enum.StrEnum):
    """Of an order as we know it. SENT: durable, and no word from the venue yet; whether it arrived is unknown."""

    SENT = "sent"
    LIVE = "live"
    PARTIAL = "partial"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    REPLACED = "replaced"


OPEN = frozenset({State.SENT, State.LIVE, State.PARTIAL})

# (state, what the venue says) -> state. What is missing here is an error: it is recorded and changes nothing.
TABLE: dict[tuple[State, Says], State] = {
    (State.SENT, Says.ACCEPTED): State.LIVE,
    (State.SENT, Says.REJECTED): State.REJECTED,
    (State.SENT, Says.CANCELED): State.CANCELED,
    (State.SENT, Says.PARTIAL_FILL): State.PARTIAL,
    (State.SENT, Says.FILL): State.FILLED,
    (State.SENT, Says.CANCEL_REJECTED): State.SENT,
    (State.LIVE, Says.PARTIAL_FILL): State.PARTIAL,
    (State.LIVE, Says.FILL): State.FILLED,
    (State.LIVE, Says.CANCELED): State.CANCELED,
    (State.LIVE, Says.REPLACED): State.REPLACED,
    (State.LIVE, Says.REJECTED): State.REJECTED,
    (State.LIVE, Says.CANCEL_REJECTED): State.LIVE,
    (State.PARTIAL, Says.PARTIAL_FILL): State.PARTIAL,
    (State.PARTIAL, Says.FILL): State.FILLED,
    (State.PARTIAL, Says.CANCELED): State.CANCELED,
    (State.PARTIAL, Says.REPLACED): State.REPLACED,
    (State.PARTIAL, Says.CANCEL_REJECTED): State.PARTIAL,
    (State.FILLED, Says.CANCEL_REJECTED): State.FILLED,
    (State.CANCELED, Says.CANCEL_REJECTED): State.CANCELED,
    (State.REPLACED, Says.CANCEL_REJECTED): State.REPLACED,
    (State.REJECTED, Says.CANCEL_REJECTED): State.REJECTED,
}

RETRIES = 3  # rejections in a row of one position's stop or exit, after which it is left to the operator


class Missing(Exception):
    """Evidence was lost on its way; a new life asks for it again."""


class Life(msgspec.Struct):
    """An order and how far it has come."""

    order: Order
    state: State = State.SENT
    filled: int = 0
    canceling: Nanos | None = None  # when a cancel was decided that the venue has not answered
    places: tuple[int, int] = (0, 0)  # of the intent and of the cancel in the journal, after a restart

    @property
    def open(self) -> bool:
        return self.state in OPEN


class Slot(msgspec.Struct):
    """One symbol's orders and what is wanted of its position."""

    entry: Cid | None = None
    exit: Cid | None = None
    stop: Cid | None = None
    moving: Cid | None = None  # the stop that is to replace `stop`
    leaving: bool = False
    aim: int = 0  # where the stop should be
    mode: int = 0
    volume: float = 0.0
    rejected: int = 0  # in a row


def traded(order: Order, qty: Shares, price: Micros) -> Traded:
    """An execution of an order, as the strategy hears of it."""
    return Traded(
        slot=order.slot, qty=Shares(order.side * qty), price=price, mode=order.mode, stop=order.stop, wide=order.wide
    )


def closing(held: int) -> Side:
    """The side of the orders that end a position."""
    return Side.SELL if held > 0 else Side.BUY


class Plan:
    """What follows from one message: rows to journal, then orders to send, then what others must know."""

    def __init__(self) -> None:
        self.rows: list[journal.Row] = []
        self.sends: list[Order | Cancel] = []
        self.wake: Nanos | None = None  # when to look again
        self.traded: list[Traded] = []


class Desk:
    """Owns the book and every order. Decides, and leaves journal and wire to its actor."""

    def __init__(
        self, book: Book, model: Model, cid: Callable[[int, int], Cid], opens: Callable[[Nanos], Nanos]
    ) -> None:
        """`cid`: of (intent, attempt); `opens`: when the market is next open, the time itself where it is."""
        self.book, self.seq = book, 0
        self.lives: dict[Cid, Life] = {}  # orders that are open, or whose cancel has no answer
        self.slots: dict[int, Slot] = {}
        self.intents = 0
        self.grants = 0
        self._bar = model is Model.BAR
        self._rounds: list[Round] = []  # not yet told
        self._cid, self._opens = cid, opens

    # -- what comes in

    def granted(self, g: Granted) -> Plan:
        """Exits first, then entries, then closer stops."""
        plan = Plan()
        self.grants += 1
        for life in [x for x in self.lives.values() if x.open and x.order.role is Role.ENTRY]:
            if g.cancel_entries or life.order.slot in g.cancels:
                self._cancel(life, g.ts, plan)
        volumes = dict(g.volumes)
        for slot in g.exits:
            self._leave(slot, g.ts, plan, volumes.get(slot))
        for e in g.entries:
            self._enter(e, g.ts, plan)
        for r in g.raises:
            self._raise(r.slot, r.stop, g.ts, plan, volumes.get(r.slot))
        return plan

    def update(self, u: Update) -> Plan:
        """Evidence. What was seen before, or the table does not know, changes nothing."""
        plan = Plan()
        if u.seq <= self.seq:
            return plan
        if u.seq != self.seq + 1:
            raise Missing(f"update {u.seq} of {u.cid} follows {self.seq}: the broker must say again what lies between")
        self.seq = u.seq
        if u.says is Says.CHARGED and self.book.held(u.slot):
            self._charged(u, plan)
            return plan
        life = self.lives.get(u.cid)
        after = TABLE.get((life.state, u.says)) if life else None
        if life is None or after is None:
            state = life.state.value if life else "closed"
            plan.rows.append(journal.Odd(ts=u.ts, cid=u.cid, seq=u.seq, says=u.says, state=state))
            return plan
        life.state = after
        if u.says in (Says.CANCELED, Says.CANCEL_REJECTED):
            life.canceling = None
        if u.exec_id:
            self._fill(life, u, plan)
        else:
            row = journal.Evidence(ts=u.ts, cid=u.cid, seq=u.seq, says=u.says, state=after.value, reason=u.reason)
            plan.rows.append(row)
        if not life.open:
            self._closed(life)
        self._advance(life.order.slot, u.ts, plan)
        return plan

    def woken(self, ts: Nanos) -> Plan:
        """The market is open again: what waited for it goes on."""
        plan = Plan()
        for slot, s in self.slots.items():
            if s.leaving:
                self._advance(slot, ts, plan)
        return plan

    def resume(self) -> list[Order | Cancel]:
        """After a restart: what has no answer yet, in the order of its decision, same bytes, same id."""
        sends: list[tuple[int, Order | Cancel]] = []
        for life in self.lives.values():
            if life.state is State.SENT and not self._carried(life.order):
                sends.append((life.places[0], life.order))
            if life.canceling is not None:
                sends.append((life.places[1], Cancel(cid=life.order.cid, ts=life.canceling)))
        return [what for _, what in sorted(sends, key=lambda send: send[0])]

    @property
    def leaving(self) -> bool:
        return any(s.leaving for s in self.slots.values())

    def stop_of(self, slot: int) -> Micros:
        """Where a symbol's protective stop rests at the venue; 0 where none does."""
        s = self.slots.get(slot)
        life = self.lives.get(s.stop) if s and s.stop else None
        return life.order.stop if life and life.state in (State.LIVE, State.PARTIAL) else Micros(0)

    def booked(self) -> Booked:
        """Each round trip is told once."""
        held = tuple(Lot(slot=s, qty=Shares(p.qty), price=Micros(0)) for s, p in sorted(self.book.positions.items()))
        entering = tuple(
            Lot(slot=x.order.slot, qty=Shares(x.order.side * (x.order.qty - x.filled)), price=x.order.mark)
            for x in self.lives.values()
            if x.open and x.order.role is Role.ENTRY
        )
        rounds, self._rounds = tuple(self._rounds), []
        return Booked(cash=Micros(self.book.cash), held=held, entering=entering, grants=self.grants, rounds=rounds)

    # -- restore

    def adopt(self, lives: Iterable[Life], aims: dict[int, Slot]) -> None:
        """The open orders and the aims of a former life, oldest order first."""
        self.slots = aims
        for life in lives:
            self.lives[life.order.cid] = life
            if life.open:
                self._take(life)

    # -- the rest is ours

    def _slot(self, slot: int) -> Slot:
        return self.slots.setdefault(slot, Slot())

    def _enter(self, e: Entry, ts: Nanos, plan: Plan) -> None:
        s = self._slot(e.slot)
        s.mode, s.leaving, s.rejected = e.mode, False, 0
        self._aim(e.slot, ts, plan, stop=e.stop, volume=e.volume)
        cid = self._next()
        stop_cid = self._next() if self._bar else None
        entry = Order(
            cid=cid, ts=ts, slot=e.slot, role=Role.ENTRY, side=e.side, type=Type.MARKET, qty=e.qty, mark=e.price,
            stop=e.stop, stop_cid=stop_cid, volume=e.volume, mode=e.mode, wide=e.wide,
        )  # fmt: skip
        self._intend(entry, plan)
        if stop_cid:
            self._intend(self._stop_order(stop_cid, e.slot, e.side * e.qty, e.stop, ts), plan, send=False)

    def _leave(self, slot: int, ts: Nanos, plan: Plan, volume: float | None) -> None:
        s = self._slot(slot)
        if self.book.held(slot) or s.entry:
            if s.rejected >= RETRIES:
                s.rejected = 0  # asked for anew, it is tried anew
            if not s.leaving:
                self._aim(slot, ts, plan, leaving=True, volume=volume)
            self._advance(slot, ts, plan)

    def _raise(self, slot: int, stop: Micros, ts: Nanos, plan: Plan, volume: float | None) -> None:
        s, held = self._slot(slot), self.book.held(slot)
        if held and not s.leaving and closing(held) * (s.aim - stop) > 0:
            self._aim(slot, ts, plan, stop=stop, volume=volume)
            self._advance(slot, ts, plan)

    def _aim(
        self, slot: int, ts: Nanos, plan: Plan, *, leaving: bool | None = None, stop: int | None = None,
        volume: float | None = None,
    ) -> None:  # fmt: skip
        s = self._slot(slot)
        s.leaving = s.leaving if leaving is None else leaving
        s.aim = s.aim if stop is None else stop
        s.volume = s.volume if volume is None else volume
        aim = journal.Aim(ts=ts, slot=slot, leaving=s.leaving, stop=Micros(s.aim), mode=s.mode, volume=s.volume)
        plan.rows.append(aim)

    def _advance(self, slot: int, ts: Nanos, plan: Plan) -> None:
        """The next step of a symbol towards what is wanted of it; nothing while an answer is awaited."""
        s, held = self._slot(slot), self.book.held(slot)
        if s.rejected >= RETRIES:
            return
        if s.leaving:
            self._out(slot, s, held, ts, plan)
        elif s.entry is None and held:
            self._protect(slot, s, held, ts, plan)

    def _out(self, slot: int, s: Slot, held: int, ts: Nanos, plan: Plan) -> None:
        """Entry and stop must be terminal at the venue before we leave; in `bar` the exit clears the stop."""
        if s.entry:
            self._cancel(self.lives[s.entry], ts, plan)
        elif s.moving or s.exit:
            return
        elif held and not self._bar and self._opens(ts) > ts:
            plan.wake = self._opens(ts)  # until then the stop stays, for nothing else would protect us
            self._protect(slot, s, held, ts, plan)
        elif s.stop and not self._bar:
            self._cancel(self.lives[s.stop], ts, plan)
        elif held:
            leave = Order(
                cid=self._next(), ts=ts, slot=slot, role=Role.EXIT, side=closing(held), type=Type.MARKET,
                qty=Shares(abs(held)), volume=s.volume, mode=s.mode,
            )  # fmt: skip
            self._intend(leave, plan)
        else:
            self._aim(slot, ts, plan, leaving=False, stop=0)

    def _protect(self, slot: int, s: Slot, held: int, ts: Nanos, plan: Plan) -> None:
        """One stop for all that is held, where it is wanted."""
        if s.moving:
            return
        if s.stop is None:
            self._intend(self._stop_order(self._next(), slot, held, Micros(s.aim), ts), plan)
            return
        now = self.lives[s.stop]
        if now.order.side * (now.order.stop - s.aim) > 0 and now.state is not State.SENT:
            left = -now.order.side * (now.order.qty - now.filled)
            self._intend(self._stop_order(self._next(), slot, left, Micros(s.aim), ts, now.order.cid), plan)

    def _stop_order(
        self, cid: Cid, slot: int, held: int, stop: Micros, ts: Nanos, replaces: Cid | None = None
    ) -> Order:
        s = self._slot(slot)
        return Order(
            cid=cid, ts=ts, slot=slot, role=Role.STOP, side=closing(held), type=Type.STOP, qty=Shares(abs(held)),
            stop=stop, replaces=replaces, volume=s.volume, mode=s.mode,
        )  # fmt: skip

    def _intend(self, order: Order, plan: Plan, send: bool = True) -> None:
        life = Life(order=order)
        self.lives[order.cid] = life
        self._take(life)
        plan.rows.append(journal.Intent(ts=order.ts, order=order))
        if send:
            plan.sends.append(order)

    def _take(self, life: Life) -> None:
        """Puts an open order into its symbol's place for it."""
        s, order = self._slot(life.order.slot), life.order
        if order.role is Role.ENTRY:
            s.entry = order.cid
        elif order.role is Role.EXIT:
            s.exit = order.cid
        elif order.replaces and order.replaces in self.lives:
            s.moving = order.cid
        else:
            s.stop = order.cid

    def _cancel(self, life: Life, ts: Nanos, plan: Plan) -> None:
        if life.canceling is None:
            life.canceling = ts
            plan.rows.append(journal.Canceling(ts=ts, cid=life.order.cid))
            plan.sends.append(Cancel(cid=life.order.cid, ts=ts))

    def _fill(self, life: Life, u: Update, plan: Plan) -> None:
        order = life.order
        life.filled += u.qty
        trip = self.book.fill(order.slot, order.side, u.qty, u.price, u.fee, u.ts)
        filled = journal.Filled(
            ts=u.ts, cid=u.cid, seq=u.seq, exec_id=u.exec_id, at=u.at, slot=order.slot, role=order.role,
            side=order.side, price=u.price, qty=u.qty, fee=u.fee, state=life.state.value, filled=Shares(life.filled),
            cash=Micros(self.book.cash),
        )  # fmt: skip
        plan.rows.append(filled)
        plan.traded.append(traded(order, u.qty, u.price))
        if trip:
            closed = journal.Closed(
                ts=u.ts, slot=order.slot, mode=order.mode, qty=trip.qty, opened=trip.opened, entry=trip.entry,
                exit=trip.exit, fees=trip.fees, result=trip.result,
            )  # fmt: skip
            plan.rows.append(closed)
            self._rounds.append(Round(mode=order.mode, result=trip.result))

    def _charged(self, u: Update, plan: Plan) -> None:
        self.book.charge(u.slot, u.fee)
        charged = journal.Charged(
            ts=u.ts, seq=u.seq, slot=u.slot, qty=u.qty, price=u.price, fee=u.fee, cash=Micros(self.book.cash)
        )
        plan.rows.append(charged)

    def _closed(self, life: Life) -> None:
        """A terminal order gives its place free; a stop that was replaced, to its successor."""
        s, cid = self._slot(life.order.slot), life.order.cid
        if life.canceling is None:
            del self.lives[cid]
        if s.entry == cid:
            s.entry = None
        elif s.exit == cid:
            s.exit = None
        elif s.moving == cid:
            s.moving = None
        elif s.stop == cid:
            s.stop, s.moving = s.moving, None
        s.rejected = s.rejected + 1 if life.state is State.REJECTED and life.order.role is not Role.ENTRY else 0

    def _carried(self, order: Order) -> bool:
        """Was it sent within its entry (`bar`)?"""
        return self._bar and order.role is Role.STOP and order.replaces is None

    def _next(self) -> Cid:
        self.intents += 1
        return self._cid(self.intents, 0)
