"""EMA 20 over EMA 50 with a stop of 2.5 ATR that stays where it is: what other engines are timed with."""

from fluxhero.kernel.codes import LONG
from fluxhero.kernel.codes import MINE as MODE
from fluxhero.kernel.compile import step
from fluxhero.kernel.indicators import ema
from fluxhero.kernel.state import Rec, floats, ints, record
from fluxhero.kernel.trade import enter, leave

MATURE = 1
READS = ("atr",)
OWN = record(*floats("fast slow"), *ints("bars above moved"))


@step
def move(o: Rec, close: float) -> None:
    """Both means by one bar."""
    o.above = o.fast > o.slow
    o.fast = ema(o.fast, close, o.bars, 20, 2.0 / 21.0)
    o.slow = ema(o.slow, close, o.bars, 50, 2.0 / 51.0)
    o.bars += 1


@step
def remember(row: Rec, bar: Rec, p: Rec) -> None:
    if row.own.moved == 0:
        move(row.own, bar.close)
    row.own.moved = 0


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    o = row.own
    move(o, bar.close)
    o.moved = 1
    now = o.fast > o.slow
    if (o.bars <= 50) | (now == (o.above != 0)):
        return
    if row.trade.qty != 0:
        if not now:
            leave(row)
    elif now:
        enter(row, bar, p.rules, LONG, MODE, stop_atr * row.reading.atr, 0.01, 1.0, False)
