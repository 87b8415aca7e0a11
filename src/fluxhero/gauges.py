"""Metrics that are read where they are when somebody asks, so that nobody has to keep them up to date."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fluxhero.core.audit import EVERYTHING
from fluxhero.core.calendar import CalendarEnd, nyse
from fluxhero.core.ladder import Trip
from fluxhero.core.states import OPEN
from fluxhero.kernel.warm import compiled
from fluxhero.messages import Nanos
from fluxhero.metrics import Metrics
from fluxhero.outset import Outset
from fluxhero.ports import Clock, Source
from fluxhero.restore import Minds
from fluxhero.runtime.channels import Inbox
from fluxhero.runtime.vitals import Vitals
from fluxhero.store.sqlite import FILE

READINGS = ("close", "ema", "rsi", "atr", "adx", "kama", "mid", "sd", "slope", "r2")


@dataclass(frozen=True)
class Life:
    """What a life of the actors shows of itself."""

    mind: Minds
    clock: Clock
    source: Source
    boxes: Mapping[str, Inbox[Any]]
    actors: tuple[str, ...]

    @property
    def day_result(self) -> float:
        """Equity over the day's base, minus 1."""
        base = int(self.mind.risk.account["day_base"][0])
        return self.mind.risk.equity() / base - 1.0 if base else 0.0

    @property
    def drawdown(self) -> float:
        """From the breaker's reference; 0 at a new high."""
        crest = int(self.mind.risk.account["crest"][0])
        return max(0.0, 1.0 - self.mind.risk.equity() / crest) if crest else 0.0

    @property
    def exposure(self) -> float:
        """Positions at the last closes over equity."""
        equity = self.mind.risk.equity()
        return self.mind.risk.exposure / equity if equity else 0.0


class Gauges:
    def __init__(self, metrics: Metrics, outset: Outset, vitals: Vitals) -> None:
        self._m, self._outset, self._vitals = metrics, outset, vitals
        self._life: Life | None = None
        self._seen: dict[str, int] = {}  # of this life's counts
        self._lasting: dict[str, int] = {}  # of those that outlive it
        self._ready: int | None = None  # kernel functions that were there at READY

    def ready(self) -> None:
        self._ready = sum(compiled())

    def refresh(self, life: Life | None) -> None:
        if life is not self._life:
            self._life, self._seen = life, {}
        self._process(life.actors if life else ())
        self._files()
        if life is not None:
            self._boxes(life)
            self._market(life)
            self._orders(life)
            self._risk(life)

    def _process(self, alive: tuple[str, ...]) -> None:
        m, v = self._m, self._vitals
        m.ready.set(not v.trouble)
        m.safe.set(bool(v.safe))
        for name in v.known:
            m.actor_up.labels(name).set(name in alive)
            _rise(self._lasting, f"restarts of {name}", v.crashes[name], m.restarts.labels(name))
        for name, age in v.ages.items():
            m.progress.labels(name).set(age)
        _rise(self._lasting, "pings", v.pings, m.pings)
        if self._ready is not None:
            m.compiled.set(sum(compiled()) - self._ready)

    def _files(self) -> None:
        folder = self._outset.directory
        sizes = [p.stat().st_size for p in (folder / FILE, folder / f"{FILE}-wal") if p.exists()]
        self._m.state_bytes.set(sum(sizes))
        disk = os.statvfs(folder)
        self._m.disk_free.set(disk.f_bavail * disk.f_frsize)

    def _boxes(self, life: Life) -> None:
        for name, box in life.boxes.items():
            self._m.depth.labels(name).set(box.depth)
            self._m.capacity.labels(name).set(box.size)
            _rise(self._seen, f"messages of {name}", box.taken, self._m.messages.labels(name))

    def _market(self, life: Life) -> None:
        m, now = self._m, life.clock.now()
        _rise(self._seen, "events", life.source.given, m.events)
        m.feed_age.set(self._vitals.ages.get("feed", 0.0))
        m.market_time.set(now / 1e9)
        m.session.set(_open(now))
        m.late.set(life.mind.candles.late)
        rows = life.mind.strategy.rows
        for slot, symbol in enumerate(self._outset.symbols):
            m.regime.labels(symbol).set(int(rows["regime"]["now"][slot]))
            for name in READINGS:
                m.indicator.labels(symbol, name).set(float(rows["reading"][name][slot]))

    def _orders(self, life: Life) -> None:
        m, desk = self._m, life.mind.desk
        states, frozen, now = [x.state for x in desk.lives.values()], desk.audit.frozen, life.clock.now()
        for state in OPEN:
            m.open_orders.labels(state.value).set(states.count(state))
        for slot, symbol in enumerate(self._outset.symbols):
            m.position.labels(symbol).set(desk.book.held(slot))
            m.stop.labels(symbol).set(desk.stop_of(slot) / 1e6)
            m.naked.labels(symbol).set(desk.bare(slot, now) / 1e9)
            m.drifts.labels(symbol).set((slot in frozen) + (EVERYTHING in frozen))
            m.paused.labels(symbol).set(slot in life.mind.risk.paused)
            m.symbol_rung.labels(symbol).set(int(life.mind.risk.trips.of(slot)[0]))

    def _risk(self, life: Life) -> None:
        m, risk = self._m, life.mind.risk
        m.equity.set(risk.equity() / 1e6)
        m.cash.set(risk.book.cash / 1e6)
        m.peak.set(int(risk.account["peak"][0]) / 1e6)
        m.day_result.set(life.day_result)
        m.drawdown.set(life.drawdown)
        m.exposure.set(life.exposure)
        m.positions.set(len(life.mind.desk.book.positions))
        m.rung.set(int(risk.rung))
        held = [row.trip for row in risk.trips]
        for trip in Trip:
            m.held.labels(trip.value).set(held.count(trip))


def _rise(seen: dict[str, int], name: str, value: int, counter: Any) -> None:
    """Brings a counter up to what is counted elsewhere."""
    counter.inc(value - seen.get(name, 0))
    seen[name] = value


def _open(now: Nanos) -> bool:
    try:
        return nyse().at(now) is not None
    except CalendarEnd:
        return False
