"""Cash and positions, in integers: exact, and the same in any order of sums."""

import msgspec

from fluxhero.messages import Micros, Nanos, Shares, Side


class Position(msgspec.Struct):
    """What is held of one symbol, and what its round trip has cost so far. Micro-dollars."""

    qty: int  # signed: short is less than 0
    opened: int
    bought: int = 0  # shares
    paid: int = 0
    received: int = 0
    fees: int = 0


class RoundTrip(msgspec.Struct, frozen=True):
    """A closed trade: averages per share, result after fees. Micro-dollars."""

    qty: Shares  # signed as its position was
    opened: Nanos
    closed: Nanos
    entry: Micros
    exit: Micros
    fees: Micros
    result: Micros


class Book:
    def __init__(self, cash: Micros) -> None:
        self.cash = int(cash)
        self.positions: dict[int, Position] = {}

    def held(self, slot: int) -> int:
        position = self.positions.get(slot)
        return position.qty if position else 0

    def fill(self, slot: int, side: Side, qty: Shares, price: Micros, fee: Micros, ts: Nanos) -> RoundTrip | None:
        """Books one execution; the round trip if it ends flat."""
        p = self.positions.setdefault(slot, Position(qty=0, opened=ts))
        self.cash -= side * qty * price + fee
        p.qty += side * qty
        p.fees += fee
        if side is Side.BUY:
            p.bought += qty
            p.paid += qty * price
        else:
            p.received += qty * price
        if p.qty:
            return None
        del self.positions[slot]
        opening, closing = (p.paid, p.received) if side is Side.SELL else (p.received, p.paid)
        return RoundTrip(
            qty=Shares(-side * p.bought),
            opened=Nanos(p.opened),
            closed=ts,
            entry=Micros(opening // p.bought),
            exit=Micros(closing // p.bought),
            fees=Micros(p.fees),
            result=Micros(p.received - p.paid - p.fees),
        )

    def adopt(self, slot: int, qty: int, price: Micros, cash: Micros, ts: Nanos) -> None:
        """The venue's word instead of ours; `price`: what the shares are taken to have cost. Slot -1: cash alone."""
        self.cash = int(cash)
        if slot < 0:
            return
        self.positions.pop(slot, None)
        if qty:
            bought, sold = (qty, 0) if qty > 0 else (0, -qty)
            self.positions[slot] = Position(
                qty=qty, opened=ts, bought=bought, paid=bought * price, received=sold * price
            )

    def charge(self, slot: int, fee: Micros) -> None:
        """What a position costs while it is held."""
        self.cash -= fee
        self.positions[slot].fees += fee
