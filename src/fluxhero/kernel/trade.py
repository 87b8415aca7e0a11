"""A position as its strategy sees it: sought, opened, trailed, left."""

from fluxhero.kernel.codes import ENTER, EXIT, OPEN, REFUSED
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.gates import allowed
from fluxhero.kernel.money import micros, tick_down
from fluxhero.kernel.state import Rec


@rare
def enter(row: Rec, bar: Rec, rules: Rec, mode: int, stop: float, risk: float, scale: float) -> None:
    """Seek an entry at this seal, with its stop in USD; a gate may refuse it."""
    d = row.decision
    d.mode, d.risk, d.scale = mode, risk, scale
    d.stop = tick_down(micros(max(stop, 0.0)))
    d.gate, d.value, d.limit = allowed(row, bar, rules)
    d.action = ENTER if d.gate == OPEN else REFUSED


@step
def leave(row: Rec) -> None:
    """Said anew at every seal for which it holds, until the position is flat."""
    row.decision.action, row.decision.mode = EXIT, row.trade.mode


@step
def trail(row: Rec, bar: Rec, rules: Rec, stop_atr: float) -> None:
    """Raise the stop to `stop_atr` ATR under the highest high since entry; never loosen, never by less than a step."""
    trade, atr = row.trade, row.reading.atr
    trade.peak = max(trade.peak, bar.high)
    stop = tick_down(micros(max(trade.peak - stop_atr * atr, 0.0)))
    if (stop > trade.stop) & (stop - trade.stop >= rules.stop_step * atr * 1e6):
        row.decision.raised = trade.stop = stop


@rare
def traded(row: Rec, qty: int, price: int, mode: int, stop: int) -> None:
    """A fill: the first opens the trade in its order's mode and with its stop, what ends flat clears it."""
    trade = row.trade
    if trade.qty == 0:
        trade.mode, trade.stop, trade.peak = mode, stop, price / 1e6
    trade.qty += qty
    if trade.qty == 0:
        trade.mode = trade.stop = 0
        trade.peak = 0.0
