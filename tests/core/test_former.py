"""What a former life has left: trips that are held, flows of an account that had nothing, and how marks are counted."""

import pytest

from fluxhero.config import Config
from fluxhero.core import journal
from fluxhero.core.ladder import ACCOUNT, Trip
from fluxhero.core.rate import A_DAY, CEILING, Rate
from fluxhero.core.risk import Risk
from fluxhero.core.terms import FOR_EVER, Past, Ruling, Terms, account, parameters
from fluxhero.core.trips import Trips
from fluxhero.messages import MINUTE, Granted, Micros, Model, Nanos
from tests.core.watching import CASH, DAY, TS, booked, minute, opened, risk, sealed, terms, tripped

LOSS = tripped(TS, Trip.DAY_LOSS, "day loss", 96_000, 0.04, 0.03)
STALE = tripped(TS, Trip.DISK, "disk", 100_000, 0.0, 0.0)


def resumed(*trips: object, safe: bool = False, ts: Nanos = TS) -> Ruling | None:
    """Of a life that begins with these trips and 100 shares of slot 0."""
    of = terms()
    of = Terms(params=of.params, model=of.model, calendar=of.calendar, symbols=of.symbols, safe=safe)
    watch = Risk(account(CASH), of, Past(trips=list(trips)))  # type: ignore[arg-type]
    watch.begun(booked((0, 100)))
    return watch.resumed(ts)


def test_who_has_tripped_nothing_has_nothing_to_act_on() -> None:
    assert resumed() is None


def test_what_a_former_life_may_not_have_lived_to_do_is_done_and_no_row_of_it_written_twice() -> None:
    assert resumed(LOSS) == Ruling([], Granted(ts=TS, exits=(0,), cancel_entries=True, durable=True))


def test_a_trip_that_keeps_entries_back_cancels_them_again() -> None:
    assert resumed(STALE) == Ruling([], Granted(ts=TS, cancel_entries=True, durable=True))


def test_of_a_single_symbol_its_entries_alone_are_canceled() -> None:
    drift = type(LOSS)(ts=TS, trip=Trip.DRIFT, cause="drift", equity=CASH, value=0.0, limit=0.0, slot=1)
    assert resumed(drift) == Ruling([], Granted(ts=TS, cancels=(1,), durable=True))


def test_where_nobody_thinks_entries_go_though_nothing_has_tripped() -> None:
    assert resumed(safe=True) == Ruling([], Granted(ts=TS, cancel_entries=True, durable=True))


def test_outside_the_session_what_is_to_be_left_waits() -> None:
    night = Nanos(DAY.close)
    assert resumed(LOSS, ts=night) == Ruling([], Granted(ts=night, cancel_entries=True, durable=True))


@pytest.mark.parametrize(
    ("before", "by", "base", "after"),
    [
        (100, 50, 80, 120),
        (3, 18, 10, 70),
        (1, 20, 7, 147),
        (0, 20, 7, 27),
        (-5, 20, 7, 27),
        (3, 0, 10**17 + 1, 10**17 + 1),
    ],
)
def test_a_flow_moves_bases_in_proportion_and_where_there_was_nothing_by_itself(
    before: int, by: int, base: int, after: int
) -> None:
    watch = risk()
    watch.account["equity"], watch.account["crest"] = before, base
    watch.on_flow(Micros(by))
    assert int(watch.account["crest"][0]) == after


def test_a_halt_that_is_released_between_two_marks_does_not_forget_the_first() -> None:
    watch = opened()
    watch.on_sealed(sealed(minute(2), {0: 96.0}))
    watch.halt("by hand", minute(2))
    watch.release("halt", "seen to", minute(2))
    _, ruling = watch.on_sealed(sealed(minute(3), {0: 96.0}))
    assert [row.trip for row in ruling.rows if isinstance(row, journal.Tripped)] == [Trip.DAY_LOSS]


def test_the_symbols_that_hold_a_trip_are_those_of_no_account() -> None:
    trips = Trips()
    assert trips.symbols == frozenset()
    trips.trip(Trip.HALT, TS, "by hand", CASH)
    trips.trip(Trip.DRIFT, TS, "drift", CASH, slot=2)
    trips.trip(Trip.NAKED, TS, "naked", CASH, slot=0)
    assert (trips.symbols, trips.held(Trip.HALT, ACCOUNT)) == (frozenset({0, 2}), True)


@pytest.mark.parametrize(
    ("model", "daily", "strikes", "window"),
    [(Model.BAR, False, 2, FOR_EVER), (Model.BAR, True, 1, FOR_EVER), (Model.QUOTE, False, 2, 5_000_000_000)],
)
def test_one_close_is_enough_on_daily_bars_alone(model: Model, daily: bool, strikes: int, window: int) -> None:
    made = parameters(Config(), model, daily=daily)["rules"][0]
    assert (int(made["strikes"]), int(made["strike_window"])) == (strikes, window)


def test_prices_are_as_traded_and_bars_a_minute_long_where_nothing_else_is_said() -> None:
    made = parameters(Config(), Model.BAR)["rules"][0]
    assert (int(made["raw"]), int(made["span"]), int(made["strikes"])) == (1, MINUTE, 2)


def test_nothing_is_known_of_a_past_that_nobody_tells() -> None:
    assert Past() == Past(
        trips=[], paused=[], answered=[], rounds=0, flows=0, entries=[], rejects=[], trades=[]
    )  # fmt: skip
    past = Past()
    assert (past.rounds, past.flows) == (0, 0)


def test_what_is_not_said_of_an_account_is_as_the_rules_have_it() -> None:
    of = Terms(params=terms().params, model=Model.BAR, calendar=terms().calendar, symbols=1)
    assert (of.auto_release, of.begins, of.safe) == (True, 0, False)
    assert Ruling([]).granted is None


def test_a_day_of_orders_ends_with_the_utc_day() -> None:
    day = 86_400_000_000_000
    rate = Rate(Nanos(5 * day + n * MINUTE) for n in range(A_DAY))
    assert rate.over(Nanos(6 * day - 1)) == (A_DAY, A_DAY)
    assert rate.over(Nanos(6 * day)) is None
    assert CEILING == 60
