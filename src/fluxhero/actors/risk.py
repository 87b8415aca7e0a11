"""Watch and gate: sees the account at every seal and quote, and every order before it is one."""

from __future__ import annotations

from typing import Any

from fluxhero.core.risk import Risk, Ruling
from fluxhero.messages import Booked, Command, Leave, Note, Quote, Sealed, Signals, State
from fluxhero.ports import Clock
from fluxhero.runtime.channels import Ask, Inbox, Outbox


async def risk(
    inbox: Inbox[Any], strategy: Outbox[Any], orders: Outbox[Any],
    recorder: Outbox[Any], watch: Risk, clock: Clock, resume: int,
) -> None:  # fmt: skip
    """Quotes before tape event `resume` were judged in a former life."""

    async def rule(ruling: Ruling) -> None:
        await recorder.send(Note(rows=tuple(ruling.rows), state=State(name="account", blob=watch.account.tobytes())))
        if ruling.granted is not None:
            await orders.send(ruling.granted)

    async for m in inbox:
        match m:
            case Quote():
                marked = watch.on_quote(m, judge=m.index >= resume)
                if marked is not None:
                    await rule(marked)
            case Booked():
                watch.on_book(m)
            case Sealed():
                watched, ruling = watch.on_sealed(m)
                await rule(ruling)
                await strategy.send(watched)
            case Signals():
                granted, ruling = watch.on_signals(m)
                if ruling.rows:
                    await rule(ruling)
                await orders.send(granted)
            case Ask(question=Command() as command):
                outcome, ruling = watch.command(command, clock.now())
                await rule(ruling)
                m.answer(outcome)
            case Ask(question=Leave()):
                await rule(watch.leave(clock.now()))
                m.answer(None)
