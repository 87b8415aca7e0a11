"""The embedded venue as a broker: what we ask travels to it in market time, what it says comes back at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from fluxhero.brokers.direct import Direct
from fluxhero.exchange.matching import Snapshot, Venue
from fluxhero.messages import Cancel, Cid, Event, Nanos, Order, Says, Update
from fluxhero.ports import Clock, Word

NOW = -1  # the place in the tape of what is said for the first time
GLANCES = (64, 4096)  # the newest words, among which those of an order are mostly found


class Ledger(Protocol):
    """Where the venue keeps what it must not forget."""

    cursor: int

    def arrived(self, key: str) -> bool: ...

    def after(self, seq: int) -> list[tuple[int | None, Update]]: ...

    def commit(
        self, state: Snapshot, cursor: int, arrived: Iterable[str], updates: Sequence[Update], event: int | None
    ) -> None: ...


class Paper(Direct):
    def __init__(self, venue: Venue, ledger: Ledger, clock: Clock, latency: Nanos) -> None:
        """`latency`: market time from send to arrival; 0: what is sent is there before the send returns."""
        self.cursor = ledger.cursor
        self._venue, self._ledger, self._clock, self._latency = venue, ledger, clock, latency
        self._deliver: Callable[[Word], None] = lambda word: None
        self._unheard: deque[tuple[int | None, Update]] = deque()  # in their order, each with its place in the tape
        self._fed = NOW  # the newest event of this life

    def listen(self, deliver: Callable[[Word], None], after: int) -> None:
        """What was said and not heard is said again at its place in the tape, or now if that is past."""
        self._deliver = deliver
        self._unheard = deque(self._ledger.after(after))
        for event, update in self._unheard:
            if event is None and not self._due(event, update):
                self._clock.at(self._after(update.ts), self._tell, rank=0)
        self._tell()

    def post(self, what: Order | Cancel) -> None:
        """Arrives `latency` after its own time, so that one sent again arrives when it would have, or now."""
        when, now = Nanos(what.ts + self._latency), self._clock.now()
        if when > now:
            self._clock.at(self._after(when), lambda: self._arrive(what, when), rank=0)
        else:
            self._arrive(what, now)

    def ask(self, what: Cid | None) -> None:
        """A question travels as long as an order, so it never overtakes one."""
        if self._latency:
            self._clock.at(Nanos(self._clock.now() + self._latency), partial(self._answer, what), rank=0)
        else:
            self._answer(what)

    def event(self, e: Event) -> bool:
        """One event of the tape, before anyone else sees it. True if somebody heard of it."""
        waiting, self._fed = len(self._unheard), e.index
        self._tell()
        heard = len(self._unheard) < waiting
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
        if isinstance(what, Order):
            if not self._ledger.arrived(what.cid):
                cids = (what.cid, what.stop_cid) if what.stop_cid else (what.cid,)
                self._publish(self._venue.order(what, now), cids, None)
        elif not self._ledger.arrived(key := f"{what.cid} cancel {what.ts}"):
            self._publish(self._venue.cancel(what, now, self._filled(what.cid)), (key,), None)

    def _answer(self, what: Cid | None) -> None:
        """All that was said of an order has been delivered, or will be at its place; what is left is to deny it."""
        now = self._clock.now()
        if what is None:
            self._deliver(self._venue.statement(now))
        elif not self._ledger.arrived(what):
            self._deliver(Update(seq=0, ts=now, cid=what, says=Says.ABSENT))

    def _filled(self, cid: Cid) -> int:
        """Of an order, by the venue's last word of it."""
        if cid in self._venue.resting or not self._ledger.arrived(cid):
            return 0
        said = self._venue.seq
        for glance in (*GLANCES, said):
            for _, update in reversed(self._ledger.after(max(0, said - glance))):
                if update.cid == cid:
                    return update.filled
        return 0

    def _publish(self, updates: Sequence[Update], arrived: Sequence[str], event: int | None) -> None:
        """Nothing is said before it is durable, nor before what was said earlier."""
        self._ledger.commit(self._venue.snapshot(), self.cursor, arrived, updates, event)
        self._unheard.extend((NOW, update) for update in updates)
        self._tell()

    def _tell(self) -> None:
        """Delivers what is due, in the venue's order."""
        while self._unheard and self._due(*self._unheard[0]):
            self._deliver(self._unheard.popleft()[1])

    def _due(self, event: int | None, update: Update) -> bool:
        """An event's words once it has been fed; an arrival's at their time."""
        return self._after(update.ts) <= self._clock.now() if event is None else event <= self._fed
