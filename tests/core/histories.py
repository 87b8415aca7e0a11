"""Accounts by hand, and random true histories of an account at a venue that may be heard only in part."""

from __future__ import annotations

from collections import Counter

import msgspec
from hypothesis import strategies as st

from fluxhero.core.differences import Known, Ours
from fluxhero.core.states import OPEN, State, after
from fluxhero.messages import Cid, Lot, Micros, Nanos, Resting, Says, Shares, Side, Statement, Type

PREFIX = "fh-acct-0123abcd-"
A, B = Cid(PREFIX + "1-0"), Cid(PREFIX + "2-0")
USD = 1_000_000
CASH = Micros(100_000 * USD)
T = Nanos(1_000_000_000)
MILL = 13_000  # a share's fee: no sum of a few prices in whole dollars hides it


def rests(cid: Cid = A, side: Side = Side.SELL, left: int = 100, stop: int = 48, slot: int = 0) -> Resting:
    kind = Type.STOP if stop else Type.LIMIT
    return Resting(cid=cid, slot=slot, side=side, type=kind, left=Shares(left), stop=Micros(stop * USD))


def ours(*orders: Known, held: dict[int, int] | None = None, cash: int = CASH, heard: int = 7) -> Ours:
    return Ours(prefix=PREFIX, heard=heard, cash=Micros(cash), held=held or {}, orders=orders)


def theirs(*orders: Resting, held: dict[int, int] | None = None, cash: int = CASH, heard: int = 7) -> Statement:
    lots = tuple(Lot(slot=slot, qty=Shares(qty), price=Micros(0)) for slot, qty in (held or {}).items())
    return Statement(ts=T, heard=heard, cash=Micros(cash), held=lots, orders=orders)


class History:
    """A venue's truth, every word that it said, and the orders that we sent."""

    def __init__(self, counted: bool) -> None:
        self.counted = counted
        self.said: list[tuple[Cid, Says, int, int]] = []  # cid, word, signed shares, cash
        self.orders: dict[Cid, Resting] = {}  # as they were sent
        self.there: dict[Cid, Resting] = {}
        self.arrived: set[Cid] = set()
        self.going: dict[Cid, Cid | None] = {}  # and its successor
        self.held = Counter[int]()
        self.cash = int(CASH)

    def step(self, what: str, i: int, qty: int, price: int) -> None:
        """Whatever of the kind is possible now."""
        if what == "send":
            self._send(slot=i % 2, side=list(Side)[i // 2 % 2], qty=qty, price=price, stop=i % 3 == 0)
        elif what == "charge" and self.counted and self.held[i % 2] < 0:
            self._say(Cid(f"borrow-{i % 2}"), Says.CHARGED, 0, -price * MILL)
        elif what == "arrive" and (due := [c for c in self.orders if c not in self.arrived]):
            self._arrive(due[i % len(due)], refused=qty == 7)
        elif what in ("fill", "go", "move", "end") and self.there:
            cid = list(self.there)[i % len(self.there)]
            getattr(self, f"_{what}")(cid, qty, price)

    def statement(self) -> Statement:
        return theirs(*self.there.values(), held=self.held, cash=self.cash, heard=len(self.said) * self.counted)

    def ours(self, heard: dict[Cid, int] | int) -> Ours:
        """By the first so many words, or of each order by the first so many of its own."""
        states = dict.fromkeys(self.orders, State.SENT)
        left = {cid: o.left for cid, o in self.orders.items()}
        held, cash, count = Counter[int](), int(CASH), Counter[Cid]()
        for n, (cid, says, shares, money) in enumerate(self.said):
            count[cid] += 1
            if n >= heard if isinstance(heard, int) else count[cid] > heard[cid]:
                continue
            cash += money
            if cid in self.orders:
                then = after(states[cid], says)
                assert then
                states[cid], left[cid] = then, Shares(left[cid] - abs(shares))
                held[self.orders[cid].slot] += shares
        mine = [
            Known(order=msgspec.structs.replace(o, left=left[cid]), state=states[cid], going=cid in self.going)
            for cid, o in self.orders.items() if states[cid] in OPEN
        ]  # fmt: skip
        return ours(*mine, held=held, cash=cash, heard=heard if isinstance(heard, int) and self.counted else 0)

    def _send(self, slot: int, side: Side, qty: int, price: int, stop: bool) -> Cid:
        cid = Cid(f"{PREFIX}{len(self.orders) + 1}-0")
        self.orders[cid] = rests(cid, side, qty, price if stop else 0, slot)
        return cid

    def _arrive(self, cid: Cid, refused: bool) -> None:
        self.arrived.add(cid)
        old = next((c for c, then in self.going.items() if then == cid), None)
        if refused or (old and old not in self.there):
            self._say(cid, Says.REJECTED)
            return
        if old:
            del self.there[old]
            self._say(old, Says.REPLACED)
        self.there[cid] = self.orders[cid]
        self._say(cid, Says.ACCEPTED)

    def _fill(self, cid: Cid, qty: int, price: int) -> None:
        o = self.there[cid]
        qty = min(qty, o.left)
        self.there[cid] = msgspec.structs.replace(o, left=o.left - qty)
        if qty == o.left:
            del self.there[cid]
        says = Says.FILL if qty == o.left else Says.PARTIAL_FILL
        self._say(cid, says, o.side * qty, -o.side * qty * price * USD - qty * MILL)

    def _go(self, cid: Cid, qty: int, price: int) -> None:
        self.going.setdefault(cid, None)

    def _move(self, cid: Cid, qty: int, price: int) -> None:
        o = self.there[cid]
        if cid not in self.going:
            self.going[cid] = self._send(o.slot, o.side, o.left, price, stop=True)

    def _end(self, cid: Cid, qty: int, price: int) -> None:
        """Canceled as we asked; without being asked only where words are counted."""
        if self.counted or cid in self.going:
            del self.there[cid]
            self._say(cid, Says.CANCELED)

    def _say(self, cid: Cid, says: Says, shares: int = 0, money: int = 0) -> None:
        self.said.append((cid, says, shares, money))
        self.cash += money
        if shares:
            self.held[self.orders[cid].slot] += shares


steps = st.tuples(
    st.sampled_from(["send", "send", "arrive", "arrive", "arrive", "fill", "fill", "go", "move", "end", "charge"]),
    st.integers(0, 11), st.integers(1, 20), st.integers(10, 200),
)  # fmt: skip


@st.composite
def histories(draw: st.DrawFn, counted: bool = True) -> History:
    h = History(counted)
    for step in draw(st.lists(steps, max_size=40)):
        h.step(*step)
    return h
