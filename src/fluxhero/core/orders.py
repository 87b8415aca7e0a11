"""The desk: turns what is granted and what is known into orders, and never believes in more than there is evidence for.

Order by order: durable, sent, then nothing but the venue's word ends it. Symbol by symbol: an entry, chased until
somebody takes it; at its first share the rest is canceled, and once that is over a stop for what is held; a way out
only when neither is left at the venue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from fluxhero.core import journal
from fluxhero.core.audit import Audit
from fluxhero.core.blotter import Blotter
from fluxhero.core.book import Book
from fluxhero.core.lives import (
    AUDIT,
    CHASE,
    CHASES,
    FLEE,
    HEARTBEAT,
    PAGE,
    RETRIES,
    RETRY,
    WATCH,
    Life,
    Plan,
    Slot,
    closing,
    exit_order,
    stop_order,
)
from fluxhero.core.states import OPEN, State, after
from fluxhero.kernel import codes
from fluxhero.messages import (
    SECOND,
    Booked,
    Cancel,
    Chase,
    Chasing,
    Cid,
    Entry,
    Granted,
    Micros,
    Model,
    Nanos,
    Order,
    Role,
    Says,
    Shares,
    Statement,
    Type,
    Unavailable,
    Update,
    Why,
)


class Desk(Blotter):
    """Decides, and leaves journal and wire to its actor."""

    def __init__(
        self, book: Book, model: Model, cid: Callable[[int, int], Cid], opens: Callable[[Nanos], Nanos],
        drifts: Iterable[journal.Drift] = (),
    ) -> None:  # fmt: skip
        super().__init__(book, model, cid, opens)
        self.audit = Audit(self, cid(0, 0).rsplit("-", 2)[0] + "-", drifts)
        self._audited = Nanos(0)  # when we last asked for a statement
        self._resumed = Nanos(0)  # what was due before it, a former life has seen to
        self._told = Micros(0), Nanos(0)  # equity as the venue reckons it, and when

    # -- what comes in

    def granted(self, g: Granted) -> Plan:
        """Exits first, then entries, then closer stops."""
        plan = Plan()
        self.grants += 1
        self._unwanted(g, plan)
        self.audit.ignore(g.ignores, g.ts, plan)
        self._adopt(g, plan)
        volumes = dict(g.volumes)
        for slot in g.exits:
            self._leave(slot, g.ts, plan, volumes.get(slot))
        for c in g.chases:
            self._chase(c, g.ts, plan)
        for e in g.entries:
            self._enter(e, g.ts, plan)
        for r in g.raises:
            self._raise(r.slot, r.stop, g.ts, plan, volumes.get(r.slot))
        if self._bar:
            self._look(g.ts, plan)
            plan.account = True
        return plan

    def update(self, u: Update) -> Plan:
        """Evidence. What was seen before, or the table does not know, changes nothing."""
        plan = Plan()
        if not self._heard(u, plan):
            return plan
        if u.says is Says.CHARGED and self.book.held(u.slot):
            self._charged(u, plan)
            return plan
        life = self.lives.get(u.cid)
        state = after(life.state, u.says) if life else None
        if life is None or state is None:
            was = life.state.value if life else "closed"
            plan.rows.append(journal.Odd(ts=u.ts, cid=u.cid, seq=u.seq, says=u.says, state=was))
        elif u.exec_id in life.executions:
            if u.seq:
                plan.rows.append(journal.Odd(ts=u.ts, cid=u.cid, seq=u.seq, says=u.says, state=life.state.value))
        else:
            self._evidence(life, state, u, plan)
        return plan

    def statement(self, s: Statement) -> Plan:
        """The account as the venue has it; what it had said before that and we have not heard, is wanted again."""
        plan = self.audit.read(s)
        if s.equity:
            self._told = s.equity, s.ts
        plan.relisten = s.heard > self.seq
        for slot in plan.gone:
            self._guard(slot, s.ts, plan)
        return plan

    def unavailable(self, x: Unavailable) -> Plan:
        """A read that failed proves nothing; what protects or closes a position is sent again all the same."""
        plan = Plan()
        life = self.lives.get(Cid(x.what))
        if life is not None and life.unheard and life.order.role is not Role.ENTRY:
            plan.sends.append(life.order)
        return plan

    def woken(self, ts: Nanos) -> Plan:
        """It is time to look again."""
        plan = Plan()
        self._look(ts, plan)
        return plan

    def resume(self, ts: Nanos) -> Plan:
        """After a restart at `ts`: what has no answer yet, in the order of its decision, same bytes, same id."""
        plan, sends, self._resumed = Plan(), list[tuple[int, Order | Cancel]](), ts
        self._audited = Nanos(ts - AUDIT)  # the first statement is due once the clock has come there
        for life in list(self.lives.values()):
            if life.canceling is not None:
                sends.append((life.places[1], Cancel(cid=life.order.cid, ts=life.canceling)))
            if life.state is State.SENT and not life.order.carried:
                if life.wanted(ts):
                    sends.append((life.places[0], life.order))
                    self._resent(life, ts)
                else:
                    self._drain(life, ts, plan)
        plan.sends = [what for _, what in sorted(sends, key=lambda send: send[0])] + plan.sends
        for slot, s in sorted(self.slots.items()):
            s.waits = self._opens(ts) if s.leaving else None
            if s.chasing:
                self._ask_to_chase(slot, s.chasing, s.chasing.looked, plan)
        return plan

    # -- what may be asked

    def next(self) -> Nanos | None:
        """When to look again; in `bar` every bar is a look."""
        if self._bar:
            return None
        times = [self._opens(Nanos(self._audited + AUDIT))]
        times += [self._due(life) for life in self.lives.values() if life.flying]
        times += [self._alarm(s) for s in self.slots.values() if s.bare is not None]
        times += [s.waits for s in self.slots.values() if s.waits is not None]
        return max(self._resumed, min(times))

    def booked(self, ts: Nanos = Nanos(0)) -> Booked:
        """`ts`: of what has changed it."""
        theirs, told = self._told
        return msgspec.structs.replace(super().booked(), ts=ts, frozen=self.audit.frozen, theirs=theirs, told=told)

    # -- what is wanted

    def _adopt(self, g: Granted, plan: Plan) -> None:
        """What is taken over has a stop where its symbol had one on that side; what has not, is left."""
        had = {lot.slot: self.book.held(lot.slot) for lot in g.adopts}
        self.audit.adopt(g.adopts, g.ts, plan)
        for life in plan.ended:
            self._closed(life, g.ts, plan)
        for slot, before in had.items():
            s, held = self._slot(slot), self.book.held(slot)
            turned = held != before and held * before <= 0
            if (held and (turned or not s.aim)) or (turned and s.stop):
                self._aim(slot, g.ts, plan, leaving=True)
            self._advance(slot, g.ts, plan)
            self._guard(slot, g.ts, plan)

    def _unwanted(self, g: Granted, plan: Plan) -> None:
        """Entries that may not go on, those that wait for another attempt among them."""
        for life in [x for x in self.lives.values() if x.open and x.order.role is Role.ENTRY]:
            if g.cancel_entries or life.order.slot in g.cancels:
                self._give_up(life, g.ts, plan)
        for slot, s in self.slots.items():
            if s.chasing and (g.cancel_entries or slot in g.cancels or slot in g.exits):
                self._chased(s.chasing, codes.UNWANTED, 0.0, 0.0, Micros(0), g.ts, plan)
                s.chasing = None

    def _give_up(self, life: Life, ts: Nanos, plan: Plan) -> None:
        """Canceled, and if it was about to be sent anew, it is not."""
        if life.why is Why.CHASE and not life.filled:
            life.why = Why.UNWANTED
            self._chased(life, codes.UNWANTED, 0.0, 0.0, Micros(0), ts, plan)
        self._cancel(life, ts, plan, Why.UNWANTED)

    def _enter(self, e: Entry, ts: Nanos, plan: Plan) -> None:
        s = self._slot(e.slot)
        s.mode, s.leaving, s.waits, s.rejected = e.mode, False, None, 0
        self._aim(e.slot, ts, plan, stop=e.stop, volume=e.volume)
        cid = self._next()
        stop_cid = self._next() if self._bar else None
        entry = Order(
            cid=cid, ts=ts, slot=e.slot, role=Role.ENTRY, side=e.side, type=Type.LIMIT if e.limit else Type.MARKET,
            qty=e.qty, mark=e.price, limit=e.limit, cap=e.cap, stop=e.stop, stop_cid=stop_cid, volume=e.volume,
            mode=e.mode, wide=e.wide,
        )  # fmt: skip
        self._intend(entry, plan)
        if stop_cid:
            self._intend(stop_order(e.slot, s, stop_cid, e.side * e.qty, ts, carried=True), plan, send=False)

    def _chase(self, c: Chase, ts: Nanos, plan: Plan) -> None:
        """The next attempt of an entry, if it may have one and is still wanted."""
        s = self._slot(c.slot)
        life = s.chasing
        if life is None or life.order.cid != c.cid:
            return
        s.chasing = None
        self._chased(life, c.gate, c.value, c.limit, c.price, ts, plan)
        if c.gate == codes.OPEN:
            intent, attempt = life.numbers
            self._intend(
                msgspec.structs.replace(life.order, cid=self._cid(intent, attempt + 1), ts=ts, limit=c.price), plan
            )

    def _leave(self, slot: int, ts: Nanos, plan: Plan, volume: float | None) -> None:
        s = self._slot(slot)
        if self.book.held(slot) or s.entry:
            if s.rejected >= RETRIES:
                s.rejected = 0  # asked for anew, it is tried anew
            if not s.leaving:
                self._aim(slot, ts, plan, leaving=True, volume=volume)
            self._advance(slot, ts, plan)

    def _raise(self, slot: int, stop: Micros, ts: Nanos, plan: Plan, volume: float | None) -> None:
        s, held = self._slot(slot), self.book.held(slot)
        if held and not s.leaving and closing(held) * (s.aim - stop) > 0:
            self._aim(slot, ts, plan, stop=stop, volume=volume)
            self._advance(slot, ts, plan)

    # -- the next step of a symbol

    def _advance(self, slot: int, ts: Nanos, plan: Plan) -> None:
        """Towards what is wanted of it; nothing while an answer is awaited."""
        s, held = self._slot(slot), self.book.held(slot)
        entry = self.lives.get(s.entry) if s.entry else None
        if entry and entry.filled and not self._bar:
            self._cancel(entry, ts, plan, Why.REST)
        if s.rejected >= RETRIES:
            return
        if s.leaving:
            self._out(slot, s, held, ts, plan)
        elif entry is None and held:
            self._protect(slot, s, held, ts, plan)

    def _out(self, slot: int, s: Slot, held: int, ts: Nanos, plan: Plan) -> None:
        """Entry and stop must be terminal at the venue before we leave; in `bar` the exit clears the stop."""
        s.waits = None
        if s.entry:
            self._give_up(self.lives[s.entry], ts, plan)
        elif s.moving or s.exit:
            return
        elif held and not self._bar and self._opens(ts) > ts:
            s.waits = self._opens(ts)  # until then the stop stays, for nothing else would protect us
            self._protect(slot, s, held, ts, plan)
        elif s.stop and not self._bar:
            self._cancel(self.lives[s.stop], ts, plan, Why.LEAVING)
        elif held:
            self._intend(exit_order(slot, s, self._next(), held, ts), plan)
        else:
            self._aim(slot, ts, plan, leaving=False, stop=0)

    def _protect(self, slot: int, s: Slot, held: int, ts: Nanos, plan: Plan) -> None:
        """One stop for all that is held, where it is wanted."""
        if s.moving:
            return
        if s.stop is None:
            self._intend(stop_order(slot, s, self._next(), held, ts), plan)
            return
        now = self.lives[s.stop]
        if now.left != abs(held) and not now.unheard:
            self._cancel(now, ts, plan, Why.SIZE)
        elif now.order.side * (now.order.stop - s.aim) > 0 and not now.unheard:
            left = -now.order.side * now.left
            self._intend(stop_order(slot, s, self._next(), left, ts, replaces=now.order.cid), plan)

    # -- evidence

    def _evidence(self, life: Life, state: State, u: Update, plan: Plan) -> None:
        life.told = max(life.told, u.filled)
        was = life.state, life.canceling
        life.state = self._settled(life, state, u)
        if life.ending is not None:
            plan.asks.append(u.cid)
        if u.says in (Says.CANCELED, Says.CANCEL_REJECTED):
            life.canceling = None
        if u.exec_id:
            self._fill(life, u, plan)
        elif u.seq or (life.state, life.canceling) != was:
            row = journal.Evidence(ts=u.ts, cid=u.cid, seq=u.seq, says=u.says, state=life.state.value, reason=u.reason)
            plan.rows.append(row)
        if u.says is Says.ABSENT and life.open:
            self._absent(life, u.ts, plan)
        if not life.open:
            self._closed(life, u.ts, plan, first=was[0] in OPEN)
        if u.says is not Says.CANCEL_REJECTED or not life.open:  # what was refused is tried again at the next look
            self._turned_up(life, u.ts, plan)
            self._advance(life.order.slot, u.ts, plan)
        self._guard(life.order.slot, u.ts, plan)

    def _turned_up(self, life: Life, ts: Nanos, plan: Plan) -> None:
        """Of an order that was canceled before the venue knew it."""
        if life.open and not life.unheard and life.why is not None:
            self._cancel(life, ts, plan, life.why)

    def _settled(self, life: Life, state: State, u: Update) -> State:
        """A last word counts once all executions that it speaks of are here."""
        filled = life.filled + u.qty
        if not life.open:
            return state
        if state not in OPEN:
            life.ending = state
        if life.ending is None:
            return state
        if life.told > filled:
            return State.PARTIAL if filled else State.LIVE
        ending, life.ending = life.ending, None
        return ending

    def _absent(self, life: Life, ts: Nanos, plan: Plan) -> None:
        """The venue knows nothing of it, which proves nothing: sent again if it is wanted, else watched for."""
        if life.wanted(ts):
            life.looked = ts
            plan.sends.append(life.order)
            self._resent(life, ts)
        elif ts - life.order.ts > WATCH:
            life.state, reason = State.CANCELED, "it never turned up at the venue"
            row = journal.Evidence(
                ts=ts, cid=life.order.cid, seq=0, says=Says.ABSENT, state=life.state.value, reason=reason
            )
            plan.rows.append(row)
        elif life.why is None:
            self._drain(life, ts, plan)

    def _resent(self, life: Life, ts: Nanos) -> None:
        """Entries sent again count as entries."""
        if life.order.role is Role.ENTRY:
            self.news.resent.append(ts)

    def _drain(self, life: Life, ts: Nanos, plan: Plan) -> None:
        """Too late to be wanted; should it turn up, it is canceled."""
        self._cancel(life, ts, plan, Why.LATE)

    def _closed(self, life: Life, ts: Nanos, plan: Plan, first: bool = True) -> None:
        """A terminal order gives its place free; a stop that was replaced, to its successor."""
        s, cid = self._slot(life.order.slot), life.order.cid
        if life.canceling is None:
            del self.lives[cid]
        if s.entry == cid:
            s.entry = None
            self._entered(life, ts, plan)
        elif s.exit == cid:
            s.exit = None
        elif s.moving == cid:
            s.moving = None
        elif s.stop == cid:
            s.stop, s.moving = s.moving, None
        if not first:  # a cancel's answer
            return
        refused = life.state is State.REJECTED
        if refused and not self._bar:  # there, an entry that gaps through its stop is refused: the market's doing
            self.news.rejects.append(ts)
        s.rejected = s.rejected + 1 if refused and life.order.role is not Role.ENTRY else 0

    def _entered(self, life: Life, ts: Nanos, plan: Plan) -> None:
        """An entry is over: what it came to, or another attempt."""
        o = life.order
        if life.filled:
            cost = o.side * (life.paid - life.filled * o.mark)
            row = journal.Entered(
                ts=ts, slot=o.slot, cid=o.cid, wanted=o.qty, qty=Shares(life.filled), decided=o.mark,
                price=Micros(life.paid // life.filled), shortfall=Micros(cost),
            )  # fmt: skip
            plan.rows.append(row)
        elif life.found_nobody and not self._slot(o.slot).leaving:
            self._ask_to_chase(o.slot, life, ts, plan)

    def _ask_to_chase(self, slot: int, life: Life, ts: Nanos, plan: Plan) -> None:
        _, attempt = life.numbers
        if attempt >= CHASES:
            self._chased(life, codes.CHASES, attempt, CHASES, Micros(0), ts, plan)
            return
        o = life.order
        self._slot(slot).chasing = life
        plan.chasing.append(Chasing(ts=ts, slot=slot, cid=o.cid, side=o.side, cap=o.cap))

    def _chased(self, life: Life, gate: int, value: float, limit: float, price: Micros, ts: Nanos, plan: Plan) -> None:
        _, attempt = life.numbers
        row = journal.Chased(
            ts=ts, slot=life.order.slot, cid=life.order.cid, attempt=attempt, gate=gate, value=value, limit=limit,
            price=price,
        )  # fmt: skip
        plan.rows.append(row)

    # -- looks

    def _due(self, life: Life) -> Nanos:
        """When an order in flight is looked at next; one that only waits for the market, not while that is closed."""
        when = Nanos(max(life.order.ts, life.looked) + HEARTBEAT)
        if not life.unheard and life.canceling is None:
            when = self._opens(when)
        return min(when, Nanos(life.order.ts + CHASE)) if self._patient(life) else when

    def _patient(self, life: Life) -> bool:
        """An entry that stands, is wanted and has found nobody yet."""
        return life.order.type is Type.LIMIT and life.state is State.LIVE and life.why is None and life.ending is None

    def _look(self, ts: Nanos, plan: Plan) -> None:
        if ts >= self._opens(Nanos(self._audited + AUDIT)):
            self._audited, plan.account = ts, True
        for life in [x for x in self.lives.values() if x.flying]:
            if self._patient(life) and ts - life.order.ts >= CHASE:
                self._cancel(life, ts, plan, Why.CHASE)
            elif ts >= self._due(life):
                self._ask(life, ts, plan)
        for slot, s in sorted(self.slots.items()):
            if s.bare is not None and ts >= self._alarm(s):
                self._naked(slot, s, s.bare, ts, plan)
            if s.waits is not None and ts >= s.waits:
                s.waits = None
                self._advance(slot, ts, plan)

    def _ask(self, life: Life, ts: Nanos, plan: Plan) -> None:
        """Its status; a cancel without an answer goes out again, and one that was refused is tried again."""
        life.looked = ts
        cid = life.order.cid
        if life.open:
            plan.asks.append(cid)
        if life.canceling is not None:
            plan.sends.append(Cancel(cid=cid, ts=life.canceling))
        elif life.why is not None and not life.unheard:
            self._cancel(life, ts, plan, life.why)

    def _guard(self, slot: int, ts: Nanos, plan: Plan) -> None:
        """Is all that is held under a stop?"""
        s = self._slot(slot)
        bare = abs(self.book.held(slot)) > self._guarded(s)
        if bare and s.bare is None:
            s.bare, s.paged = ts, Nanos(0)
        elif s.bare is not None and not bare:
            if ts > s.bare:
                plan.rows.append(journal.Guarded(ts=ts, slot=slot, since=s.bare))
            s.bare = None

    def _naked(self, slot: int, s: Slot, since: Nanos, ts: Nanos, plan: Plan) -> None:
        """Too long without its stop: tried again, and after FLEE left."""
        fled = ts - since >= FLEE
        row = journal.Naked(
            ts=ts, slot=slot, since=since, held=self.book.held(slot), guarded=self._guarded(s), fled=fled
        )
        plan.rows.append(row)
        s.paged, s.rejected = ts, 0
        if fled:
            self.news.fled.append((slot, (ts - since) / SECOND))
            self._leave(slot, ts, plan, None)
        else:
            self._advance(slot, ts, plan)

    def _alarm(self, s: Slot) -> Nanos:
        """When a position without its stop is told of next; once it is to be left, not while the market is closed."""
        bare = s.bare or Nanos(0)
        if not s.paged:
            return Nanos(bare + PAGE)
        return Nanos(bare + FLEE) if s.paged < bare + FLEE else self._opens(Nanos(s.paged + RETRY))
