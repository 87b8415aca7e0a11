"""The border between a life and its world: all that crosses it is counted, and before the n-th the life ends.

A death shows only between two effects, and before one is after the last: who counts them knows every death. What only
reads a clock, or sets a timer that dies with us, is no effect.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fluxhero.ports import Clock, Ports
from tests.simulation.world import Killed

# Of each port, what changes the world or is given by it.
EFFECTS: dict[str, frozenset[str]] = {
    "store": frozenset({"commit", "restore", "fills_after", "rounds_after", "flows_after", "knows", "begin_run"}),
    "sentinel": frozenset({"read", "write", "kept", "clear"}),
    "broker": frozenset({"listen", "place", "cancel", "replace_stop", "status", "account"}),
    "randomness": frozenset({"token"}),
    "ledger": frozenset({"commit"}),  # the venue's own, where it dies with us
}
NEXT = "source.next"


def dies() -> None:
    raise Killed


class Border:
    """`n`: the effect before which we die, from 1; 0: none. `kill` does it."""

    def __init__(self, n: int = 0, kill: Callable[[], None] = dies) -> None:
        self._n, self._kill = n, kill
        self.crossed: list[str] = []
        self.dead = False

    def soon(self, n: int) -> None:
        """We die before the n-th from now on."""
        self._n = len(self.crossed) + n

    def cross(self, effect: str) -> None:
        """The dead do nothing more, whatever their cleanup tries."""
        if self.dead:
            raise Killed
        self.crossed.append(effect)
        if len(self.crossed) == self._n:
            self.die()

    def die(self) -> None:
        self.dead = True
        self._kill()


class Guarded:
    """A port behind the border."""

    def __init__(self, port: str, inner: Any, border: Border) -> None:
        self._port, self._inner, self._border = port, inner, border

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in EFFECTS[self._port]:
            return found

        def crossing(*args: Any, **kwargs: Any) -> Any:
            self._border.cross(f"{self._port}.{name}")
            return found(*args, **kwargs)

        return crossing


class GuardedSource:
    def __init__(self, inner: Any, border: Border) -> None:
        self._inner, self._border = inner, border

    def __aiter__(self) -> GuardedSource:
        return self

    async def __anext__(self) -> Any:
        self._border.cross(NEXT)
        return await self._inner.__anext__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class GuardedWorld:
    def __init__(self, inner: Any, border: Border) -> None:
        self._inner, self._border = inner, border
        self.clock: Clock = inner.clock
        self.broker: Any = Guarded("broker", inner.broker, border)

    def source(self, *args: Any) -> Any:
        self._border.cross("world.source")
        return GuardedSource(self._inner.source(*args), self._border)

    def flush(self) -> None:
        self._border.cross("world.flush")
        self._inner.flush()

    def turn(self) -> AbstractAsyncContextManager[None]:
        turn: AbstractAsyncContextManager[None] = self._inner.turn()
        return turn

    def close(self) -> None:
        """Of the dead too: a file that is closed holds what it held."""
        self._inner.close()


class GuardedNotify:
    def __init__(self, inner: Any, border: Border) -> None:
        self._inner, self._border, self.interval = inner, border, inner.interval

    def __call__(self, words: str) -> None:
        self._border.cross("notify")
        self._inner(words)


def guarded(ports: Ports, border: Border) -> Ports:
    async def offload(work: Callable[[], Any]) -> Any:
        border.cross("offload")
        done: Awaitable[Any] = ports.offload(work)
        return await done

    def world() -> Any:
        border.cross("world")
        return GuardedWorld(ports.world(), border)

    return dataclasses.replace(
        ports, offload=offload, world=world, notify=GuardedNotify(ports.notify, border),
        store=Guarded("store", ports.store, border), randomness=Guarded("randomness", ports.randomness, border),
        sentinel=Guarded("sentinel", ports.sentinel, border),
    )  # fmt: skip
