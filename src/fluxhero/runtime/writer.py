"""One thread for work that blocks: the loop goes on while the disk is at it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Generic, TypeVar

import trio

PAUSE = 0.05  # s without work, after which the thread is idle

T = TypeVar("T")


class Job(Generic[T]):
    """Work, the bell that says that it is done, and what came of it."""

    __slots__ = ("_bell", "_error", "_result", "_work")
    _result: T

    def __init__(self, work: Callable[[], T], bell: int) -> None:
        self._work, self._bell = work, bell
        self._error: BaseException | None = None

    async def done(self) -> T:
        """Its result; a cancellation waits for it."""
        with trio.CancelScope(shield=True):
            await trio.lowlevel.wait_readable(self._bell)
        os.eventfd_read(self._bell)
        if self._error is not None:
            raise self._error
        return self._result

    def do(self) -> None:
        try:
            self._result = self._work()
        except BaseException as e:
            self._error = e
        os.eventfd_write(self._bell, 1)

    def fail(self, error: BaseException) -> None:
        self._error = error
        os.eventfd_write(self._bell, 1)


class Writer:
    """An Offload: one piece of work at a time, in the order asked for, each to its end.

    Whoever is canceled waits for that end all the same: nobody may touch what the work is at before it is over.
    A bell of its own wakes the loop sooner than `trio.from_thread` would.
    """

    def __init__(self, idle: Callable[[], object] = lambda: None) -> None:
        """`idle`: done when no work has come for a while. Should it fail, so does all work from then on."""
        self._idle = idle
        self._broken: Exception | None = None
        self._bells: list[int] = []  # that nobody waits for
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.put(None)
        self._thread.join()
        for bell in self._bells:
            os.close(bell)

    async def __call__(self, work: Callable[[], T]) -> T:
        bell = self._bells.pop() if self._bells else os.eventfd(0)
        job = Job(work, bell)
        self._jobs.put(job)
        try:
            return await job.done()
        finally:
            self._bells.append(bell)

    def _run(self) -> None:
        while (job := self._next()) is not None:
            if self._broken is None:
                job.do()
            else:
                job.fail(self._broken)

    def _next(self) -> Job[Any] | None:
        try:
            return self._jobs.get(timeout=PAUSE)
        except Empty:
            self._rest()
            return self._jobs.get()

    def _rest(self) -> None:
        try:
            self._idle()
        except Exception as e:
            self._broken = e
