"""Watch and gate: sees the account at every seal and quote, and every order before it is one. Waits for nobody."""

from __future__ import annotations

from typing import Any

from fluxhero.core.journal import Released, Tripped
from fluxhero.core.ladder import Trip
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Ruling
from fluxhero.messages import Booked, Chasing, Command, Leave, Nanos, Note, Quote, Sealed, Sensed, Signals, Wake
from fluxhero.ports import Clock, Source
from fluxhero.runtime.brake import Brake
from fluxhero.runtime.channels import Ask, Inbox, Outbox
from fluxhero.runtime.clock import SILENCE


async def risk(
    inbox: Inbox[Any], own: Outbox[Any], orders: Outbox[Any], strategy: Outbox[Any], recorder: Outbox[Any],
    watch: Risk, clock: Clock, brake: Brake, resume: int, last: Nanos, source: Source,
) -> None:  # fmt: skip
    """Quotes before tape event `resume` were judged in a former life; `last`: its newest time, which no command of
    ours may bear less than, though the clock has not come there again; `source`: of all that happens.
    """
    armed = False

    def now() -> Nanos:
        return max(clock.now(), last)

    def stands() -> None:
        brake.stands(watch.rung, watch.trips.symbols, watch.trips.held(Trip.HALT))

    def rule(ruling: Ruling | None) -> None:
        """The brake first: it needs neither disk nor desk."""
        if ruling is None:
            return
        if any(isinstance(row, Released) and row.trip == Trip.HALT for row in ruling.rows):
            brake.let_go()
        stands()
        brake.unwritten += [row for row in ruling.rows if isinstance(row, Tripped)]
        recorder.send_nowait(Note(rows=tuple(ruling.rows), states=watch.states()))
        if ruling.granted is not None:
            orders.send_nowait(ruling.granted)

    def arm() -> None:
        """One timer, never later than the next silence is due."""
        nonlocal armed
        when = None if armed else watch.next(now())
        if when is not None:
            armed = True
            clock.at(when, wake, rank=SILENCE)

    def wake() -> None:
        nonlocal armed
        armed = False
        if not source.again:
            own.send_nowait(Wake(ts=clock.now()))

    stands()
    rule(watch.resumed(now()))
    arm()
    async for m in inbox:
        match m:
            case Quote():
                rule(watch.on_quote(m, judge=m.index >= resume))
                arm()
            case Wake():
                rule(watch.woken(m.ts))
                arm()
            case Chasing():
                rule(watch.on_chasing(m))
            case Booked():
                rule(watch.on_book(m))
            case Sealed():
                watched, ruling = watch.on_sealed(m)
                rule(ruling)
                strategy.send_nowait(watched)
            case Signals():
                granted, ruling = watch.on_signals(m)
                if ruling.rows:
                    rule(ruling)
                orders.send_nowait(granted)
            case Sensed():
                rule(watch.on_sensed(m, now()))
            case Ask(question=Sensed() as sensed):
                rule(watch.on_sensed(sensed, now()))
                m.answer(None)
            case Ask(question=Command() as command):
                outcome, ruling = watch.command(command, now())
                rule(ruling)
                m.answer(outcome)
            case Ask(question=Leave()):
                rule(watch.leave(now()))
                m.answer(None)
