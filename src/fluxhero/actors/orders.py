"""Owns orders and book: journals what is intended, then sends it; journals evidence, then tells the others."""

from __future__ import annotations

from typing import Any

from fluxhero.core.orders import Desk, Plan
from fluxhero.messages import Commit, Granted, Note, Update
from fluxhero.ports import Broker
from fluxhero.runtime.channels import Inbox, Outbox, ask


async def orders(
    inbox: Inbox[Any], own: Outbox[Any], risk: Outbox[Any],
    strategy: Outbox[Any], recorder: Outbox[Any], desk: Desk, broker: Broker,
) -> None:  # fmt: skip
    """`own`: the sending end of the inbox, for the broker's updates."""

    async def act(plan: Plan, durable: bool = False) -> None:
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
