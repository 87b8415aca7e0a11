"""Owns orders and book: journals what is intended, then sends it; journals evidence, then tells the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from fluxhero.brokers.lanes import lane
from fluxhero.core import journal
from fluxhero.core.ladder import Rung, Trip
from fluxhero.core.lives import Plan
from fluxhero.core.orders import Desk
from fluxhero.core.rate import CEILING, Rate
from fluxhero.messages import (
    Cancel,
    Commit,
    Granted,
    Nanos,
    Note,
    Order,
    Role,
    Says,
    Sensed,
    Statement,
    Unavailable,
    Update,
    Wake,
)
from fluxhero.ports import Broker, Clock, Timer
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.channels import Inbox, Outbox, ask

UNWRITTEN = "the journal cannot be written"

log = structlog.get_logger()


class Wire:
    """The last function before the broker."""

    def __init__(
        self, broker: Broker, entries: Rate, brake: Brake, now: Callable[[], Nanos],
        tell: Callable[[Sensed | Update], None],
    ) -> None:  # fmt: skip
        self._broker, self._brake, self._now, self._tell = broker, brake, now, tell
        self._entries, self._others = entries, Rate()

    async def send(self, what: Order | Cancel, new: bool, why: str = "") -> None:
        """However mad we have gone: no entry while the brake is on, and no more than may be; what lessens risk always
        leaves. `new`: it has never been sent; `why`: no entry may leave, because of that.
        """
        if isinstance(what, Order) and what.role is Role.ENTRY:
            when = what.ts if new else self._now()  # as the gate has counted it
            why = why or self._barred(what.slot, when)
            if why:
                self._hold(what, why, new)
                return
            self._entries.count(when)
        else:
            self._others.count(self._now())
            if self._others.minute == CEILING:
                log.error("too many stops, exits and cancels in a minute", most=CEILING)
        if isinstance(what, Cancel):
            await self._broker.cancel(what)
        elif what.replaces:
            await self._broker.replace_stop(what)
        else:
            await self._broker.place(what)

    def _barred(self, slot: int, when: Nanos) -> str:
        """Why an entry may not leave, if so."""
        if self._brake.rung:
            return f"trading stands at {Rung(self._brake.rung).name}"
        if slot in self._brake.slots:
            return "its symbol is cut down"
        over = self._entries.over(when)
        if not over:
            return ""
        cause = "so many entries were about to leave in a minute or a day"
        self._tell(Sensed(trip=Trip.RATE, over=True, cause=cause, value=over[0] + 1, limit=over[1]))
        return f"{over[0]} have been sent, {over[1]} is the most"

    def _hold(self, order: Order, why: str, new: bool) -> None:
        """What has never left is over; of what may be there already, only the broker knows."""
        log.error("an entry was held back", cid=order.cid, why=why)
        if new:
            reason = f"held back, never sent: {why}"
            for cid in (order.cid, order.stop_cid):
                if cid is not None:
                    self._tell(Update(seq=0, ts=self._now(), cid=cid, says=Says.CANCELED, reason=reason))


async def orders(
    inbox: Inbox[Any], own: Outbox[Any], risk: Outbox[Any], strategy: Outbox[Any], recorder: Outbox[Any], desk: Desk,
    broker: Broker, clock: Clock, last: Nanos, entries: Rate, brake: Brake,
) -> None:  # fmt: skip
    """`own`: the sending end of the inbox, for the broker and the clock; `last`: the newest time that a former life
    knew of; `entries`: what it has sent.
    """

    def tell(what: Sensed | Update) -> None:
        (risk if isinstance(what, Sensed) else own).send_nowait(what)

    def now() -> Nanos:
        return max(clock.now(), last)

    wire = Wire(broker, entries, brake, now, tell)
    armed: tuple[Nanos, Timer] | None = None

    def arm() -> None:
        """One timer, for the next look; seals of that time come first."""
        nonlocal armed
        when = desk.next()
        if armed and armed[0] == when:
            return
        if armed:
            armed[1].cancel()
        armed = (when, clock.at(when, lambda: own.send_nowait(Wake(ts=when)), rank=2)) if when is not None else None

    async def kept(rows: tuple[journal.Row, ...]) -> bool:
        """On the disk; or on the sentinel, while the brake is on and the disk does not answer."""
        if brake.deaf:
            recorder.send_nowait(Note(rows=rows, updates=desk.seq))
        else:
            with brake.waiting():
                await ask(recorder, Commit(rows=rows, updates=desk.seq))
                return True
        brake.written(UNWRITTEN, rows)
        return False

    async def act(plan: Plan, durable: bool = False) -> None:
        rows, sends = tuple(plan.rows), plan.sends
        why = ""
        if sends or plan.traded or durable:
            why = "" if await kept(rows) else UNWRITTEN
        elif rows:
            recorder.send_nowait(Note(rows=rows, updates=desk.seq))
        new = {row.order.cid for row in rows if isinstance(row, journal.Intent)}
        for what in sorted(sends, key=lane):  # what lessens risk leaves first
            await wire.send(what, what.cid in new, why)
        for cid in plan.asks:
            await broker.status(cid)
        if plan.account:
            await broker.account()
        if plan.relisten:
            broker.listen(own.send_nowait, after=desk.seq)
        for traded in plan.traded:
            strategy.send_nowait(traded)
        if rows or durable or plan.sends:
            risk.send_nowait(desk.booked(now()))
        for chasing in plan.chasing:
            risk.send_nowait(chasing)
        arm()

    broker.listen(own.send_nowait, after=desk.seq)
    await act(desk.resume(last))
    risk.send_nowait(desk.booked(now()))
    async for m in inbox:
        match m:
            case Granted():
                await act(desk.granted(m), m.durable)
            case Update():
                await act(desk.update(m))
            case Statement():
                await act(desk.statement(m))
            case Unavailable():
                await act(desk.unavailable(m))
            case Wake():
                armed = None
                await act(desk.woken(m.ts))
