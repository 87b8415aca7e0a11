"""What the account is measured by: the broker's word beside our own, deposits, seals, quotes, a former life."""

from __future__ import annotations

import math

import msgspec
import pytest

from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.core.ladder import ACCOUNT, Rung, Trip
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Past, Ruling, account
from fluxhero.kernel import codes
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Booked,
    Granted,
    Micros,
    Model,
    Nanos,
    Round,
)
from tests.core.watching import (
    CASH,
    DAY,
    NEXT,
    TS,
    N,
    booked,
    ended,
    held,
    minute,
    opened,
    quote,
    risk,
    row,
    rows,
    sealed,
    signals,
    terms,
    tripped,
    usd,
)

# -- the broker's own word of our equity


def told(equity: float, at: int = TS, frozen: tuple[int, ...] = ()) -> Booked:
    return msgspec.structs.replace(
        held((0, 1000)), theirs=usd(equity), told=Nanos(at), ts=Nanos(at), frozen=frozen
    )  # fmt: skip


def hearing(watch: Risk, *equities: float) -> Risk:
    """So many statements, the last at TS."""
    for n, equity in enumerate(equities, 1 - len(equities)):
        watch.on_book(told(equity, TS + n))
    return watch


@pytest.mark.parametrize(
    ("theirs", "age", "worst"),
    [
        ((96_000, 96_000), 0, 96_000),
        ((96_000, 96_000), 60 * SECOND, 96_000),
        ((96_000, 96_000), 60 * SECOND + 1, 100_000),
        ((104_000, 104_000), 0, 100_000),
        ((0, 0), 0, 100_000),
        ((96_000,), 0, 100_000),  # of one print nothing follows
        ((96_000, 98_000), 0, 98_000),
        ((98_000, 96_000), 0, 98_000),
        ((96_000, 104_000, 95_000), 0, 100_000),
        ((0, 96_000), 0, 100_000),
        ((96_000, 0), 0, 100_000),
    ],
)
def test_the_worse_of_both_counts_once_told_twice_and_while_not_a_minute_old(
    theirs: tuple[float, ...], age: int, worst: float
) -> None:
    watch = hearing(opened(), *theirs)
    assert watch.worst(Nanos(TS + age)) == usd(worst)
    assert watch.equity() == CASH


def test_the_same_word_again_is_no_second_one() -> None:
    watch = opened()
    for _ in range(3):
        watch.on_book(told(96_000))
    assert watch.worst(TS) == CASH


@pytest.mark.parametrize(("slot", "worst"), [(3, 96_000), (ACCOUNT, 100_000)])
def test_while_the_account_itself_differs_the_brokers_word_is_none(slot: int, worst: float) -> None:
    watch = hearing(opened(), 96_000, 96_000)
    watch.on_book(told(96_000, frozen=(slot,)))
    assert watch.worst(TS) == usd(worst)


def test_a_loss_that_the_broker_alone_sees_trips() -> None:
    watch = hearing(opened(), 96_000, 96_000)
    assert rows(watch, sealed(minute(5), {0: 100.0})) == []
    assert rows(watch, sealed(minute(6), {0: 100.0})) == [
        tripped(minute(6), Trip.DAY_LOSS, "day loss", 96_000, 0.04, 0.03)
    ]


def test_between_seals_too() -> None:
    watch = hearing(opened(Model.QUOTE), 93_000, 93_000)
    ruling = watch.on_quote(quote(TS, 100.0))
    assert ruling
    assert ruling.rows == [tripped(TS, Trip.DAY_LOSS, "day loss", 93_000, 0.07, 0.03)]


# -- what comes into the account and leaves it

BASES = ("equity", "day_base", "last", "crest", "peak")


def bases(watch: Risk) -> list[int]:
    return [int(watch.account[name][0]) for name in BASES]


@pytest.mark.parametrize("flow", [50_000.0, -50_000.0])
def test_what_comes_in_or_leaves_moves_every_base_and_is_no_result(flow: float) -> None:
    watch = opened()
    before = bases(watch)
    watch.on_book(msgspec.structs.replace(held((0, 1000), cash=flow), flows=(usd(flow / 2), usd(flow / 2))))
    assert bases(watch) == [base + usd(flow) for base in before]
    for n in (2, 3, 4):
        assert rows(watch, sealed(minute(n), {0: 99.0})) == []
    assert (watch.rung, watch.account["sizing"][0]) == (Rung.NORMAL, 1.0)


def test_a_loss_after_all_was_withdrawn_trips() -> None:
    watch = risk()
    watch.on_book(msgspec.structs.replace(held(), flows=(Micros(-CASH),)))
    assert rows(watch, sealed(minute(1), {0: 50.0})) == [journal.Factors(ts=minute(1), sizing=0.5, trail=2.0)]
    watch.on_book(held(cash=-1.0))
    assert rows(watch, sealed(minute(2), {0: 50.0})) == [
        tripped(minute(2), Trip.DAY_LOSS, "day loss", -1, math.inf, 0.03),
        tripped(minute(2), Trip.DRAWDOWN, "drawdown", -1, math.inf, 0.2),
    ]


def test_what_the_account_has_seen_is_counted_from_the_former_life_on() -> None:
    watch = Risk(account(CASH), terms(), Past(rounds=3, flows=5))
    watch.on_book(booked(rounds=(Round(mode=1, result=usd(5)),) * 2, flows=(usd(1),)))
    assert [(s.name, s.count) for s in watch.states()] == [("account", 5), ("tapes", 6)]
    assert [s.blob for s in watch.states()] == [watch.account.tobytes(), watch.tapes.tobytes()]
    assert watch.account["modes"]["net"][0].tolist() == [0, 10_000_000, 0, 0, 0, 0, 0, 0]


# -- after a restart


def test_a_days_loss_is_not_released_by_a_restart_within_its_session() -> None:
    own = account(CASH)
    own["session"], own["trips"] = DAY.index, codes.DAY_LOSS
    watch = Risk(own, terms(), Past(trips=[row(Trip.DAY_LOSS, "day loss")]))
    assert rows(watch, sealed(minute(5), {0: 50.0})) == []
    assert watch.rung is Rung.FLATTEN
    assert rows(watch, sealed(minute(1, day=1), {0: 50.0}, NEXT.index)) == [
        ended(Trip.DAY_LOSS, "a new session", NEXT.open, by="script")
    ]


def test_the_factors_of_a_former_life_hold() -> None:
    own = account(CASH)
    own["equity"], own["session"], own["sizing"], own["trail"] = usd(84_000), DAY.index, 0.5, 2.0
    own["day_base"] = usd(84_000)
    watch = Risk(own, terms())
    watched, ruling = watch.on_sealed(sealed(minute(5), {0: 50.0}))
    assert (watched.trail, ruling) == (2.0, Ruling([]))


def test_a_life_begins_with_the_book_of_the_one_before() -> None:
    watch = risk()
    watch.begun(held((0, 10), cash=7))
    watch.on_past(sealed(minute(5), {0: 50.0}))
    assert watch.equity() == usd(507)


def test_whether_nobody_thinks_is_known() -> None:
    assert [Risk(account(CASH), msgspec.structs.replace(terms(), safe=safe)).safe for safe in (True, False)] == [
        True, False,
    ]  # fmt: skip
    assert account(CASH).shape == (1,)


# -- seals


def test_the_first_session_of_the_calendar_is_one() -> None:
    watch = risk()
    watch.on_book(held((0, 10), cash=99_500))
    seal = sealed(minute(5), {0: 50.0}, 0)
    assert rows(watch, seal) == []
    assert int(watch.account["session"][0]) == 0
    watch.trips.trip(Trip.DAY_LOSS, TS, "so", CASH)
    assert watch.on_signals(signals(TS, of=seal))[0].exits == (0,)


def test_a_seal_without_any_bar_is_of_no_session() -> None:
    watch = risk()
    assert rows(watch, sealed(minute(5), {})) == []
    assert int(watch.account["session"][0]) == -1


def test_the_first_seal_of_a_month_tells_of_the_new_session_too() -> None:
    first = next(s for s in nyse().sessions if (s.date.year, s.date.month) == (2024, 4))
    watch = risk()
    watch.on_sealed(sealed(minute(1), {0: 50.0}))
    watch.trips.trip(Trip.DAY_LOSS, TS, "so", CASH)
    assert rows(watch, sealed(first.open + MINUTE, {0: 50.0}, first.index)) == [
        ended(Trip.DAY_LOSS, "a new session", first.open, by="script")
    ]


def test_both_limits_may_trip_with_one_seal() -> None:
    watch = opened()
    assert rows(watch, sealed(minute(2), {0: 59.0})) == [
        tripped(minute(2), Trip.DAY_LOSS, "day loss", 59_000, 0.41, 0.03),
        tripped(minute(2), Trip.DRAWDOWN, "drawdown", 59_000, 0.41, 0.2),
        journal.Factors(ts=minute(2), sizing=0.5, trail=2.0),
    ]


def test_a_seal_is_judged_at_its_closes_whatever_the_quotes_are() -> None:
    watch = opened(Model.QUOTE)
    watch.on_quote(quote(minute(2) - SECOND, 60.0), judge=False)
    assert rows(watch, sealed(minute(2), {0: 100.0})) == []
    assert int(watch.account["equity"][0]) == CASH


def test_what_is_passed_on_with_its_spreads_is_else_the_seal_itself() -> None:
    watch = risk(Model.QUOTE)
    watch.on_quote(quote(minute(2) - SECOND, 50.0, spread=0.02))
    m = msgspec.structs.replace(sealed(minute(2), {0: 50.0}), heard=Nanos(minute(2) - 7))
    made = watch.on_sealed(m)[0].sealed
    assert (made.ts, made.heard) == (m.ts, m.heard)
    assert made.bars["spread"].tolist() == [0.04] + [-1.0] * (N - 1)
    assert m.bars["spread"].tolist() == [-1.0] + [0.0] * (N - 1)


# -- which quotes are marks


def two(last: float = 10.0) -> Risk:
    """500 shares of each of slots 0 and 1 at 100, and a living quote of slot 1 that nobody has judged."""
    watch = risk(Model.QUOTE)
    watch.on_book(held((0, 500), (1, 500)))
    watch.on_sealed(sealed(minute(1), {0: 100.0, 1: 100.0}))
    watch.on_quote(quote(TS, last, slot=1), judge=False)
    return watch


def test_a_usable_quote_of_anything_held_is_a_mark_of_all_that_is() -> None:
    for slot in (0, 1):
        ruling = two().on_quote(quote(TS + 1, 10.0, slot))
        assert ruling
        assert ruling.granted == Granted(ts=Nanos(TS + 1), exits=(0, 1), cancel_entries=True, durable=True)


def test_a_bad_quote_and_one_of_what_is_not_held_are_no_marks() -> None:
    watch = two()
    assert watch.on_quote(quote(TS + 1, 100.0, slot=0, size=0)) is None
    assert watch.on_quote(quote(TS + 2, 100.0, slot=2)) is None
    assert watch.rung is Rung.NORMAL


# -- living quotes


def test_how_long_a_quote_lives_can_be_said() -> None:
    own = msgspec.structs.replace(terms(Model.QUOTE), quiet=Nanos(90 * SECOND), fresh=Nanos(7 * SECOND))
    watch = Risk(account(CASH), own)
    watch.on_quote(quote(TS, 50.0))
    assert watch.marks.age(0, Nanos(TS + 90 * SECOND)) == (90.0, 7.0)
    watch.on_quote(quote(TS + 90 * SECOND, 50.0, slot=1))
    assert watch.marks.age(0, Nanos(TS + 90 * SECOND)) == (90.0, 90.0)
    assert watch.marks.age(0, Nanos(TS + 90 * SECOND + 1)) == (float("inf"), 90.0)


def test_a_mid_is_whole_micro_dollars() -> None:
    watch = risk(Model.QUOTE)
    watch.on_quote(msgspec.structs.replace(quote(TS, 50.0), bid=Micros(49_999_999), ask=Micros(50_000_002)))
    mid = watch.marks.mid(0, TS)
    assert (mid, type(mid)) == (50_000_000, int)
