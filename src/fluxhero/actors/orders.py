"""Owns orders and book: journals what is intended, then sends it; journals evidence, then tells the others."""

from __future__ import annotations

from typing import Any

import trio

from fluxhero.core.orders import Desk, Plan
from fluxhero.messages import Commit, Granted, Update
from fluxhero.ports import Broker
from fluxhero.runtime.channels import ask


async def orders(
    inbox: trio.MemoryReceiveChannel[Any], own: trio.MemorySendChannel[Any], risk: trio.MemorySendChannel[Any],
    strategy: trio.MemorySendChannel[Any], recorder: trio.MemorySendChannel[Any], desk: Desk, broker: Broker,
) -> None:  # fmt: skip
    """`own`: the sending end of the inbox, for the broker's updates."""

    async def act(plan: Plan) -> None:
        if not plan.rows:
            return
        await ask(recorder, Commit(rows=tuple(plan.rows), updates=desk.seq))
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
                await act(desk.granted(m))
            case Update():
                await act(desk.update(m))
