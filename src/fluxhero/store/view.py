"""A state seen from outside: one read-only connection, and what several answers need of it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fluxhero.core import journal
from fluxhero.core.explain import when
from fluxhero.core.ladder import Rung
from fluxhero.core.trips import Trips
from fluxhero.messages import Nanos
from fluxhero.store.schema import UNSETTLED
from fluxhero.store.sqlite import FILE, StoreError, trips

Answer = dict[str, Any]

# The first term is the index's own, or it is not used.
STANDS = f"{UNSETTLED} AND state IN ('live', 'partial')"
OPEN = f"({UNSETTLED} AND state IN ('sent', 'unknown', 'live', 'partial'))"
# What a position was opened for, and with how many shares.
OPENING = "iif(qty > 0, paid, received), iif(qty > 0, bought, bought - qty)"


class NotFound(Exception):
    """There is no such thing in this state."""


class BadQuery(Exception):
    """A question that nothing could answer."""


class View:
    """Never writes, never checkpoints."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE
        try:
            if not self.path.exists():
                raise StoreError(f"{directory} holds no state: {FILE} is not there")
            self.db = sqlite3.connect(f"file:{quote(str(self.path))}?mode=ro", uri=True, isolation_level=None)
            self.db.execute("PRAGMA query_only = 1")
        except (OSError, sqlite3.Error) as e:
            raise StoreError(f"{self.path} cannot be read: {e}") from None
        self._symbols: list[str] = []

    def close(self) -> None:
        self.db.close()

    @property
    def symbols(self) -> list[str]:
        if not self._symbols:
            opened = self.opened()
            self._symbols = list(opened.symbols) if opened else []
        return self._symbols

    def slot(self, symbol: str) -> int:
        """Raises NotFound, naming those that are traded."""
        if symbol not in self.symbols:
            traded = ", ".join(self.symbols)
            raise NotFound(f"{symbol} is not traded here; {traded} are" if symbol else f"name a symbol: {traded}")
        return self.symbols.index(symbol)

    def opened(self) -> journal.Opened | None:
        row = self.db.execute("SELECT body FROM journal WHERE seq = 1").fetchone()
        return journal.read(journal.Opened, row[0]) if row else None

    def head(self) -> tuple[int, str]:
        """Rows in the journal, and the hash of the last."""
        seq, digest = self.db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone() or (0, b"")
        return seq, digest.hex()

    def sealed(self) -> Nanos | None:
        """The time of the newest seal."""
        (last,) = self.db.execute("SELECT max(ts) FROM equity").fetchone()
        return Nanos(last) if last else None

    def time(self) -> str | None:
        last = self.sealed()
        return when(last) if last else None

    def trips(self) -> list[journal.Tripped]:
        """Those that are held, oldest first."""
        return trips(self.db)

    def rung(self) -> Rung:
        """Of the account."""
        return Trips(self.trips()).rung

    def named(self, row: journal.Tripped) -> str:
        """A trip with its symbol, if it is of one."""
        return f"{row.trip} {self.symbols[row.slot]}" if row.slot >= 0 else row.trip

    def account(self) -> tuple[int, int]:
        """Equity, at the last closes, and cash, now; micro-dollars."""
        (cash,) = self.db.execute("SELECT cash FROM account").fetchone() or (0,)
        sql = "SELECT coalesce(sum(p.qty * m.close), 0) FROM positions p JOIN marks m USING (slot)"
        return cash + self.db.execute(sql).fetchone()[0], cash

    def deployed(self) -> int:
        """What is held, long or short, at the last closes; micro-dollars."""
        sql = "SELECT coalesce(sum(abs(p.qty) * m.close), 0) FROM positions p JOIN marks m USING (slot)"
        worth: int = self.db.execute(sql).fetchone()[0]
        return worth

    def stops(self) -> dict[int, int]:
        """By slot, the stop that the venue holds; micro-dollars."""
        sql = f"SELECT slot, stop FROM orders WHERE {STANDS} AND role = 'stop' ORDER BY n"
        return dict(self.db.execute(sql).fetchall())

    def state(self, name: str) -> bytes | None:
        row = self.db.execute("SELECT blob FROM states WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def refusal(self, slot: int, ts: Nanos) -> str:
        """Why the venue refused the entry that was decided then, if it did."""
        sql = "SELECT reason FROM orders WHERE slot = ? AND ts = ? AND role = 'entry' AND state = 'rejected'"
        row = self.db.execute(sql, (slot, ts)).fetchone()
        return row[0] if row else ""
