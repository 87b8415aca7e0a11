"""What daemon, venue and harness write to one another, as JSON over loopback HTTP."""

from __future__ import annotations

from typing import Any

import msgspec

from fluxhero.messages import Cancel, Cid, Nanos, Order, Statement, Update

WITHHELD = 2.0  # s for which an answer is kept back at the most, for a kill to fall there
PATIENCE = 5.0  # s that a question for words or events stays open


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `fed`: events of the tape that the sender has seen and made durable; `now`: its market's time."""

    pid: int = 0
    fed: int = 0
    now: Nanos = Nanos(0)
    order: Order | None = None
    cancel: Cancel | None = None
    cid: Cid | None = None
    after: int = 0  # of the words
    patient: bool = False  # for words: until there are some


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """`said`: the venue's newest word; `rests`: does any order of ours stand there?"""

    said: int = 0
    rests: bool = True
    words: list[tuple[int | None, Update]] = []  # each with the event that caused it; None: an arrival did
    statement: Statement | None = None


class Receipt(msgspec.Struct, kw_only=True):
    """An order or cancel as it came; times are CLOCK_MONOTONIC's."""

    pid: int
    cid: Cid
    came: float
    left: float = 0.0  # when its answer did; 0: not yet, or never
    known: bool = False  # it had come before
    changed: bool = False  # and was another
    beside: Cid | None = None  # another order of its intent that stood open


class Dump(msgspec.Struct, kw_only=True):
    """All that the venue has seen and said."""

    cursor: int
    orders: list[Order]
    words: list[Update]
    receipts: list[Receipt]
    heard: list[int]  # processes that asked for words
    statement: Statement


def encode(what: Any) -> bytes:
    return msgspec.json.encode(what)
