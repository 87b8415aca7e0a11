"""The audit: what differs and lasts rests until both sides agree, or until the operator says what is to be done."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fluxhero.core import journal
from fluxhero.core.book import Book
from fluxhero.core.lives import Life, Plan, Slot
from fluxhero.core.orders import Desk
from fluxhero.core.states import UNPROVEN, State
from fluxhero.messages import (
    Cancel,
    Cid,
    Granted,
    Lot,
    Micros,
    Model,
    Order,
    Resting,
    Role,
    Says,
    Shares,
    Side,
    Statement,
    Traded,
    Type,
    Why,
)
from tests.core.desk import (
    CASH,
    T,
    aside,
    at,
    at_market,
    bare,
    canceling,
    cid,
    did,
    enter,
    entered,
    evidence,
    guard,
    guarded,
    hear,
    holding,
    holding_in_bars,
    intent,
    mind,
    move,
    new,
    sell,
    stopped,
    usd,
)

S = 1_000  # ms
POSITION, MONEY, STOP = "position 0", "cash -1", f"order 0 {cid(2)}"


def rests(o: Order, left: int) -> Resting:
    stop = o.stop if o.type is Type.STOP else Micros(0)
    return Resting(cid=o.cid, slot=o.slot, side=o.side, type=o.type, left=Shares(left), stop=stop)


def truth(desk: Desk, ms: int, **change: Any) -> Statement:
    """The venue has all that we have, but for what is changed."""
    said = Statement(
        ts=at(ms), heard=desk.seq, cash=Micros(desk.book.cash), held=lots(desk, {}),
        orders=tuple(rests(x.order, x.left) for x in desk.lives.values() if x.open and x.state not in UNPROVEN),
    )  # fmt: skip
    return msgspec.structs.replace(said, **change)


def lots(desk: Desk, more: dict[int, int]) -> tuple[Lot, ...]:
    """Ours, and so many more of some."""
    slots = sorted({*desk.book.positions, *more})
    return tuple(Lot(slot=s, qty=Shares(desk.book.held(s) + more.get(s, 0)), price=Micros(0)) for s in slots)


def drift(
    what: str, ours: int | str, theirs: int | str, ms: int, slot: int = 0, name: str = "", kind: str = "unexplained",
    ignored: bool = False,
) -> journal.Drift:  # fmt: skip
    return journal.Drift(
        ts=at(ms), key=f"{what} {slot} {name}".strip(), kind=kind, what=what, slot=slot, name=name, ours=ours,
        theirs=theirs, ignored=ignored,
    )  # fmt: skip


def healed(key: str, ms: int) -> journal.Healed:
    return journal.Healed(ts=at(ms), key=key)


def adopted(
    qty: int, price: float, cash: int, ms: int, by: int, stop: float = 98.0, mode: int = 2
) -> journal.Adopted:  # fmt: skip
    """`by` so many shares more than we had."""
    return journal.Adopted(
        ts=at(ms), slot=0, qty=Shares(qty), price=usd(price), cash=Micros(cash), mode=mode, stop=usd(stop),
        flow=Micros(by * usd(price)),
    )  # fmt: skip


def money(cash: int, ms: int, by: int) -> journal.Adopted:
    """`by` so many micro-dollars more than we had."""
    return journal.Adopted(
        ts=at(ms), slot=-1, qty=Shares(0), price=Micros(0), cash=Micros(cash), mode=0, stop=Micros(0), flow=Micros(by)
    )


def mark(price: float = 110.0, slot: int = 0) -> Lot:
    return Lot(slot=slot, qty=Shares(0), price=usd(price))


def told(desk: Desk, ms: int, **change: Any) -> Plan:
    """Twice, ten seconds apart, that these differ."""
    assert desk.statement(truth(desk, ms - 10 * S, **change)).rows == []
    return desk.statement(truth(desk, ms, **change))


def drifted(more: int = -10) -> Desk:
    """A position of 100 of which the venue has more or less, at 20 s."""
    desk = holding()
    assert told(desk, 20 * S, held=lots(desk, {0: more})).rows == [drift("position", 100, 100 + more, 20 * S)]
    return desk


# -- what is read


def test_a_statement_that_agrees_changes_nothing_and_asks_nothing() -> None:
    desk = holding()
    before = mind(desk)
    for n in range(3):
        plan = desk.statement(truth(desk, n * 10 * S))
        assert (did(plan), plan.asks, plan.gone, plan.relisten) == (([], [], []), [], [], False)
    assert mind(desk) == before


def test_what_differs_for_five_seconds_is_a_row_and_freezes_its_symbol_until_they_agree() -> None:
    desk = drifted()
    assert desk.booked().frozen == (0,)
    plan = desk.statement(truth(desk, 30 * S, held=lots(desk, {0: -10})))
    assert (plan.rows, desk.booked().frozen) == ([], (0,))
    assert desk.statement(truth(desk, 40 * S)).rows == [healed(POSITION, 40 * S)]
    assert desk.booked().frozen == ()


def test_what_differs_is_never_corrected() -> None:
    desk = holding()
    before = mind(desk)
    plan = told(desk, 20 * S, held=lots(desk, {0: -10, 1: 5}), cash=Micros(CASH))
    assert (plan.sends, plan.traded, mind(desk)) == ([], [], before)
    assert desk.booked().frozen == (-1, 0, 1)


def test_what_a_statement_between_has_right_begins_anew() -> None:
    desk = holding()
    wrong = lots(desk, {0: -10})
    assert desk.statement(truth(desk, 10 * S, held=wrong)).rows == []
    assert desk.statement(truth(desk, 13 * S)).rows == []
    assert desk.statement(truth(desk, 16 * S, held=wrong)).rows == []
    assert desk.statement(truth(desk, 21 * S, held=wrong)).rows == [drift("position", 100, 90, 21 * S)]


def test_what_is_of_others_is_a_row_and_freezes_nothing() -> None:
    desk = holding()
    stray = Resting(cid=Cid("hers"), slot=0, side=Side.BUY, type=Type.LIMIT, left=Shares(5))
    plan = told(desk, 20 * S, others=(("ZZZ", 7),), orders=(*truth(desk, 0).orders, stray))
    assert plan.rows == [
        drift("position", 0, 7, 20 * S, -1, "ZZZ", "foreign"), drift("order", 0, 5, 20 * S, 0, "hers", "foreign"),
    ]  # fmt: skip
    assert (plan.asks, desk.booked().frozen) == ([], ())


def test_an_order_under_our_name_of_a_symbol_that_is_not_ours_freezes_nothing() -> None:
    desk = holding()
    stray = Resting(cid=cid(9), slot=-1, side=Side.BUY, type=Type.LIMIT, left=Shares(5))
    plan = told(desk, 20 * S, orders=(*truth(desk, 0).orders, stray))
    assert (plan.rows, plan.asks) == ([drift("order", 0, 5, 20 * S, -1, cid(9))], [cid(9)])
    assert desk.booked().frozen == ()


def test_money_that_is_missing_freezes_every_symbol() -> None:
    desk = holding()
    cash = desk.book.cash - usd(1)
    assert told(desk, 20 * S, cash=Micros(cash)).rows == [drift("cash", desk.book.cash, cash, 20 * S, -1)]
    assert desk.booked().frozen == (-1,)


def test_an_order_that_stands_otherwise_than_it_was_sent_is_a_row_and_is_asked_for() -> None:
    desk = holding()
    (stop,) = truth(desk, 0).orders
    plan = told(desk, 20 * S, orders=(msgspec.structs.replace(stop, stop=usd(97)),))
    row = drift("body", "sell stop at 98 in slot 0", "sell stop at 97 in slot 0", 20 * S, 0, cid(2))
    assert (plan.rows, plan.asks, desk.booked().frozen) == ([row], [cid(2)], (0,))


def test_an_order_in_doubt_is_asked_for_when_something_differs() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), entries=(enter(slot=1),)))
    desk.update(aside(3, Says.UNANSWERED, at(2)))
    assert desk.statement(truth(desk, 10)).asks == []
    plan = desk.statement(truth(desk, 20, heard=desk.seq + 1))
    assert (plan.asks, plan.relisten) == ([cid(3)], True)
    assert desk.statement(truth(desk, 30, others=(("ZZZ", 1),))).asks == [cid(3)]


def test_a_stop_that_travels_with_its_entry_is_not_asked_for() -> None:
    desk = new(Model.BAR)
    desk.granted(Granted(ts=T, entries=(at_market(enter()),)))
    hear(desk, 1, Says.ACCEPTED)
    filled = truth(desk, 10 * S, heard=desk.seq + 2, orders=(), held=lots(desk, {0: 100}), cash=CASH - 100 * usd(100))
    assert desk.statement(filled).asks == [cid(1)]


def test_of_orders_on_their_way_out_it_is_explained_that_they_are_gone() -> None:
    desk = holding()
    desk.seq = 0  # a venue that does not count
    desk.granted(Granted(ts=at(1), exits=(0,)))
    assert told(desk, 20 * S, orders=()).rows == []
    desk = holding()
    desk.seq = 0
    move(desk, 99, 1)
    (moved,) = (rests(x.order, 100) for x in desk.lives.values() if x.order.cid == cid(3))
    assert told(desk, 20 * S, orders=(moved,)).rows == []


def test_of_an_order_whose_last_word_waits_for_its_fills_it_is_explained_that_it_is_gone() -> None:
    desk = holding()
    desk.seq = 0
    desk.update(aside(2, Says.CANCELED, at(1), filled=30))
    assert told(desk, 20 * S, orders=()).rows == []
    sold = Micros(desk.book.cash + 30 * usd(98))
    assert told(desk, 40 * S, orders=(), held=lots(desk, {0: -30}), cash=sold).rows == []


def test_of_a_stop_that_nobody_has_canceled_it_is_not_explained_that_it_is_gone() -> None:
    desk = holding()
    desk.seq = 0
    assert told(desk, 20 * S, orders=()).rows[0] == drift("order", 100, 0, 20 * S, 0, cid(2))


def test_an_order_that_is_over_need_not_stand_though_its_cancel_has_no_answer() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    hear(desk, 2, Says.REJECTED)
    assert told(desk, 20 * S, heard=desk.seq, orders=()).rows == []


def test_a_stop_that_went_with_its_entry_and_stands_is_asked_for() -> None:
    desk = holding_in_bars()
    less = tuple(msgspec.structs.replace(r, left=Shares(60)) for r in truth(desk, 0).orders)
    assert told(desk, 20 * S, orders=less).asks == [cid(2)]


# -- an order that is in no statement any more


def vanished() -> tuple[Desk, Plan]:
    desk = holding()
    return desk, told(desk, 20 * S, orders=())


def test_a_stop_that_no_statement_has_any_more_guards_nothing_and_is_asked_for() -> None:
    desk, plan = vanished()
    assert plan.rows == [
        drift("order", 100, 0, 20 * S, 0, cid(2)),
        evidence(2, 0, Says.ABSENT, State.UNKNOWN, at(20 * S), "the venue's statements do not have it"),
    ]
    assert plan.asks == [cid(2), cid(2)]
    assert (plan.sends, bare(desk), desk.stop_of(0)) == ([], {0: at(20 * S)}, 0)


def test_it_is_said_once_and_healed_by_its_next_word() -> None:
    desk, _ = vanished()
    plan = desk.statement(truth(desk, 30 * S, orders=()))
    assert (plan.rows, plan.asks, plan.gone) == ([healed(STOP, 30 * S)], [cid(2)], [])
    assert bare(desk) == {0: at(20 * S)}
    assert desk.update(aside(2, Says.ACCEPTED, at(31 * S))).rows == [
        evidence(2, 0, Says.ACCEPTED, State.LIVE, at(31 * S)), guarded(at(20 * S), at(31 * S)),
    ]  # fmt: skip
    assert (bare(desk), desk.stop_of(0)) == ({}, usd(98))


def test_a_position_that_differs_says_nothing_of_its_orders() -> None:
    desk = drifted()
    assert {x.order.cid: x.state for x in desk.lives.values()} == {cid(2): State.LIVE}
    desk = holding()
    less = tuple(msgspec.structs.replace(r, left=Shares(60)) for r in truth(desk, 0).orders)
    assert told(desk, 20 * S, orders=less).rows == [drift("order", 100, 60, 20 * S, 0, cid(2))]
    assert desk.lives[cid(2)].state is State.LIVE


# -- what is ignored


def ignored(desk: Desk, ms: int, *slots: int) -> Plan:
    return desk.granted(Granted(ts=at(ms), ignores=slots))


def test_what_is_ignored_freezes_nothing_while_both_sides_trade_on() -> None:
    desk = drifted()
    assert did(ignored(desk, 21 * S, 0)) == ([drift("position", 100, 90, 21 * S, ignored=True)], [], [])
    assert desk.booked().frozen == ()
    hear(desk, 2, Says.PARTIAL_FILL, 60, price=98.0, ts=at(22 * S))
    assert desk.statement(truth(desk, 30 * S, held=lots(desk, {0: -10}))).rows == []
    assert desk.booked().frozen == ()


def test_what_becomes_another_difference_is_no_longer_ignored() -> None:
    desk = drifted()
    ignored(desk, 21 * S, 0)
    desk.statement(truth(desk, 30 * S, held=lots(desk, {0: -11})))
    assert desk.booked().frozen == (0,)


def test_an_order_with_another_body_is_ignored_as_long_as_it_has_that_one() -> None:
    desk = holding()
    (stop,) = truth(desk, 0).orders
    one, two = (msgspec.structs.replace(stop, stop=usd(n)) for n in (97, 96))
    told(desk, 20 * S, orders=(one,))
    ignored(desk, 21 * S, 0)
    assert desk.booked().frozen == ()
    desk.statement(truth(desk, 30 * S, orders=(two,)))
    assert desk.booked().frozen == (0,)


def test_of_the_symbols_that_are_said_and_of_the_cash_every_difference_is_ignored() -> None:
    desk = holding()
    told(desk, 20 * S, held=lots(desk, {0: -10, 1: 5}), cash=Micros(CASH), others=(("ZZZ", 7),))
    assert ignored(desk, 21 * S).rows == []
    assert desk.booked().frozen == (-1, 0, 1)
    cash = desk.book.cash
    assert ignored(desk, 21 * S, 1).rows == [
        drift("position", 0, 5, 21 * S, 1, ignored=True), drift("cash", cash, CASH, 21 * S, -1, ignored=True),
    ]  # fmt: skip
    assert desk.booked().frozen == (0,)


# -- what is adopted


def adopting(desk: Desk, ms: int, *marks: Lot) -> Plan:
    return desk.granted(Granted(ts=at(ms), adopts=marks))


def test_shares_that_are_adopted_are_ours_at_their_mark_and_the_stop_is_for_all_of_them() -> None:
    desk = drifted(40)
    cash = desk.book.cash
    plan = adopting(desk, 21 * S, mark())
    assert did(plan) == (
        [adopted(140, 110, cash, 21 * S, 40), healed(POSITION, 21 * S), canceling(2, Why.SIZE, at(21 * S))],
        [stopped(2, at(21 * S))],
        [Traded(slot=0, qty=Shares(40), price=usd(110), mode=2, stop=usd(98), wide=1.0, counted=False)],
    )
    assert (desk.book.held(0), desk.book.cash, desk.booked().frozen) == (140, cash, ())
    assert desk.book.positions[0].opened == at(21 * S)
    assert bare(desk) == {0: at(21 * S)}
    assert hear(desk, 2, Says.CANCELED, ts=at(22 * S)).sends == [guard(3, 140, ts=at(22 * S))]


def test_what_was_traded_since_the_statement_is_kept() -> None:
    desk = drifted(40)
    hear(desk, 2, Says.PARTIAL_FILL, 60, price=98.0, ts=at(21 * S))
    plan = adopting(desk, 22 * S, mark())
    assert plan.rows[0] == adopted(80, 110, desk.book.cash, 22 * S, 40)
    assert [t.qty for t in plan.traded] == [40]


def test_what_is_adopted_as_flat_leaves_its_stop_to_be_canceled() -> None:
    desk = drifted(-100)
    plan = adopting(desk, 21 * S, mark())
    assert plan.rows[0] == adopted(0, 110, desk.book.cash, 21 * S, -100)
    assert (desk.book.positions, bare(desk)) == ({}, {})


def test_a_position_where_we_had_none_is_adopted_and_left() -> None:
    desk = holding()
    told(desk, 20 * S, held=lots(desk, {1: 5}))
    plan = adopting(desk, 21 * S, mark(50, slot=1))
    order = msgspec.structs.replace(sell(3, 5, at(21 * S), 1), volume=0.0, mode=0)
    left = journal.Aim(ts=at(21 * S), slot=1, leaving=True, stop=Micros(0), mode=0, volume=0.0)
    first = journal.Adopted(
        ts=at(21 * S), slot=1, qty=Shares(5), price=usd(50), cash=Micros(desk.book.cash), mode=0, stop=Micros(0),
        flow=usd(250),
    )  # fmt: skip
    assert did(plan) == (
        [first, healed("position 1", 21 * S), left, intent(order)],
        [order],
        [Traded(slot=1, qty=Shares(5), price=usd(50), mode=0, stop=Micros(0), wide=1.0, counted=False)],
    )
    assert desk.slots[1] == Slot(exit=cid(3), leaving=True, bare=at(21 * S))


def test_money_is_adopted_with_any_symbol_and_what_is_of_others_never() -> None:
    desk = holding()
    cash = desk.book.cash
    told(desk, 20 * S, held=lots(desk, {1: 5}), cash=Micros(cash + usd(7)), others=(("ZZZ", 7),))
    desk.book.cash -= usd(3)  # spent since
    assert adopting(desk, 21 * S, mark()).rows == [money(cash + usd(4), 21 * S, usd(7)), healed(MONEY, 21 * S)]
    assert (desk.book.cash, desk.booked().frozen) == (cash + usd(4), (1,))
    assert adopting(desk, 22 * S).rows == []


def test_an_order_of_ours_that_should_not_stand_is_canceled_when_it_is_adopted() -> None:
    desk = holding()
    stray = Resting(cid=cid(9), slot=0, side=Side.SELL, type=Type.STOP, left=Shares(5), stop=usd(97))
    told(desk, 20 * S, orders=(*truth(desk, 0).orders, stray))
    plan = adopting(desk, 21 * S, mark())
    assert did(plan) == ([healed(f"order 0 {cid(9)}", 21 * S)], [stopped(9, at(21 * S))], [])


def test_an_order_with_another_body_is_canceled_when_it_is_adopted() -> None:
    desk = holding()
    (stop,) = truth(desk, 0).orders
    told(desk, 20 * S, orders=(msgspec.structs.replace(stop, stop=usd(97)),))
    plan = adopting(desk, 21 * S, mark())
    assert did(plan) == ([healed(f"body 0 {cid(2)}", 21 * S)], [stopped(2, at(21 * S))], [])
    assert [*desk.lives] == [cid(2)]


def test_a_stop_that_does_not_stand_is_over_when_it_is_adopted_and_another_is_placed() -> None:
    desk, _ = vanished()
    plan = adopting(desk, 21 * S, mark())
    assert did(plan) == (
        [
            evidence(2, 0, Says.ABSENT, State.CANCELED, at(21 * S), "adopted: it does not stand"),
            healed(STOP, 21 * S), intent(guard(3, ts=at(21 * S))),
        ],
        [guard(3, ts=at(21 * S))],
        [],
    )  # fmt: skip
    assert ([*desk.lives], desk.slots[0].stop) == ([cid(3)], cid(3))


def test_an_order_that_has_ended_since_is_not_ended_again() -> None:
    desk, _ = vanished()
    desk.update(aside(2, Says.CANCELED, at(21 * S)))
    assert adopting(desk, 22 * S, mark()).rows == [healed(STOP, 22 * S)]


def test_an_entry_that_does_not_stand_is_over_when_it_is_adopted_and_what_it_bought_is_protected() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.PARTIAL_FILL, 30)
    hear(desk, 1, Says.CANCEL_REJECTED)
    told(desk, 20 * S, orders=())
    plan = adopting(desk, 21 * S, mark())
    assert plan.rows[2:] == [entered(1, 30, 100, at(21 * S)), intent(guard(2, 30, ts=at(21 * S)))]
    assert [*desk.lives] == [cid(2)]


def test_a_position_without_a_stop_that_somebody_has_sold_lacks_none_any_more() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.FILL, 100)
    for n in (2, 3, 4):
        hear(desk, n, Says.REJECTED)
    told(desk, 20 * S, held=())
    assert adopting(desk, 21 * S, mark()).rows[2:] == [guarded(T, at(21 * S))]
    assert bare(desk) == {}


def test_in_bars_too_the_stop_is_for_all_that_was_adopted_and_its_cancel_goes_out_until_it_is_answered() -> None:
    desk = holding_in_bars()
    told(desk, 20 * S, held=lots(desk, {0: 40}))
    assert adopting(desk, 21 * S, mark()).sends == [stopped(2, at(21 * S))]
    assert desk.granted(Granted(ts=at(26 * S))).sends == [stopped(2, at(21 * S))]


def test_a_stop_without_word_is_not_canceled_for_its_size_before_it_stands() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.FILL, 100)
    told(desk, 20 * S, held=lots(desk, {0: 40}))
    assert adopting(desk, 21 * S, mark()).sends == []
    assert hear(desk, 2, Says.ACCEPTED, ts=at(22 * S)).sends == [stopped(2, at(22 * S))]


def test_another_epochs_order_in_our_slot_is_not_adopted() -> None:
    desk = holding()
    stray = Resting(cid=Cid("fh-test-1-1-0"), slot=0, side=Side.BUY, type=Type.LIMIT, left=Shares(5))
    told(desk, 20 * S, orders=(*truth(desk, 0).orders, stray))
    assert did(adopting(desk, 21 * S, mark())) == ([], [], [])


# -- after a restart


def reread(*rows: journal.Drift) -> Desk:
    desk = Desk(Book(CASH), Model.QUOTE, cid, lambda ts: ts, rows)
    desk.resume(T)
    return desk


def test_a_drift_of_a_former_life_freezes_and_heals_as_it_would_have() -> None:
    desk = reread(drift("position", 100, 90, 0), drift("cash", CASH, CASH - usd(1), 0, -1))
    assert desk.booked().frozen == (-1, 0)
    assert desk.statement(truth(desk, 10 * S)).rows == [healed(POSITION, 10 * S), healed(MONEY, 10 * S)]
    assert desk.booked().frozen == ()


@pytest.mark.parametrize(("gap", "frozen"), [(-10, ()), (-11, (0,))])
def test_what_a_former_life_ignored_is_ignored_as_long_as_it_is_the_same(gap: int, frozen: tuple[int, ...]) -> None:
    desk = reread(drift("position", 100, 90, 0, ignored=True))
    assert desk.booked().frozen == ()
    desk.book.positions = holding().book.positions
    desk.statement(truth(desk, 10 * S, held=lots(desk, {0: gap})))
    assert desk.booked().frozen == frozen


def test_what_a_former_life_found_can_be_adopted() -> None:
    desk = reread(drift("position", 0, -5, 0), drift("order", 0, 5, 0, 0, cid(1)), drift("order", 0, 5, 0, 0, "hers"))
    plan = adopting(desk, 1, mark(50))
    assert plan.rows[0] == adopted(-5, 50, CASH, 1, -5, stop=0, mode=0)
    keys = [row.key for row in plan.rows if isinstance(row, journal.Healed)]
    assert keys == [POSITION, f"order 0 {cid(1)}", "order 0 hers"]
    assert [send for send in plan.sends if isinstance(send, Cancel)] == [stopped(1, at(1))]
    assert desk.book.positions[0].received == 5 * usd(50)


def test_an_order_that_is_over_and_waits_only_for_the_answer_to_its_cancel_is_left_alone() -> None:
    desk = reread(drift("order", 100, 0, 0, 0, cid(2)))
    desk.adopt([Life(order=guard(2), state=State.CANCELED, canceling=T)], {})
    assert did(adopting(desk, 1, mark())) == ([healed(STOP, 1)], [], [])
    assert desk.lives[cid(2)].canceling == T


def test_of_a_drift_that_becomes_another_that_is_a_row_too() -> None:
    desk = drifted(-10)
    assert desk.statement(truth(desk, 30 * S, held=lots(desk, {0: -30}))).rows == [drift("position", 100, 70, 30 * S)]
    hear(desk, 2, Says.PARTIAL_FILL, 20, price=98.0, ts=at(31 * S))
    assert desk.statement(truth(desk, 40 * S, held=lots(desk, {0: -30}))).rows == []
    assert adopting(desk, 41 * S, mark()).rows[0] == adopted(50, 110, desk.book.cash, 41 * S, -30)


def test_a_position_that_somebody_has_sold_is_adopted_and_its_stop_is_taken_back() -> None:
    """Else it would sell us short."""
    desk = drifted(-100)
    plan = adopting(desk, 21 * S, mark())
    assert (plan.sends, desk.book.positions) == ([stopped(2, at(21 * S))], {})
    assert hear(desk, 2, Says.CANCELED, ts=at(22 * S)).sends == []
    assert (desk.lives, desk.slots[0].leaving, bare(desk)) == ({}, False, {})


@pytest.mark.parametrize("more", [-140, -200])
def test_a_position_that_is_on_the_other_side_is_adopted_and_left(more: int) -> None:
    desk = drifted(more)
    assert adopting(desk, 21 * S, mark()).sends == [stopped(2, at(21 * S))]
    (order,) = hear(desk, 2, Says.CANCELED, ts=at(22 * S)).sends
    assert isinstance(order, Order)
    assert (order.role, order.side, order.qty) == (Role.EXIT, Side.BUY, -100 - more)
