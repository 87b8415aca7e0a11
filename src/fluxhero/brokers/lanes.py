"""The line to a venue: what lessens risk leaves first, and no minute sees more requests than the account may make."""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from fluxhero.messages import Cancel, Order, Role

T = TypeVar("T")

SPAN = 60.0  # s
BUDGET, KEPT = 200, 50  # requests in any span of host time, and how many of them are for cancels, exits and stops alone


class Lane(enum.IntEnum):
    CANCEL = 0
    CLOSE = 1  # exits and stops
    POLL = 2  # whatever only asks
    ENTRY = 3


ROLES = {Role.EXIT: Lane.CLOSE, Role.STOP: Lane.CLOSE, Role.ENTRY: Lane.ENTRY}
URGENT = frozenset({Lane.CANCEL, Lane.CLOSE})


def lane(what: object) -> Lane:
    if isinstance(what, Order):
        return ROLES[what.role]
    return Lane.CANCEL if isinstance(what, Cancel) else Lane.POLL


class Lanes(Generic[T]):
    """What waits to leave. Within a lane the oldest is first; what waits already does not wait twice."""

    def __init__(self, now: Callable[[], float], budget: int = BUDGET, kept: int = KEPT) -> None:
        """`now`: host seconds, monotonic, as Trio has them."""
        if not 0 <= kept < budget:
            raise ValueError(f"{kept} of {budget} requests are kept for cancels and exits: leave some for the others")
        self._now = now
        self._most = {lane: budget if lane in URGENT else budget - kept for lane in Lane}
        self._lanes: dict[Lane, deque[T]] = {lane: deque() for lane in Lane}
        self._spent: deque[float] = deque()  # when each request of the last span is forgotten
        self._more = trio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._lanes.values()))

    def __contains__(self, what: T) -> bool:
        return what in self._lanes[lane(what)]

    def put(self, what: T) -> None:
        if what not in self:
            self._lanes[lane(what)].append(what)
            self._more.set()
            self._more = trio.Event()

    def next(self) -> T | None:
        """What may leave now, which spends a request; None where nothing waits or may."""
        first = self._first()
        if first is None or self._blocked(first):
            return None
        self._spent.append(self._now() + SPAN)
        return self._lanes[first].popleft()

    def wait(self) -> float:
        """Seconds until something that waits may leave; infinite where nothing waits."""
        first = self._first()
        if first is None:
            return math.inf
        over = self._blocked(first)
        return self._spent[over - 1] - self._now() if over else 0.0

    async def take(self) -> T:
        """What leaves next, as soon as it may."""
        while (what := self.next()) is None:
            more = self._more
            with trio.move_on_after(self.wait()):
                await more.wait()
        return what

    def _first(self) -> Lane | None:
        """The first lane in which something waits. Where it may not leave, nothing behind it may."""
        return next((lane for lane, waiting in self._lanes.items() if waiting), None)

    def _blocked(self, lane: Lane) -> int:
        """How many requests must be forgotten before one of this lane may leave."""
        now = self._now()
        while self._spent and self._spent[0] <= now:
            self._spent.popleft()
        return max(0, len(self._spent) + 1 - self._most[lane])
