"""Buys at the first bar, with all there is, and never sells: what any other strategy is to be compared with."""

from fluxhero.kernel.codes import HELD, LONG
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import Rec
from fluxhero.kernel.trade import enter

READS = ()
SIZING = "full"
MATURE = 1


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    if row.trade.qty == 0:
        enter(row, bar, p.rules, LONG, HELD, bar.close, 1.0, 1.0, False)
