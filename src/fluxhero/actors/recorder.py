"""The one writer: gathers rows, and commits them before anything outside depends on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from fluxhero.core import journal
from fluxhero.messages import Commit, Note, State
from fluxhero.ports import Host, Ports
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.channels import Ask, Inbox, Outbox, Traffic
from fluxhero.store.sqlite import FAILURES

ROWS, SECONDS = 1000, 1.0  # what may wait at the most


class Backlog:
    """What is not yet on the disk."""

    def __init__(self, host: Host) -> None:
        self.rows: list[journal.Row] = []
        self.states: dict[str, State] = {}
        self.asks: list[Ask[Any]] = []  # who waits for it
        self.updates = 0
        self._host, self._since = host, 0.0

    def hear(self, m: Note | Ask[Any]) -> None:
        match m:
            case Note():
                self._add(m.rows, m.states, m.updates)
            case Ask(question=Commit() as commit):
                self._add(commit.rows, (), commit.updates)
                self.asks.append(m)

    def _add(self, rows: Sequence[journal.Row], states: Sequence[State], updates: int) -> None:
        if not self.rows:
            self._since = self._host.now()
        self.rows += rows
        self.updates = max(self.updates, updates)
        for state in states:
            self.states[state.name] = state

    def due(self) -> bool:
        return bool(self.rows) and (len(self.rows) >= ROWS or self._host.now() - self._since >= SECONDS)

    def take(self) -> tuple[list[journal.Row], list[State], list[Ask[Any]]]:
        rows, states, asks = self.rows, list(self.states.values()), self.asks
        self.rows, self.states, self.asks = [], {}, []
        return rows, states, asks

    def back(self, rows: list[journal.Row], states: list[State], asks: list[Ask[Any]]) -> None:
        """What could not be written."""
        self.rows = rows + self.rows
        self.states = {**{state.name: state for state in states}, **self.states}
        self.asks = asks + self.asks


class Notes(Outbox[Note | Ask[Any]]):
    """The way to the recorder: all that comes has its place among the rows at once, and wakes it if somebody waits."""

    def __init__(self, inbox: Inbox[Any], traffic: Traffic, backlog: Backlog) -> None:
        super().__init__(inbox, traffic)
        self._backlog = backlog

    async def send(self, message: Note | Ask[Any]) -> None:
        self._backlog.hear(message)
        if self._backlog.asks:
            await super().send(message)

    def send_nowait(self, message: Note | Ask[Any]) -> None:
        self._backlog.hear(message)
        if self._backlog.asks:
            super().send_nowait(message)


def notes(size: int, traffic: Traffic, backlog: Backlog) -> tuple[Notes, Inbox[Any]]:
    """The box of the recorder, as others have theirs."""
    inbox = Inbox[Any](traffic, size)
    return Notes(inbox, traffic, backlog), inbox


async def recorder(
    inbox: Inbox[Any], ports: Ports, backlog: Backlog, position: Callable[[], int],
    witness: Callable[[Sequence[journal.Row], float], None], brake: Brake,
) -> None:  # fmt: skip
    """One commit for all who wait for one. `position`: how many events of the tape the rows so far account for;
    `witness` is told of rows that have become durable, and how many seconds that took. While the `brake` is on, a disk
    that refuses is no crash: it is tried again with whatever comes next, or has come meanwhile.
    """
    async for _ in inbox:
        inbox.rest()
        while backlog.asks:
            rows, states, asks = backlog.take()
            before = ports.host.now()
            try:
                await ports.offload(partial(ports.store.commit, rows, states, position(), backlog.updates))
            except FAILURES as e:
                if not brake.rung:
                    raise
                more = bool(backlog.rows)
                backlog.back(rows, states, asks)
                brake.fails(str(e))
                if not more:
                    break
            else:
                for asked in asks:
                    asked.answer(None)
                witness(rows, ports.host.now() - before)
