"""Trades to one-minute bars, and the last bars of every symbol."""

import numpy as np

from fluxhero.core.calendar import OPENS, Calendar
from fluxhero.kernel.higher import FIVE, HALF, HOUR, lifted
from fluxhero.kernel.state import BAR, HIGHER
from fluxhero.messages import MINUTE, NO_QUOTE, SECOND, Array, Bars, Nanos, Quality, Sealed, Trade

KEEP = 500


class CandleBuffer:
    """The last `keep` sealed bars of each symbol, oldest first, as BAR arrays that the kernel reads in place.

    Every symbol owns `2 * keep` records: a bar is written at the end and, when the end is reached, the newest half
    moves to the front. So `last` is always one contiguous view.
    """

    def __init__(self, symbols: int, keep: int = KEEP) -> None:
        self._bars = np.zeros((symbols, 2 * keep), BAR)
        self._end = [0] * symbols
        self._keep = keep

    def push(self, slot: int, bar: np.void) -> None:
        end = self._end[slot]
        if end == 2 * self._keep:
            ring = self._bars[slot]
            ring[: self._keep] = ring[self._keep :]
            end = self._keep
        self._bars[slot, end] = bar
        self._end[slot] = end + 1

    def last(self, slot: int, n: int = KEEP) -> Array:
        """The newest `n` bars (fewer while there are fewer, at most `keep`): shape (n,), a view."""
        end = self._end[slot]
        return self._bars[slot, max(0, end - min(n, self._keep)) : end]

    def __len__(self) -> int:
        return max(min(end, self._keep) for end in self._end)


def push(buffer: CandleBuffer, bars: Array) -> None:
    """BAR records, one a symbol, where there is one."""
    for slot, start in enumerate(bars["ts"].tolist()):
        if start:
            buffer.push(slot, bars[slot])


class Higher:
    """A timeframe above the trading bars, made by the rule that the kernel's rows make theirs by."""

    def __init__(self, symbols: int, length: int, span: int, shift: int) -> None:
        """Bars of `length` into bars of `span`, ns, whose grid begins at `shift`."""
        self.buffer = CandleBuffer(symbols)
        self._forming, self._sealed = np.zeros(symbols, HIGHER), np.zeros((2, symbols), BAR)
        self._length, self._span, self._shift = length, span, shift

    def sealed(self, bars: Array) -> None:
        if lifted(self._forming, bars, self._length, self._span, self._shift, self._sealed):
            for row in self._sealed:
                push(self.buffer, row)


class Forming:
    """A bar that still grows."""

    __slots__ = ("close", "high", "low", "open", "volume")

    def __init__(self, price: float) -> None:
        self.open = self.high = self.low = self.close = price
        self.volume = 0

    def add(self, price: float, size: int) -> None:
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += size


class Candles:
    """Builds bars on the minute grid; a minute seals as a whole when its time is over."""

    def __init__(
        self, symbols: int, calendar: Calendar, sealed: Nanos = Nanos(0), begins: Nanos = Nanos(0),
        length: Nanos = MINUTE,
    ) -> None:  # fmt: skip
        """`sealed`: the end of the last minute already sealed; `begins`: the tape's first event, of any kind; `length`:
        of the bars that are traded on.
        """
        self.buffer = CandleBuffer(symbols)
        self.higher = {
            span: Higher(symbols, length, span, shift) for span, shift in ((FIVE, 0), (HOUR, HALF)) if length <= span
        }
        self.late = 0
        self._symbols, self._calendar, self._sealed, self._begins = symbols, calendar, sealed, begins
        self._minute = self._heard = Nanos(0)
        self._forming: dict[int, Forming] = {}

    def trade(self, t: Trade, again: bool = False) -> Nanos | None:
        """Takes a trade; the time at which its minute is over if this is the first of it. `again`: seen before."""
        self._heard = t.ts
        if t.ts < self._sealed:
            self.late += not again
            return None
        first = not self._forming
        forming = self._forming.get(t.slot)
        if forming is None:
            forming = self._forming[t.slot] = Forming(t.price)
        forming.add(t.price, t.size)
        if not first:
            return None
        self._minute = Nanos(t.ts - t.ts % MINUTE)
        return Nanos(self._minute + MINUTE)

    def seal(self) -> Sealed:
        """The minute is over: its bars are final."""
        end = Nanos(self._minute + MINUTE)
        bars = np.zeros(self._symbols, BAR)
        place = self._place(self._minute, end)
        for slot, f in self._forming.items():
            bars[slot] = (self._minute, f.open, f.high, f.low, f.close, f.volume, *place, NO_QUOTE)
        self._forming.clear()
        self._sealed = end
        return self.sealed(Sealed(ts=end, bars=bars, heard=self._heard))

    def bars(self, m: Bars) -> Sealed:
        """Bars that came ready-made."""
        return self.sealed(Sealed(ts=m.ts, bars=m.bars))

    def sealed(self, m: Sealed) -> Sealed:
        push(self.buffer, m.bars)
        for higher in self.higher.values():
            higher.sealed(m.bars)
        return m

    def _place(self, start: Nanos, end: Nanos) -> tuple[int, int, Quality, int]:
        """Session, minutes to its close, quality, minute of New York's day."""
        session = self._calendar.at(start)
        if session is None:
            return -1, 0, Quality.EXTENDED, 0
        quality = Quality.FULL if self._begins - start <= SECOND else Quality.PARTIAL
        return session.index, (session.close - end) // MINUTE, quality, OPENS + (end - session.open) // MINUTE
