"""What a venue and the way to it can do to us: one row each. Times are the market's."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping

import msgspec

from fluxhero.messages import SECOND, Nanos, Says


class Ask(enum.StrEnum):
    """What can be asked of a broker."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"
    MOVE = "move"  # of a stop
    CANCEL = "cancel"
    STATUS = "status"
    ACCOUNT = "account"


ORDERS = frozenset({Ask.ENTRY, Ask.EXIT, Ask.STOP, Ask.MOVE})
CANCEL = frozenset({Ask.CANCEL})
STATUS = frozenset({Ask.STATUS})
ACCOUNT = frozenset({Ask.ACCOUNT})
WRITES, READS, ALL = ORDERS | CANCEL, STATUS | ACCOUNT, frozenset(Ask)


class Words(enum.StrEnum):
    """How what is said of an order comes to us, from the request on. Listening anew heals it."""

    PLAIN = "plain"
    HELD = "held"  # not before its status is asked, or it is sent again
    TWICE = "twice"  # and again `lag` later
    LATE = "late"  # each by `lag`
    SWAPPED = "swapped"  # the first by `lag`, those after it in time


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """What befalls one request."""

    meaning: str
    of: frozenset[Ask]  # what it can befall
    arrives: bool = True
    late: Nanos = Nanos(0)  # by how much it arrives
    until: frozenset[Says] = frozenset()  # it arrives sooner, once one of these was said of its order
    stuck: bool = False  # it arrives when it is let go, and its order is pending until then
    says: Says | None = None  # what our end makes of the answer, at once
    words: Words = Words.PLAIN
    lag: Nanos = Nanos(0)  # of words, or of a read's answer, which is old then
    absent: Nanos = Nanos(0)  # for so long, a question finds no such order
    fails: bool = False  # a read: Unavailable
    torn: bool = False  # a Statement with the orders of the one before


LONG = Nanos(20 * SECOND)  # longer than anybody waits for an answer
GIVEN_UP = Says.UNANSWERED

FAULTS: Mapping[str, Fault] = {
    "lost": Fault(of=ALL, meaning="never arrives, and nobody says so", arrives=False),
    "mute": Fault(of=WRITES, meaning="taken, and no word before it is asked for", words=Words.HELD),
    "slow": Fault(of=ALL, meaning="arrives after 20 s", late=LONG),
    "timeout": Fault(of=WRITES, meaning="given up, and arrives after 20 s", says=GIVEN_UP, late=LONG),
    "error": Fault(of=WRITES, meaning="5xx after it was applied, and no word", says=GIVEN_UP, words=Words.HELD),
    "lie": Fault(of=WRITES, meaning="5xx after it was applied, and its words", says=GIVEN_UP),
    "limited": Fault(of=WRITES, meaning="429, not applied", says=GIVEN_UP, arrives=False),
    "double": Fault(of=WRITES, meaning="every word twice", words=Words.TWICE),
    "echo": Fault(of=WRITES, meaning="every word again after 20 s", words=Words.TWICE, lag=LONG),
    "late": Fault(of=WRITES, meaning="every word late by 20 s", words=Words.LATE, lag=LONG),
    "swapped": Fault(of=WRITES, meaning="the first word a second after others", words=Words.SWAPPED, lag=SECOND),
    "outrun": Fault(of=CANCEL, meaning="the order's fill outruns it", late=LONG, until=frozenset({Says.FILL})),
    "bitten": Fault(
        of=CANCEL, meaning="some of the order fills before it", late=LONG,
        until=frozenset({Says.PARTIAL_FILL, Says.FILL}),
    ),
    "stuck": Fault(of=WRITES, meaning="pending until it is let go", says=Says.PENDING, stuck=True),
    "unseen": Fault(
        of=ORDERS, meaning="taken, and 404 for 20 s", says=GIVEN_UP, words=Words.HELD, absent=LONG,
    ),
    "unreadable": Fault(of=READS, meaning="a read that fails", fails=True),
    "stale": Fault(of=ACCOUNT, meaning="an answer that is 20 s old", lag=LONG),
    "torn": Fault(of=ACCOUNT, meaning="orders that are older than the positions", torn=True),
}  # fmt: skip

Pick = Callable[[Ask, int], Fault | None]  # for the n-th request of a kind in this life, from 1


def scripted(script: Mapping[tuple[Ask, int], str]) -> Pick:
    """By name and number."""
    return lambda ask, n: FAULTS[name] if (name := script.get((ask, n))) else None


def drawn(chance: Callable[[], float], odds: float) -> Pick:
    """Any that is apt, with probability `odds`; `chance` is uniform in [0, 1)."""

    def pick(ask: Ask, n: int) -> Fault | None:
        apt = [fault for fault in FAULTS.values() if ask in fault.of]
        return apt[int(chance() * len(apt))] if chance() < odds else None

    return pick
