"""What reconciliation is given of us, and what it finds."""

from __future__ import annotations

import enum

import msgspec

from fluxhero.core.states import State
from fluxhero.messages import Cid, Micros, Order, Resting, Shares, Type


class Kind(enum.StrEnum):
    EXPLAINED = "explained"  # by an order of ours of which words are missing
    FOREIGN = "foreign"  # not of our doing: another's order, another epoch's, or a symbol that is not ours
    UNEXPLAINED = "unexplained"


class What(enum.StrEnum):
    POSITION = "position"  # shares
    CASH = "cash"  # micro-dollars
    ORDER = "order"  # shares that are left of it; 0: it does not stand
    BODY = "body"  # of an order, which never changes


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """An order of ours that is not over."""

    order: Resting  # as it stands, or would, by all that we have heard
    state: State
    going: bool = False  # it is being canceled or replaced, or its last word waits for executions


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    prefix: str  # of the cids of our account and epoch
    heard: int  # the number of the last word; 0 where they are not counted
    cash: Micros
    held: dict[int, int]  # by slot
    orders: tuple[Known, ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    what: What
    slot: int = -1  # that it touches; -1: none of ours
    name: str = ""  # the cid, or the symbol that is not ours
    ours: int | str
    theirs: int | str
    orders: tuple[Cid, ...] = ()  # ours that explain it, or that it is about

    @property
    def key(self) -> tuple[str, int, str]:
        return self.what.value, self.slot, self.name


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    differences: tuple[Difference, ...]  # what matches has none
    ask: tuple[Cid, ...]  # whose status is the evidence to fetch


def known(order: Order, left: Shares, state: State, going: bool) -> Known:
    """An order, of which so much is left."""
    stop = order.stop if order.type is Type.STOP else Micros(0)
    rests = Resting(cid=order.cid, slot=order.slot, side=order.side, type=order.type, left=left, stop=stop)
    return Known(order=rests, state=state, going=going)
