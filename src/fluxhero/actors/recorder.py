"""The one writer: gathers rows, and commits them before anything outside depends on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fluxhero.core import journal
from fluxhero.messages import Commit, Note, State
from fluxhero.ports import Host, Ports
from fluxhero.runtime.channels import Ask, Inbox

ROWS, SECONDS = 1000, 1.0  # what may wait at the most


class Backlog:
    """What is not yet on the disk."""

    def __init__(self, host: Host) -> None:
        self.rows: list[journal.Row] = []
        self.states: dict[str, State] = {}
        self.updates = 0
        self._host, self._since = host, 0.0

    def add(self, rows: Sequence[journal.Row], states: Sequence[State], updates: int) -> None:
        if not self.rows:
            self._since = self._host.now()
        self.rows += rows
        self.updates = max(self.updates, updates)
        self.states.update({state.name: state for state in states})

    def due(self) -> bool:
        return bool(self.rows) and (len(self.rows) >= ROWS or self._host.now() - self._since >= SECONDS)

    def take(self) -> tuple[list[journal.Row], list[State]]:
        rows, states = self.rows, list(self.states.values())
        self.rows, self.states = [], {}
        return rows, states


async def recorder(
    inbox: Inbox[Any], ports: Ports, backlog: Backlog, position: Callable[[], int],
    witness: Callable[[Sequence[journal.Row], float], None],
) -> None:  # fmt: skip
    """`position`: how many events of the tape the rows so far account for; `witness` is told of rows that have become
    durable, and how many seconds that took.
    """
    async for m in inbox:
        match m:
            case Note():
                backlog.add(m.rows, m.states, m.updates)
            case Ask(question=Commit() as commit):
                backlog.add(commit.rows, (), commit.updates)
                rows, states = backlog.take()
                tape, updates, before = position(), backlog.updates, ports.host.now()
                await ports.offload(lambda: ports.store.commit(rows, states, tape, updates))  # noqa: B023
                m.answer(None)
                witness(rows, ports.host.now() - before)
