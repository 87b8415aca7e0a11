"""A daemon on this machine: its sockets, its signals, and its run in the store's book."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog
import trio

from fluxhero import __version__
from fluxhero.config import Config
from fluxhero.core.ladder import Rung
from fluxhero.daemon import Daemon, run
from fluxhero.house import House, Witness
from fluxhero.kernel.plug import find
from fluxhero.kernel.warm import warm
from fluxhero.outset import Outset
from fluxhero.ports import Ports
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.listen import local, unix
from fluxhero.runtime.supervise import GaveUp, lone
from fluxhero.store.sqlite import StoreError

log = structlog.get_logger()

DEADLINE = 4.0  # s from being told to go until we are cut off; systemd and a person expect an end within 5


@dataclass(frozen=True)
class Hosting:
    """How this machine has the daemon."""

    config: Config  # settled
    outset: Outset
    socket: Path
    port: int  # of HTTP; 0: any
    parting: bool = False  # entries are canceled before we go
    narrator: Witness | None = None
    opened: Callable[[str], None] = lambda serves: None  # READY; where HTTP answers
    seconds: float | None = None  # of host time, after which we go


async def hosted(h: Hosting, ports: Ports) -> bool:
    """Until the source has no more (True), or somebody wants us to go. Raises GaveUp, StoreError, Unlistenable."""
    leaving, strategy = trio.Event(), find(h.config.strategy.name)
    ports.store.begin_run(
        pid=os.getpid(), host=socket.gethostname(), started=ports.host.wall(), version=__version__, code=strategy.code
    )
    house = House(h.config, h.outset, ports, h.narrator, lambda: h.opened(house.serves))
    ports.notify("STATUS=loading the kernel")
    warm(strategy)
    with ExitStack() as opened:
        door, page = opened.enter_context(unix(h.socket)), opened.enter_context(local(h.port))
        house.serves = "http://127.0.0.1:{1}".format(*page.socket.getsockname())
        daemon = Daemon(h.outset, ports, house, leaving, h.parting, door, page)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_signals, leaving)
                nursery.start_soon(_halts, house.brake)
                nursery.start_soon(_parting, leaving, house, nursery.cancel_scope)
                if h.seconds is not None:
                    nursery.start_soon(_timeout, h.seconds, leaving)
                await run(daemon)
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise lone(group, GaveUp, StoreError) from None
    return not leaving.is_set()


def endings() -> list[signal.Signals]:
    """Signals that tell us to go; a terminal's hang-up too, unless we were started to outlive it."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM, signal.SIGINT, *([] if ignored else [signal.SIGHUP])]


async def _signals(leaving: trio.Event) -> None:
    with trio.open_signal_receiver(*endings()) as received:
        async for number in received:
            log.info("leaving", signal=signal.Signals(number).name)
            leaving.set()


async def _halts(brake: Brake) -> None:
    """SIGUSR1: whatever else is dead, nothing that opens a position leaves from here on."""
    with trio.open_signal_receiver(signal.SIGUSR1) as received:
        async for _ in received:
            log.warning("halting", signal="SIGUSR1")
            brake.pull(Rung.HALTED, "SIGUSR1")


async def _parting(leaving: trio.Event, house: House, scope: trio.CancelScope) -> None:
    """What hangs does not keep us; whatever is not yet durable will be done again."""
    await leaving.wait()
    house.leaving()
    await trio.sleep(DEADLINE)
    log.warning("the actors did not end in time; cut off", seconds=DEADLINE)
    scope.cancel()


async def _timeout(seconds: float, leaving: trio.Event) -> None:
    await trio.sleep(seconds)
    leaving.set()
