"""Limits on the account: the watch over equity, and the sizer with its caps."""

import math
from typing import NamedTuple

from fluxhero.kernel.codes import CROWDED, DAY_LOSS, DRAWDOWN, MODES, OPEN, SHORT, SHORTS, SIZE, SLOTS, STOP
from fluxhero.kernel.compile import entry, rare, step
from fluxhero.kernel.correlation import correlation
from fluxhero.kernel.state import Array, Rec

WEEK = 5  # sessions


@step
def factors(a: Rec, p: Rec) -> None:
    """Past the soft drawdown sizes shrink and stops tighten."""
    soft = a.crest - a.equity >= p.soft_drawdown * a.crest
    a.sizing = p.soft_size if soft else 1.0
    a.trail = p.soft_stop_atr if soft else p.stop_atr


@rare
def strike(a: Rec, p: Rec, ts: int, over: int, twice: int) -> int:
    """Of the limits that a mark is beyond, those that trip: the mark before was beyond it too, or this one is twice."""
    before = a.strikes if ts - a.struck <= p.strike_window else 0
    a.strikes, a.struck = over, ts
    tripped: int = over & (before | twice) if p.strikes > 1 else over
    a.trips |= tripped
    return tripped


@step
def multiple(lost: int, of: int, limit: float) -> float:
    """A loss in multiples of its limit; where there was nothing to lose, any is beyond all."""
    return lost / (limit * of) if of > 0 else math.inf if lost > 0 else 0.0


@step
def judge(a: Rec, p: Rec, ts: int) -> int:
    """The bits of the limits that this mark trips, 0 for none."""
    lost = drawn = 0.0  # in multiples of the limit; what has tripped is not asked again
    if a.trips & DAY_LOSS == 0:
        lost = multiple(a.day_base - a.equity, a.day_base, p.day_loss)
    if a.trips & DRAWDOWN == 0:
        drawn = multiple(a.crest - a.equity, a.crest, p.hard_drawdown)
    over = DAY_LOSS * (lost > 1.0) + DRAWDOWN * (drawn >= 1.0)
    if over == 0:
        a.strikes = 0
        return 0
    return strike(a, p, ts, over, DAY_LOSS * (lost > 2.0) + DRAWDOWN * (drawn > 2.0))


@step
def roll(a: Rec, session: int, equity: int) -> None:
    """A new day counts from the last seal of the session before; the first one from what there is."""
    if session != a.session:
        a.day_base = a.last if a.session >= 0 else equity
        a.session, a.strikes = session, 0


@rare
def reweigh(a: Rec, month: int, p: Rec) -> None:
    """On the first bar of a month: what a mode that has lost, over trades enough to say so, may still risk."""
    a.month = month
    for i in range(MODES):
        m = a.modes[i]
        losing = (m.trades >= p.weight_trades) & (m.gains < m.losses)
        m.weight = max(p.weight_floor, m.gains / m.losses) if losing else 1.0


@step
def known(mode: int) -> int:
    """A mode beyond the last counts as the last."""
    return min(max(mode, 0), MODES - 1)


@rare
def count(a: Rec, mode: int, result: int) -> None:
    """A round trip, its result in micro-dollars, into the statistics of its mode."""
    m, usd = a.modes[known(mode)], result / 1e6
    m.trades += 1
    m.wins += 1 if result > 0 else 0
    m.gains += max(result, 0)
    m.losses += max(-result, 0)
    m.net += result
    m.peak = max(m.peak, m.net)
    m.worst = max(m.worst, m.peak - m.net)
    m.returns += usd
    m.squares += usd * usd


@entry
def closed(account: Array, mode: int, result: int) -> None:
    """`count`, for the actor."""
    count(account[0], mode, result)


@entry
def rolled(account: Array, session: int) -> None:
    """The first event of a session."""
    roll(account[0], session, account[0].equity)


@step
def watch(a: Rec, equity: int, session: int, month: int, ts: int, p: Rec) -> int:
    """The seal of one bar time, equity in micro-dollars: session, month, peaks, factors, limits. Newly tripped bits."""
    roll(a, session, equity)
    if month != a.month:
        reweigh(a, month, p)
    a.equity = a.last = equity
    a.peak, a.crest = max(a.peak, equity), max(a.crest, equity)
    factors(a, p)
    return judge(a, p, ts)


@entry
def watched(account: Array, equity: int, session: int, month: int, ts: int, rules: Array) -> int:
    """`watch`, for the actor."""
    return watch(account[0], equity, session, month, ts, rules[0])


@entry
def marked(account: Array, equity: int, ts: int, rules: Array) -> int:
    """A mark between seals: limits only."""
    account[0].equity = equity
    return judge(account[0], rules[0], ts)


@step
def whole(x: float) -> int:
    """Whole shares; what lacks a billionth of one is one, and what is no finite number is none."""
    return int(x + 1e-9) if (x > 0.0) & (x < math.inf) else 0


@step
def bounded(risk: float, most: float) -> float:
    """What a trade may risk; what is no finite number stays none."""
    return most if most < risk < math.inf else risk


@step
def governed(most: int, done: int, first: int, session: int) -> bool:
    """Would another round trip within a day be one too many, of this session and the four before?

    most: 0 is no bound; done: so far; first: the session of the oldest of the last `most`.
    """
    return (most > 0) & (done >= most) & (session - first < WEEK)


@rare
def nearest(tapes: Array, sides: Array, slot: int) -> tuple[float, int]:
    """The highest correlation of a symbol's position with another, and the other's slot; NaN, -1 if none is known.

    Signed by both sides: a short beside a long of what moves alike is a hedge.
    """
    most, peer = math.nan, -1
    for i in range(sides.size):
        if (sides[i] != 0) & (i != slot):
            r = correlation(tapes, slot, i) * (sides[slot] * sides[i])
            if (r > most) | ((peer < 0) & (r == r)):
                most, peer = r, i
    return most, peer


@rare
def crowd(tapes: Array, sides: Array) -> float:
    """The mean correlation, signed by both sides, of all pairs for which it is known; NaN if there is none."""
    total, n = 0.0, 0
    for i in range(sides.size):
        for j in range(i if sides[i] != 0 else 0):
            r = correlation(tapes, i, j) * (sides[i] * sides[j]) if sides[j] != 0 else math.nan
            total, n = (total + r, n + 1) if r == r else (total, n)
    return total / n if n > 0 else math.nan


@step
def shut(
    a: Rec, tapes: Array, sides: Array, p: Rec, side: int, price: int, stop: int, barred: bool
) -> tuple[int, float, float]:
    """(gate, value, limit) that refuses an entry whatever its size, or (OPEN, 0, 0); its side is in `sides` already."""
    if (side == SHORT) & (barred | (p.shorts == 0)):
        return SHORTS, 0.0, 1.0
    if (stop <= 0) | ((price - stop) * side <= 0):
        return STOP, stop / 1e6, price / 1e6
    if a.positions >= p.slots:
        return SLOTS, float(a.positions), float(p.slots)
    if a.positions >= p.crowded_slots:
        mean = crowd(tapes, sides)
        if mean > p.crowded:
            return CROWDED, mean, p.crowded
    return OPEN, 0.0, 0.0


@step
def sized(a: Rec, p: Rec, price: int, stop: int, risk: float, share: float) -> tuple[int, int, int, int]:
    """(qty, by risk, by the position cap, by the room left); `share` is of the size, whatever bounds it, 1 at most."""
    by_risk = whole(a.equity * bounded(risk, p.trade_risk) / abs(price - stop))
    by_cap = whole(a.equity * p.position_cap / price)
    by_room = whole((a.equity * p.deployed_cap - a.deployed) / price)
    return min(whole(min(by_risk, by_cap) * min(share, 1.0)), by_room), by_risk, by_cap, by_room


class Admission(NamedTuple):
    """What became of an entry."""

    gate: int
    value: float
    limit: float
    qty: int
    by_risk: int
    by_cap: int  # of the position
    by_room: int  # that is left
    share: float  # of the size that is taken: for the signal's scale, the drawdown, and
    weight: float  # of the mode, and
    company: float  # for the correlation with a peer
    correlation: float  # NaN if none is known
    peer: int  # a slot, or -1


@step
def admit(
    a: Rec, tapes: Array, sides: Array, p: Rec, slot: int, side: int, mode: int, price: int, stop: int, risk: float,
    scale: float, barred: bool,
) -> Admission:  # fmt: skip
    """Prices in micro-dollars; `sides`: of every symbol's position or entry, 1, -1 or 0; `barred`: never sold short.

    A grant takes its notional, its slot and its side at once, so that the next candidate of the batch sees them.
    """
    sides[slot] = side
    gate, value, limit = shut(a, tapes, sides, p, side, price, stop, barred)
    if gate != OPEN:
        sides[slot] = 0
        return Admission(gate, value, limit, 0, 0, 0, 0, 1.0, 1.0, 1.0, math.nan, -1)
    most, peer = nearest(tapes, sides, slot)
    weight, company = a.modes[known(mode)].weight, p.correlated_size if most > p.correlated else 1.0
    share = scale * a.sizing * weight * company
    qty, by_risk, by_cap, by_room = sized(a, p, price, stop, risk, share)
    if qty < 1:
        sides[slot] = 0
        return Admission(SIZE, 0.0, 1.0, 0, by_risk, by_cap, by_room, share, weight, company, most, peer)
    a.deployed += qty * price
    a.positions += 1
    return Admission(OPEN, 0.0, 0.0, qty, by_risk, by_cap, by_room, share, weight, company, most, peer)


@entry
def admitted(
    account: Array, tapes: Array, sides: Array, rules: Array, slot: int, side: int, mode: int, price: int, stop: int,
    risk: float, scale: float, barred: bool,
) -> Admission:  # fmt: skip
    """`admit`, for the actor."""
    return admit(account[0], tapes, sides, rules[0], slot, side, mode, price, stop, risk, scale, barred)
