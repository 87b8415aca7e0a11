"""A venue that does what it is told, and tells what it did as badly as it is told to."""

from __future__ import annotations

import msgspec

from fluxhero.messages import (
    Cancel,
    Cid,
    Lot,
    Micros,
    Nanos,
    Order,
    Resting,
    Role,
    Says,
    Shares,
    Side,
    Statement,
    Type,
    Update,
)
from tests.core.desk import CASH, FEE, usd


class Standing(msgspec.Struct):
    """An order that the venue has heard of."""

    order: Order
    filled: int = 0
    end: Says | None = None

    @property
    def left(self) -> int:
        return self.order.qty - self.filled


class Scripted:
    def __init__(self, counted: bool) -> None:
        """`counted`: does it number its words?"""
        self.counted = counted
        self.cash, self.held = int(CASH), dict[int, int]()
        self.orders: dict[Cid, Standing] = {}
        self.words: list[Update] = []  # all that it has ever said
        self.now = Nanos(0)

    @property
    def open(self) -> list[Standing]:
        return [s for s in self.orders.values() if s.end is None]

    # -- what arrives

    def take(self, what: Order | Cancel, refuse: bool) -> None:
        if isinstance(what, Cancel):
            self._cancel(what.cid, refuse)
        elif what.cid not in self.orders:  # an id is taken once
            self._place(what, refuse)

    def _place(self, o: Order, refuse: bool) -> None:
        old = self.orders.get(o.replaces) if o.replaces else None
        gone = o.replaces is not None and (old is None or old.end is not None)
        self.orders[o.cid] = Standing(order=o)
        if refuse or gone or self._wash(o) or (o.role is not Role.ENTRY and self._free(o) < o.qty):
            self._end(o.cid, Says.REJECTED)
            return
        if old:
            self._end(old.order.cid, Says.REPLACED)
        self._say(o.cid, Says.ACCEPTED)

    def _cancel(self, cid: Cid, refuse: bool) -> None:
        s = self.orders.get(cid)
        if refuse or s is None or s.end is not None:
            self._say(cid, Says.CANCEL_REJECTED)
        else:
            self._end(cid, Says.CANCELED)

    def _wash(self, o: Order) -> bool:
        return any(s.order.slot == o.slot and s.order.side is not o.side for s in self.open if s.order.cid != o.cid)

    def _free(self, o: Order) -> int:
        """Shares that an exit or a stop could close, and no other has asked for."""
        asked = sum(
            s.left for s in self.open
            if (s.order.slot, s.order.side) == (o.slot, o.side) and s.order.cid not in (o.cid, o.replaces)
        )  # fmt: skip
        return max(0, -o.side * self.held.get(o.slot, 0)) - asked

    # -- what happens there

    def fill(self, cid: Cid, qty: int, price: Micros) -> None:
        s = self.orders[cid]
        s.filled += qty
        self.cash -= s.order.side * qty * price + qty * FEE
        self.held[s.order.slot] = self.held.get(s.order.slot, 0) + s.order.side * qty
        s.end = None if s.left else Says.FILL
        says = Says.PARTIAL_FILL if s.left else Says.FILL
        self._say(cid, says, exec_id=f"x{len(self.words)}", at=self.now, price=price, qty=Shares(qty),
                  fee=Micros(qty * FEE))  # fmt: skip

    def expire(self, cid: Cid) -> None:
        self._end(cid, Says.CANCELED)

    def _end(self, cid: Cid, says: Says) -> None:
        self.orders[cid].end = says
        self._say(cid, says)

    def _say(self, cid: Cid, says: Says, **more: object) -> None:
        filled = self.orders[cid].filled if cid in self.orders else 0
        word = Update(seq=len(self.words) + 1, ts=self.now, cid=cid, says=says, filled=Shares(filled))
        self.words.append(msgspec.structs.replace(word, **more))

    # -- what is told

    def told(self, word: Update) -> Update:
        """As a desk hears it, later."""
        return msgspec.structs.replace(word, ts=self.now, seq=word.seq if self.counted else 0)

    def status(self, cid: Cid) -> list[Update]:
        """All that was said of an order."""
        said = [self.told(w) for w in self.words if w.cid == cid and w.says is not Says.CANCEL_REJECTED]
        return said or [Update(seq=0, ts=self.now, cid=cid, says=Says.ABSENT)]

    def statement(self) -> Statement:
        held = tuple(Lot(slot=slot, qty=Shares(qty), price=Micros(0)) for slot, qty in sorted(self.held.items()) if qty)
        orders = tuple(
            Resting(cid=o.cid, slot=o.slot, side=o.side, type=o.type, left=Shares(s.left), stop=_level(o))
            for s in self.open for o in (s.order,)
        )  # fmt: skip
        heard = len(self.words) if self.counted else 0
        return Statement(ts=self.now, heard=heard, cash=Micros(self.cash), held=held, orders=orders)


def _level(o: Order) -> Micros:
    return o.stop if o.type is Type.STOP else Micros(0)


def price_of(o: Order) -> Micros:
    """Something that it may be filled at."""
    return o.limit or o.stop or usd(100 + Side.BUY * 0.25)
