"""Beats once a second: measures the loop, looks after the others, and feeds systemd's watchdog while all get on."""

from __future__ import annotations

from collections.abc import Callable

import structlog
import trio

from fluxhero.ports import Host, Notify
from fluxhero.runtime.channels import Traffic
from fluxhero.runtime.vitals import Vitals

log = structlog.get_logger()

BEAT = 1.0  # s of host time


async def heart(
    host: Host, traffic: Traffic, vitals: Vitals, notify: Notify, ready: Callable[[], None],
    late: Callable[[float], None],
) -> None:  # fmt: skip
    """`ready`: every actor has begun; `late`: by how much a beat was."""
    while not traffic.settled.is_set():
        vitals.look(host.now())
        with trio.move_on_after(BEAT):
            await traffic.settled.wait()
    vitals.ready = True
    ready()
    pinged = complained = float("-inf")
    beat, told = min(BEAT, notify.interval), ""
    while True:
        before = host.now()
        vitals.look(before)
        if (status := vitals.trouble or "trading") != told:
            told = status
            notify(f"STATUS={status}")
        if not vitals.stuck:
            if before - pinged >= notify.interval:
                pinged = before
                notify("WATCHDOG=1")
                vitals.pings += 1
        elif before - complained >= notify.interval:
            complained = before
            log.error("actors do not get on; systemd will end us if that lasts", stuck=vitals.stuck)
        await host.sleep(beat)
        late(host.now() - before - beat)
