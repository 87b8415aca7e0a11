"""Long while the mean of the last `fast` closes is above that of the last `slow` ones, with an ATR stop."""

from typing import Annotated

from msgspec import Meta

from fluxhero.kernel.codes import C_FAST, CROSS, LONG
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.gates import check
from fluxhero.kernel.state import Array, Rec
from fluxhero.kernel.trade import enter, leave
from fluxhero.section import Section, Share, key

Closes = Annotated[int, Meta(ge=1, le=60)]


class Params(Section, frozen=True, kw_only=True):
    fast: Annotated[Closes, key("closes", "in the fast mean", under="slow")] = 20
    slow: Annotated[Closes, key("closes", "in the slow mean")] = 50
    risk: Annotated[Share, key("share of equity", "risked by a trade")] = 0.01


@step
def mean(closes: Array, count: int, n: int) -> float:
    """Of the last n of `count` closes; the newest 64 lie in a ring."""
    total = 0.0
    for j in range(count - n, count):
        total += closes[j & 63]
    return total / n


@step
def above(row: Rec, p: Rec, count: int) -> bool:
    """Was the fast mean above the slow one when the symbol had `count` bars?"""
    closes = row.market.closes
    return mean(closes, count, p.own.fast) > mean(closes, count, p.own.slow)


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    count = row.market.count
    now, before = above(row, p, count), above(row, p, count - 1)
    if row.trade.qty != 0:
        if not now:
            leave(row)
    elif now and not before:
        enter(row, bar, p.rules, LONG, CROSS, stop_atr * row.reading.atr, p.own.risk, 1.0)


@rare
def weigh(row: Rec, bar: Rec, p: Rec) -> None:
    closes, count = row.market.closes, row.market.count
    check(row.decision, C_FAST, mean(closes, count, p.own.fast), mean(closes, count, p.own.slow))
