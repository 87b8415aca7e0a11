"""Looks once a second at what the market does not tell: the machine, and whether somebody wants us to halt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from fluxhero.messages import Command, Sensed, Verb
from fluxhero.ports import Host
from fluxhero.runtime.brake import Brake

GLANCE, PATIENCE = 1.0, 1.0  # s of host time: between two looks, and for what is told to have been dealt with


async def senses(
    host: Host, look: Callable[[], Sequence[Sensed]], brake: Brake, wire: Callable[[Any], Awaitable[Any]],
    told: Callable[[Sequence[Sensed]], None],
) -> None:  # fmt: skip
    """By the `wire` a halt that stands and is not held, then what has changed since the last look, each for as long as
    PATIENCE; `told` is all of it.
    """
    known: dict[str, bool] = {}
    while True:
        stands = brake.sentinel.read()
        if stands and not brake.halted and not brake.leaving:
            await wire(Command(verb=Verb.HALT, reason=stands[0]))
        looked, before = look(), known
        told(looked)
        known = {sensed.trip: sensed.over for sensed in looked}
        for sensed in looked:
            if sensed.over is not before.get(sensed.trip):
                with trio.move_on_after(PATIENCE) as wait:  # for a disk that hangs, no halt does
                    await wire(sensed)
                if wait.cancelled_caught:
                    del known[sensed.trip]
        await host.sleep(GLANCE)
