"""A tape as a source: the market's time moves from event to event, and only when nobody is busy."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Protocol

from fluxhero.core.calendar import Calendar
from fluxhero.messages import MINUTE, Bars, Event, Nanos, Quote, Trade
from fluxhero.ports import Host, Traffic
from fluxhero.runtime.clock import SILENCE, DrivenClock
from fluxhero.runtime.turns import Turns

SLICE = 0.2  # s of host time between looks at what is pending, while we wait for the pace


class Tape(Protocol):
    """Every event in order; `last`: the time of the last."""

    @property
    def last(self) -> Nanos: ...

    def events(self, start: int) -> Iterator[Event]: ...

    def resume(self, cursor: int) -> int:
        """Where to feed from, so that nothing half done is lost."""
        ...


class Venue(Protocol):
    """Sees every event before we do."""

    cursor: int

    def event(self, e: Event) -> bool: ...


class Pace:
    """Host time per market time; closed hours take none. `speed` 0 is as fast as it goes."""

    def __init__(self, host: Host, calendar: Calendar, speed: float) -> None:
        self._host, self._calendar, self._speed = host, calendar, speed
        self._due, self._last = 0.0, Nanos(0)

    def wait(self, ts: Nanos) -> float:
        """Seconds until an event of `ts` may be released."""
        if not self._speed:
            return 0.0
        if not self._last:
            self._due, self._last = self._host.now(), ts
        elif ts > self._last:
            self._due += self._market(self._last, ts) / 1e9 / self._speed
            self._last = ts
        return self._due - self._host.now()

    def _market(self, a: Nanos, b: Nanos) -> int:
        """The ns of regular sessions between two times; extended hours are jumped too."""
        total = 0
        while a < min(b, self._calendar.sessions[-1].close):
            session = self._calendar.next(a)
            total += max(0, min(b, session.close) - max(a, session.open))
            a = session.close
        return total


class ReplaySource:
    def __init__(
        self, tape: Tape, clock: DrivenClock, venue: Venue, pace: Pace, host: Host, turns: Turns,
        traffic: Traffic, ours: int, pending: Callable[[], bool], flush: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        """`ours`: our cursor; `pending`: is a commit due?; `flush`: makes all rows so far durable."""
        self.position = ours
        start = tape.resume(min(ours, venue.cursor))
        self.refed = max(ours, venue.cursor) - start  # events that some of us have seen before
        self.beats = self.given = 0
        self._events = tape.events(start)
        self._last = tape.last
        self._clock, self._venue, self._pace, self._host, self._turns = clock, venue, pace, host, turns
        self._traffic, self._pending, self._flush = traffic, pending, flush
        self.again = start < ours
        self._begun = False

    def __aiter__(self) -> ReplaySource:
        return self

    async def __anext__(self) -> Trade | Quote | Bars:
        """The next event, after every timer that is due at or before it; we hold the turn until we are asked again."""
        self.beats += 1
        await self._between()
        event = next(self._events, None)
        if event is None:
            await self._last_timers()
            self._turns.end()
            raise StopAsyncIteration
        self.again = event.index < self.position
        await self._timers(event.ts)
        while await self._waited(event.ts):
            await self._timers(event.ts)  # a command may have set more while we waited
        self._clock.advance(event.ts)
        if self._venue.event(event):
            await self._traffic.quiet()
        self.position = max(self.position, event.index + 1)
        self.given += 1
        return event

    async def _timers(self, until: Nanos) -> None:
        """Fires what is due by then, in its time."""
        while (due := self._clock.next()) is not None and due <= until:
            if not await self._waited(due):
                self._clock.fire()
                await self._between()

    async def _last_timers(self) -> None:
        """What the last events began: their minute's seal, orders under way; not what waits for another day, and nobody
        is silent because the tape has ended.
        """
        self._clock.forget(SILENCE)
        await self._timers(Nanos(self._last // MINUTE * MINUTE + 2 * MINUTE))

    async def _between(self) -> None:
        """Ends the turn, lets others act, begins the next."""
        await self._traffic.quiet()
        if self._begun:
            if self._pending():
                await self._flush()
            self._turns.end()
        await self._turns.begin()
        await self._traffic.quiet()
        self._begun = True

    async def _waited(self, ts: Nanos) -> bool:
        """Waits for the pace, our turn given to others; False where there was nothing to wait for.

        What is seen again is let through at once, so that the market's time is soon where it was.
        """
        if self.again or self._pace.wait(ts) <= 0:
            return False
        while (seconds := self._pace.wait(ts)) > 0:
            self.beats += 1
            self._turns.end()
            await self._host.sleep(min(seconds, SLICE))
            await self._turns.begin()
            await self._traffic.quiet()
            if self._pending():
                await self._flush()
        return True
