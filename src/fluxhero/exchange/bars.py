"""The `bar` model: market orders fill whole at the next open, stops within the bar. Prices come from the kernel."""

from collections.abc import Callable

from fluxhero.exchange.matching import Resting, Snapshot, Venue
from fluxhero.kernel.fills import open_fill, stop_fill
from fluxhero.messages import Array, Bars, Cid, Event, Micros, Nanos, Order, Quality, Role, Says, Side, Type, Update


class BarVenue(Venue):
    def __init__(
        self, snapshot: Snapshot, fee: Micros, session: Callable[[Nanos], object | None], params: Array
    ) -> None:
        super().__init__(snapshot, fee, session)
        self._params = params

    def event(self, e: Event) -> list[Update]:
        """One pass over the symbols in config order: the waiting order at the open, then the stop."""
        if self.resting and isinstance(e, Bars):
            for slot in sorted({r.order.slot for r in self.resting.values()}):
                if e.bars[slot]["quality"] == Quality.FULL:
                    self._bar(slot, e)
            return self._take()
        return []

    def _bar(self, slot: int, e: Bars) -> None:
        start = Nanos(int(e.bars[slot]["ts"]))
        for waiting in self._of(slot, Type.MARKET):
            self._open(waiting, e, start)
        for stop in self._of(slot, Type.STOP):
            o = stop.order
            price = stop_fill(e.bars, slot, o.qty, o.stop, o.volume, self._params)
            if price:
                self._execute(stop, o.qty, price, e.ts, start)

    def _open(self, r: Resting, e: Bars, start: Nanos) -> None:
        o = r.order
        price = open_fill(e.bars, o.slot, int(o.side), o.qty, o.volume, int(o.stop), self._params)
        if not price:
            opens = float(e.bars[o.slot]["open"])
            self._close(r, Says.REJECTED, e.ts, f"gapped through the stop: open {opens:g}, stop {o.stop / 1e6:g}")
            return
        self._execute(r, o.qty, price, e.ts, start)
        if o.stop_cid:
            self._arm(o.stop_cid, e.ts)
        elif o.side is Side.SELL:
            for stop in self._of(o.slot, Type.STOP):  # the exit clears the stop
                self._close(stop, Says.CANCELED, e.ts, "the position is closed")

    def _accept(self, o: Order, old: Resting | None, now: Nanos) -> None:
        super()._accept(o, old, now)
        if o.stop_cid:
            carried = Order(
                cid=o.stop_cid, ts=o.ts, slot=o.slot, role=Role.STOP, side=Side.SELL, type=Type.STOP, qty=o.qty,
                stop=o.stop, volume=o.volume, mode=o.mode,
            )  # fmt: skip
            self.resting[o.stop_cid] = Resting(order=carried, armed=False)

    def _rivals(self, o: Order) -> list[Resting]:
        """Here an exit may stand beside the stop that it will clear."""
        return [r for r in self._of(o.slot, o.type) if r.order.side is Side.SELL]

    def _arm(self, cid: Cid, now: Nanos) -> None:
        self.resting[cid].armed = True
        self._say(cid, Says.ACCEPTED, now)
