"""The ladder's table: what each trip asks for, of what it is, and what lets go of it; and the trips that are held."""

from __future__ import annotations

import pytest

from fluxhero.core import journal
from fluxhero.core.ladder import ACCOUNT, BITS, RULES, Rule, Rung, Trip, remedy, table
from fluxhero.core.trips import Trips
from fluxhero.kernel import codes
from fluxhero.messages import Micros, Nanos

T, LATER = Nanos(7), Nanos(8)
EQUITY = Micros(99)

LADDER: dict[Trip, tuple[str, Rung, bool, str]] = {
    Trip.DAY_LOSS: ("day_loss", Rung.FLATTEN, False, "fluxhero ctl release day_loss --reason TEXT"),
    Trip.DRAWDOWN: ("drawdown", Rung.FLATTEN, False, "fluxhero ctl release drawdown --reason TEXT"),
    Trip.HALT: ("halt", Rung.HALTED, False, "fluxhero ctl release halt --reason TEXT"),
    Trip.REJECTS: ("rejects", Rung.HALTED, False, "fluxhero ctl release rejects --reason TEXT"),
    Trip.RATE: ("rate", Rung.HALTED, False, "fluxhero ctl release rate --reason TEXT"),
    Trip.CLOCK: ("clock", Rung.HALTED, False, "fluxhero ctl release clock --reason TEXT"),
    Trip.FEED: ("feed", Rung.REDUCING, False, "when it is heard again"),
    Trip.DISK: ("disk", Rung.REDUCING, False, "when there is room again"),
    Trip.STALE: ("stale", Rung.REDUCING, True, "when it is quoted again"),
    Trip.DRIFT: ("drift", Rung.REDUCING, True, "when both agree, or by adopt"),
    Trip.NAKED: ("naked", Rung.FLATTEN, True, "fluxhero ctl release naked AAPL --reason TEXT"),
}


MEANINGS = {
    Trip.DAY_LOSS: "the day has lost more than its limit",
    Trip.DRAWDOWN: "equity is too far under its peak",
    Trip.HALT: "somebody wants it",
    Trip.REJECTS: "the broker refuses order after order",
    Trip.RATE: "more entries were about to leave than may",
    Trip.CLOCK: "the machine's clock has jumped, or is not the broker's",
    Trip.FEED: "the market is silent",
    Trip.DISK: "the disk is nearly full",
    Trip.STALE: "the symbol is silent",
    Trip.DRIFT: "the broker differs from us",
    Trip.NAKED: "a position was without its stop for too long",
}


@pytest.mark.parametrize("trip", Trip)
def test_each_trip_has_its_rung_its_scope_and_its_remedy(trip: Trip) -> None:
    rule = RULES[trip]
    assert (trip.value, rule.rung, rule.of_symbol, remedy(trip, "AAPL")) == LADDER[trip]
    assert rule.meaning == MEANINGS[trip]


def test_a_trip_of_symbols_whose_symbol_is_not_told_is_released_whole() -> None:
    assert remedy(Trip.NAKED, "") == "fluxhero ctl release naked --reason TEXT"


def test_a_rule_is_of_the_account_and_holds_until_it_is_released_unless_it_says_otherwise() -> None:
    assert Rule(Rung.SAFE, "so") == Rule(rung=Rung.SAFE, meaning="so", of_symbol=False, ends="")


def test_the_rungs_are_in_order_and_rows_of_former_days_mean_the_same() -> None:
    assert [(rung.name, rung.value) for rung in Rung] == [
        ("NORMAL", 0), ("REDUCING", 1), ("SAFE", 2), ("HALTED", 3), ("FLATTEN", 4),
    ]  # fmt: skip
    assert ACCOUNT == -1


def test_the_kernel_watches_two_of_them() -> None:
    assert BITS == {Trip.DAY_LOSS: codes.DAY_LOSS, Trip.DRAWDOWN: codes.DRAWDOWN}


TABLE = """\
1. REDUCING: no entries
2. SAFE: no entries; feed, candles and strategy are down, stops and reconciliation go on
3. HALTED: no orders of the strategy; protective stops and cancels alone
4. FLATTEN: everything is canceled and closed, then as halted

| trip | | rung | of | lets go |
|---|---|---|---|---|
"""


def test_the_table_says_all_of_it() -> None:
    head, body = table()[: len(TABLE)], table()[len(TABLE) :].splitlines()
    assert head == TABLE
    assert body == [
        f"| `{name}` | {MEANINGS[trip]} | {rung.name} | {'symbol' if of_symbol else 'account'} |"
        f" {'when it is released' if 'release' in ends else ends} |"
        for trip, (name, rung, of_symbol, ends) in LADDER.items()
    ]


# -- what is held


def row(trip: Trip, slot: int = ACCOUNT) -> journal.Tripped:
    return journal.Tripped(ts=T, trip=trip, cause="so", equity=EQUITY, value=2.0, limit=1.0, slot=slot)


def trips(*rows: journal.Tripped, floor: Rung = Rung.NORMAL) -> Trips:
    return Trips(rows, floor)


def test_a_trip_is_in_force_at_once_and_one_row_until_it_ends() -> None:
    held = Trips()
    assert held.trip(Trip.HALT, T, "so", EQUITY, 2.0, 1.0) == [row(Trip.HALT)]
    assert (held.held(Trip.HALT), held.rung, list(held)) == (True, Rung.HALTED, [row(Trip.HALT)])
    assert held.trip(Trip.HALT, LATER, "again", EQUITY) == []
    assert list(held) == [row(Trip.HALT)]
    assert held.end(Trip.HALT, LATER, "operator", "enough") == [
        journal.Released(ts=LATER, trip="halt", by="operator", reason="enough", slot=ACCOUNT)
    ]
    assert (held.held(Trip.HALT), held.rung, list(held)) == (False, Rung.NORMAL, [])
    assert held.end(Trip.HALT, LATER, "operator", "enough") == []


def test_a_trip_without_numbers_has_none() -> None:
    assert Trips().trip(Trip.HALT, T, "so", EQUITY) == [
        journal.Tripped(ts=T, trip="halt", cause="so", equity=EQUITY, value=0.0, limit=0.0, slot=ACCOUNT)
    ]


def test_each_symbol_has_its_own() -> None:
    held = trips(row(Trip.STALE, 0), row(Trip.STALE, 2), row(Trip.DRIFT, 2), row(Trip.NAKED, 3))
    assert (held.held(Trip.STALE, 0), held.held(Trip.STALE, 1), held.held(Trip.STALE)) == (True, False, False)
    assert (held.slots(Trip.STALE), held.slots(Trip.DRIFT), held.slots(Trip.FEED)) == ({0, 2}, {2}, set())
    assert held.end(Trip.STALE, T, "evidence", "so", 0) == [
        journal.Released(ts=T, trip="stale", by="evidence", reason="so", slot=0)
    ]
    assert (held.slots(Trip.STALE), held.end(Trip.STALE, T, "evidence", "so")) == ({2}, [])


def test_trips_of_a_former_life_are_held() -> None:
    held = trips(row(Trip.DRAWDOWN), row(Trip.NAKED, 1))
    assert (held.rung, held.of(1), [*held]) == (
        Rung.FLATTEN, (Rung.FLATTEN, Trip.NAKED), [row(Trip.DRAWDOWN), row(Trip.NAKED, 1)],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("held", "rung"),
    [
        ((), Rung.NORMAL),
        ((Trip.FEED,), Rung.REDUCING),
        ((Trip.FEED, Trip.HALT), Rung.HALTED),
        ((Trip.DAY_LOSS, Trip.HALT, Trip.DISK), Rung.FLATTEN),
    ],
)
def test_the_highest_trip_of_the_account_rules(held: tuple[Trip, ...], rung: Rung) -> None:
    assert trips(*map(row, held)).rung is rung
    assert trips(*map(row, held), floor=Rung.SAFE).rung is max(rung, Rung.SAFE)


def test_a_symbols_trips_are_not_the_accounts_nor_the_other_way_round() -> None:
    held = trips(row(Trip.NAKED, 1), row(Trip.FEED))
    assert (held.rung, held.of(0), held.of(1)) == (Rung.REDUCING, (Rung.NORMAL, None), (Rung.FLATTEN, Trip.NAKED))


def test_of_a_symbols_trips_the_highest_is_named_in_whatever_order_they_came() -> None:
    for rows in ((Trip.NAKED, Trip.STALE), (Trip.STALE, Trip.NAKED)):
        assert trips(*(row(trip, 1) for trip in rows)).of(1) == (Rung.FLATTEN, Trip.NAKED)


def test_silence_is_named_last_for_a_quote_may_end_it_and_not_the_other() -> None:
    for rows in ((Trip.DRIFT, Trip.STALE), (Trip.STALE, Trip.DRIFT)):
        assert trips(*(row(trip, 1) for trip in rows)).of(1) == (Rung.REDUCING, Trip.DRIFT)


def test_what_is_to_be_left_are_symbols_that_flatten_and_not_the_account() -> None:
    held = trips(row(Trip.NAKED, 1), row(Trip.DRIFT, 2), row(Trip.STALE, 3), row(Trip.DAY_LOSS), row(Trip.NAKED, 4))
    assert held.flat() == {1, 4}
