"""What a reader asks of a state: by the daemon's control socket, or straight from the file when no daemon runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from fluxhero.store import exposure, figures, market
from fluxhero.store.figures import PERIODS as PERIODS
from fluxhero.store.sqlite import StoreError
from fluxhero.store.view import Answer as Answer
from fluxhero.store.view import BadQuery as BadQuery
from fluxhero.store.view import NotFound as NotFound
from fluxhero.store.view import View

MOST = 1000  # rows of one answer


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What a question may say beside its command; each command looks at its own."""

    symbol: str = ""
    time: str = ""
    n: int = 0  # rows; 0: the command's default
    period: str = ""  # of PERIODS; the default is a day
    all: bool = False

    def check(self) -> None:
        """Raises BadQuery where more is asked for than one answer holds."""
        if not 0 <= self.n <= MOST:
            raise BadQuery(f"n is {self.n}: give 1 to {MOST}")


READS: dict[str, Callable[[View, Query], Answer]] = {
    "status": lambda v, q: figures.status(v),
    "account": lambda v, q: figures.account(v),
    "positions": lambda v, q: figures.positions(v),
    "orders": lambda v, q: figures.orders(v, q.all, q.n or (100 if q.all else MOST)),
    "drifts": lambda v, q: figures.drifts(v),
    "trips": lambda v, q: figures.trips(v, q.all, q.n or (100 if q.all else MOST)),
    "trades": lambda v, q: figures.trades(v, q.n or 20),
    "equity": lambda v, q: figures.equity(v, q.period or "day"),
    "risk": lambda v, q: exposure.watched(v),
    "exposure": lambda v, q: exposure.exposed(v),
    "report": lambda v, q: exposure.report(v, q.n or exposure.SESSIONS),
    "bars": lambda v, q: market.bars(v, q.symbol, q.n or 20),
    "indicators": lambda v, q: market.indicators(v, q.symbol),
    "regime": lambda v, q: market.regime(v, q.symbol),
    "signals": lambda v, q: market.signals(v, q.symbol, q.n or 20),
    "why": lambda v, q: market.why(v, q.symbol, q.time),
}


class Reader(View):
    """Answers the commands that only read."""

    def answer(self, cmd: str, q: Query) -> Answer:
        """One of READS, as of one commit. Raises NotFound, BadQuery, or StoreError where the state cannot be read."""
        q.check()
        if q.period and q.period not in PERIODS:
            raise BadQuery(f"{q.period!r} is no period; {', '.join(PERIODS)} are")
        try:
            self.db.execute("BEGIN")
            return READS[cmd](self, q)
        except (sqlite3.Error, msgspec.MsgspecError) as e:
            raise StoreError(f"{self.path} cannot be read: {e}") from None
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
