"""Fills, cancels, timeouts and restarts in any order: nothing is bought twice, and in the end both sides agree."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from fluxhero.core import journal
from fluxhero.core.lives import CHASES, WATCH, YOUNG, Plan
from fluxhero.core.states import OPEN, State
from fluxhero.kernel import codes
from fluxhero.messages import (
    SECOND,
    Cancel,
    Chase,
    Chasing,
    Cid,
    Entry,
    Granted,
    Model,
    Nanos,
    Order,
    Raise,
    Role,
    Says,
    Side,
    Statement,
    Unavailable,
    Update,
)
from fluxhero.store.sqlite import SQLiteStore
from tests.core.desk import MEMORY, Diary, T, enter, kept, opened, restored, usd
from tests.core.scripted import Scripted, price_of

SLOTS = 2
ROUNDS = 50  # of sends and answers, in which everything has been said
PLACES = st.integers(0, SLOTS - 1)
ANY = st.integers(0, 10**6)  # which of those there are, whatever their number
LAPSES = st.sampled_from([0.01, 1, 5, 10, 31, 61])  # s
Word = Update | Statement | Unavailable


def intent_of(cid: Cid) -> tuple[int, int]:
    _, intent, attempt = cid.rsplit("-", 2)
    return int(intent), int(attempt)


class Interleavings(RuleBasedStateMachine):
    """A desk, a venue, and between them a wire on which anything may be late, lost, twice or out of order."""

    @initialize(counted=st.booleans())
    def begin(self, counted: bool) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.store = SQLiteStore(Path(self.folder.name))
        self.store.commit([opened(Model.QUOTE)], (), 0, 0)
        self.venue, self.now = Scripted(counted), T
        self.wire: list[Order | Cancel] = []  # sent, not arrived
        self.heard = 0  # of the venue's words, put on their way to us
        self.words: list[Word] = []  # on their way
        self.questions: list[Cid | None] = []  # None: the account
        self.chasing: list[Chasing] = []
        self.last: dict[Cid, State] = {}
        self.sent: dict[Cid, Order] = {}
        self.desk = Diary(Model.QUOTE)
        self.act(self.desk.resume(self.now))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            try:
                self.settle()
            finally:
                self.store.close()
                self.folder.cleanup()

    # -- what is granted

    @rule(slot=PLACES, side=st.sampled_from(Side), qty=st.sampled_from([1, 100]))
    def enters(self, slot: int, side: Side, qty: int) -> None:
        booked = self.desk.booked()
        if slot not in {lot.slot for lot in (*booked.held, *booked.entering)}:
            entry: Entry = enter(slot, qty, 100 - side * 2, side)
            self.granted(Granted(ts=self.now, entries=(entry,)))

    @precondition(lambda self: self.desk.slots)
    @rule(slot=PLACES, what=st.sampled_from(["raise", "raise", "raise", "leave", "halt"]), by=st.integers(1, 19))
    def wants(self, slot: int, what: str, by: int) -> None:
        stop = usd(98 + by / 10) if self.desk.book.held(slot) > 0 else usd(102 - by / 10)
        grants = {
            "raise": Granted(ts=self.now, raises=(Raise(slot=slot, stop=stop),)),
            "leave": Granted(ts=self.now, exits=(slot,)),
            "halt": Granted(ts=self.now, cancel_entries=True),
        }
        self.granted(grants[what])

    @precondition(lambda self: self.chasing)
    @rule(gate=st.sampled_from([codes.OPEN, codes.OPEN, codes.RUNG]))
    def judges(self, gate: int) -> None:
        """The gate answers in the order of the questions."""
        c = self.chasing.pop(0)
        chase = Chase(cid=c.cid, slot=c.slot, gate=gate, value=0.0, limit=0.0, price=c.cap)
        self.granted(Granted(ts=self.now, chases=(chase,)))

    # -- what happens on the wire and at the venue

    @precondition(lambda self: self.wire)
    @rule(which=ANY, refuse=st.sampled_from([False, False, False, True]))
    def arrives(self, which: int, refuse: bool) -> None:
        what = self.wire.pop(which % len(self.wire))
        self.venue.take(what, refuse)
        self.check()

    @precondition(lambda self: self.wire)
    @rule(which=ANY, lost=st.booleans())
    def is_unanswered(self, which: int, lost: bool) -> None:
        what = self.wire[which % len(self.wire)]
        if lost:
            self.wire.remove(what)
        self.hear(Update(seq=0, ts=self.now, cid=what.cid, says=Says.UNANSWERED))

    @precondition(lambda self: self.venue.open)
    @rule(which=ANY, whole=st.booleans())
    def fills(self, which: int, whole: bool) -> None:
        s = self.venue.open[which % len(self.venue.open)]
        self.venue.fill(s.order.cid, s.left if whole else (s.left + 1) // 2, price_of(s.order))
        self.check()

    @precondition(lambda self: any(s.order.role is Role.ENTRY for s in self.venue.open))
    @rule(which=ANY)
    def expires(self, which: int) -> None:
        entries = [s for s in self.venue.open if s.order.role is Role.ENTRY]
        self.venue.expire(entries[which % len(entries)].order.cid)

    @precondition(lambda self: self.wire or self.questions or self.heard < len(self.venue.words))
    @rule()
    def goes_well(self) -> None:
        """For once."""
        self.calm(codes.OPEN)

    # -- what is said

    @precondition(lambda self: self.heard < len(self.venue.words))
    @rule(lost=st.sampled_from([False, False, False, True]))
    def speaks(self, lost: bool) -> None:
        if not lost:
            self.words.append(self.venue.words[self.heard])
        self.heard += 1

    @precondition(lambda self: self.words)
    @rule(which=st.one_of(st.just(0), ANY), twice=st.sampled_from([False, False, True]))
    def is_heard(self, which: int, twice: bool) -> None:
        word = self.words[which % len(self.words)]
        if not twice:
            self.words.remove(word)
        self.hear(self.venue.told(word) if isinstance(word, Update) and word.seq else word)

    @precondition(lambda self: self.questions)
    @rule(which=ANY, fails=st.sampled_from([False, False, True]))
    def answers(self, which: int, fails: bool) -> None:
        what = self.questions.pop(which % len(self.questions))
        if fails:
            self.hear(Unavailable(ts=self.now, what=what or "account", why="503"))
        else:
            self.answer(what)

    # -- time, and death

    @rule(seconds=LAPSES)
    def passes(self, seconds: float) -> None:
        self.sleep(Nanos(int(seconds * SECOND)))

    @rule(lost=st.booleans())
    def dies(self, lost: bool) -> None:
        """What is on its way to us is lost; what we have sent may be."""
        if lost:
            self.wire.clear()
        self.words, self.questions, self.chasing = [], [], []
        self.desk = restored(self.store, Model.QUOTE)
        self.listen(self.desk.seq)
        self.act(self.desk.resume(self.now))

    # -- what must hold

    @invariant()
    def no_intent_is_at_the_venue_twice_or_filled_beyond_its_size(self) -> None:
        if not hasattr(self, "venue"):
            return
        entries = [s for s in self.venue.orders.values() if s.order.role is Role.ENTRY]
        for intent in {intent_of(s.order.cid)[0] for s in entries}:
            mine = [s for s in entries if intent_of(s.order.cid)[0] == intent]
            assert len([s for s in mine if s.end is None]) <= 1
            assert sum(s.filled for s in mine) <= mine[0].order.qty
            assert max(intent_of(s.order.cid)[1] for s in mine) <= CHASES

    @invariant()
    def a_restart_now_makes_no_difference(self) -> None:
        if hasattr(self, "store"):
            assert kept(restored(self.store, Model.QUOTE)) == kept(self.desk)

    # -- the rest is machinery

    def granted(self, g: Granted) -> None:
        self.act(self.desk.granted(g))

    def hear(self, word: Word) -> None:
        match word:
            case Update():
                self.act(self.desk.update(word))
            case Statement():
                self.act(self.desk.statement(word))
            case Unavailable():
                self.act(self.desk.unavailable(word))

    def act(self, plan: Plan) -> None:
        self.store.commit(plan.rows, (), 0, self.desk.seq)
        for what in plan.sends:
            self.send(what)
        self.questions += plan.asks + [None] * plan.account
        self.chasing += plan.chasing
        if plan.relisten:
            self.listen(self.desk.seq)
        self.watch(plan)

    def send(self, what: Order | Cancel) -> None:
        if isinstance(what, Order):
            first = what.cid not in self.sent
            assert self.sent.setdefault(what.cid, what) == what, "another body under one id"
            if what.role is Role.ENTRY:
                self.enters_well(what, first)
            elif first:
                self.protects_well(what)
        self.wire.append(what)

    def enters_well(self, o: Order, first: bool) -> None:
        """Never another attempt before the end of the last; never again when it is old."""
        assert first or self.now - o.ts <= YOUNG
        attempt = intent_of(o.cid)[1]
        if attempt and first:
            before = self.venue.orders[Cid(f"{o.cid.rsplit('-', 1)[0]}-{attempt - 1}")]
            assert (before.end, before.filled) == (Says.CANCELED, 0)

    def protects_well(self, o: Order) -> None:
        """Never for more than is held; no stop beside an entry, no exit beside either."""
        assert o.qty <= abs(self.desk.book.held(o.slot))
        beside = {x.order.role for x in self.desk.lives.values() if x.open and x.order.slot == o.slot}
        assert beside == ({o.role, Role.STOP} if o.replaces else {o.role})

    def watch(self, plan: Plan) -> None:
        """What is over is over, and nothing is filled beyond its size."""
        for row in plan.rows:
            if isinstance(row, journal.Evidence | journal.Filled):
                was, now = self.last.get(row.cid, State.SENT), State(row.state)
                assert was in OPEN or now is was
                self.last[row.cid] = now
        assert all(0 <= x.filled <= x.order.qty for x in self.desk.lives.values())

    def check(self) -> None:
        """The venue has no position on the other side of what was wanted."""
        for s in self.venue.orders.values():
            assert s.filled <= s.order.qty

    def listen(self, after: int) -> None:
        """A venue that numbers its words says them again; one that does not has said them."""
        if self.venue.counted:
            self.words = [w for w in self.words if not isinstance(w, Update)] + list(self.venue.words[after:])
            self.heard = len(self.venue.words)

    def answer(self, what: Cid | None) -> None:
        if what is None:
            self.hear(self.venue.statement())
        elif self.venue.counted:
            if what not in self.venue.orders:
                self.hear(Update(seq=0, ts=self.now, cid=what, says=Says.ABSENT))
        else:
            for word in self.venue.status(what):
                self.hear(word)

    def sleep(self, span: Nanos) -> None:
        """Looks are never missed."""
        until = Nanos(self.now + span)
        while (when := self.desk.next()) is not None and when <= until:
            self.now = self.venue.now = max(self.now, when)
            self.act(self.desk.woken(self.now))
            assert self.desk.next() != when, "it would look for ever"
        self.now = self.venue.now = until

    # -- in the end

    def calm(self, gate: int) -> None:
        """All arrives and is answered, in order."""
        for _ in range(ROUNDS):
            if not (self.wire or self.words or self.questions or self.chasing or self.heard < len(self.venue.words)):
                return
            while self.wire:
                self.venue.take(self.wire.pop(0), refuse=False)
            while self.heard < len(self.venue.words):
                self.speaks(lost=False)
            while self.words:
                self.is_heard(0, twice=False)
            while self.questions:
                self.answer(self.questions.pop(0))
            while self.chasing:
                self.judges(gate)
        raise AssertionError("they talk for ever")

    def sell(self) -> None:
        """What is at the market finds somebody."""
        for s in [s for s in self.venue.open if s.order.role is Role.EXIT]:
            self.venue.fill(s.order.cid, s.left, price_of(s.order))

    def quieten(self, times: int) -> None:
        for _ in range(times):
            self.calm(codes.RUNG)
            self.sell()
            self.sleep(Nanos(10 * SECOND))
        self.calm(codes.RUNG)

    def settle(self) -> None:
        """Quiet: positions, cash and orders are the venue's, and whatever is held has its whole stop."""
        self.wants(0, "halt", 1)
        self.quieten(20)
        gone = [x for x in self.desk.lives.values() if x.unheard]
        assert all(x.order.role is Role.ENTRY and x.why is not None for x in gone), gone
        if gone:
            self.now = self.venue.now = Nanos(self.now + WATCH)
            self.quieten(4)
        self.no_intent_is_at_the_venue_twice_or_filled_beyond_its_size()
        self.a_restart_now_makes_no_difference()
        held = {slot: qty for slot, qty in self.venue.held.items() if qty}
        assert {slot: p.qty for slot, p in self.desk.book.positions.items()} == held
        assert self.desk.book.cash == self.venue.cash
        assert {c: x.left for c, x in self.desk.lives.items()} == {s.order.cid: s.left for s in self.venue.open}
        assert {s.order.role for s in self.venue.open} <= {Role.STOP}
        stops: dict[int, int] = {}
        for s in self.venue.open:
            stops[s.order.slot] = stops.get(s.order.slot, 0) - s.order.side * s.left
        assert stops == held
        assert [slot for slot, s in self.desk.slots.items() if s.bare is not None] == []
        assert self.desk.audit.frozen == ()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=300, stateful_step_count=50)
