"""The embedded world: a tape, the venue that lives by it, and the clock that both go by."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fluxhero.brokers.paper import Paper
from fluxhero.config import Config
from fluxhero.core.calendar import nyse
from fluxhero.exchange.bars import BarVenue
from fluxhero.exchange.matching import Snapshot, Venue
from fluxhero.exchange.quotes import QuoteVenue
from fluxhero.feeds.replay import Pace, ReplaySource, Tape
from fluxhero.messages import Array, Model, Nanos, micros
from fluxhero.ports import Host, Traffic
from fluxhero.runtime.clock import DrivenClock
from fluxhero.runtime.turns import Turns
from fluxhero.store.sqlite import SQLiteStore
from fluxhero.store.venue import VenueLedger


@dataclass(frozen=True)
class Embedding:
    """What is the same in all lives of an embedded world."""

    tape: Tape
    model: Model
    config: Config
    params: Array
    speed: float  # market per host time; 0: as fast as it goes


class EmbeddedWorld:
    def __init__(self, of: Embedding, store: SQLiteStore, host: Host) -> None:
        self.clock = DrivenClock()
        self._of, self._store, self._host = of, store, host
        self._ledger = VenueLedger(store.directory, heard=store.heard, fresh=store.seq == 0, reserve=store.reserve)
        self._turns = Turns()
        latency = 0 if of.model is Model.BAR else of.config.paper.latency_ms * 1_000_000
        self.broker = Paper(self._venue(), self._ledger, self.clock, Nanos(latency))

    def source(
        self, traffic: Traffic, ours: int, pending: Callable[[], bool], flush: Callable[[], Awaitable[None]]
    ) -> ReplaySource:
        pace = Pace(self._host, nyse(), self._of.speed)
        host, turns = self._host, self._turns
        source = ReplaySource(self._of.tape, self.clock, self.broker, pace, host, turns, traffic, ours, pending, flush)
        self._store.refed(source.refed)
        return source

    def flush(self) -> None:
        self.broker.flush()

    def turn(self) -> AbstractAsyncContextManager[None]:
        return self._turns

    def close(self) -> None:
        self._ledger.close()

    def _venue(self) -> Venue:
        config = self._of.config
        snapshot = self._ledger.state or Snapshot(cash=micros(config.paper.cash))
        costs, session = config.costs, nyse().at
        fee = micros(costs.commission)
        if self._of.model is Model.BAR:
            return BarVenue(snapshot, fee, costs.borrow, session, self._of.params)
        return QuoteVenue(snapshot, fee, costs.borrow, session)
