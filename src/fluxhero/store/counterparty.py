"""The venue's own ledger as a witness: has it said what we have heard, and does it know what we have sent?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec

from fluxhero.core import journal
from fluxhero.exchange.matching import Snapshot
from fluxhero.messages import Cid, Order, Update
from fluxhero.store.reckon import Difference, Reckoning, even, same
from fluxhero.store.sqlite import StoreError
from fluxhero.store.venue import FILE

# What a row repeats of the venue's word.
REPEATED: dict[type, tuple[str, ...]] = {
    journal.Evidence: ("ts", "cid", "says", "reason"),
    journal.Filled: ("ts", "cid", "exec_id", "at", "price", "qty", "fee"),
    journal.Charged: ("ts", "slot", "qty", "price", "fee"),
    journal.Odd: ("ts", "cid", "says"),
}

_update = msgspec.msgpack.Decoder(Update)
_snapshot = msgspec.msgpack.Decoder(Snapshot)


class Counterparty:
    """Only reads. It is opened before our journal is looked at: what had come to it by then, we had written by then."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
            self._db.execute("PRAGMA query_only = 1")
            (self._arrived,) = self._db.execute("SELECT coalesce(max(rowid), 0) FROM arrivals").fetchone()
        except sqlite3.Error as e:
            raise StoreError(f"{path} cannot be read: {e}") from None
        self._words: Iterator[Update] | None = None
        self._word: Update | None = None

    def close(self) -> None:
        self._db.close()

    def add(self, row: journal.Row, ours: Reckoning) -> None:
        """A row that has been reckoned up. Raises Difference where the venue has said something else."""
        names = REPEATED.get(type(row), ())
        seq: int = getattr(row, "seq", 0)
        if not names or not seq:
            return
        while self._word is None or self._word.seq < seq:
            self._word = self._next()
            if self._word is None or self._word.seq > seq:
                raise Difference(f"the venue has not said its word {seq}")
        for name in names:
            same(name, getattr(row, name), getattr(self._word, name), f"by the venue's word {seq}")
        if self._word.filled and self._word.cid in ours.orders:
            same("filled", ours.orders[self._word.cid].filled, self._word.filled, f"by the venue's word {seq}")

    def check(self, ours: Reckoning, live: Mapping[Cid, int]) -> None:
        """Once all rows are added; `live`: the open shares of the orders that by our tables rest at the venue."""
        self._acquainted(ours)
        unheard = list(iter(self._next, None))
        row = self._db.execute("SELECT body FROM state").fetchone()
        if row is None:
            return
        state = _snapshot.decode(row[0])
        for n, word in enumerate(unheard, ours.heard + 1):
            same("the number of a venue's word", word.seq, n, "counted")
        same("the number of the venue's words", ours.heard + len(unheard), state.seq, "by its account")
        self._account(state, ours, unheard)
        if not unheard:
            resting = {r.order.cid: r.order.qty - r.filled for r in state.resting if r.armed}
            even("orders: open shares of cid", live, resting, "at the venue")

    def _acquainted(self, ours: Reckoning) -> None:
        """Orders that one side has and the other should."""
        for (key,) in self._db.execute("SELECT key FROM arrivals WHERE rowid <= ? ORDER BY rowid", (self._arrived,)):
            if key.partition(" ")[0] not in ours.orders:  # a cancel's key goes on
                raise Difference(f"{key} has come to the venue, and no intent of it is in the journal")
        carried = {sent.order.stop_cid for sent in ours.orders.values()}
        sql = "SELECT 1 FROM arrivals WHERE key = ?1 OR (key > ?1 || ' ' AND key < ?1 || '!')"  # it, or its cancel
        for cid, sent in ours.orders.items():
            if sent.heard and cid not in carried and not self._db.execute(sql, (cid,)).fetchone():
                raise Difference(f"the venue has spoken of {cid}, which has not come to it")

    def _account(self, state: Snapshot, ours: Reckoning, unheard: list[Update]) -> None:
        """Its account is ours and what it has said since, unless that is of an order newer than our look."""
        cash, held = ours.cash, dict(ours.held)
        for word in unheard:
            cash -= word.fee
            if word.exec_id:
                if word.cid not in ours.orders:
                    return
                o = ours.orders[word.cid].order
                cash -= o.side * word.qty * word.price
                held[o.slot] = held.get(o.slot, 0) + o.side * word.qty
        same("cash", cash, state.cash, "at the venue")
        even("positions: qty of slot", {s: n for s, n in held.items() if n}, state.positions, "at the venue")
        for r in state.resting:
            if r.order.cid in ours.orders:
                _unchanged(ours.orders[r.order.cid].order, r.order)

    def _next(self) -> Update | None:
        """As of one commit, later than ours: the venue may have gone on."""
        if self._words is None:
            self._db.execute("BEGIN")
            self._words = self._said()
        return next(self._words, None)

    def _said(self) -> Iterator[Update]:
        for seq, body in self._db.execute("SELECT seq, body FROM updates ORDER BY seq"):
            word = _update.decode(body)
            same("the number of a venue's word", word.seq, seq, "its place")
            yield word


def _unchanged(sent: Order, found: Order) -> None:
    """An order never changes."""
    for name in sent.__struct_fields__:
        same(f"{sent.cid}: {name}", getattr(sent, name), getattr(found, name), "at the venue")


def beside(directory: Path) -> Counterparty | None:
    """The ledger of the embedded venue, where there is one."""
    return Counterparty(directory / FILE) if (directory / FILE).exists() else None
