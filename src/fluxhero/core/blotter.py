"""The blotter: book, orders and what is wanted of each symbol, and the rows that every change of them leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from fluxhero.core import journal
from fluxhero.core.book import Book
from fluxhero.core.lives import Life, Plan, Slot, traded
from fluxhero.messages import (
    Booked,
    Cancel,
    Cid,
    Lot,
    Micros,
    Model,
    Nanos,
    Order,
    Role,
    Round,
    Shares,
    Update,
    Why,
)


class News(msgspec.Struct):
    """What risk has not been told yet."""

    rounds: list[Round] = []
    flows: list[Micros] = []
    rejects: list[Nanos] = []
    fled: list[tuple[int, float]] = []
    resent: list[Nanos] = []


class Blotter:
    """Keeps, and decides nothing."""

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
        self.news = News()
        self._lost = -1  # the last number after which words were missing
        self._cid, self._opens = cid, opens

    def adopt(self, lives: Iterable[Life], aims: dict[int, Slot]) -> None:
        """The open orders of a former life, oldest first, and what was wanted of its positions."""
        self.slots = aims
        for life in lives:
            if life.found_nobody:
                self._slot(life.order.slot).chasing = life
                continue
            self.lives[life.order.cid] = life
            if life.open:
                self._take(life)

    def stop_of(self, slot: int) -> Micros:
        """Where a symbol's protective stop rests at the venue; 0 where none does."""
        s = self.slots.get(slot)
        life = self.lives.get(s.stop) if s and s.stop else None
        return life.order.stop if life and life.open and not life.unheard else Micros(0)

    def bare(self, slot: int, ts: Nanos) -> Nanos:
        """How long a position has lacked its whole stop."""
        s = self.slots.get(slot)
        return Nanos(max(0, ts - s.bare)) if s and s.bare is not None else Nanos(0)

    def booked(self) -> Booked:
        """News are told once. An entry counts until its last attempt is over, arrived or not."""
        held = tuple(Lot(slot=s, qty=Shares(p.qty), price=Micros(0)) for s, p in sorted(self.book.positions.items()))
        entering = [x for x in self.lives.values() if x.open and x.order.role is Role.ENTRY]
        entering += [s.chasing for s in self.slots.values() if s.chasing]
        lots = tuple(
            Lot(slot=x.order.slot, qty=Shares(x.order.side * x.left), price=max(x.order.mark, x.order.cap))
            for x in entering
        )
        news, self.news = self.news, News()
        return Booked(
            cash=Micros(self.book.cash), held=held, entering=lots, grants=self.grants, rounds=tuple(news.rounds),
            flows=tuple(news.flows), rejects=tuple(news.rejects), fled=tuple(news.fled),
            resent=tuple(news.resent),
        )  # fmt: skip

    def _heard(self, u: Update, plan: Plan) -> bool:
        """Is it a word that we may believe now? One that comes before others that are missing is for later."""
        if u.seq == self.seq + 1:
            self.seq = u.seq
            return True
        if u.seq > self.seq and self._lost != self.seq:
            self._lost, plan.relisten = self.seq, True
        return u.seq == 0

    def _slot(self, slot: int) -> Slot:
        return self.slots.setdefault(slot, Slot())

    def _next(self) -> Cid:
        self.intents += 1
        return self._cid(self.intents, 0)

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

    def _intend(self, order: Order, plan: Plan, send: bool = True) -> None:
        life = Life(order=order, looked=order.ts)
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

    def _cancel(self, life: Life, ts: Nanos, plan: Plan, why: Why) -> None:
        if life.canceling is None and life.ending is None:
            life.canceling, life.why, life.looked = ts, why, ts
            plan.rows.append(journal.Canceling(ts=ts, cid=life.order.cid, why=why))
            plan.sends.append(Cancel(cid=life.order.cid, ts=ts))

    def _fill(self, life: Life, u: Update, plan: Plan) -> None:
        order = life.order
        life.filled += u.qty
        life.paid += u.qty * u.price
        life.executions.add(u.exec_id)
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
            self.news.rounds.append(Round(mode=order.mode, result=trip.result, opened=trip.opened, closed=u.ts))

    def _charged(self, u: Update, plan: Plan) -> None:
        self.book.charge(u.slot, u.fee)
        charged = journal.Charged(
            ts=u.ts, seq=u.seq, slot=u.slot, qty=u.qty, price=u.price, fee=u.fee, cash=Micros(self.book.cash)
        )
        plan.rows.append(charged)

    def _guarded(self, s: Slot) -> int:
        life = self.lives.get(s.stop) if s.stop else None
        return life.left if life and life.open and not life.unheard else 0
