"""The watch over the account and the gate before every order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import numpy as np

from fluxhero.core import journal
from fluxhero.core.calendar import Calendar, Session
from fluxhero.core.ladder import ANSWERS, BITS, RUNGS, Rung, Trip
from fluxhero.core.marks import FRESH, QUIET, Marks
from fluxhero.core.rate import Rate
from fluxhero.kernel import codes
from fluxhero.kernel.correlation import pushed
from fluxhero.kernel.risk import admitted, closed, marked, rolled, watched
from fluxhero.kernel.state import ACCOUNT, TAPE
from fluxhero.kernel.trade import near
from fluxhero.messages import (
    Array,
    Booked,
    Chase,
    Chasing,
    Command,
    Entry,
    Granted,
    Lot,
    Micros,
    Model,
    Nanos,
    Outcome,
    Quote,
    Round,
    Sealed,
    Shares,
    Side,
    Signal,
    Signals,
    State,
    Verb,
    Watched,
)

MARKET = Micros(0)  # no limit


class Ruling(msgspec.Struct):
    """What follows from one message: rows for the journal, and perhaps orders at once."""

    rows: list[journal.Row]
    granted: Granted | None = None


def account(cash: Micros) -> Array:
    """A fresh ACCOUNT record: equity is the cash, no session seen, every mode at its full weight."""
    a = np.zeros(1, ACCOUNT)
    for name in ("equity", "day_base", "last", "peak", "crest"):
        a[name] = cash
    a["session"], a["sizing"], a["modes"]["weight"] = -1, 1.0, 1.0
    return a


def _session(sealed: Sealed) -> int:
    """The session of its bars; -1 outside of all."""
    bars = sealed.bars
    return int(bars["session"][bars["ts"] != 0].max(initial=-1))


class Risk:
    def __init__(
        self, account: Array, params: Array, symbols: int, model: Model, calendar: Calendar, auto_release: bool,
        paused: Iterable[int] = (), answered: Iterable[journal.Commanded] = (), safe: bool = False, *, rounds: int = 0,
        unshortable: frozenset[int] = frozenset(), fresh: Nanos = FRESH, quiet: Nanos = QUIET,
        entries: Iterable[Nanos] = (),
    ) -> None:  # fmt: skip
        """`paused`: slots; `answered`: commands with an id, oldest first; `safe`: nobody thinks; `rounds`: how many the
        account has seen; `unshortable`: slots never sold short; `entries`: when the last day's were sent.
        """
        self.account, self._rules, self._calendar = account, params["rules"], calendar
        self.tapes = np.zeros(symbols, TAPE)
        self.marks = Marks(symbols, fresh, quiet)
        self.book = Booked(cash=Micros(int(account["equity"][0])), held=(), entering=(), grants=0)
        self.paused, self._answered = set(paused), {row.id: row for row in answered}
        self.safe, self.rung = safe, Rung.NORMAL
        self._quoted = model is Model.QUOTE
        self._auto, self._unshortable = auto_release, unshortable
        self._sides = np.zeros(symbols, np.int64)  # of what is held or sought
        self._rounds, self._rate = rounds, Rate(entries)
        self._granted = 0
        self._tripped = False  # since the last grant
        self._pending: dict[int, Entry] = {}  # granted, and not yet in the book
        self._session: Session | None = None
        self._day = int(account["session"][0])
        if account["trail"][0] == 0.0:
            account["trail"] = params["rules"]["stop_atr"]
        self._factors = (float(account["sizing"][0]), float(account["trail"][0]))
        self._month, self._weights = int(account["month"][0]), self._weighed()
        self._climb()

    # -- what comes in

    def on_book(self, b: Booked) -> None:
        self.book = b
        if b.grants >= self._granted:
            self._pending.clear()
        for r in b.rounds:
            self.on_round(r)

    def on_round(self, r: Round) -> None:
        """A closed trade, each once."""
        closed(self.account, r.mode, r.result)
        self._rounds += 1

    def on_past(self, sealed: Sealed) -> None:
        """Bars that another life has judged, or that nobody had to."""
        self.marks.close(sealed.bars)
        pushed(self.tapes, sealed.bars)

    def states(self) -> tuple[State, ...]:
        """What a later life must have, beside the journal."""
        return (
            State(name="account", blob=self.account.tobytes(), count=self._rounds),
            State(name="tapes", blob=self.tapes.tobytes()),
        )

    def on_sealed(self, sealed: Sealed) -> tuple[Watched, Ruling]:
        """The watch, once per bar time and before any decision."""
        ruling = Ruling([])
        self.marks.heard(sealed.heard)
        self.on_past(sealed)
        session = _session(sealed)
        if session >= 0:
            ruling.rows += self._roll(session)
            month = self._month_of(session)
            tripped = watched(self.account, self.equity(), session, month, sealed.ts, self._rules)
            ruling.rows += self._trips(tripped, sealed.ts)
            self._tripped = bool(tripped)
            ruling.rows += self._changed(sealed.ts)
            if month != self._month:
                ruling.rows += self._reweighed(month, sealed.ts)
        return self._watched(self._quoted_bars(sealed)), ruling

    def on_signals(self, m: Signals) -> tuple[Granted, Ruling]:
        """Exits first, then each entry against the book with the earlier ones reserved."""
        ts, ruling = m.sealed.ts, Ruling([])
        self._reserve()
        held = [lot.slot for lot in self.book.held]
        exits: list[int] = held if self.rung is Rung.FLATTEN and _session(m.sealed) >= 0 else []
        for s in m.signals:
            if not s.entry and s.slot not in exits:
                exits += self._exit(s, ts, ruling.rows)
        entries = [e for s in m.signals if s.entry for e in self._entry(s, ts, ruling.rows)]
        raises = () if self.rung is Rung.FLATTEN else m.raises
        sold = [(s.slot, s.volume) for s in m.signals if not s.entry and s.slot in exits]
        volumes = (*sold, *((r.slot, r.volume) for r in raises if r.volume))
        granted = Granted(
            ts=ts, exits=tuple(exits), entries=tuple(entries), raises=tuple(raises), volumes=volumes,
            cancel_entries=self.rung is not Rung.NORMAL, durable=self._tripped,
        )  # fmt: skip
        self._granted += 1
        self._tripped = False
        self._pending.update({e.slot: e for e in entries})
        return granted, ruling

    def on_chasing(self, c: Chasing) -> Ruling:
        """May an entry that found nobody be sent anew, and at what price?"""
        gate, value, limit = self._shut(c.slot, c.ts)
        if gate == codes.OPEN and not self._trading(c.ts):
            gate = codes.HOURS
        price = Micros(0)
        if gate == codes.OPEN:
            price = self._price(c.slot, c.side, c.cap, c.ts)
            self._rate.count(c.ts)
        self._granted += 1
        chase = Chase(cid=c.cid, slot=c.slot, gate=gate, value=value, limit=limit, price=price)
        return Ruling([], Granted(ts=c.ts, chases=(chase,)))

    def on_quote(self, q: Quote, judge: bool = True) -> Ruling | None:
        """The first of a session begins its day; of something held, it is a mark."""
        self.marks.quote(q)
        if not (judge and self._trading(q.ts)):
            return None
        rows = self._roll(self._session.index) if self._session else []
        before = self._strikes()
        if q.usable and any(lot.slot == q.slot for lot in self.book.held):
            tripped = marked(self.account, self.equity(q.ts), q.ts, self._rules)
            if tripped:
                return self._act([*rows, *self._trips(tripped, q.ts)], q.ts)
        return Ruling(rows) if rows or self._strikes() != before else None

    def _strikes(self) -> tuple[int, int]:
        """What a restart must know of the marks before it."""
        a = self.account[0]
        return int(a["strikes"]), int(a["struck"])

    # -- commands

    def command(self, c: Command, ts: Nanos) -> tuple[Outcome, Ruling]:
        """What an operator wants, once: the same id again has the same answer and no effect."""
        known = self._answered.get(c.id)
        if known and (known.verb, known.slots, known.trip) == (c.verb, c.slots, c.trip):
            return Outcome(ok=True, text=known.text), Ruling([])
        if known and c.verb is not Verb.HALT:  # nothing keeps us from that
            return Outcome(ok=False, text=f"id {c.id} was another command, a {known.verb}; nothing done"), Ruling([])
        verbs: dict[Verb, Callable[[], tuple[Outcome, Ruling]]] = {
            Verb.HALT: lambda: self.halt(c.reason, ts),
            Verb.RELEASE: lambda: self.release(c.trip, c.reason, ts),
            Verb.PAUSE: lambda: self._pause(c.slots, ts),
            Verb.RESUME: lambda: self._resume(c.slots),
            Verb.FLATTEN: lambda: self._flatten(c.slots, ts),
            Verb.ADOPT: lambda: self._settle(c, ts),
            Verb.IGNORE: lambda: self._settle(c, ts),
        }
        outcome, ruling = verbs[c.verb]()
        if not outcome.ok:
            return outcome, ruling
        id = "" if known else c.id
        row = journal.Commanded(
            ts=ts, verb=c.verb, slots=c.slots, trip=c.trip, reason=c.reason, id=id, text=outcome.text
        )
        ruling.rows.insert(0, row)
        if row.id:
            self._remember(row)
        return outcome, ruling

    def leave(self, ts: Nanos) -> Ruling:
        """Nothing may open a position while nobody looks; what has to be left, is."""
        if self.rung is Rung.FLATTEN:
            return self._act([], ts)
        self._granted += 1
        return Ruling([], Granted(ts=ts, cancel_entries=True))

    def halt(self, reason: str, ts: Nanos) -> tuple[Outcome, Ruling]:
        if self._held(Trip.HALT):
            return Outcome(ok=True, text="already halted"), Ruling([])
        self.account["trips"] |= codes.HALT
        self._climb()
        equity = Micros(int(self.account["equity"][0]))
        row = journal.Tripped(ts=ts, trip=Trip.HALT, cause=reason, equity=equity, value=0.0, limit=0.0)
        return Outcome(ok=True, text="halted: entries and exits stop, protective stops stay"), self._act([row], ts)

    def release(self, trip: str, reason: str, ts: Nanos) -> tuple[Outcome, Ruling]:
        if trip not in set(Trip) or not self._held(Trip(trip)):
            held = ", ".join(t for t in Trip if self._held(t)) or "none"
            return Outcome(ok=False, text=f"trip {trip!r} is not held; held: {held}"), Ruling([])
        rows = self._release(Trip(trip), "operator", reason, ts)
        return Outcome(ok=True, text=f"released {trip}; rung {self.rung.name}"), Ruling(rows)

    def _pause(self, slots: tuple[int, ...], ts: Nanos) -> tuple[Outcome, Ruling]:
        self.paused.update(slots)
        self._granted += 1
        text = "paused: no new entries; exits and stops go on"
        return Outcome(ok=True, text=text), Ruling([], Granted(ts=ts, cancels=slots, durable=True))

    def _resume(self, slots: tuple[int, ...]) -> tuple[Outcome, Ruling]:
        self.paused.difference_update(slots)
        return Outcome(ok=True, text=f"resumed; rung {self.rung.name}"), Ruling([])

    def _flatten(self, slots: tuple[int, ...], ts: Nanos) -> tuple[Outcome, Ruling]:
        """Out of these symbols, and not in again before `resume`."""
        self.paused.update(slots)
        self._granted += 1
        exits = tuple(slot for slot in slots if slot in self._busy())
        text = f"flattening {len(exits)} of {len(slots)} symbols; no new entries before resume"
        return Outcome(ok=True, text=text), Ruling([], Granted(ts=ts, exits=exits, cancels=slots, durable=True))

    def _settle(self, c: Command, ts: Nanos) -> tuple[Outcome, Ruling]:
        """Of what the venue has and we have not, or the other way round, the operator decides."""
        slots = [slot for slot in c.slots if self._frozen(slot)]
        if not slots:
            return Outcome(ok=False, text="nothing differs there that no order explains; nothing done"), Ruling([])
        self._granted += 1
        if c.verb is Verb.IGNORE:
            granted, text = Granted(ts=ts, ignores=tuple(slots), durable=True), "ignored while it stays what it is"
        else:
            marks = tuple(Lot(slot=slot, qty=Shares(0), price=self.marks.mid(slot, ts)) for slot in slots)
            granted, text = Granted(ts=ts, adopts=marks, durable=True), "the broker's word is taken"
        return Outcome(ok=True, text=f"{text}: {len(slots)} of {len(c.slots)} symbols"), Ruling([], granted)

    def _frozen(self, slot: int) -> bool:
        return bool(self.book.frozen) and (slot in self.book.frozen or -1 in self.book.frozen)

    def _busy(self) -> set[int]:
        """Symbols held, or about to be."""
        return {lot.slot for lot in (*self.book.held, *self.book.entering)} | self._pending.keys()

    def _remember(self, row: journal.Commanded) -> None:
        self._answered[row.id] = row
        if len(self._answered) > ANSWERS:
            del self._answered[next(iter(self._answered))]

    # -- the account

    def equity(self, ts: Nanos | None = None) -> Micros:
        """Cash and positions, at the last closes, or at the mids of live quotes where a time is given."""
        marks = self.marks
        worth = sum(lot.qty * (marks.mid(lot.slot, ts) if ts else marks.closes[lot.slot]) for lot in self.book.held)
        return Micros(self.book.cash + worth)

    @property
    def exposure(self) -> Micros:
        """Positions at the last closes, long or short."""
        return Micros(sum(abs(lot.qty) * self.marks.closes[lot.slot] for lot in self.book.held))

    def _trading(self, ts: Nanos) -> bool:
        s = self._session
        if s is None or not s.open <= ts < s.close:
            s = self._session = self._calendar.at(ts)
        return s is not None

    def _roll(self, session: int) -> list[journal.Row]:
        """A new session: its day begins, and the scripted operator lets go of yesterday's loss."""
        if session == self._day:
            return []
        self._day = session
        rolled(self.account, session)
        if not (self._auto and self._held(Trip.DAY_LOSS)):
            return []
        return self._release(Trip.DAY_LOSS, "script", "a new session", self._calendar.sessions[session].open)

    def _watched(self, sealed: Sealed) -> Watched:
        return Watched(sealed=sealed, equity=self.equity(), cash=self.book.cash, trail=self._factors[1])

    def _quoted_bars(self, sealed: Sealed) -> Sealed:
        """With the spread at their end, where quotes are to be had."""
        if not self._quoted:
            return sealed
        bars = sealed.bars.copy()
        bars["spread"] = [self.marks.spread(slot, sealed.ts) for slot in range(bars.size)]
        return Sealed(ts=sealed.ts, bars=bars, heard=sealed.heard)

    def _reserve(self) -> None:
        """Exposure, slots and sides in use: held at the marks, entering at decision prices."""
        a, sides = self.account[0], self._sides
        entering = {lot.slot: lot.qty * lot.price for lot in self.book.entering}
        entering.update({e.slot: e.side * e.qty * e.price for e in self._pending.values()})
        sides[:] = 0
        for slot, worth in (*((lot.slot, lot.qty) for lot in self.book.held), *entering.items()):
            sides[slot] = codes.LONG if worth > 0 else codes.SHORT
        a["deployed"] = self.exposure + sum(abs(worth) for worth in entering.values())
        a["positions"] = np.count_nonzero(sides)

    # -- the gate

    def _exit(self, s: Signal, ts: Nanos, rows: list[journal.Row]) -> list[int]:
        held = next((abs(lot.qty) for lot in self.book.held if lot.slot == s.slot), 0)
        shut = self.rung is Rung.HALTED
        gate = codes.RUNG if shut else codes.OPEN
        row = journal.Judged(
            ts=ts, slot=s.slot, entry=False, gate=gate, value=float(self.rung), limit=0.0, qty=Shares(held)
        )
        rows.append(row)
        return [] if shut else [s.slot]

    def _entry(self, s: Signal, ts: Nanos, rows: list[journal.Row]) -> list[Entry]:
        row = self._judged(s, ts)
        rows.append(row)
        if not row.qty:
            return []
        self._rate.count(ts)
        entry = Entry(
            slot=s.slot, side=s.side, qty=row.qty, mode=s.mode, price=s.price, limit=row.price, cap=row.cap,
            stop=s.stop, wide=s.wide, volume=s.volume,
        )  # fmt: skip
        return [entry]

    def _price(self, slot: int, side: Side, cap: Micros, ts: Nanos) -> Micros:
        return Micros(near(self.marks.mid(slot, ts), cap, int(side)))

    def _judged(self, s: Signal, ts: Nanos) -> journal.Judged:
        """An entry refused, or what the caps leave of it."""
        gate, value, limit = self._refusal(s, ts)
        if gate != codes.OPEN:
            return journal.Judged(ts=ts, slot=s.slot, entry=True, gate=gate, value=value, limit=limit)
        a = admitted(
            self.account, self.tapes, self._sides, self._rules, s.slot, int(s.side), s.mode, s.price, s.stop, s.risk,
            s.scale, s.slot in self._unshortable,
        )  # fmt: skip
        price, cap = (self._price(s.slot, s.side, s.cap, ts), s.cap) if self._quoted and a.qty else (MARKET, MARKET)
        return journal.Judged(
            ts=ts, slot=s.slot, entry=True, gate=a.gate, value=a.value, limit=a.limit, qty=Shares(a.qty),
            by_risk=a.by_risk, by_cap=a.by_cap, by_room=a.by_room, factor=a.share, weight=a.weight, company=a.company,
            correlation=None if a.peer < 0 else a.correlation, peer=None if a.peer < 0 else a.peer,
            price=price, cap=cap,
        )  # fmt: skip

    def _refusal(self, s: Signal, ts: Nanos) -> tuple[int, float, float]:
        busy = s.slot in self._pending or any(lot.slot == s.slot for lot in (*self.book.held, *self.book.entering))
        shut = self._shut(s.slot, ts)
        return (codes.BUSY, 1.0, 0.0) if busy and shut[0] not in (codes.RUNG, codes.PAUSED) else shut

    def _shut(self, slot: int, ts: Nanos) -> tuple[int, float, float]:
        """What keeps every entry order of a symbol back now, a first or another attempt: gate, value, limit."""
        if self.rung is not Rung.NORMAL:
            return codes.RUNG, float(self.rung), 0.0
        if slot in self.paused:
            return codes.PAUSED, 1.0, 0.0
        if self._frozen(slot):
            return codes.FROZEN, 1.0, 0.0
        over = self._rate.over(ts)
        if over:
            return codes.RATE, *over
        age, limit = self.marks.age(slot, ts) if self._quoted else (0.0, 0.0)
        return (codes.FRESH, age, limit) if age > limit else (codes.OPEN, 0.0, 0.0)

    # -- trips

    def _held(self, trip: Trip) -> bool:
        return bool(int(self.account["trips"][0]) & BITS[trip])

    def _climb(self) -> None:
        floor = Rung.SAFE if self.safe else Rung.NORMAL
        self.rung = max([floor, *(RUNGS[t] for t in Trip if self._held(t))])

    def _trips(self, bits: int, ts: Nanos) -> list[journal.Row]:
        """The rows of newly tripped limits; the rung in memory is set first."""
        if not bits:
            return []
        self._climb()
        a, rules = self.account[0], self._rules[0]
        lost = int(a["day_base"]) - int(a["equity"])
        drawn = int(a["crest"]) - int(a["equity"])
        causes = {
            Trip.DAY_LOSS: ("day loss", lost / int(a["day_base"]), float(rules["day_loss"])),
            Trip.DRAWDOWN: ("drawdown", drawn / int(a["crest"]), float(rules["hard_drawdown"])),
        }
        return [
            journal.Tripped(ts=ts, trip=t, cause=c, equity=Micros(int(a["equity"])), value=value, limit=limit)
            for t, (c, value, limit) in causes.items()
            if bits & BITS[t]
        ]

    def _act(self, rows: list[journal.Row], ts: Nanos) -> Ruling:
        """What a trip between seals does at once. Outside the session FLATTEN waits for the next seal in it."""
        exits = tuple(sorted(self._busy())) if self.rung is Rung.FLATTEN and self._trading(ts) else ()
        self._granted += 1
        return Ruling(rows, Granted(ts=ts, exits=exits, cancel_entries=True, durable=True))

    def _release(self, trip: Trip, by: str, reason: str, ts: Nanos) -> list[journal.Row]:
        """Drawdown counts from present equity after its release; the reported peak and history stay."""
        a = self.account
        a["trips"] &= ~BITS[trip]
        a["strikes"] = 0
        if trip is Trip.DRAWDOWN:
            a["crest"] = a["equity"]
        self._climb()
        return [journal.Released(ts=ts, trip=trip, by=by, reason=reason)]

    def _changed(self, ts: Nanos) -> list[journal.Row]:
        now = (float(self.account["sizing"][0]), float(self.account["trail"][0]))
        if now == self._factors:
            return []
        self._factors = now
        return [journal.Factors(ts=ts, sizing=now[0], trail=now[1])]

    # -- the weights of the modes

    def _month_of(self, session: int) -> int:
        date = self._calendar.sessions[session].date
        return date.year * 12 + date.month

    def _weighed(self) -> list[float]:
        weights: list[float] = self.account["modes"]["weight"][0].tolist()
        return weights

    def _reweighed(self, month: int, ts: Nanos) -> list[journal.Row]:
        """The modes whose weight the new month has changed."""
        before, self._weights, self._month = self._weights, self._weighed(), month
        return [
            journal.Weights(
                ts=ts, mode=mode, weight=now, trades=int(m["trades"]), factor=int(m["gains"]) / int(m["losses"])
            )
            for mode, (was, now, m) in enumerate(zip(before, self._weights, self.account["modes"][0], strict=True))
            if was != now
        ]
