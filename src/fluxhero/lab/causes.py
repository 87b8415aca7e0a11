"""A journal read once more: what in it does not follow, and what happened that no backtest knows of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fluxhero.core import bars, journal
from fluxhero.core.calendar import Calendar
from fluxhero.core.explain import GATE_NAMES
from fluxhero.core.ladder import BITS
from fluxhero.feeds.files import Timeframe
from fluxhero.kernel import codes
from fluxhero.kernel.plug import Strategy
from fluxhero.lab.executed import Executions
from fluxhero.lab.findings import Findings, Kind
from fluxhero.lab.folded import Decisions
from fluxhero.messages import MINUTE, Model, Nanos, Verb, micros

WATCHED = {trip.value for trip in BITS}  # what a backtest trips, too
OPERATIONAL = {codes.HOURS, codes.FRESH, codes.PRICE, codes.RATE, codes.PAUSED, codes.FROZEN}
SETTLES = (Verb.ADOPT, Verb.IGNORE)
START = Nanos(0)


class Causes:
    """Takes the rows of a journal, one after the other."""

    def __init__(self, opened: journal.Opened, written_by: set[str], own: Strategy | None, calendar: Calendar) -> None:
        """`written_by`, `own`: as `store.recount.Recount`."""
        self.found, self.seals, self.settings = Findings(), 0, list[journal.Settings]()
        self.barred = set[int]()  # slots that were refused to be sold short
        self._bar, self._calendar = opened.model is Model.BAR, calendar
        self._timeframe = Timeframe(opened.identity.get("timeframe", "1m"))
        self._cash, self._held, self._close = int(opened.cash), dict[int, int](), dict[int, int]()
        self._last, self._tripped = START, set[tuple[str, int]]()
        self.fold = Decisions(opened, written_by, own, self.found, self._held)
        self.executions = Executions(self.found, binding=self._bar)
        self._take: dict[type, Callable[[Any], None]] = {
            journal.Settings: self._settings, journal.Blind: self._blind, journal.Seal: self._seal,
            journal.Judged: self._judged, journal.Filled: self._filled, journal.Charged: self._charged,
            journal.Adopted: self._adopted, journal.Tripped: self._trip, journal.Released: self._released,
            journal.Commanded: self._commanded, journal.Drift: self._drift,
        }  # fmt: skip

    def take(self, row: journal.Row) -> None:
        self.executions.take(row)
        if not isinstance(row, journal.Seal):
            self.fold.add(row)
        if of := self._take.get(type(row)):
            of(row)

    def _seal(self, r: journal.Seal) -> None:
        self.seals += 1
        if r.ts <= self._last:
            self.found.tell(Kind.TIMING, r.ts, "a seal that is not after the one before", self._last, r.ts)
        self._last = r.ts
        for b in r.bars:
            if (end := self._end(b)) != r.ts:
                self.found.tell(Kind.TIMING, r.ts, "the time of a bar's seal", end, r.ts, slot=b.slot, cause=True)
        self._close |= {b.slot: micros(b.close) for b in r.bars if b.quality == codes.FULL}
        self.executions.seal(r.ts, bars.read(r.bars, len(self.fold.symbols)), self.fold.rules)
        if self._bar:
            self._account(r)
        self.fold.add(r)

    def _end(self, b: journal.BarRow) -> Nanos:
        over = Nanos(b.start + self._timeframe.minutes * MINUTE)
        if b.session < 0:
            return over
        close = self._calendar.sessions[b.session].close
        return close if self._timeframe is Timeframe.D1 else min(over, close)

    def _account(self, r: journal.Seal) -> None:
        """Cash by the fills; equity by that, what is held, and the closes."""
        if r.cash != self._cash:
            self.found.tell(Kind.STATE, r.ts, "cash", self._cash, r.cash)
            return
        equity = self._cash + sum(qty * self._close.get(slot, 0) for slot, qty in self._held.items())
        if r.equity != equity:
            self.found.tell(Kind.DATA, r.ts, "equity at the closes", equity, r.equity)

    def _filled(self, r: journal.Filled) -> None:
        self._cash = r.cash
        self._held[r.slot] = self._held.get(r.slot, 0) + r.side * r.qty

    def _charged(self, r: journal.Charged) -> None:
        self._cash = r.cash

    # -- what no backtest knows of

    def _settings(self, r: journal.Settings) -> None:
        if self.settings:
            self.found.happened(Kind.STATE, r.ts, "the configuration changed")
        self.settings.append(r)

    def _blind(self, r: journal.Blind) -> None:
        self.found.happened(Kind.DATA, r.ts, f"bars that nobody saw: {r.why}")

    def _judged(self, r: journal.Judged) -> None:
        if r.gate == codes.SHORTS and self.fold.rules["shorts"][0]:
            self.barred.add(r.slot)
        ours = {trip for trip, _ in self._tripped} <= WATCHED
        if r.gate in OPERATIONAL or (r.gate == codes.RUNG and not ours):
            self.found.happened(Kind.GATE, r.ts, f"an order refused by the gate {GATE_NAMES[r.gate]}", r.slot)

    def _trip(self, r: journal.Tripped) -> None:
        self._tripped.add((r.trip, r.slot))
        if r.trip not in WATCHED:
            self.found.happened(Kind.GATE, r.ts, f"{r.trip} tripped: {r.cause}", r.slot)

    def _released(self, r: journal.Released) -> None:
        self._tripped.discard((r.trip, r.slot))
        if r.by != "script":
            self.found.happened(Kind.GATE, r.ts, f"{r.trip} released by {r.by}: {r.reason}", r.slot)

    def _commanded(self, r: journal.Commanded) -> None:
        kind = Kind.STATE if r.verb in SETTLES else Kind.GATE
        self.found.happened(kind, r.ts, f"the operator's {r.verb}: {r.reason or r.text}")

    def _drift(self, r: journal.Drift) -> None:
        self.found.happened(Kind.STATE, r.ts, f"the venue has another {r.what}: {r.theirs}, we {r.ours}", r.slot)

    def _adopted(self, r: journal.Adopted) -> None:
        self._cash = r.cash
        if r.slot >= 0:
            self._held[r.slot] = r.qty
        self.found.happened(Kind.STATE, r.ts, f"taken over from the venue: {r.qty} shares", r.slot)
