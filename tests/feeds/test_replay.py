"""A tape as a source: who may act when, and where time stops."""

from collections.abc import Callable
from typing import Any

import numpy as np
import trio

from fluxhero.core.calendar import nyse
from fluxhero.feeds.replay import Pace, ReplaySource
from fluxhero.feeds.tape import Ticks
from fluxhero.messages import MINUTE, SECOND, Event, Nanos
from fluxhero.runtime.channels import Traffic
from fluxhero.runtime.clock import DrivenClock
from fluxhero.runtime.real import HostClock
from fluxhero.runtime.turns import Turns
from tests.market import sessions

OPEN = sessions()[0].open
HOUR = 60 * MINUTE


def tape(*seconds: float) -> Ticks:
    """One trade at each of these times after the open."""
    ts = np.array([OPEN + int(s * SECOND) for s in seconds])
    return Ticks([{"ts": ts, "price": np.full(len(ts), 100.0), "size": np.ones(len(ts), np.int64)}], [{"ts": ts[:0]}])


class World:
    """A source, and what happened in it: events as the venue saw them, timers as they fired."""

    def __init__(self, over: Ticks, speed: float) -> None:
        self.clock, self.turns, self.seen = DrivenClock(), Turns(), list[str]()
        self.cursor = 0
        host = HostClock()
        pace = Pace(host, nyse(), speed)
        self.source = ReplaySource(
            over, self.clock, self, pace, host, self.turns, Traffic(), 0, lambda: False, self._flush
        )

    def event(self, e: Event) -> bool:
        self.seen.append(f"event {e.index}")
        return False

    def timer(self, when: int, name: str) -> None:
        self.clock.at(Nanos(when), self._fires(name))

    def _fires(self, name: str) -> Callable[[], None]:
        return lambda: self.seen.append(name)

    async def _flush(self) -> None:
        pass


async def test_a_timer_comes_before_the_events_of_its_time(autojump_clock: trio.testing.MockClock) -> None:
    world = World(tape(0, 1, 1, 2), 0.0)
    world.timer(OPEN + SECOND, "timer")
    assert [e.index async for e in world.source] == [0, 1, 2, 3]
    assert world.seen == ["event 0", "timer", "event 1", "event 2", "event 3"]


async def test_a_command_during_the_wait_for_the_pace_is_not_overtaken(autojump_clock: trio.testing.MockClock) -> None:
    """It acts at the last event's time, and what it sets for soon after comes before the next event."""
    world = World(tape(0, 10), 1.0)

    async def commands() -> None:
        await trio.sleep(3.0)
        async with world.turns:
            world.timer(world.clock.now() + 50_000_000, "arrival")

    async def reads() -> list[Any]:
        return [e.index async for e in world.source]

    async with trio.open_nursery() as nursery:
        nursery.start_soon(commands)
        assert await reads() == [0, 1]
    assert world.seen == ["event 0", "arrival", "event 1"]


async def test_speed_is_market_time_over_host_time(autojump_clock: trio.testing.MockClock) -> None:
    world, began = World(tape(0, 60), 4.0), trio.current_time()
    assert len([e async for e in world.source]) == 2
    assert round(trio.current_time() - began, 6) == 15.0


async def test_after_the_tape_time_goes_on_for_what_is_under_way_and_no_further(
    autojump_clock: trio.testing.MockClock,
) -> None:
    world = World(tape(0, 30), 0.0)
    world.timer(OPEN + MINUTE, "seal")
    world.timer(OPEN + MINUTE + 50_000_000, "arrival")
    world.timer(OPEN + 24 * HOUR, "tomorrow")
    assert [e.index async for e in world.source] == [0, 1]
    assert world.seen == ["event 0", "event 1", "seal", "arrival"]
