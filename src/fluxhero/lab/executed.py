"""What a venue did with orders, against what the bar model does with them: by its rules, or for the record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from fluxhero.core import journal
from fluxhero.core.states import OPEN, State
from fluxhero.kernel import codes
from fluxhero.kernel.fills import open_fill, stop_fill
from fluxhero.lab.findings import Findings, Kind
from fluxhero.messages import Array, Cid, Nanos, Order, Role


class Executed(msgspec.Struct):
    """An order, what it came to, and the bar model's price for it: 0 while none is known."""

    order: Order
    qty: int = 0
    paid: int = 0
    modelled: int = 0

    @property
    def slippage(self) -> float:
        """Share of the price that it cost more than in the model."""
        return int(self.order.side) * (self.paid / self.qty - self.modelled) / self.modelled


class Executions:
    """Takes what a journal says of orders; at each seal it is looked at."""

    def __init__(self, found: Findings, *, binding: bool) -> None:
        """`binding`: the venue is the bar model, and may not differ."""
        self._found, self._binding = found, binding
        self._orders = dict[Cid, Executed]()
        self._waiting = dict[int, Executed]()  # by slot, for the next open
        self._filled, self._refused = list[journal.Filled](), list[journal.Evidence]()  # since the last seal

    def take(self, r: journal.Row) -> None:
        match r:
            case journal.Intent():
                self._sent(r.order)
            case journal.Filled():
                self._filled.append(r)
            case journal.Evidence() if r.state == State.REJECTED:
                self._refused.append(r)
            case journal.Evidence() if State(r.state) not in OPEN:
                self._over(r.cid)
            case journal.Canceling() if self._binding:
                self._over(r.cid)

    def seal(self, ts: Nanos, bars: Array, rules: Array) -> None:
        """bars: BAR (S,), with what was filled within them told before."""
        for r in self._refused:
            self._rejected(r, bars, rules)
        for f in self._filled:
            self._fill(f, ts, bars, rules)
        for slot, e in list(self._waiting.items()):
            if bars["quality"][slot] == codes.FULL and e.order.ts < ts:
                self._late(e, ts, bars, rules)
        self._filled.clear()
        self._refused.clear()

    def told(self) -> dict[str, Any]:
        """By role: orders that filled, and by how much worse than in the model, basis points."""
        made: dict[str, Any] = {}
        for role in Role:
            of = [e for e in self._orders.values() if e.order.role is role and e.qty]
            worse = np.array([e.slippage * 1e4 for e in of if e.modelled])
            made[role.value] = {
                "orders": len(of), "in_part": sum(e.qty < e.order.qty for e in of), "compared": len(worse),
                "mean_bp": float(worse.mean()) if len(worse) else None,
                "worst_bp": float(worse.max()) if len(worse) else None,
            }  # fmt: skip
        return made

    def _sent(self, o: Order) -> None:
        e = self._orders[o.cid] = Executed(o)
        if o.role is not Role.STOP:
            self._waiting[o.slot] = e

    def _over(self, cid: Cid) -> Executed | None:
        e = self._orders.get(cid)
        if e and self._waiting.get(e.order.slot) is e and (self._binding or not e.qty):
            del self._waiting[e.order.slot]
        return e

    def _rejected(self, r: journal.Evidence, bars: Array, rules: Array) -> None:
        e = self._over(r.cid)
        if self._binding and e and not e.order.carried and modelled(e.order, bars, rules):
            self._found.tell(Kind.FILL, r.ts, "an order that was refused", "filled", r.reason, slot=e.order.slot)

    def _late(self, e: Executed, ts: Nanos, bars: Array, rules: Array) -> None:
        """The next open has come: that is the model's price of what fills at its own time."""
        o = e.order
        del self._waiting[o.slot]
        if self._binding:
            self._found.tell(Kind.TIMING, ts, f"an {o.role} at the open", "filled", "it waits", slot=o.slot)
        e.modelled = modelled(o, bars, rules)

    def _fill(self, f: journal.Filled, ts: Nanos, bars: Array, rules: Array) -> None:
        e = self._orders[f.cid]
        e.qty, e.paid = e.qty + f.qty, e.paid + f.qty * f.price
        if self._binding:
            self._over(f.cid)
            for kind, name, ours, theirs in _ruled(f, e.order, ts, bars, rules):
                self._found.tell(kind, f.ts, f"the {name} of the {f.role}'s fill", ours, theirs, slot=f.slot)
        elif f.role is Role.STOP and not e.modelled:
            e.modelled = modelled(e.order, bars, rules) or int(e.order.stop)


def modelled(o: Order, bars: Array, rules: Array) -> int:
    """The price of a fill in this bar, micro-dollars; 0: there is none."""
    said = (bars, o.slot, int(o.side), o.qty)
    if o.role is Role.STOP:
        return int(stop_fill(*said, int(o.stop), o.volume, rules))
    return int(open_fill(*said, o.volume, int(o.stop) if o.role is Role.ENTRY else 0, rules))


def _ruled(f: journal.Filled, o: Order, ts: Nanos, bars: Array, rules: Array) -> Iterator[tuple[Kind, str, int, int]]:
    start, fee = int(bars["ts"][o.slot]), f.qty * int(rules["fee"][0])
    if f.ts != ts and f.at != start:  # this is not its bar, and that one is not there
        yield Kind.DATA, "bar", start, f.at
        return
    for kind, name, ours, theirs in (
        (Kind.TIMING, "time", ts, f.ts), (Kind.TIMING, "bar", start, f.at),
        (Kind.FILL, "quantity", int(o.qty), f.qty), (Kind.FILL, "price", modelled(o, bars, rules), f.price),
        (Kind.FILL, "fee", fee, f.fee),
    ):  # fmt: skip
        if ours != theirs:
            yield kind, name, ours, theirs
