"""The `bar` model: market orders fill whole at the next open, stops within the bar. Prices come from the kernel."""

from collections.abc import Callable

from fluxhero.exchange.matching import Session, Snapshot, Venue, Working
from fluxhero.kernel.fills import open_fill, stop_fill
from fluxhero.messages import (
    Array,
    Bars,
    Cid,
    Event,
    Micros,
    Nanos,
    Order,
    Quality,
    Role,
    Says,
    Side,
    Type,
    Update,
    micros,
)


class BarVenue(Venue):
    def __init__(
        self, snapshot: Snapshot, fee: Micros, borrow: float, session: Callable[[Nanos], Session | None], params: Array
    ) -> None:
        super().__init__(snapshot, fee, borrow, session)
        self._rules = params["rules"]

    def event(self, e: Event) -> list[Update]:
        """One pass over the symbols in config order: the waiting order at the open, then the stop."""
        if isinstance(e, Bars) and (self.resting or self.shorts):
            session = int(e.bars["session"][e.bars["ts"] != 0].max(initial=-1))
            self._begin(session, e.ts)
            for slot in sorted({r.order.slot for r in self.resting.values()}):
                if e.bars[slot]["quality"] == Quality.FULL:
                    self._bar(slot, e)
            self._mark(session, e)
            return self._take()
        return []

    def _mark(self, session: int, e: Bars) -> None:
        """What is sold short now, at its close."""
        for slot, qty in self.positions.items():
            if qty < 0 and e.bars[slot]["quality"] == Quality.FULL:
                self.shorts[slot] = session, micros(float(e.bars[slot]["close"]))

    def _bar(self, slot: int, e: Bars) -> None:
        start = Nanos(int(e.bars[slot]["ts"]))
        for waiting in self._of(slot, Type.MARKET):
            self._open(waiting, e, start)
        for stop in self._of(slot, Type.STOP):
            o = stop.order
            price = stop_fill(e.bars, slot, int(o.side), o.qty, o.stop, o.volume, self._rules)
            if price:
                self._execute(stop, o.qty, price, e.ts, start)

    def _open(self, r: Working, e: Bars, start: Nanos) -> None:
        o = r.order
        price = open_fill(e.bars, o.slot, int(o.side), o.qty, o.volume, int(o.stop), self._rules)
        if not price:
            opens = float(e.bars[o.slot]["open"])
            self._close(r, Says.REJECTED, e.ts, f"gapped through the stop: open {opens:g}, stop {o.stop / 1e6:g}")
            return
        self._execute(r, o.qty, price, e.ts, start)
        if o.stop_cid:
            self._arm(o.stop_cid, e.ts)
        elif o.role is Role.EXIT:
            for stop in self._of(o.slot, Type.STOP):  # the exit clears the stop
                self._close(stop, Says.CANCELED, e.ts, "the position is closed")

    def _refusal(self, o: Order, old: Working | None) -> str:
        return "limit orders are not taken in bars" if o.type is Type.LIMIT else super()._refusal(o, old)

    def _accept(self, o: Order, old: Working | None, now: Nanos) -> None:
        super()._accept(o, old, now)
        if o.stop_cid:
            carried = Order(
                cid=o.stop_cid, ts=o.ts, slot=o.slot, role=Role.STOP, side=Side(-o.side), type=Type.STOP, qty=o.qty,
                stop=o.stop, carried=True, volume=o.volume, mode=o.mode,
            )  # fmt: skip
            self.resting[o.stop_cid] = Working(order=carried, armed=False)

    def _rivals(self, o: Order) -> list[Working]:
        """Here an exit may stand beside the stop that it will clear."""
        return [r for r in super()._rivals(o) if r.order.type is o.type]

    def _arm(self, cid: Cid, now: Nanos) -> None:
        self.resting[cid].armed = True
        self._say(cid, Says.ACCEPTED, now)
