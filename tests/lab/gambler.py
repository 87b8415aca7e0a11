"""Tosses a coin at every bar: in, or out."""

from typing import Annotated

from msgspec import Meta

from fluxhero.kernel.codes import LONG
from fluxhero.kernel.codes import MINE as MODE
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import Rec, ints, record
from fluxhero.kernel.trade import enter, leave
from fluxhero.section import Section, key

SIZING = 100
MATURE = 1
OWN = record(*ints("coin"))


class Params(Section, frozen=True, kw_only=True):
    seed: Annotated[Annotated[int, Meta(ge=1, le=1_000_000)], key("number", "of the coin")] = 1


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    row.own.coin = ((row.own.coin + p.own.seed) * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    heads = (row.own.coin >> 16) & 1 == 1
    if row.trade.qty != 0:
        if not heads:
            leave(row)
    elif heads:
        enter(row, bar, p.rules, LONG, MODE, bar.close, 1.0, 1.0, False)
