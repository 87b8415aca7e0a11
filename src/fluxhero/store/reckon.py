"""The sums that must hold of an account's rows, reckoned without the tables and without the desk that wrote them."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fluxhero.core import journal
from fluxhero.core.differences import What
from fluxhero.core.states import OPEN, State
from fluxhero.messages import Cid, Order, Role, Says


class Difference(Exception):
    """Something that does not follow from the journal: what, its key, and both values."""


class Sent(msgspec.Struct):
    """An order, and what its rows say of it."""

    order: Order
    state: str = State.SENT
    filled: int = 0
    heard: bool = False  # the venue has spoken of it


class Reckoning:
    """A fold of the rows that orders and money depend on; each raises Difference. Micro-dollars."""

    def __init__(self) -> None:
        self.cash = 0
        self._account: set[int] = set()  # its key, once it is opened
        self.heard = 0  # the number of the venue's last word
        self.orders: dict[Cid, Sent] = {}
        self.held: defaultdict[int, int] = defaultdict(int)  # by slot, signed
        self._flow: defaultdict[int, int] = defaultdict(int)  # by slot, of the round trip under way
        self._results: defaultdict[int, int] = defaultdict(int)  # by slot, of those that have ended
        self._executions: set[tuple[Cid, str]] = set()
        self._entries: dict[int, Cid] = {}  # the newest of each slot
        self._drifts: dict[str, journal.Drift] = {}
        self._take: dict[type, Callable[[Any], None]] = {
            journal.Opened: self._opened, journal.Intent: self._intent, journal.Canceling: self._canceling,
            journal.Evidence: self._evidence, journal.Filled: self._filled, journal.Charged: self._charged,
            journal.Closed: self._closed, journal.Odd: self._counted,
            journal.Entered: self._entered, journal.Drift: self._drift, journal.Healed: self._healed,
            journal.Adopted: self._adopted,
        }  # fmt: skip

    def add(self, row: journal.Row) -> None:
        take = self._take.get(type(row))
        if take:
            take(row)

    def check(self, db: sqlite3.Connection) -> None:
        """Do the tables say the same?"""
        filled = {cid: sent.filled for cid, sent in self.orders.items()}
        some = {cid: qty for cid, qty in filled.items() if qty}
        held = {slot: qty for slot, qty in self.held.items() if qty}
        for what, sql, sums in (
            ("orders: filled of cid", "SELECT cid, filled FROM orders", filled),
            ("fills: qty of cid", "SELECT cid, sum(qty) FROM fills GROUP BY cid", some),
            ("positions: qty of slot", "SELECT slot, qty FROM positions", held),
            ("trades: results of slot", "SELECT slot, sum(result) FROM trades GROUP BY slot", dict(self._results)),
            ("account: cash of id", "SELECT id, cash FROM account", dict.fromkeys(self._account, self.cash)),
        ):  # fmt: skip
            even(what, dict(db.execute(sql)), sums, "by the executions")
        for slot in self._flow:
            self._ended(slot)

    def _opened(self, row: journal.Opened) -> None:
        if self._account:
            raise Difference("the account was opened before")
        self._account.add(1)
        self.cash = row.cash

    def _intent(self, row: journal.Intent) -> None:
        o = row.order
        if o.cid in self.orders:
            raise Difference(f"{o.cid} is the id of an earlier order")
        if o.replaces:
            self._sent(o.replaces)
        if o.role is Role.ENTRY:
            self._enter(o)
        self.orders[o.cid] = Sent(order=o)

    def _enter(self, o: Order) -> None:
        """One at a time of a symbol; another attempt seeks no more than the one before it left."""
        newest = self._entries.get(o.slot)
        if newest and self.orders[newest].state in OPEN:
            raise Difference(f"{o.cid} enters while {newest} is {self.orders[newest].state}")
        self._entries[o.slot] = o.cid
        intent, _, attempt = o.cid.rpartition("-")
        if attempt.isdecimal() and attempt != "0":
            before = self._sent(Cid(f"{intent}-{int(attempt) - 1}"))
            left = before.order.qty - before.filled
            if o.qty > left:
                raise Difference(f"{o.cid} seeks {o.qty} shares, {before.order.cid} has left {left}")

    def _canceling(self, row: journal.Canceling) -> None:
        self._sent(row.cid)

    def _evidence(self, row: journal.Evidence) -> None:
        self._counted(row)
        sent = self._sent(row.cid)
        if row.says is Says.UNANSWERED and row.state != sent.state and row.state not in OPEN:
            raise Difference(f"{row.cid} is {row.state} because nobody answered, which proves nothing")
        self._spoken(sent, row)

    def _filled(self, row: journal.Filled) -> None:
        self._counted(row)
        sent = self._sent(row.cid)
        for name in ("slot", "side", "role"):
            same(name, getattr(row, name), getattr(sent.order, name))
        if (row.cid, row.exec_id) in self._executions:
            raise Difference(f"execution {row.exec_id} of {row.cid} was booked before")
        self._executions.add((row.cid, row.exec_id))
        self._spoken(sent, row)
        self._ended(row.slot)
        sent.filled += row.qty
        same("filled", row.filled, sent.filled)
        if sent.filled > sent.order.qty:
            raise Difference(f"{sent.filled} shares of {row.cid} are filled, {sent.order.qty} were wanted")
        self.held[row.slot] += row.side * row.qty
        self._spend(row, row.side * row.qty * row.price + row.fee)

    def _charged(self, row: journal.Charged) -> None:
        self._counted(row)
        self._spend(row, row.fee)

    def _closed(self, row: journal.Closed) -> None:
        result = self._flow.pop(row.slot, 0)
        self._results[row.slot] += result
        same("what is held", 0, self.held[row.slot])
        same("result", row.result, result)

    def _ended(self, slot: int) -> None:
        """Where nothing is held, nothing of a round trip is left over."""
        if not self.held[slot]:
            same(f"the result of slot {slot} that no round trip has told", self._flow[slot], 0)

    def _drift(self, row: journal.Drift) -> None:
        self._drifts[row.key] = row

    def _healed(self, row: journal.Healed) -> None:
        if self._drifts.pop(row.key, None) is None:
            raise Difference(f"no drift {row.key} stands before it")

    def _adopted(self, row: journal.Adopted) -> None:
        """Nothing is taken from the venue but what a drift is the evidence of: both may have traded on since."""
        what, gap = (
            (What.POSITION, row.qty - self.held[row.slot]) if row.slot >= 0 else (What.CASH, row.cash - self.cash)
        )
        gaps = {(d.what, d.slot, d.theirs - d.ours) for d in self._drifts.values()
                if isinstance(d.ours, int) and isinstance(d.theirs, int)}  # fmt: skip
        if (what, row.slot, gap) not in gaps:
            raise Difference(f"no drift of {what} by {gap} stands before it")
        if row.slot >= 0:
            same("cash", row.cash, self.cash)
            self.held[row.slot], self._flow[row.slot] = row.qty, -row.qty * row.price
        self.cash = row.cash

    def _entered(self, row: journal.Entered) -> None:
        same("qty", row.qty, self._sent(row.cid).filled)

    def _spoken(self, sent: Sent, row: journal.Evidence | journal.Filled) -> None:
        """What is over stays so."""
        if sent.state not in OPEN and row.state != sent.state:
            raise Difference(f"{row.cid} is {row.state} after it was {sent.state}")
        sent.state, sent.heard = row.state, sent.heard or row.seq > 0

    def _counted(self, row: journal.Evidence | journal.Filled | journal.Charged | journal.Odd) -> None:
        """A word of the venue may have several rows, but its number comes once; what is not counted has none."""
        if row.seq and row.seq not in (self.heard, self.heard + 1):
            raise Difference(f"the venue's word {row.seq} follows its word {self.heard}")
        self.heard = row.seq or self.heard

    def _sent(self, cid: Cid) -> Sent:
        if cid not in self.orders:
            raise Difference(f"no intent of {cid} stands before it")
        return self.orders[cid]

    def _spend(self, row: journal.Filled | journal.Charged, micros: int) -> None:
        self.cash -= micros
        self._flow[row.slot] -= micros
        same("cash", row.cash, self.cash)


def same(name: str, said: object, reckoned: object, by: str = "reckoned") -> None:
    if said != reckoned:
        raise Difference(f"{name} is {said}, {by} {reckoned}")


def even(what: str, said: Mapping[Any, int], reckoned: Mapping[Any, int], by: str) -> None:
    """What is not there is None; the first that differs, in the order of what was reckoned."""
    for key in dict.fromkeys([*reckoned, *said]):
        same(f"{what} {key}", said.get(key), reckoned.get(key), by)
