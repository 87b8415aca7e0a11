"""Enters every 15th bar and leaves 10 bars later: not to earn, but so that no check ever compares empty tables."""

from fluxhero.kernel.codes import METRONOME
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import Rec, floats, ints, params, record
from fluxhero.kernel.trade import enter, leave, trail

OWN = record(*ints("entered"))
PARAMS = params(record(*ints("every keep"), *floats("risk")))


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    count, own = row.market.count, row.own
    if row.trade.qty != 0:
        if count - own.entered >= p.own.keep:
            leave(row)
        else:
            trail(row, bar, p.rules, stop_atr)
    elif count % p.own.every == 0:
        own.entered = count
        enter(row, bar, p.rules, METRONOME, bar.close - stop_atr * row.reading.atr, p.own.risk, 1.0)
