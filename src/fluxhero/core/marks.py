"""What a share is worth: its last close, or the mid of its quote while that lives; and whether a quote is fresh."""

from __future__ import annotations

from fluxhero.messages import NO_QUOTE, SECOND, Array, Micros, Nanos, Quality, Quote, micros

FRESH = Nanos(5 * SECOND)  # a quote is fresh this long,
QUIET = Nanos(60 * SECOND)  # or this long while the stream is alive


class Marks:
    """The last close and the last quote of every symbol."""

    def __init__(self, symbols: int, fresh: Nanos = FRESH, quiet: Nanos = QUIET) -> None:
        self.closes: list[Micros] = [Micros(0)] * symbols
        self._quotes: list[Quote | None] = [None] * symbols
        self._fresh, self._quiet = fresh, quiet
        self._stream = Nanos(0)  # the last trade or quote of any symbol

    def heard(self, ts: Nanos) -> None:
        """A trade of any symbol."""
        self._stream = max(self._stream, ts)

    def quote(self, q: Quote) -> None:
        self._quotes[q.slot], self._stream = q, q.ts

    def quoted(self, slot: int) -> Nanos:
        """When a symbol was last quoted, well or badly."""
        q = self._quotes[slot]
        return q.ts if q else Nanos(0)

    def close(self, bars: Array) -> None:
        """The full bars of one time, one slot per symbol."""
        closes = bars["close"].tolist()
        for slot, quality in enumerate(bars["quality"].tolist()):
            if quality == Quality.FULL:
                self.closes[slot] = micros(closes[slot])

    def mid(self, slot: int, ts: Nanos) -> Micros:
        """Of a quote that lives, else the last close."""
        q = self._living(slot, ts)
        return Micros((q.bid + q.ask) // 2) if q else self.closes[slot]

    def age(self, slot: int, ts: Nanos) -> tuple[float, float]:
        """Seconds since the last quote, infinite where none lives; and the most that is fresh."""
        q = self._living(slot, ts)
        limit = self._quiet if ts - self._stream <= self._fresh else self._fresh
        return (ts - q.ts) / SECOND if q else float("inf"), limit / SECOND

    def spread(self, slot: int, ts: Nanos) -> float:
        """Ask - bid of a fresh quote, USD; NO_QUOTE where there is none."""
        age, limit = self.age(slot, ts)
        q = self._quotes[slot]
        return (q.ask - q.bid) / 1e6 if q and age <= limit else NO_QUOTE

    def _living(self, slot: int, ts: Nanos) -> Quote | None:
        q = self._quotes[slot]
        return q if q and q.usable and ts - q.ts <= self._quiet else None
