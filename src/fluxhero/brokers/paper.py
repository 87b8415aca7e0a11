"""The embedded venue as a broker: orders travel to it in market time, updates come back at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from fluxhero.exchange.matching import Snapshot, Venue
from fluxhero.messages import Cancel, Event, Nanos, Order, Update
from fluxhero.ports import Clock


class Ledger(Protocol):
    """Where the venue keeps what it must not forget."""

    cursor: int

    def arrived(self, key: str) -> bool: ...

    def after(self, seq: int) -> list[tuple[int | None, Update]]: ...

    def commit(
        self, state: Snapshot, cursor: int, arrived: Iterable[str], updates: Sequence[Update], event: int | None
    ) -> None: ...


class Paper:
    def __init__(self, venue: Venue, ledger: Ledger, clock: Clock, latency: Nanos) -> None:
        """`latency`: market time from send to arrival; 0: the order is there before the send returns."""
        self.cursor = ledger.cursor
        self._venue, self._ledger, self._clock, self._latency = venue, ledger, clock, latency
        self._deliver: Callable[[Update], None] = lambda update: None
        self._again: deque[tuple[int, Update]] = deque()

    def listen(self, deliver: Callable[[Update], None], after: int) -> None:
        """What was said and not heard is said again at its place in the tape."""
        self._deliver = deliver
        for event, update in self._ledger.after(after):
            if event is None:
                self._clock.at(self._after(update.ts), partial(deliver, update), rank=0)
            else:
                self._again.append((event, update))

    async def send(self, what: Order | Cancel) -> None:
        """Arrives `latency` after its own time, so that one sent again arrives when it would have."""
        when = Nanos(what.ts + self._latency)
        if when > self._clock.now():
            self._clock.at(self._after(when), lambda: self._arrive(what, when), rank=0)
        else:
            self._arrive(what, when)

    def event(self, e: Event) -> bool:
        """One event of the tape, before anyone else sees it. True if somebody heard of it."""
        heard = False
        while self._again and self._again[0][0] <= e.index:
            self._deliver(self._again.popleft()[1])
            heard = True
        if e.index < self.cursor:
            return heard
        updates = self._venue.event(e)
        self.cursor = e.index + 1
        if updates:
            self._publish(updates, (), e.index)
        return heard or bool(updates)

    def flush(self) -> None:
        """Keeps the place in the tape though nothing was said."""
        if self.cursor != self._ledger.cursor:
            self._publish((), (), None)

    def _after(self, ts: Nanos) -> Nanos:
        """Without latency an order follows the event that it answers; the venue must have seen that one first."""
        return ts if self._latency else Nanos(ts + 1)

    def _arrive(self, what: Order | Cancel, now: Nanos) -> None:
        """What has arrived once is never taken again: the id is the proof."""
        key = what.cid if isinstance(what, Order) else f"{what.cid} cancel {what.ts}"
        if self._ledger.arrived(key):
            return
        updates = self._venue.order(what, now) if isinstance(what, Order) else self._venue.cancel(what, now)
        self._publish(updates, (key,), None)

    def _publish(self, updates: Sequence[Update], arrived: Sequence[str], event: int | None) -> None:
        """Nothing is said before it is durable."""
        self._ledger.commit(self._venue.snapshot(), self.cursor, arrived, updates, event)
        for update in updates:
            self._deliver(update)
