"""Reconciliation: by hand, case by case; and against random true histories whose words are withheld."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxhero.core.differences import Difference, Findings, Kind, Known, Ours, What, known
from fluxhero.core.reconcile import CEILING, CENT, FLOOR, VERDICTS, Case, Verdict, Words, reconcile
from fluxhero.core.states import State
from fluxhero.messages import Cid, Lot, Micros, Order, Resting, Role, Shares, Side, Statement, Type
from tests.core.histories import CASH, PREFIX, USD, A, B, History, T, histories, ours, rests, steps, theirs

HERS, OLD = Cid("hers"), Cid("fh-acct-99999999-1-0")
COUNTS = {Words.ALL: (7, 7), Words.COMING: (7, 9), Words.PAST: (7, 6), Words.UNCOUNTED: (0, 0)}
SOME = [Words.COMING, Words.UNCOUNTED]


def entry(cid: Cid = A, left: int = 100, slot: int = 0) -> Resting:
    return rests(cid, Side.BUY, left, 0, slot)


def live(order: Resting, going: bool = False) -> Known:
    return Known(order=order, state=State.LIVE, going=going)


def sent(order: Resting, state: State = State.SENT) -> Known:
    return Known(order=order, state=state)


def seen(words: Words, mine: Ours, venue: Statement) -> Findings:
    """With words counted so."""
    a, b = COUNTS[words]
    return reconcile(msgspec.structs.replace(mine, heard=a), msgspec.structs.replace(venue, heard=b))


def kinds(words: Words, mine: Ours, venue: Statement) -> dict[str, Kind]:
    return {d.what.value: d.kind for d in seen(words, mine, venue).differences}


def every(kind: Kind, *whats: str) -> dict[str, Kind]:
    return dict.fromkeys(whats, kind)


# -- by hand


@pytest.mark.parametrize("words", Words)
def test_what_matches_has_no_row_and_asks_nothing(words: Words) -> None:
    stop, buy = rests(), entry(B, slot=1)
    mine = ours(live(stop), sent(buy), held={0: 100, 1: 0})
    assert seen(words, mine, theirs(stop, held={0: 100, 2: 0})) == Findings(differences=(), ask=())


@pytest.mark.parametrize("words", Words)
def test_an_order_without_word_may_or_may_not_be_there(words: Words) -> None:
    for state in (State.SENT, State.UNKNOWN):
        mine = ours(sent(entry(), state))
        asked = (A,) if state is State.UNKNOWN else ()
        assert seen(words, mine, theirs()) == Findings(differences=(), ask=asked)
        there = Difference(kind=Kind.EXPLAINED, what=What.ORDER, slot=0, name=A, ours=0, theirs=100, orders=(A,))
        assert seen(words, mine, theirs(entry())) == Findings(differences=(there,), ask=(A,))


@pytest.mark.parametrize("words", SOME)
def test_a_fill_that_was_not_heard_moves_position_and_cash_together(words: Words) -> None:
    mine, venue = ours(sent(entry())), theirs(held={0: 100}, cash=CASH - 5_000 * USD)
    position = Difference(kind=Kind.EXPLAINED, what=What.POSITION, slot=0, ours=0, theirs=100, orders=(A,))
    cash = Difference(
        kind=Kind.EXPLAINED, what=What.CASH, ours=CASH, theirs=CASH - 5_000 * USD, orders=(A,)
    )  # fmt: skip
    assert seen(words, mine, venue) == Findings(differences=(position, cash), ask=(A,))
    for heard in (venue, theirs(held={0: 1}, cash=CASH - 50 * USD)):
        assert kinds(Words.ALL, mine, heard) == every(Kind.UNEXPLAINED, "position", "cash")
    assert kinds(words, mine, theirs(held={0: 100})) == every(Kind.UNEXPLAINED, "position")
    assert kinds(words, mine, theirs(cash=CASH - USD)) == every(Kind.UNEXPLAINED, "cash")


@pytest.mark.parametrize("words", SOME)
def test_cash_moves_the_other_way_than_the_shares(words: Words) -> None:
    bought, sold = ours(sent(entry())), ours(live(rests()), held={0: 100})
    more, less = CASH + 5_000 * USD, CASH - 5_000 * USD
    assert kinds(words, bought, theirs(held={0: 100}, cash=more)) == every(Kind.UNEXPLAINED, "position", "cash")
    assert kinds(words, sold, theirs(cash=less)) == every(Kind.UNEXPLAINED, "position", "cash", "order")
    assert kinds(words, sold, theirs(cash=more)) == every(Kind.EXPLAINED, "position", "cash", "order")
    assert kinds(words, sold, theirs()) == every(Kind.UNEXPLAINED, "position", "order")


@pytest.mark.parametrize("words", SOME)
def test_a_share_costs_something_but_no_fortune(words: Words) -> None:
    mine, paid, odd = ours(sent(entry(left=200))), every(Kind.EXPLAINED, "position", "cash"), Kind.UNEXPLAINED
    for qty in (150, 200):
        assert kinds(words, mine, theirs(held={0: qty}, cash=CASH - qty * FLOOR)) == paid
        assert kinds(words, mine, theirs(held={0: qty}, cash=CASH - qty * CEILING)) == paid
        assert kinds(words, mine, theirs(held={0: qty}, cash=CASH - qty * FLOOR + 1)) == every(odd, "position", "cash")
        assert kinds(words, mine, theirs(held={0: qty}, cash=CASH - qty * CEILING - 1)) == every(
            odd, "position", "cash"
        )


@pytest.mark.parametrize("words", SOME)
def test_a_sale_brings_something_but_no_fortune(words: Words) -> None:
    mine, whats = ours(live(rests(left=200)), held={0: 200}), ("position", "cash", "order")
    for cash, kind in {
        200 * FLOOR: Kind.EXPLAINED, 200 * FLOOR - 1: Kind.UNEXPLAINED,
        200 * CEILING: Kind.EXPLAINED, 200 * CEILING + 1: Kind.UNEXPLAINED,
    }.items():  # fmt: skip
        assert kinds(words, mine, theirs(cash=CASH + cash)) == every(kind, *whats)


@pytest.mark.parametrize("words", SOME)
def test_no_more_can_have_been_filled_than_the_order_was_for(words: Words) -> None:
    mine = ours(sent(entry()))
    for qty, kind in {100: Kind.EXPLAINED, 101: Kind.UNEXPLAINED, -1: Kind.UNEXPLAINED}.items():
        found = kinds(words, mine, theirs(held={0: qty}, cash=CASH - qty * 50 * USD))
        assert found == every(kind, "position", "cash")


@pytest.mark.parametrize("words", SOME)
def test_of_an_order_that_stands_just_what_is_missing_was_filled(words: Words) -> None:
    mine, venue = ours(live(entry())), entry(left=70)
    for qty, kind in {30: Kind.EXPLAINED, 29: Kind.UNEXPLAINED, 31: Kind.UNEXPLAINED}.items():
        found = kinds(words, mine, theirs(venue, held={0: qty}, cash=CASH - qty * 50 * USD))
        assert found == every(kind, "position", "cash", "order")
    assert kinds(words, mine, theirs(venue)) == every(Kind.UNEXPLAINED, "order")
    late = kinds(words, ours(sent(entry())), theirs(venue, held={0: 30}, cash=CASH - 1500 * USD))
    assert late == every(Kind.EXPLAINED, "position", "cash", "order")


@pytest.mark.parametrize("words", SOME)
def test_of_orders_that_stand_just_what_is_missing_of_them_together_was_filled(words: Words) -> None:
    mine, venue = ours(live(entry()), live(entry(B))), (entry(left=70), entry(B, left=60))
    for qty, kind in {70: Kind.EXPLAINED, 40: Kind.UNEXPLAINED, 30: Kind.UNEXPLAINED}.items():
        found = kinds(words, mine, theirs(*venue, held={0: qty}, cash=CASH - qty * 50 * USD))
        assert found == every(kind, "position", "cash", "order")


def test_positions_come_by_slot_however_many_there_are() -> None:
    for slots in ([40, 8, 3], [3, 40, 8], [64, 32, 16, 1]):
        found = reconcile(ours(), theirs(held=dict.fromkeys(slots, 5))).differences
        assert [d.slot for d in found] == sorted(slots)


def test_an_order_that_is_gone_is_explained_by_words_that_come_or_by_its_fills_or_by_its_cancel() -> None:
    stands, goes, after_sale = live(rests()), live(rests(), going=True), theirs(cash=CASH + 4_800 * USD)
    empty = theirs(held={0: 100})
    for words, gone, going, sold in [
        (Words.ALL, Kind.UNEXPLAINED, Kind.UNEXPLAINED, Kind.UNEXPLAINED),
        (Words.COMING, Kind.EXPLAINED, Kind.EXPLAINED, Kind.EXPLAINED),
        (Words.PAST, Kind.EXPLAINED, Kind.EXPLAINED, Kind.EXPLAINED),
        (Words.UNCOUNTED, Kind.UNEXPLAINED, Kind.EXPLAINED, Kind.EXPLAINED),
    ]:
        assert kinds(words, ours(stands, held={0: 100}), empty) == {"order": gone}
        assert kinds(words, ours(goes, held={0: 100}), empty) == {"order": going}
        assert kinds(words, ours(stands, held={0: 100}), after_sale)["order"] is sold
    row = Difference(kind=Kind.UNEXPLAINED, what=What.ORDER, slot=0, name=A, ours=100, theirs=0, orders=(A,))
    assert reconcile(ours(stands, held={0: 100}), empty) == Findings(differences=(row,), ask=(A,))


def test_an_order_that_is_gone_is_not_explained_by_fills_that_leave_no_room_for_its_own() -> None:
    mine = ours(live(rests()), sent(entry(B)), held={0: 100})
    for qty, kind in {150: Kind.EXPLAINED, 199: Kind.EXPLAINED, 200: Kind.UNEXPLAINED}.items():
        found = kinds(Words.UNCOUNTED, mine, theirs(held={0: qty}, cash=CASH - 5_000 * USD))
        assert found == every(Kind.EXPLAINED, "position", "cash") | {"order": kind}


def test_a_round_trip_of_which_nothing_was_heard_leaves_only_its_cost() -> None:
    mine = ours(sent(entry()), live(rests(B)))
    assert kinds(Words.UNCOUNTED, mine, theirs(cash=CASH - 30 * USD)) == every(Kind.EXPLAINED, "cash", "order")
    assert kinds(Words.UNCOUNTED, mine, theirs(cash=CASH + 30 * USD)) == every(Kind.EXPLAINED, "cash", "order")
    assert kinds(Words.UNCOUNTED, mine, theirs()) == every(Kind.UNEXPLAINED, "order")


@pytest.mark.parametrize("words", Words)
def test_that_an_order_stands_is_explained_whatever_else_is_not(words: Words) -> None:
    found = kinds(words, ours(sent(entry())), theirs(entry(), held={0: 5}, cash=CASH + USD))
    rest = Kind.EXPLAINED if words is Words.PAST else Kind.UNEXPLAINED
    assert found == every(rest, "position", "cash") | {"order": Kind.EXPLAINED}


def test_once_all_words_are_in_less_or_none_of_an_order_is_unexplained() -> None:
    for venue in (theirs(rests(left=99), held={0: 100}), theirs(held={0: 100})):
        for k in (live(rests()), live(rests(), going=True)):
            assert kinds(Words.ALL, ours(k, held={0: 100}), venue) == {"order": Kind.UNEXPLAINED}


@pytest.mark.parametrize("words", SOME)
def test_fills_of_one_order_explain_neither_more_of_another_nor_a_stray_one(words: Words) -> None:
    buys, more = ours(sent(entry()), live(entry(B, left=60))), entry(B, left=61)
    found = seen(words, buys, theirs(more, held={0: 10}, cash=CASH - 500 * USD)).differences
    assert [(d.what.value, d.kind.value) for d in found] == [
        ("position", "explained"), ("cash", "explained"), ("order", "unexplained"),
    ]  # fmt: skip
    found = seen(words, ours(sent(entry())), theirs(more, held={0: 10}, cash=CASH - 500 * USD)).differences
    assert [(d.name, d.kind.value) for d in found] == [("", "explained"), ("", "explained"), (B, "unexplained")]


def test_a_second_order_under_one_name_is_unexplained_whichever_comes_first() -> None:
    for second in (entry(left=20), rests(left=100), rests(left=30, stop=50)):
        pair = (rests(), second)
        a, b = (reconcile(ours(live(rests()), held={0: 100}), theirs(*p, held={0: 100})) for p in (pair, pair[::-1]))
        assert a == b
        assert a.differences[-1].kind is Kind.UNEXPLAINED
        assert a.ask == (A,)


def test_rows_come_by_slot_and_by_name_and_so_does_what_is_asked() -> None:
    names = [Cid(f"{PREFIX}{n}-0") for n in range(30)]
    strays = reconcile(ours(), theirs(*(rests(cid, slot=i % 3) for i, cid in enumerate(names))))
    assert [d.name for d in strays.differences] == sorted(names)
    assert strays.ask == tuple(sorted(names))
    mine = ours(*(sent(entry(cid, slot=i % 3), State.UNKNOWN) for i, cid in enumerate(names)))
    found = seen(Words.COMING, mine, theirs(held={2: 5, 1: 5, 0: 5}, cash=CASH - 15 * USD))
    assert [(d.what.value, d.slot, d.orders) for d in found.differences] == [
        *[("position", slot, tuple(sorted(names[slot::3]))) for slot in (0, 1, 2)],
        ("cash", -1, tuple(sorted(names))),
    ]


def test_an_entry_that_is_gone_is_explained_by_what_it_bought() -> None:
    bought = theirs(held={0: 40}, cash=CASH - 2_000 * USD)
    for k in (live(entry()), live(entry(), going=True)):
        assert kinds(Words.UNCOUNTED, ours(k), bought) == every(Kind.EXPLAINED, "position", "cash", "order")


def test_an_order_on_its_way_out_is_not_explained_where_the_shares_do_not_fit() -> None:
    for words in SOME:
        found = kinds(words, ours(live(rests(), going=True), held={0: 100}), theirs(held={0: 101}))
        assert found == every(Kind.UNEXPLAINED, "position", "order")


def test_an_order_that_stands_untouched_explains_nothing() -> None:
    mine = ours(sent(entry()), live(rests(B, slot=0)), held={0: 100})
    found = seen(Words.COMING, mine, theirs(rests(B), held={0: 110}, cash=CASH - 500 * USD)).differences
    assert [d.orders for d in found] == [(A,), (A,)]


def test_a_share_costs_between_a_hundredth_of_a_cent_and_a_million() -> None:
    assert (CENT, FLOOR, CEILING) == (0.01 * USD, 0.0001 * USD, 1_000_000 * USD)


@pytest.mark.parametrize("words", SOME)
def test_a_slot_is_explained_by_its_own_orders_only(words: Words) -> None:
    mine = ours(sent(entry(slot=1)))
    found = seen(words, mine, theirs(held={0: 10, 1: 20}, cash=CASH - 1_500 * USD)).differences
    assert [(d.what.value, d.slot, d.kind.value, d.orders) for d in found] == [
        ("position", 0, "unexplained", ()),
        ("position", 1, "explained", (A,)),
        ("cash", -1, "explained", (A,)),
    ]


def test_a_shorts_cost_is_explained_while_words_come_and_never_a_gain() -> None:
    cost, gain, whole = CASH - USD, CASH + USD, {0: -100}
    assert kinds(Words.COMING, ours(held=whole), theirs(held=whole, cash=cost)) == {"cash": Kind.EXPLAINED}
    assert kinds(Words.COMING, ours(held=whole), theirs(held=whole, cash=gain)) == {"cash": Kind.UNEXPLAINED}
    assert kinds(Words.COMING, ours(held={0: 100}), theirs(held={0: 100}, cash=cost)) == {"cash": Kind.UNEXPLAINED}
    assert kinds(Words.COMING, ours(), theirs(held={0: 0}, cash=cost)) == {"cash": Kind.UNEXPLAINED}
    for words in (Words.ALL, Words.UNCOUNTED):
        assert kinds(words, ours(held=whole), theirs(held=whole, cash=cost)) == {"cash": Kind.UNEXPLAINED}
    back = kinds(Words.COMING, ours(live(entry()), held=whole), theirs(cash=CASH - 5_000 * USD))
    assert back == every(Kind.EXPLAINED, "position", "cash", "order")
    began = kinds(Words.COMING, ours(sent(rests(stop=0))), theirs(held={0: -1}, cash=CASH - USD))
    assert began == every(Kind.EXPLAINED, "position", "cash")


@pytest.mark.parametrize("cents", [1, -1])
def test_cash_may_differ_by_a_cent(cents: int) -> None:
    assert kinds(Words.ALL, ours(), theirs(cash=CASH + cents * CENT)) == {}
    assert kinds(Words.ALL, ours(), theirs(cash=CASH + cents * (CENT + 1))) == {"cash": Kind.UNEXPLAINED}


def test_what_is_not_ours_is_foreign_whatever_words_are_missing() -> None:
    others = (("ZZZ", 5), ("BBB", -3), ("NIL", 0))
    venue = msgspec.structs.replace(theirs(rests(HERS), entry(OLD, slot=2)), others=others)
    for words in Words:
        assert seen(words, ours(), venue) == Findings(
            differences=(
                Difference(kind=Kind.FOREIGN, what=What.POSITION, name="BBB", ours=0, theirs=-3),
                Difference(kind=Kind.FOREIGN, what=What.POSITION, name="ZZZ", ours=0, theirs=5),
                Difference(kind=Kind.FOREIGN, what=What.ORDER, slot=2, name=OLD, ours=0, theirs=100),
                Difference(kind=Kind.FOREIGN, what=What.ORDER, slot=0, name=HERS, ours=0, theirs=100),
            ),
            ask=(),
        )


@pytest.mark.parametrize("words", [Words.ALL, *SOME])
def test_an_order_of_our_name_that_is_over_or_never_was_is_unexplained_and_asked_for(words: Words) -> None:
    row = Difference(kind=Kind.UNEXPLAINED, what=What.ORDER, slot=0, name=A, ours=0, theirs=100, orders=(A,))
    assert seen(words, ours(held={0: 100}), theirs(rests(), held={0: 100})) == Findings(differences=(row,), ask=(A,))


@pytest.mark.parametrize("words", [Words.ALL, *SOME])
def test_more_left_than_we_know_of_is_unexplained(words: Words) -> None:
    row = Difference(kind=Kind.UNEXPLAINED, what=What.ORDER, slot=0, name=A, ours=60, theirs=61, orders=(A,))
    found = seen(words, ours(live(rests(left=60)), held={0: 60}), theirs(rests(left=61), held={0: 60}))
    assert found == Findings(differences=(row,), ask=(A,))
    assert kinds(words, ours(sent(entry(left=60))), theirs(entry(left=61))) == {"order": Kind.UNEXPLAINED}


@pytest.mark.parametrize("words", Words)
@pytest.mark.parametrize("change", [{"slot": 1}, {"side": Side.BUY}, {"type": Type.MARKET}, {"stop": Micros(47 * USD)}])
def test_an_order_under_our_name_with_another_body_is_unexplained(words: Words, change: dict[str, Any]) -> None:
    for state in (State.SENT, State.UNKNOWN, State.LIVE):
        mine = ours(sent(rests(), state), held={0: 100})
        other = msgspec.structs.replace(rests(left=50), **change)
        (row,) = seen(words, mine, theirs(other, held={0: 100})).differences
        assert (row.kind, row.what, row.slot, row.name, row.orders) == (Kind.UNEXPLAINED, What.BODY, 0, A, (A,))
        assert row.ours == "sell stop at 48 in slot 0"
        assert row.theirs != row.ours
    (row,) = seen(words, ours(sent(entry())), theirs(entry(slot=1))).differences
    assert (row.ours, row.theirs) == ("buy limit in slot 0", "buy limit in slot 1")


def test_an_order_that_stands_twice_is_unexplained_the_second_time() -> None:
    found = reconcile(ours(live(rests()), held={0: 100}), theirs(rests(), rests(), held={0: 100}))
    row = Difference(kind=Kind.UNEXPLAINED, what=What.ORDER, slot=0, name=A, ours=0, theirs=100, orders=(A,))
    assert found.differences == (row,)


def test_lots_of_one_slot_are_one_position() -> None:
    lots = tuple(Lot(slot=0, qty=Shares(qty), price=Micros(0)) for qty in (70, 30))
    venue = msgspec.structs.replace(theirs(), held=lots)
    assert reconcile(ours(held={0: 100}), venue) == Findings(differences=(), ask=())


def test_an_older_statement_says_nothing_of_ours() -> None:
    mine = ours(live(entry(B, slot=1)), held={0: 100}, cash=CASH - USD)
    venue = theirs(rests(), entry(B, 200, slot=1), held={1: 10})
    assert kinds(Words.PAST, mine, venue) == every(Kind.EXPLAINED, "position", "cash", "order")


def test_every_case_has_a_verdict_for_every_state_of_our_words() -> None:
    assert {case: len(row) for case, row in VERDICTS.items()} == dict.fromkeys(Case, len(Words))
    assert {row[Words.PAST.value] for row in VERDICTS.values()} == {Verdict.YES}


def test_a_known_order_is_what_would_stand_of_it() -> None:
    assert Known(order=entry(), state=State.LIVE) == live(entry(), going=False)
    order = Order(
        cid=A, ts=T, slot=3, role=Role.ENTRY, side=Side.BUY, type=Type.LIMIT, qty=Shares(100), stop=Micros(48 * USD)
    )
    for kind, stop in {Type.LIMIT: 0, Type.MARKET: 0, Type.STOP: 48 * USD}.items():
        rest = Resting(cid=A, slot=3, side=Side.BUY, type=kind, left=Shares(40), stop=Micros(stop))
        found = known(msgspec.structs.replace(order, type=kind), Shares(40), State.PARTIAL, going=True)
        assert found == Known(order=rest, state=State.PARTIAL, going=True)


# -- against true histories


def unexplained(found: Findings) -> list[Difference]:
    return [d for d in found.differences if d.kind is not Kind.EXPLAINED]


@given(histories(), st.data())
def test_words_that_are_withheld_never_make_a_true_account_unexplained(h: History, data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(h.said)))
    assert unexplained(reconcile(h.ours(n), h.statement())) == []


@given(histories(counted=False), st.data())
def test_where_words_are_not_counted_any_of_them_may_be_missing(h: History, data: st.DataObject) -> None:
    heard = {cid: data.draw(st.integers(0, sum(c == cid for c, *_ in h.said))) for cid in h.orders}
    assert unexplained(reconcile(h.ours(heard), h.statement())) == []


@pytest.mark.parametrize("counted", [True, False])
@given(st.data())
def test_once_all_words_are_in_a_true_account_matches(counted: bool, data: st.DataObject) -> None:
    h = data.draw(histories(counted))
    assert reconcile(h.ours(len(h.said)), h.statement()).differences == ()


@given(histories(), st.data())
def test_an_older_statement_of_a_true_account_is_never_unexplained(h: History, data: st.DataObject) -> None:
    old = msgspec.structs.replace(h.statement(), heard=len(h.said))
    for step in data.draw(st.lists(steps, min_size=10, max_size=30)):
        h.step(*step)
    assert unexplained(reconcile(h.ours(len(h.said)), old)) == []


ORDERS: dict[str, st.SearchStrategy[int]] = {
    "left": st.integers(1, 40), "stop": st.integers(1, 99), "side": st.sampled_from(Side), "slot": st.integers(0, 1),
}  # fmt: skip


def tampered(s: Statement, data: st.DataObject) -> Statement:
    """With one thing changed."""
    ways = [_shares, _money, _stray, *([_gone, _changed] if s.orders else [])]
    return data.draw(st.sampled_from(ways))(s, data)


def _gone(s: Statement, data: st.DataObject) -> Statement:
    gone = data.draw(st.sampled_from(s.orders))
    return msgspec.structs.replace(s, orders=tuple(o for o in s.orders if o is not gone))


def _changed(s: Statement, data: st.DataObject) -> Statement:
    one, name = data.draw(st.sampled_from(s.orders)), data.draw(st.sampled_from([*ORDERS]))
    value = data.draw(ORDERS[name].filter(lambda v: v != getattr(one, name)))
    other = msgspec.structs.replace(one, **{name: value})
    return msgspec.structs.replace(s, orders=tuple(other if o is one else o for o in s.orders))


def _shares(s: Statement, data: st.DataObject) -> Statement:
    qty = Shares(data.draw(st.sampled_from([-20, -1, 1, 20])))
    lot = Lot(slot=data.draw(st.integers(0, 1)), qty=qty, price=Micros(0))
    return msgspec.structs.replace(s, held=(*s.held, lot))


def _money(s: Statement, data: st.DataObject) -> Statement:
    by = data.draw(st.sampled_from([-1, 1])) * data.draw(st.integers(CENT + 1, 10**12))
    return msgspec.structs.replace(s, cash=s.cash + by)


def _stray(s: Statement, data: st.DataObject) -> Statement:
    stray = rests(Cid(data.draw(st.sampled_from([PREFIX, "fh-acct-99999999-", ""])) + "999-0"))
    return msgspec.structs.replace(s, orders=(*s.orders, stray))


@given(histories(), st.data())
def test_once_all_words_are_in_whatever_was_tampered_with_shows(h: History, data: st.DataObject) -> None:
    if h.said:
        odd = unexplained(reconcile(h.ours(len(h.said)), tampered(h.statement(), data)))
        assert len(odd) == 1


@given(histories(counted=False), st.data())
def test_it_shows_as_well_where_words_are_not_counted(h: History, data: st.DataObject) -> None:
    mine = h.ours(len(h.said))
    settled = tuple(k for k in mine.orders if k.state is not State.SENT and not k.going)
    there = tuple(o for o in h.there.values() if o.cid not in h.going)
    truth = msgspec.structs.replace(h.statement(), orders=there)
    mine = msgspec.structs.replace(mine, orders=settled)
    assert unexplained(reconcile(mine, tampered(truth, data)))


@given(histories(), st.data())
def test_the_order_of_a_statement_and_of_our_orders_changes_nothing(h: History, data: st.DataObject) -> None:
    mine, venue = h.ours(data.draw(st.integers(0, len(h.said)))), tampered(h.statement(), data)
    venue = msgspec.structs.replace(venue, others=(("ZZZ", 5), ("BBB", -3)))
    shuffled = {
        name: tuple(data.draw(st.permutations(getattr(venue, name)))) for name in ("orders", "held", "others")
    }  # fmt: skip
    also = msgspec.structs.replace(mine, orders=tuple(data.draw(st.permutations(mine.orders))))
    assert reconcile(also, msgspec.structs.replace(venue, **shuffled)) == reconcile(mine, venue)
