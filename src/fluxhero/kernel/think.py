"""From sealed bars to decisions: one call for all symbols of a bar time."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from fluxhero.kernel.codes import C_SPIKE, ENTER, EXIT, FLAT, FULL, HOLD, LONG, REFUSED, SUSPECT, WARMUP
from fluxhero.kernel.compile import bind, entry, plain, rare, step
from fluxhero.kernel.gates import allowed, blank, check, session
from fluxhero.kernel.higher import spike
from fluxhero.kernel.indicators import EPS
from fluxhero.kernel.indicators import MATURE as VALID
from fluxhero.kernel.observe import RSI, SLOPE
from fluxhero.kernel.plug import Strategy
from fluxhero.kernel.reads import flags, observing
from fluxhero.kernel.regime import regime, seen
from fluxhero.kernel.rows import observe, volatility
from fluxhero.kernel.state import Array, Rec
from fluxhero.kernel.trade import reach, side_of, traded

MATURE = VALID  # of a strategy that says nothing else


def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    """The strategy's own; `bind` puts it here."""


@step
def remember(row: Rec, bar: Rec, p: Rec) -> None:
    """What the strategy keeps of every bar, asked to decide or not; most keep nothing."""


@step
def weigh(row: Rec, bar: Rec, p: Rec) -> None:
    """The strategy's conditions into the decision; most have none."""


@step
def flat(m: Rec, v: Rec) -> bool:
    """A window without movement says nothing: no deviation, RSI 0/0 or R2 NaN. Where R2 is, so is no deviation."""
    return bool((v.sd <= 1e-9 * v.close) | (m.means.moved <= EPS * RSI) | (SLOPE & (v.r2 != v.r2)))


def reasoned(row: Rec, bar: Rec, p: Rec) -> None:
    weigh(row, bar, p)


def think_one(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> bool:
    """One sealed bar of one symbol to its decision; True if it came to anything but `hold`."""
    d = row.decision
    d.action = HOLD
    d.gate = d.side = d.mode = d.stop = d.raised = 0
    session(row.session, row.market, bar, p.rules.raw)
    observe(row.market, row.reading, bar, p.rules)
    v = row.reading
    regime(row.regime, seen(v.adx, v.r2, p.rules), p.rules.confirm)
    row.regime.volatility = volatility(v.atr, v.atr_mean, p.rules.low_vol, p.rules.high_vol)
    reach(row.trade, bar)
    if row.session.suspect != 0:
        d.action = SUSPECT
    elif row.market.count < MATURE:
        d.action = WARMUP
    elif row.market.count >= VALID and flat(row.market, v):
        d.action = FLAT
    else:
        decide(row, bar, p, stop_atr)
        if (d.action == ENTER) | (d.action == EXIT) | (d.action == REFUSED):
            reasoned(row, bar, p)
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


def explain(rows: Array, i: int, bars: Array, p: Array) -> None:
    """All conditions and gates of a bar that symbol i has thought about, though it sought nothing."""
    row, bar = rows[i], bars[i]
    blank(row.decision)
    check(row.decision, C_SPIKE, spike(row.market), p[0].rules.spike_ratio)
    allowed(row, bar, p[0].rules, side_of(row.trade) or LONG, True)
    weigh(row, bar, p[0])


@entry
def took(rows: Array, i: int, qty: int, price: int, mode: int, stop: int, wide: float) -> None:
    """A fill of symbol i, qty signed; price, and the stop of the order that was filled, in micro-dollars."""
    traded(rows[i], qty, price, mode, stop, wide)


class Mind(NamedTuple):
    """What one strategy is called by."""

    think: Callable[..., int]
    explain: Callable[..., None]
    one: Callable[..., bool]  # a step, for loops of other entries


@cache
def build(strategy: Strategy) -> Mind:
    """`think` and what goes with it, for one strategy."""
    name, module = strategy.bound, strategy.module
    own = {rule: getattr(module, rule) for rule in ("decide", "remember") if hasattr(module, rule)}
    own["observe"] = observing(name, strategy.reads)
    if not flags(strategy.reads)["SLOPE"]:
        own["flat"] = bind(plain(flat), name, step, SLOPE=False)
    if strategy.mature is not None:
        own["MATURE"] = strategy.mature
    weighs = getattr(module, "weigh", weigh)
    one = bind(think_one, name, step, reasoned=bind(reasoned, name, rare, weigh=weighs), **own)
    return Mind(bind(think, name, entry, think_one=one), bind(explain, name, entry, weigh=weighs), one)
