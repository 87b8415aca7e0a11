"""Owns orders and book: journals what is intended, then sends it; journals evidence, then tells the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from fluxhero.brokers.lanes import lane
from fluxhero.core.lives import Plan
from fluxhero.core.orders import Desk
from fluxhero.core.rate import CEILING, Rate
from fluxhero.messages import Cancel, Commit, Granted, Nanos, Note, Order, Role, Statement, Unavailable, Update, Wake
from fluxhero.ports import Broker, Clock, Timer
from fluxhero.runtime.channels import Inbox, Outbox, ask

log = structlog.get_logger()


class Wire:
    """The last function before the broker."""

    def __init__(self, broker: Broker, entries: Rate, now: Callable[[], Nanos]) -> None:
        self._broker, self._now = broker, now
        self._entries, self._others = entries, Rate()

    async def send(self, what: Order | Cancel) -> None:
        """However mad we have gone: no more entries than may be; what lessens risk always leaves."""
        if isinstance(what, Order) and what.role is Role.ENTRY:
            if not self._entry(what):
                return
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

    def _entry(self, order: Order) -> bool:
        now = self._now()
        over = self._entries.over(now)
        if over:
            log.error("an entry was held back: too many of them", cid=order.cid, sent=over[0], most=over[1])
            return False
        self._entries.count(now)
        return True


async def orders(
    inbox: Inbox[Any], own: Outbox[Any], risk: Outbox[Any], strategy: Outbox[Any], recorder: Outbox[Any], desk: Desk,
    broker: Broker, clock: Clock, last: Nanos, entries: Rate,
) -> None:  # fmt: skip
    """`own`: the sending end of the inbox, for the broker and the clock; `last`: the newest time that a former life
    knew of; `entries`: what it has sent.
    """
    wire = Wire(broker, entries, lambda: max(clock.now(), last))
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

    async def act(plan: Plan, durable: bool = False) -> None:
        rows = tuple(plan.rows)
        if plan.sends or plan.traded or durable:
            await ask(recorder, Commit(rows=rows, updates=desk.seq))
        elif rows:
            await recorder.send(Note(rows=rows, updates=desk.seq))
        for what in sorted(plan.sends, key=lane):  # what lessens risk leaves first
            await wire.send(what)
        for cid in plan.asks:
            await broker.status(cid)
        if plan.account:
            await broker.account()
        if plan.relisten:
            broker.listen(own.send_nowait, after=desk.seq)
        for traded in plan.traded:
            strategy.send_nowait(traded)
        if rows or durable or plan.sends:
            risk.send_nowait(desk.booked())
        for chasing in plan.chasing:
            risk.send_nowait(chasing)
        arm()

    broker.listen(own.send_nowait, after=desk.seq)
    await act(desk.resume(last))
    risk.send_nowait(desk.booked())
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
