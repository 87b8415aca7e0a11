"""What both venue models share: open orders, cash, positions, and the numbered stream of updates. Pure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from fluxhero.messages import Cancel, Cid, Event, Micros, Nanos, Order, Says, Shares, Side, Type, Update


class Resting(msgspec.Struct):
    """An order that the venue has not finished with."""

    order: Order
    filled: int = 0
    armed: bool = True  # a stop carried by an unfilled entry is not
    triggered: bool = False  # a stop that has become a market order

    @property
    def at_market(self) -> bool:
        return self.triggered or self.order.type is Type.MARKET


class Snapshot(msgspec.Struct):
    """All that a venue must remember. `seen`: per symbol, what the model needs of the market."""

    cash: int
    positions: dict[int, int] = {}
    resting: list[Resting] = []
    seen: dict[int, list[int]] = {}
    seq: int = 0
    executions: int = 0


class Venue:
    """Matches orders against the tape. Every call gives the updates that it caused, in order."""

    def __init__(self, snapshot: Snapshot, fee: Micros, session: Callable[[Nanos], object | None]) -> None:
        """`fee` per share; `session`: the regular session that a time lies in."""
        self.cash = snapshot.cash
        self.positions = dict(snapshot.positions)
        self.resting = {r.order.cid: r for r in snapshot.resting}
        self._seq, self._executions = snapshot.seq, snapshot.executions
        self._fee, self._session = fee, session
        self._out: list[Update] = []

    def snapshot(self) -> Snapshot:
        return Snapshot(
            cash=self.cash, positions=self.positions, resting=list(self.resting.values()), seen=self.seen(),
            seq=self._seq, executions=self._executions,
        )  # fmt: skip

    def seen(self) -> dict[int, list[int]]:
        return {}

    # -- the three things that can happen to a venue

    def event(self, e: Event) -> list[Update]:
        raise NotImplementedError

    def order(self, o: Order, now: Nanos) -> list[Update]:
        """An order arrives; its cid is new."""
        old = self.resting.get(o.replaces) if o.replaces else None
        if o.replaces and (old is None or not old.armed):
            self._say(o.cid, Says.REJECTED, now, reason="the order to be replaced is not open")
        elif o.side is Side.SELL and self._free(o) < o.qty:
            self._say(o.cid, Says.REJECTED, now, reason=f"insufficient qty: asked {o.qty}, free {self._free(o)}")
        else:
            self._accept(o, old, now)
        return self._take()

    def cancel(self, c: Cancel, now: Nanos) -> list[Update]:
        r = self.resting.get(c.cid)
        if r is None:
            self._say(c.cid, Says.CANCEL_REJECTED, now, reason="the order is not open")
        else:
            self._close(r, Says.CANCELED, now, "canceled")
        return self._take()

    # -- what the models use

    def _accept(self, o: Order, old: Resting | None, now: Nanos) -> None:
        if old is not None:
            del self.resting[old.order.cid]
            self._say(old.order.cid, Says.REPLACED, now)
        self.resting[o.cid] = Resting(order=o, triggered=old is not None and old.triggered)
        self._say(o.cid, Says.ACCEPTED, now)

    def _free(self, o: Order) -> int:
        """Shares of a symbol that no other sell has asked for."""
        asked = sum(r.order.qty - r.filled for r in self._rivals(o) if r.order.cid != o.replaces)
        return self.positions.get(o.slot, 0) - asked

    def _rivals(self, o: Order) -> list[Resting]:
        """The sells that hold shares which this one would need."""
        return [r for r in self.resting.values() if r.order.slot == o.slot and r.order.side is Side.SELL and r.armed]

    def _of(self, slot: int, kind: Type) -> list[Resting]:
        return [r for r in self.resting.values() if r.order.slot == slot and r.order.type is kind and r.armed]

    def _close(self, r: Resting, says: Says, now: Nanos, reason: str = "") -> None:
        """A terminal word, and the same for a stop that waited for this entry."""
        del self.resting[r.order.cid]
        self._say(r.order.cid, says, now, reason=reason)
        carried = self.resting.pop(r.order.stop_cid, None) if r.order.stop_cid else None
        if carried is not None:
            self._say(carried.order.cid, Says.CANCELED, now, reason="its entry did not fill")

    def _execute(self, r: Resting, qty: int, price: int, now: Nanos, at: Nanos) -> None:
        o = r.order
        r.filled += qty
        fee = qty * self._fee
        self.cash -= o.side * qty * price + fee
        held = self.positions.get(o.slot, 0) + o.side * qty
        if held:
            self.positions[o.slot] = held
        else:
            self.positions.pop(o.slot, None)
        done = r.filled == o.qty
        if done:
            del self.resting[o.cid]
        self._executions += 1
        self._say(
            o.cid, Says.FILL if done else Says.PARTIAL_FILL, now, exec_id=f"x{self._executions}", at=at,
            price=Micros(price), qty=Shares(qty), fee=Micros(fee),
        )  # fmt: skip

    def _say(
        self, cid: Cid, says: Says, now: Nanos, *, reason: str = "", exec_id: str = "", at: Nanos = Nanos(0),
        price: Micros = Micros(0), qty: Shares = Shares(0), fee: Micros = Micros(0),
    ) -> None:  # fmt: skip
        self._seq += 1
        update = Update(
            seq=self._seq, ts=now, cid=cid, says=says, exec_id=exec_id, at=at, price=price, qty=qty, fee=fee,
            reason=reason,
        )  # fmt: skip
        self._out.append(update)

    def _take(self) -> list[Update]:
        out, self._out = self._out, []
        return out
