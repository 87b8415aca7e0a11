"""The page: who lives here, what they say to whom, and how a life begins from what the last one left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fluxhero.actors.candles import candles
from fluxhero.actors.control import Controller, control
from fluxhero.actors.feed import feed
from fluxhero.actors.orders import orders
from fluxhero.actors.recorder import Backlog, recorder
from fluxhero.actors.risk import risk
from fluxhero.actors.strategy import strategy
from fluxhero.messages import Commit
from fluxhero.ports import Ports
from fluxhero.restore import Outset, begun
from fluxhero.runtime.channels import Traffic, ask, box
from fluxhero.runtime.supervise import Child, RestartBudget, family, supervise

FORWARD, BACK = 64, 65_536  # forward edges wait for room; a full back edge is a crash


@dataclass(frozen=True)
class Daemon:
    """What does not change from life to life."""

    outset: Outset
    ports: Ports
    socket: Path | None  # of the control actor; None: there is none
    stop: Callable[[], None]


async def run(daemon: Daemon) -> None:
    """Until the source has no more. Raises GaveUp when the actors crash too often."""
    await supervise(partial(_life, daemon), RestartBudget())


async def _life(d: Daemon) -> None:
    ports, world = d.ports, d.ports.world()
    try:
        mind = begun(d.outset, ports)
        traffic = Traffic()
        to_candles, at_candles = box(FORWARD, traffic)
        to_strategy, at_strategy = box(BACK, traffic)
        to_risk, at_risk = box(BACK, traffic)
        to_orders, at_orders = box(BACK, traffic)
        to_recorder, at_recorder = box(FORWARD, traffic)
        backlog = Backlog(ports.host)

        async def flush() -> None:
            world.flush()
            await ask(to_recorder, Commit())

        source = world.source(traffic, mind.tape, backlog.due, flush)

        async def reads() -> None:
            await feed(source, to_candles, to_risk)
            await flush()

        clock, tape, broker = world.clock, mind.tape, world.broker
        desk, wakes = mind.desk, mind.wakes
        children = [
            Child("recorder", recorder, at_recorder, ports.store, backlog, ports.offload, lambda: source.position),
            Child(
                "orders", orders, at_orders, to_orders, to_risk, to_strategy, to_recorder, desk, broker, clock, wakes
            ),
            Child("risk", risk, at_risk, to_strategy, to_orders, to_recorder, mind.risk, clock, tape),
            Child("strategy", strategy, at_strategy, to_risk, to_recorder, mind.strategy),
            Child("candles", candles, at_candles, to_candles, to_risk, mind.candles, clock, tape),
            Child("feed", reads),
        ]
        if d.socket is not None:
            controller = Controller(d.outset.directory, world, to_risk, to_recorder, d.stop)
            children.insert(0, Child("control", control, d.socket, controller))
        await family(children)
    finally:
        world.close()
