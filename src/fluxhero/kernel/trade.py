"""A position as its strategy sees it: sought, opened, trailed, left. Long ones have the side 1, short ones -1."""

import math

from fluxhero.kernel.codes import C_SPIKE, ENTER, EXIT, LONG, MODES, OPEN, REFUSED, STOP
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.gates import allowed, blank, check
from fluxhero.kernel.higher import spike
from fluxhero.kernel.money import micros, tick_down, tick_up
from fluxhero.kernel.state import Rec


@step
def side_of(trade: Rec) -> int:
    """Of what is held: 1, -1, or 0 for nothing."""
    return int(trade.qty > 0) - int(trade.qty < 0)


@step
def stop_at(price: float, side: int) -> int:
    """A stop's price in micro-dollars, on the tick: down for what sells, up for what buys."""
    return tick_down(micros(max(price, 0.0))) if side == LONG else tick_up(micros(price))


@step
def cap_at(close: float, atr: float, side: int, reach: float) -> int:
    """The worst price that an entry may be sent at, `reach` ATR past the close: micro-dollars, on the tick within."""
    reach = reach * atr if atr == atr else 0.0
    return tick_down(micros(close + reach)) if side == LONG else tick_up(micros(max(close - reach, 0.0)))


@step
def near(mid: int, cap: int, side: int) -> int:
    """An entry's limit, micro-dollars: the mid on the far side's tick, within the cap."""
    return min(tick_up(mid), cap) if side == LONG else max(tick_down(mid), cap)


@rare
def enter(
    row: Rec, bar: Rec, rules: Rec, side: int, mode: int, distance: float, risk: float, scale: float,
    filtered: bool = True,
) -> None:  # fmt: skip
    """Seek an entry at this seal. A gate may refuse it; `filtered`: so may the noise.

    side: LONG or SHORT; mode: one of kernel.codes, 0 to 7; distance: from the close to the stop, USD, over 0, wider in
    a volatility spike; risk: share of equity; scale: of the size, at most 1, less in a spike.
    """
    d, heat = row.decision, spike(row.market)
    blank(d)
    sane = (distance > 0.0) & (distance < math.inf)  # NaN is not
    distance = distance if sane else 0.0
    check(d, C_SPIKE, heat, rules.spike_ratio)
    hot = heat > rules.spike_ratio
    d.side, d.mode, d.risk = side, min(max(mode, 0), MODES - 1), risk
    d.scale, d.wide = (scale * rules.spike_size, rules.spike_stop) if hot else (scale, 1.0)
    d.stop = stop_at(bar.close - side * distance * d.wide, side)
    d.gate = allowed(row, bar, rules, side, filtered) if sane else STOP
    d.action = ENTER if d.gate == OPEN else REFUSED


@rare
def leave(row: Rec) -> None:
    """Said anew at every seal for which it holds, until the position is flat."""
    d = row.decision
    blank(d)
    d.action, d.side, d.mode = EXIT, side_of(row.trade), row.trade.mode
    d.risk, d.scale, d.wide = 0.0, 0.0, 1.0  # not those of the last entry that was sought


@step
def reach(t: Rec, bar: Rec) -> None:
    """The best price since entry: the highest high of a long position, the lowest low of a short one."""
    if t.qty != 0:
        t.best = max(t.best, bar.high) if t.qty > 0 else min(t.best, bar.low)


@step
def trail(row: Rec, bar: Rec, rules: Rec, stop_atr: float) -> None:
    """Move the stop to `stop_atr` ATR from the best price since entry; never away, never by less than a step."""
    t, atr, side = row.trade, row.reading.atr, side_of(row.trade)
    if atr != atr:
        return
    reach(t, bar)
    stop = stop_at(t.best - side * stop_atr * t.wide * atr, side)
    closer = side * (stop - t.stop)
    if (closer > 0) & (closer >= rules.stop_step * atr * 1e6):
        row.decision.raised = t.stop = stop


@rare
def traded(row: Rec, qty: int, price: int, mode: int, stop: int, wide: float) -> None:
    """A fill: the first opens the trade in its order's mode and with its stop, what ends flat clears it."""
    t = row.trade
    if t.qty == 0:
        t.mode, t.stop, t.best, t.wide = mode, stop, price / 1e6, wide
    t.qty += qty
    if t.qty == 0:
        t.mode = t.stop = 0
        t.best = t.wide = 0.0
