"""The brake: how far trading is cut down, where the last function before the wire sees it without asking anybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog
import trio

from fluxhero.ports import Host, Sentinel

log = structlog.get_logger()

PATIENCE = 1.0  # s of host time that a disk may take, while the brake is on


class Brake:
    """In memory alone; the journal says why, or where that cannot be written, the sentinel."""

    def __init__(self, sentinel: Sentinel) -> None:
        self.sentinel = sentinel
        self.rung = 0  # of all trading
        self.slots: frozenset[int] = frozenset()  # symbols that are cut down by themselves
        self.deaf = False  # the disk has not answered in time, and not since
        self.halted = False  # risk knows of the halt
        self.leaving = False  # the halt is released, and the journal does not have that yet
        self.unwritten: list[Any] = []  # trips that the journal does not have yet
        self._pull = 0  # the rung that was pulled by hand, until risk knows of it
        self._pulled = trio.Event()
        self._waiting: trio.CancelScope | None = None  # for the disk

    def pull(self, rung: int, why: str) -> None:
        """By hand, whatever risk thinks of it, and though it is dead."""
        self._pull, self.leaving = rung, False
        self.stands(self.rung, self.slots, self.halted)
        self.sentinel.write(why)

    def let_go(self) -> None:
        """The halt is released; what stands beside the journal goes once that has it."""
        self._pull, self.leaving = 0, True

    def stands(self, rung: int, slots: frozenset[int] = frozenset(), halted: bool = False) -> None:
        """As risk has it."""
        self.slots = slots
        if halted and not self.halted:
            self._pull = 0
        self.halted, self.rung = halted, max(rung, self._pull)
        if self.rung:
            self._pulled.set()
        elif self._pulled.is_set():
            self._pulled = trio.Event()

    def heard(self, rows: Sequence[Any], released: bool) -> None:
        """The disk has answered, and has these; `released`: the halt's release among them."""
        self.deaf = False
        self.unwritten = [row for row in self.unwritten if row not in rows]
        if released and self.leaving:
            self.leaving = False
            self.sentinel.clear()

    def written(self, why: str, rows: Sequence[Any]) -> None:
        """Beside the journal."""
        self.sentinel.write(why, (*self.unwritten, *rows))
        self.unwritten.clear()

    def fails(self, why: str) -> None:
        """The disk refuses, or hangs: whoever waits for it goes on without."""
        log.error("the journal cannot be written; what lessens risk goes on without it", why=why)
        self.deaf = True
        if self._waiting is not None:
            self._waiting.cancel()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around a wait for the disk: it ends when the brake is on and the wait takes too long."""
        with trio.CancelScope() as scope:
            self._waiting = scope
            try:
                yield
            finally:
                self._waiting = None

    async def watched(self, host: Host) -> None:
        """An actor: whoever waits too long is told to go on."""
        while True:
            await self._pulled.wait()
            scope = self._waiting
            await host.sleep(PATIENCE)
            if scope is not None and self._waiting is scope:
                self.fails(f"no answer within {PATIENCE:g} s")
