"""`fluxhero replay`: recorded market data through the daemon itself, its clock the data."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import structlog
import trio

from fluxhero import __version__
from fluxhero.brokers.paper import Paper
from fluxhero.config import Config
from fluxhero.core.calendar import Calendar, nyse
from fluxhero.daemon import Daemon, run
from fluxhero.exchange.bars import BarVenue
from fluxhero.exchange.matching import Snapshot, Venue
from fluxhero.exchange.quotes import QuoteVenue
from fluxhero.feeds.files import Timeframe
from fluxhero.feeds.recording import Recording, Request
from fluxhero.feeds.replay import Pace, ReplaySource
from fluxhero.kernel import dual_mode, metronome
from fluxhero.kernel.compile import DIGEST
from fluxhero.kernel.state import ACCOUNT, RULES, row
from fluxhero.kernel.think import build
from fluxhero.messages import Array, Model, Nanos, micros
from fluxhero.ports import Host, Ports, Traffic
from fluxhero.restore import Outset
from fluxhero.runtime import seeded
from fluxhero.runtime.clock import DrivenClock
from fluxhero.runtime.real import HostClock, SeededRandomness, inline
from fluxhero.runtime.supervise import GaveUp
from fluxhero.runtime.turns import Turns
from fluxhero.store.sqlite import SQLiteStore, StoreError
from fluxhero.store.venue import VenueLedger

log = structlog.get_logger()

STRATEGIES: dict[str, ModuleType] = {"dual_mode": dual_mode, "metronome": metronome}
LONGEST = 107  # bytes of a Unix socket's path
FOR_EVER = 2**62  # ns: marks in `bar` are consecutive however far apart
MARKS_APART = 5_000_000_000  # ns: in `quote` they are not beyond this


class OtherState(StoreError):
    """A state that was made for something else."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """One run over a recording."""

    recording: Recording
    request: Request
    config: Config
    directory: Path
    speed: float = 0.0  # market per host time; 0: as fast as it goes
    auto_release: bool = True
    seed: int = 0  # of the scheduler

    def main(self) -> bool:
        """Runs or resumes. False when it was stopped before the end of the tape."""
        if len(os.fsencode(self._socket)) > LONGEST:
            raise StoreError(f"{self._socket} is longer than {LONGEST} bytes, the most that a socket's name may have")
        with SQLiteStore(self.directory) as store:
            outset, left = self.outset(), store.restore(1)
            _same(left.opened, outset)
            store.begin_run(
                pid=os.getpid(), host=socket.gethostname(), started=HostClock().wall(), version=__version__, code=DIGEST
            )
            events, began = len(self.recording.tape) - left.tape, time.monotonic()
            log.info("replaying", state=str(self.directory), events=events, resumed=left.opened is not None)
            finished = seeded.run(self._run, store, outset, seed=self.seed)
            seconds = time.monotonic() - began
            log.info("replayed", finished=finished, seconds=round(seconds, 1), per_second=round(events / seconds))
            return finished

    @property
    def _socket(self) -> Path:
        return self.directory / "control.sock"

    def outset(self) -> Outset:
        r, strategy = self.recording, STRATEGIES[self.config.strategy.name]
        dtype = row(strategy.OWN)
        return Outset(
            directory=self.directory,
            symbols=r.symbols,
            model=r.model,
            cash=micros(self.config.paper.cash),
            identity=self._identity(dtype),
            settings=self.config.hash(),
            auto_release=self.auto_release,
            begins=Nanos(int(r.tape.ts[0])),
            params=parameters(self.config, r.model, r.timeframe, self.request.adjusted),
            rows=lambda: np.zeros(len(r.symbols), dtype),
            think=build(strategy),
        )

    def _identity(self, dtype: np.dtype[Any]) -> dict[str, str]:
        r, q = self.recording, self.request
        layout = hashlib.blake2b(repr((dtype, ACCOUNT)).encode(), digest_size=6).hexdigest()
        return {
            "symbols": ",".join(r.symbols),
            "model": r.model.value,
            "timeframe": r.timeframe.value,
            "dates": f"{q.first or 'first'} to {q.last or 'last'}",
            "strategy": self.config.strategy.name,
            "trading keys": self.config.hash(),
            "release": "auto" if self.auto_release else "never",
            **{f"data of {symbol}": digest for symbol, digest in r.digests.items()},
            "kernel layout": layout,
        }

    async def _run(self, store: SQLiteStore, outset: Outset) -> bool:
        host, calendar = HostClock(), nyse()
        world = partial(ReplayWorld, self, outset.params, store, host, calendar)
        seed = hashlib.blake2b(repr(sorted(outset.identity.items())).encode(), digest_size=32).digest()
        ports = Ports(host=host, offload=inline, randomness=SeededRandomness(seed), store=store, world=world)
        with trio.CancelScope() as scope:
            daemon = Daemon(outset=outset, ports=ports, socket=self._socket, stop=scope.cancel)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_signals, scope.cancel)
                    await run(daemon)
                    nursery.cancel_scope.cancel()
            except* (GaveUp, StoreError) as group:
                raise group.exceptions[0] from None
        return not scope.cancel_called


class ReplayWorld:
    """The tape, the venue that lives by it, and the clock that both go by."""

    def __init__(self, replay: Replay, params: Array, store: SQLiteStore, host: Host, calendar: Calendar) -> None:
        self.clock = DrivenClock()
        self._replay, self._store, self._host, self._calendar = replay, store, host, calendar
        self._ledger = VenueLedger(replay.directory, heard=store.heard, fresh=store.seq == 0)
        self._turns = Turns()
        bar = replay.recording.model is Model.BAR
        latency = Nanos(0 if bar else replay.config.paper.latency_ms * 1_000_000)
        self.broker = Paper(self._venue(params, bar), self._ledger, self.clock, latency)

    def source(
        self, traffic: Traffic, ours: int, pending: Callable[[], bool], flush: Callable[[], Awaitable[None]]
    ) -> ReplaySource:
        pace = Pace(self._host, self._calendar, self._replay.speed)
        tape = self._replay.recording.tape
        host, turns = self._host, self._turns
        source = ReplaySource(tape, self.clock, self.broker, pace, host, turns, traffic, ours, pending, flush)
        self._store.refed(source.refed)
        return source

    def flush(self) -> None:
        self.broker.flush()

    def turn(self) -> AbstractAsyncContextManager[None]:
        return self._turns

    def close(self) -> None:
        self._ledger.close()

    def _venue(self, params: Array, bar: bool) -> Venue:
        config = self._replay.config
        snapshot = self._ledger.state or Snapshot(cash=micros(config.paper.cash))
        fee = micros(config.costs.commission)
        session = self._calendar.at
        return BarVenue(snapshot, fee, session, params) if bar else QuoteVenue(snapshot, fee, session)


def parameters(config: Config, model: Model, timeframe: Timeframe, adjusted: bool = False) -> Array:
    """The kernel's PARAMS record of a strategy: rules of the account and the strategy's own."""
    strategy = STRATEGIES[config.strategy.name]
    p = np.zeros(1, strategy.PARAMS)
    for section in (config.risk, config.gates, config.costs):
        for key, value in msgspec.structs.asdict(section).items():
            if key in (RULES.names or ()):
                p["rules"][key] = value
    p["rules"]["fee"] = micros(config.costs.commission)
    p["rules"]["raw"] = not adjusted
    p["rules"]["strikes"] = 1 if timeframe is Timeframe.D1 else 2
    p["rules"]["strike_window"] = FOR_EVER if model is Model.BAR else MARKS_APART
    for key, value in msgspec.structs.asdict(getattr(config.strategy, config.strategy.name)).items():
        p["own"][key] = value
    return p


def _same(opened: Any, outset: Outset) -> None:
    """Refuses a state that was made for something else, naming the first difference."""
    if opened is None:
        return
    for key in {**outset.identity, **opened.identity}:
        was, now = opened.identity.get(key, "nothing"), outset.identity.get(key, "nothing")
        if was != now:
            raise OtherState(
                f"{outset.directory} was made with another {key}: {was}, and now it is {now};"
                " give this replay its own --state"
            )


async def _signals(stop: Callable[[], None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
        async for _ in received:
            stop()
