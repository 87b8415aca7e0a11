"""Actors under supervision: started sinks first, and begun anew, all together, after a crash.

All together, because start-up and recovery are one path: every actor rebuilds itself from the store, and none goes on
beside the half-changed state of another.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import structlog
import trio

log = structlog.get_logger()


class GaveUp(Exception):
    """The actors crashed more often than their supervisor tolerates."""


class Child:
    """An actor: an async function whose locals are its state."""

    def __init__(self, name: str, run: Callable[..., Awaitable[None]], *args: Any) -> None:
        self.name, self.run, self.args = name, run, args


class RestartBudget:
    """More than `crashes` in any `period` seconds is too many."""

    def __init__(self, crashes: int = 5, period: float = 60.0) -> None:
        self._period = period
        self._times: deque[float] = deque(maxlen=crashes + 1)

    def overspent_at(self, now: float) -> bool:
        self._times.append(now)
        return len(self._times) == self._times.maxlen and now - self._times[0] <= self._period


class Crashed(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(f"actor {name} crashed")
        self.name = name


async def _live(child: Child, over: Callable[[], None]) -> None:
    try:
        await child.run(*child.args)
    except Exception as crash:
        log.exception("actor crashed", actor=child.name)
        raise Crashed(child.name) from crash
    over()


async def family(children: list[Child]) -> None:
    """Runs the children until one of them returns (its work is the family's) or crashes (`Crashed`)."""
    try:
        async with trio.open_nursery() as nursery:
            for child in children:
                nursery.start_soon(_live, child, nursery.cancel_scope.cancel, name=child.name)
    except BaseExceptionGroup as group:  # not except*: before Python 3.11.4 it would wrap what we raise
        error = lone(group, Crashed)
        raise error from error.__cause__


def lone(group: BaseExceptionGroup[BaseException], *kinds: type[BaseException]) -> BaseException:
    """The first of a group of these kinds, its cause kept; the group itself where there are others."""
    first: BaseException = group
    if group.split(kinds)[1] is None:
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
    return first


def _last(crash: Crashed) -> str:
    """What the last crash was of."""
    cause: BaseException | None = crash.__cause__
    while isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__


async def supervise(
    life: Callable[[str], Awaitable[None]],
    budget: Callable[[], RestartBudget] = RestartBudget,
    expendable: Collection[str] = (),
    crashed: Callable[[str], None] = lambda name: None,
) -> None:
    """One life after another until one ends well. Too many crashes, the last of somebody `expendable`: from then on
    lives are told why those stay down, with a budget of their own. Too many of others, or again: `GaveUp`.
    """
    spent, safe = budget(), ""
    while True:
        try:
            return await life(safe)
        except Crashed as crash:
            crashed(crash.name)
            if spent.overspent_at(trio.current_time()):
                why = f"{crash}, more often than 5 times in 60 s: {_last(crash)}"
                if safe or crash.name not in expendable:
                    raise GaveUp(why) from crash
                safe, spent = why, budget()
                log.error("going on without those who only seek entries", down=sorted(expendable), why=why)
            log.warning("restarting all actors from the store", after=crash.name)
