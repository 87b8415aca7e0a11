"""A clock that somebody else moves: its timers, in order of their time and then of their setting."""

import heapq
import itertools
from collections.abc import Callable

from fluxhero.messages import Nanos

SILENCE = 3  # the rank of timers that fire when nothing has come


class Due:
    __slots__ = ("call", "when")

    def __init__(self, when: Nanos, call: Callable[[], None]) -> None:
        self.when = when
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None


class DrivenClock:
    """Time stands still until `advance` or `fire`; nothing else moves it, and never backwards.

    Timers of one time go by rank, then in the order of their setting.
    """

    def __init__(self) -> None:
        self._now = Nanos(0)
        self._heap: list[tuple[Nanos, int, int, Due]] = []
        self._order = itertools.count()

    def now(self) -> Nanos:
        return self._now

    def at(self, when: Nanos, call: Callable[[], None], rank: int = 1) -> Due:
        due = Due(when, call)
        heapq.heappush(self._heap, (when, rank, next(self._order), due))
        return due

    def forget(self, rank: int) -> None:
        """No timer of this rank is called any more."""
        for _, of, _, due in self._heap:
            if of == rank:
                due.cancel()

    def next(self) -> Nanos | None:
        """When the next timer is due."""
        while self._heap and self._heap[0][-1].call is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def fire(self) -> None:
        """Moves on to the next timer and calls it; one that is overdue is called now."""
        self.next()
        when, _, _, due = heapq.heappop(self._heap)
        self.advance(when)
        if due.call is not None:
            due.call()

    def advance(self, now: Nanos) -> None:
        self._now = max(self._now, now)
