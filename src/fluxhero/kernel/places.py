"""The venue and the book of a backtest in the `bar` model: one place per symbol for its position and its orders.

What `exchange.bars` and `core.book` do with objects, by the rules of `kernel.fills`, is done here in the same order
with integers.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from fluxhero.kernel.codes import FULL
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.fills import borrow_fee, opening, stopping
from fluxhero.kernel.ledger import CHARGE, DECIDED, ENTRY, EXIT, FILL, LEVEL, ORDER, ROUND, STOP, TRIP
from fluxhero.kernel.money import micros
from fluxhero.kernel.risk import count
from fluxhero.kernel.state import ACCOUNT, Rec, floats, i8, ints, record
from fluxhero.kernel.trade import traded

# What every bar looks at comes first. qty: held, signed; close: the last one while it is. Of its round trip: opened to
# fees, begun: the bar time, day: the session, aim: its first stop. entry: shares that wait for the next open, less
# than 0 to be sold short; at: the close of their decision; barrier: their stop. exit: the order that leaves; stop:
# where it rests, by which order. Orders are numbers, 0: none; what ends in volume is the mean that they carry, `volume`
# the one for the next. owed: the first session that a short has not paid for, at `worth` a share.
PLACE = record(
    *ints("qty close entry exit stop owed worth mode regime opened bought paid received fees begun day aim"),
    *ints("at ordered barrier sought stopping"),
    *floats("volume entry_volume exit_volume stop_volume wide"),
)

# cash; orders: sent so far; within: round trips within a day; the rest: how much is written in each table of the log.
PURSE = record(*ints("cash orders within fills rounds levels decided sent trips charges"))

ROOM = 16_384  # rows of a table, which is emptied when it is full
MOST_DAYS = 1000  # that config.Gates.day_trades may say


class Log(NamedTuple):
    """What is written down, a table each."""

    fills: np.dtype[Any]
    rounds: np.dtype[Any]
    levels: np.dtype[Any]
    decided: np.dtype[Any]
    sent: np.dtype[Any]
    trips: np.dtype[Any]
    charges: np.dtype[Any]


TABLES = Log(FILL, ROUND, LEVEL, DECIDED, ORDER, TRIP, CHARGE)
LOG = record(*((name, kind, (ROOM,)) for name, kind in TABLES._asdict().items()))


@cache
def desk(params: np.dtype[Any]) -> np.dtype[Any]:
    """The account of a backtest, and what it goes by; `verbose`: is more than round trips written down? days: a ring of
    the sessions of the last round trips within a day, as many as are the most.
    """
    return record(
        ("account", ACCOUNT), ("purse", PURSE), ("params", params), ("verbose", i8), ("days", i8, (MOST_DAYS,)),
        ("log", LOG),
    )  # fmt: skip


@rare
def levelled(k: Rec, p: Rec, i: int, ts: int) -> None:
    """The stop of a symbol has another level."""
    if k.verbose:
        o = k.log.levels[k.purse.levels]
        o.ts, o.slot, o.stop = ts, i, p.stop
        k.purse.levels += 1


@rare
def flattened(k: Rec, p: Rec, i: int, side: int, role: int, session: int, ts: int, t: int) -> None:
    """A round trip; `side`: of the fill that ended it."""
    most = k.params.rules.day_trades
    if (most > 0) & (p.day == session):
        k.days[k.purse.within % most] = session
        k.purse.within += 1
    opens, closes = (p.paid, p.received) if side < 0 else (p.received, p.paid)
    result = p.received - p.paid - p.fees
    count(k.account, p.mode, result)
    o = k.log.rounds[k.purse.rounds]
    o.slot, o.mode, o.regime, o.qty, o.role = i, p.mode, p.regime, -side * p.bought, role
    o.opened, o.closed, o.entry, o.exit = p.opened, ts, opens // p.bought, closes // p.bought
    o.stop, o.fees, o.result, o.bars = p.aim, p.fees, result, t - p.begun + 1
    k.purse.rounds += 1
    p.bought = p.paid = p.received = p.fees = 0


@rare
def executed(
    k: Rec, r: Rec, p: Rec, bar: Rec, i: int, side: int, qty: int, price: int, role: int, order: int, stop: int,
    ts: int, t: int,
) -> None:  # fmt: skip
    """A fill, whole: the cash, the position and the strategy's own view of it; `stop`: of the order."""
    purse, fee = k.purse, qty * k.params.rules.fee
    if p.qty == 0:
        p.opened, p.begun, p.day, p.aim = ts, t, bar.session, stop
    purse.cash -= side * qty * price + fee
    p.qty += side * qty
    p.fees += fee
    if side > 0:
        p.bought += qty
        p.paid += qty * price
    else:
        p.received += qty * price
    if k.verbose:
        o = k.log.fills[purse.fills]
        o.ts, o.at, o.slot, o.role, o.side, o.mode = ts, bar.ts, i, role, side, p.mode
        o.qty, o.price, o.fee, o.order = qty, price, fee, order
        purse.fills += 1
    traded(r, side * qty, price, p.mode, stop, p.wide if role == ENTRY else 1.0)
    if p.qty == 0:
        flattened(k, p, i, side, role, bar.session, ts, t)


@rare
def opened(k: Rec, r: Rec, p: Rec, bar: Rec, i: int, ts: int, t: int) -> None:
    """A waiting entry at the open: filled, with its stop in force, or refused where it gapped through that."""
    side, qty = (1, p.entry) if p.entry > 0 else (-1, -p.entry)
    price = opening(bar, side, qty, p.entry_volume, p.barrier, k.params.rules)
    p.entry = 0
    if price == 0:
        p.sought = 0
        return
    executed(k, r, p, bar, i, side, qty, price, ENTRY, p.ordered, p.barrier, ts, t)
    p.stop, p.stopping, p.stop_volume = p.barrier, p.sought, p.entry_volume
    if p.stop != 0:
        levelled(k, p, i, ts)


@step
def cleared(k: Rec, p: Rec, i: int, ts: int) -> None:
    """Nothing is held any more."""
    p.exit = 0
    if p.stop != 0:
        p.stop = p.stopping = 0
        levelled(k, p, i, ts)


@rare
def left(k: Rec, r: Rec, p: Rec, bar: Rec, i: int, ts: int, t: int) -> None:
    """A waiting exit at the open; it clears the stop."""
    side, qty = (-1, p.qty) if p.qty > 0 else (1, -p.qty)
    price = opening(bar, side, qty, p.exit_volume, 0, k.params.rules)
    executed(k, r, p, bar, i, side, qty, price, EXIT, p.exit, 0, ts, t)
    cleared(k, p, i, ts)


@rare
def stopped(k: Rec, r: Rec, p: Rec, bar: Rec, i: int, ts: int, t: int) -> None:
    """The stop within the bar, if it is hit."""
    side, qty = (-1, p.qty) if p.qty > 0 else (1, -p.qty)
    price = stopping(bar, side, qty, p.stop, p.stop_volume, k.params.rules)
    if price != 0:
        executed(k, r, p, bar, i, side, qty, price, STOP, p.stopping, p.stop, ts, t)
        cleared(k, p, i, ts)


@step
def due(p: Rec, bar: Rec) -> bool:
    """May anything of this symbol fill in this bar? Seldom, so that the filling itself is kept out of line."""
    if (p.entry | p.exit) != 0:
        return True
    if p.stop == 0:
        return False
    if p.qty > 0:
        return bool(micros(min(bar.low, bar.open)) <= p.stop)
    return bool(micros(max(bar.high, bar.open)) >= p.stop)


@rare
def settled(k: Rec, r: Rec, p: Rec, bar: Rec, i: int, ts: int, t: int) -> None:
    """The venue's pass over one symbol: what waits for the open, then the stop."""
    if p.entry != 0:
        opened(k, r, p, bar, i, ts, t)
    elif p.exit != 0:
        left(k, r, p, bar, i, ts, t)
    if (p.qty != 0) & (p.stop != 0):
        stopped(k, r, p, bar, i, ts, t)


@rare
def charged(k: Rec, p: Rec, i: int, session: int, ts: int) -> None:
    """A session has begun: a short pays for those before it that it was held over."""
    for day in range(p.owed, session):
        fee = borrow_fee(p.worth, -p.qty, k.params.rules.borrow)
        if fee != 0:
            k.purse.cash -= fee
            p.fees += fee
            if k.verbose:
                o = k.log.charges[k.purse.charges]
                o.ts, o.slot, o.session, o.qty, o.price, o.fee = ts, i, day, -p.qty, p.worth, fee
                k.purse.charges += 1
    p.owed = max(p.owed, session)


@step
def met(k: Rec, r: Rec, p: Rec, bar: Rec, i: int, session: int, ts: int, t: int) -> None:
    """A bar time for a symbol that is held or sought."""
    if (p.qty < 0) & (session > p.owed):
        charged(k, p, i, session, ts)
    if bar.quality == FULL:
        if due(p, bar):
            settled(k, r, p, bar, i, ts, t)
        if p.qty != 0:
            p.close = micros(bar.close)
            if p.qty < 0:
                p.owed, p.worth = session, p.close


@step
def engaged(p: Rec) -> int:
    return int((p.qty | p.entry | p.exit) != 0)
