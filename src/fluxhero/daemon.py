"""The page: who lives here, what they say to whom, and how a life begins from what the last one left."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import trio

from fluxhero.actors.candles import candles
from fluxhero.actors.control import Controller, Wire, control, door
from fluxhero.actors.feed import feed
from fluxhero.actors.heart import heart
from fluxhero.actors.http import http
from fluxhero.actors.orders import orders
from fluxhero.actors.recorder import Backlog, notes, recorder
from fluxhero.actors.risk import risk
from fluxhero.actors.senses import senses
from fluxhero.actors.strategy import strategy
from fluxhero.gauges import Life
from fluxhero.house import House
from fluxhero.messages import Commit
from fluxhero.outset import Outset
from fluxhero.ports import Ports
from fluxhero.restore import begun
from fluxhero.runtime.channels import Traffic, ask, box, nowhere
from fluxhero.runtime.supervise import Child, family, supervise

FORWARD, BACK = 64, 65_536  # forward edges wait for room; a full back edge is a crash
SEEKERS = ("feed", "candles", "strategy")  # without them exits and stops go on


@dataclass(frozen=True)
class Daemon:
    """What does not change from life to life."""

    outset: Outset
    ports: Ports
    house: House
    leaving: trio.Event  # set by whoever wants us to go
    parting: bool = False  # entries are canceled before we go
    socket: trio.SocketListener | None = None  # of the control actor
    page: trio.SocketListener | None = None  # of the HTTP server


async def run(daemon: Daemon) -> None:
    """Until the source has no more, or somebody wants us to go. Raises GaveUp when the actors crash too often."""
    await supervise(partial(_life, daemon), expendable=SEEKERS, crashed=daemon.house.vitals.crashed)


async def _life(d: Daemon, safe: str) -> None:
    """`safe`: why the seekers stay down, if they do; the market goes on without them."""
    ports, house, world = d.ports, d.house, d.ports.world()
    brake = house.brake
    try:
        mind = begun(d.outset, ports, safe)
        brake.stands(mind.risk.rung, mind.risk.trips.symbols)
        traffic = Traffic()
        to_candles, at_candles = nowhere() if safe else box(FORWARD, traffic)
        to_strategy, at_strategy = nowhere() if safe else box(BACK, traffic)
        to_risk, at_risk = box(BACK, traffic)
        to_orders, at_orders = box(BACK, traffic)
        backlog = Backlog(ports.host)
        to_recorder, at_recorder = notes(BACK, traffic, backlog)
        boxes = {"recorder": at_recorder, "orders": at_orders, "risk": at_risk}

        async def flush() -> None:
            world.flush()
            await ask(to_recorder, Commit())

        wire = Wire(world, traffic, to_risk, flush)
        source = world.source(traffic, mind.tape, backlog.due, flush)
        host, clock, tape, last, broker = ports.host, world.clock, mind.tape, mind.last, world.broker
        ends = to_risk, to_strategy, to_recorder
        told = Controller(d.outset.directory, d.outset.symbols, house.answers, wire, host, d.leaving, house.counted)
        children = [
            Child("recorder", recorder, at_recorder, ports, backlog, lambda: source.position, house.witness, brake),
            Child("orders", orders, at_orders, to_orders, *ends, mind.desk, broker, clock, last, mind.sent, brake),
            Child("risk", risk, at_risk, to_risk, to_orders, *ends[1:], mind.risk, clock, brake, tape, last, source),
            Child("brake", brake.watched, host),
        ]
        if not safe:
            boxes |= {"strategy": at_strategy, "candles": at_candles}
            children += [
                Child("strategy", strategy, at_strategy, to_risk, to_recorder, mind.strategy),
                Child("candles", candles, at_candles, to_candles, to_risk, mind.candles, clock, tape),
            ]
        children += [
            Child("market" if safe else "feed", feed, source, to_candles, to_risk, flush),
            Child("senses", senses, host, ports.senses, brake, wire, house.sensed),
            Child("heart", heart, host, traffic, house.vitals, ports.notify, house.ready, house.late),
            Child("door", door, d.leaving, traffic, wire if d.parting else None),
            *([Child("control", control, d.socket, told)] if d.socket else []),
            *([Child("http", http, d.page, house.pages)] if d.page else []),
        ]
        house.born(Life(mind, clock, source, boxes, tuple(child.name for child in children)), safe)
        await family(children)
    finally:
        world.close()
