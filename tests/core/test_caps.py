"""Every cap of the gate at its border: the last order that may, the first that may not, and what says so."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec
import msgspec.inspect
import pytest

from fluxhero.config import Gates
from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.core.ladder import Rung, Trip
from fluxhero.core.rate import A_DAY, A_MINUTE
from fluxhero.core.risk import Risk
from fluxhero.core.terms import Past, account
from fluxhero.kernel import codes
from fluxhero.kernel.places import MOST_DAYS
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Booked,
    Chase,
    Chasing,
    Cid,
    Granted,
    Lot,
    Micros,
    Model,
    Nanos,
    Raise,
    Round,
    Shares,
    Side,
    Signal,
)
from tests.accounts import together
from tests.core.watching import (
    CASH,
    DAY,
    N,
    held,
    leave,
    minute,
    quote,
    risk,
    sealed,
    seek,
    short,
    signals,
    terms,
    usd,
)

TS = minute(5)
Refusal = tuple[int, float, float, int]  # gate, value, limit, qty
GRANTED, NONE = (codes.OPEN, 0.0, 0.0, 400), (codes.SIZE, 0.0, 1.0, 0)


def asked(watch: Risk, signal: Signal, ts: Nanos = TS) -> Refusal:
    granted, ruling = watch.on_signals(signals(ts, signal))
    (row,) = ruling.rows
    assert isinstance(row, journal.Judged)
    assert [e.qty for e in granted.entries] == ([row.qty] if row.qty else [])
    return row.gate, row.value, row.limit, row.qty


def booked(*lots: tuple[int, int], close: float = 50.0, **more: object) -> Risk:
    """After a seal at this close, with 100,000 USD of cash but for what is said."""
    watch = risk()
    watch.on_sealed(sealed(minute(4), dict.fromkeys(range(N), close)))
    book = held(*lots, cash=100_000)
    watch.on_book(msgspec.structs.replace(book, **more))
    return watch


def worth(equity: float) -> Risk:
    return Risk(account(usd(equity)), terms())


def sought(slot: int, qty: int, price: float = 50.0) -> Lot:
    return Lot(slot=slot, qty=Shares(qty), price=usd(price))


def sent(n: int, apart: int, last: int = TS) -> Risk:
    """An account that has sent so many entries, the last then."""
    times = [Nanos(last - i * apart) for i in reversed(range(n))]
    return Risk(account(CASH), terms(), Past(entries=times))


BORDERS: dict[str, tuple[Callable[[], Risk], Signal, Refusal]] = {
    "four positions": (lambda: booked(*((i, 10) for i in range(1, 5))), seek(), GRANTED),
    "five": (lambda: booked(*((i, 10) for i in range(1, 6))), seek(), (codes.SLOTS, 5.0, 5.0, 0)),
    "three and one that is sought": (
        lambda: booked((1, 10), (2, 10), (3, 10), entering=(sought(4, 1),)), seek(), GRANTED,
    ),
    "four and one that is sought": (
        lambda: booked(*((i, 10) for i in range(1, 5)), entering=(sought(5, -1),)), seek(), (codes.SLOTS, 5.0, 5.0, 0),
    ),
    "four, of which one is sought too": (
        lambda: booked(*((i, 10) for i in range(1, 5)), entering=(sought(4, 1),)), seek(), GRANTED,
    ),
    "room for 400 beside what is held": (lambda: booked((1, 600)), seek(), GRANTED),
    "a share more held": (lambda: booked((1, 601)), seek(), (codes.OPEN, 0.0, 0.0, 399)),
    "the same, short": (lambda: booked((1, -601)), seek(), (codes.OPEN, 0.0, 0.0, 399)),
    "room for one": (lambda: booked((1, 999)), seek(), (codes.OPEN, 0.0, 0.0, 1)),
    "room for none": (lambda: booked((1, 1000)), seek(), NONE),
    "more held than may be": (lambda: booked((1, 1200)), seek(), NONE),
    "room for one beside what is sought at its price": (
        lambda: booked(entering=(sought(1, 333, 150.0),)), seek(), (codes.OPEN, 0.0, 0.0, 1),
    ),
    "beside what is held and sought": (lambda: booked((1, 500), entering=(sought(2, -499),)), seek(),
        (codes.OPEN, 0.0, 0.0, 1)),
    "longs and shorts take room alike": (lambda: booked((1, 500), (2, -500)), seek(), NONE),
    "equity for one share": (lambda: worth(250.0), seek(), (codes.OPEN, 0.0, 0.0, 1)),
    "a micro-dollar less": (lambda: worth(249.999999), seek(), NONE),
    "no equity": (lambda: worth(0.0), seek(), NONE),
    "less than none": (lambda: worth(-50_000.0), seek(), NONE),
    "less than none, short": (lambda: worth(-50_000.0), short(), NONE),
    "a stop at the price": (risk, seek(stop=50.0), (codes.STOP, 50.0, 50.0, 0)),
    "a stop above it": (risk, seek(stop=50.01), (codes.STOP, 50.01, 50.0, 0)),
    "a stop below it": (risk, seek(stop=49.99), GRANTED),
    "no stop": (risk, seek(stop=0.0), (codes.STOP, 0.0, 50.0, 0)),
    "no risk": (risk, seek(share=0.0), NONE),
    "a risk that is no number": (risk, seek(share=math.nan), NONE),
    "a risk without end": (risk, seek(share=math.inf), NONE),
    "a scale that is no number": (risk, seek(scale=math.nan), NONE),
    "nine within a minute": (lambda: sent(9, SECOND), seek(), GRANTED),
    "ten": (lambda: sent(10, SECOND), seek(), (codes.RATE, 10.0, 10.0, 0)),
    "ten, the first a minute ago": (lambda: sent(10, MINUTE // 9), seek(), (codes.RATE, 10.0, 10.0, 0)),
    "ten, the first that and a bit": (lambda: sent(10, MINUTE // 9 + 1), seek(), GRANTED),
    "ninety-nine in a day": (lambda: sent(99, 10 * SECOND), seek(), GRANTED),
    "a hundred": (lambda: sent(100, 7 * SECOND), seek(), (codes.RATE, 100.0, 100.0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("what", BORDERS)
def test_every_cap_holds_at_its_border(what: str) -> None:
    made, signal, expected = BORDERS[what]
    assert asked(made(), signal) == expected


def test_the_reason_of_a_size_has_both_numbers() -> None:
    """Requirements 10: 100,000, entry 50, stop 48."""
    _, ruling = risk().on_signals(signals(TS, seek()))
    (row,) = ruling.rows
    assert isinstance(row, journal.Judged)
    assert (row.qty, row.by_risk, row.by_cap, row.by_room) == (400, 500, 400, 1000)


# -- what refuses first


def shut(*, rung: bool = False, paused: bool = False, busy: bool = False, frozen: bool = False) -> Risk:
    """As many entries sent as may be, no quote, and all this besides."""
    past = Past(entries=[Nanos(TS - n) for n in reversed(range(A_MINUTE))], paused=[0] if paused else [])
    watch = Risk(account(CASH), terms(Model.QUOTE), past)
    lots = ((0, 10),) if busy else ()
    watch.on_book(msgspec.structs.replace(held(*lots, cash=100_000), frozen=(0,) if frozen else (), ts=TS))
    if rung:
        watch.halt("lunch", TS)
    return watch


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        (("rung", "paused", "busy", "frozen"), (codes.RUNG, 3.0, 0.0, 0)),
        (("paused", "busy", "frozen"), (codes.PAUSED, 1.0, 0.0, 0)),
        (("busy", "frozen"), (codes.BUSY, 1.0, 0.0, 0)),
        (("frozen",), (codes.FROZEN, 1.0, 0.0, 0)),
        ((), (codes.RATE, 10.0, 10.0, 0)),
    ],
)
def test_of_several_reasons_the_one_that_lasts_longest_is_told(given: tuple[str, ...], refusal: Refusal) -> None:
    assert asked(shut(**dict.fromkeys(given, True)), seek()) == refusal


# -- rates


def test_grants_count_and_refusals_do_not() -> None:
    watch = risk()
    for n in range(A_MINUTE):
        assert asked(watch, seek(n % N, share=0.0001), Nanos(TS + n))[3] == 5
        assert asked(watch, seek(n % N, stop=50.0), Nanos(TS + n))[3] == 0
        watch.on_book(held(cash=100_000, grants=99))
    assert asked(watch, seek(), TS) == (codes.RATE, 10.0, 10.0, 0)


def test_what_was_sent_again_counts() -> None:
    watch = sent(9, SECOND)
    watch.on_book(msgspec.structs.replace(held(cash=100_000), resent=(TS,)))
    assert asked(watch, seek()) == (codes.RATE, 10.0, 10.0, 0)


def test_exits_are_not_counted_and_not_held_back() -> None:
    watch = sent(A_DAY, SECOND)
    for _ in range(3):
        watch.on_book(held((1, 10), cash=100_000, grants=99))
        assert watch.on_signals(signals(TS, leave(1)))[0].exits == (1,)


# -- another attempt of an entry

CAP = usd(50.5)


def chasing(ts: Nanos = TS, side: Side = Side.BUY, cap: Micros = CAP) -> Chasing:
    return Chasing(ts=ts, slot=0, cid=Cid("c"), side=side, cap=cap)


def chase(watch: Risk, c: Chasing) -> tuple[int, float, float, Micros]:
    ruling = watch.on_chasing(c)
    assert ruling.granted
    (made,) = ruling.granted.chases
    assert (ruling.rows, ruling.granted) == ([], Granted(ts=c.ts, chases=(made,)))
    assert made == Chase(cid=c.cid, slot=0, gate=made.gate, value=made.value, limit=made.limit, price=made.price)
    return made.gate, made.value, made.limit, made.price


def seen(ts: int = TS, price: float = 50.0, spread: float = 0.0, past: Past | None = None) -> Risk:
    watch = Risk(account(CASH), terms(Model.QUOTE), past or Past())
    watch.on_quote(quote(ts, price, spread=spread))
    return watch


@pytest.mark.parametrize(
    ("price", "side", "cap", "limit"),
    [
        (50.0, Side.BUY, 50.5, 50.0),
        (50.004, Side.BUY, 50.5, 50.01),
        (50.6, Side.BUY, 50.5, 50.5),
        (50.006, Side.SELL, 49.5, 50.0),
        (49.4, Side.SELL, 49.5, 49.5),
    ],
)
def test_a_chase_is_at_the_mid_and_never_beyond_its_cap(price: float, side: Side, cap: float, limit: float) -> None:
    assert chase(seen(price=price), chasing(side=side, cap=usd(cap))) == (codes.OPEN, 0.0, 0.0, usd(limit))


def test_an_entry_begins_at_the_mid_too_and_keeps_its_cap() -> None:
    signal = msgspec.structs.replace(seek(), cap=CAP)
    granted, ruling = seen(price=50.004).on_signals(signals(TS, signal))
    assert [(e.limit, e.cap) for e in granted.entries] == [(usd(50.01), CAP)]
    assert [(r.price, r.cap) for r in ruling.rows if isinstance(r, journal.Judged)] == [(usd(50.01), CAP)]
    _, ruling = seen().on_signals(signals(TS, msgspec.structs.replace(signal, risk=0.0)))
    assert [(r.gate, r.price, r.cap) for r in ruling.rows if isinstance(r, journal.Judged)] == [(codes.SIZE, 0, 0)]


def test_with_bars_an_entry_has_neither_limit_nor_cap() -> None:
    granted, _ = risk().on_signals(signals(TS, msgspec.structs.replace(seek(), cap=CAP)))
    assert [(e.limit, e.cap) for e in granted.entries] == [(0, 0)]


@pytest.mark.parametrize(
    ("ts", "gate"), [(DAY.close - 1, codes.OPEN), (DAY.close, codes.HOURS), (DAY.open - 1, codes.HOURS)]
)
def test_nothing_is_chased_out_of_hours(ts: int, gate: int) -> None:
    at = Nanos(ts)
    assert chase(seen(at), chasing(at)) == (gate, 0.0, 0.0, usd(50) if gate == codes.OPEN else 0)


def test_with_bars_a_chase_is_at_the_last_close() -> None:
    assert chase(booked(), chasing()) == (codes.OPEN, 0.0, 0.0, usd(50))


def test_chases_count_and_refused_ones_do_not() -> None:
    watch = seen(past=Past(entries=[Nanos(TS - 9 + n) for n in range(A_MINUTE - 1)]))
    watch.paused.add(0)
    assert chase(watch, chasing()) == (codes.PAUSED, 1.0, 0.0, 0)
    watch.paused.clear()
    assert chase(watch, chasing()) == (codes.OPEN, 0.0, 0.0, usd(50))
    assert chase(watch, chasing()) == (codes.RATE, 10.0, 10.0, 0)


def test_a_chase_is_a_grant_that_is_counted() -> None:
    watch = seen()
    chase(watch, chasing())  # 1
    watch.on_signals(signals(TS, seek(0)))  # 2
    watch.on_book(held(cash=100_000, grants=1))
    assert asked(watch, seek(0)) == (codes.BUSY, 1.0, 0.0, 0)


@pytest.mark.parametrize(
    ("trip", "refusal"),
    [
        (Trip.HALT, (codes.RUNG, 3.0, 0.0, 0)),
        (Trip.FEED, (codes.RUNG, 1.0, 0.0, 0)),
        (Trip.DRIFT, (codes.FROZEN, 1.0, 0.0, 0)),
        (Trip.NAKED, (codes.RUNG, 4.0, 0.0, 0)),
        (Trip.STALE, (codes.OPEN, 0.0, 0.0, usd(50))),  # a fresh quote says that it is not
    ],
)
def test_what_refuses_an_entry_refuses_its_chase(trip: Trip, refusal: tuple[int, float, float, int]) -> None:
    watch = seen()
    watch.trips.trip(trip, TS, "so", CASH, slot=0 if trip in ("drift", "naked", "stale") else -1)
    assert chase(watch, chasing()) == refusal


@pytest.mark.parametrize(("age", "gate"), [(5 * SECOND, codes.OPEN), (5 * SECOND + 1, codes.FRESH)])
def test_a_chase_needs_a_fresh_quote(age: int, gate: int) -> None:
    assert chase(seen(TS - age), chasing())[0] == gate


# -- a sane price


def collared(price: float, collar: float = 0.04, close: float = 50.0, model: Model = Model.QUOTE) -> Risk:
    watch = Risk(account(CASH), msgspec.structs.replace(terms(model), collar=collar))
    if close:
        watch.on_sealed(sealed(minute(4), {0: close}))
    watch.on_quote(quote(TS, price))
    return watch


@pytest.mark.parametrize(
    ("price", "gate"),
    [(52.0, codes.OPEN), (52.01, codes.PRICE), (48.0, codes.OPEN), (47.99, codes.PRICE), (50.0, codes.OPEN)],
)
def test_a_quote_further_than_the_collar_from_the_last_close_is_no_price(price: float, gate: int) -> None:
    expected = (gate, round(abs(price - 50) / 50, 6), 0.04) if gate else (gate, 0.0, 0.0)
    assert chase(collared(price), chasing(cap=usd(99)))[:3] == expected
    refusal = asked(collared(price), seek())
    assert refusal[:3] == expected
    assert bool(refusal[3]) is (gate == codes.OPEN)


def test_where_there_was_no_close_every_price_is_sane() -> None:
    assert asked(collared(99.0, close=0.0), seek()) == GRANTED


def test_a_collar_of_nothing_lets_the_close_itself_pass() -> None:
    assert asked(collared(50.0, collar=0.0), seek()) == GRANTED
    assert asked(collared(50.01, collar=0.0), seek())[0] == codes.PRICE


def test_without_a_collar_and_with_bars_no_price_is_refused() -> None:
    assert asked(collared(99.0, collar=math.inf), seek()) == GRANTED
    assert asked(collared(99.0, model=Model.BAR), seek()) == GRANTED


@pytest.mark.parametrize(
    ("ts", "gate"), [(DAY.open - 1, codes.HOURS), (DAY.open, codes.OPEN), (DAY.close, codes.HOURS)]
)
def test_with_quotes_nothing_is_entered_out_of_hours(ts: int, gate: int) -> None:
    assert asked(seen(ts), seek(), Nanos(ts))[0] == gate


# -- round trips within a day, where they are bounded

WEEK = nyse().sessions[DAY.index : DAY.index + 6]


def tripped(*days: tuple[int, int], most: int = 3) -> Risk:
    """Round trips that began and ended in these sessions, from DAY on."""
    times = [(Nanos(WEEK[a].open + 1), Nanos(WEEK[b].close - 1)) for a, b in days]
    bound = terms()
    bound.params["rules"]["day_trades"] = most
    return Risk(account(CASH), bound, Past(trades=times))


@pytest.mark.parametrize(
    ("days", "asked_on", "gate"),
    [
        ((), 0, codes.OPEN),
        (((0, 0), (0, 0)), 0, codes.OPEN),
        (((0, 0), (0, 0), (0, 0)), 0, codes.DAYTRADES),
        (((0, 0), (0, 0), (0, 1)), 1, codes.OPEN),  # overnight it is none
        (((0, 0), (1, 1), (2, 2)), 2, codes.DAYTRADES),
        (((0, 0), (1, 1), (2, 2)), 4, codes.DAYTRADES),
        (((0, 0), (1, 1), (2, 2)), 5, codes.OPEN),  # the first is of six sessions ago
        (((0, 0), (1, 1), (2, 2), (3, 3)), 5, codes.DAYTRADES),
    ],
)
def test_so_many_day_trades_of_five_sessions_are_the_most(
    days: tuple[tuple[int, int], ...], asked_on: int, gate: int
) -> None:
    expected = (gate, 3.0, 3.0, 0) if gate else GRANTED
    assert asked(tripped(*days), seek(), Nanos(WEEK[asked_on].open + 9)) == expected
    assert asked(tripped(*days, most=0), seek(), Nanos(WEEK[asked_on].open + 9)) == GRANTED


def test_a_backtest_has_room_for_as_many_as_may_be_said() -> None:
    described = msgspec.inspect.type_info(Gates)
    assert isinstance(described, msgspec.inspect.StructType)
    (kind,) = (field.type for field in described.fields if field.name == "day_trades")
    assert isinstance(kind, msgspec.inspect.Metadata)
    assert isinstance(kind.type, msgspec.inspect.IntType)
    assert kind.type.le == MOST_DAYS


def test_one_day_trade_may_be_the_most() -> None:
    assert asked(tripped(most=1), seek()) == GRANTED
    assert asked(tripped((0, 0), most=1), seek()) == (codes.DAYTRADES, 1.0, 1.0, 0)
    assert asked(tripped((0, 0), (0, 0), most=0), seek()) == GRANTED


def test_a_round_trip_of_this_life_counts_too() -> None:
    watch = tripped((0, 0), (0, 0))
    round = Round(mode=1, result=usd(5), opened=minute(1), closed=minute(2))
    watch.on_book(msgspec.structs.replace(held(cash=100_000), rounds=(round,)))
    assert asked(watch, seek()) == (codes.DAYTRADES, 3.0, 3.0, 0)


@pytest.mark.parametrize(
    ("opened", "ended", "expected"),
    [
        (DAY.open, minute(2), (codes.DAYTRADES, 3.0, 3.0, 0)),
        (minute(1), DAY.close, (codes.DAYTRADES, 3.0, 3.0, 0)),  # the end of the last bar
        (minute(1), Nanos(DAY.close + 1), GRANTED),
    ],
)
def test_a_day_is_from_its_open_to_the_end_of_its_last_bar(opened: Nanos, ended: Nanos, expected: object) -> None:
    watch = tripped((0, 0), (0, 0))
    late = Round(mode=1, result=usd(5), opened=opened, closed=ended)
    watch.on_book(msgspec.structs.replace(held(cash=100_000), rounds=(late,)))
    assert asked(watch, seek()) == expected


def test_a_round_trip_out_of_hours_is_of_no_day() -> None:
    watch = tripped((0, 0), (0, 0))
    night = Round(mode=1, result=usd(5), opened=Nanos(DAY.close + 1), closed=Nanos(DAY.close + 2))
    watch.on_book(msgspec.structs.replace(held(cash=100_000), rounds=(night,) * 3))
    assert asked(watch, seek()) == GRANTED


# -- company


def moving(slot: int, qty: int, *given: Signal) -> journal.Judged:
    """An entry beside this position, of a market in which all move together."""
    watch = risk()
    for n, closes in enumerate(together(0.9, (1,) * N), 1):
        watch.on_sealed(sealed(minute(n), dict(enumerate(closes.tolist()))))
    watch.on_book(held((slot, qty), cash=100_000))
    row = watch.on_signals(signals(minute(51), *given))[1].rows[0]
    assert isinstance(row, journal.Judged)
    return row


@pytest.mark.parametrize(("qty", "company"), [(1, 0.5), (-1, 1.0)])
def test_a_single_share_is_company_on_its_side(qty: int, company: float) -> None:
    row = moving(0, qty, seek(1))
    assert (row.company, row.peer) == (company, 0)
    assert row.correlation == pytest.approx(0.9 * qty, abs=1e-9)


# -- exits on each rung


@pytest.mark.parametrize(
    ("trip", "exits", "entries", "raised"),
    [
        (None, (3,), 1, True),
        (Trip.FEED, (3,), 0, True),
        (Trip.HALT, (), 0, True),
        (Trip.DAY_LOSS, (3, 4), 0, False),
    ],
)
def test_what_each_rung_lets_pass(trip: Trip | None, exits: tuple[int, ...], entries: int, raised: bool) -> None:
    watch = risk()
    watch.on_book(held((3, 10), (4, -10), cash=100_000))
    if trip:
        watch.trips.trip(trip, TS, "so", CASH)
    up = (Raise(slot=4, stop=usd(60), volume=7.0), Raise(slot=3, stop=usd(49)))
    granted, _ = watch.on_signals(signals(TS, seek(0), leave(3), raises=up))
    assert (granted.exits, len(granted.entries), granted.raises) == (exits, entries, up if raised else ())
    assert granted.volumes == (((3, 5e4),) if exits else ()) + (((4, 7.0),) if raised else ())
    assert granted.cancel_entries is (watch.rung is not Rung.NORMAL)


def test_what_is_left_for_a_trip_though_its_entry_is_sought_has_no_volume_of_a_decision() -> None:
    watch = risk()
    watch.on_book(held((3, 10), cash=100_000))
    watch.trips.trip(Trip.DAY_LOSS, TS, "so", CASH)
    granted, _ = watch.on_signals(signals(TS, seek(3)))
    assert (granted.exits, granted.volumes) == ((3,), ())


def test_an_exit_of_what_is_not_held_is_of_no_shares() -> None:
    watch = risk()
    watch.on_book(held((3, -10), cash=100_000))
    _, ruling = watch.on_signals(signals(TS, leave(3), leave(4)))
    assert [(r.slot, r.qty) for r in ruling.rows if isinstance(r, journal.Judged)] == [(3, 10), (4, 0)]


def test_an_exit_frees_no_room_for_an_entry_of_the_same_bar() -> None:
    """What is sold may not fill: the room is free when the book says so."""
    watch = booked((1, 1000))
    _, ruling = watch.on_signals(signals(TS, leave(1), seek(0)))
    assert [(r.gate, r.qty) for r in ruling.rows if isinstance(r, journal.Judged)] == [
        (codes.OPEN, 1000), (codes.SIZE, 0),
    ]  # fmt: skip


def test_a_book_replaces_the_one_before() -> None:
    watch = booked((1, 1000))
    watch.on_book(Booked(cash=CASH, held=(), entering=(), grants=0))
    assert asked(watch, seek()) == GRANTED
