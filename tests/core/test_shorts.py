"""Short positions at the watch and the gate: a long one's mirror, where they are allowed at all."""

import numpy as np
import pytest

from fluxhero.core import journal
from fluxhero.core.ladder import Rung, Trip
from fluxhero.core.terms import Ruling
from fluxhero.kernel import codes
from fluxhero.messages import Booked, Entry, Granted, Lot, Micros, Model, Raise, Shares, Side
from tests.core.watching import (
    CASH,
    held,
    judged,
    leave,
    minute,
    quote,
    risk,
    rows,
    sealed,
    seek,
    short,
    signals,
    tripped,
    usd,
)

TS = minute(5)


def entered(slot: int = 0, qty: int = 400, wide: float = 1.0) -> Entry:
    return Entry(slot=slot, side=Side.SELL, qty=Shares(qty), mode=1, price=usd(50), stop=usd(52), wide=wide, volume=5e4)


def sought(slot: int, qty: int) -> Lot:
    return Lot(slot=slot, qty=Shares(qty), price=usd(50))


# -- the gate


def test_a_short_is_granted_as_its_mirror_would_be() -> None:
    granted, ruling = risk().on_signals(signals(TS, short(wide=1.5)))
    assert granted == Granted(ts=TS, entries=(entered(wide=1.5),))
    row = journal.Judged(
        ts=TS, slot=0, entry=True, gate=codes.OPEN, value=0.0, limit=0.0, qty=Shares(400), by_risk=500, by_cap=400,
        by_room=1000,
    )  # fmt: skip
    assert ruling == Ruling([row])


def test_long_only_is_the_default_and_refuses_shorts() -> None:
    granted, ruling = risk(limits={"shorts": 0}).on_signals(signals(TS, short(0), seek(1)))
    assert [e.slot for e in granted.entries] == [1]
    assert ruling.rows[0] == judged(TS, 0, codes.SHORTS, 0.0, 1.0)


def test_a_symbol_that_is_hard_to_borrow_is_never_sold_short() -> None:
    granted, ruling = risk(unshortable=frozenset({1})).on_signals(signals(TS, short(0), short(1), seek(1)))
    assert [(e.slot, e.side) for e in granted.entries] == [(0, Side.SELL), (1, Side.BUY)]
    assert ruling.rows[1] == judged(TS, 1, codes.SHORTS, 0.0, 1.0)


@pytest.mark.parametrize("stop", [0.0, 48.0, 50.0])
def test_a_stop_that_is_not_above_the_price_of_a_short_is_refused(stop: float) -> None:
    granted, ruling = risk().on_signals(signals(TS, short(stop=stop)))
    assert (granted, ruling) == (Granted(ts=TS), Ruling([judged(TS, 0, codes.STOP, stop, 50.0)]))


def test_shorts_take_the_room_that_longs_of_their_size_would() -> None:
    granted, _ = risk().on_signals(signals(TS, short(0), seek(1), short(2), seek(3)))
    assert [(e.slot, e.side * e.qty) for e in granted.entries] == [(0, -400), (1, 400), (2, -200)]


@pytest.mark.parametrize(
    "book",
    [
        held((4, -800), cash=140_000),
        held((4, 400), (5, -400), cash=100_000),
        held(cash=100_000, entering=(sought(4, -800),)),
        held((5, -400), cash=120_000, entering=(sought(4, 400),)),
    ],
)
def test_what_is_short_or_to_be_is_exposure_of_its_absolute_value(book: Booked) -> None:
    watch = risk()
    watch.on_book(book)
    watch.on_sealed(sealed(minute(4), {4: 50.0, 5: 50.0}))
    assert watch.equity() == CASH
    _, ruling = watch.on_signals(signals(TS, short(0)))
    assert [r.by_room for r in ruling.rows if isinstance(r, journal.Judged)] == [200]
    assert int(watch.account["deployed"][0]) == usd(50_000)


def test_a_granted_short_stays_reserved_until_the_book_knows_of_it() -> None:
    watch = risk()
    watch.on_signals(signals(TS, short(0), short(1)))
    granted, ruling = watch.on_signals(signals(minute(6), seek(0), seek(2), seek(3)))
    assert [(e.slot, e.qty) for e in granted.entries] == [(2, 200)]
    assert ruling.rows[0] == judged(minute(6), 0, codes.BUSY, 1.0, 0.0)


def test_five_positions_are_the_most_whichever_their_sides() -> None:
    watch = risk()
    watch.on_book(held((1, 10), (2, -10), (3, 10), (4, -10), (5, -10), cash=100_000))
    _, ruling = watch.on_signals(signals(TS, short(0)))
    assert ruling.rows == [judged(TS, 0, codes.SLOTS, 5.0, 5.0)]


def test_a_short_is_left_with_all_of_its_shares_and_its_stop_may_be_moved() -> None:
    watch, lower = risk(), (Raise(slot=3, stop=usd(51)),)
    watch.on_book(held((3, -10), cash=100_000))
    granted, ruling = watch.on_signals(signals(TS, leave(3), raises=lower))
    assert granted == Granted(ts=TS, exits=(3,), raises=lower, volumes=((3, 50_000.0),))
    assert ruling.rows == [judged(TS, 3, codes.OPEN, 0.0, 0.0, entry=False, qty=10)]


# -- the watch


def test_equity_is_cash_and_what_is_held_less_what_is_short() -> None:
    watch = risk()
    watch.on_book(held((0, 100), (2, -50), cash=97_500))
    watched, _ = watch.on_sealed(sealed(minute(1), {0: 50.0, 2: 50.0}))
    assert (watched.equity, watch.exposure) == (CASH, usd(7_500))
    assert watch.on_sealed(sealed(minute(2), {0: 50.0, 2: 60.0}))[0].equity == usd(99_500)


def test_a_short_that_rises_loses_the_day_as_a_long_that_falls() -> None:
    watch = risk()
    watch.on_book(held((0, -1000), cash=200_000))
    assert [rows(watch, sealed(minute(n), {0: close})) for n, close in ((1, 100.0), (2, 103.1), (3, 103.2))] == [
        [],
        [],
        [tripped(minute(3), Trip.DAY_LOSS, "day loss", 96_800, 0.032, 0.03)],
    ]
    assert watch.rung is Rung.FLATTEN
    assert watch.on_signals(signals(minute(3)))[0].exits == (0,)


def test_quotes_mark_a_short_at_their_mid() -> None:
    watch = risk(Model.QUOTE)
    watch.on_book(held((0, -1000), cash=200_000))
    watch.on_sealed(sealed(minute(1), {0: 100.0}))
    ts = minute(5)
    assert [bool(watch.on_quote(quote(ts + n, price))) for n, price in enumerate((103.0, 103.1, 103.1))] == [
        False,
        True,
        True,
    ]
    assert watch.rung is Rung.FLATTEN


def test_the_mirror_of_a_book_has_the_mirrored_result() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        lots = [(slot, int(rng.integers(-500, 500)) or 1) for slot in range(4)]
        before, after = rng.uniform(20.0, 80.0, (2, 4)).round(2)
        results = []
        for side in (1, -1):
            watch = risk()
            watch.on_book(held(*((slot, side * qty) for slot, qty in lots), cash=1e6))
            worth = [
                watch.on_sealed(sealed(minute(n), dict(enumerate(closes.tolist()))))[0].equity
                for n, closes in enumerate((before, after), 1)
            ]
            results.append(worth[1] - worth[0])
        assert results[0] == -results[1] != Micros(0)
