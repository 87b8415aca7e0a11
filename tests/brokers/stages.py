"""Brokers on a stage."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import ClassVar

import numpy as np

from fluxhero.brokers.paper import Paper
from fluxhero.config import Config
from fluxhero.core.calendar import nyse
from fluxhero.core.terms import parameters
from fluxhero.exchange.bars import BarVenue
from fluxhero.exchange.matching import Snapshot
from fluxhero.exchange.quotes import QuoteVenue
from fluxhero.kernel.state import BAR
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Bars,
    Event,
    Micros,
    Model,
    Nanos,
    Quality,
    Quote,
    Shares,
    Trade,
    micros,
)
from fluxhero.ports import Broker
from fluxhero.runtime.clock import DrivenClock
from fluxhero.store.venue import VenueLedger
from tests.brokers.contract import CASH, Stage

MS = 1_000_000
TICK = Nanos(100 * MS)
(DAY,) = nyse().between(date(2024, 3, 26), date(2024, 3, 26))
PARAMS = parameters(Config(), Model.BAR)
FEE = Micros(5_000)
FIELDS = ("ts", "open", "high", "low", "close", "volume", "session", "left", "quality")


class PaperStage(Stage):
    """The embedded broker; its tape is made as it goes."""

    model: ClassVar[Model]
    latency: ClassVar[Nanos]

    def __init__(self, folder: Path) -> None:
        self.folder, self.index, self.ts, self.heard = folder, 0, DAY.open, []
        self.carries = self.model is Model.BAR
        self._open()
        self._feed(self._calm())
        self.listen()

    @property
    def now(self) -> Nanos:
        return Nanos(max(self.ts, self.clock.now()))

    async def settle(self) -> None:
        self._fire()
        self._feed(self._calm())
        self._fire()

    async def reopen(self) -> None:
        self.ledger.close()
        self._open()

    async def wait(self, seconds: int) -> None:
        """So much market time, and what is due in it."""
        self.ts = Nanos(self.now + seconds * SECOND)
        self._feed(self._calm())

    def close(self) -> None:
        self.ledger.close()

    def _open(self) -> None:
        self.clock = DrivenClock()
        self.ledger = VenueLedger(self.folder)
        snapshot = self.ledger.state or Snapshot(cash=CASH)
        costs = (FEE, 0.0, nyse().at)
        venue = BarVenue(snapshot, *costs, PARAMS) if self.carries else QuoteVenue(snapshot, *costs)
        self.paper = Paper(venue, self.ledger, self.clock, self.latency)
        self.broker = self._made()

    def _made(self) -> Broker:
        return self.paper

    def _fire(self) -> None:
        while self.clock.next() is not None:
            self.clock.fire()

    def _feed(self, e: Event) -> None:
        while (due := self.clock.next()) is not None and due <= e.ts:
            self.clock.fire()
        self.clock.advance(e.ts)
        self.paper.event(e)
        self.index = e.index + 1

    def _next(self, step: Nanos) -> Nanos:
        """The time of the next event."""
        self.ts = Nanos(self.now // step * step + step)
        return self.ts

    def _calm(self) -> Event:
        """Something of another symbol."""
        raise NotImplementedError


class QuoteStage(PaperStage):
    model, latency = Model.QUOTE, Nanos(50 * MS)

    async def market(self, price: float, size: int = 1000) -> None:
        self._feed(self._quote(0, price, size))
        self._feed(Trade(index=self.index, ts=self._next(TICK), slot=0, price=price, size=Shares(1)))

    def _calm(self) -> Event:
        return self._quote(1, 50.0, 1)

    def _quote(self, slot: int, price: float, size: int) -> Quote:
        return Quote(
            index=self.index, ts=self._next(TICK), slot=slot, bid=micros(price - 0.01), ask=micros(price + 0.01),
            bid_size=Shares(size), ask_size=Shares(size),
        )  # fmt: skip


class BarStage(PaperStage):
    model, latency = Model.BAR, Nanos(0)

    async def market(self, price: float, size: int = 1000) -> None:
        made, end = np.zeros(2, BAR), self._next(MINUTE)
        bar = (end - MINUTE, price, price, price, price, 1e6, DAY.index, 60, Quality.FULL)
        for name, value in zip(FIELDS, bar, strict=True):
            made[name][0] = value
        self._feed(Bars(index=self.index, ts=end, bars=made))

    def _calm(self) -> Event:
        return Bars(index=self.index, ts=self._next(MINUTE), bars=np.zeros(2, BAR))


STAGES: tuple[type[PaperStage], ...] = (QuoteStage, BarStage)
