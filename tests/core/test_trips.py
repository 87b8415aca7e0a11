"""What trips by the desk's word and the machine's; what lets go of it, and what it stops."""

from __future__ import annotations

import msgspec
import pytest

from fluxhero.core import journal
from fluxhero.core.ladder import ACCOUNT, Rung, Trip
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Past, Ruling, account
from fluxhero.core.watch import REJECTS
from fluxhero.kernel import codes
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Booked,
    Chasing,
    Cid,
    Command,
    Granted,
    Lot,
    Micros,
    Model,
    Nanos,
    Outcome,
    Sensed,
    Shares,
    Side,
    Verb,
)
from tests.core.watching import (
    CASH,
    DAY,
    NEXT,
    TS,
    booked,
    ended,
    entry,
    gates,
    judged,
    leave,
    minute,
    opened,
    quote,
    risk,
    row,
    sealed,
    seek,
    signals,
    terms,
    usd,
)

# -- drift

DIFFERS = "the broker has something else than we"


def test_a_symbol_that_differs_is_frozen_and_its_entries_are_cancelled_until_both_agree() -> None:
    watch = risk()
    assert watch.on_book(booked(frozen=(2, 1))) == Ruling(
        [row(Trip.DRIFT, DIFFERS, slot=1), row(Trip.DRIFT, DIFFERS, slot=2)],
        Granted(ts=TS, cancels=(1, 2), durable=True),
    )
    assert watch.on_book(booked(frozen=(1, 2))) is None
    assert (watch.rung, gates(watch)) == (
        Rung.NORMAL, [(codes.OPEN, 0.0), (codes.FROZEN, 1.0), (codes.FROZEN, 1.0)],
    )  # fmt: skip
    assert watch.on_book(booked(frozen=(2,), grants=9)) == Ruling(
        [ended(Trip.DRIFT, "both agree", slot=1)], Granted(ts=TS, durable=True)
    )
    assert gates(watch) == [(codes.OPEN, 0.0), (codes.OPEN, 0.0), (codes.FROZEN, 1.0)]


def test_several_agree_again_in_the_order_of_the_symbols() -> None:
    watch = risk()
    watch.on_book(booked(frozen=(5, 3, 4)))
    ruling = watch.on_book(booked())
    assert ruling
    assert ruling.rows == [ended(Trip.DRIFT, "both agree", slot=slot) for slot in (3, 4, 5)]


def test_where_the_account_itself_differs_no_symbol_is_entered() -> None:
    watch = risk()
    assert watch.on_book(booked(frozen=(ACCOUNT,))) == Ruling(
        [row(Trip.DRIFT, DIFFERS)], Granted(ts=TS, cancel_entries=True, durable=True)
    )
    assert (watch.rung, gates(watch)) == (Rung.REDUCING, [(codes.RUNG, 1.0)] * 3)


def test_a_frozen_position_may_be_left() -> None:
    watch = risk()
    watch.on_book(booked((1, 10), frozen=(1,)))
    granted, _ = watch.on_signals(signals(TS, leave(1)))
    assert granted.exits == (1,)


# -- naked positions

BARE = "without its whole stop for so many seconds"


def test_a_naked_position_is_left_at_once_and_no_other_and_not_entered_again() -> None:
    watch = risk()
    assert watch.on_book(booked((1, 10), (2, 10), fled=((1, 31.5),))) == Ruling(
        [row(Trip.NAKED, BARE, value=31.5, limit=30.0, slot=1)],
        Granted(ts=TS, exits=(1,), cancels=(1,), durable=True),
    )
    granted, ruling = watch.on_signals(signals(TS, seek(0), leave(2)))
    assert granted == Granted(ts=TS, exits=(1, 2), entries=(entry(),), volumes=((2, 50_000.0),))
    assert ruling.rows[0] == judged(TS, 2, codes.OPEN, 0.0, 0.0, entry=False, qty=10)
    watch.on_book(booked((2, 10), grants=9))
    assert gates(watch) == [(codes.OPEN, 0.0), (codes.RUNG, 4.0), (codes.BUSY, 1.0)]


def test_of_several_naked_ones_each_is_a_row_and_all_are_left_in_order() -> None:
    watch = risk()
    ruling = watch.on_book(booked((4, 10), (1, 10), (6, -10), fled=((6, 31.0), (4, 30.5))))
    assert ruling == Ruling(
        [
            row(Trip.NAKED, BARE, value=31.0, limit=30.0, slot=6),
            row(Trip.NAKED, BARE, value=30.5, limit=30.0, slot=4),
        ],
        Granted(ts=TS, exits=(4, 6), cancels=(4, 6), durable=True),
    )


def test_a_naked_position_waits_for_the_session_to_be_left() -> None:
    watch = risk()
    night = Nanos(DAY.close)
    ruling = watch.on_book(msgspec.structs.replace(booked((1, 10), fled=((1, 31.0),)), ts=night))
    assert ruling
    assert ruling.granted == Granted(ts=night, cancels=(1,), durable=True)
    granted, _ = watch.on_signals(signals(NEXT.open + MINUTE, of=sealed(NEXT.open + MINUTE, {1: 50.0}, NEXT.index)))
    assert granted.exits == (1,)


def test_a_naked_trip_is_released_by_the_operator_for_the_symbols_that_he_names() -> None:
    watch = risk()
    watch.on_book(booked(fled=((1, 31.0), (3, 32.0), (5, 33.0))))
    assert watch.release("naked", "mended", TS, (2,)) == (
        Outcome(ok=False, text="trip 'naked' is not held of these symbols; held: naked"), Ruling([]),
    )  # fmt: skip
    assert watch.release("naked", "mended", TS, (3, 2)) == (
        Outcome(ok=True, text="released naked; rung NORMAL"),
        Ruling([ended(Trip.NAKED, "mended", slot=3, by="operator")]),
    )
    assert watch.release("naked", "mended", TS) == (
        Outcome(ok=True, text="released naked; rung NORMAL"),
        Ruling([ended(Trip.NAKED, "mended", slot=slot, by="operator") for slot in (1, 5)]),
    )
    assert gates(watch, slots=6) == [(codes.OPEN, 0.0)] * 2 + [(codes.OPEN, 0.0)] + [(codes.SIZE, 0.0)] * 3


# -- a storm of refusals

STORM = "so many orders refused within a minute"


def refused(*seconds: float, ts: int = TS) -> Booked:
    times = tuple(Nanos(int(TS + s * SECOND)) for s in seconds)
    return msgspec.structs.replace(booked(rejects=times), ts=Nanos(ts))


def test_the_fifth_refusal_within_a_minute_halts() -> None:
    watch = risk()
    assert [watch.on_book(refused(s)) for s in (0, 1, 2, 3)] == [None] * 4
    assert watch.on_book(refused(60)) == Ruling(
        [row(Trip.REJECTS, STORM, value=REJECTS, limit=REJECTS)],
        Granted(ts=TS, cancel_entries=True, durable=True),
    )
    assert (watch.rung, watch.on_book(refused(60))) == (Rung.HALTED, None)


def test_five_in_more_than_a_minute_are_no_storm_and_the_next_may_be() -> None:
    watch = risk()
    assert watch.on_book(refused(0, 1, 2, 3, 60.000001)) is None
    assert watch.on_book(refused(61.000001)) is None
    assert watch.on_book(refused(61.000002)) is not None
    assert watch.rung is Rung.HALTED


def test_five_at_once_are_a_storm() -> None:
    assert risk().on_book(refused(0, 0, 0, 0, 0)) is not None


def test_after_its_release_old_refusals_trip_nothing_and_a_new_one_does() -> None:
    watch = risk()
    watch.on_book(refused(0, 0, 0, 0, 0))
    watch.release("rejects", "mended", TS)
    assert watch.on_book(booked()) is None
    assert watch.on_book(refused(9)) is not None


def test_refusals_of_a_former_life_count() -> None:
    watch = Risk(account(CASH), terms(), Past(rejects=[Nanos(TS + n) for n in range(9)]))
    assert watch.on_book(booked()) is None
    assert watch.on_book(refused(1)) is not None


def test_a_book_may_bring_several_trips_at_once() -> None:
    ruling = risk().on_book(msgspec.structs.replace(refused(0, 0, 0, 0, 0), frozen=(2,), fled=((1, 31.0),)))
    assert ruling
    assert [r.trip for r in ruling.rows if isinstance(r, journal.Tripped)] == ["drift", "naked", "rejects"]
    assert ruling.granted == Granted(ts=TS, cancels=(1, 2), cancel_entries=True, durable=True)


# -- the machine and the wire


def sense(trip: Trip, over: bool = True) -> Sensed:
    return Sensed(trip=trip, over=over, cause="so", value=7.0, limit=5.0)


@pytest.mark.parametrize(
    ("trip", "rung", "ends"),
    [(Trip.DISK, Rung.REDUCING, True), (Trip.CLOCK, Rung.HALTED, False), (Trip.RATE, Rung.HALTED, False)],
)
def test_what_is_sensed_trips_once_and_some_of_it_ends_by_itself(trip: Trip, rung: Rung, ends: bool) -> None:
    watch = risk()
    assert watch.on_sensed(sense(trip, over=False), TS) is None
    assert watch.on_sensed(sense(trip), TS) == Ruling(
        [row(trip, "so", value=7.0, limit=5.0)], Granted(ts=TS, cancel_entries=True, durable=True)
    )
    assert (watch.rung, watch.on_sensed(sense(trip), TS)) == (rung, None)
    assert watch.on_sensed(sense(trip, over=False), TS) == (Ruling([ended(trip, "so")]) if ends else None)
    assert watch.rung is (Rung.NORMAL if ends else rung)


@pytest.mark.parametrize(
    ("trip", "ends"), [(Trip.DISK, "when there is room again"), (Trip.FEED, "when it is heard again")]
)
def test_what_ends_by_itself_is_not_released_by_command(trip: Trip, ends: str) -> None:
    watch = risk()
    watch.on_sensed(sense(trip), TS)
    assert watch.release(trip, "now", TS) == (
        Outcome(ok=False, text=f"{trip} lets go by itself, {ends}; nothing done"), Ruling([]),
    )  # fmt: skip
    assert watch.rung is Rung.REDUCING


# -- adopt and ignore


def settling(verb: Verb, *slots: int) -> Command:
    return Command(verb=verb, slots=slots, reason="so")


@pytest.mark.parametrize(
    ("verb", "said"), [(Verb.ADOPT, "the broker's word is taken"), (Verb.IGNORE, "ignored while it stays what it is")]
)
def test_what_differs_is_settled_and_nothing_else(verb: Verb, said: str) -> None:
    watch = opened(price=50.0)
    watch.on_book(booked(frozen=(0, 2)))
    outcome, ruling = watch.command(settling(verb, 0, 1), TS)
    adopts = (Lot(slot=0, qty=Shares(0), price=usd(50)),) if verb is Verb.ADOPT else ()
    ignores = (0,) if verb is Verb.IGNORE else ()
    text = f"{said}: 1 of 2 symbols"
    assert outcome == Outcome(ok=True, text=text)
    assert ruling == Ruling(
        [journal.Commanded(ts=TS, verb=verb, slots=(0, 1), trip="", reason="so", id="", text=text)],
        Granted(ts=TS, adopts=adopts, ignores=ignores, durable=True),
    )


@pytest.mark.parametrize("verb", [Verb.ADOPT, Verb.IGNORE])
def test_what_does_not_differ_is_not_settled(verb: Verb) -> None:
    watch = risk()
    watch.on_book(booked(frozen=(3,)))
    nothing = Outcome(ok=False, text="nothing differs there that no order explains; nothing done")
    assert watch.command(settling(verb, 0, 1), TS) == (nothing, Ruling([]))


def test_where_the_account_differs_every_symbol_may_be_settled() -> None:
    watch = risk()
    watch.on_book(booked(frozen=(ACCOUNT,)))
    _, ruling = watch.command(settling(Verb.IGNORE, 4, 2), TS)
    assert ruling.granted == Granted(ts=TS, ignores=(4, 2), durable=True)


# -- the counts that let go of reservations


def test_every_grant_that_a_trip_makes_is_counted() -> None:
    watch = risk()
    watch.on_book(booked(grants=0, fled=((7, 31.0),)))  # 1
    watch.on_sensed(sense(Trip.DISK), TS)  # 2
    watch.on_sensed(sense(Trip.DISK, over=False), TS)
    watch.on_book(booked(frozen=(3,)))  # 3
    watch.command(settling(Verb.IGNORE, 3), TS)  # 4
    watch.command(Command(verb=Verb.PAUSE, slots=(5,)), TS)  # 5
    watch.on_chasing(Chasing(ts=TS, slot=6, cid=Cid("c"), side=Side.BUY, cap=usd(50)))  # 6
    watch.on_signals(signals(TS, seek(0)))  # 7
    watch.on_book(booked(grants=6, frozen=(3,)))
    assert gates(watch, slots=1) == [(codes.BUSY, 1.0)]  # 8
    watch.on_book(booked(grants=8, frozen=(3,)))
    assert gates(watch, slots=1) == [(codes.OPEN, 0.0)]


def test_who_leaves_while_all_is_to_be_sold_sells_it() -> None:
    watch = opened()
    watch.on_sealed(sealed(minute(2), {0: 90.0}))
    assert watch.rung is Rung.FLATTEN
    assert watch.leave(TS) == Ruling([], Granted(ts=TS, exits=(0,), cancel_entries=True, durable=True))
    assert watch.leave(DAY.close) == Ruling([], Granted(ts=DAY.close, cancel_entries=True, durable=True))


def test_a_release_of_a_drawdown_forgets_its_bit_and_the_strikes_and_no_other_bit() -> None:
    watch = opened()
    watch.account["trips"], watch.account["strikes"] = codes.DAY_LOSS | codes.DRAWDOWN, codes.DAY_LOSS
    for trip in (Trip.DAY_LOSS, Trip.DRAWDOWN):
        watch.trips.trip(trip, TS, "so", Micros(0))
    watch.account["equity"] = usd(70_000)
    watch.release("drawdown", "reviewed", TS)
    a = watch.account[0]
    assert [int(a[name]) for name in ("trips", "strikes", "crest", "peak", "day_base")] == [
        codes.DAY_LOSS, 0, usd(70_000), CASH, CASH,
    ]  # fmt: skip
    watch.release("day_loss", "reviewed", TS)
    assert [int(a[name]) for name in ("trips", "crest", "day_base")] == [0, usd(70_000), CASH]


# -- a release is of what it names

RELEASE = Command(verb=Verb.RELEASE, trip="naked", slots=(3,), reason="mended")


def test_a_release_by_command_is_of_its_symbols_and_its_reason_is_kept() -> None:
    watch = risk()
    watch.on_book(booked(fled=((1, 31.0), (3, 32.0))))
    outcome, ruling = watch.command(RELEASE, TS)
    text = "released naked; rung NORMAL"
    said = journal.Commanded(ts=TS, verb=Verb.RELEASE, slots=(3,), trip="naked", reason="mended", id="", text=text)
    assert (outcome, ruling) == (
        Outcome(ok=True, text=text), Ruling([said, ended(Trip.NAKED, "mended", slot=3, by="operator")]),
    )  # fmt: skip


def test_who_releases_what_is_not_held_is_told_all_that_is() -> None:
    watch = risk()
    watch.halt("lunch", TS)
    watch.on_sensed(sense(Trip.DISK), TS)
    watch.on_book(booked(fled=((1, 31.0), (3, 32.0))))
    said = Outcome(ok=False, text="trip 'rate' is not held; held: halt, disk, naked")
    assert watch.release("rate", "so", TS) == (said, Ruling([]))


@pytest.mark.parametrize("trip", [Trip.HALT, Trip.DAY_LOSS])
def test_no_release_but_a_drawdowns_moves_its_reference_nor_forgets_its_bit(trip: Trip) -> None:
    watch = risk()
    watch.account["trips"] = codes.DAY_LOSS | codes.DRAWDOWN
    watch.account["equity"] = usd(70_000)
    watch.trips.trip(trip, TS, "so", CASH)
    watch.release(trip, "so", TS)
    bits = codes.DRAWDOWN if trip is Trip.DAY_LOSS else codes.DAY_LOSS | codes.DRAWDOWN
    assert [int(watch.account[name][0]) for name in ("trips", "crest", "peak")] == [bits, CASH, CASH]


# -- the order of what happens at once


def test_whatever_happens_at_once_is_told_in_the_order_of_the_symbols() -> None:
    own = msgspec.structs.replace(terms(), symbols=64)
    watch = Risk(account(CASH), own)
    slots = (33, 40, 1)  # a set of these has another order
    ruling = watch.on_book(booked(*((slot, 10) for slot in slots), fled=tuple((slot, 31.0) for slot in slots)))
    assert ruling
    assert ruling.granted == Granted(ts=TS, exits=(1, 33, 40), cancels=(1, 33, 40), durable=True)
    for frozen, kind in ((slots, journal.Tripped), ((), journal.Released)):
        ruling = watch.on_book(booked(frozen=frozen))
        assert ruling
        assert [r.slot for r in ruling.rows if isinstance(r, kind)] == [1, 33, 40]


def test_what_is_adopted_is_marked_at_its_quote_while_that_lives() -> None:
    watch = risk(Model.QUOTE)
    watch.on_quote(quote(TS - 60 * SECOND, 51.0))
    watch.on_book(booked(frozen=(0,)))
    for ts, price in ((TS, 51.0), (Nanos(TS + 1), 0.0)):
        _, ruling = watch.command(settling(Verb.ADOPT, 0), ts)
        assert ruling.granted
        assert ruling.granted.adopts == (Lot(slot=0, qty=Shares(0), price=usd(price)),)
