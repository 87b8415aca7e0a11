"""Bars as the journal keeps them, and back."""

from collections.abc import Sequence

import numpy as np

from fluxhero.core.journal import BarRow
from fluxhero.kernel import codes
from fluxhero.kernel.state import BAR
from fluxhero.messages import NO_QUOTE, Array, Nanos, Quality


def written(bars: Array, actions: Sequence[int]) -> tuple[BarRow, ...]:
    """BAR records, one slot per symbol, with what each came to."""
    return tuple(
        BarRow(
            slot, Nanos(ts), opened, high, low, close, volume, quality,
            actions[slot] if quality == Quality.FULL else codes.HOLD, spread, session, left, clock,
        )
        for slot, (ts, opened, high, low, close, volume, session, left, quality, clock, spread) in enumerate(
            bars.tolist()
        )
        if ts
    )  # fmt: skip


def read(rows: Sequence[BarRow], symbols: int) -> Array:
    """BAR records, as the kernel saw them."""
    bars = np.zeros(symbols, BAR)
    bars["spread"] = NO_QUOTE
    for b in rows:
        bars[b.slot] = (
            b.start, b.open, b.high, b.low, b.close, b.volume, b.session, b.left, b.quality, b.clock, b.spread,
        )  # fmt: skip
    return bars
