"""The `quote` model: buy at the ask, sell at the bid, as far as the displayed size goes, once per quote."""

from collections.abc import Callable

from fluxhero.exchange.matching import Session, Snapshot, Venue, Working
from fluxhero.kernel.money import CENT, FINE, USD
from fluxhero.messages import (
    Event,
    Micros,
    Nanos,
    Order,
    Quote,
    Role,
    Says,
    Shares,
    Side,
    Trade,
    Type,
    Update,
    micros,
)


class QuoteVenue(Venue):
    def __init__(
        self, snapshot: Snapshot, fee: Micros, borrow: float, session: Callable[[Nanos], Session | None]
    ) -> None:
        super().__init__(snapshot, fee, borrow, session)
        self._quotes: dict[int, Quote] = {}
        self._taken: dict[int, list[int]] = {}  # of the quote, [bought, sold]
        self._busy = {r.order.slot for r in self.resting.values()}
        for slot, (index, ts, bid, ask, bids, asks, bought, sold) in snapshot.seen.items():
            self._quotes[slot] = Quote(
                index=index, ts=Nanos(ts), slot=slot, bid=Micros(bid), ask=Micros(ask), bid_size=Shares(bids),
                ask_size=Shares(asks),
            )  # fmt: skip
            self._taken[slot] = [bought, sold]

    def seen(self) -> dict[int, list[int]]:
        return {
            slot: [q.index, q.ts, q.bid, q.ask, q.bid_size, q.ask_size, *self._taken.get(slot, (0, 0))]
            for slot, q in self._quotes.items()
        }

    def event(self, e: Event) -> list[Update]:
        if self.shorts:
            self._watch(e)
        if isinstance(e, Quote):
            self._quotes[e.slot] = e
            if e.slot in self._busy:
                self._taken[e.slot] = [0, 0]
                self._work(e.slot, e.ts)
            else:
                self._taken.pop(e.slot, None)
        elif isinstance(e, Trade) and e.slot in self._busy and self._session(e.ts) is not None:
            self._trigger(e)
        return self._take()

    def _watch(self, e: Event) -> None:
        """What is sold short, at its last regular trade."""
        session = self._session(e.ts)
        if session is not None:
            self._begin(session.index, e.ts)
            if isinstance(e, Trade) and e.slot in self.shorts:
                self.shorts[e.slot] = session.index, micros(e.price)

    def _refusal(self, o: Order, old: Working | None) -> str:
        return super()._refusal(o, old) or _off_tick(o) or self._wash(o)

    def _wash(self, o: Order) -> str:
        """We may not trade with ourselves."""
        for r in self.resting.values():
            if r.order.slot == o.slot and r.order.side is not o.side and _meet(r.order, o):
                return f"potential wash trade: {r.order.cid} is open on the other side"
        return ""

    def _accept(self, o: Order, old: Working | None, now: Nanos) -> None:
        super()._accept(o, old, now)
        self._busy.add(o.slot)
        if o.type is not Type.STOP:
            self._work(o.slot, now)

    def _take(self) -> list[Update]:
        out = super()._take()
        if out:
            self._busy = {r.order.slot for r in self.resting.values()}
        return out

    def _trigger(self, t: Trade) -> None:
        """A regular trade at or through a stop makes it a market order."""
        price = micros(t.price)
        for r in self._of(t.slot, Type.STOP):
            if r.order.side * (price - r.order.stop) >= 0:
                r.triggered = True
        self._work(t.slot, t.ts)

    def _work(self, slot: int, now: Nanos) -> None:
        """What may trade, oldest first, against what the quote still shows."""
        session = self._session(now)
        self._expire(slot, session, now)
        q = self._quotes.get(slot)
        if q is None or not q.usable or session is None or session != self._session(q.ts):
            return
        taken = self._taken.setdefault(slot, [0, 0])
        for r in [r for r in self.resting.values() if r.order.slot == slot]:
            buying = r.order.side is Side.BUY
            shown, price, used = (q.ask_size, q.ask, 0) if buying else (q.bid_size, q.bid, 1)
            qty = min(r.left, shown - taken[used])
            if qty > 0 and (r.at_market or _reached(r.order, price)):
                taken[used] += qty
                self._execute(r, qty, price, now, now)
                if self.positions.get(slot, 0) < 0:
                    self.shorts.setdefault(slot, (session.index, price))  # until the next trade

    def _expire(self, slot: int, session: Session | None, now: Nanos) -> None:
        """Entries and limits are for their day: what the close finds of them is canceled; an exit at market works on
        at the next open. What was sent while the market was closed is for the session after.
        """
        today = -1 if session is None else session.index
        for r in [r for r in self.resting.values() if r.order.slot == slot and _for_its_day(r.order)]:
            if r.day < 0:
                day = self._session(r.order.ts)
                r.day = today if day is None else day.index
            if r.day not in (-1, today):
                self._close(r, Says.CANCELED, now, "expired at the close")


def _reached(o: Order, price: int) -> bool:
    return o.type is Type.LIMIT and o.side * (o.limit - price) >= 0


def _for_its_day(o: Order) -> bool:
    return o.role is Role.ENTRY or o.type is Type.LIMIT


def _meet(a: Order, b: Order) -> bool:
    """Could these two, on opposite sides, trade with each other?"""
    buy, sell = (a, b) if a.side is Side.BUY else (b, a)
    return not (a.type is b.type is Type.LIMIT) or buy.limit >= sell.limit


def _off_tick(o: Order) -> str:
    """A limit off the tick is refused: 2 decimals from 1 USD up, 4 below."""
    tick = CENT if o.limit >= USD else FINE
    off = o.type is Type.LIMIT and o.limit % tick
    return f"invalid limit_price {o.limit / 1e6:g}: its tick is {tick / 1e6:g}" if off else ""
