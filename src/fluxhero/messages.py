"""The vocabulary: what actors say to one another. Money is in micro-dollars, time in ns UTC."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, NewType

import msgspec

if TYPE_CHECKING:
    import numpy as np

Nanos = NewType("Nanos", int)  # UTC ns since 1970, or a length of time
Micros = NewType("Micros", int)  # USD x 1e6
Shares = NewType("Shares", int)
Symbol = NewType("Symbol", str)
Cid = NewType("Cid", str)  # client order id
if TYPE_CHECKING:
    Array = np.ndarray[Any, np.dtype[Any]]
else:
    Array = Any  # the control client starts without numpy

SECOND = Nanos(1_000_000_000)
MINUTE = Nanos(60 * SECOND)


def micros(usd: float) -> Micros:
    """Positive USD to micro-dollars, half up; the kernel's own rule."""
    return Micros(int(usd * 1e6 + 0.5))


NO_QUOTE = -1.0  # a bar's spread where there was none


class Quality(enum.IntEnum):
    """Of a bar. Only FULL steps indicators and decides."""

    NONE = 0
    FULL = 1  # regular session, seen from its first second
    EXTENDED = 2  # outside the regular session
    PARTIAL = 3  # the tape began after its first second


class Side(enum.IntEnum):
    BUY = 1
    SELL = -1


class Role(enum.StrEnum):
    """Why an order exists."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"


class Type(enum.StrEnum):
    MARKET = "market"
    LIMIT = "limit"  # for its day
    STOP = "stop"  # until canceled


class Why(enum.StrEnum):
    """Why an order is canceled."""

    UNWANTED = "unwanted"  # its signal is over, or entries are
    CHASE = "chase"  # it found nobody; it is to be sent anew
    REST = "rest"  # it was filled in part
    LEAVING = "leaving"  # a stop, to make way for the exit
    SIZE = "size"  # a stop that is not for all that is held, or for more
    LATE = "late"  # nobody knows whether it arrived, and it is too old to be wanted


class Model(enum.StrEnum):
    """How the venue fills: within bars, or against quotes."""

    BAR = "bar"
    QUOTE = "quote"


class Says(enum.StrEnum):
    """What a venue can say of an order, in our words; core.states has theirs."""

    ACCEPTED = "accepted"  # it stands there, or will
    PENDING = "pending"  # there, about to be canceled or replaced
    PARTIAL_FILL = "partial_fill"
    FILL = "fill"
    CANCELED = "canceled"
    REPLACED = "replaced"
    REJECTED = "rejected"
    CANCEL_REJECTED = "cancel_rejected"
    UNANSWERED = "unanswered"  # no word in time, or none that says anything: no proof of anything
    ABSENT = "absent"  # it says that it knows no such order: no proof either
    CHARGED = "charged"  # not of an order: what a short position costs


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=True, tag_field="m"):
    """What crosses a channel."""


# -- the tape: what a feed gives. `index` is the event's place in the tape, from 0.


class Trade(Message, frozen=True, kw_only=True):
    index: int
    ts: Nanos
    slot: int  # of the symbol, in config order
    price: float
    size: Shares


class Quote(Message, frozen=True, kw_only=True):
    """The best bid and offer; a side that is missing is 0."""

    index: int
    ts: Nanos
    slot: int
    bid: Micros
    ask: Micros
    bid_size: Shares
    ask_size: Shares

    @property
    def usable(self) -> bool:
        """Two-sided and uncrossed."""
        return 0 < self.bid <= self.ask and self.bid_size > 0 and self.ask_size > 0


class Bars(Message, frozen=True, kw_only=True):
    """All bars that are known at `ts`, their end: BAR records, one slot per symbol, ts 0 where it has none."""

    index: int
    ts: Nanos
    bars: Array


Event = Trade | Quote | Bars


# -- the ring: candles -> risk (watch) -> strategy -> risk (gate) -> orders


class Sealed(Message, frozen=True, kw_only=True):
    """The bars of one time, `ts` their end, are final."""

    ts: Nanos
    bars: Array
    heard: Nanos = Nanos(0)  # the newest trade's time


class Watched(Message, frozen=True, kw_only=True):
    """A sealed bar time with the account at its closes and the factors that the watch set for it."""

    sealed: Sealed
    equity: Micros
    cash: Micros
    trail: float  # ATR


class Signal(Message, frozen=True, kw_only=True):
    slot: int
    entry: bool  # else an exit
    side: Side = Side.BUY  # of the position: BUY is long
    mode: int
    price: Micros  # the decision bar's close
    cap: Micros = Micros(0)  # the worst price that an entry may be sent at
    stop: Micros
    risk: float
    scale: float
    wide: float = 1.0  # of the stop distance, for as long as the position lives
    volume: float  # mean of the 20 bars before


class Raise(Message, frozen=True, kw_only=True):
    """Move a position's stop closer: up under a long one, down over a short one."""

    slot: int
    stop: Micros
    volume: float = 0.0  # mean of the 20 bars before; 0: not known


class Signals(Message, frozen=True, kw_only=True):
    sealed: Sealed
    signals: tuple[Signal, ...] = ()
    raises: tuple[Raise, ...] = ()


class Entry(Message, frozen=True, kw_only=True):
    """A granted entry."""

    slot: int
    side: Side
    qty: Shares
    mode: int
    price: Micros  # the decision close
    limit: Micros = Micros(0)  # 0: a market order (`bar`)
    cap: Micros = Micros(0)
    stop: Micros
    wide: float
    volume: float


class Chasing(Message, frozen=True, kw_only=True):
    """An entry that found nobody is gone: may it be sent again, and at what price?"""

    ts: Nanos
    slot: int
    cid: Cid  # of the attempt that ended
    side: Side
    cap: Micros


class Chase(Message, frozen=True, kw_only=True):
    """The answer: a price, or the gate that refuses."""

    cid: Cid
    slot: int
    gate: int
    value: float
    limit: float
    price: Micros


class Granted(Message, frozen=True, kw_only=True):
    """All that may be done now; one message per bar time, empty or not."""

    ts: Nanos
    exits: tuple[int, ...] = ()  # slots
    entries: tuple[Entry, ...] = ()
    raises: tuple[Raise, ...] = ()
    chases: tuple[Chase, ...] = ()
    volumes: tuple[tuple[int, float], ...] = ()  # by slot, of the decision bars of exits and raises
    cancel_entries: bool = False  # of every symbol
    cancels: tuple[int, ...] = ()  # of these symbols
    adopts: tuple[Lot, ...] = ()  # the venue's word is taken for these, at these marks
    ignores: tuple[int, ...] = ()  # differences of these symbols are of no account
    durable: bool = False  # something tripped: on the disk now, orders or not


# -- orders and their evidence


class Order(Message, frozen=True, kw_only=True):
    """An order as it goes to a venue. It never changes; a resend is the same bytes."""

    cid: Cid
    ts: Nanos  # of the decision
    slot: int
    role: Role
    side: Side
    type: Type
    qty: Shares
    mark: Micros = Micros(0)  # an entry's decision close
    limit: Micros = Micros(0)  # of a limit order
    cap: Micros = Micros(0)  # the worst limit that its entry may ever have
    stop: Micros = Micros(0)  # of a stop order; of an entry, where its stop is to be
    stop_cid: Cid | None = None  # of the stop that an entry carries with it (`bar`)
    replaces: Cid | None = None
    carried: bool = False  # a stop that its entry brings with it (`bar`)
    volume: float = 0.0  # mean of the 20 bars before the decision
    mode: int = 0
    wide: float = 1.0  # an entry's


class Cancel(Message, frozen=True, kw_only=True):
    cid: Cid
    ts: Nanos


class Update(Message, frozen=True, kw_only=True):
    """Evidence: what the venue says of an order.

    `seq` counts from 1 what the venue has said, each once; 0: said when asked, or of us alone, and not counted.
    """

    seq: int
    ts: Nanos
    cid: Cid
    says: Says
    exec_id: str = ""
    at: Nanos = Nanos(0)  # of this execution: in `bar`, the start of the bar within which it happened
    price: Micros = Micros(0)
    qty: Shares = Shares(0)  # of this execution
    fee: Micros = Micros(0)
    reason: str = ""
    filled: Shares = Shares(0)  # of the order, by this word
    slot: int = -1  # of a charge, `price` is what it was reckoned at


class Lot(Message, frozen=True, kw_only=True):
    slot: int
    qty: Shares  # signed: short is less than 0
    price: Micros  # an entry's decision close; of a position, 0


class Resting(Message, frozen=True, kw_only=True):
    """An open order as the venue has it."""

    cid: Cid
    slot: int
    side: Side
    type: Type
    left: Shares
    stop: Micros = Micros(0)


class Statement(Message, frozen=True, kw_only=True):
    """The account as the venue has it, all of one moment."""

    ts: Nanos
    heard: int  # the number of its last word before this; 0 where it does not count them
    cash: Micros
    held: tuple[Lot, ...]  # by slot
    orders: tuple[Resting, ...]
    others: tuple[tuple[str, int], ...] = ()  # symbols that are not ours to trade, and what is held of them
    equity: Micros = Micros(0)  # as it reckons it; 0: it does not


class Unavailable(Message, frozen=True, kw_only=True):
    """A read that failed: it says nothing of orders, positions or cash."""

    ts: Nanos
    what: str  # the cid, or `account`
    why: str


class Round(Message, frozen=True, kw_only=True):
    """A closed trade, for the statistics of its mode."""

    mode: int
    result: Micros  # after fees
    opened: Nanos = Nanos(0)
    closed: Nanos = Nanos(0)


class Booked(Message, frozen=True, kw_only=True):
    """The book after a change: what risk needs of it. `grants` counts the Granted messages it knows of."""

    cash: Micros
    held: tuple[Lot, ...]
    entering: tuple[Lot, ...]
    grants: int
    ts: Nanos = Nanos(0)  # of what changed it
    frozen: tuple[int, ...] = ()  # where the venue's books and ours differ; -1: everywhere
    theirs: Micros = Micros(0)  # equity as the venue last told it,
    told: Nanos = Nanos(0)  # and when
    # since the last Booked
    rounds: tuple[Round, ...] = ()  # closed
    flows: tuple[Micros, ...] = ()  # into the account, by the operator's word
    rejects: tuple[Nanos, ...] = ()  # when the venue refused an order
    fled: tuple[tuple[int, float], ...] = ()  # slots that were too long without their stop, and the seconds
    resent: tuple[Nanos, ...] = ()  # when entries were sent again


class Traded(Message, frozen=True, kw_only=True):
    """A fill, for the strategy; qty is signed, mode, stop and wide are the order's.

    `counted`: it is one of the fills; else the operator took the broker's word for a position.
    """

    slot: int
    qty: Shares
    price: Micros
    mode: int
    stop: Micros
    wide: float
    counted: bool = True


class SealDue(Message, frozen=True, kw_only=True):
    """The forming minute is over."""


class Wake(Message, frozen=True, kw_only=True):
    """It is time to look again."""

    ts: Nanos


class Sensed(Message, frozen=True, kw_only=True):
    """What the machine or the wire has noticed: that something is over its limit, or is no more."""

    trip: str  # of core.ladder
    over: bool
    cause: str
    value: float = 0.0
    limit: float = 0.0


# -- to the recorder


class State(Message, frozen=True, kw_only=True):
    """The newest state of something, kept beside the journal in the same transaction."""

    name: str
    blob: bytes
    count: int = 0  # of the fills, or of the closed trades, that it has seen


class Note(Message, frozen=True, kw_only=True):
    """Rows that no effect depends on yet."""

    rows: tuple[Any, ...]  # of core.journal
    states: tuple[State, ...] = ()
    updates: int = 0  # the venue's updates that they account for; 0: none


class Commit(Message, frozen=True, kw_only=True):
    """Make durable all rows so far and these; whoever asks waits for it."""

    rows: tuple[Any, ...] = ()
    updates: int = 0


# -- commands


class Verb(enum.StrEnum):
    """What an operator can want of a living daemon."""

    HALT = "halt"
    RELEASE = "release"
    ADOPT = "adopt"
    IGNORE = "ignore"
    PAUSE = "pause"
    RESUME = "resume"
    FLATTEN = "flatten"


class Command(Message, frozen=True, kw_only=True):
    verb: Verb
    slots: tuple[int, ...] = ()  # of the symbols that pause, resume and flatten mean
    trip: str = ""  # that release means
    reason: str = ""
    id: str = ""  # asked again under the same id, it is answered again and nothing more is done


class Leave(Message, frozen=True, kw_only=True):
    """We go: no entry may fill while nobody looks. Protective stops stay."""


class Outcome(Message, frozen=True, kw_only=True):
    """The answer to a command."""

    ok: bool
    text: str
