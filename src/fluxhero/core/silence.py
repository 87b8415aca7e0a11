"""Silence: for how long nobody has quoted a symbol. Closed hours do not count."""

from __future__ import annotations

from collections.abc import Collection

from fluxhero.core.calendar import Calendar, CalendarEnd
from fluxhero.core.marks import Marks
from fluxhero.messages import Nanos


class Silence:
    def __init__(self, marks: Marks, calendar: Calendar, quiet: Nanos, begins: Nanos) -> None:
        """`quiet`: how long is too long; `begins`: since when something could have been heard."""
        self._marks, self._calendar, self._quiet, self._begins = marks, calendar, quiet, begins

    def ages(self, ts: Nanos) -> list[Nanos]:
        """Of every symbol, by slot."""
        return [Nanos(ts - heard) for heard in self._heard(ts)]

    def due(self, ts: Nanos, but: Collection[int]) -> Nanos | None:
        """When the first will have been silent for too long, `but` those; None: never."""
        try:
            return min(
                (self._due(heard) for slot, heard in enumerate(self._heard(ts)) if slot not in but), default=None
            )
        except CalendarEnd:
            return None

    def _heard(self, ts: Nanos) -> list[Nanos]:
        """When each was last quoted; at the earliest, when something could have been heard."""
        session = self._calendar.at(ts)
        since = max(session.open if session else ts, self._begins)
        return [max(self._marks.quoted(slot), since) for slot in range(len(self._marks.closes))]

    def _due(self, heard: Nanos) -> Nanos:
        session = self._calendar.next(heard)
        due = Nanos(max(heard, session.open) + self._quiet)
        return due if due < session.close else Nanos(self._calendar.next(session.close).open + self._quiet)
