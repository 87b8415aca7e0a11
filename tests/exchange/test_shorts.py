"""Short positions at both venues by hand: sold, stopped, bought back, charged for every night, and never crossed."""

from collections.abc import Sequence
from datetime import date

import msgspec
import numpy as np
import pytest

from fluxhero.config import Config
from fluxhero.core.calendar import nyse
from fluxhero.core.terms import parameters
from fluxhero.exchange.bars import BarVenue
from fluxhero.exchange.matching import Snapshot, Venue
from fluxhero.exchange.quotes import QuoteVenue
from fluxhero.kernel.state import BAR
from fluxhero.messages import (
    MINUTE,
    SECOND,
    Bars,
    Cancel,
    Cid,
    Micros,
    Model,
    Nanos,
    Order,
    Quality,
    Quote,
    Role,
    Says,
    Shares,
    Side,
    Trade,
    Type,
    Update,
)

DAYS = nyse().between(date(2024, 3, 26), date(2024, 4, 3))  # 29 March was Good Friday
FIRST = DAYS[0].index
T = Nanos(DAYS[0].open + 1800 * SECOND)
CASH = 100_000_000_000
FEE = Micros(5_000)
BORROW = 0.003
PARAMS = parameters(Config(), Model.BAR)
SLOTS = 2
MODELS: list[type[Venue]] = [BarVenue, QuoteVenue]


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def cid(n: int) -> Cid:
    return Cid(f"fh-test-0-{n}-0")


def order(n: int, role: Role, side: Side, qty: int = 100, stop: float = 0.0, slot: int = 0) -> Order:
    kind = Type.STOP if role is Role.STOP else Type.MARKET
    return Order(
        cid=cid(n), ts=T, slot=slot, role=role, side=side, type=kind, qty=Shares(qty), stop=usd(stop), volume=5e4
    )


def short(n: int = 1, stop: float = 102.0, qty: int = 100, slot: int = 0) -> Order:
    """An entry with the stop that it carries in `bar`."""
    return msgspec.structs.replace(order(n, Role.ENTRY, Side.SELL, qty, stop, slot), stop_cid=cid(n + 1))


def cover(n: int = 3, qty: int = 100, slot: int = 0) -> Order:
    return order(n, Role.EXIT, Side.BUY, qty, slot=slot)


def guard(n: int = 2, stop: float = 102.0, qty: int = 100, slot: int = 0) -> Order:
    return order(n, Role.STOP, Side.BUY, qty, stop, slot)


def bar_venue(snapshot: Snapshot | None = None) -> BarVenue:
    return BarVenue(snapshot or Snapshot(cash=CASH), FEE, BORROW, nyse().at, PARAMS)


def quote_venue(snapshot: Snapshot | None = None) -> QuoteVenue:
    return QuoteVenue(snapshot or Snapshot(cash=CASH), FEE, BORROW, nyse().at)


def venue(kind: type[Venue], snapshot: Snapshot) -> Venue:
    return bar_venue(snapshot) if kind is BarVenue else quote_venue(snapshot)


def start(minute: int, day: int = 0) -> Nanos:
    return Nanos(DAYS[day].open + (30 + minute) * MINUTE)


def end(minute: int, day: int = 0) -> Nanos:
    return Nanos(start(minute, day) + MINUTE)


Candle = tuple[float, float, float]  # open, high, close


def bars(minute: int, *candles: Candle | None, day: int = 0, quality: Quality = Quality.FULL) -> Bars:
    made = np.zeros(SLOTS, BAR)
    for slot, candle in enumerate(candles):
        if candle is not None:
            opens, high, close = candle
            low = min(opens, close) - 1.0
            for name, value in (
                ("ts", start(minute, day)), ("open", opens), ("high", high), ("low", low), ("close", close),
                ("session", DAYS[day].index if quality == Quality.FULL else -1), ("quality", quality),
            ):  # fmt: skip
                made[name][slot] = value
    return Bars(index=0, ts=end(minute, day), bars=made)


def quote(ts: int, bid: float, ask: float, bids: int = 1000, asks: int = 1000, slot: int = 0) -> Quote:
    return Quote(
        index=0, ts=Nanos(ts), slot=slot, bid=usd(bid), ask=usd(ask), bid_size=Shares(bids), ask_size=Shares(asks)
    )


def trade(ts: int, price: float, slot: int = 0) -> Trade:
    return Trade(index=0, ts=Nanos(ts), slot=slot, price=price, size=Shares(1))


def said(seq: int, ts: Nanos, n: int, says: Says, reason: str = "") -> Update:
    return Update(seq=seq, ts=ts, cid=cid(n), says=says, reason=reason)


def filled(
    seq: int, ts: Nanos, n: int, execution: int, price: float, qty: int = 100, at: Nanos | None = None,
    before: int = 0,
) -> Update:  # fmt: skip
    return Update(
        seq=seq, ts=ts, cid=cid(n), says=Says.FILL, exec_id=f"x{execution}", at=at or ts, price=usd(price),
        qty=Shares(qty), fee=Micros(qty * FEE), filled=Shares(before + qty),
    )  # fmt: skip


def charged(seq: int, ts: Nanos, session: int, price: float, fee: int, qty: int = 100, slot: int = 0) -> Update:
    return Update(
        seq=seq, ts=ts, cid=Cid(f"borrow-{slot}-{session}"), says=Says.CHARGED, price=usd(price), qty=Shares(qty),
        fee=Micros(fee), slot=slot,
    )  # fmt: skip


def sold_in_bars() -> BarVenue:
    """100 sold short at 99.99, stop at 102; three updates so far."""
    v = bar_venue()
    v.order(short(), T)
    assert v.event(bars(0, (100.0, 101.0, 100.0))) == [
        filled(2, end(0), 1, 1, 99.99, at=start(0)),
        said(3, end(0), 2, Says.ACCEPTED),
    ]
    return v


def sold_to_quotes(last: float = 100.0) -> QuoteVenue:
    """100 sold short at 100, stop at 102, the last trade at `last`; three updates so far."""
    v = quote_venue()
    v.event(quote(T, 100.0, 100.1))
    assert v.order(short(), T)[1:] == [filled(2, T, 1, 1, 100.0)]
    v.order(guard(), T)
    v.event(trade(T + SECOND, last))
    return v


# -- in bars


def test_a_short_sells_at_the_open_and_its_stop_buys_at_its_price_within_the_same_bar() -> None:
    v = bar_venue()
    v.order(short(), T)
    assert v.event(bars(0, (100.0, 102.0, 100.0))) == [
        filled(2, end(0), 1, 1, 99.99, at=start(0)),
        said(3, end(0), 2, Says.ACCEPTED),
        filled(4, end(0), 2, 2, 102.0102, at=start(0)),
    ]
    assert (v.positions, v.resting, v.shorts) == ({}, {}, {})
    assert v.cash == CASH + 100 * usd(99.99) - 100 * usd(102.0102) - 200 * FEE


@pytest.mark.parametrize("opens", [102.0, 103.0])
def test_a_short_that_opens_at_or_through_its_stop_is_rejected_and_its_stop_canceled(opens: float) -> None:
    v = bar_venue()
    v.order(short(), T)
    assert v.event(bars(0, (opens, 110.0, 100.0))) == [
        said(2, end(0), 1, Says.REJECTED, f"gapped through the stop: open {opens:g}, stop 102"),
        said(3, end(0), 2, Says.CANCELED, "its entry did not fill"),
    ]
    assert v.snapshot() == Snapshot(cash=CASH, seq=3)


def test_a_buy_stop_is_not_touched_under_it_and_buys_at_it_once_the_high_is_there() -> None:
    v = sold_in_bars()
    assert v.event(bars(1, (101.0, 101.99, 101.0))) == []
    assert v.event(bars(2, (101.0, 102.0, 101.0))) == [filled(4, end(2), 2, 2, 102.0102, at=start(2))]


def test_an_open_beyond_a_buy_stop_buys_at_the_open() -> None:
    assert sold_in_bars().event(bars(1, (105.0, 106.0, 105.0))) == [filled(4, end(1), 2, 2, 105.0105, at=start(1))]


def test_buying_back_clears_the_stop_which_the_bar_would_have_hit() -> None:
    v = sold_in_bars()
    assert v.order(cover(), end(0)) == [said(4, end(0), 3, Says.ACCEPTED)]
    assert v.event(bars(1, (99.0, 110.0, 99.0))) == [
        filled(5, end(1), 3, 2, 99.0099, at=start(1)),
        said(6, end(1), 2, Says.CANCELED, "the position is closed"),
    ]
    assert (v.positions, v.resting) == ({}, {})


def test_a_short_that_is_refused_takes_its_stop_with_it() -> None:
    v = bar_venue(Snapshot(cash=CASH, positions={0: 100}))
    assert v.order(short(), T) == [
        said(1, T, 1, Says.REJECTED, "100 shares are held or sought on the other side: close them first"),
        said(2, T, 2, Says.CANCELED, "its entry did not fill"),
    ]
    assert v.resting == {}


# -- against quotes


def test_a_short_sells_at_the_bid_and_is_bought_back_at_the_ask() -> None:
    v = quote_venue()
    v.event(quote(T, 99.0, 100.0))
    assert v.order(short(), T) == [said(1, T, 1, Says.ACCEPTED), filled(2, T, 1, 1, 99.0)]
    assert (v.cash, v.positions) == (CASH + 100 * usd(99) - 100 * FEE, {0: -100})
    assert v.order(cover(), T)[1:] == [filled(4, T, 3, 2, 100.0)]
    assert (v.cash, v.positions, v.shorts) == (CASH - 100 * usd(1) - 200 * FEE, {}, {})


@pytest.mark.parametrize("price", [102.0, 103.0])
def test_a_trade_at_or_through_a_buy_stop_makes_it_a_market_order(price: float) -> None:
    v = sold_to_quotes()
    v.event(quote(T + 2 * SECOND, 102.4, 102.5, asks=60))
    assert v.event(trade(T + 3 * SECOND, 101.99)) == []
    first = msgspec.structs.replace(filled(4, Nanos(T + 4 * SECOND), 2, 2, 102.5, 60), says=Says.PARTIAL_FILL)
    assert v.event(trade(T + 4 * SECOND, price)) == [first]
    assert v.event(quote(T + 5 * SECOND, 100.0, 100.1)) == [
        filled(5, Nanos(T + 5 * SECOND), 2, 3, 100.1, 40, before=60)
    ]
    assert (v.positions, v.shorts) == ({}, {})


def test_a_trade_far_under_a_buy_stop_triggers_nothing() -> None:
    v = sold_to_quotes()
    assert v.event(trade(T + 2 * SECOND, 1.0)) == []
    assert v.positions == {0: -100}


# -- what is refused


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("held", [0, 1, 99, 250])
def test_nothing_is_bought_back_that_was_not_sold(kind: type[Venue], held: int) -> None:
    """Nor is a long position left by buying, or a short one by selling."""
    for side in Side:
        for position in {held, -held}:
            for role in (Role.EXIT, Role.STOP):
                v = venue(kind, Snapshot(cash=CASH, positions={0: position} if position else {}))
                update, *_ = v.order(order(1, role, side, stop=100.0), T)
                free = max(0, -side * position)
                reason = f"insufficient qty: asked 100, free {free}"
                verdict = (Says.ACCEPTED, "") if free >= 100 else (Says.REJECTED, reason)
                assert (update.says, update.reason) == verdict


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("held", [-100, 100])
def test_an_entry_never_crosses_from_long_to_short_or_back(kind: type[Venue], held: int) -> None:
    for side in Side:
        for qty in (50, 100, 150):
            v = venue(kind, Snapshot(cash=CASH, positions={0: held}))
            update, *_ = v.order(order(1, Role.ENTRY, side, qty), T)
            verdict = (Says.ACCEPTED, "")
            if side * held < 0:
                verdict = Says.REJECTED, "100 shares are held or sought on the other side: close them first"
            assert (update.says, update.reason) == verdict


@pytest.mark.parametrize("kind", MODELS)
def test_an_entry_waits_for_no_entry_on_the_other_side(kind: type[Venue]) -> None:
    """Whichever filled first, the other would close it, and what is left of it cross."""
    v = venue(kind, Snapshot(cash=CASH))
    v.order(order(1, Role.ENTRY, Side.BUY, 70), T)
    reason = "70 shares are held or sought on the other side: close them first"
    assert v.order(order(2, Role.ENTRY, Side.SELL), T) == [said(2, T, 2, Says.REJECTED, reason)]
    assert v.order(order(3, Role.ENTRY, Side.SELL, slot=1), T) == [said(3, T, 3, Says.ACCEPTED)]


def test_a_second_cover_finds_nothing_free() -> None:
    v = sold_in_bars()
    v.order(cover(), end(0))
    assert v.order(cover(7), end(0)) == [said(5, end(0), 7, Says.REJECTED, "insufficient qty: asked 100, free 0")]
    w = sold_to_quotes()
    assert w.order(cover(), T) == [said(4, T, 3, Says.REJECTED, "insufficient qty: asked 100, free 0")]


# -- what a night costs


def test_in_bars_the_first_bar_of_a_later_session_charges_the_last_full_close() -> None:
    v = sold_in_bars()
    v.event(bars(1, (100.0, 101.0, 100.5)))
    v.event(bars(2, (100.0, 101.0, 90.0), quality=Quality.EXTENDED))
    cash = v.cash
    later = bars(0, (100.0, 101.0, 100.0), day=1)
    fee = 119_643  # 100.5 x 100 x 0.003 / 252 is 0.119642857 USD
    assert v.event(later) == [charged(4, later.ts, FIRST, 100.5, fee)]
    assert v.cash == cash - fee
    assert v.event(bars(1, (100.0, 101.0, 100.0), day=1)) == []


def test_what_fills_or_stops_in_that_bar_is_charged_before_and_what_opens_then_is_not() -> None:
    v = sold_in_bars()
    v.order(short(5, slot=1), end(0))
    later = bars(0, (105.0, 106.0, 105.0), (100.0, 101.0, 100.0), day=1)
    assert v.event(later) == [
        charged(4 + 1, later.ts, FIRST, 100.0, 119_048),
        filled(6, later.ts, 2, 2, 105.0105, at=start(0, 1)),
        filled(7, later.ts, 5, 3, 99.99, at=start(0, 1)),
        said(8, later.ts, 6, Says.ACCEPTED),
    ]


def test_every_session_that_a_short_was_held_over_costs_though_nothing_was_seen_of_it() -> None:
    """From 26 March to 2 April there are 26, 27, 28 March and 1 April."""
    v = sold_in_bars()
    later = bars(0, None, (50.0, 51.0, 50.0), day=4)
    assert [(u.cid, u.fee) for u in v.event(later)] == [(f"borrow-0-{FIRST + n}", 119_048) for n in range(4)]
    assert v.event(bars(1, (100.0, 101.0, 100.0), day=4)) == []


def test_several_shorts_are_charged_in_config_order_and_a_long_position_is_not() -> None:
    v = bar_venue()
    v.order(short(1, slot=1), T)
    v.event(bars(0, (80.0, 80.5, 80.0), (100.0, 101.0, 100.0)))
    v.order(short(3, slot=0, stop=90.0, qty=300), T)
    v.event(bars(1, (80.0, 80.5, 80.0), (100.0, 101.0, 100.0)))
    later = bars(0, (80.0, 80.5, 80.0), (100.0, 101.0, 100.0), day=1)
    assert v.event(later) == [
        charged(7, later.ts, FIRST, 80.0, 285_714, 300, 0),
        charged(8, later.ts, FIRST, 100.0, 119_048, 100, 1),
    ]
    w = bar_venue()
    w.order(order(1, Role.ENTRY, Side.BUY), T)
    w.event(bars(0, (100.0, 101.0, 100.0)))
    assert (w.positions, w.event(bars(0, (100.0, 101.0, 100.0), day=1))) == ({0: 100}, [])


def test_a_short_without_any_order_is_charged_too() -> None:
    v = sold_in_bars()
    v.cancel(Cancel(cid=cid(2), ts=T), end(0))
    assert v.resting == {}
    later = bars(0, None, (50.0, 51.0, 50.0), day=1)
    assert v.event(later) == [charged(5, later.ts, FIRST, 100.0, 119_048)]


def test_what_was_bought_back_before_the_close_costs_nothing() -> None:
    v = sold_in_bars()
    v.order(cover(), end(0))
    v.event(bars(1, (99.0, 99.5, 99.0)))
    assert v.event(bars(0, (99.0, 99.5, 99.0), day=1)) == []


@pytest.mark.parametrize("first", [quote(DAYS[1].open, 99.0, 99.5, slot=1), trade(DAYS[1].open, 99.0, slot=1)])
def test_with_quotes_the_first_event_of_a_later_session_charges_the_last_regular_trade(first: Quote | Trade) -> None:
    v = sold_to_quotes(last=100.5)
    late: list[Quote | Trade] = [
        trade(T + 2 * SECOND, 90.0, slot=1), quote(T + 3 * SECOND, 90.0, 90.1), trade(DAYS[0].close, 90.0),
        quote(DAYS[0].close, 90.0, 90.1), trade(DAYS[1].open - 1, 90.0),
    ]  # fmt: skip
    assert [u for e in late for u in v.event(e)] == []
    cash = v.cash
    assert v.event(first) == [charged(4, first.ts, FIRST, 100.5, 119_643)]
    assert v.cash == cash - 119_643
    assert v.event(quote(DAYS[1].open + SECOND, 100.0, 100.1)) == []


def test_with_quotes_a_short_without_a_trade_since_is_charged_on_what_it_was_sold_for() -> None:
    v = quote_venue()
    v.event(quote(T, 100.0, 100.1))
    v.order(short(), T)
    assert v.event(quote(DAYS[2].open, 1.0, 1.1)) == [
        charged(n + 3, DAYS[2].open, FIRST + n, 100.0, 119_048) for n in range(2)
    ]


@pytest.mark.parametrize("cut", range(6))
@pytest.mark.parametrize("kind", MODELS)
def test_a_venue_made_from_a_snapshot_charges_as_the_first_would_have(kind: type[Venue], cut: int) -> None:
    candle = (100.0, 101.0, 100.5)
    events: dict[type[Venue], Sequence[Bars | Quote | Trade]] = {
        BarVenue: [bars(0, candle), bars(1, candle), bars(0, None, candle, day=1), bars(1, candle, day=1)],
        QuoteVenue: [
            quote(T, 100.0, 100.1), trade(T + SECOND, 100.5), quote(DAYS[1].open, 1.0, 1.1, slot=1),
            trade(DAYS[1].open + SECOND, 101.0),
        ],
    }  # fmt: skip
    last = bars(0, candle, day=2) if kind is BarVenue else quote(DAYS[2].open, 100.0, 100.1)

    def step(v: Venue, n: int) -> list[Update]:
        return v.order(short(), T) if n == 0 else v.event([*events[kind], last][n - 1])

    whole, first = venue(kind, Snapshot(cash=CASH)), venue(kind, Snapshot(cash=CASH))
    one = [step(whole, n) for n in range(6)]
    other = [step(first, n) for n in range(cut)]
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot()), type=Snapshot)
    second = venue(kind, kept)
    other += [step(second, n) for n in range(cut, 6)]
    assert (other, second.snapshot()) == (one, whole.snapshot())
    assert [u.cid for updates in one for u in updates if u.says is Says.CHARGED] == [
        f"borrow-0-{FIRST}", f"borrow-0-{FIRST + 1}",
    ]  # fmt: skip
