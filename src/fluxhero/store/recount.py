"""The kernel's rows computed again from the journal alone: to explain a bar on which nothing was sought, and to verify.

Loaded only by who asks for it, for it needs the compiler.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fluxhero.core import bars, journal
from fluxhero.core.explain import reasons, sentence
from fluxhero.core.lives import traded
from fluxhero.core.readings import checks, reading
from fluxhero.kernel.plug import Strategy, find
from fluxhero.kernel.state import row
from fluxhero.kernel.think import build, took
from fluxhero.messages import Array, Cid, Micros, Nanos, Order, Side, Traded
from fluxhero.section import ConfigError
from fluxhero.store.sqlite import StoreError, blind, fills_after
from fluxhero.store.view import Answer, View

KINDS = ("opened", "settings", "past", "blind", "factors", "intent", "filled", "adopted", "seal")


class Recount:
    """A fold of the journal's rows, one by one."""

    def __init__(self, opened: journal.Opened, codes: set[str], own: Strategy | None) -> None:
        """`codes`: digests of what has written it; `own`: a strategy that no name alone can find."""
        self.symbols = opened.symbols
        self._codes, self._own, self._sealed = codes, own, False
        self.rows: Array = np.zeros(0)
        self.fills = 0
        self._bars: Array = np.zeros(0)
        self._params: Array = np.zeros(0)
        self._busy = np.zeros(0, np.int64)
        self._trail = 0.0
        self._open: dict[Cid, Order] = {}  # not filled yet, or never
        self._take: dict[type, Callable[[Any], None]] = {
            journal.Settings: self._settings, journal.Past: self._past, journal.Blind: self._blind,
            journal.Factors: self._factors, journal.Intent: self._intent, journal.Filled: self._filled,
            journal.Adopted: self._adopted, journal.Seal: self._seal,
        }  # fmt: skip

    def add(self, line: journal.Row) -> None:
        take = self._take.get(type(line))
        if take:
            take(line)

    def explain(self, slot: int, ts: Nanos) -> journal.Decided:
        """What symbol `slot` looked at in the bar just folded, sealed at ts, though it may have sought nothing."""
        self._mind.explain(self.rows, slot, self._bars, self._params)
        r = self.rows[slot]
        d = r["decision"]
        return journal.Decided(
            ts=ts, slot=slot, action=int(d["action"]), side=Side.BUY if int(r["trade"]["qty"]) >= 0 else Side.SELL,
            mode=int(r["trade"]["mode"]), regime=int(r["regime"]["now"]), gate=0, stop=Micros(0), risk=0.0, scale=0.0,
            wide=1.0, reading=reading(r), checks=checks(r),
        )  # fmt: skip

    def _settings(self, line: journal.Settings) -> None:
        strategy = self._own or _shipped(line.strategy)
        if self._codes - {strategy.code}:
            raise StoreError("it was written by other code, so that it cannot be computed again")
        if len(line.params) != strategy.params.itemsize:
            raise StoreError("the journal was written by a program with other parameters; it cannot be computed again")
        self._params = np.frombuffer(line.params, strategy.params).copy()
        self._mind = build(strategy)
        if not self.rows.size:
            self.rows = np.zeros(len(self.symbols), row(strategy.own))
            self._busy = np.zeros(self.rows.size, np.int64)
        if not self._sealed:
            self._trail = float(self._params["rules"]["stop_atr"][0])

    def _past(self, line: journal.Past | journal.Seal) -> None:
        self._bars = bars.read(line.bars, len(self.symbols))
        self._mind.think(self.rows, self._bars, self._params, self._trail, self._busy)

    def _seal(self, line: journal.Seal) -> None:
        self._sealed = True
        self._past(line)

    def _blind(self, line: journal.Blind) -> None:
        self.rows = unwarmed(self.rows)

    def _factors(self, line: journal.Factors) -> None:
        self._trail = line.trail

    def _intent(self, line: journal.Intent) -> None:
        self._open[line.order.cid] = line.order

    def _filled(self, line: journal.Filled) -> None:
        take(self.rows, traded(self._open[line.cid], line.qty, line.price))
        self.fills += 1
        if line.state == "filled":
            del self._open[line.cid]

    def _adopted(self, line: journal.Adopted) -> None:
        if line.slot >= 0:
            adopted(self.rows, line.slot, line.qty, line.price, line.mode, line.stop)


def adopted(rows: Array, slot: int, qty: int, price: Micros, mode: int, stop: Micros) -> None:
    """The operator's word for a position into the row of its symbol."""
    delta = qty - int(rows["trade"]["qty"][slot])
    if delta:
        took(rows, slot, delta, price, mode, stop, 1.0)


def take(rows: Array, t: Traded) -> None:
    """A fill into the row of its symbol."""
    took(rows, t.slot, t.qty, t.price, t.mode, t.stop, t.wide)


def unwarmed(rows: Array) -> Array:
    """After bars that nobody saw the indicators begin anew; what is held, and what is suspect, stays so."""
    fresh = np.zeros_like(rows)
    for name in ("trade", "session"):
        fresh[name] = rows[name]
    return fresh


def _shipped(name: str) -> Strategy:
    try:
        return find(name)
    except ConfigError:
        raise StoreError(f"its strategy {name} is an own file: give --config") from None


def recount(db: sqlite3.Connection, until: int | None = None, own: Strategy | None = None) -> Recount:
    """The fold of the journal, up to the seal at `until`, or of all of it. Raises StoreError where it cannot be."""
    try:
        return _recount(db, until, own)
    except msgspec.MsgspecError:
        raise StoreError("it was written by another version, so that it cannot be computed again") from None


def _recount(db: sqlite3.Connection, until: int | None, own: Strategy | None) -> Recount:
    sql = f"SELECT body FROM journal WHERE kind IN ({', '.join('?' * len(KINDS))}) ORDER BY seq"
    codes = {code for (code,) in db.execute("SELECT DISTINCT code FROM runs")}
    found: Recount | None = None
    for (body,) in db.execute(sql, KINDS):
        line = journal.decode(body)
        if isinstance(line, journal.Opened):
            found = Recount(line, codes, own)
        elif found is not None:
            found.add(line)
            if isinstance(line, journal.Seal) and line.ts == until:
                return found
    if found is None or until is not None:
        raise StoreError("the journal does not reach that seal")
    return found


def explained(state: Path, symbol: str, seal: Nanos) -> Answer:
    """Why nothing was sought at a seal, every condition with value and limit. Raises StoreError, ConfigError."""
    view = View(state)
    try:
        decided = recount(view.db, seal).explain(view.slot(symbol), seal)
    finally:
        view.close()
    return {"why": sentence(symbol, decided, None), "reasons": reasons(decided.checks)}


def differs(db: sqlite3.Connection, own: Strategy | None = None) -> str | None:
    """What of the newest kernel rows does not follow from the journal; nothing, as it should be. Raises StoreError."""
    kept = db.execute("SELECT count, blob FROM states WHERE name = 'kernel'").fetchone()
    if kept is None:
        return None
    found = recount(db, own=own)
    if len(kept[1]) != found.rows.nbytes:
        return f"the kernel's rows have {len(kept[1])} bytes, computed again {found.rows.nbytes}"
    rows = np.frombuffer(kept[1], found.rows.dtype).copy()
    if blind(db):
        rows = unwarmed(rows)
    for t in fills_after(db, kept[0]):
        take(rows, t)
    wrong = [symbol for symbol, a, b in zip(found.symbols, rows, found.rows, strict=True) if a.tobytes() != b.tobytes()]
    return f"the kernel's rows of {', '.join(wrong)} do not follow from the bars and fills" if wrong else None
