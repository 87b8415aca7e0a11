"""`fluxhero replay`: recorded market data through the daemon itself, its clock the data."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path

import msgspec
import structlog

from fluxhero.config import Config
from fluxhero.feeds.files import Timeframe
from fluxhero.feeds.recording import Recording, Request
from fluxhero.hosted import Hosting, hosted
from fluxhero.kernel.plug import settled
from fluxhero.messages import MINUTE, Nanos
from fluxhero.outset import Outset, outset
from fluxhero.ports import Host, Ports
from fluxhero.runtime import seeded
from fluxhero.runtime.real import HostClock, SeededRandomness, inline
from fluxhero.runtime.systemd import Notifier
from fluxhero.store.sentinel import HaltFile
from fluxhero.store.sqlite import SQLiteStore
from fluxhero.world import EmbeddedWorld, Embedding

log = structlog.get_logger()


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
        with SQLiteStore(self.directory) as store:
            of, left = self.outset(), store.restore(1)
            of.check(left.opened)
            events, began = len(self.recording.tape) - left.tape, time.monotonic()
            log.info("replaying", state=str(self.directory), events=events, resumed=left.opened is not None)
            finished = seeded.run(hosted, self.hosting(of), self.ports(of, store), seed=self.seed)
            seconds = time.monotonic() - began
            log.info("replayed", finished=finished, seconds=round(seconds, 1), per_second=round(events / seconds))
            return finished

    def hosting(self, of: Outset) -> Hosting:
        return Hosting(config=settled(self.config), outset=of, socket=self.directory / "control.sock", port=0)

    def ports(self, of: Outset, store: SQLiteStore, host: Host | None = None) -> Ports:
        """`host`: another than this machine."""
        host = host or HostClock()
        seed = hashlib.blake2b(repr(sorted(of.identity.items())).encode(), digest_size=32).digest()
        r = self.recording
        world = Embedding(tape=r.tape, model=r.model, config=self.config, params=of.params, speed=self.speed)
        return Ports(
            host=host, offload=inline, randomness=SeededRandomness(seed), store=store,
            world=partial(EmbeddedWorld, world, store, host), notify=Notifier({}),
            sentinel=HaltFile(self.directory), senses=tuple,
        )  # fmt: skip

    def outset(self) -> Outset:
        r, q = self.recording, self.request
        identity = {
            "timeframe": r.timeframe.value,
            "dates": q.dates,
            "trading keys": settled(self.config).hash(),
            "release": "auto" if self.auto_release else "never",
            **{f"data of {symbol}": digest for symbol, digest in r.digests.items()},
        }
        begins, daily = Nanos(int(r.tape.ts[0])), r.timeframe is Timeframe.D1
        return outset(
            self.config, self.directory, r.symbols, r.model, begins, identity,
            daily=daily, raw=not self.request.adjusted, auto_release=self.auto_release,
            span=Nanos(r.timeframe.minutes * MINUTE),
        )  # fmt: skip
