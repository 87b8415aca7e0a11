"""The rows of the journal, their canonical bytes, and the chain that binds them.

A row holds market time alone: nothing of the host, the process or the batch that it was written in, so that the same
market gives the same journal. Slots are symbols in config order, money is micro-dollars.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from fluxhero.kernel import codes
from fluxhero.messages import NO_QUOTE, Cid, Micros, Model, Nanos, Order, Role, Says, Shares, Side, Verb, Why

DIGEST = 16  # bytes
GENESIS = bytes(DIGEST)


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag=str.lower, array_like=True):
    ts: Nanos


class Opened(Row, frozen=True, kw_only=True):
    """The first row: the account and what the state was made for."""

    account: str
    epoch: str
    cash: Micros
    model: Model
    symbols: tuple[str, ...]
    identity: dict[str, str]


class Settings(Row, frozen=True, kw_only=True):
    """The hash of the trading keys, whenever it changes; the strategy, and its parameters as the kernel has them."""

    hash: str
    strategy: str
    params: bytes


class BarRow(msgspec.Struct, frozen=True, gc=False, array_like=True):
    slot: int
    start: Nanos
    open: float
    high: float
    low: float
    close: float
    volume: float
    quality: int
    code: int  # what the think came to; kernel.codes
    spread: float = NO_QUOTE  # of the fresh quote at its end, USD
    session: int = -1  # and its place in the calendar, as the kernel saw it
    left: int = 0
    clock: int = 0


class Past(Row, frozen=True, kw_only=True):
    """Bars from before the account was opened: they warmed the indicators up, and nothing was decided on them."""

    bars: tuple[BarRow, ...]


class Seal(Row, frozen=True, kw_only=True):
    """The bars of one time, what each came to, and the account at their closes."""

    bars: tuple[BarRow, ...]
    equity: Micros
    cash: Micros


class Check(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A condition that a decision looked at; kernel.codes. No value: it could not be told."""

    condition: int
    value: float | None
    limit: float


class Decided(Row, frozen=True, kw_only=True):
    """The outcome of one think that sought something, with its reasons."""

    slot: int
    action: int
    side: Side
    mode: int
    regime: int
    gate: int
    stop: Micros
    risk: float
    scale: float
    wide: float
    reading: dict[str, float | None]
    checks: tuple[Check, ...]

    @property
    def value(self) -> float:
        """Of the gate that refused."""
        return self._refused.value or 0.0

    @property
    def limit(self) -> float:
        return self._refused.limit

    @property
    def _refused(self) -> Check:
        condition = codes.CONDITIONS.get(self.gate)
        return next((check for check in self.checks if check.condition == condition), Check(0, 0.0, 0.0))


class Judged(Row, frozen=True, kw_only=True):
    """What the gate made of a signal: the quantity and the three numbers it is the least of, or a refusal."""

    slot: int
    entry: bool
    gate: int
    value: float
    limit: float
    qty: Shares = Shares(0)
    by_risk: int = 0
    by_cap: int = 0
    by_room: int = 0
    factor: float = 1.0  # the share of the size that is taken: the signal's scale, the drawdown, weight, correlation
    weight: float = 1.0  # of the mode
    correlation: float | None = None  # the highest known one with what is held or sought, signed by both sides,
    peer: int | None = None  # and whose it is
    company: float = 1.0  # the share that it leaves of the size
    price: Micros = Micros(0)  # the limit that the order begins with; 0: at the market
    cap: Micros = Micros(0)  # and the worst that it may come to


class Factors(Row, frozen=True, kw_only=True):
    """The two factors that the watch sets, when they change."""

    sizing: float
    trail: float


class Weights(Row, frozen=True, kw_only=True):
    """The weight of a mode's sizes, when a month changes it: so many trades, so much won for what was lost."""

    mode: int
    weight: float
    trades: int
    factor: float


class Intent(Row, frozen=True, kw_only=True):
    """An order, durable before its first byte is sent."""

    order: Order


class Canceling(Row, frozen=True, kw_only=True):
    cid: Cid
    why: Why


class Chased(Row, frozen=True, kw_only=True):
    """An entry that found nobody: sent anew at a price, or given up, and by which gate."""

    slot: int
    cid: Cid  # of the attempt that ended
    attempt: int  # which it was, from 0
    gate: int
    value: float
    limit: float
    price: Micros


class Entered(Row, frozen=True, kw_only=True):
    """What an entry came to once all its attempts are over; `shortfall`: what it cost against its decision's close."""

    slot: int
    cid: Cid
    wanted: Shares
    qty: Shares
    decided: Micros
    price: Micros  # the mean
    shortfall: Micros


class Naked(Row, frozen=True, kw_only=True):
    """A position lacks its stop, or a part of it does, for too long; `fled`: so long that it is left."""

    slot: int
    since: Nanos
    held: int
    guarded: int
    fled: bool


class Guarded(Row, frozen=True, kw_only=True):
    """A position has its whole stop again, or is no more."""

    slot: int
    since: Nanos  # when it lacked one


class Aim(Row, frozen=True, kw_only=True):
    """What is wanted of a position: to leave it, or where its stop should be; and what its orders are to carry."""

    slot: int
    leaving: bool
    stop: Micros
    mode: int
    volume: float


class Evidence(Row, frozen=True, kw_only=True):
    """The venue's word on an order, and the state that follows."""

    cid: Cid
    seq: int
    says: Says
    state: str
    reason: str


class Filled(Row, frozen=True, kw_only=True):
    """One execution, and the order and the cash after it."""

    cid: Cid
    seq: int
    exec_id: str
    at: Nanos
    slot: int
    role: Role
    side: Side
    price: Micros
    qty: Shares
    fee: Micros
    state: str
    filled: Shares
    cash: Micros


class Charged(Row, frozen=True, kw_only=True):
    """What a short position cost for a session, and the cash after it; `price`: what it was reckoned at."""

    seq: int
    slot: int
    qty: Shares
    price: Micros
    fee: Micros
    cash: Micros


class Blind(Row, frozen=True, kw_only=True):
    """From here to the next seal nobody watched the market: its bars are not known."""

    why: str


class Closed(Row, frozen=True, kw_only=True):
    """A round trip."""

    slot: int
    mode: int
    qty: Shares  # signed: short is less than 0
    opened: Nanos
    entry: Micros
    exit: Micros
    fees: Micros
    result: Micros


class Drift(Row, frozen=True, kw_only=True):
    """What no order explains: the venue has something else than we. Nothing is corrected; the symbol rests."""

    key: str
    kind: str
    what: str
    slot: int
    name: str
    ours: int | str
    theirs: int | str
    ignored: bool  # by the operator, as long as it stays what it is


class Healed(Row, frozen=True, kw_only=True):
    """They agree again."""

    key: str


class Adopted(Row, frozen=True, kw_only=True):
    """The operator takes the venue's word: a position at a mark, and the cash; slot -1: the cash alone.

    `flow`: by how much that changes equity, which is neither won nor lost.
    """

    slot: int
    qty: Shares
    price: Micros
    cash: Micros
    mode: int  # that the position belongs to from now on
    stop: Micros
    flow: Micros = Micros(0)  # of older programs: not told


class Odd(Row, frozen=True, kw_only=True):
    """Evidence that the state table has no entry for: recorded, and nothing changed."""

    cid: Cid
    seq: int
    says: Says
    state: str


class Tripped(Row, frozen=True, kw_only=True):
    """Trading is cut down; core.ladder says how far."""

    trip: str
    cause: str
    equity: Micros
    value: float
    limit: float
    slot: int = -1  # of the symbol; -1: of the account


class Released(Row, frozen=True, kw_only=True):
    trip: str
    by: str
    reason: str
    slot: int = -1


class Commanded(Row, frozen=True, kw_only=True):
    """An operator's command that was obeyed, and what was answered."""

    verb: Verb
    slots: tuple[int, ...]
    trip: str
    reason: str
    id: str
    text: str


Any = (
    Opened | Settings | Seal | Decided | Judged | Factors | Intent | Canceling | Aim | Evidence | Filled | Closed
    | Chased | Entered | Naked | Guarded | Drift | Healed | Adopted | Odd | Tripped | Released | Past | Commanded
    | Blind | Charged | Weights
)  # fmt: skip

R = TypeVar("R", bound=Row)

_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Any)


def encode(row: Row) -> bytes:
    """The canonical bytes of a row."""
    return _encoder.encode(row)


def decode(body: bytes) -> Any:
    return _decoder.decode(body)


def read(kind: type[R], body: bytes) -> R:
    """A row that is known to be of a kind. Raises msgspec.ValidationError where it is not."""
    row = _decoder.decode(body)
    if not isinstance(row, kind):
        raise msgspec.ValidationError(f"{type(row).__name__} where {kind.__name__} was expected")
    return row


Line = tuple[int, int, str, bytes, bytes]  # seq, ts, kind, body, hash


def line(seq: int, row: Row, previous: bytes) -> Line:
    """A row as it stands in the table; its hash binds it and all rows before it."""
    kind, body = type(row).__name__.lower(), encode(row)
    return seq, row.ts, kind, body, _link(previous, seq, row.ts, kind, body)


def broken(lines: Iterable[Line], known: int = 0, head: bytes = GENESIS) -> int | None:
    """The place of the first line that does not follow from those before it, `known` of which end in `head`."""
    for n, (seq, ts, kind, body, hashed) in enumerate(lines, known + 1):
        head = _link(head, n, ts, kind, body)
        if (seq, hashed) != (n, head):
            return n
    return None


def _link(previous: bytes, seq: int, ts: int, kind: str, body: bytes) -> bytes:
    stamp = seq.to_bytes(8, "big") + ts.to_bytes(8, "big", signed=True) + kind.encode()
    return hashlib.blake2b(stamp + body, digest_size=DIGEST, key=previous).digest()
