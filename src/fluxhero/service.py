"""`fluxhero run`: the daemon unattended, by default on the synthetic market with a paper account."""

from __future__ import annotations

import datetime
import hashlib
import itertools
from functools import partial
from pathlib import Path
from shlex import quote

import msgspec
import structlog
import trio

from fluxhero.config import Config
from fluxhero.core.calendar import nyse
from fluxhero.core.candles import KEEP
from fluxhero.feeds.market import Market
from fluxhero.hosted import Hosting, hosted
from fluxhero.kernel.plug import settled
from fluxhero.logs import journaled
from fluxhero.messages import Model
from fluxhero.outset import Outset, outset
from fluxhero.ports import Host, Ports
from fluxhero.runtime.real import HostClock, SystemRandomness, inline
from fluxhero.runtime.senses import Machine
from fluxhero.runtime.systemd import Notifier
from fluxhero.store.sentinel import HaltFile
from fluxhero.store.sqlite import SQLiteStore
from fluxhero.tally import Narrator
from fluxhero.world import EmbeddedWorld, Embedding

log = structlog.get_logger()

RESERVE = 16 * 2**20  # bytes of the disk, for when it is full


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One process of it."""

    config: Config
    directory: Path
    socket: Path
    seconds: float | None = None  # of host time, after which it goes

    def main(self) -> bool:
        """Until somebody wants it to go. True when it is the market that has ended."""
        with SQLiteStore(self.directory, RESERVE) as store:
            market, host = self.market(), HostClock()
            of = self.outset(market)
            left = store.restore(1)
            of.check(left.opened)
            log.info("resuming" if left.opened else "beginning", state=str(self.directory))
            ports = self.ports(of, market, store, host)
            narrator = Narrator(of.symbols, host.now)
            hosting = Hosting(
                config=settled(self.config), outset=of, socket=self.socket, port=self.config.metrics.port, parting=True,
                narrator=narrator.rows, opened=self._opened, seconds=self.seconds,
            )  # fmt: skip
            ended = trio.run(hosted, hosting, ports)
            if ended:
                log.warning("the synthetic market has come to the end of the calendar", last=str(nyse().last))
            return ended

    def market(self) -> Market:
        m = self.config.market
        return Market(m.symbols, m.seed, datetime.date.fromisoformat(m.first), nyse())

    def outset(self, market: Market) -> Outset:
        m = self.config.market
        identity = {"market": f"synthetic, seed {m.seed}, from {m.first}, begins {_begins(market)}"}
        return outset(
            self.config, self.directory, m.symbols, Model.QUOTE, market.begins, identity,
            history=lambda: market.history(KEEP),
        )  # fmt: skip

    def ports(self, of: Outset, market: Market, store: SQLiteStore, host: Host) -> Ports:
        speed = self.config.market.speed
        world = Embedding(tape=market, model=Model.QUOTE, config=self.config, params=of.params, speed=speed)
        return Ports(
            host=host, offload=inline, randomness=SystemRandomness(), store=store,
            world=partial(EmbeddedWorld, world, store, host), notify=Notifier(),
            sentinel=HaltFile(self.directory), senses=Machine(self.directory, host),
        )  # fmt: skip

    def _opened(self, serves: str) -> None:
        m = self.config.market
        speed = f"{m.speed:g} times as fast as the clock" if m.speed else "as fast as it goes"
        log.info(f"ready: synthetic market of {', '.join(m.symbols)}, {speed}; paper account, nothing is real")
        log.info(f"metrics: {serves}/metrics, also /livez and /readyz")
        if not journaled():
            beside = self.socket.parent == self.directory
            at = f"--state {quote(str(self.directory))}" if beside else f"--socket {quote(str(self.socket))}"
            log.info(f"look:    fluxhero ctl {at} watch    (or status, positions, why {m.symbols[0]}, halt)")
            log.info("stop:    Ctrl-C; started again it goes on where it was")


def _begins(market: Market) -> str:
    """A digest of its first events: with other libraries the same seed may be another market."""
    first = msgspec.msgpack.encode(list(itertools.islice(market.events(0), 500)))
    return hashlib.blake2b(first, digest_size=4).hexdigest()
