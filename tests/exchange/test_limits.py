"""Limit orders against quotes by hand, what may not rest beside what, and what the venue says of an account."""

from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxhero.config import Config
from fluxhero.core.calendar import nyse
from fluxhero.core.terms import parameters
from fluxhero.exchange.bars import BarVenue
from fluxhero.exchange.matching import Snapshot, Venue
from fluxhero.exchange.quotes import QuoteVenue
from fluxhero.messages import (
    SECOND,
    Cancel,
    Cid,
    Lot,
    Micros,
    Model,
    Nanos,
    Order,
    Quote,
    Resting,
    Role,
    Says,
    Shares,
    Side,
    Statement,
    Trade,
    Type,
    Update,
)

DAY, NEXT, THIRD = nyse().between(date(2024, 3, 26), date(2024, 3, 28))
T = Nanos(DAY.open + 1800 * SECOND)
CASH = 100_000_000_000
FEE = Micros(5_000)
KINDS = {Type.MARKET: 0.0, Type.LIMIT: 100.0, Type.STOP: 95.0}
CLOSED = "expired at the close"


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def at(seconds: float) -> Nanos:
    return Nanos(T + int(seconds * SECOND))


def cid(n: int) -> Cid:
    return Cid(f"fh-test-0-{n}-0")


def venue(held: int = 0) -> QuoteVenue:
    return QuoteVenue(Snapshot(cash=CASH, positions={0: held} if held else {}), FEE, 0.0, nyse().at)


def order(
    n: int, role: Role, side: Side, kind: Type, price: float = 0.0, qty: int = 100, slot: int = 0, ts: Nanos = T,
    replaces: int = 0,
) -> Order:  # fmt: skip
    limit, stop = (price if kind is k else 0.0 for k in (Type.LIMIT, Type.STOP))
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=role, side=side, type=kind, qty=Shares(qty), limit=usd(limit),
        stop=usd(stop), replaces=cid(replaces) if replaces else None,
    )  # fmt: skip


def bid_for(n: int = 1, limit: float = 100.0, qty: int = 100, ts: Nanos = T, slot: int = 0) -> Order:
    return order(n, Role.ENTRY, Side.BUY, Type.LIMIT, limit, qty, slot, ts)


def quote(ts: int, bid: float, ask: float, bids: int = 1000, asks: int = 1000, slot: int = 0) -> Quote:
    return Quote(
        index=0, ts=Nanos(ts), slot=slot, bid=usd(bid), ask=usd(ask), bid_size=Shares(bids), ask_size=Shares(asks)
    )


def trade(ts: int, price: float) -> Trade:
    return Trade(index=0, ts=Nanos(ts), slot=0, price=price, size=Shares(1))


def said(seq: int, ts: Nanos, n: int, says: Says, reason: str = "", filled: int = 0) -> Update:
    return Update(seq=seq, ts=ts, cid=cid(n), says=says, reason=reason, filled=Shares(filled))


def filled(seq: int, ts: Nanos, n: int, execution: int, price: float, qty: int, before: int, says: Says) -> Update:
    return Update(
        seq=seq, ts=ts, cid=cid(n), says=says, exec_id=f"x{execution}", at=ts, price=usd(price), qty=Shares(qty),
        fee=Micros(qty * FEE), filled=Shares(before + qty),
    )  # fmt: skip


# -- limits


@pytest.mark.parametrize(("ask", "fills"), [(99.5, True), (100.0, True), (100.01, False)])
def test_a_buy_takes_an_ask_at_its_limit_or_under_at_the_ask(ask: float, fills: bool) -> None:
    bought = [filled(2, at(1), 1, 1, ask, 100, 0, Says.FILL)] if fills else []
    v = venue()
    v.event(quote(at(0), 99.0, ask))
    assert v.order(bid_for(), at(1)) == [said(1, at(1), 1, Says.ACCEPTED), *bought]
    v = venue()
    v.order(bid_for(), at(0))
    assert v.event(quote(at(1), 99.0, ask)) == bought


@pytest.mark.parametrize(("bid", "fills"), [(100.5, True), (100.0, True), (99.99, False)])
def test_a_sale_takes_a_bid_at_its_limit_or_over_at_the_bid(bid: float, fills: bool) -> None:
    sold = [filled(2, at(1), 1, 1, bid, 100, 0, Says.FILL)] if fills else []
    for role, held in ((Role.ENTRY, 0), (Role.EXIT, 100)):
        v = venue(held)
        v.event(quote(at(0), bid, 101.0))
        assert v.order(order(1, role, Side.SELL, Type.LIMIT, 100.0), at(1))[1:] == sold


def test_a_limit_takes_what_is_shown_once_and_waits_for_the_next_quote_within_it() -> None:
    v = venue()
    v.event(quote(at(0), 99.0, 100.0, asks=30))
    assert v.order(bid_for(), at(1))[1:] == [filled(2, at(1), 1, 1, 100.0, 30, 0, Says.PARTIAL_FILL)]
    assert v.event(trade(at(2), 99.0)) == []
    assert v.event(quote(at(3), 99.0, 100.01)) == []
    assert v.event(quote(at(4), 98.0, 99.0, asks=20)) == [filled(3, at(4), 1, 2, 99.0, 20, 30, Says.PARTIAL_FILL)]
    assert v.event(quote(at(5), 99.0, 100.0, asks=50)) == [filled(4, at(5), 1, 3, 100.0, 50, 50, Says.FILL)]
    assert (v.positions, v.resting) == ({0: 100}, {})


def test_the_older_order_is_served_first_and_one_out_of_reach_holds_nobody_up() -> None:
    v = venue()
    v.order(bid_for(1, limit=99.0), at(0))
    v.order(bid_for(2, limit=100.0), at(0))
    v.order(order(3, Role.ENTRY, Side.BUY, Type.MARKET), at(0))
    assert v.event(quote(at(1), 99.5, 100.0, asks=150)) == [
        filled(4, at(1), 2, 1, 100.0, 100, 0, Says.FILL),
        filled(5, at(1), 3, 2, 100.0, 50, 0, Says.PARTIAL_FILL),
    ]


def test_a_canceled_limit_says_what_it_had_filled_and_says_so_again_when_it_is_too_late() -> None:
    v = venue()
    v.event(quote(at(0), 99.0, 100.0, asks=30))
    v.order(bid_for(), at(1))
    out = Cancel(cid=cid(1), ts=T)
    assert v.cancel(out, at(2)) == [said(3, at(2), 1, Says.CANCELED, "canceled", 30)]
    assert v.cancel(out, at(3), filled=30) == [said(4, at(3), 1, Says.CANCEL_REJECTED, "the order is not open", 30)]


@pytest.mark.parametrize("role", [Role.ENTRY, Role.EXIT])
def test_a_limit_is_for_its_day(role: Role) -> None:
    side = Side.BUY if role is Role.ENTRY else Side.SELL
    v = venue(100 if role is Role.EXIT else 0)
    v.order(order(1, role, side, Type.LIMIT, 100.0), at(0))
    assert v.event(quote(DAY.close - 1, 99.0, 101.0)) == []
    assert v.event(quote(DAY.close, 100.0, 100.0)) == [said(2, DAY.close, 1, Says.CANCELED, CLOSED)]
    v = venue(100 if role is Role.EXIT else 0)
    v.order(order(1, role, side, Type.LIMIT, 100.0), at(0))
    assert v.event(trade(NEXT.open, 100.0)) == [said(2, NEXT.open, 1, Says.CANCELED, CLOSED)]


def test_a_limit_sent_while_the_market_is_closed_is_for_the_session_after() -> None:
    v = venue()
    night = Nanos(DAY.close + SECOND)
    assert v.order(bid_for(ts=night), night) == [said(1, night, 1, Says.ACCEPTED)]
    assert v.event(quote(NEXT.open - 1, 98.0, 99.0)) == []
    assert v.event(quote(NEXT.open, 100.0, 101.0)) == []
    assert v.event(quote(NEXT.close - 1, 100.0, 101.0)) == []
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(v.snapshot()), type=Snapshot)
    for one in (v, QuoteVenue(kept, FEE, 0.0, nyse().at)):
        assert one.event(quote(THIRD.open, 98.0, 99.0)) == [said(2, THIRD.open, 1, Says.CANCELED, CLOSED)]


def test_a_limit_under_way_at_the_close_expires_as_it_arrives() -> None:
    v = venue()
    v.event(quote(DAY.close - 1, 98.0, 99.0))
    late = Nanos(DAY.close + 1)
    assert v.order(bid_for(ts=Nanos(DAY.close - 1)), late) == [
        said(1, late, 1, Says.ACCEPTED), said(2, late, 1, Says.CANCELED, CLOSED),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        (0.0, "limit orders require a limit price"),
        (100.005, "invalid limit_price 100.005: its tick is 0.01"),
        (0.99995, "invalid limit_price 0.99995: its tick is 0.0001"),
        (0.9999, ""),
        (100.01, ""),
    ],
)
def test_a_limit_off_the_tick_is_refused(limit: float, reason: str) -> None:
    verdict = said(1, T, 1, Says.REJECTED if reason else Says.ACCEPTED, reason)
    assert venue().order(bid_for(limit=limit), T) == [verdict]


def test_bars_take_no_limits() -> None:
    v = BarVenue(Snapshot(cash=CASH), FEE, 0.0, nyse().at, parameters(Config(), Model.BAR))
    assert v.order(bid_for(), T) == [said(1, T, 1, Says.REJECTED, "limit orders are not taken in bars")]


# -- what is refused


def test_orders_for_nothing_are_refused() -> None:
    for o, reason in (
        (order(1, Role.ENTRY, Side.BUY, Type.MARKET, qty=0), "qty must be > 0"),
        (order(1, Role.EXIT, Side.SELL, Type.MARKET, qty=-5), "qty must be > 0"),
        (order(1, Role.STOP, Side.SELL, Type.STOP), "stop orders require a stop price"),
    ):
        assert venue(100).order(o, T) == [said(1, T, 1, Says.REJECTED, reason)]


@pytest.mark.parametrize("resting", KINDS)
@pytest.mark.parametrize("coming", KINDS)
@pytest.mark.parametrize("side", Side)
def test_a_market_or_a_stop_is_refused_beside_any_order_on_the_other_side(
    resting: Type, coming: Type, side: Side
) -> None:
    """An exit rests, and more of the position is sought: nothing else refuses that."""
    v = venue(-side * 100)
    v.order(order(1, Role.EXIT, side, resting, KINDS[resting]), at(0))
    price = 100.0 + side if coming is Type.LIMIT else KINDS[coming]
    update, *_ = v.order(order(2, Role.ENTRY, Side(-side), coming, price), at(1))
    apart = resting is coming is Type.LIMIT
    reason = "" if apart else f"potential wash trade: {cid(1)} is open on the other side"
    assert (update.says, update.reason) == (Says.ACCEPTED if apart else Says.REJECTED, reason)


@pytest.mark.parametrize(("sale", "washes"), [(99.99, True), (100.0, True), (100.01, False)])
def test_two_limits_are_refused_only_where_they_would_meet(sale: float, washes: bool) -> None:
    for first, second in ((0, 1), (1, 0)):
        pair = [bid_for(1), order(2, Role.EXIT, Side.SELL, Type.LIMIT, sale)]
        v = venue(100)
        v.order(pair[first], at(0))
        update, *_ = v.order(pair[second], at(1))
        assert update.says is (Says.REJECTED if washes else Says.ACCEPTED)
        update, *_ = v.order(bid_for(3, limit=101.0, slot=1), at(2))
        assert update.says is Says.ACCEPTED


def test_only_a_stop_is_replaced_and_by_one_of_its_own_symbol_and_side() -> None:
    reason = "only a stop can be replaced, and by one of its own symbol and side"
    v = venue(100)
    v.order(order(1, Role.STOP, Side.SELL, Type.STOP, 95.0, 50), at(0))
    v.order(order(2, Role.EXIT, Side.SELL, Type.LIMIT, 105.0, 50), at(0))
    for o in (
        order(3, Role.STOP, Side.SELL, Type.STOP, 96.0, 50, replaces=2),
        order(3, Role.STOP, Side.SELL, Type.STOP, 96.0, 50, slot=1, replaces=1),
        order(3, Role.STOP, Side.BUY, Type.STOP, 96.0, 50, replaces=1),
        order(3, Role.EXIT, Side.SELL, Type.MARKET, qty=50, replaces=1),
    ):
        update, *_ = v.order(o, at(1))
        assert (update.says, update.reason) == (Says.REJECTED, reason)
    assert list(v.resting) == [cid(1), cid(2)]


# -- the account


def test_a_statement_is_the_account_as_it_is_now() -> None:
    v = venue()
    v.positions = {2: -10, 0: 100}
    v.order(order(1, Role.EXIT, Side.BUY, Type.LIMIT, 50.0, 10, slot=2), at(0))
    v.order(order(2, Role.STOP, Side.SELL, Type.STOP, 95.0), at(0))
    v.event(quote(at(1), 49.0, 50.0, asks=4, slot=2))
    assert v.statement(at(2)) == Statement(
        ts=at(2), heard=3, cash=Micros(CASH - 4 * usd(50) - 4 * FEE),
        held=(Lot(slot=0, qty=Shares(100), price=Micros(0)), Lot(slot=2, qty=Shares(-6), price=Micros(0))),
        orders=(
            Resting(cid=cid(1), slot=2, side=Side.BUY, type=Type.LIMIT, left=Shares(6)),
            Resting(cid=cid(2), slot=0, side=Side.SELL, type=Type.STOP, left=Shares(100), stop=usd(95)),
        ),
    )  # fmt: skip


def test_a_carried_stop_is_in_no_statement_before_its_entry_has_filled() -> None:
    v = BarVenue(Snapshot(cash=CASH), FEE, 0.0, nyse().at, parameters(Config(), Model.BAR))
    entry = order(1, Role.ENTRY, Side.BUY, Type.MARKET)
    v.order(msgspec.structs.replace(entry, stop=usd(95), stop_cid=cid(2)), T)
    assert v.statement(T) == Statement(
        ts=T, heard=1, cash=Micros(CASH), held=(),
        orders=(Resting(cid=cid(1), slot=0, side=Side.BUY, type=Type.MARKET, left=Shares(100)),),
    )  # fmt: skip


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), st.sampled_from(Side), st.integers(990, 1010), st.sampled_from([30, 500])),
        st.tuples(st.just("entry"), st.sampled_from(Side), st.integers(990, 1010), st.sampled_from([10, 100])),
        st.tuples(st.just("exit"), st.sampled_from(Side), st.integers(990, 1010), st.sampled_from([10, 100])),
        st.tuples(st.just("cancel"), st.sampled_from(Side), st.integers(1, 30), st.just(0)),
    ),
    max_size=30,
)


def play(v: Venue, n: int, step: tuple[str, Side, int, int]) -> list[Update]:
    what, side, price, qty = step
    if what == "quote":
        return v.event(quote(at(n), price / 10, price / 10 + 0.1, qty, qty))
    if what == "cancel":
        return v.cancel(Cancel(cid=cid(price), ts=at(n)), at(n))
    return v.order(order(n, Role(what), side, Type.LIMIT, price / 10, qty), at(n))


@settings(max_examples=200)
@given(steps=STEPS)
def test_no_limit_is_ever_passed_and_a_statement_is_the_sum_of_the_words(
    steps: list[tuple[str, Side, int, int]],
) -> None:
    v, cash, position = venue(), CASH, 0
    orders: dict[Cid, tuple[Side, int]] = {cid(n): (s[1], usd(s[2] / 10)) for n, s in enumerate(steps, 1)}
    sums: dict[Cid, int] = {}
    for n, step in enumerate(steps, 1):
        for u in play(v, n, step):
            side, limit = orders.get(u.cid, (Side.BUY, 0))
            if u.exec_id:
                assert side * (limit - u.price) >= 0
                cash -= side * u.qty * u.price + u.fee
                position += side * u.qty
                sums[u.cid] = sums.get(u.cid, 0) + u.qty
            if u.says is not Says.CANCEL_REJECTED:
                assert u.filled == sums.get(u.cid, 0)
        statement = v.statement(at(n))
        held = (Lot(slot=0, qty=Shares(position), price=Micros(0)),) if position else ()
        assert (statement.cash, statement.held, statement.heard) == (cash, held, v.seq)
        for r in statement.orders:
            assert r.left == steps[int(r.cid.split("-")[3]) - 1][3] - sums.get(r.cid, 0) > 0
