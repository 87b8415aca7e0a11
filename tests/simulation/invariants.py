"""What must hold of orders whatever dies: numbers and sentences of the promises, and how each is looked at.

LEAVES: when something is sent. ARRIVES: when an order that is new to the venue comes there. QUIET: before every event
of the tape, when nobody is busy. STANDS: whenever the venue's books may have changed. ENDED: after the last life.
"""

from __future__ import annotations

import enum
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from fluxhero.core import journal
from fluxhero.core.states import OPEN, State
from fluxhero.exchange.matching import Snapshot, Venue
from fluxhero.messages import SECOND, Booked, Cancel, Cid, Nanos, Order, Role, Type, Update, Why
from fluxhero.store.sqlite import FILE
from fluxhero.store.venue import FILE as VENUE

KNOWN, SINCE = Nanos(5 * SECOND), Nanos(60 * SECOND)  # by when a stop stands after a fill is known, and has happened
CHASES, AGE = 3, Nanos(60 * SECOND)

_encode = msgspec.msgpack.encode
_update, _snapshot = msgspec.msgpack.Decoder(Update), msgspec.msgpack.Decoder(Snapshot)


class Moment(enum.Enum):
    LEAVES = 0
    ARRIVES = 1
    QUIET = 2
    STANDS = 3
    ENDED = 4


@dataclass
class Scene:
    """What a witness knows, over all lives."""

    directory: Path
    within: Nanos | None = KNOWN  # a stop must stand; None: no time is promised, for an order may be stuck
    venue: Venue | None = None
    arrived: Callable[[str], bool] = lambda key: False
    filled: Callable[[Cid], int] = lambda cid: 0
    flying: list[Order | Cancel] = field(default_factory=list)  # sent, not arrived and not lost
    booked: Booked | None = None  # what risk was last told
    now: Nanos = Nanos(0)
    bodies: dict[str, bytes] = field(default_factory=dict)  # as first sent
    bare: dict[int, Nanos] = field(default_factory=dict)
    _db: sqlite3.Connection | None = None

    @property
    def ours(self) -> sqlite3.Connection:
        """What another process sees of our journal: what is durable."""
        if self._db is None:
            self._db = sqlite3.connect(f"file:{self.directory / FILE}?mode=ro", uri=True, isolation_level=None)
        return self._db

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None


class Ended(NamedTuple):
    """Both sides after the last life."""

    rows: list[Any]
    words: dict[int, Update]
    ours: dict[str, Any]  # positions, cash, open orders
    theirs: dict[str, Any]
    fills: list[tuple[str, str, int]]  # cid, execution, shares
    leaving: set[int]


Said = Iterator[str]


class Promise(NamedTuple):
    number: str
    sentence: str
    moment: Moment
    broken: Callable[..., Said]


def numbers(cid: str) -> tuple[str, int, int]:
    """Account with epoch, intent, attempt."""
    name, intent, attempt = cid.rsplit("-", 2)
    return name, int(intent), int(attempt)


# -- when something is sent, or arrives


def durable(s: Scene, what: Order | Cancel) -> Said:
    found = s.ours.execute("SELECT body, why FROM orders WHERE cid = ?", (what.cid,)).fetchall()
    if not found:
        yield f"{what.cid} is out, and no durable row is of it"
    elif isinstance(what, Cancel) and not found[0][1]:
        yield f"a cancel of {what.cid} is out, and no durable row is of that"
    elif isinstance(what, Order) and journal.read(journal.Intent, found[0][0]).order != what:
        yield f"{what.cid} is out as {what}, and its durable row is another"


def same_bytes(s: Scene, what: Order | Cancel) -> Said:
    if isinstance(what, Order) and s.bodies.setdefault(what.cid, _encode(what)) != _encode(what):
        yield f"{what.cid} was sent again with other bytes"


def one_live(s: Scene, what: Order) -> Said:
    assert s.venue
    rivals = [cid for cid in s.venue.resting if numbers(cid)[:2] == numbers(what.cid)[:2] and cid != what.cid]
    if rivals:
        yield f"{what.cid} has come, and {rivals} of its intent is live"


def chased_well(s: Scene, what: Order | Cancel) -> Said:
    """What is terminal at the venue, nobody has to have told us: it is read off the venue itself."""
    name, intent, attempt = numbers(what.cid)
    if isinstance(what, Cancel) or attempt == 0:
        return
    assert s.venue
    former = Cid(f"{name}-{intent}-{attempt - 1}")
    if attempt > CHASES:
        yield f"{what.cid} is chase {attempt}"
    if former in s.venue.resting or not s.arrived(former):
        yield f"{what.cid} is sent, and {former} is not over at the venue"
    sql = "SELECT qty, ts FROM orders WHERE cid = ?"
    (qty, ts), (asked,) = (*s.ours.execute(sql, (former,)), *s.ours.execute(_CHASE_ASKED, (former,)))
    if what.qty != qty - s.filled(former):
        yield f"{what.cid} is of {what.qty}, {former} of {qty} and {s.filled(former)} were filled"
    if asked - ts < AGE:
        yield f"{former} was {(asked - ts) / SECOND} s old when it was chased"


_CHASE_ASKED = (  # its cancel, whose row's number stays with the order
    "SELECT j.ts FROM orders o JOIN journal j ON j.seq = o.asked WHERE o.cid = ?"
)


# -- along


def counted(s: Scene) -> Said:
    """What the venue could come to, with all that is under way, is never more than what risk reckons with."""
    if s.venue is None or s.booked is None:
        return
    could, reckoned = Counter[int](s.venue.positions), Counter[int]()
    for r in s.venue.resting.values():
        could[r.order.slot] += r.left if r.order.role is Role.ENTRY else 0
    for what in {w.cid: w for w in s.flying if isinstance(w, Order)}.values():
        could[what.slot] += what.qty if what.role is Role.ENTRY and not s.arrived(what.cid) else 0
    for lot in (*s.booked.held, *s.booked.entering):
        reckoned[lot.slot] += lot.qty
    for slot, most in could.items():
        if most > reckoned[slot]:
            yield f"slot {slot} could come to {most} at the venue, and risk reckons with {reckoned[slot]}"


def protected(s: Scene) -> Said:
    """By a stop, or by the exit that has taken its place."""
    if s.venue is None:
        return
    stops, exits = Counter[int](), Counter[int]()
    for r in s.venue.resting.values():
        if r.armed and r.order.role is not Role.ENTRY:
            (stops if r.order.role is Role.STOP else exits)[r.order.slot] += r.left
    for slot, held in s.venue.positions.items():
        if held < max(stops[slot], exits[slot]):
            yield f"slot {slot} holds {held}, with stops for {stops[slot]} and exits for {exits[slot]}"
        if held > stops[slot] + exits[slot]:
            since = s.bare.setdefault(slot, s.now)
            if s.within is not None and s.now - since > s.within:
                yield f"slot {slot} has lacked its stop for more than {s.within // SECOND} s"
        else:
            s.bare.pop(slot, None)
    for slot in [slot for slot in s.bare if slot not in s.venue.positions]:
        del s.bare[slot]


# -- after


def counted_cids(e: Ended) -> Said:
    """The n-th intent's number is n."""
    firsts = [r.order.cid for r in e.rows if isinstance(r, journal.Intent) and numbers(r.order.cid)[2] == 0]
    wrong = [cid for n, cid in enumerate(firsts, 1) if numbers(cid)[1] != n]
    if wrong:
        yield f"{wrong[0]} is not numbered by its row"


def within_intent(e: Ended) -> Said:
    wanted: dict[tuple[str, int, int], int] = {}
    for r in e.rows:
        if isinstance(r, journal.Intent):
            key = (*numbers(r.order.cid)[:2], 0)
            wanted[key] = max(wanted.get(key, 0), r.order.qty)
    filled = Counter[tuple[str, int, int]]()
    for word in e.words.values():
        if word.exec_id:
            filled[(*numbers(word.cid)[:2], 0)] += word.qty
    for key, qty in filled.items():
        if qty > wanted.get(key, 0):
            yield f"intent {key} was for {wanted.get(key, 0)}, and {qty} were filled"


def by_evidence(e: Ended) -> Said:
    """The venue has said what ended it, in that word."""
    for r in e.rows:
        if isinstance(r, journal.Evidence) and State(r.state) not in OPEN:
            word = e.words.get(r.seq)
            if word is None or (word.cid, word.says) != (r.cid, r.says):
                yield f"{r.cid} became {r.state} by word {r.seq}, which is {word}"


def agreed(e: Ended) -> Said:
    for name, mine in e.ours.items():
        if mine != e.theirs[name]:
            yield f"{name}: {mine} ours, {e.theirs[name]} the venue's"


def once(e: Ended) -> Said:
    booked = Counter(e.fills)
    said = Counter[tuple[str, str, int]]((w.cid, w.exec_id, w.qty) for w in e.words.values() if w.exec_id)
    if said != booked:
        yield f"fills: too many {booked - said}, missing {said - booked}"
    moved = Counter[int]()
    for r in e.rows:
        if isinstance(r, journal.Filled):
            moved[r.slot] += r.side * r.qty
    if {slot: qty for slot, qty in moved.items() if qty} != e.ours["positions"]:
        yield f"positions {e.ours['positions']} are not the sum of the fills"


def monotone(e: Ended) -> Said:
    known: dict[str, tuple[State, int]] = {}
    for r in e.rows:
        if not isinstance(r, journal.Evidence | journal.Filled):
            continue
        was, filled = known.get(r.cid, (State.SENT, 0))
        now, more = State(r.state), r.filled if isinstance(r, journal.Filled) else filled
        if (was not in OPEN and now is not was) or more < filled:
            yield f"{r.cid} went from {was} {filled} to {now} {more}"
        known[r.cid] = now, more


def aged(e: Ended) -> Said:
    sent = {r.order.cid: r.order.ts for r in e.rows if isinstance(r, journal.Intent)}
    for r in e.rows:
        if isinstance(r, journal.Canceling) and r.why is Why.CHASE and r.ts - sent[r.cid] < AGE:
            yield f"{r.cid} was chased after {(r.ts - sent[r.cid]) / SECOND} s"


def whole_stop(e: Ended) -> Said:
    stops = Counter[int]()
    for r in e.theirs["resting"]:
        if r.armed and r.order.type is Type.STOP:
            stops[r.order.slot] += r.left
    for slot, held in e.theirs["positions"].items():
        if slot not in e.leaving and stops[slot] != held:
            yield f"slot {slot}: {held} held, {stops[slot]} under stops"


PROMISES: tuple[Promise, ...] = (
    Promise("I1", "nothing is sent that is not durable", Moment.LEAVES, durable),
    Promise("I1", "nothing arrives that is not durable", Moment.ARRIVES, durable),
    Promise("I2", "one order of an intent is live at a time", Moment.ARRIVES, one_live),
    Promise("I2", "no intent is filled beyond its quantity", Moment.ENDED, within_intent),
    Promise("I3", "sent again, it is the same bytes", Moment.LEAVES, same_bytes),
    Promise("I3", "a cid follows from the journal's rows", Moment.ENDED, counted_cids),
    Promise("I4", "an order ends by the venue's evidence alone", Moment.ENDED, by_evidence),
    Promise("I5", "what nobody knows of counts at its worst", Moment.QUIET, counted),
    Promise("I6", "in the end both sides agree", Moment.ENDED, agreed),
    Promise("I7", "every fill is booked once", Moment.ENDED, once),
    Promise("I8", "an order only moves on", Moment.ENDED, monotone),
    Promise("I9", "a chase follows what is over at the venue, for what is left of it", Moment.LEAVES, chased_well),
    Promise("I9", "nothing is chased before it is 60 s old", Moment.ENDED, aged),
    Promise("I12", "what is held is under a stop in time, and no more", Moment.STANDS, protected),
    Promise("I12", "in the end one stop is under all that is held", Moment.ENDED, whole_stop),
)


class Witness:
    """Looks at every moment, and keeps what was broken."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.broken = scene, list[str]()

    def look(self, moment: Moment, *what: Any) -> None:
        for p in PROMISES:
            if p.moment is moment:
                self.broken += [f"{p.number} {p.sentence}: {said}" for said in p.broken(self.scene, *what)]

    def ended(self) -> None:
        ended = both(self.scene.directory)
        for p in PROMISES:
            if p.moment is Moment.ENDED:
                self.broken += [f"{p.number} {p.sentence}: {said}" for said in p.broken(ended)]


def both(directory: Path) -> Ended:
    with closing(sqlite3.connect(directory / FILE)) as db, closing(sqlite3.connect(directory / VENUE)) as v:
        state = _snapshot.decode(v.execute("SELECT body FROM state").fetchone()[0])
        return Ended(
            rows=[journal.decode(body) for (body,) in db.execute("SELECT body FROM journal ORDER BY seq")],
            words={w.seq: w for (b,) in v.execute("SELECT body FROM updates") for w in (_update.decode(b),)},
            ours={
                "positions": dict(db.execute("SELECT slot, qty FROM positions")),
                "cash": db.execute("SELECT cash FROM account").fetchone()[0],
                "open": {c for (c,) in db.execute("SELECT cid FROM orders WHERE state IN ('live', 'partial')")},
            },
            theirs={
                "positions": state.positions, "cash": state.cash, "resting": state.resting,
                "open": {r.order.cid for r in state.resting if r.armed},
            },
            fills=db.execute("SELECT cid, exec_id, qty FROM fills").fetchall(),
            leaving={slot for (slot,) in db.execute("SELECT slot FROM aims WHERE leaving")},
        )  # fmt: skip
