"""From sealed bars to decisions: one call for all symbols of a bar time."""

from collections.abc import Callable
from functools import cache
from typing import Any

from fluxhero.kernel.codes import FLAT, HOLD, SUSPECT, WARMUP
from fluxhero.kernel.compile import bind, entry, step
from fluxhero.kernel.gates import session
from fluxhero.kernel.indicators import MATURE, observe
from fluxhero.kernel.regime import regime
from fluxhero.kernel.state import Array, Rec
from fluxhero.kernel.trade import traded

FULL = 1  # messages.Quality.FULL: only such bars step and decide


def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    """The strategy's own; `bind` puts it here."""


@step
def remember(row: Rec, bar: Rec, p: Rec) -> None:
    """What the strategy keeps of every bar, asked to decide or not; most keep nothing."""


@step
def flat(v: Rec) -> bool:
    """A window without movement says nothing: no deviation, RSI 0/0 or R2 NaN."""
    return bool((v.sd <= 1e-9 * v.close) | (v.rsi != v.rsi) | (v.r2 != v.r2))


def think_one(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> bool:
    """One sealed bar of one symbol to its decision; True if it came to anything but `hold`."""
    d = row.decision
    d.action = HOLD
    d.gate = d.mode = d.stop = d.raised = 0
    d.value = d.limit = d.risk = d.scale = 0.0
    session(row.session, row.market.prev, bar, row.market.count, p.rules.raw)
    observe(row.market, row.reading, bar)
    regime(row.regime, row.reading, p.rules.confirm)
    if row.session.suspect != 0:
        d.action = SUSPECT
    elif row.market.count < MATURE:
        d.action = WARMUP
    elif flat(row.reading):
        d.action = FLAT
    else:
        decide(row, bar, p, stop_atr)
    remember(row, bar, p)
    return bool(d.action | d.raised)


def think(rows: Array, bars: Array, p: Array, stop_atr: float, busy: Array) -> int:
    """All symbols that sealed a full bar; those whose decision is not `hold` go to `busy`, their number is returned."""
    n = 0
    for i in range(rows.size):
        if bars[i].quality == FULL and think_one(rows[i], bars[i], p[0], stop_atr):
            busy[n] = i
            n += 1
    return n


@entry
def took(rows: Array, i: int, qty: int, price: int, mode: int, stop: int) -> None:
    """A fill of symbol i, qty signed; price, and the stop of the order that was filled, in micro-dollars."""
    traded(rows[i], qty, price, mode, stop)


@cache
def build(strategy: Any) -> Callable[..., int]:
    """`think` for one strategy module."""
    name = strategy.__name__.rsplit(".", 1)[-1]
    own = {rule: getattr(strategy, rule) for rule in ("decide", "remember") if hasattr(strategy, rule)}
    return bind(think, name, entry, think_one=bind(think_one, name, step, **own))
