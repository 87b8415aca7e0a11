"""What a backtest leaves, and a live account's journal too: all that metrics, tear sheets and tests read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from fluxhero.kernel.ledger import ORDER, TRIP
from fluxhero.messages import Array, Micros, Nanos


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried, on what."""

    strategy: str
    params: dict[str, Any]  # of the strategy
    symbols: tuple[str, ...]
    timeframe: str  # of the bars, such as 1d
    sizing: str  # risk, fixed 100, full
    costs: str  # spec, none
    risk: bool  # stops, caps and breakers
    cash: Micros  # that it began with
    data: str  # digest of the bars
    source: str  # backtest, replay, live


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be seen on a chart."""

    ts: Nanos  # the end of the bar that it belongs to
    slot: int
    kind: str  # enter, exit, stop, refused, trip, release
    price: float  # USD
    text: str  # why, one sentence


@dataclass(frozen=True, eq=False)
class Result:
    """Times are UTC ns, money is int64 micro-dollars; T bar times, S symbols in config order, C sessions."""

    setup: Setup
    ts: Array  # (T,) ends of the bar times
    equity: Array  # (T,) at their closes
    deployed: Array  # (T,) held, long or short, at the marks
    closes: Array  # (C,) index of each session's last bar time
    benchmark: Array  # (C,) f8 USD: the symbols bought in equal parts at the first close and held
    rounds: Array  # ROUND (kernel.ledger), in the order that they closed
    fills: Array  # FILL
    levels: Array  # LEVEL
    decisions: Array  # DECIDED
    charges: Array  # CHARGE
    bars: Array  # BAR (T, S); ts 0: no bar
    marks: tuple[Mark, ...] = ()
    sent: Array = field(default_factory=lambda: np.zeros(0, ORDER))
    trips: Array = field(default_factory=lambda: np.zeros(0, TRIP))
