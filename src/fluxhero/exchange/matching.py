"""What both venue models share: open orders, cash, positions, and the numbered stream of updates. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from fluxhero.kernel.fills import borrow_fee
from fluxhero.messages import (
    Cancel,
    Cid,
    Event,
    Lot,
    Micros,
    Nanos,
    Order,
    Resting,
    Role,
    Says,
    Shares,
    Statement,
    Type,
    Update,
)

UNFILLED = "its entry did not fill"
MALFORMED: tuple[tuple[Callable[[Order], bool], str], ...] = (
    (lambda o: o.qty <= 0, "qty must be > 0"),
    (lambda o: o.type is Type.LIMIT and o.limit <= 0, "limit orders require a limit price"),
    (lambda o: o.type is Type.STOP and o.stop <= 0, "stop orders require a stop price"),
)


class Session(Protocol):
    """A regular session; they are counted."""

    @property
    def index(self) -> int: ...


class Working(msgspec.Struct):
    """An order that the venue has not finished with."""

    order: Order
    filled: int = 0
    armed: bool = True  # a stop carried by an unfilled entry is not
    triggered: bool = False  # a stop that has become a market order
    day: int = -1  # the session that one for the day is for, once there is one

    @property
    def left(self) -> Shares:
        return Shares(self.order.qty - self.filled)

    @property
    def at_market(self) -> bool:
        return self.triggered or self.order.type is Type.MARKET


class Snapshot(msgspec.Struct):
    """All that a venue must remember. `seen`: per symbol, what the model needs of the market; `shorts`: of each symbol
    sold short, the first session that it has not paid for, and its last price.
    """

    cash: int
    positions: dict[int, int] = {}
    resting: list[Working] = []
    seen: dict[int, list[int]] = {}
    shorts: dict[int, tuple[int, int]] = {}
    seq: int = 0
    executions: int = 0


class Venue:
    """Matches orders against the tape. Every call gives the updates that it caused, in order."""

    def __init__(
        self, snapshot: Snapshot, fee: Micros, borrow: float, session: Callable[[Nanos], Session | None]
    ) -> None:
        """`fee` per share; `borrow`: share of a short's value a year; `session`: the one that a time lies in."""
        self.cash = snapshot.cash
        self.positions = dict(snapshot.positions)
        self.resting = {r.order.cid: r for r in snapshot.resting}
        self.shorts = dict(snapshot.shorts)
        self.seq, self._executions = snapshot.seq, snapshot.executions
        self._fee, self._borrow, self._session = fee, borrow, session
        self._out: list[Update] = []

    def snapshot(self) -> Snapshot:
        return Snapshot(
            cash=self.cash, positions=self.positions, resting=list(self.resting.values()), seen=self.seen(),
            shorts=self.shorts, seq=self.seq, executions=self._executions,
        )  # fmt: skip

    def seen(self) -> dict[int, list[int]]:
        return {}

    # -- the three things that can happen to a venue

    def event(self, e: Event) -> list[Update]:
        raise NotImplementedError

    def order(self, o: Order, now: Nanos) -> list[Update]:
        """An order arrives; its cid is new."""
        old = self.resting.get(o.replaces) if o.replaces else None
        reason = self._refusal(o, old)
        if reason:
            self._say(o.cid, Says.REJECTED, now, reason=reason)
            if o.stop_cid:
                self._say(o.stop_cid, Says.CANCELED, now, reason=UNFILLED)
        else:
            self._accept(o, old, now)
        return self._take()

    def cancel(self, c: Cancel, now: Nanos, filled: int = 0) -> list[Update]:
        """`filled`: of an order that is open no more; the venue itself forgets those."""
        r = self.resting.get(c.cid)
        if r is None or not r.armed:
            self._say(c.cid, Says.CANCEL_REJECTED, now, filled=filled, reason="the order is not open")
        else:
            self._close(r, Says.CANCELED, now, "canceled")
        return self._take()

    def statement(self, now: Nanos) -> Statement:
        """A carried stop is no order of its own before its entry has filled."""
        return Statement(
            ts=now, heard=self.seq, cash=Micros(self.cash),
            held=tuple(Lot(slot=s, qty=Shares(q), price=Micros(0)) for s, q in sorted(self.positions.items())),
            orders=tuple(
                Resting(cid=o.cid, slot=o.slot, side=o.side, type=o.type, left=r.left, stop=_level(o))
                for r in self.resting.values() if r.armed for o in (r.order,)
            ),
        )  # fmt: skip

    # -- what the models use

    def _refusal(self, o: Order, old: Working | None) -> str:
        """Why an order cannot be taken; nothing where it can. No position ever crosses from long to short or back."""
        for is_so, reason in MALFORMED:
            if is_so(o):
                return reason
        if o.replaces and (old is None or not old.armed):
            return "the order to be replaced is not open"
        if old is not None and not _moves(o, old.order):
            return "only a stop can be replaced, and by one of its own symbol and side"
        if o.role is Role.ENTRY:
            against = self._against(o)
            return f"{against} shares are held or sought on the other side: close them first" if against else ""
        free = self._free(o)
        return f"insufficient qty: asked {o.qty}, free {free}" if free < o.qty else ""

    def _begin(self, session: int, now: Nanos) -> None:
        """A session has begun: a short pays for those before it that it was held over."""
        for slot, (day, price) in sorted(self.shorts.items()):
            for ended in range(day, session):
                self._charge(slot, ended, price, now)
            self.shorts[slot] = max(day, session), price

    def _charge(self, slot: int, session: int, price: int, now: Nanos) -> None:
        qty = -self.positions[slot]
        fee = borrow_fee(price, qty, self._borrow)
        if fee:
            self.cash -= fee
            cid = Cid(f"borrow-{slot}-{session}")
            self._say(cid, Says.CHARGED, now, slot=slot, price=Micros(price), qty=Shares(qty), fee=Micros(fee))

    def _accept(self, o: Order, old: Working | None, now: Nanos) -> None:
        if old is not None:
            del self.resting[old.order.cid]
            self._say(old.order.cid, Says.REPLACED, now, filled=old.filled)
        self.resting[o.cid] = Working(order=o, triggered=old is not None and old.triggered)
        self._say(o.cid, Says.ACCEPTED, now)

    def _against(self, o: Order) -> int:
        """Shares held or sought on the other side."""
        others = [r for r in self.resting.values() if r.order.slot == o.slot and r.order.role is Role.ENTRY]
        sought = sum(r.left for r in others if r.order.side is not o.side)
        return self._held(o) + sought

    def _free(self, o: Order) -> int:
        """Shares that an exit or a stop could close, and no other has asked for."""
        asked = sum(r.left for r in self._rivals(o) if r.order.cid != o.replaces)
        return self._held(o) - asked

    def _held(self, o: Order) -> int:
        """Shares of the position that is against an order; 0 where that is on its own side."""
        return max(0, -o.side * self.positions.get(o.slot, 0))

    def _rivals(self, o: Order) -> list[Working]:
        """The exits and stops that hold shares which this one would need."""
        return [
            r for r in self.resting.values()
            if r.order.slot == o.slot and r.order.side is o.side and r.order.role is not Role.ENTRY and r.armed
        ]  # fmt: skip

    def _of(self, slot: int, kind: Type) -> list[Working]:
        return [r for r in self.resting.values() if r.order.slot == slot and r.order.type is kind and r.armed]

    def _close(self, r: Working, says: Says, now: Nanos, reason: str = "") -> None:
        """A terminal word, and the same for a stop that waited for this entry."""
        del self.resting[r.order.cid]
        self._say(r.order.cid, says, now, filled=r.filled, reason=reason)
        carried = self.resting.pop(r.order.stop_cid, None) if r.order.stop_cid else None
        if carried is not None:
            self._say(carried.order.cid, Says.CANCELED, now, reason=UNFILLED)

    def _execute(self, r: Working, qty: int, price: int, now: Nanos, at: Nanos) -> None:
        o = r.order
        r.filled += qty
        fee = qty * self._fee
        self.cash -= o.side * qty * price + fee
        held = self.positions.get(o.slot, 0) + o.side * qty
        if held:
            self.positions[o.slot] = held
        else:
            self.positions.pop(o.slot, None)
            self.shorts.pop(o.slot, None)
        done = r.filled == o.qty
        if done:
            del self.resting[o.cid]
        self._executions += 1
        self._say(
            o.cid, Says.FILL if done else Says.PARTIAL_FILL, now, exec_id=f"x{self._executions}", at=at,
            price=Micros(price), qty=Shares(qty), fee=Micros(fee), filled=r.filled,
        )  # fmt: skip

    def _say(
        self, cid: Cid, says: Says, now: Nanos, *, filled: int = 0, reason: str = "", exec_id: str = "",
        at: Nanos = Nanos(0), price: Micros = Micros(0), qty: Shares = Shares(0), fee: Micros = Micros(0),
        slot: int = -1,
    ) -> None:  # fmt: skip
        self.seq += 1
        update = Update(
            seq=self.seq, ts=now, cid=cid, says=says, exec_id=exec_id, at=at, price=price, qty=qty, fee=fee,
            reason=reason, filled=Shares(filled), slot=slot,
        )  # fmt: skip
        self._out.append(update)

    def _take(self) -> list[Update]:
        out, self._out = self._out, []
        return out


def _moves(o: Order, old: Order) -> bool:
    return (o.slot, o.side, o.type) == (old.slot, old.side, old.type) and o.type is Type.STOP


def _level(o: Order) -> Micros:
    return o.stop if o.type is Type.STOP else Micros(0)
