"""The desk by hand in both models, and against the real venues, crashed and not."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxhero.core import journal
from fluxhero.core.book import Position
from fluxhero.core.lives import RETRIES, Life, Slot, traded
from fluxhero.core.orders import Desk
from fluxhero.core.states import OPEN, TABLE, State
from fluxhero.messages import (
    Booked,
    Cancel,
    Granted,
    Lot,
    Micros,
    Model,
    Nanos,
    Order,
    Quality,
    Raise,
    Role,
    Says,
    Shares,
    Side,
    Why,
)
from tests.core.desk import (
    CASH,
    FEE,
    FILLS,
    MEMORY,
    Diary,
    T,
    aim,
    at,
    at_market,
    buy,
    canceling,
    cid,
    did,
    enter,
    enter_in,
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
    reborn,
    says,
    sell,
    stopped,
    usd,
)  # fmt: skip
from tests.core.venues import (
    OFTEN,
    SLOWLY,
    Doubtful,
    Fuse,
    Script,
    Wish,
    bars_script,
    lived,
    plain,
    quotes_script,
    scripts,
    tables,
)

BOTH = [Model.BAR, Model.QUOTE]

# -- the state table


def brought_to(state: State) -> Desk:
    """A desk whose order 1, an entry over 100 shares, has come to a state."""
    desk = new(Model.QUOTE)
    desk.intents = 1
    if state in OPEN:
        filled = 40 if state is State.PARTIAL else 0
        if filled:
            desk.book.positions[0] = Position(qty=filled, opened=T, bought=filled, paid=filled * usd(100))
        desk.adopt([Life(order=buy(1), state=state, filled=filled)], {})
        return desk
    desk.adopt([Life(order=buy(1), state=State.LIVE)], {})
    word = next(w for (s, w), after in TABLE.items() if s is State.LIVE and after is state)
    hear(desk, 1, word, 100)
    return desk


@pytest.mark.parametrize("what", list(Says))
@pytest.mark.parametrize("state", list(State))
def test_every_word_of_the_venue_moves_an_order_by_the_table_or_is_recorded_and_changes_nothing(
    state: State, what: Says
) -> None:
    desk = brought_to(state)
    before, update = mind(desk), says(desk, 1, what, 60 if state is State.PARTIAL else 100)
    rows = desk.update(update).rows
    after = TABLE.get((state, what))
    if state in OPEN and after is not None:
        first = rows[0]
        assert isinstance(first, journal.Filled if what in FILLS else journal.Evidence)
        assert first.state == after
        assert cid(1) in desk.lives if after in OPEN else cid(1) not in desk.lives
        return
    shown = state.value if state in OPEN else "closed"
    odd = journal.Odd(ts=T, cid=cid(1), seq=update.seq, says=what, state=shown)
    assert rows == [odd]
    assert mind(desk) == before


def test_what_is_said_of_an_order_that_nobody_knows_is_odd() -> None:
    desk = holding()
    before = mind(desk)
    plan = hear(desk, 77, Says.FILL, 5)
    assert did(plan) == ([journal.Odd(ts=T, cid=cid(77), seq=4, says=Says.FILL, state="closed")], [], [])
    assert mind(desk) == before


# -- entry


def test_in_bars_an_entry_and_its_stop_are_journaled_and_only_the_entry_is_sent() -> None:
    desk = new(Model.BAR)
    plan = desk.granted(Granted(ts=T, entries=(at_market(enter()),)))
    order = buy(1, carries=2)
    assert did(plan) == ([aim(98), intent(order), intent(guard(2, carried=True))], [order], [])
    assert desk.slots == {0: Slot(entry=cid(1), stop=cid(2), aim=usd(98), mode=2, volume=5e4)}
    assert desk.booked() == Booked(
        cash=CASH, held=(), entering=(Lot(slot=0, qty=Shares(100), price=usd(100)),), grants=1
    )


def test_with_quotes_an_entry_is_sent_without_a_stop() -> None:
    desk = new(Model.QUOTE)
    plan = desk.granted(Granted(ts=T, entries=(enter(),)))
    assert did(plan) == ([aim(98), intent(buy(1))], [buy(1)], [])


def test_in_bars_the_fill_books_the_position_and_the_venue_arms_the_stop() -> None:
    desk = new(Model.BAR)
    desk.granted(Granted(ts=T, entries=(at_market(enter()),)))
    assert did(hear(desk, 1, Says.ACCEPTED)) == ([evidence(1, 1, Says.ACCEPTED, State.LIVE)], [], [])
    plan = hear(desk, 1, Says.FILL, 100, price=100.5, ts=at(7))
    cash = Micros(CASH - 100 * usd(100.5) - 100 * FEE)
    filled = journal.Filled(
        ts=at(7), cid=cid(1), seq=2, exec_id="x2", at=at(7), slot=0, role=Role.ENTRY, side=Side.BUY,
        price=usd(100.5), qty=Shares(100), fee=Micros(100 * FEE), state="filled", filled=Shares(100), cash=cash,
    )  # fmt: skip
    order = buy(1, carries=2)
    assert did(plan) == ([filled, entered(1, 100, 100.5, at(7))], [], [traded(order, Shares(100), usd(100.5))])
    assert did(hear(desk, 2, Says.ACCEPTED, ts=at(7))) == ([evidence(2, 3, Says.ACCEPTED, State.LIVE, at(7))], [], [])
    assert desk.booked() == Booked(
        cash=cash, held=(Lot(slot=0, qty=Shares(100), price=Micros(0)),), entering=(), grants=1
    )


def test_with_quotes_the_first_fill_cancels_the_rest_and_the_stop_waits_for_the_end_of_the_entry() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    plan = hear(desk, 1, Says.ACCEPTED)
    assert (plan.sends, plan.asks) == ([], [])
    plan = hear(desk, 1, Says.PARTIAL_FILL, 30, ts=at(1))
    assert (plan.rows[1:], plan.sends) == ([canceling(1, Why.REST, at(1))], [stopped(1, at(1))])
    assert hear(desk, 1, Says.PARTIAL_FILL, 30, ts=at(2)).sends == []
    assert desk.booked().entering == (Lot(slot=0, qty=Shares(40), price=usd(100.5)),)  # at its cap
    plan = hear(desk, 1, Says.FILL, 40, ts=at(3))
    assert plan.sends == [guard(2, ts=at(3))]
    assert plan.rows[1:] == [entered(1, 100, 100, at(3)), intent(guard(2, ts=at(3)))]


def test_what_an_entry_bought_before_its_cancel_is_protected_and_its_shortfall_is_a_row() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.ACCEPTED)
    hear(desk, 1, Says.PARTIAL_FILL, 30, price=100.25)
    plan = hear(desk, 1, Says.CANCELED, ts=at(2))
    assert did(plan) == (
        [
            evidence(1, 3, Says.CANCELED, State.CANCELED, at(2)), entered(1, 30, 100.25, at(2)),
            intent(guard(2, 30, ts=at(2))),
        ],
        [guard(2, 30, ts=at(2))],
        [],
    )  # fmt: skip


def test_a_single_share_is_protected_as_any() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(qty=1),)))
    assert hear(desk, 1, Says.FILL, 1).sends == [guard(2, 1)]


def test_what_is_held_is_told_by_slot() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(slot=2), enter(slot=0), enter(slot=1))))
    for n in (1, 2, 3):
        hear(desk, n, Says.FILL, 100)
    assert [lot.slot for lot in desk.booked().held] == [0, 1, 2]


def test_the_price_of_an_entry_is_its_average_in_whole_micro_dollars() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(qty=3),)))
    hear(desk, 1, Says.PARTIAL_FILL, 1)
    plan = hear(desk, 1, Says.FILL, 2, price=100.01)
    (row,) = (row for row in plan.rows if isinstance(row, journal.Entered))
    assert (str(row.price), row.shortfall) == ("100006666", 20_000)


def test_the_cancel_of_a_rest_is_not_sent_again_when_entries_are_canceled() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.PARTIAL_FILL, 30)
    assert desk.granted(Granted(ts=at(1), cancel_entries=True)).sends == []
    assert hear(desk, 1, Says.CANCELED, ts=at(2)).sends == [guard(2, 30, ts=at(2))]


def test_a_fill_straight_after_the_send_needs_no_word_between() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    assert hear(desk, 1, Says.FILL, 100).sends == [guard(2)]


def test_a_rejected_entry_leaves_nothing_behind() -> None:
    desk = new(Model.BAR)
    desk.granted(Granted(ts=T, entries=(at_market(enter()),)))
    hear(desk, 1, Says.ACCEPTED)
    plan = hear(desk, 1, Says.REJECTED, reason="gapped through the stop")
    assert did(plan) == ([evidence(1, 2, Says.REJECTED, State.REJECTED, reason="gapped through the stop")], [], [])
    plan = hear(desk, 2, Says.CANCELED)
    assert did(plan) == ([evidence(2, 3, Says.CANCELED, State.CANCELED)], [], [])
    assert (desk.lives, desk.slots) == ({}, {0: Slot(aim=usd(98), mode=2, volume=5e4)})
    assert desk.granted(Granted(ts=at(1), entries=(at_market(enter()),))).sends == [buy(3, ts=at(1), carries=4)]


# -- exit


def test_with_quotes_an_exit_cancels_the_stop_waits_for_its_end_and_then_sells() -> None:
    desk = holding()
    plan = desk.granted(Granted(ts=at(1), exits=(0,)))
    assert did(plan) == (
        [aim(98, leaving=True, ts=at(1)), canceling(2, Why.LEAVING, at(1))], [stopped(2, at(1))], [],
    )  # fmt: skip
    plan = hear(desk, 2, Says.CANCELED, ts=at(2))
    assert did(plan) == (
        [evidence(2, 4, Says.CANCELED, State.CANCELED, at(2)), intent(sell(3, ts=at(2)))],
        [sell(3, ts=at(2))],
        [],
    )
    assert hear(desk, 3, Says.ACCEPTED, ts=at(3)).sends == []
    plan = hear(desk, 3, Says.FILL, 100, price=101.0, ts=at(4))
    assert plan.sends == []
    assert plan.rows[1:] == [
        journal.Closed(
            ts=at(4), slot=0, mode=2, qty=Shares(100), opened=T, entry=usd(100), exit=usd(101),
            fees=Micros(200 * FEE), result=Micros(100 * usd(1) - 200 * FEE),
        ),
        aim(0, ts=at(4)),
        guarded(at(2), at(4)),
    ]  # fmt: skip
    assert (desk.lives, desk.book.positions) == ({}, {})
    assert desk.book.cash == CASH + 100 * usd(1) - 200 * FEE


def test_in_bars_the_exit_goes_beside_the_stop_and_clears_it() -> None:
    desk = holding_in_bars()
    plan = desk.granted(Granted(ts=at(1), exits=(0,)))
    assert did(plan) == ([aim(98, leaving=True, ts=at(1)), intent(sell(3, ts=at(1)))], [sell(3, ts=at(1))], [])
    assert hear(desk, 3, Says.ACCEPTED).sends == []
    hear(desk, 3, Says.FILL, 100, ts=at(2))
    plan = hear(desk, 2, Says.CANCELED, ts=at(2), reason="the position is closed")
    assert plan.rows == [evidence(2, 6, Says.CANCELED, State.CANCELED, at(2), "the position is closed")]
    assert (desk.lives, desk.book.positions, desk.slots[0].leaving) == ({}, {}, False)


def test_a_stop_that_fills_while_the_exit_waits_for_its_cancel_is_the_exit() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    plan = hear(desk, 2, Says.FILL, 100, price=98.0, ts=at(2))
    assert (plan.sends, plan.rows[2:]) == ([], [aim(0, ts=at(2))])
    late = hear(desk, 2, Says.CANCEL_REJECTED, ts=at(3), reason="the order is not open")
    row = evidence(2, 5, Says.CANCEL_REJECTED, State.FILLED, at(3), "the order is not open")
    assert did(late) == ([row], [], [])
    assert (desk.lives, desk.book.positions) == ({}, {})


def test_a_stop_that_sells_a_part_before_its_cancel_leaves_the_rest_to_the_exit() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    assert hear(desk, 2, Says.PARTIAL_FILL, 60, price=98.0).sends == []
    assert hear(desk, 2, Says.CANCELED, ts=at(2)).sends == [sell(3, 40, ts=at(2))]


def test_leaving_twice_is_leaving_once() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    assert did(desk.granted(Granted(ts=at(2), exits=(0,)))) == ([], [], [])
    hear(desk, 2, Says.CANCELED, ts=at(3))
    assert did(desk.granted(Granted(ts=at(4), exits=(0, 0)))) == ([], [], [])
    assert list(desk.lives) == [cid(3)]


def test_leaving_where_nothing_is_held_or_sought_is_nothing() -> None:
    desk = new(Model.QUOTE)
    assert did(desk.granted(Granted(ts=T, exits=(0, 1)))) == ([], [], [])


@pytest.mark.parametrize("model", BOTH)
def test_flattening_while_the_entry_is_open_cancels_it_and_then_sells_what_it_bought(model: Model) -> None:
    desk = new(model)
    desk.granted(Granted(ts=T, entries=(enter_in(model),)))
    hear(desk, 1, Says.ACCEPTED)
    hear(desk, 1, Says.PARTIAL_FILL, 30)
    plan = desk.granted(Granted(ts=at(1), exits=(0,), cancel_entries=True))
    assert plan.sends == ([stopped(1, at(1))] if model is Model.BAR else [])  # with quotes the fill has canceled it
    n = 3 if model is Model.BAR else 2  # in bars the stop has taken a number
    plan = hear(desk, 1, Says.CANCELED, ts=at(2))
    assert plan.sends == [sell(n, 30, ts=at(2))]


def test_an_entry_that_fills_before_its_cancel_arrives_is_sold_again_when_flattening() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    desk.granted(Granted(ts=at(1), exits=(0,), cancel_entries=True))
    assert hear(desk, 1, Says.FILL, 100, ts=at(2)).sends == [sell(2, ts=at(2))]
    row = evidence(1, 2, Says.CANCEL_REJECTED, State.FILLED, at(3))
    assert did(hear(desk, 1, Says.CANCEL_REJECTED, ts=at(3))) == ([row], [], [])
    assert list(desk.lives) == [cid(2)]


def test_an_entry_that_fills_before_its_cancel_arrives_keeps_its_stop_when_only_entries_are_canceled() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    desk.granted(Granted(ts=at(1), cancel_entries=True))
    assert hear(desk, 1, Says.FILL, 100, ts=at(2)).sends == [guard(2, ts=at(2))]
    row = evidence(1, 2, Says.CANCEL_REJECTED, State.FILLED, at(3))
    assert did(hear(desk, 1, Says.CANCEL_REJECTED, ts=at(3))) == ([row], [], [])
    assert desk.slots[0] == Slot(stop=cid(2), aim=usd(98), mode=2, volume=5e4, bare=at(2))


def test_a_cancel_that_is_refused_for_an_open_order_may_be_asked_again() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.ACCEPTED)
    assert desk.granted(Granted(ts=at(1), cancel_entries=True)).sends == [stopped(1, at(1))]
    assert desk.granted(Granted(ts=at(2), cancel_entries=True)).sends == []
    hear(desk, 1, Says.CANCEL_REJECTED, ts=at(3))
    assert desk.granted(Granted(ts=at(4), cancel_entries=True)).sends == [stopped(1, at(4))]


# -- the market is closed


def closed_until(desk: Diary, opens: Nanos) -> Diary:
    desk._opens = lambda ts: max(ts, opens)
    return desk


def test_after_the_close_a_position_keeps_its_stop_and_is_left_at_the_open() -> None:
    desk = closed_until(holding(), at(60_000))
    plan = desk.granted(Granted(ts=at(1), exits=(0,)))
    assert (plan.rows, plan.sends, desk.next()) == ([aim(98, leaving=True, ts=at(1))], [], at(60_000))
    assert desk.woken(at(60_000)).sends == [stopped(2, at(60_000))]
    assert hear(desk, 2, Says.CANCELED, ts=at(60_001)).sends == [sell(3, ts=at(60_001))]


def test_a_stop_that_was_canceled_just_before_the_close_is_put_back_for_the_night() -> None:
    desk = holding()
    assert desk.granted(Granted(ts=at(1), exits=(0,))).sends == [stopped(2, at(1))]
    plan = hear(closed_until(desk, at(60_000)), 2, Says.CANCELED, ts=at(51))
    assert plan.sends == [guard(3, ts=at(51))]
    hear(desk, 3, Says.ACCEPTED, ts=at(52))
    assert desk.next() == at(60_000)
    assert desk.woken(at(60_000)).sends == [stopped(3, at(60_000))]


def test_an_exit_and_a_closer_stop_carry_the_volume_of_the_bar_that_decided_them() -> None:
    volumes = ((1, 1e4), (0, 7e4))
    moved = holding_in_bars().granted(Granted(ts=at(1), raises=(Raise(slot=0, stop=usd(99)),), volumes=volumes))
    left = holding_in_bars().granted(Granted(ts=at(1), exits=(0,), volumes=volumes))
    orders = [order for plan in (moved, left) for order in plan.sends if isinstance(order, Order)]
    assert [(order.role, order.volume) for order in orders] == [(Role.STOP, 7e4), (Role.EXIT, 7e4)]


def test_a_stop_that_has_sold_all_while_the_exit_waits_for_the_open_is_the_exit() -> None:
    desk = closed_until(holding(), at(60_000))
    desk.granted(Granted(ts=at(1), exits=(0,)))
    plan = hear(desk, 2, Says.FILL, 100, price=98.0, ts=at(2))
    assert (plan.sends, plan.rows[2:], desk.lives, desk.slots[0].waits) == ([], [aim(0, ts=at(2))], {}, None)


def test_in_bars_an_exit_does_not_wait_for_the_open() -> None:
    desk = closed_until(holding_in_bars(), at(60_000))
    assert desk.granted(Granted(ts=at(1), exits=(0,))).sends == [sell(3, ts=at(1))]


def test_waking_up_to_nothing_does_nothing() -> None:
    assert did(holding().woken(at(1))) == ([], [], [])


# -- the stop moves


def test_a_raise_replaces_the_stop_and_the_new_one_takes_its_place() -> None:
    desk = holding()
    plan = move(desk, 99, 1)
    new_stop = guard(3, 100, 99, at(1), replaces=2)
    assert did(plan) == ([aim(99, ts=at(1)), intent(new_stop)], [new_stop], [])
    assert hear(desk, 2, Says.REPLACED).sends == []
    assert hear(desk, 3, Says.ACCEPTED).sends == []
    assert (list(desk.lives), desk.slots[0].stop, desk.slots[0].moving) == ([cid(3)], cid(3), None)


@pytest.mark.parametrize("stop", [98.0, 97.0])
def test_a_raise_that_is_not_higher_is_ignored(stop: float) -> None:
    desk = holding()
    before = mind(desk)
    desk.grants -= 1
    assert did(move(desk, stop, 1)) == ([], [], [])
    assert mind(desk) == before


def test_a_raise_while_the_stop_is_unacknowledged_waits_for_the_word() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.FILL, 100)
    assert did(move(desk, 99, 1)) == ([aim(99, ts=at(1))], [], [])
    assert hear(desk, 2, Says.ACCEPTED, ts=at(2)).sends == [guard(3, 100, 99, at(2), replaces=2)]


def test_raises_while_the_stop_is_being_replaced_end_in_one_move_to_the_highest() -> None:
    desk = holding()
    move(desk, 99, 1)
    assert did(move(desk, 99.5, 2)) == ([aim(99.5, ts=at(2))], [], [])
    assert did(move(desk, 99.75, 3)) == ([aim(99.75, ts=at(3))], [], [])
    assert hear(desk, 2, Says.REPLACED, ts=at(4)).sends == []
    assert hear(desk, 3, Says.ACCEPTED, ts=at(4)).sends == [guard(4, 100, 99.75, at(4), replaces=3)]


def test_a_raise_while_the_entry_still_runs_is_where_the_stop_begins() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.PARTIAL_FILL, 30)
    assert move(desk, 99, 1).sends == []
    assert hear(desk, 1, Says.FILL, 70, ts=at(2)).sends == [guard(2, 100, 99, at(2))]


def test_a_raise_while_leaving_or_flat_is_ignored() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    assert did(move(desk, 99, 2)) == ([], [], [])
    assert did(move(new(Model.QUOTE), 99, 2)) == ([], [], [])
    desk = holding()
    hear(desk, 2, Says.FILL, 100, price=98.0)
    assert did(move(desk, 97, 2)) == ([], [], [])


def test_an_exit_while_the_stop_is_being_replaced_cancels_the_new_one() -> None:
    desk = holding()
    move(desk, 99, 1)
    assert desk.granted(Granted(ts=at(2), exits=(0,))).sends == []
    assert hear(desk, 2, Says.REPLACED, ts=at(3)).sends == [stopped(3, at(3))]
    assert hear(desk, 3, Says.ACCEPTED, ts=at(3)).sends == []
    assert hear(desk, 3, Says.CANCELED, ts=at(4)).sends == [sell(4, ts=at(4))]


def test_a_replacement_that_is_rejected_because_a_part_was_sold_is_asked_again_for_the_rest() -> None:
    desk = holding()
    move(desk, 99, 1)
    assert hear(desk, 2, Says.PARTIAL_FILL, 60, price=98.0).sends == []
    assert hear(desk, 3, Says.REJECTED, ts=at(2)).sends == [guard(4, 40, 99, at(2), replaces=2)]
    assert (desk.slots[0].stop, desk.slots[0].moving) == (cid(2), cid(4))


def test_a_replacement_of_a_stop_that_has_sold_everything_ends_with_it() -> None:
    desk = holding()
    move(desk, 99, 1)
    assert hear(desk, 2, Says.FILL, 100, price=98.0).sends == []
    plan = hear(desk, 3, Says.REJECTED, ts=at(2), reason="the order to be replaced is not open")
    assert plan.sends == []
    assert (desk.lives, desk.book.positions, desk.slots[0].stop, desk.slots[0].moving) == ({}, {}, None, None)


def test_a_rejected_stop_is_sent_again_until_it_was_rejected_three_times() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    assert hear(desk, 1, Says.FILL, 100).sends == [guard(2)]
    for n in range(2, 1 + RETRIES):
        assert hear(desk, n, Says.REJECTED, ts=at(n)).sends == [guard(n + 1, ts=at(n))]
    assert hear(desk, 1 + RETRIES, Says.REJECTED, ts=at(9)).sends == []
    assert desk.lives == {}


def test_a_stop_that_is_accepted_forgives_what_was_rejected_before() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.FILL, 100)
    hear(desk, 2, Says.REJECTED)
    hear(desk, 3, Says.REJECTED)
    hear(desk, 4, Says.ACCEPTED)
    for n in range(5, 8):
        assert move(desk, 98 + n / 10, n).sends == [guard(n, 100, 98 + n / 10, at(n), replaces=n - 1)]
        hear(desk, n - 1, Says.REPLACED)
        hear(desk, n, Says.ACCEPTED)
    assert desk.slots[0].rejected == 0


def test_a_position_whose_stop_was_rejected_three_times_can_still_be_left() -> None:
    """Else FLATTEN cannot close the one position that nothing protects."""
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.FILL, 100)
    for n in range(2, 2 + RETRIES):
        hear(desk, n, Says.REJECTED, ts=at(n))
    assert desk.granted(Granted(ts=at(20), exits=(0,))).sends == [sell(5, ts=at(20))]


def test_an_exit_that_was_rejected_three_times_is_sought_anew_when_it_is_granted_anew() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    assert hear(desk, 2, Says.CANCELED, ts=at(2)).sends == [sell(3, ts=at(2))]
    for n in range(3, 3 + RETRIES):
        hear(desk, n, Says.REJECTED, ts=at(n))
    assert desk.lives == {}
    assert desk.granted(Granted(ts=at(20), exits=(0,))).sends == [sell(6, ts=at(20))]


def test_an_exit_that_is_granted_again_between_rejections_has_no_more_of_them() -> None:
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    hear(desk, 2, Says.CANCELED, ts=at(2))
    hear(desk, 3, Says.REJECTED, ts=at(3))
    assert hear(desk, 4, Says.REJECTED, ts=at(4)).sends == [sell(5, ts=at(4))]
    assert desk.granted(Granted(ts=at(5), exits=(0,))).sends == []
    assert hear(desk, 5, Says.REJECTED, ts=at(6)).sends == []
    assert desk.granted(Granted(ts=at(7), exits=(0,))).sends == [sell(6, ts=at(7))]
    for n in (6, 7):
        assert hear(desk, n, Says.REJECTED, ts=at(8)).sends == [sell(n + 1, ts=at(8))]
    assert hear(desk, 8, Says.REJECTED, ts=at(9)).sends == []
    assert desk.slots[0].exit is None


def test_a_replacement_that_was_rejected_three_times_rests_and_the_stop_stays() -> None:
    desk = holding()
    move(desk, 99, 1)
    for n in (3, 4):
        assert hear(desk, n, Says.REJECTED, ts=at(n)).sends == [guard(n + 1, 100, 99, at(n), replaces=2)]
    assert hear(desk, 5, Says.REJECTED, ts=at(5)).sends == []
    assert (desk.slots[0].stop, desk.slots[0].moving, desk.stop_of(0)) == (cid(2), None, usd(98))


def test_a_rejected_entry_is_no_rejection_of_what_protects() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    hear(desk, 1, Says.REJECTED)
    assert desk.slots == {0: Slot(aim=usd(98), mode=2, volume=5e4)}


# -- what was heard before


def test_evidence_that_was_heard_before_changes_nothing() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    heard = []
    for what, qty in ((Says.ACCEPTED, 0), (Says.PARTIAL_FILL, 30), (Says.FILL, 70)):
        heard.append(says(desk, 1, what, qty))
        desk.update(heard[-1])
    before = mind(desk), desk.seq
    assert [did(desk.update(u)) for u in heard] == [([], [], [])] * 3
    assert (mind(desk), desk.seq) == before


def test_an_execution_that_comes_again_under_a_new_number_is_odd_and_changes_nothing() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    first = says(desk, 1, Says.PARTIAL_FILL, 30)
    desk.update(first)
    before = mind(desk)
    odd = journal.Odd(ts=T, cid=cid(1), seq=2, says=Says.PARTIAL_FILL, state="partial")
    assert did(desk.update(msgspec.structs.replace(first, seq=2))) == ([odd], [], [])
    assert (mind(desk), desk.seq) == (before, 2)


# -- when it looks


def test_in_bars_every_grant_is_a_look_and_asks_for_the_account() -> None:
    desk = new(Model.BAR)
    plan = desk.granted(Granted(ts=T, entries=(at_market(enter()),)))
    assert (plan.asks, plan.account, desk.next()) == ([], True, None)
    plan = desk.granted(Granted(ts=at(5_000)))
    assert (plan.asks, plan.account) == ([cid(1)], True)
    assert desk.booked().grants == 2


def test_with_quotes_a_grant_is_no_look() -> None:
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(),)))
    plan = desk.granted(Granted(ts=at(31_000)))
    assert (plan.asks, plan.account, desk.booked().grants) == ([], False, 2)


def test_the_account_is_asked_for_when_it_begins_and_every_half_minute() -> None:
    desk = Diary(Model.QUOTE)
    desk.resume(T)
    assert desk.next() == T
    assert (desk.woken(T).account, desk.next()) == (True, at(30_000))
    assert (desk.woken(at(29_999)).account, desk.woken(at(30_000)).account) == (False, True)
    assert (desk.woken(at(30_001)).account, desk.next()) == (False, at(60_000))
    assert holding().next() == at(30_000)  # nothing is asked of a stop that stands


def test_while_the_market_is_closed_the_account_is_not_asked_for() -> None:
    desk = closed_until(new(Model.QUOTE), at(3_600_000))
    assert (desk.next(), desk.woken(at(60_000)).account) == (at(3_600_000), False)
    assert desk.woken(at(3_600_000)).account


def test_who_begins_at_night_asks_for_the_account_at_the_open() -> None:
    desk = Diary(Model.QUOTE)
    desk._opens = lambda ts: at(60_000) if T <= ts < at(60_000) else ts
    desk.resume(T)
    assert (desk.next(), desk.woken(T).account) == (at(60_000), False)


def test_what_happens_first_is_what_it_wakes_up_for() -> None:
    desk = closed_until(holding(), at(20_000))
    desk.granted(Granted(ts=at(1), exits=(0,)))  # waits for the open
    assert desk.next() == at(20_000)
    desk.granted(Granted(ts=at(2), entries=(enter(slot=1),)))
    assert desk.next() == at(5_002)  # without word
    hear(desk, 3, Says.ACCEPTED, ts=at(3))
    assert desk.next() == at(20_000)  # it only waits for the market


# -- after a restart


def test_resuming_sends_exactly_what_has_no_answer_and_the_same_bytes() -> None:
    desk = holding()
    move(desk, 99, 5)  # unanswered: order 3
    sent: list[Order | Cancel] = list(desk.resume(at(5)).sends)
    desk.granted(Granted(ts=at(6), entries=(enter(slot=1),)))  # order 4
    sent += hear(desk, 4, Says.PARTIAL_FILL, 50, ts=at(7)).sends
    sent += desk.granted(Granted(ts=at(7), entries=(enter(slot=2),))).sends  # order 5
    again = reborn(desk)
    assert [msgspec.msgpack.encode(x) for x in again.resume(at(7)).sends] == [msgspec.msgpack.encode(x) for x in sent]
    assert sent == [
        guard(3, 100, 99, at(5), replaces=2), stopped(4, at(7)), buy(5, ts=at(7), slot=2),
    ]  # fmt: skip


def test_resuming_sends_nothing_where_all_is_answered() -> None:
    assert holding().resume(at(1)).sends == []
    assert holding_in_bars().resume(at(1)).sends == []


def test_a_stop_that_its_entry_carries_is_not_sent_by_itself() -> None:
    desk = new(Model.BAR)
    desk.granted(Granted(ts=T, entries=(at_market(enter()),)))
    assert reborn(desk).resume(at(1)).sends == [buy(1, carries=2)]


def test_a_raise_in_bars_that_has_no_answer_is_sent_again() -> None:
    desk = holding_in_bars()
    move(desk, 99, 1)
    assert reborn(desk).resume(at(1)).sends == [guard(3, 100, 99, at(1), replaces=2)]


@pytest.mark.parametrize("older", [0, 1])
def test_resuming_sends_cancels_of_one_time_in_the_order_in_which_they_were_decided(older: int) -> None:
    """The venue numbers its answers, and those number our exits: another order is another journal."""
    desk = new(Model.QUOTE)
    desk.granted(Granted(ts=T, entries=(enter(slot=older),)))  # 1
    hear(desk, 1, Says.FILL, 100)  # 2 is its stop
    hear(desk, 2, Says.ACCEPTED)
    desk.granted(Granted(ts=at(1), entries=(enter(slot=1 - older),)))  # 3
    hear(desk, 3, Says.FILL, 100)  # 4 is its stop
    hear(desk, 4, Says.ACCEPTED)
    plan = desk.granted(Granted(ts=at(2), exits=(0, 1)))
    assert reborn(desk).resume(at(1)).sends == plan.sends


def test_a_restarted_desk_goes_on_as_the_old_one_would_have() -> None:
    desk = holding()
    move(desk, 99, 1)
    desk.granted(Granted(ts=at(2), exits=(0,)))
    again = reborn(desk)
    for n, what, qty in ((2, Says.REPLACED, 0), (3, Says.ACCEPTED, 0), (3, Says.CANCELED, 0), (4, Says.FILL, 100)):
        u = says(desk, n, what, qty, ts=at(10 + n))
        assert did(again.update(u)) == did(desk.update(u))
    assert (again.lives, again.book.positions, again.book.cash) == ({}, {}, desk.book.cash)


def test_a_desk_that_was_leaving_and_has_nothing_under_way_leaves_when_it_is_granted_again() -> None:
    """After three rejections and a restart the aim still says leaving, and no order is open."""
    desk = holding()
    desk.granted(Granted(ts=at(1), exits=(0,)))
    hear(desk, 2, Says.CANCELED, ts=at(2))
    for n in range(3, 3 + RETRIES):
        hear(desk, n, Says.REJECTED, ts=at(n))
    again = reborn(desk)
    assert [s.qty for s in again.granted(Granted(ts=at(20), exits=(0,))).sends if isinstance(s, Order)] == [100]


def test_after_a_restart_at_night_a_position_that_was_to_be_left_is_left_at_the_open() -> None:
    desk = closed_until(holding(), at(60_000))
    desk.granted(Granted(ts=at(1), exits=(0,)))
    again = closed_until(reborn(desk), at(60_000))
    assert again.resume(at(2)).sends == []
    again._audited = at(50_000)  # so that nothing else wakes it up
    assert again.next() == at(60_000)
    assert again.woken(at(60_000)).sends == [stopped(2, at(60_000))]


def test_after_a_restart_what_waits_to_be_sent_anew_is_asked_for_by_slot() -> None:
    desk = new(Model.QUOTE)
    gone = [Life(order=buy(n, slot=slot), state=State.CANCELED, why=Why.CHASE) for n, slot in ((1, 2), (2, 0), (3, 1))]
    desk.adopt(gone, {})
    assert [c.slot for c in desk.resume(at(1)).chasing] == [0, 1, 2]


# -- against the real venues


SCRIPTS = scripts([Side.BUY], st.integers(960, 1000), nights=False)


@SLOWLY
@given(script=SCRIPTS)
def test_whatever_is_granted_and_whatever_the_market_does_our_book_ends_as_the_venues(script: Script) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        p = lived(script, Path(name))
    desk, venue = p.desk, p.venue
    assert p.odd == []
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
    assert [s.leaving for s in desk.slots.values() if s.leaving] == []


@OFTEN
@given(script=SCRIPTS)
def test_a_restart_after_any_word_would_find_the_desk_as_it_is(script: Script) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        process = Doubtful(script, Path(name), Fuse(None))
        process.live()
        process.close()


@SLOWLY
@given(script=SCRIPTS, deaths=st.lists(st.integers(0, 40), min_size=1, max_size=3))
def test_a_run_that_died_anywhere_ends_with_the_tables_of_one_that_did_not(script: Script, deaths: list[int]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        lived(script, Path(name, "whole"))
        lived(script, Path(name, "killed"), deaths)
        assert tables(Path(name, "killed")) == tables(Path(name, "whole"))


def bars_of(*opens: float) -> list[Any]:
    return [([(round(o * 10), round(o * 10), Quality.FULL), None], []) for o in opens]


@pytest.mark.parametrize("effects", range(8))
def test_an_order_that_was_durable_but_not_sent_meets_the_bar_it_would_have_met(effects: int) -> None:
    """The venue's place in the tape may lie behind ours: what is sent again must not reach it in a past bar."""
    steps = bars_of(100.0, 100.1, 100.2, 100.3, 100.4, 100.5)
    steps[3][1].append(Wish("enter"))
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        lived(bars_script(steps), Path(name, "whole"))
        lived(bars_script(steps), Path(name, "killed"), [effects])
        assert tables(Path(name, "killed")) == tables(Path(name, "whole"))


def test_a_cancel_that_was_durable_but_not_sent_arrives_in_market_time() -> None:
    steps = bars_of(100.0, 100.1)
    steps[0][1].append(Wish("enter"))
    steps += [([None, None], [Wish("cancel")]), *bars_of(100.2)]
    for effects in range(14):
        with tempfile.TemporaryDirectory(dir=MEMORY) as name:
            lived(bars_script(steps), Path(name, "whole"))
            lived(bars_script(steps), Path(name, "killed"), [effects])
            assert tables(Path(name, "killed")) == tables(Path(name, "whole"))


IDLE = ("quote", 0, 975, -1, 0, 0)  # crossed: nothing comes of it
ENTERS = [Wish("enter", 0, 1, 960), Wish("enter", 1, 1, 960)]


@pytest.mark.parametrize(
    "steps",
    [
        [(IDLE, 0, ENTERS), (IDLE, 0, [Wish("cancel")])],
        [(IDLE, 0, ENTERS[:1]), (IDLE, 0, [Wish("cancel")]), (("quote", 0, 975, 0, 40, 40), 0, [])],
    ],
    ids=["two orders and their cancels at one time", "an entry that fills before its cancel arrives"],
)
def test_whichever_effect_was_the_last_before_a_death_cancels_arrive_as_they_would_have(steps: list[Any]) -> None:
    """But for an entry that had not arrived when it was canceled: it is not sent again, and watched for."""
    script = quotes_script(steps)
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        lived(script, Path(name, "whole"))
        for effects in range(24):
            p = lived(script, Path(name, str(effects)), [effects])
            gone = [x for x in p.desk.lives.values() if x.unheard]
            assert [(x.order.role, x.why, x.canceling) for x in gone] == [(Role.ENTRY, Why.UNWANTED, None)] * len(gone)
            if gone:
                assert (p.desk.booked().held, p.venue.positions, p.venue.resting) == ((), {}, {})
            else:
                assert tables(Path(name, str(effects))) == tables(Path(name, "whole"))
