"""Watch and gate, and what an operator may want of them."""

from __future__ import annotations

from collections.abc import Callable

from fluxhero.core import journal
from fluxhero.core.gate import Gate
from fluxhero.core.ladder import ACCOUNT, ANSWERS, RULES, Rung, Trip
from fluxhero.core.terms import Past, Ruling, Terms
from fluxhero.messages import Array, Command, Granted, Lot, Nanos, Outcome, Shares, Verb


class Risk(Gate):
    def __init__(self, account: Array, terms: Terms, past: Past | None = None) -> None:
        past = past or Past()
        super().__init__(account, terms, past)
        self._answered = {row.id: row for row in past.answered}

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
            Verb.RELEASE: lambda: self.release(c.trip, c.reason, ts, c.slots),
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

    def resumed(self, ts: Nanos) -> Ruling | None:
        """What a former life has tripped, and perhaps did not live to act on."""
        held: list[journal.Row] = list(self.trips)
        return Ruling([], self._act(held, ts).granted) if held or self.rung is not Rung.NORMAL else None

    def halt(self, reason: str, ts: Nanos) -> tuple[Outcome, Ruling]:
        rows: list[journal.Row] = [*self._trip(Trip.HALT, ts, reason)]
        if not rows:
            return Outcome(ok=True, text="already halted"), Ruling([])
        return Outcome(ok=True, text="halted: entries and exits stop, protective stops stay"), self._act(rows, ts)

    def release(self, name: str, reason: str, ts: Nanos, slots: tuple[int, ...] = ()) -> tuple[Outcome, Ruling]:
        """`slots`: of a trip that is of symbols, all that hold it where none is given."""
        trip = Trip(name) if name in set(Trip) else None
        scopes = [row.slot for row in self.trips if row.trip == trip and (not slots or row.slot in slots)]
        if trip is None or not scopes:
            held = ", ".join(dict.fromkeys(row.trip for row in self.trips)) or "none"
            where = " of these symbols" if slots else ""
            return Outcome(ok=False, text=f"trip {name!r} is not held{where}; held: {held}"), Ruling([])
        if ends := RULES[trip].ends:
            return Outcome(ok=False, text=f"{name} lets go by itself, {ends}; nothing done"), Ruling([])
        rows = [row for slot in scopes for row in self._release(trip, "operator", reason, ts, slot)]
        return Outcome(ok=True, text=f"released {name}; rung {self.rung.name}"), Ruling(rows)

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
        return slot in self.book.frozen or ACCOUNT in self.book.frozen

    def _remember(self, row: journal.Commanded) -> None:
        self._answered[row.id] = row
        if len(self._answered) > ANSWERS:
            del self._answered[next(iter(self._answered))]
