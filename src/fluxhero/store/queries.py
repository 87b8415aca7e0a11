"""What a reader asks of a state: by the daemon's control socket, or straight from the file when no daemon runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from fluxhero.core import journal
from fluxhero.core.explain import ACTIONS, NEW_YORK, sentence, when
from fluxhero.core.ladder import RUNGS, Rung, Trip
from fluxhero.messages import Nanos
from fluxhero.store.sqlite import FILE, StoreError

Answer = dict[str, Any]
READS = ("status", "positions", "orders", "why")


class NotFound(Exception):
    """There is no such thing in this state."""


class Reader:
    """A read-only view. One connection; it never writes, it never checkpoints."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        try:
            if not self._path.exists():
                raise StoreError(f"{directory} holds no state: {FILE} is not there")
            self.db = sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True, isolation_level=None)
            self.db.execute("PRAGMA query_only = 1")
        except (OSError, sqlite3.Error) as e:
            raise StoreError(f"{self._path} cannot be read: {e}") from None
        self._symbols: list[str] = []

    def close(self) -> None:
        self.db.close()

    @property
    def symbols(self) -> list[str]:
        if not self._symbols:
            opened = self.opened()
            self._symbols = list(opened.symbols) if opened else []
        return self._symbols

    def opened(self) -> journal.Opened | None:
        row = self.db.execute("SELECT body FROM journal WHERE seq = 1").fetchone()
        return journal.read(journal.Opened, row[0]) if row else None

    def head(self) -> tuple[int, str]:
        """Rows in the journal, and the hash of the last."""
        seq, digest = self.db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone() or (0, b"")
        return seq, digest.hex()

    def rung(self) -> Rung:
        held = [Trip(t) for (t,) in self.db.execute("SELECT trip FROM trips WHERE released IS NULL")]
        return max((RUNGS[t] for t in held), default=Rung.NORMAL)

    def account(self) -> tuple[int, int]:
        """Equity, at the last closes, and cash, now; micro-dollars."""
        (cash,) = self.db.execute("SELECT cash FROM account").fetchone() or (0,)
        sql = "SELECT coalesce(sum(p.qty * m.close), 0) FROM positions p JOIN marks m USING (slot)"
        return cash + self.db.execute(sql).fetchone()[0], cash

    # -- the commands

    def answer(self, cmd: str, symbol: str = "", time: str = "", every: bool = False) -> Answer:
        """One of READS. Raises NotFound, or StoreError where the state cannot be read."""
        reads: dict[str, Callable[[], Answer]] = {
            "status": self.status,
            "positions": self.positions,
            "orders": lambda: self.orders(every),
            "why": lambda: self.why(symbol, time or None),
        }
        try:
            return reads[cmd]()
        except (sqlite3.Error, msgspec.MsgspecError) as e:
            raise StoreError(f"{self._path} cannot be read: {e}") from None

    def status(self) -> Answer:
        db = self.db
        (last,) = db.execute("SELECT max(ts) FROM equity").fetchone()
        equity, cash = self.account()
        rows, head = self.head()
        opened = self.opened()
        return {
            "market_time": when(Nanos(last)) if last else None,
            "symbols": self.symbols,
            "model": opened.model if opened else None,
            "equity": equity / 1e6,
            "cash": cash / 1e6,
            "rung": self.rung().name,
            "trips": [t for (t,) in db.execute("SELECT trip FROM trips WHERE released IS NULL ORDER BY n")],
            "positions": db.execute("SELECT count(*) FROM positions").fetchone()[0],
            "orders": db.execute("SELECT count(*) FROM orders").fetchone()[0],
            "fills": db.execute("SELECT count(*) FROM fills").fetchone()[0],
            "journal_rows": rows,
            "journal_hash": head,
        }

    def positions(self) -> Answer:
        sql = (
            "SELECT p.slot, p.qty, p.opened, p.paid, p.bought, o.stop FROM positions p LEFT JOIN orders o"
            " ON o.slot = p.slot AND o.role = 'stop' AND o.state IN ('live', 'partial') ORDER BY p.slot"
        )
        return {
            "positions": [
                {
                    "symbol": self.symbols[slot], "qty": qty, "since": when(Nanos(opened)),
                    "average": round(paid / bought / 1e6, 6), "stop": stop / 1e6 if stop else None,
                }
                for slot, qty, opened, paid, bought, stop in self.db.execute(sql)
            ]
        }  # fmt: skip

    def orders(self, every: bool = False) -> Answer:
        """The open ones, oldest first, or the newest 100 of all."""
        where = "ORDER BY n DESC LIMIT 100" if every else "WHERE state IN ('sent', 'live', 'partial') ORDER BY n"
        sql = f"SELECT cid, slot, role, side, type, qty, stop, state, filled, ts, reason FROM orders {where}"
        return {
            "orders": [
                {
                    "cid": cid, "symbol": self.symbols[slot], "role": role, "side": "buy" if side > 0 else "sell",
                    "type": kind, "qty": qty, "stop": stop / 1e6 if kind == "stop" else None, "state": state,
                    "filled": filled, "time": when(Nanos(ts)), "reason": reason,
                }
                for cid, slot, role, side, kind, qty, stop, state, filled, ts, reason in self.db.execute(sql)
            ]
        }  # fmt: skip

    def why(self, symbol: str, time: str | None = None) -> Answer:
        """The decision of a seal; without a time, the last in which something was sought."""
        if symbol not in self.symbols:
            raise NotFound(f"{symbol} is not traded here; {', '.join(self.symbols)} are")
        slot = self.symbols.index(symbol)
        where, values = "", [slot]
        if time:
            where, values = "AND ts = ?", [slot, self._time(time)]
        sql = f"SELECT body, judged FROM decisions WHERE slot = ? {where} ORDER BY n DESC LIMIT 1"
        row = self.db.execute(sql, values).fetchone()
        if row is None:
            return self._held(symbol, slot, values[-1] if time else None)
        decided = journal.read(journal.Decided, row[0])
        judged = journal.read(journal.Judged, row[1]) if row[1] else None
        why = sentence(symbol, decided, judged, self.refusal(slot, decided.ts))
        return {"symbol": symbol, "time": when(decided.ts), "why": why}

    def refusal(self, slot: int, ts: Nanos) -> str:
        """Why the venue refused the entry that was decided then, if it did."""
        sql = "SELECT reason FROM orders WHERE slot = ? AND ts = ? AND role = 'entry' AND state = 'rejected'"
        row = self.db.execute(sql, (slot, ts)).fetchone()
        return row[0] if row else ""

    def _held(self, symbol: str, slot: int, ts: int | None) -> Answer:
        if ts is None:
            return {"symbol": symbol, "time": None, "why": f"{symbol}: nothing has been sought yet."}
        row = self.db.execute("SELECT body FROM journal WHERE kind = 'seal' AND ts = ?", (ts,)).fetchone()
        for bar in journal.read(journal.Seal, row[0]).bars if row else ():
            if bar.slot == slot:
                what = ACTIONS[bar.code] if bar.quality == 1 else "the bar lies outside the regular session"
                return {"symbol": symbol, "time": when(Nanos(ts)), "why": f"{symbol} {when(Nanos(ts))}: {what}."}
        raise NotFound(f"no bar of {symbol} was sealed at {when(Nanos(ts))}")

    def _time(self, text: str) -> int:
        """`HH:MM[:SS]` of the last day, or `YYYY-MM-DD[ T]HH:MM[:SS]`, New York; the seal, which is the bar's end."""
        if len(text) <= 8:
            (last,) = self.db.execute("SELECT max(ts) FROM equity").fetchone()
            day = datetime.fromtimestamp((last or 0) // 10**9, NEW_YORK).date()
            text = f"{day} {text}"
        try:
            time = datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)
            if 1970 < time.year < 2200:
                return int(time.timestamp()) * 10**9
        except (ValueError, OverflowError):
            pass
        raise NotFound(f"{text!r} is no time: give HH:MM or YYYY-MM-DD HH:MM, New York")
