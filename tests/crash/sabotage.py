"""The protocol broken on purpose, one way each: a harness that does not see it sees nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from msgspec.structs import replace

from fluxhero.core import journal
from fluxhero.core.blotter import Blotter
from fluxhero.core.lives import Life, Plan
from fluxhero.core.orders import Desk
from fluxhero.core.states import State as OrderState
from fluxhero.messages import Cancel, Cid, Nanos, Order, State, Update, Why
from fluxhero.ports import Word
from fluxhero.store.sqlite import SQLiteStore
from tests.crash.remote import Remote


class Late(SQLiteStore):
    """Commits when the next commit comes: what is sent now is not yet on the disk."""

    _owed: Callable[[], None] | None = None

    def commit(self, rows: Sequence[journal.Row], states: Iterable[State], tape: int, updates: int) -> None:
        owed, self._owed = self._owed, partial(super().commit, list(rows), list(states), tape, updates)
        if self.seq == 0:  # an account is opened and read again at once
            self._owed()
            self._owed = None
        elif owed:
            owed()

    def close(self) -> None:
        if self._owed:
            self._owed()
        super().close()


class Fresh(Remote):
    """Every send has an id of its own, which nobody writes down."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._sent: dict[Cid, Cid] = {}
        self._meant: dict[Cid, Cid] = {}

    async def place(self, order: Order) -> None:
        cid = Cid(f"{order.cid.rpartition('-')[0]}-{int.from_bytes(os.urandom(6))}")
        self._sent[order.cid], self._meant[cid] = cid, order.cid
        await super().place(replace(order, cid=cid))

    async def cancel(self, cancel: Cancel) -> None:
        await super().cancel(replace(cancel, cid=self._sent.get(cancel.cid, cancel.cid)))

    async def status(self, cid: Cid) -> None:
        await super().status(self._sent.get(cid, cid))

    def _say(self, word: Word) -> None:
        super()._say(replace(word, cid=self._meant.get(word.cid, word.cid)) if isinstance(word, Update) else word)


def hasty() -> None:
    """The next attempt of an entry does not wait for the end of the one before."""
    cancel = Blotter._cancel

    def _cancel(self: Desk, life: Life, ts: Nanos, plan: Plan, why: Why) -> None:
        cancel(self, life, ts, plan, why)
        if why is Why.CHASE and life.open:
            life.state = OrderState.CANCELED
            self._closed(life, ts, plan)

    Desk._cancel = _cancel  # type: ignore[method-assign, assignment]


BREACHES: Mapping[str, str] = {
    "late": "the journal is written after the send",
    "fresh": "ids are drawn at random when sending",
    "hasty": "a chase does not wait for the terminal word",
}
STORES: Mapping[str, type[SQLiteStore]] = {"late": Late}
REMOTES: Mapping[str, type[Remote]] = {"fresh": Fresh}
