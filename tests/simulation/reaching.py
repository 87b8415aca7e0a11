"""Where a hand reaches into all lives of a world: the source, risk, the store, and the way to the venue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fluxhero import daemon
from fluxhero.messages import Cancel, Event, Granted, Nanos, Note, Order, Quote
from fluxhero.runtime.channels import Outbox
from fluxhero.store.sqlite import SQLiteStore
from tests.simulation import surviving
from tests.simulation.surviving import SurvivingWorld, Way
from tests.simulation.tripping import Hand, Life, exposure


class Handed:
    """A source, its events seen by the hand before they are given."""

    def __init__(self, inner: Any, hand: Hand, quiet: Any, flush: Any) -> None:
        self._inner, self._hand, self._quiet, self._flush = inner, hand, quiet, flush

    def __aiter__(self) -> Handed:
        return self

    async def __anext__(self) -> Any:
        while True:
            e = await self._inner.__anext__()
            if not self._inner.again:
                await self._hand.event(e, self._quiet, self._flush)
            if not (self._hand.silent and isinstance(e, Quote) and self._hand.scope(e.slot)):
                return e

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Heard:
    """Risk's way to others."""

    def __init__(self, inner: Outbox[Any], hand: Hand) -> None:
        self._inner, self._hand = inner, hand

    def send_nowait(self, m: Any) -> None:
        if isinstance(m, Granted):
            self._hand.granted(m)
        if isinstance(m, Note):
            self._hand.noted(m)
        self._inner.send_nowait(m)


@contextmanager
def reaching(hand: Hand) -> Iterator[None]:
    """All lives are within its reach."""

    class Seen(Way):
        def post(self, what: Order | Cancel) -> None:
            hand.leaves(what)
            super().post(what)

        def event(self, e: Event) -> bool:
            hand.looked(e.ts)
            return super().event(e)

        def _arrive(self, what: Order | Cancel, now: Nanos) -> None:
            if isinstance(what, Cancel):
                self._cancels(what, now)
                return
            if self._ledger.arrived(what.cid):
                super()._arrive(what, now)
                return
            before = exposure(self._venue, what.slot)
            super()._arrive(what, now)
            hand.arrived(what, before)

        def _cancels(self, what: Cancel, now: Nanos) -> None:
            resting = self._venue.resting.get(what.cid)
            super()._arrive(what, now)
            if resting is not None and what.cid not in self._venue.resting:
                hand.canceled(resting)

    class World(SurvivingWorld):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            hand.way = self.way
            hand.begun(args[-1])

        def source(self, traffic: Any, ours: int, pending: Any, flush: Any) -> Any:
            return Handed(super().source(traffic, ours, pending, flush), hand, traffic.quiet, flush)

    commit = SQLiteStore.commit

    def committed(store: SQLiteStore, rows: Any, *rest: Any) -> None:
        commit(store, rows, *rest)
        hand.committed(rows)

    real = getattr(daemon, "risk")  # noqa: B009 - of others, who do not export it

    async def risk(inbox: Any, own: Any, orders: Any, strategy: Any, recorder: Any, watch: Any, clock: Any, brake: Any,
                   *rest: Any) -> None:  # fmt: skip
        hand.born(Life(own, watch, brake))
        await real(inbox, own, Heard(orders, hand), strategy, Heard(recorder, hand), watch, clock, brake, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surviving, "Way", Seen)
        patch.setattr(surviving, "SurvivingWorld", World)
        patch.setattr(daemon, "risk", risk)
        patch.setattr(SQLiteStore, "commit", committed)
        yield
