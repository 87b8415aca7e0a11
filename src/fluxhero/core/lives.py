"""An order and how far it has come, and one symbol's orders with what is wanted of its position."""

from __future__ import annotations

import msgspec

from fluxhero.core import journal
from fluxhero.core.states import OPEN, State
from fluxhero.messages import (
    SECOND,
    Cancel,
    Chasing,
    Cid,
    Micros,
    Nanos,
    Order,
    Role,
    Shares,
    Side,
    Traded,
    Type,
    Why,
)

HEARTBEAT = Nanos(5 * SECOND)  # between two looks at an order in flight
CHASE = Nanos(60 * SECOND)  # after which an entry that found nobody is sent anew
CHASES = 3
AUDIT = Nanos(30 * SECOND)  # between two statements
YOUNG = Nanos(10 * SECOND)  # an entry without word is sent again within it, later drained
WATCH = Nanos(2 * 86_400 * SECOND)  # its session and a day: until then an order may yet turn up
PAGE, FLEE, RETRY = (Nanos(n * SECOND) for n in (10, 30, 30))  # of a position without its stop
RETRIES = 3  # rejections in a row of one position's stop or exit, after which it rests until RETRY


class Life(msgspec.Struct):
    """An order and how far it has come."""

    order: Order
    state: State = State.SENT
    filled: int = 0
    paid: int = 0  # for it
    told: int = 0  # what the venue says is filled; executions that we have not heard of may be on their way
    ending: State | None = None  # its last word, waiting for them
    canceling: Nanos | None = None  # when a cancel was decided that the venue has not answered
    why: Why | None = None  # of the last cancel
    looked: Nanos = Nanos(0)  # when we last asked for it
    executions: set[str] = msgspec.field(default_factory=set)
    places: tuple[int, int] = (0, 0)  # of the intent and of the cancel in the journal, after a restart

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def left(self) -> int:
        return self.order.qty - self.filled

    @property
    def unheard(self) -> bool:
        """Has the venue said nothing that proves anything?"""
        return self.state in (State.SENT, State.UNKNOWN)

    @property
    def numbers(self) -> tuple[int, int]:
        """(intent, attempt), as its cid ends."""
        _, intent, attempt = self.order.cid.rsplit("-", 2)
        return int(intent), int(attempt)

    @property
    def found_nobody(self) -> bool:
        """Is it an entry that may be sent anew?"""
        return self.why is Why.CHASE and self.state is State.CANCELED and not self.filled

    def wanted(self, ts: Nanos) -> bool:
        """Would we send it again, had it not arrived?"""
        return self.order.role is not Role.ENTRY or (self.why is None and ts - self.order.ts <= YOUNG)

    @property
    def flying(self) -> bool:
        """Is a word of it due? A stop that stands is not asked for, nor one that travels with its entry."""
        if self.order.carried and self.unheard:
            return False
        resting = self.order.role is Role.STOP and not self.unheard and self.ending is None and self.why is None
        return self.canceling is not None or (self.open and not resting)


class Slot(msgspec.Struct):
    """One symbol's orders and what is wanted of its position."""

    entry: Cid | None = None
    exit: Cid | None = None
    stop: Cid | None = None
    moving: Cid | None = None  # the stop that is to replace `stop`
    chasing: Life | None = None  # an entry that is gone, and may be sent anew
    leaving: bool = False
    aim: int = 0  # where the stop should be
    mode: int = 0
    volume: float = 0.0
    waits: Nanos | None = None  # for the market to open, to leave
    rejected: int = 0  # in a row
    bare: Nanos | None = None  # since when the position lacks a stop, or a part of it does
    paged: Nanos = Nanos(0)  # when that was last told


def traded(order: Order, qty: Shares, price: Micros) -> Traded:
    """An execution of an order, as the strategy hears of it."""
    return Traded(
        slot=order.slot, qty=Shares(order.side * qty), price=price, mode=order.mode, stop=order.stop, wide=order.wide
    )


def closing(held: int) -> Side:
    """The side of the orders that end a position."""
    return Side.SELL if held > 0 else Side.BUY


class Plan:
    """What follows from one message: rows to journal, then orders to send, then what others must know."""

    def __init__(self) -> None:
        self.rows: list[journal.Row] = []
        self.sends: list[Order | Cancel] = []
        self.asks: list[Cid] = []  # orders whose status is wanted
        self.account = False  # is a statement wanted?
        self.relisten = False  # words were lost: all after `Desk.seq` are wanted again
        self.ended: list[Life] = []  # by the operator's word
        self.gone: list[int] = []  # slots of orders that no statement has any more
        self.traded: list[Traded] = []
        self.chasing: list[Chasing] = []


def stop_order(
    slot: int, s: Slot, cid: Cid, held: int, ts: Nanos, replaces: Cid | None = None, carried: bool = False
) -> Order:
    """One stop for what is held, where it is wanted."""
    return Order(
        cid=cid, ts=ts, slot=slot, role=Role.STOP, side=closing(held), type=Type.STOP, qty=Shares(abs(held)),
        stop=Micros(s.aim), replaces=replaces, carried=carried, volume=s.volume, mode=s.mode,
    )  # fmt: skip


def exit_order(slot: int, s: Slot, cid: Cid, held: int, ts: Nanos) -> Order:
    return Order(
        cid=cid, ts=ts, slot=slot, role=Role.EXIT, side=closing(held), type=Type.MARKET, qty=Shares(abs(held)),
        volume=s.volume, mode=s.mode,
    )  # fmt: skip
