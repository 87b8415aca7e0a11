"""The watch over the account: what it is worth, what its days have lost, and what trips."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from fluxhero.core import journal
from fluxhero.core.calendar import Session
from fluxhero.core.ladder import ACCOUNT as WHOLE
from fluxhero.core.ladder import BITS, RULES, Rung, Trip
from fluxhero.core.lives import FLEE
from fluxhero.core.marks import Marks
from fluxhero.core.silence import Silence
from fluxhero.core.terms import Past, Ruling, Terms
from fluxhero.core.trips import Trips
from fluxhero.kernel.correlation import pushed
from fluxhero.kernel.risk import closed, marked, rolled, watched
from fluxhero.kernel.state import TAPE
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Array,
    Booked,
    Entry,
    Granted,
    Micros,
    Model,
    Nanos,
    Quote,
    Round,
    Sealed,
    Sensed,
    State,
    Watched,
)

REJECTS = 5  # orders refused by the broker within a minute are a storm
NEVER = Micros(2**62)
TOLD = MINUTE  # for so long the broker's own word of our equity counts


class Watch:
    def __init__(self, account: Array, terms: Terms, past: Past) -> None:
        self.account, self._terms, self._rules = account, terms, terms.params["rules"]
        self._calendar = terms.calendar
        self.tapes = np.zeros(terms.symbols, TAPE)
        self.marks = Marks(terms.symbols, terms.fresh, terms.quiet)
        self._silence = Silence(self.marks, terms.calendar, terms.quiet, terms.begins)
        self.book = Booked(cash=Micros(int(account["equity"][0])), held=(), entering=(), grants=0)
        self.trips = Trips(past.trips, Rung.SAFE if terms.safe else Rung.NORMAL)
        self._quoted = terms.model is Model.QUOTE
        self._rounds, self._flows = past.rounds, past.flows
        self._rejects = deque(past.rejects, maxlen=REJECTS)
        self._theirs = NEVER  # what the broker told the time before: of one print of his nothing follows
        self._granted = 0
        self._tripped = False  # since the last grant
        self._pending: dict[int, Entry] = {}  # granted, and not yet in the book
        self._session: Session | None = None
        self._day = int(account["session"][0])
        if account["trail"][0] == 0.0:
            account["trail"] = self._rules["stop_atr"]
        self._factors = (float(account["sizing"][0]), float(account["trail"][0]))
        self._month, self._weights = int(account["month"][0]), self._weighed()

    @property
    def safe(self) -> bool:
        """Nobody thinks."""
        return self._terms.safe

    @property
    def rung(self) -> Rung:
        """Of the account."""
        return self.trips.rung

    # -- what comes in

    def begun(self, b: Booked) -> None:
        """The book of a former life, before anything has happened in this one."""
        self.book = b

    def on_book(self, b: Booked) -> Ruling | None:
        """What the desk knows; of what has gone wrong there, trips."""
        if b.told != self.book.told:
            self._theirs = self.book.theirs or NEVER
        self.book = b
        if b.grants >= self._granted:
            self._pending.clear()
        for r in b.rounds:
            self.on_round(r)
        for flow in b.flows:
            self.on_flow(flow)
        rows = [*self._drifted(b), *self._fled(b), *self._stormed(b)]
        return self._act(rows, b.ts) if rows else None

    def on_round(self, r: Round) -> None:
        """A closed trade, each once."""
        closed(self.account, r.mode, r.result)
        self._rounds += 1

    def on_flow(self, by: Micros) -> None:
        """What came into the account, or left it, is no day's result and no drawdown: what these are shares of moves
        in the same proportion. Each once.
        """
        a = self.account[0]
        before = int(a["equity"])
        for name in ("day_base", "last", "crest", "peak"):
            base = int(a[name])
            a[name] = base * (before + by) // before if before > 0 else base + by
        a["equity"] = before + by
        self._flows += 1

    def on_past(self, sealed: Sealed) -> None:
        """Bars that another life has judged, or that nobody had to."""
        self.marks.close(sealed.bars)
        pushed(self.tapes, sealed.bars)

    def states(self) -> tuple[State, ...]:
        """What a later life must have, beside the journal."""
        return (
            State(name="account", blob=self.account.tobytes(), count=self._rounds),
            State(name="tapes", blob=self.tapes.tobytes(), count=self._flows),
        )

    def on_sealed(self, sealed: Sealed) -> tuple[Watched, Ruling]:
        """The watch, once per bar time and before any decision."""
        ruling = Ruling([])
        self.marks.heard(sealed.heard)
        self.on_past(sealed)
        session = session_of(sealed)
        if session >= 0:
            ruling.rows += self._roll(session)
            month = self._month_of(session)
            tripped = watched(self.account, self.worst(sealed.ts), session, month, sealed.ts, self._rules)
            ruling.rows += self._limits(tripped, sealed.ts)
            self._tripped = bool(tripped)
            ruling.rows += self._changed(sealed.ts)
            if month != self._month:
                ruling.rows += self._reweighed(month, sealed.ts)
        return self._watched(self._quoted_bars(sealed)), ruling

    def on_quote(self, q: Quote, judge: bool = True) -> Ruling | None:
        """The first of a session begins its day; of something held, it is a mark."""
        self.marks.quote(q)
        if not judge:
            return None
        rows: list[journal.Row] = list(self._heard(q))
        if not self._trading(q.ts):
            return Ruling(rows) if rows else None
        rows += self._roll(self._session.index) if self._session else []
        before = self._strikes()
        if q.usable and any(lot.slot == q.slot for lot in self.book.held):
            tripped = marked(self.account, self.worst(q.ts, live=True), q.ts, self._rules)
            if tripped:
                return self._act([*rows, *self._limits(tripped, q.ts)], q.ts)
        return Ruling(rows) if rows or self._strikes() != before else None

    def on_sensed(self, s: Sensed, ts: Nanos) -> Ruling | None:
        """What the machine or the wire has noticed."""
        trip = Trip(s.trip)
        if s.over:
            rows: list[journal.Row] = list(self._trip(trip, ts, s.cause, s.value, s.limit))
            return self._act(rows, ts) if rows else None
        rows = list(self.trips.end(trip, ts, "evidence", s.cause)) if RULES[trip].ends else []
        return Ruling(rows) if rows else None

    # -- silence

    def next(self, ts: Nanos) -> Nanos | None:
        """When a symbol, or the market, will have been silent for too long, should nothing be heard from `ts` on."""
        if not self._quoted or self.trips.held(Trip.FEED):
            return None
        return self._silence.due(ts, self.trips.slots(Trip.STALE))

    def woken(self, ts: Nanos) -> Ruling | None:
        """Who has been silent for too long."""
        quiet, ages = self._terms.quiet, self._silence.ages(ts)
        rows: list[journal.Row] = []
        if min(ages) >= quiet:
            cause = "no quote of any symbol for so many seconds"
            rows += self._trip(Trip.FEED, ts, cause, min(ages) / 1e9, quiet / 1e9)
        else:
            for slot, age in enumerate(ages):
                if age >= quiet:
                    cause = "no quote for so many seconds"
                    rows += self._trip(Trip.STALE, ts, cause, age / 1e9, quiet / 1e9, slot)
        return self._act(rows, ts) if rows else None

    def _heard(self, q: Quote) -> list[journal.Released]:
        rows = self.trips.end(Trip.FEED, q.ts, "evidence", "the market is heard again")
        return rows + self.trips.end(Trip.STALE, q.ts, "evidence", "it is quoted again", q.slot)

    # -- what the desk tells

    def _drifted(self, b: Booked) -> list[journal.Row]:
        rows: list[journal.Row] = []
        held = self.trips.slots(Trip.DRIFT)
        for slot in sorted(set(b.frozen) - held):
            rows += self._trip(Trip.DRIFT, b.ts, "the broker has something else than we", slot=slot)
        for slot in sorted(held - set(b.frozen)):
            rows += self.trips.end(Trip.DRIFT, b.ts, "evidence", "both agree", slot)
        return rows

    def _fled(self, b: Booked) -> list[journal.Row]:
        cause = "without its whole stop for so many seconds"
        return [row for slot, s in b.fled for row in self._trip(Trip.NAKED, b.ts, cause, s, FLEE / SECOND, slot)]

    def _stormed(self, b: Booked) -> list[journal.Row]:
        """Too many refused within a minute, one of them just now."""
        self._rejects.extend(b.rejects)
        full = len(self._rejects) == REJECTS and self._rejects[-1] - self._rejects[0] <= MINUTE
        if not (b.rejects and full):
            return []
        rows = self._trip(Trip.REJECTS, b.ts, "so many orders refused within a minute", REJECTS, REJECTS)
        return list(rows)

    # -- the account

    def equity(self, ts: Nanos | None = None) -> Micros:
        """Cash and positions, at the last closes, or at the mids of live quotes where a time is given."""
        marks = self.marks
        worth = sum(lot.qty * (marks.mid(lot.slot, ts) if ts else marks.closes[lot.slot]) for lot in self.book.held)
        return Micros(self.book.cash + worth)

    def worst(self, ts: Nanos, live: bool = False) -> Micros:
        """Our own reckoning or the broker's, if he has just told his: the less of both."""
        own, b = self.equity(ts if live else None), self.book
        known = b.theirs and ts - b.told <= TOLD and WHOLE not in b.frozen
        return min(own, max(b.theirs, self._theirs)) if known else own

    @property
    def exposure(self) -> Micros:
        """Positions at the last closes, long or short."""
        return Micros(sum(abs(lot.qty) * self.marks.closes[lot.slot] for lot in self.book.held))

    def _busy(self) -> set[int]:
        """Symbols held, or about to be."""
        return {lot.slot for lot in (*self.book.held, *self.book.entering)} | self._pending.keys()

    def _trading(self, ts: Nanos) -> bool:
        s = self._session
        if s is None or not s.open <= ts < s.close:
            s = self._session = self._calendar.at(ts)
        return s is not None

    def _strikes(self) -> tuple[int, int]:
        """What a restart must know of the marks before it."""
        a = self.account[0]
        return int(a["strikes"]), int(a["struck"])

    def _roll(self, session: int) -> list[journal.Row]:
        """A new session: its day begins, and the scripted operator lets go of yesterday's loss."""
        if session == self._day:
            return []
        self._day = session
        rolled(self.account, session)
        if not (self._terms.auto_release and self.trips.held(Trip.DAY_LOSS)):
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

    # -- trips

    def _trip(
        self, trip: Trip, ts: Nanos, cause: str, value: float = 0.0, limit: float = 0.0, slot: int = WHOLE
    ) -> list[journal.Tripped]:
        return self.trips.trip(trip, ts, cause, Micros(int(self.account["equity"][0])), value, limit, slot)

    def _limits(self, bits: int, ts: Nanos) -> list[journal.Row]:
        """The rows of limits that the kernel has found newly tripped."""
        a, rules = self.account[0], self._rules[0]
        lost, drawn = int(a["day_base"]) - int(a["equity"]), int(a["crest"]) - int(a["equity"])
        rows: list[journal.Row] = []
        if bits & BITS[Trip.DAY_LOSS]:
            rows += self._trip(Trip.DAY_LOSS, ts, "day loss", _part(lost, a["day_base"]), float(rules["day_loss"]))
        if bits & BITS[Trip.DRAWDOWN]:
            rows += self._trip(Trip.DRAWDOWN, ts, "drawdown", _part(drawn, a["crest"]), float(rules["hard_drawdown"]))
        return rows

    def _act(self, rows: list[journal.Row], ts: Nanos) -> Ruling:
        """What trips between seals do at once. Outside the session FLATTEN waits for the next seal in it."""
        slots = {row.slot for row in rows if isinstance(row, journal.Tripped) and row.slot != WHOLE}
        self._granted += 1
        granted = Granted(
            ts=ts, exits=tuple(sorted(self._out())) if self._trading(ts) else (),
            cancel_entries=self.rung is not Rung.NORMAL, cancels=tuple(sorted(slots)), durable=True,
        )  # fmt: skip
        return Ruling(rows, granted)

    def _out(self) -> set[int]:
        """Symbols that are to be left."""
        return self._busy() if self.rung is Rung.FLATTEN else self.trips.flat() & self._busy()

    def _release(self, trip: Trip, by: str, reason: str, ts: Nanos, slot: int = WHOLE) -> list[journal.Row]:
        """Drawdown counts from present equity after its release; the reported peak and history stay."""
        a = self.account
        a["trips"] &= ~BITS.get(trip, 0)
        if trip in BITS:
            a["strikes"] = 0
        if trip is Trip.DRAWDOWN:
            a["crest"] = a["equity"]
        return [*self.trips.end(trip, ts, by, reason, slot)]

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


def _part(lost: int, of: int) -> float:
    """Of what there was; of nothing, any loss is without bound."""
    return lost / int(of) if of > 0 else math.inf


def session_of(sealed: Sealed) -> int:
    """The session of its bars; -1 outside of all."""
    sessions = sealed.bars["session"].tolist()
    return max((sessions[slot] for slot, start in enumerate(sealed.bars["ts"].tolist()) if start), default=-1)
