"""The gate: every order that seeks to enter or to leave is judged here, and a refusal says what refused."""

from __future__ import annotations

from collections import deque

import numpy as np

from fluxhero.core import journal
from fluxhero.core.calendar import Session
from fluxhero.core.ladder import Rung, Trip
from fluxhero.core.rate import Rate
from fluxhero.core.terms import Past, Ruling, Terms
from fluxhero.core.watch import Watch, session_of
from fluxhero.kernel import codes
from fluxhero.kernel.risk import admitted, governed
from fluxhero.kernel.trade import near
from fluxhero.messages import (
    Array,
    Booked,
    Chase,
    Chasing,
    Entry,
    Granted,
    Micros,
    Nanos,
    Shares,
    Side,
    Signal,
    Signals,
)

MARKET = Micros(0)  # no limit
Shut = tuple[int, float, float]  # gate, value, limit


class Gate(Watch):
    def __init__(self, account: Array, terms: Terms, past: Past) -> None:
        super().__init__(account, terms, past)
        self.paused = set(past.paused)
        self._rate = Rate(past.entries)
        self._most = int(self._rules["day_trades"][0])  # round trips within a day
        self._days = deque[int](maxlen=self._most or 1)  # sessions of the last of them
        for opened, ended in past.trades:
            self._traded(opened, ended)
        self._sides = np.zeros(terms.symbols, np.int64)  # of what is held or sought

    def on_book(self, b: Booked) -> Ruling | None:
        for ts in b.resent:
            self._rate.count(ts)
        for r in b.rounds:
            self._traded(r.opened, r.closed)
        return super().on_book(b)

    def on_signals(self, m: Signals) -> tuple[Granted, Ruling]:
        """Exits first, then each entry against the book with the earlier ones reserved."""
        ts, ruling = m.sealed.ts, Ruling([])
        if any(s.entry for s in m.signals):
            self._reserve()
        out = self._out() if session_of(m.sealed) >= 0 else set()
        exits = [lot.slot for lot in self.book.held if lot.slot in out]
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
        price = Micros(0)
        if gate == codes.OPEN:
            price = self._price(c.slot, c.side, c.cap, c.ts)
            self._rate.count(c.ts)
        self._granted += 1
        chase = Chase(cid=c.cid, slot=c.slot, gate=gate, value=value, limit=limit, price=price)
        return Ruling([], Granted(ts=c.ts, chases=(chase,)))

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
            s.scale, s.slot in self._terms.unshortable,
        )  # fmt: skip
        price, cap = (self._price(s.slot, s.side, s.cap, ts), s.cap) if self._quoted and a.qty else (MARKET, MARKET)
        return journal.Judged(
            ts=ts, slot=s.slot, entry=True, gate=a.gate, value=a.value, limit=a.limit, qty=Shares(a.qty),
            by_risk=a.by_risk, by_cap=a.by_cap, by_room=a.by_room, factor=a.share, weight=a.weight, company=a.company,
            correlation=None if a.peer < 0 else a.correlation, peer=None if a.peer < 0 else a.peer,
            price=price, cap=cap,
        )  # fmt: skip

    def _refusal(self, s: Signal, ts: Nanos) -> Shut:
        busy = s.slot in self._pending or any(lot.slot == s.slot for lot in (*self.book.held, *self.book.entering))
        shut = self._shut(s.slot, ts)
        return (codes.BUSY, 1.0, 0.0) if busy and shut[0] not in (codes.RUNG, codes.PAUSED) else shut

    def _shut(self, slot: int, ts: Nanos) -> Shut:
        """What keeps every entry order of a symbol back now, a first or another attempt: gate, value, limit."""
        if self.rung is not Rung.NORMAL:
            return codes.RUNG, float(self.rung), 0.0
        if slot in self.paused:
            return codes.PAUSED, 1.0, 0.0
        rung, trip = self.trips.of(slot)
        if rung is not Rung.NORMAL and trip is not Trip.STALE:  # of which the quote's age says more
            return (codes.FROZEN, 1.0, 0.0) if trip is Trip.DRIFT else (codes.RUNG, float(rung), 0.0)
        over = self._rate.over(ts)
        if over:
            return codes.RATE, *over
        if self._governed(ts):
            return codes.DAYTRADES, float(self._most), float(self._most)
        return self._quote(slot, ts) if self._quoted else (codes.OPEN, 0.0, 0.0)

    def _quote(self, slot: int, ts: Nanos) -> Shut:
        """Where quotes are to be had, there must be one that is fresh and sane, in a session."""
        if not self._trading(ts):
            return codes.HOURS, 0.0, 0.0
        age, limit = self.marks.age(slot, ts)
        if age > limit:
            return codes.FRESH, age, limit
        close, collar = self.marks.closes[slot], self._terms.collar
        away = abs(self.marks.mid(slot, ts) - close) / close if close else 0.0
        return (codes.PRICE, away, collar) if away > collar else (codes.OPEN, 0.0, 0.0)

    def _traded(self, opened: Nanos, ended: Nanos) -> None:
        """A round trip; those within a day are counted."""
        if not self._most:
            return
        day = self._day_of(ended)
        if day is not None and day == self._day_of(opened):
            self._days.append(day.index)

    def _day_of(self, ts: Nanos) -> Session | None:
        """The session of a fill. In bars its time is the end of its bar, which may be the session's."""
        return self._calendar.at(ts) or self._calendar.at(Nanos(ts - 1))

    def _governed(self, ts: Nanos) -> bool:
        if len(self._days) < max(self._most, 1):
            return False
        return governed(self._most, len(self._days), self._days[0], self._calendar.next(ts).index)
