"""The watch and the gate. Closes are marks in `bar`, mids of quotes in `quote`."""

from pathlib import Path

import numpy as np
import pytest

from fluxhero.core import journal
from fluxhero.core.ladder import Rung, Trip
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Past, Ruling, account
from fluxhero.kernel import codes
from fluxhero.kernel.state import row
from fluxhero.kernel.strategies import metronome
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Booked,
    Cid,
    Granted,
    Lot,
    Micros,
    Model,
    Nanos,
    Order,
    Outcome,
    Quality,
    Quote,
    Raise,
    Role,
    Shares,
    Side,
    Type,
)
from fluxhero.outset import Outset
from fluxhero.restore import begun
from fluxhero.store.sqlite import SQLiteStore
from tests.accounts import rules
from tests.core.watching import (
    CASH,
    DAY,
    NEXT,
    OPEN,
    N,
    entry,
    extended,
    held,
    judged,
    leave,
    minute,
    opened,
    quote,
    risk,
    rows,
    sealed,
    seek,
    seen,
    signals,
    terms,
    tripped,
    usd,
)
from tests.porting import ports_of

# -- the gate


def test_the_sizer_grants_the_least_of_three_numbers_and_says_all_three() -> None:
    """Requirements 10: equity 100,000, entry 50, stop 48 -> 500 by risk, 400 by the cap."""
    watch, ts = risk(), minute(5)
    granted, ruling = watch.on_signals(signals(ts, seek()))
    assert granted == Granted(ts=ts, entries=(entry(),))
    assert ruling == Ruling(
        [
            journal.Judged(
                ts=ts, slot=0, entry=True, gate=codes.OPEN, value=0.0, limit=0.0, qty=Shares(400), by_risk=500,
                by_cap=400, by_room=1000,
            )
        ]
    )  # fmt: skip


def test_entries_of_one_batch_reserve_room_from_one_another() -> None:
    granted, ruling = risk().on_signals(signals(minute(5), seek(0), seek(1), seek(2), seek(3)))
    assert granted.entries == (entry(0), entry(1), entry(2, 200))
    last = ruling.rows[-1]
    assert isinstance(last, journal.Judged)
    assert (last.gate, last.by_risk, last.by_cap, last.by_room) == (codes.SIZE, 500, 400, 0)


def test_what_was_granted_and_is_not_yet_in_the_book_stays_reserved() -> None:
    watch = risk()
    watch.on_signals(signals(minute(5), seek(0), seek(1)))
    granted, ruling = watch.on_signals(signals(minute(6), seek(0), seek(2), seek(3)))
    assert granted.entries == (entry(2, 200),)
    assert ruling.rows[0] == judged(minute(6), 0, codes.BUSY, 1.0, 0.0)


def test_what_was_granted_two_batches_ago_and_is_not_yet_in_the_book_stays_reserved() -> None:
    watch = risk()
    watch.on_signals(signals(minute(5), seek(0)))
    watch.on_signals(signals(minute(6), seek(1)))
    granted, ruling = watch.on_signals(signals(minute(7), seek(0)))
    assert (granted.entries, ruling.rows) == ((), [judged(minute(7), 0, codes.BUSY, 1.0, 0.0)])


def test_a_book_that_does_not_know_of_the_grant_yet_releases_nothing() -> None:
    watch = risk()
    watch.on_signals(signals(minute(5), seek(0)))
    watch.on_book(held(cash=100_000, grants=0))
    assert watch.on_signals(signals(minute(6), seek(0)))[0].entries == ()


def test_a_book_that_knows_of_the_grant_replaces_the_reservation() -> None:
    watch = risk()
    watch.on_signals(signals(minute(5), seek(0)))
    watch.on_book(held(cash=100_000, grants=1))  # the entry was rejected at once
    assert watch.on_signals(signals(minute(6), seek(0)))[0].entries == (entry(0),)


def test_an_entry_on_its_way_counts_at_its_decision_price() -> None:
    watch = risk()
    watch.on_book(held(cash=100_000, entering=(Lot(slot=4, qty=Shares(800), price=usd(50)),)))
    _, ruling = watch.on_signals(signals(minute(6), seek(0)))
    assert [r.by_room for r in ruling.rows if isinstance(r, journal.Judged)] == [200]


def test_what_is_held_counts_at_its_last_close() -> None:
    watch = risk()
    watch.on_book(held((4, 800), cash=60_000))
    watch.on_sealed(sealed(minute(5), {4: 50.0}))
    _, ruling = watch.on_signals(signals(minute(5), seek(0)))
    assert [r.by_room for r in ruling.rows if isinstance(r, journal.Judged)] == [200]


@pytest.mark.parametrize(
    "book",
    [
        held((0, 100), cash=100_000),
        held(cash=100_000, entering=(Lot(slot=0, qty=Shares(1), price=usd(50)),)),
    ],
)
def test_a_symbol_that_is_held_or_sought_is_busy(book: Booked) -> None:
    watch, ts = risk(), minute(5)
    watch.on_book(book)
    granted, ruling = watch.on_signals(signals(ts, seek(0)))
    assert (granted, ruling) == (Granted(ts=ts), Ruling([judged(ts, 0, codes.BUSY, 1.0, 0.0)]))


def test_no_more_than_five_positions() -> None:
    watch, ts = risk(), minute(5)
    watch.on_book(held(*((slot, 10) for slot in range(5)), cash=100_000))
    granted, ruling = watch.on_signals(signals(ts, seek(6)))
    assert (granted, ruling) == (Granted(ts=ts), Ruling([judged(ts, 6, codes.SLOTS, 5.0, 5.0)]))


@pytest.mark.parametrize("stop", [0.0, 50.0, 51.0])
def test_a_stop_that_is_not_below_the_price_is_refused(stop: float) -> None:
    ts = minute(5)
    granted, ruling = risk().on_signals(signals(ts, seek(stop=stop)))
    assert (granted, ruling) == (Granted(ts=ts), Ruling([judged(ts, 0, codes.STOP, stop, 50.0)]))


def test_less_than_one_share_is_refused_with_its_numbers() -> None:
    ts = minute(5)
    granted, ruling = risk().on_signals(signals(ts, seek(price=30_000.0, stop=29_000.0)))
    row = journal.Judged(
        ts=ts, slot=0, entry=True, gate=codes.SIZE, value=0.0, limit=1.0, by_risk=1, by_cap=0, by_room=1
    )
    assert (granted, ruling) == (Granted(ts=ts), Ruling([row]))


def quoted(q: Quote | None) -> Risk:
    watch = risk(Model.QUOTE)
    if q is not None:
        watch.on_quote(q)
    return watch


def test_with_quotes_an_entry_needs_a_quote_of_the_last_five_seconds() -> None:
    ts = minute(5)
    assert quoted(quote(ts - 5 * SECOND, 50.0)).on_signals(signals(ts, seek()))[0].entries == (entry(),)
    granted, ruling = quoted(quote(ts - 6 * SECOND, 50.0)).on_signals(signals(ts, seek()))
    assert (granted, ruling) == (Granted(ts=ts), Ruling([judged(ts, 0, codes.FRESH, 6.0, 5.0)]))


def test_with_quotes_an_unchanged_one_is_fresh_for_a_minute_while_others_come() -> None:
    ts = minute(5)
    for age, fresh in ((60, True), (61, False)):
        watch = quoted(quote(ts - age * SECOND, 50.0))
        watch.on_quote(quote(ts - SECOND, 70.0, slot=1))
        assert bool(watch.on_signals(signals(ts, seek()))[0].entries) is fresh


def test_without_a_quote_there_is_no_entry() -> None:
    ts = minute(5)
    _, ruling = quoted(None).on_signals(signals(ts, seek()))
    assert ruling.rows == [judged(ts, 0, codes.FRESH, float("inf"), 5.0)]


def test_a_one_sided_quote_is_not_fresh_and_the_reason_is_that_there_was_none() -> None:
    ts = minute(5)
    watch = quoted(quote(ts - 9 * SECOND, 50.0))
    watch.on_quote(quote(ts - SECOND, 50.0, size=0))
    granted, ruling = watch.on_signals(signals(ts, seek()))
    assert (granted, ruling.rows) == (Granted(ts=ts), [judged(ts, 0, codes.FRESH, float("inf"), 60.0)])


def test_exits_come_before_entries_and_are_judged_too() -> None:
    watch, ts = risk(), minute(5)
    watch.on_book(held((3, 10), cash=100_000))
    granted, ruling = watch.on_signals(signals(ts, seek(0), leave(3), raises=(Raise(slot=3, stop=usd(49)),)))
    assert granted == Granted(
        ts=ts, exits=(3,), entries=(entry(),), raises=(Raise(slot=3, stop=usd(49)),), volumes=((3, 50_000.0),)
    )
    assert ruling.rows[0] == judged(ts, 3, codes.OPEN, 0.0, 0.0, entry=False, qty=10)


# -- the rungs


def test_a_halt_refuses_entries_and_exits_and_lets_stops_be_raised() -> None:
    watch = risk()
    watch.on_book(held((3, 10), cash=100_000))
    outcome, ruling = watch.halt("lunch", minute(4))
    assert outcome == Outcome(ok=True, text="halted: entries and exits stop, protective stops stay")
    row = journal.Tripped(ts=minute(4), trip=Trip.HALT, cause="lunch", equity=CASH, value=0.0, limit=0.0)
    assert ruling == Ruling([row], Granted(ts=minute(4), cancel_entries=True, durable=True))
    assert watch.rung is Rung.HALTED
    ts, higher = minute(5), (Raise(slot=3, stop=usd(49)),)
    granted, ruling = watch.on_signals(signals(ts, seek(0), leave(3), raises=higher))
    assert granted == Granted(ts=ts, raises=higher, cancel_entries=True)
    assert ruling.rows == [
        judged(ts, 3, codes.RUNG, 3.0, 0.0, entry=False, qty=10),
        judged(ts, 0, codes.RUNG, 3.0, 0.0),
    ]


def test_halting_twice_is_halting_once() -> None:
    watch = risk()
    watch.halt("lunch", minute(4))
    assert watch.halt("dinner", minute(5)) == (Outcome(ok=True, text="already halted"), Ruling([]))


def test_the_release_of_a_halt_lets_trading_go_on() -> None:
    watch = risk()
    watch.halt("lunch", minute(4))
    outcome, ruling = watch.release("halt", "back", minute(5))
    row = journal.Released(ts=minute(5), trip="halt", by="operator", reason="back")
    assert (outcome, ruling) == (Outcome(ok=True, text="released halt; rung NORMAL"), Ruling([row]))
    assert watch.on_signals(signals(minute(6), seek()))[0] == Granted(ts=minute(6), entries=(entry(),))


@pytest.mark.parametrize("name", ["drawdown", "day_loss", "", "HALT", "nonsense"])
def test_only_what_is_held_can_be_released(name: str) -> None:
    watch = risk()
    assert watch.release(name, "why not", minute(5)) == (
        Outcome(ok=False, text=f"trip {name!r} is not held; held: none"), Ruling([]),
    )  # fmt: skip
    watch.halt("lunch", minute(4))
    assert watch.release(name, "why not", minute(5))[0] == Outcome(
        ok=False, text=f"trip {name!r} is not held; held: halt"
    )
    assert watch.rung is Rung.HALTED


def test_the_rung_of_a_restored_account_is_that_of_its_trips() -> None:
    trips = [tripped(minute(1), trip, "", 0, 0, 0) for trip in (Trip.HALT, Trip.DRAWDOWN)]
    watch = Risk(account(CASH), terms(), Past(trips=trips))
    rungs = [watch.rung]
    for trip in ("drawdown", "halt"):
        watch.release(trip, "reviewed", minute(1))
        rungs.append(watch.rung)
    assert rungs == [Rung.FLATTEN, Rung.HALTED, Rung.NORMAL]


def fallen(release: bool = True) -> Risk:
    """Tripped by a day loss of 3.2 % at the closes of minutes 2 and 3."""
    watch = opened(release=release)
    watch.on_sealed(sealed(minute(2), {0: 96.8}))
    watch.on_sealed(sealed(minute(3), {0: 96.8}))
    return watch


def test_flattening_leaves_all_that_is_held_and_raises_and_enters_nothing() -> None:
    watch = fallen()
    assert watch.rung is Rung.FLATTEN
    watch.on_book(held((0, 1000), (5, 7)))
    ts, up = minute(3), (Raise(slot=0, stop=usd(90)),)
    granted, ruling = watch.on_signals(signals(ts, leave(0), seek(2), raises=up))
    assert granted == Granted(ts=ts, exits=(0, 5), volumes=((0, 50_000.0),), cancel_entries=True, durable=True)
    assert ruling.rows == [judged(ts, 2, codes.RUNG, 4.0, 0.0)]
    assert watch.on_signals(signals(minute(4)))[0] == Granted(ts=minute(4), exits=(0, 5), cancel_entries=True)


def test_outside_the_session_flattening_waits_for_the_next_open() -> None:
    watch = fallen()
    after = extended(DAY.close + MINUTE, dict.fromkeys(range(N), 96.8))
    assert rows(watch, after) == []
    assert watch.on_signals(signals(after.ts, of=after))[0] == Granted(ts=after.ts, cancel_entries=True, durable=True)


def test_a_seal_outside_the_session_stays_outside_though_some_symbols_had_no_trade() -> None:
    """A slot without a bar is all zeros, its session too: 0 is a session of 1998."""
    watch = fallen()
    watch.on_signals(signals(minute(3)))
    before = watch.account.tobytes()
    after = extended(DAY.close + MINUTE, {0: 96.8})
    assert rows(watch, after) == []
    assert watch.account.tobytes() == before
    assert watch.on_signals(signals(after.ts, of=after))[0] == Granted(ts=after.ts, cancel_entries=True)


def test_nothing_outside_the_session_begins_one() -> None:
    watch = risk()
    watch.on_sealed(extended(OPEN - MINUTE, {0: 50.0}))
    assert int(watch.account["session"][0]) == -1


# -- the watch at the closes


def test_the_watch_gives_equity_cash_and_the_trail() -> None:
    watch = risk()
    watch.on_book(held((0, 100), (2, 10), cash=94_000))
    m = sealed(minute(1), {0: 50.0, 2: 7.5})
    watched, ruling = watch.on_sealed(m)
    assert (watched.sealed is m, seen(watched), ruling) == (True, (usd(99_075), usd(94_000), 2.5), Ruling([]))


def test_the_mark_of_a_symbol_without_a_bar_stays() -> None:
    watch = risk()
    watch.on_book(held((0, 100), (2, 10)))
    watch.on_sealed(sealed(minute(1), {0: 50.0, 2: 7.5}))
    assert watch.on_sealed(sealed(minute(2), {0: 51.0}))[0].equity == usd(5175)
    assert watch.on_sealed(sealed(minute(3), {2: 8.0}))[0].equity == usd(5180)


def test_a_close_outside_the_session_is_no_mark() -> None:
    watch = opened()
    assert watch.on_sealed(extended(DAY.close + MINUTE, dict.fromkeys(range(N), 1.0)))[0].equity == CASH
    assert watch.rung is Rung.NORMAL


def test_one_close_beyond_the_limit_does_not_trip_and_the_second_does() -> None:
    watch = opened()
    assert rows(watch, sealed(minute(2), {0: 96.9})) == []
    assert rows(watch, sealed(minute(3), {0: 96.8})) == [
        tripped(minute(3), Trip.DAY_LOSS, "day loss", 96_800, 0.032, 0.03)
    ]
    assert rows(watch, sealed(minute(4), {0: 96.0})) == []


def test_exactly_the_limit_is_not_beyond_it() -> None:
    watch = opened()
    for n in range(2, 6):
        assert rows(watch, sealed(minute(n), {0: 97.0})) == []


def test_a_close_within_the_limit_begins_the_count_anew() -> None:
    watch = opened()
    for n, close in enumerate((96.9, 97.1, 96.9, 97.1, 96.9), 2):
        assert rows(watch, sealed(minute(n), {0: close})) == []
    assert watch.rung is Rung.NORMAL


def test_a_close_twice_beyond_the_limit_trips_at_once() -> None:
    watch = opened()
    assert rows(watch, sealed(minute(2), {0: 93.9})) == [
        tripped(minute(2), Trip.DAY_LOSS, "day loss", 93_900, 0.061, 0.03)
    ]


def test_a_trip_is_to_be_durable_with_the_grants_of_its_seal_and_only_with_those() -> None:
    watch = fallen()
    assert watch.on_signals(signals(minute(3)))[0].durable
    watch.on_sealed(sealed(minute(4), {0: 96.8}))
    assert not watch.on_signals(signals(minute(4)))[0].durable


def test_the_count_starts_anew_with_each_session() -> None:
    watch = opened()
    assert rows(watch, sealed(DAY.close, {0: 96.9})) == []
    assert rows(watch, sealed(minute(1, day=1), {0: 93.9}, NEXT.index)) == []  # 3.1 % under the new base
    assert rows(watch, sealed(minute(2, day=1), {0: 93.9}, NEXT.index)) != []


def test_an_overnight_gap_belongs_to_the_new_day() -> None:
    watch = opened()
    watch.on_sealed(sealed(DAY.close, {0: 98.0}))
    watch.on_sealed(sealed(minute(1, day=1), {0: 97.0}, NEXT.index))
    assert int(watch.account["day_base"][0]) == usd(98_000)


def test_a_day_loss_trip_is_released_by_script_at_the_next_open() -> None:
    watch = fallen()
    released = journal.Released(ts=NEXT.open, trip="day_loss", by="script", reason="a new session")
    assert rows(watch, sealed(minute(1, day=1), {0: 96.8}, NEXT.index)) == [released]
    assert watch.rung is Rung.NORMAL
    assert watch.on_signals(signals(minute(1, day=1)))[0] == Granted(ts=minute(1, day=1))


def test_where_releases_are_off_a_day_loss_trip_stays() -> None:
    watch = fallen(release=False)
    assert rows(watch, sealed(minute(1, day=1), {0: 96.8}, NEXT.index)) == []
    assert watch.rung is Rung.FLATTEN


def test_a_halt_is_not_released_by_script() -> None:
    watch = opened()
    watch.halt("lunch", minute(2))
    assert rows(watch, sealed(minute(1, day=1), {0: 100.0}, NEXT.index)) == []
    assert watch.rung is Rung.HALTED


# -- drawdown


def drawn(close: float) -> Risk:
    """Equity 100,000 at its peak, then this close on the next day and the day before it."""
    watch = opened()
    watch.account["day_base"] = watch.account["last"] = usd(close * 1000)
    return watch


def test_past_15_percent_sizes_shrink_and_stops_tighten_and_come_back() -> None:
    watch = drawn(85.0)
    assert rows(watch, sealed(minute(2), {0: 85.01})) == []
    assert rows(watch, sealed(minute(3), {0: 85.0})) == [journal.Factors(ts=minute(3), sizing=0.5, trail=2.0)]
    m = sealed(minute(4), {0: 84.0})
    watched, ruling = watch.on_sealed(m)
    assert (seen(watched), ruling) == ((usd(84_000), 0, 2.0), Ruling([]))
    _, ruling = watch.on_signals(signals(minute(4), seek(1)))
    assert [(r.by_risk, r.factor) for r in ruling.rows if isinstance(r, journal.Judged)] == [(420, 0.5)]
    assert rows(watch, sealed(minute(5), {0: 86.0})) == [journal.Factors(ts=minute(5), sizing=1.0, trail=2.5)]


def test_at_20_percent_the_second_close_trips_for_good() -> None:
    watch = drawn(80.0)
    assert rows(watch, sealed(minute(2), {0: 80.0})) == [journal.Factors(ts=minute(2), sizing=0.5, trail=2.0)]
    assert rows(watch, sealed(minute(3), {0: 80.0})) == [
        tripped(minute(3), Trip.DRAWDOWN, "drawdown", 80_000, 0.2, 0.2)
    ]
    assert rows(watch, sealed(minute(1, day=1), {0: 80.0}, NEXT.index)) == []
    assert watch.rung is Rung.FLATTEN


def test_the_release_of_a_drawdown_counts_from_present_equity_and_keeps_the_peak() -> None:
    watch = drawn(80.0)
    watch.on_sealed(sealed(minute(2), {0: 80.0}))
    watch.on_sealed(sealed(minute(3), {0: 80.0}))
    outcome, ruling = watch.release("drawdown", "reviewed", minute(4))
    row = journal.Released(ts=minute(4), trip="drawdown", by="operator", reason="reviewed")
    assert (outcome, ruling) == (Outcome(ok=True, text="released drawdown; rung NORMAL"), Ruling([row]))
    assert (int(watch.account["crest"][0]), int(watch.account["peak"][0])) == (usd(80_000), usd(100_000))
    assert rows(watch, sealed(minute(5), {0: 79.0})) == [journal.Factors(ts=minute(5), sizing=1.0, trail=2.5)]
    assert rows(watch, sealed(minute(6), {0: 79.0})) == []


# -- marks between the seals


def marks(watch: Risk, *prices: tuple[float, float]) -> list[Ruling | None]:
    """Rulings on quotes of slot 0: (seconds after minute 5, mid)."""
    return [watch.on_quote(quote(minute(5) + int(s * SECOND), price)) for s, price in prices]


def trip_at(seconds: float, price: float, value: float) -> Ruling:
    ts = Nanos(minute(5) + int(seconds * SECOND))
    row = tripped(ts, Trip.DAY_LOSS, "day loss", price * 1000, value, 0.03)
    return Ruling([row], Granted(ts=ts, exits=(0,), cancel_entries=True, durable=True))


NOTED = Ruling([])  # nothing for the journal, but the count of marks has changed and must outlive us


def test_two_quotes_in_a_row_beyond_the_limit_trip() -> None:
    assert marks(opened(Model.QUOTE), (0, 96.9), (5, 96.8)) == [NOTED, trip_at(5, 96.8, 0.032)]


def test_two_quotes_too_far_apart_do_not_trip_and_the_second_begins_the_count() -> None:
    watch = opened(Model.QUOTE)
    assert marks(watch, (0, 96.9), (5.001, 96.9), (10, 96.9)) == [NOTED, NOTED, trip_at(10, 96.9, 0.031)]


def test_one_bad_quote_never_trips() -> None:
    watch = opened(Model.QUOTE)
    assert marks(watch, (0, 100), (1, 94.1), (2, 100), (3, 94.1), (4, 100)) == [None, NOTED, NOTED, NOTED, NOTED]
    assert watch.rung is Rung.NORMAL


def test_a_quote_twice_beyond_the_limit_trips_at_once() -> None:
    assert marks(opened(Model.QUOTE), (0, 93.9)) == [trip_at(0, 93.9, 0.061)]


def test_the_mark_is_the_mid() -> None:
    watch = opened(Model.QUOTE)
    for n in range(2):
        assert watch.on_quote(quote(minute(5) + n, 97.0, spread=5.0)) is None
    watch.on_quote(quote(minute(5) + 2, 96.9, spread=5.0))
    assert watch.on_quote(quote(minute(5) + 3, 96.9, spread=5.0)) is not None


def test_what_has_no_quote_of_the_last_minute_is_marked_at_its_close() -> None:
    watch = risk(Model.QUOTE)
    watch.on_book(held((0, 500), (1, 500)))
    watch.on_quote(quote(minute(1) - 30 * SECOND, 10.0, slot=1), judge=False)
    watch.on_sealed(sealed(minute(1), {0: 100.0, 1: 100.0}))
    assert watch.equity(minute(1)) == usd(55_000)
    assert watch.equity(Nanos(minute(1) + 31 * SECOND)) == CASH
    assert watch.equity() == CASH


def test_a_quote_that_is_not_to_be_judged_or_not_usable_or_not_held_or_out_of_hours_trips_nothing() -> None:
    watch = opened(Model.QUOTE)
    ts = minute(5)
    for n in range(3):
        assert watch.on_quote(quote(ts + n, 90.0), judge=False) is None
        assert watch.on_quote(quote(ts + n, 90.0, size=0)) is None
        assert watch.on_quote(quote(ts + n, 90.0, spread=-1.0)) is None
        assert watch.on_quote(quote(ts + n, 1.0, slot=1)) is None
        assert watch.on_quote(quote(DAY.close + n, 90.0)) is None
    assert watch.rung is Rung.NORMAL


def test_marks_of_a_new_session_are_judged_against_the_close_before_it() -> None:
    """The day rolls at the first event of a session, which is a quote, not the first minute's seal."""
    watch = opened(Model.QUOTE)
    watch.on_sealed(sealed(DAY.close, {0: 98.0}))
    early = [watch.on_quote(quote(NEXT.open + n * SECOND, 96.5)) for n in range(3)]  # 1.5 % below that close
    assert early == [None] * 3
    assert int(watch.account["day_base"][0]) == usd(98_000)


# -- after a restart


def test_a_position_keeps_its_mark_through_a_restart_however_long_the_night_was(tmp_path: Path) -> None:
    """After hours and before them there are more minutes than a restart reads seals; the mark is older."""
    params = rules(Model.QUOTE)
    outset = Outset(
        directory=tmp_path, symbols=("A", "B"), model=Model.QUOTE, cash=CASH, identity={}, settings="",
        strategy="metronome", auto_release=True, begins=Nanos(0),
        params=params, rows=lambda: np.zeros(2, row(metronome.OWN)), think=lambda *_: 0,
    )  # fmt: skip
    ts, cid = DAY.close, Cid("fh-papr-0-1-0")
    order = Order(
        cid=cid, ts=ts, slot=0, role=Role.ENTRY, side=Side.BUY, type=Type.MARKET, qty=Shares(100), mark=usd(100)
    )
    bought = journal.Filled(
        ts=ts, cid=cid, seq=1, exec_id="x1", at=ts, slot=0, role=Role.ENTRY, side=Side.BUY, price=usd(100),
        qty=Shares(100), fee=Micros(0), state="filled", filled=Shares(100), cash=usd(90_000),
    )  # fmt: skip
    day = journal.BarRow(0, Nanos(ts - MINUTE), 100.0, 100.0, 100.0, 100.0, 1e4, Quality.FULL, codes.HOLD)
    night = [
        journal.BarRow(1, Nanos(ts + n * MINUTE), 7.0, 7.0, 7.0, 7.0, 1.0, Quality.EXTENDED, codes.HOLD)
        for n in range(570)
    ]
    rows: list[journal.Row] = [
        journal.Opened(
            ts=Nanos(0), account="papr", epoch="0", cash=CASH, model=Model.QUOTE, symbols=("A", "B"), identity={}
        ),
        journal.Seal(ts=ts, bars=(day,), equity=CASH, cash=CASH),
        journal.Intent(ts=ts, order=order),
        bought,
        *(journal.Seal(ts=Nanos(b.start + MINUTE), bars=(b,), equity=CASH, cash=usd(90_000)) for b in night),
    ]
    with SQLiteStore(tmp_path) as store:
        store.commit(rows, (), 1, 1)
        mind = begun(outset, ports_of(store))
        mind.risk.on_book(mind.desk.booked())
        assert mind.risk.equity() == CASH
