"""Owns orders and book: journals what is intended, then sends it; journals evidence, then tells the others."""

from __future__ import annotations

from typing import Any

from fluxhero.core.orders import Desk, Plan
from fluxhero.messages import Commit, Granted, Nanos, Note, Update, Wake
from fluxhero.ports import Broker, Clock
from fluxhero.runtime.channels import Inbox, Outbox, ask


async def orders(
    inbox: Inbox[Any], own: Outbox[Any], risk: Outbox[Any], strategy: Outbox[Any], recorder: Outbox[Any], desk: Desk,
    broker: Broker, clock: Clock, wakes: Nanos,
) -> None:  # fmt: skip
    """`own`: the sending end of the inbox, for the broker and the clock; `wakes`: when a former life meant to wake."""

    def wake(when: Nanos) -> None:
        clock.at(when, lambda: own.send_nowait(Wake(ts=when)))

    async def act(plan: Plan, durable: bool = False) -> None:
        if plan.wake is not None:
            wake(plan.wake)
        rows = tuple(plan.rows)
        if plan.sends or plan.traded or durable:
            await ask(recorder, Commit(rows=rows, updates=desk.seq))
        elif rows:
            await recorder.send(Note(rows=rows, updates=desk.seq))
        else:
            return
        for what in plan.sends:
            await broker.send(what)
        for traded in plan.traded:
            strategy.send_nowait(traded)
        risk.send_nowait(desk.booked())

    if desk.leaving:
        wake(wakes)
    broker.listen(own.send_nowait, after=desk.seq)
    for what in desk.resume():
        await broker.send(what)
    risk.send_nowait(desk.booked())
    async for m in inbox:
        match m:
            case Granted():
                await act(desk.granted(m), m.durable)
            case Update():
                await act(desk.update(m))
            case Wake():
                await act(desk.woken(m.ts))
