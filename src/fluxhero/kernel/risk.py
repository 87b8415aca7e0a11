"""Limits on the account: the watch over equity, and the sizer with its caps."""

from fluxhero.kernel.codes import DAY_LOSS, DRAWDOWN, OPEN, SIZE, SLOTS, STOP
from fluxhero.kernel.compile import entry, rare, step
from fluxhero.kernel.state import Array, Rec


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
def judge(a: Rec, p: Rec, ts: int) -> int:
    """The bits of the limits that this mark trips, 0 for none."""
    lost = drawn = 0.0  # in multiples of the limit; what has tripped is not asked again
    if a.trips & DAY_LOSS == 0:
        lost = (a.day_base - a.equity) / (p.day_loss * a.day_base)
    if a.trips & DRAWDOWN == 0:
        drawn = (a.crest - a.equity) / (p.hard_drawdown * a.crest)
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


@entry
def rolled(account: Array, session: int) -> None:
    """The first event of a session."""
    roll(account[0], session, account[0].equity)


@entry
def watched(account: Array, equity: int, session: int, ts: int, params: Array) -> int:
    """The seal of one bar time, equity in micro-dollars: session roll, peaks, factors, limits. Newly tripped bits."""
    a, p = account[0], params[0].rules
    roll(a, session, equity)
    a.equity = a.last = equity
    a.peak, a.crest = max(a.peak, equity), max(a.crest, equity)
    factors(a, p)
    return judge(a, p, ts)


@entry
def marked(account: Array, equity: int, ts: int, params: Array) -> int:
    """A mark between seals: limits only."""
    account[0].equity = equity
    return judge(account[0], params[0].rules, ts)


@step
def whole(x: float) -> int:
    """Whole shares; what lacks a billionth of one is one."""
    return int(max(x, 0.0) + 1e-9)


@entry
def admitted(
    account: Array, price: int, stop: int, risk: float, scale: float, params: Array
) -> tuple[int, int, int, int, int]:
    """(gate, qty, by risk, by the position cap, by the room left); prices in micro-dollars.

    A grant takes its notional and its slot at once, so that the next candidate of the batch sees them.
    """
    a, p = account[0], params[0].rules
    if stop <= 0 or stop >= price:
        return STOP, 0, 0, 0, 0
    if a.positions >= p.slots:
        return SLOTS, 0, 0, 0, 0
    by_risk = whole(a.equity * risk / (price - stop))
    by_cap = whole(a.equity * p.position_cap / price)
    by_room = whole((a.equity * p.deployed_cap - a.deployed) / price)
    qty = min(whole(min(by_risk, by_cap) * (scale * a.sizing)), by_room)  # a share of the size, whatever bounds it
    if qty < 1:
        return SIZE, 0, by_risk, by_cap, by_room
    a.deployed += qty * price
    a.positions += 1
    return OPEN, qty, by_risk, by_cap, by_room
