"""Keeps the bars: forms them from trades, seals them by the clock."""

from __future__ import annotations

from typing import Any

from fluxhero.core.candles import Candles
from fluxhero.messages import Bars, SealDue, Trade
from fluxhero.ports import Clock
from fluxhero.runtime.channels import Inbox, Outbox


async def candles(
    inbox: Inbox[Any], own: Outbox[Any], risk: Outbox[Any], keeper: Candles, clock: Clock, resume: int
) -> None:  # fmt: skip
    """`own`: the sending end of the inbox, for the timer; bars before tape event `resume` are known already."""
    async for m in inbox:
        match m:
            case Trade():
                due = keeper.trade(m, again=m.index < resume)
                if due is not None:
                    clock.at(due, lambda: own.send_nowait(SealDue()))
            case Bars() if m.index >= resume:
                await risk.send(keeper.bars(m))
            case SealDue():
                await risk.send(keeper.seal())
