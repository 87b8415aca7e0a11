"""The `quote` model by hand: buy at the ask, sell at the bid, displayed size once per quote, commission only."""

from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxhero.core.calendar import nyse
from fluxhero.exchange.matching import Snapshot
from fluxhero.exchange.quotes import QuoteVenue
from fluxhero.messages import (
    SECOND,
    Cancel,
    Cid,
    Event,
    Micros,
    Nanos,
    Order,
    Quote,
    Role,
    Says,
    Shares,
    Side,
    Trade,
    Type,
    Update,
)

DAY, NEXT = nyse().between(date(2024, 3, 26), date(2024, 3, 27))
T = Nanos(DAY.open + 1800 * SECOND)
CASH = 100_000_000_000
FEE = Micros(5_000)


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def at(seconds: float) -> Nanos:
    return Nanos(T + int(seconds * SECOND))


def venue(snapshot: Snapshot | None = None) -> QuoteVenue:
    return QuoteVenue(snapshot or Snapshot(cash=CASH), FEE, 0.0, nyse().at)


def quote(ts: int, bid: float, ask: float, bids: int = 1000, asks: int = 1000, slot: int = 0, index: int = 0) -> Quote:
    return Quote(
        index=index, ts=Nanos(ts), slot=slot, bid=usd(bid), ask=usd(ask), bid_size=Shares(bids), ask_size=Shares(asks)
    )


def trade(ts: int, price: float, slot: int = 0) -> Trade:
    return Trade(index=0, ts=Nanos(ts), slot=slot, price=price, size=Shares(1))


def cid(n: int) -> Cid:
    return Cid(f"fh-test-0-{n}-0")


def buy(n: int = 1, qty: int = 100, slot: int = 0, ts: Nanos = T) -> Order:
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=Role.ENTRY, side=Side.BUY, type=Type.MARKET, qty=Shares(qty), mark=usd(100),
        stop=usd(98),
    )  # fmt: skip


def sell(n: int = 3, qty: int = 100, slot: int = 0) -> Order:
    return Order(cid=cid(n), ts=T, slot=slot, role=Role.EXIT, side=Side.SELL, type=Type.MARKET, qty=Shares(qty))


def guard(n: int = 2, qty: int = 100, stop: float = 98.0, replaces: int | None = None) -> Order:
    return Order(
        cid=cid(n), ts=T, slot=0, role=Role.STOP, side=Side.SELL, type=Type.STOP, qty=Shares(qty), stop=usd(stop),
        replaces=cid(replaces) if replaces else None,
    )  # fmt: skip


def said(seq: int, ts: Nanos, n: int, says: Says, reason: str = "", filled: int = 0) -> Update:
    return Update(seq=seq, ts=ts, cid=cid(n), says=says, reason=reason, filled=Shares(filled))


def sold(
    seq: int, ts: Nanos, n: int, execution: int, price: float, qty: int, says: Says = Says.FILL, before: int = 0
) -> Update:
    """Or bought; `before`: what the order had filled."""
    return Update(
        seq=seq, ts=ts, cid=cid(n), says=says, exec_id=f"x{execution}", at=ts, price=usd(price), qty=Shares(qty),
        fee=Micros(qty * FEE), filled=Shares(before + qty),
    )  # fmt: skip


def holding(qty: int = 100, stop: float = 98.0) -> QuoteVenue:
    """A position with a resting stop, order 2; one update so far."""
    v = venue(Snapshot(cash=CASH, positions={0: qty}))
    assert v.order(guard(qty=qty, stop=stop), T) == [said(1, T, 2, Says.ACCEPTED)]
    return v


# -- market orders


def test_a_buy_takes_the_ask_as_it_arrives() -> None:
    v = venue()
    v.event(quote(at(0), 99.0, 100.0))
    assert v.order(buy(), at(1)) == [said(1, at(1), 1, Says.ACCEPTED), sold(2, at(1), 1, 1, 100.0, 100)]
    assert (v.cash, v.positions, v.resting) == (CASH - 100 * usd(100) - 100 * FEE, {0: 100}, {})


def test_a_sale_takes_the_bid() -> None:
    v = venue(Snapshot(cash=CASH, positions={0: 100}))
    v.event(quote(at(0), 99.0, 100.0))
    assert v.order(sell(), at(1))[1] == sold(2, at(1), 3, 1, 99.0, 100)
    assert (v.cash, v.positions) == (CASH + 100 * usd(99) - 100 * FEE, {})


def test_an_order_without_a_quote_waits_for_one() -> None:
    v = venue()
    assert v.order(buy(), at(0)) == [said(1, at(0), 1, Says.ACCEPTED)]
    assert v.event(quote(at(1), 99.0, 100.0, slot=1)) == []
    assert v.event(quote(at(2), 99.0, 100.0)) == [sold(2, at(2), 1, 1, 100.0, 100)]


def test_displayed_size_is_taken_once_and_the_rest_waits_for_the_next_quote() -> None:
    v = venue()
    v.event(quote(at(0), 99.0, 100.0, asks=30))
    assert v.order(buy(), at(1))[1:] == [sold(2, at(1), 1, 1, 100.0, 30, Says.PARTIAL_FILL)]
    assert v.event(trade(at(2), 100.0)) == []
    assert v.event(quote(at(3), 99.0, 100.5, asks=30)) == [sold(3, at(3), 1, 2, 100.5, 30, Says.PARTIAL_FILL, 30)]
    assert v.event(quote(at(4), 99.0, 101.0, asks=40)) == [sold(4, at(4), 1, 3, 101.0, 40, before=60)]


def test_two_orders_share_what_one_quote_shows_the_older_first() -> None:
    v = venue()
    v.event(quote(at(0), 99.0, 100.0, asks=150))
    assert v.order(buy(1), at(1))[1:] == [sold(2, at(1), 1, 1, 100.0, 100)]
    assert v.order(buy(5), at(2))[1:] == [sold(4, at(2), 5, 2, 100.0, 50, Says.PARTIAL_FILL)]
    assert v.order(buy(7), at(3))[1:] == []
    assert v.event(quote(at(4), 99.0, 100.0, asks=60)) == [
        sold(6, at(4), 5, 3, 100.0, 50, before=50),
        sold(7, at(4), 7, 4, 100.0, 10, Says.PARTIAL_FILL),
    ]


def test_bids_and_asks_are_taken_apart() -> None:
    v = venue(Snapshot(cash=CASH, positions={0: 100}))
    v.event(quote(at(0), 99.0, 100.0, bids=100, asks=100))
    assert v.order(buy(), at(1))[1].qty == 100
    assert v.order(sell(), at(1))[1].qty == 100


@pytest.mark.parametrize(
    "q",
    [
        quote(at(1), 99.0, 0.0),
        quote(at(1), 0.0, 100.0),
        quote(at(1), 100.01, 100.0),
        quote(at(1), 99.0, 100.0, asks=0),
        quote(at(1), 99.0, 100.0, bids=0),
        quote(DAY.open - 1, 99.0, 100.0),
        quote(DAY.close, 99.0, 100.0),
    ],
)
def test_one_sided_crossed_and_out_of_session_quotes_fill_nothing(q: Quote) -> None:
    holds = Snapshot(cash=CASH, positions={0: 100})
    v = venue(holds)
    v.order(sell(), at(0))
    assert v.event(q) == []
    v = venue(holds)
    v.event(q)
    assert v.order(sell(), at(2)) == [said(1, at(2), 3, Says.ACCEPTED)]


def test_a_locked_quote_fills() -> None:
    v = venue()
    v.event(quote(at(0), 100.0, 100.0))
    assert v.order(buy(), at(1))[1:] == [sold(2, at(1), 1, 1, 100.0, 100)]


def test_a_market_order_outside_the_session_waits_for_its_open() -> None:
    v = venue()
    v.event(quote(DAY.close - 1, 99.0, 100.0))
    assert v.order(buy(ts=DAY.close), DAY.close) == [said(1, DAY.close, 1, Says.ACCEPTED)]
    assert v.event(quote(DAY.close + SECOND, 98.0, 99.0)) == []
    assert v.event(trade(NEXT.open - 1, 100.0)) == []
    assert v.event(quote(NEXT.open, 101.0, 102.0)) == [sold(2, NEXT.open, 1, 1, 102.0, 100)]


def test_the_last_quote_of_a_session_fills_nothing_in_the_next() -> None:
    """Neither what waited overnight, when the first trade comes before the first quote, nor what arrives then."""
    v = venue()
    v.event(quote(DAY.close - 1, 99.0, 100.0))
    v.order(buy(ts=DAY.close), DAY.close)
    assert v.event(trade(NEXT.open, 120.0)) == []
    assert v.order(buy(5, ts=NEXT.open), NEXT.open)[1:] == []


def test_what_the_close_finds_of_an_entry_is_canceled_and_an_exit_works_on() -> None:
    v = venue()
    v.event(quote(at(0), 99.0, 100.0, asks=60))
    v.order(buy(), at(1))
    late = said(3, DAY.close, 1, Says.CANCELED, "expired at the close", filled=60)
    assert v.event(quote(DAY.close, 99.0, 100.0)) == [late]
    assert v.positions == {0: 60}
    v.order(sell(qty=60), Nanos(DAY.close + SECOND))
    assert v.event(quote(NEXT.open, 99.0, 100.0)) == [sold(5, NEXT.open, 3, 2, 99.0, 60)]


# -- stops


@pytest.mark.parametrize("price", [98.0, 97.0])
def test_a_trade_at_or_through_a_stop_makes_it_a_market_order(price: float) -> None:
    v = holding()
    v.event(quote(at(0), 97.5, 98.5, bids=60))
    assert v.event(trade(at(1), 98.01)) == []
    assert v.event(trade(at(2), price)) == [sold(2, at(2), 2, 1, 97.5, 60, Says.PARTIAL_FILL)]
    assert v.event(quote(at(3), 99.0, 99.5)) == [sold(3, at(3), 2, 2, 99.0, 40, before=60)]


def test_a_quote_alone_triggers_nothing() -> None:
    v = holding()
    assert v.event(quote(at(1), 90.0, 91.0)) == []
    assert v.positions == {0: 100}


@pytest.mark.parametrize("ts", [DAY.open - 1, DAY.close])
def test_a_trade_outside_the_session_triggers_nothing(ts: int) -> None:
    v = holding()
    assert v.event(trade(ts, 90.0)) == []
    assert v.event(quote(at(1), 90.0, 91.0)) == []


def test_a_trade_of_another_symbol_triggers_nothing() -> None:
    v = holding()
    v.event(quote(at(0), 97.5, 98.5))
    assert v.event(trade(at(1), 90.0, slot=1)) == []


def test_a_stop_is_moved_by_replacing_it() -> None:
    v = holding()
    v.event(quote(at(0), 98.5, 98.6))
    assert v.order(guard(4, stop=99.0, replaces=2), at(1)) == [
        said(2, at(1), 2, Says.REPLACED), said(3, at(1), 4, Says.ACCEPTED),
    ]  # fmt: skip
    assert v.event(trade(at(2), 99.0)) == [sold(4, at(2), 4, 1, 98.5, 100)]


def test_a_closed_order_cannot_be_replaced() -> None:
    v = holding()
    v.event(quote(at(0), 97.5, 98.5))
    v.event(trade(at(1), 98.0))
    assert v.order(guard(4, stop=99.0, replaces=2), at(2)) == [
        said(3, at(2), 4, Says.REJECTED, "the order to be replaced is not open")
    ]


def test_a_replacement_for_more_than_is_left_is_rejected_and_the_old_one_stays() -> None:
    v = holding()
    v.event(quote(at(0), 97.5, 98.5, bids=60))
    v.event(trade(at(1), 98.0))
    reason = "insufficient qty: asked 100, free 40"
    assert v.order(guard(4, stop=99.0, replaces=2), at(2)) == [said(3, at(2), 4, Says.REJECTED, reason)]
    assert list(v.resting) == [cid(2)]


def test_a_triggered_stop_is_a_market_order_and_replacing_it_does_not_hold_it_back() -> None:
    v = holding()
    v.event(trade(at(1), 98.0))
    v.order(guard(4, stop=97.5, replaces=2), at(2))
    v.event(quote(at(3), 99.0, 99.5))
    assert v.positions == {}


def test_a_stop_can_be_canceled_until_it_has_sold() -> None:
    v = holding()
    assert v.cancel(Cancel(cid=cid(2), ts=T), at(1)) == [said(2, at(1), 2, Says.CANCELED, "canceled")]
    assert v.cancel(Cancel(cid=cid(2), ts=T), at(2)) == [
        said(3, at(2), 2, Says.CANCEL_REJECTED, "the order is not open")
    ]
    assert v.event(trade(at(3), 90.0)) == []


# -- what is free


def test_nothing_is_sold_that_is_not_held_or_that_another_order_holds() -> None:
    v = holding()
    assert v.order(sell(), at(1)) == [said(2, at(1), 3, Says.REJECTED, "insufficient qty: asked 100, free 0")]
    assert v.order(sell(5, slot=1), at(1)) == [said(3, at(1), 5, Says.REJECTED, "insufficient qty: asked 100, free 0")]
    v = venue(Snapshot(cash=CASH, positions={0: 150}))
    v.order(guard(), at(1))
    assert [u.says for u in v.order(sell(3, 50), at(1))] == [Says.ACCEPTED]
    assert [u.reason for u in v.order(sell(4, 1), at(1))] == ["insufficient qty: asked 1, free 0"]


# -- snapshots

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), st.integers(0, 1), st.integers(970, 1020), st.sampled_from([0, 30, 500])),
        st.tuples(st.just("trade"), st.integers(0, 1), st.integers(970, 1020), st.just(1)),
        st.tuples(st.just("buy"), st.integers(0, 1), st.just(0), st.sampled_from([10, 100])),
        st.tuples(st.just("sell"), st.integers(0, 1), st.just(0), st.sampled_from([10, 100])),
        st.tuples(st.just("stop"), st.just(0), st.integers(970, 1020), st.sampled_from([10, 100])),
        st.tuples(st.just("cancel"), st.integers(1, 20), st.just(0), st.just(0)),
    ),
    max_size=30,
)


def play(v: QuoteVenue, n: int, step: tuple[str, int, int, int]) -> list[Update]:
    what, slot, price, qty = step
    ts = at(n / 10)
    orders = {
        "buy": lambda: buy(n, qty, slot), "sell": lambda: sell(n, qty, slot),
        "stop": lambda: guard(n, qty, price / 10),
    }  # fmt: skip
    if what in orders:
        return v.order(orders[what](), ts)
    if what == "cancel":
        return v.cancel(Cancel(cid=cid(slot), ts=ts), ts)
    events: dict[str, Event] = {
        "quote": quote(ts, price / 10, price / 10 + 0.1, qty, qty, slot, n), "trade": trade(ts, price / 10, slot),
    }  # fmt: skip
    return v.event(events[what])


@settings(max_examples=200)
@given(steps=STEPS, cut=st.integers(0, 30))
def test_a_venue_made_from_a_snapshot_goes_on_as_the_first(steps: list[tuple[str, int, int, int]], cut: int) -> None:
    whole, first = venue(), venue()
    one = [play(whole, n, step) for n, step in enumerate(steps, 1)]
    other = [play(first, n, step) for n, step in enumerate(steps[:cut], 1)]
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot()), type=Snapshot)
    second = venue(kept)
    other += [play(second, n, step) for n, step in enumerate(steps[cut:], cut + 1)]
    assert other == one
    a, b = second.snapshot(), whole.snapshot()
    assert (a.cash, a.positions, a.resting, a.seq, a.executions) == (
        b.cash,
        b.positions,
        b.resting,
        b.seq,
        b.executions,
    )


@settings(max_examples=200)
@given(steps=STEPS)
def test_cash_and_positions_are_the_sum_of_what_was_said(steps: list[tuple[str, int, int, int]]) -> None:
    v, cash, positions, seq = venue(), CASH, {0: 0, 1: 0}, 0
    sides: dict[Cid, tuple[Side, int]] = {}
    for n, step in enumerate(steps, 1):
        sides[cid(n)] = (Side.BUY if step[0] == "buy" else Side.SELL, step[1])
        for u in play(v, n, step):
            seq += 1
            assert u.seq == seq
            if u.exec_id:
                side, slot = sides[u.cid]
                cash -= side * u.qty * u.price + u.fee
                positions[slot] += side * u.qty
                assert positions[slot] >= 0
    assert (v.cash, v.positions) == (cash, {s: q for s, q in positions.items() if q})
