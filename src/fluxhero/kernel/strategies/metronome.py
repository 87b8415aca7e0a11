"""Enters every 15th bar, by turns long and short where it may, and leaves 10 bars later.

Not to earn, but so that no check ever compares empty tables.
"""

from typing import Annotated

from fluxhero.kernel.codes import C_BEAT, LONG, METRONOME, SHORT
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.gates import check
from fluxhero.kernel.state import Rec, ints, record
from fluxhero.kernel.trade import enter, leave, trail
from fluxhero.section import Count, Section, Share, key

OWN = record(*ints("entered"))


class Params(Section, frozen=True, kw_only=True):
    every: Annotated[Count, key("bars", "from entry to entry")] = 15
    keep: Annotated[Count, key("bars", "that a position is kept")] = 10
    risk: Annotated[Share, key("share of equity", "risked by a trade")] = 0.01


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
        side = SHORT if p.rules.shorts != 0 and count // p.own.every % 2 == 0 else LONG
        enter(row, bar, p.rules, side, METRONOME, stop_atr * row.reading.atr, p.own.risk, 1.0, False)


@rare
def weigh(row: Rec, bar: Rec, p: Rec) -> None:
    held = row.trade.qty != 0
    since = row.market.count - row.own.entered if held else row.market.count % p.own.every
    check(row.decision, C_BEAT, since, p.own.keep if held else 0)
