"""Watch and gate: sees the account at every seal and quote, and every order before it is one."""

from __future__ import annotations

from typing import Any

from fluxhero.core.risk import Risk, Ruling
from fluxhero.messages import Booked, Chasing, Command, Leave, Nanos, Note, Quote, Sealed, Signals
from fluxhero.ports import Clock
from fluxhero.runtime.channels import Ask, Inbox, Outbox


async def risk(
    inbox: Inbox[Any], strategy: Outbox[Any], orders: Outbox[Any],
    recorder: Outbox[Any], watch: Risk, clock: Clock, resume: int, last: Nanos,
) -> None:  # fmt: skip
    """Quotes before tape event `resume` were judged in a former life; `last`: its newest time, which no command of
    ours may bear less than, though the clock has not come there again.
    """

    def now() -> Nanos:
        return max(clock.now(), last)

    async def rule(ruling: Ruling) -> None:
        await recorder.send(Note(rows=tuple(ruling.rows), states=watch.states()))
        if ruling.granted is not None:
            await orders.send(ruling.granted)

    if watch.safe:
        await rule(watch.leave(now()))
    async for m in inbox:
        match m:
            case Quote():
                marked = watch.on_quote(m, judge=m.index >= resume)
                if marked is not None:
                    await rule(marked)
            case Chasing():
                await rule(watch.on_chasing(m))
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
                outcome, ruling = watch.command(command, now())
                await rule(ruling)
                m.answer(outcome)
            case Ask(question=Leave()):
                await rule(watch.leave(now()))
                m.answer(None)
