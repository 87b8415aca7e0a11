"""The trips that are held, of the account and of single symbols, and the rung that each leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fluxhero.core import journal
from fluxhero.core.ladder import ACCOUNT, RULES, Rung, Trip
from fluxhero.messages import Micros, Nanos


class Trips:
    def __init__(self, held: Iterable[journal.Tripped] = (), floor: Rung = Rung.NORMAL) -> None:
        """`held`: rows that nothing has released; `floor`: what rules where no trip does."""
        self.floor = floor
        self._held = {(Trip(row.trip), row.slot): row for row in held}

    def __iter__(self) -> Iterator[journal.Tripped]:
        return iter(self._held.values())

    def held(self, trip: Trip, slot: int = ACCOUNT) -> bool:
        return (trip, slot) in self._held

    @property
    def rung(self) -> Rung:
        """Of the account."""
        if not self._held:
            return self.floor
        return max([self.floor, *(RULES[trip].rung for trip, slot in self._held if slot == ACCOUNT)])

    def of(self, slot: int) -> tuple[Rung, Trip | None]:
        """The rung of a symbol by its own trips alone, and the trip that asks for it; the silent one last."""
        own = [(RULES[trip].rung, trip) for trip, at in self._held if at == slot]
        return max(own, default=(Rung.NORMAL, None), key=lambda held: (held[0], held[1] is not Trip.STALE))

    def slots(self, trip: Trip) -> set[int]:
        """Symbols of which it is held."""
        return {slot for held, slot in self._held if held is trip}

    @property
    def symbols(self) -> frozenset[int]:
        """That hold any."""
        return frozenset(slot for _, slot in self._held if slot != ACCOUNT)

    def flat(self) -> set[int]:
        """Symbols that are to be left, though the account is not."""
        return {slot for trip, slot in self._held if slot != ACCOUNT and RULES[trip].rung is Rung.FLATTEN}

    def trip(
        self, trip: Trip, ts: Nanos, cause: str, equity: Micros, value: float = 0.0, limit: float = 0.0,
        slot: int = ACCOUNT,
    ) -> list[journal.Tripped]:  # fmt: skip
        """In force at once. The row of it, or nothing where it is held already."""
        if self.held(trip, slot):
            return []
        row = journal.Tripped(ts=ts, trip=trip, cause=cause, equity=equity, value=value, limit=limit, slot=slot)
        self._held[trip, slot] = row
        return [row]

    def end(self, trip: Trip, ts: Nanos, by: str, reason: str, slot: int = ACCOUNT) -> list[journal.Released]:
        if self._held.pop((trip, slot), None) is None:
            return []
        return [journal.Released(ts=ts, trip=trip, by=by, reason=reason, slot=slot)]
