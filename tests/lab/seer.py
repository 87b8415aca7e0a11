"""Knows what the next bar will do, for whoever made the bars has written it into their volume: odd is up."""

from fluxhero.kernel.codes import LONG
from fluxhero.kernel.codes import MINE as MODE
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import Rec
from fluxhero.kernel.trade import enter, leave

SIZING = 100
MATURE = 1


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    up = int(bar.volume) & 1 == 1
    if row.trade.qty != 0:
        if not up:
            leave(row)
    elif up:
        enter(row, bar, p.rules, LONG, MODE, bar.close, 1.0, 1.0, False)
