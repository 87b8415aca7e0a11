"""What an operator wants of the account: once, in his words, and above what the strategy wants."""

from datetime import date

import numpy as np
import pytest

from fluxhero.config import Config
from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.core.ladder import ANSWERS, Rung
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Past, Ruling, Terms, account, parameters
from fluxhero.kernel import codes
from fluxhero.kernel.state import BAR
from fluxhero.messages import (
    MINUTE,
    Booked,
    Command,
    Granted,
    Lot,
    Micros,
    Model,
    Nanos,
    Outcome,
    Quality,
    Sealed,
    Shares,
    Signal,
    Signals,
    Verb,
)

N = 4
CASH = Micros(100_000_000_000)
(DAY,) = nyse().between(date(2024, 3, 26), date(2024, 3, 26))
NOON = Nanos(DAY.open + 150 * MINUTE)
NIGHT = Nanos(DAY.close + 150 * MINUTE)
PAUSED = "paused: no new entries; exits and stops go on"


def risk(safe: bool = False, paused: tuple[int, ...] = (), answered: tuple[journal.Commanded, ...] = ()) -> Risk:
    terms = Terms(params=parameters(Config(), Model.BAR), model=Model.BAR, calendar=nyse(), symbols=N, safe=safe)
    return Risk(account(CASH), terms, Past(paused=list(paused), answered=list(answered)))


def command(verb: Verb, *slots: int, id: str = "", trip: str = "", reason: str = "because") -> Command:
    return Command(verb=verb, slots=slots, id=id, trip=trip, reason=reason)


def row(c: Command, ts: Nanos, text: str) -> journal.Commanded:
    return journal.Commanded(ts=ts, verb=c.verb, slots=c.slots, trip=c.trip, reason=c.reason, id=c.id, text=text)


def book(*held: int, entering: tuple[int, ...] = ()) -> Booked:
    lots = tuple(Lot(slot=slot, qty=Shares(100), price=Micros(0)) for slot in held)
    sought = tuple(Lot(slot=slot, qty=Shares(100), price=Micros(50_000_000)) for slot in entering)
    return Booked(cash=CASH, held=lots, entering=sought, grants=10**6)


def seek(slot: int) -> Signal:
    return Signal(
        slot=slot, entry=True, mode=1, price=Micros(50_000_000), stop=Micros(48_000_000), risk=0.01, scale=1.0,
        volume=5e4,
    )  # fmt: skip


def leave(slot: int) -> Signal:
    return Signal(slot=slot, entry=False, mode=1, price=Micros(1), stop=Micros(0), risk=0.0, scale=0.0, volume=5e4)


def signals(*given: Signal) -> Signals:
    bars = np.zeros(N, BAR)
    for slot in range(N):
        bars[slot] = (NOON - MINUTE, 50.0, 50.0, 50.0, 50.0, 1e4, DAY.index, 100, Quality.FULL, 0, -1.0)
    return Signals(sealed=Sealed(ts=NOON, bars=bars), signals=given)


def gates(ruling: Ruling) -> dict[int, int]:
    return {r.slot: r.gate for r in ruling.rows if isinstance(r, journal.Judged)}


# -- pause and resume


def test_a_pause_is_a_row_and_cancels_what_seeks_to_enter() -> None:
    watch, c = risk(), command(Verb.PAUSE, 1, 2, id="a")
    assert watch.command(c, NOON) == (
        Outcome(ok=True, text=PAUSED),
        Ruling([row(c, NOON, PAUSED)], Granted(ts=NOON, cancels=(1, 2), durable=True)),
    )
    assert (watch.paused, watch.rung) == ({1, 2}, Rung.NORMAL)


def test_what_is_paused_is_refused_with_that_reason_and_still_left() -> None:
    watch = risk()
    watch.on_book(book(2))
    watch.command(command(Verb.PAUSE, 1, 2), NOON)
    granted, ruling = watch.on_signals(signals(seek(0), seek(1), leave(2)))
    assert gates(ruling) == {0: codes.OPEN, 1: codes.PAUSED, 2: codes.OPEN}
    assert ([e.slot for e in granted.entries], granted.exits) == ([0], (2,))


def test_a_resume_ends_a_pause_and_grants_nothing() -> None:
    watch, c = risk(paused=(0, 1, 2)), command(Verb.RESUME, 1, 3)
    text = "resumed; rung NORMAL"
    assert watch.command(c, NOON) == (Outcome(ok=True, text=text), Ruling([row(c, NOON, text)]))
    assert watch.paused == {0, 2}
    _, ruling = watch.on_signals(signals(seek(0), seek(1)))
    assert gates(ruling) == {0: codes.PAUSED, 1: codes.OPEN}


def test_pauses_of_a_former_life_hold() -> None:
    _, ruling = risk(paused=(1,)).on_signals(signals(seek(0), seek(1)))
    assert gates(ruling) == {0: codes.OPEN, 1: codes.PAUSED}


# -- flatten


def test_flattening_leaves_what_is_held_or_sought_and_pauses_it() -> None:
    watch, c = risk(), command(Verb.FLATTEN, 0, 1, 3)
    watch.on_book(book(0, 2, entering=(1,)))
    text = "flattening 2 of 3 symbols; no new entries before resume"
    assert watch.command(c, NOON) == (
        Outcome(ok=True, text=text),
        Ruling([row(c, NOON, text)], Granted(ts=NOON, exits=(0, 1), cancels=(0, 1, 3), durable=True)),
    )
    assert (watch.paused, watch.rung) == ({0, 1, 3}, Rung.NORMAL)
    _, ruling = watch.on_signals(signals(seek(3)))
    assert gates(ruling) == {3: codes.PAUSED}


def test_an_entry_that_was_granted_and_is_not_yet_in_the_book_is_left_too() -> None:
    watch = risk()
    watch.on_book(Booked(cash=CASH, held=(), entering=(), grants=0))
    granted, _ = watch.on_signals(signals(seek(1)))
    assert [e.slot for e in granted.entries] == [1]
    _, ruling = watch.command(command(Verb.FLATTEN, *range(N)), NOON)
    assert ruling.granted == Granted(ts=NOON, exits=(1,), cancels=(0, 1, 2, 3), durable=True)


@pytest.mark.parametrize("trip", ["halt", "safe"])
def test_flattening_is_obeyed_on_every_rung(trip: str) -> None:
    watch = risk(safe=trip == "safe")
    watch.on_book(book(0))
    if trip == "halt":
        watch.halt("dinner", NOON)
    _, ruling = watch.command(command(Verb.FLATTEN, 0), NIGHT)
    assert ruling.granted == Granted(ts=NIGHT, exits=(0,), cancels=(0,), durable=True)


# -- halt and release


def test_a_halt_is_two_rows_and_cancels_entries_at_once() -> None:
    watch, c = risk(), command(Verb.HALT, id="h", reason="dinner")
    text = "halted: entries and exits stop, protective stops stay"
    tripped = journal.Tripped(ts=NOON, trip="halt", cause="dinner", equity=CASH, value=0.0, limit=0.0)
    assert watch.command(c, NOON) == (
        Outcome(ok=True, text=text),
        Ruling([row(c, NOON, text), tripped], Granted(ts=NOON, cancel_entries=True, durable=True)),
    )
    again = command(Verb.HALT)
    assert watch.command(again, NOON) == (
        Outcome(ok=True, text="already halted"),
        Ruling([row(again, NOON, "already halted")]),
    )


def test_what_is_not_held_is_not_released_and_leaves_no_row() -> None:
    watch = risk()
    for trip in ("halt", "day_loss", "moon", "", "HALT", "\0"):
        c = command(Verb.RELEASE, trip=trip, id="r")
        refused = Outcome(ok=False, text=f"trip {trip!r} is not held; held: none")
        assert watch.command(c, NOON) == (refused, Ruling([]))
    watch.halt("dinner", NOON)
    assert watch.command(command(Verb.RELEASE, trip="halt", id="r"), NOON)[0].ok


def test_in_safe_everything_is_obeyed_and_the_rung_is_never_below() -> None:
    watch = risk(safe=True)
    rungs = [watch.rung]
    for c in (
        command(Verb.HALT), command(Verb.RELEASE, trip="halt"), command(Verb.PAUSE, 0), command(Verb.RESUME, 0),
        command(Verb.FLATTEN, 0),
    ):  # fmt: skip
        assert watch.command(c, NOON)[0].ok
        rungs.append(watch.rung)
    assert rungs == [Rung.SAFE, Rung.HALTED, Rung.SAFE, Rung.SAFE, Rung.SAFE, Rung.SAFE]
    granted, ruling = watch.on_signals(signals(seek(1)))
    assert (granted.entries, granted.cancel_entries, gates(ruling)) == ((), True, {1: codes.RUNG})


# -- ids


VERBS = [
    command(Verb.HALT, id="x"),
    command(Verb.PAUSE, 0, 1, id="x"),
    command(Verb.RESUME, 1, id="x"),
    command(Verb.FLATTEN, 0, 1, id="x"),
]


@pytest.mark.parametrize("c", VERBS, ids=[c.verb.value for c in VERBS])
def test_the_same_id_again_has_the_same_answer_and_no_effect(c: Command) -> None:
    watch = risk()
    watch.on_book(book(0))
    first, ruling = watch.command(c, NOON)
    before = watch.rung, set(watch.paused), watch.account.tobytes()
    assert ruling.rows
    for _ in range(3):
        assert watch.command(c, NIGHT) == (first, Ruling([]))
    assert (watch.rung, watch.paused, watch.account.tobytes()) == before


@pytest.mark.parametrize("other", VERBS, ids=[c.verb.value for c in VERBS])
def test_another_command_under_the_same_id_is_refused_unless_it_halts(other: Command) -> None:
    watch = risk()
    watch.command(command(Verb.PAUSE, 2, id="x"), NOON)
    outcome, ruling = watch.command(other, NOON)
    if other.verb is Verb.HALT:
        assert (outcome.ok, watch.rung) == (True, Rung.HALTED)
        assert [row.id for row in ruling.rows if isinstance(row, journal.Commanded)] == [""]
    else:
        refused = Outcome(ok=False, text="id x was another command, a pause; nothing done")
        assert (outcome, ruling) == (refused, Ruling([]))
        assert (watch.paused, watch.rung) == ({2}, Rung.NORMAL)


def test_ids_of_a_former_life_are_known() -> None:
    c = command(Verb.PAUSE, 1, id="x")
    watch = risk(answered=(row(c, NOON, "once upon a time"),))
    assert watch.command(c, NOON) == (Outcome(ok=True, text="once upon a time"), Ruling([]))
    assert watch.paused == set()


def test_without_an_id_everything_is_obeyed_each_time() -> None:
    watch = risk()
    assert [len(watch.command(command(Verb.PAUSE, 0), NOON)[1].rows) for _ in range(3)] == [1, 1, 1]


def test_the_newest_thousand_ids_are_remembered() -> None:
    watch = risk()
    for i in range(ANSWERS + 1):
        watch.command(command(Verb.PAUSE, 0, id=f"{i}"), NOON)
    assert [bool(watch.command(command(Verb.PAUSE, 0, id=id), NOON)[1].rows) for id in ("1", "2", "1000")] == [
        False
    ] * 3
    assert len(watch.command(command(Verb.PAUSE, 0, id="0"), NOON)[1].rows) == 1
    assert len(watch._answered) == ANSWERS


# -- leaving


def test_who_leaves_cancels_entries_and_leaves_no_row() -> None:
    watch = risk()
    assert watch.leave(NOON) == Ruling([], Granted(ts=NOON, cancel_entries=True))
    assert (watch.rung, watch.paused) == (Rung.NORMAL, set())


def test_grants_of_commands_are_counted_so_that_reservations_end() -> None:
    """The book's count of grants is what lets go of what was granted before."""
    watch = risk()
    watch.on_book(Booked(cash=CASH, held=(), entering=(), grants=0))
    watch.command(command(Verb.PAUSE, 3), NOON)
    watch.leave(NOON)
    watch.command(command(Verb.FLATTEN, 3), NOON)
    watch.command(command(Verb.HALT), NOON)
    watch.command(command(Verb.RELEASE, trip="halt"), NOON)
    watch.on_signals(signals(seek(1)))  # the fifth grant
    watch.on_book(Booked(cash=CASH, held=(), entering=(), grants=4))
    _, still = watch.on_signals(signals(seek(1)))
    watch.on_book(Booked(cash=CASH, held=(), entering=(), grants=6))
    _, free = watch.on_signals(signals(seek(1)))
    assert (gates(still), gates(free)) == ({1: codes.BUSY}, {1: codes.OPEN})
