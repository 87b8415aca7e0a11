"""Short positions: by hand, as the mirror of long ones, and against the real venues over nights, crashed and not."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxhero.core import journal
from fluxhero.core.lives import Slot, traded
from fluxhero.messages import (
    Bars,
    Booked,
    Cid,
    Event,
    Granted,
    Lot,
    Micros,
    Model,
    Order,
    Quality,
    Quote,
    Role,
    Round,
    Says,
    Shares,
    Side,
    Trade,
    Traded,
    Update,
    micros,
)
from fluxhero.store.sqlite import SQLiteStore
from tests.core.desk import (
    CASH,
    FEE,
    MEMORY,
    Diary,
    T,
    aim,
    at,
    at_market,
    buy,
    cid,
    did,
    enter,
    guard,
    guarded,
    hear,
    intent,
    mind,
    move,
    new,
    reborn,
    sell,
    stopped,
    usd,
)  # fmt: skip
from tests.core.venues import NIGHT, Script, Wish, bars_script, lived, plain, quotes_script, scripts, tables

MIRROR = usd(200)  # a price and its image come to this
BOTH = [Side.BUY, Side.SELL]


def image(price: int) -> Micros:
    return Micros(MIRROR - price) if price else Micros(0)


def flipped(o: Order) -> Order:
    """The order that the other side would have sent in the mirrored market."""
    return msgspec.structs.replace(
        o, side=Side(-o.side), mark=image(o.mark), limit=image(o.limit), cap=image(o.cap), stop=image(o.stop)
    )


def holding(model: Model = Model.QUOTE, stop: float = 102.0) -> Diary:
    """100 sold short at 100 behind a live stop: order 1 sold them, order 2 protects them."""
    desk, entry = new(model), enter(stop=stop, side=Side.SELL)
    desk.granted(Granted(ts=T, entries=(at_market(entry) if model is Model.BAR else entry,)))
    hear(desk, 1, Says.ACCEPTED)
    hear(desk, 1, Says.FILL, 100)
    hear(desk, 2, Says.ACCEPTED)
    return desk


# -- by hand


def test_a_short_is_sold_and_protected_by_a_buy_stop_above_it() -> None:
    desk = new(Model.QUOTE)
    plan = desk.granted(Granted(ts=T, entries=(enter(stop=102.0, side=Side.SELL),)))
    order = flipped(buy(1))
    assert did(plan) == ([aim(102), intent(order)], [order], [])
    assert desk.booked() == Booked(
        cash=CASH, held=(), entering=(Lot(slot=0, qty=Shares(-100), price=usd(100)),), grants=1
    )
    plan = hear(desk, 1, Says.FILL, 100)
    assert (plan.sends, plan.traded) == ([flipped(guard(2))], [traded(order, Shares(100), usd(100))])
    assert plan.traded == [Traded(slot=0, qty=Shares(-100), price=usd(100), mode=2, stop=usd(102), wide=1.0)]
    cash = Micros(CASH + 100 * usd(100) - 100 * FEE)
    assert desk.booked() == Booked(
        cash=cash, held=(Lot(slot=0, qty=Shares(-100), price=Micros(0)),), entering=(), grants=1
    )


def test_in_bars_the_stop_that_a_short_carries_is_a_buy_stop() -> None:
    desk = new(Model.BAR)
    plan = desk.granted(Granted(ts=T, entries=(at_market(enter(stop=102.0, side=Side.SELL)),)))
    order = flipped(buy(1, carries=2))
    assert did(plan) == ([aim(102), intent(order), intent(flipped(guard(2, carried=True)))], [order], [])


def test_a_partly_filled_short_that_is_canceled_is_protected_for_what_it_sold() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(stop=102.0, side=Side.SELL),)))
    hear(desk, 1, Says.PARTIAL_FILL, 30)
    assert desk.booked().entering == (Lot(slot=0, qty=Shares(-70), price=usd(100)),)
    assert hear(desk, 1, Says.CANCELED, ts=at(2)).sends == [flipped(guard(2, 30, ts=at(2)))]


def test_a_short_is_left_by_buying_it_back_once_its_stop_is_gone() -> None:
    desk = holding()
    assert desk.granted(Granted(ts=at(1), exits=(0,))).sends == [stopped(2, at(1))]
    assert hear(desk, 2, Says.CANCELED, ts=at(2)).sends == [flipped(sell(3, ts=at(2)))]
    plan = hear(desk, 3, Says.FILL, 100, price=99.0, ts=at(4))
    assert plan.rows[1:] == [
        journal.Closed(
            ts=at(4), slot=0, mode=2, qty=Shares(-100), opened=T, entry=usd(100), exit=usd(99),
            fees=Micros(200 * FEE), result=Micros(100 * usd(1) - 200 * FEE),
        ),
        aim(0, ts=at(4)),
        guarded(at(2), at(4)),
    ]  # fmt: skip
    assert (desk.lives, desk.book.positions) == ({}, {})
    assert desk.book.cash == CASH + 100 * usd(1) - 200 * FEE


def test_in_bars_a_short_is_bought_back_beside_its_stop() -> None:
    desk = holding(Model.BAR)
    assert desk.granted(Granted(ts=at(1), exits=(0,))).sends == [flipped(sell(3, ts=at(1)))]


def test_a_stop_that_bought_back_a_part_before_its_cancel_leaves_the_rest_to_the_exit() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    assert hear(desk, 2, Says.PARTIAL_FILL, 60, price=102.0).sends == []
    assert hear(desk, 2, Says.CANCELED, ts=at(2)).sends == [flipped(sell(3, 40, ts=at(2)))]


def test_the_stop_of_a_short_moves_down_and_for_the_rest_of_what_it_has_to_buy() -> None:
    desk = holding()
    assert move(desk, 101.0, 1).sends == [flipped(guard(3, 100, 99, at(1), replaces=2))]
    assert hear(desk, 2, Says.PARTIAL_FILL, 60, price=102.0).sends == []
    assert hear(desk, 3, Says.REJECTED, ts=at(2)).sends == [flipped(guard(4, 40, 99, at(2), replaces=2))]


@pytest.mark.parametrize("stop", [102.0, 103.0])
def test_a_move_of_a_shorts_stop_that_is_not_lower_is_ignored(stop: float) -> None:
    desk = holding()
    before = mind(desk)
    desk.grants -= 1
    assert did(move(desk, stop, 1)) == ([], [], [])
    assert mind(desk) == before


def test_where_the_stop_rests_is_known_of_a_short_too() -> None:
    assert (holding().stop_of(0), holding(stop=101.5).stop_of(0)) == (usd(102), usd(101.5))


def test_how_wide_an_entrys_stop_is_goes_with_its_order_to_the_strategy() -> None:
    desk = new(Model.QUOTE)
    wide = msgspec.structs.replace(enter(stop=102.0, side=Side.SELL), wide=1.5)
    assert desk.granted(Granted(ts=T, entries=(wide,))).sends == [msgspec.structs.replace(flipped(buy(1)), wide=1.5)]
    assert [t.wide for t in hear(desk, 1, Says.FILL, 100).traded] == [1.5]


def test_a_round_trip_is_told_once() -> None:
    desk = holding()
    assert desk.booked().rounds == ()
    hear(desk, 2, Says.FILL, 100, price=102.0)
    assert desk.booked().rounds == (Round(mode=2, result=Micros(-100 * usd(2) - 200 * FEE), opened=T, closed=T),)
    assert desk.booked().rounds == ()


# -- what it costs to borrow


def charge(desk: Diary, slot: int = 0, session: int = 7, fee: int = 119_048) -> Update:
    return Update(
        seq=desk.seq + 1, ts=at(9), cid=Cid(f"borrow-{slot}-{session}"), says=Says.CHARGED, price=usd(100),
        qty=Shares(100), fee=Micros(fee), slot=slot,
    )  # fmt: skip


def test_a_charge_is_paid_from_the_cash_and_is_a_fee_of_its_trade() -> None:
    desk = holding()
    cash, u = desk.book.cash - 119_048, charge(desk)
    row = journal.Charged(
        ts=at(9), seq=4, slot=0, qty=Shares(100), price=usd(100), fee=Micros(119_048), cash=Micros(cash)
    )
    assert did(desk.update(u)) == ([row], [], [])
    assert (desk.book.cash, desk.book.positions[0].fees, desk.seq) == (cash, 100 * FEE + 119_048, 4)
    assert did(desk.update(u)) == ([], [], [])
    hear(desk, 2, Says.FILL, 100, price=102.0)
    result = Micros(-100 * usd(2) - 200 * FEE - 119_048)
    assert (desk.booked().rounds, desk.book.cash) == (
        (Round(mode=2, result=result, opened=T, closed=T),),
        CASH + result,
    )


def test_a_charge_on_what_is_not_held_is_odd_and_changes_nothing() -> None:
    desk = holding()
    before, u = mind(desk), charge(desk, slot=1)
    assert did(desk.update(u)) == ([journal.Odd(ts=at(9), cid=u.cid, seq=4, says=Says.CHARGED, state="closed")], [], [])
    assert mind(desk) == before


# -- after a restart


def test_a_short_comes_back_with_its_fees_and_what_was_wanted_of_it() -> None:
    desk = holding()
    move(desk, 101, 1)
    desk.update(charge(desk))
    again = reborn(desk)
    assert (again.book.cash, again.book.positions, again.slots) == (desk.book.cash, desk.book.positions, desk.slots)
    assert again.slots == {0: Slot(stop=cid(2), moving=cid(3), aim=usd(101), mode=2, volume=5e4)}
    assert again.resume(at(1)).sends == [flipped(guard(3, 100, 99, at(1), replaces=2))]


def test_a_restarted_desk_leaves_a_short_as_the_old_one_would_have() -> None:
    desk = holding()
    move(desk, 101, 1)
    desk.granted(Granted(ts=at(2), exits=(0,)))
    again = reborn(desk)
    for n, what, qty, sends in (
        (2, Says.REPLACED, 0, [stopped(3, T)]), (3, Says.ACCEPTED, 0, []), (3, Says.CANCELED, 0, [flipped(sell(4))]),
        (4, Says.FILL, 100, []),
    ):  # fmt: skip
        one, other = hear(desk, n, what, qty), hear(again, n, what, qty)
        assert (did(one), one.sends) == (did(other), sends)
    assert (again.lives, again.book.positions, again.book.cash) == ({}, {}, desk.book.cash)


# -- the mirror


def mirrored(script: Script) -> Script:
    """The same script for the other side, in a market that falls where this one rises; nothing but commission costs."""
    wishes = tuple(
        tuple(msgspec.structs.replace(w, stop=2000 - w.stop, side=Side(-w.side)) for w in at_once)
        for at_once in script.wishes
    )
    return Script(script.model, tuple(map(_event, script.events)), wishes, costly=False)


def _event(e: Event) -> Event:
    match e:
        case Trade():
            return msgspec.structs.replace(e, price=image(micros(e.price)) / 1e6)
        case Quote():
            return msgspec.structs.replace(
                e, bid=image(e.ask), ask=image(e.bid), bid_size=e.ask_size, ask_size=e.bid_size
            )
        case Bars():
            bars = e.bars.copy()
            for name, of in (("open", "open"), ("high", "low"), ("low", "high"), ("close", "close")):
                bars[name] = [image(micros(x)) / 1e6 for x in e.bars[of].tolist()]
            return msgspec.structs.replace(e, bars=bars)


def rows(folder: Path) -> list[journal.Row]:
    with SQLiteStore(folder) as store:
        return [journal.decode(body) for _, _, _, body, _ in store.lines()]


def seen_in_it(row: journal.Row) -> journal.Row:
    """A row as it would be in the mirror."""
    change: dict[str, Any] = {}
    match row:
        case journal.Intent(order=o):
            change = {"order": flipped(o)}
        case journal.Aim():
            change = {"stop": image(row.stop)}
        case journal.Filled():
            change = {"side": Side(-row.side), "price": image(row.price)}
        case journal.Closed():
            change = {"qty": -row.qty}
        case journal.Chased():
            change = {"price": image(row.price)}
        case journal.Entered():
            change = {"decided": image(row.decided)}
        case _:
            pass
    return blurred(msgspec.structs.replace(row, **change))


def blurred(row: journal.Row) -> journal.Row:
    """Without the cash, which is another in between, averages, which are rounded, and the prices in a reason."""
    change: dict[str, Any] = {}
    match row:
        case journal.Filled():
            change = {"cash": 0}
        case journal.Closed():
            change = {"entry": 0, "exit": 0}
        case journal.Entered():
            change = {"price": 0}
        case journal.Evidence():
            change = {"reason": row.reason.split(":")[0]}
        case _:
            pass
    return msgspec.structs.replace(row, **change)


STOPS = st.integers(960, 1040)
OFTEN = settings(max_examples=150)


@OFTEN
@given(script=scripts(BOTH, STOPS, nights=True))
def test_a_mirrored_market_gives_mirrored_orders_and_equal_results(script: Script) -> None:
    one = msgspec.structs.replace(script, costly=False)
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        straight, other = lived(one, Path(name, "one")), lived(mirrored(one), Path(name, "other"))
        there, here = rows(Path(name, "one")), rows(Path(name, "other"))
    assert list(map(blurred, here)) == list(map(seen_in_it, there))
    trips = [[r for r in found if isinstance(r, journal.Closed)] for found in (here, there)]
    for a, b in zip(*trips, strict=True):
        assert 0 <= MIRROR - a.entry - b.entry <= 1
        assert 0 <= MIRROR - a.exit - b.exit <= 1
    held = sum(p.qty for p in straight.desk.book.positions.values())
    assert other.desk.book.cash == straight.desk.book.cash + MIRROR * held


# -- against the real venues


@OFTEN
@given(script=scripts(BOTH, STOPS, nights=True))
def test_whatever_is_granted_our_book_ends_as_the_venues_to_the_micro_dollar(script: Script) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        p = lived(script, Path(name))
    desk, venue = p.desk, p.venue
    assert set(p.odd) <= {Says.CANCEL_REJECTED}  # of an entry that expired while its cancel was on its way
    assert {s: position.qty for s, position in desk.book.positions.items()} == venue.positions
    assert desk.book.cash == venue.cash
    assert {c: (plain(x.order), x.filled) for c, x in desk.lives.items()} == {
        c: (plain(r.order), r.filled) for c, r in venue.resting.items()
    }
    stops: Counter[int] = Counter()
    for life in desk.lives.values():
        assert (life.order.role, life.canceling) == (Role.STOP, None)
        stops[life.order.slot] -= life.order.side * (life.order.qty - life.filled)
    assert dict(stops) == venue.positions
    assert sorted(venue.shorts) == sorted(s for s, qty in venue.positions.items() if qty < 0)


@OFTEN
@given(script=scripts(BOTH, STOPS, nights=True), deaths=st.lists(st.integers(0, 40), min_size=1, max_size=3))
def test_a_run_that_died_anywhere_ends_with_the_tables_of_one_that_did_not(script: Script, deaths: list[int]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        lived(script, Path(name, "whole"))
        lived(script, Path(name, "killed"), deaths)
        assert tables(Path(name, "killed")) == tables(Path(name, "whole"))


def over_nights(model: Model) -> Script:
    """Sold short on the first of three days, and bought back on the third."""
    if model is Model.BAR:
        day: Any = [(1000, 1000, Quality.FULL), None]
        sold, left = [Wish("enter", stop=1040, side=Side.SELL)], [Wish("leave")]
        return bars_script(
            [(day, sold), (day, []), (day, [], True), ([None, day[0]], [], True), (day, left, True), (day, [])]
        )
    quote, trade = ("quote", 0, 1000, 0, 1000, 1000), ("trade", 0, 1000, 0, 1, 1)
    sold, left = [Wish("enter", stop=1040, side=Side.SELL)], [Wish("leave")]
    steps: Sequence[Any] = [
        (quote, 60, sold), (quote, 60, []), (trade, 60, []), (trade, NIGHT, []), (quote, NIGHT, left), (quote, 400, []),
        (quote, 400, []),
    ]  # fmt: skip
    return quotes_script(list(steps))


@pytest.mark.parametrize("model", list(Model))
def test_whichever_effect_was_the_last_before_a_death_a_night_is_charged_once(model: Model) -> None:
    script = over_nights(model)
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        whole = lived(script, Path(name, "whole"))
        charges = [row for row in rows(Path(name, "whole")) if isinstance(row, journal.Charged)]
        for effects in range(40):
            lived(script, Path(name, str(effects)), [effects])
            assert tables(Path(name, str(effects))) == tables(Path(name, "whole"))
    nights = 3 if model is Model.BAR else 2
    assert [(c.slot, c.qty, c.price, c.fee) for c in charges] == [(0, 100, usd(100), 119_048)] * nights
    assert whole.desk.book.positions == {}
    assert whole.desk.book.cash == whole.venue.cash
