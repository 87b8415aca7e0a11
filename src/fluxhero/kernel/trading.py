"""Gate and desk of a backtest: what the decisions of one bar time come to. As `core.gate` and `core.orders` do it."""

import math
from typing import NamedTuple

from fluxhero.kernel.codes import BUSY, DAYTRADES, ENTER, EXIT, FLAT, LONG, OPEN, REFUSED, RUNG, SIZE
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.ledger import ENTRY, STOP
from fluxhero.kernel.ledger import EXIT as LEAVING
from fluxhero.kernel.money import micros
from fluxhero.kernel.places import levelled
from fluxhero.kernel.risk import Admission, admit, governed
from fluxhero.kernel.state import Array, Rec

FLATTEN = 4  # core.ladder.Rung, as a refusal tells it
BY_RISK, FIXED, ALL = 0, 1, 2  # sizings


class Terms(NamedTuple):
    """How an account is traded."""

    sizing: int
    amount: int  # shares, where it is FIXED
    release: bool  # of a day's loss, by the next session
    barred: Array  # by slot: not to be sold short


class Symbols(NamedTuple):
    """What is kept by slot."""

    rows: Array
    places: Array
    tapes: Array
    sides: Array
    live: Array  # is anything held there, or sought?


@step
def volume_of(r: Rec) -> float:
    """The mean of its last bars; one that is not known counts as nothing."""
    mean = r.reading.volume_mean
    return mean if abs(mean) < math.inf else 0.0


@rare
def reserve(k: Rec, of: Symbols) -> None:
    """Exposure, slots and sides in use: held at the closes, waiting at the closes of their decisions."""
    a, deployed, positions = k.account, 0, 0
    for i in range(of.places.size):
        p = of.places[i]
        deployed += abs(p.qty) * p.close + abs(p.entry) * p.at
        qty = p.qty if p.entry == 0 else p.entry
        of.sides[i] = int(qty > 0) - int(qty < 0)
        positions += qty != 0
    a.deployed, a.positions = deployed, positions


@rare
def sent(
    k: Rec, p: Rec, i: int, ts: int, role: int, side: int, qty: int, stop: int, replaces: int, carried: int
) -> int:
    """An order leaves; its number."""
    purse = k.purse
    purse.orders += 1
    if k.verbose:
        o = k.log.sent[purse.sent]
        o.ts, o.number, o.slot, o.role, o.side, o.mode, o.qty = ts, purse.orders, i, role, side, p.mode, qty
        o.stop, o.replaces, o.carried, o.volume = stop, replaces, carried, p.volume
        o.mark, o.wide = (p.at, p.wide) if role == ENTRY else (0, 1.0)
        purse.sent += 1
    return int(purse.orders)


@step
def called_off(p: Rec) -> None:
    """An entry that waits is canceled, and its stop with it."""
    p.entry = p.ordered = p.barrier = p.sought = 0


@rare
def leave(k: Rec, p: Rec, i: int, ts: int, volume: float) -> None:
    """Out at the next open, once; `volume`: for the order, NaN: as before."""
    if p.entry != 0:
        called_off(p)
    elif (p.qty != 0) & (p.exit == 0):
        p.volume = volume if volume == volume else p.volume
        p.exit_volume = p.volume
        p.exit = sent(k, p, i, ts, LEAVING, -1 if p.qty > 0 else 1, abs(p.qty), 0, 0, 0)


@rare
def enter(k: Rec, r: Rec, p: Rec, i: int, ts: int, qty: int, price: int, stop: int) -> None:
    """In at the next open, and its stop with it; qty signed, stop 0: none."""
    p.mode, p.regime, p.at, p.wide = r.decision.mode, r.regime.now, price, r.decision.wide
    p.volume = p.entry_volume = volume_of(r)
    side = 1 if qty > 0 else -1
    p.entry, p.barrier = qty, stop
    p.ordered = sent(k, p, i, ts, ENTRY, side, abs(qty), stop, 0, 0)
    p.sought = sent(k, p, i, ts, STOP, -side, abs(qty), stop, 0, 1) if stop != 0 else 0


@rare
def move(k: Rec, r: Rec, p: Rec, i: int, ts: int) -> None:
    """The stop comes closer."""
    side, stop, volume = 1 if p.qty > 0 else -1, r.decision.raised, volume_of(r)
    if (p.qty == 0) | (p.exit != 0) | (side * (stop - p.stop) <= 0):
        return
    p.volume = volume if volume != 0.0 else p.volume
    p.stop = stop
    p.stopping = sent(k, p, i, ts, STOP, -side, abs(p.qty), stop, p.stopping, 0)
    p.stop_volume = p.volume
    levelled(k, p, i, ts)


@rare
def wanted(k: Rec, price: int, terms: Terms, symbols: int) -> int:
    """Shares of an entry that no limit binds: so many, or an equal part of all that there is."""
    if terms.sizing == FIXED:
        return terms.amount
    a, rules = k.account, k.params.rules
    room = max(min(a.equity - a.deployed, a.equity // symbols), 0)
    return int(room // (micros(price / 1e6 * (1.0 + rules.slip)) + rules.fee))


@step
def refused(gate: int, value: float, limit: float) -> Admission:
    return Admission(gate, value, limit, 0, 0, 0, 0, 1.0, 1.0, 1.0, math.nan, -1)


@step
def granted(qty: int) -> Admission:
    return Admission(OPEN, 0.0, 0.0, qty, 0, 0, 0, 1.0, 1.0, 1.0, math.nan, -1)


@rare
def judged(k: Rec, of: Symbols, i: int, session: int, price: int, terms: Terms) -> Admission:
    """The gate's answer to an entry that symbol i seeks, in this session or for it."""
    d, a, most, within = of.rows[i].decision, k.account, k.params.rules.day_trades, k.purse.within
    if a.trips != 0:
        return refused(RUNG, float(FLATTEN), 0.0)
    if of.sides[i] != 0:
        return refused(BUSY, 1.0, 0.0)
    if governed(most, within, k.days[within % max(most, 1)], session):
        return refused(DAYTRADES, float(most), float(most))
    if terms.sizing == BY_RISK:
        return admit(
            a, of.tapes, of.sides, k.params.rules, i, d.side, d.mode, price, d.stop, d.risk, d.scale,
            terms.barred[i] != 0,
        )  # fmt: skip
    qty = wanted(k, price, terms, of.rows.size)
    if qty < 1:
        return refused(SIZE, 0.0, 1.0)
    of.sides[i] = d.side
    a.deployed += qty * price
    a.positions += 1
    return granted(qty)


@rare
def noted(k: Rec, r: Rec, i: int, ts: int) -> None:
    """A decision that sought something, as it was made."""
    d, sought, o = r.decision, r.decision.action != FLAT, k.log.decided[k.purse.decided]
    o.ts, o.slot, o.action, o.mode, o.regime = ts, i, d.action, d.mode, r.regime.now
    o.gate, o.stop, o.side = d.gate, d.stop, d.side if d.side != 0 else LONG
    o.risk, o.scale, o.wide = (d.risk, d.scale, d.wide) if sought else (0.0, 0.0, 1.0)
    for j in range(d.value.size):
        o.value[j], o.limit[j] = (d.value[j], d.limit[j]) if sought else (math.nan, math.nan)
    v, x = o.reading, r.reading
    v.close, v.ema, v.rsi, v.atr, v.adx, v.kama, v.er = x.close, x.ema, x.rsi, x.atr, x.adx, x.kama, x.er
    v.mid, v.sd, v.slope, v.r2, v.atr_mean, v.volume_mean = x.mid, x.sd, x.slope, x.r2, x.atr_mean, x.volume_mean
    o.ruled, o.peer, o.weight, o.company, o.factor, o.correlation = 0, -1, 1.0, 1.0, 1.0, math.nan
    o.verdict = o.qty = o.by_risk = o.by_cap = o.by_room = 0
    o.over = o.bound = 0.0
    k.purse.decided += 1


@rare
def answered(k: Rec, first: int, i: int, m: Admission) -> None:
    """The gate's answer, beside the decision that it is for."""
    for at in range(first, k.purse.decided):
        o = k.log.decided[at]
        if o.slot == i:
            o.ruled, o.verdict, o.qty, o.over, o.bound = 1, m.gate, m.qty, m.value, m.limit
            o.by_risk, o.by_cap, o.by_room, o.peer = m.by_risk, m.by_cap, m.by_room, m.peer
            o.factor, o.weight, o.correlation, o.company = m.share, m.weight, m.correlation, m.company


@step
def sought(action: int) -> bool:
    """Is it for the journal?"""
    return (action == ENTER) | (action == EXIT) | (action == REFUSED) | (action == FLAT)


@rare
def seeks(rows: Array, busy: Array, n: int) -> bool:
    """Is an entry among them?"""
    found = False
    for j in range(n):
        found |= rows[busy[j]].decision.action == ENTER
    return found


@rare
def exits(k: Rec, of: Symbols, ts: int, busy: Array, n: int, first: int, flatten: bool) -> None:
    """All that is held where everything is to be left, then what the strategy leaves."""
    for i in range(of.places.size if flatten else 0):
        if of.places[i].qty != 0:
            wants = of.rows[i].decision.action == EXIT
            leave(k, of.places[i], i, ts, volume_of(of.rows[i]) if wants else math.nan)
    for j in range(n):
        i = busy[j]
        held = abs(of.places[i].qty)
        if (of.rows[i].decision.action == EXIT) & ((not flatten) | (held == 0)):
            answered(k, first, i, granted(held))
            leave(k, of.places[i], i, ts, volume_of(of.rows[i]))


@rare
def entries(k: Rec, of: Symbols, ts: int, session: int, busy: Array, n: int, first: int, terms: Terms) -> None:
    """Each with the earlier ones reserved."""
    for j in range(n):
        i = busy[j]
        d, price = of.rows[i].decision, micros(of.rows[i].reading.close)
        if d.action == ENTER:
            m = judged(k, of, i, session, price, terms)
            answered(k, first, i, m)
            if m.gate == OPEN:
                stop = d.stop if terms.sizing == BY_RISK else 0
                enter(k, of.rows[i], of.places[i], i, ts, d.side * m.qty, price, stop)
                of.live[i] = 1


@rare
def acted(k: Rec, of: Symbols, ts: int, session: int, busy: Array, n: int, flatten: bool, terms: Terms) -> None:
    """Exits, then entries, in this session or for it."""
    first = k.purse.decided
    for j in range(n if k.verbose else 0):
        if sought(of.rows[busy[j]].decision.action):
            noted(k, of.rows[busy[j]], busy[j], ts)
    if seeks(of.rows, busy, n):
        reserve(k, of)
    for i in range(of.places.size if k.account.trips != 0 else 0):
        called_off(of.places[i])
    exits(k, of, ts, busy, n, first, flatten)
    entries(k, of, ts, session, busy, n, first, terms)
