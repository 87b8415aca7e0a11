"""One thing at a time: while a turn lasts, what it caused is still at work; between turns a command may act."""

from types import TracebackType

import trio


class Turns:
    """Held by whoever moves time, from an event's release until nothing is left to do for it."""

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    async def begin(self) -> None:
        try:
            self._lock.acquire_nowait()
        except trio.WouldBlock:
            await self._lock.acquire()

    def end(self) -> None:
        self._lock.release()
