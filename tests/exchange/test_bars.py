"""The `bar` model by hand. Slippage 0.01 % a side (0.06 % for a crowd), commission 0.005 USD a share."""

import msgspec
import numpy as np
import pytest

from fluxhero.config import Config
from fluxhero.core.calendar import nyse
from fluxhero.core.terms import parameters
from fluxhero.exchange.bars import BarVenue
from fluxhero.exchange.matching import Snapshot, Working
from fluxhero.kernel.state import BAR
from fluxhero.messages import (
    MINUTE,
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
    Type,
    Update,
)

T = Nanos(1_711_461_600_000_000_000)  # 2024-03-26 10:00 in New York
CASH = 100_000_000_000
FEE = Micros(5_000)
PARAMS = parameters(Config(), Model.BAR)
SLOTS = 3
FIELDS = ("ts", "open", "high", "low", "close", "volume", "session", "left", "quality")


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def venue(snapshot: Snapshot | None = None) -> BarVenue:
    return BarVenue(snapshot or Snapshot(cash=CASH), FEE, 0.0, nyse().at, PARAMS)


def end(n: int) -> Nanos:
    return Nanos(T + (n + 1) * MINUTE)


def start(n: int) -> Nanos:
    return Nanos(T + n * MINUTE)


def bars(n: int, *candles: tuple[float, float] | None, quality: Quality = Quality.FULL) -> Bars:
    """Of minute n, (open, low) by slot."""
    made = np.zeros(SLOTS, BAR)
    for slot, candle in enumerate(candles):
        if candle is not None:
            opens, low = candle
            bar = (start(n), opens, opens + 1, low, low, 1e4, 0, 100, quality)
            for name, value in zip(FIELDS, bar, strict=True):
                made[name][slot] = value
    return Bars(index=n, ts=end(n), bars=made)


def cid(n: int) -> Cid:
    return Cid(f"fh-test-0-{n}-0")


def buy(n: int = 1, qty: int = 100, stop: float = 98.0, slot: int = 0, ts: Nanos = T, volume: float = 5e4) -> Order:
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=Role.ENTRY, side=Side.BUY, type=Type.MARKET, qty=Shares(qty),
        mark=usd(100), stop=usd(stop), stop_cid=cid(n + 1), volume=volume, mode=1,
    )  # fmt: skip


def sell(n: int = 3, qty: int = 100, slot: int = 0, ts: Nanos = T) -> Order:
    return Order(
        cid=cid(n), ts=ts, slot=slot, role=Role.EXIT, side=Side.SELL, type=Type.MARKET, qty=Shares(qty), volume=5e4,
        mode=1,
    )  # fmt: skip


def guard(n: int = 4, qty: int = 100, stop: float = 99.0, slot: int = 0, replaces: int | None = None) -> Order:
    return Order(
        cid=cid(n), ts=T, slot=slot, role=Role.STOP, side=Side.SELL, type=Type.STOP, qty=Shares(qty), stop=usd(stop),
        replaces=cid(replaces) if replaces else None, volume=5e4, mode=1,
    )  # fmt: skip


def said(seq: int, ts: Nanos, n: int, says: Says, reason: str = "") -> Update:
    return Update(seq=seq, ts=ts, cid=cid(n), says=says, reason=reason)


def filled(seq: int, minute: int, n: int, execution: int, price: float, qty: int = 100) -> Update:
    return Update(
        seq=seq, ts=end(minute), cid=cid(n), says=Says.FILL, exec_id=f"x{execution}", at=start(minute),
        price=usd(price), qty=Shares(qty), fee=Micros(qty * FEE), filled=Shares(qty),
    )  # fmt: skip


def holding() -> BarVenue:
    """100 shares bought at 100.01, stop at 98; four updates so far."""
    v = venue()
    v.order(buy(), T)
    v.event(bars(0, (100.0, 99.0)))
    assert (v.positions, list(v.resting)) == ({0: 100}, [cid(2)])
    return v


def test_a_market_order_is_accepted_and_fills_whole_at_the_next_open() -> None:
    v = venue()
    assert v.order(buy(), T) == [said(1, T, 1, Says.ACCEPTED)]
    assert v.event(bars(0, (100.0, 99.0))) == [filled(2, 0, 1, 1, 100.01), said(3, end(0), 2, Says.ACCEPTED)]
    assert (v.cash, v.positions) == (CASH - 100 * usd(100.01) - 100 * FEE, {0: 100})


def test_an_order_that_is_a_crowd_pays_more() -> None:
    for volume, price in ((1000.0, 100.01), (999.0, 100.06)):
        v = venue()
        v.order(buy(volume=volume), T)
        assert v.event(bars(0, (100.0, 99.0)))[0] == filled(2, 0, 1, 1, price)


@pytest.mark.parametrize("opens", [98.0, 97.5])
def test_an_entry_that_opens_at_or_through_its_stop_is_rejected_and_its_stop_canceled(opens: float) -> None:
    v = venue()
    v.order(buy(), T)
    assert v.event(bars(0, (opens, 90.0))) == [
        said(2, end(0), 1, Says.REJECTED, f"gapped through the stop: open {opens:g}, stop 98"),
        said(3, end(0), 2, Says.CANCELED, "its entry did not fill"),
    ]
    assert v.snapshot() == Snapshot(cash=CASH, seq=3)


def test_the_stop_is_armed_with_the_fill_and_may_sell_within_the_same_bar() -> None:
    v = venue()
    v.order(buy(), T)
    assert v.event(bars(0, (100.0, 98.0))) == [
        filled(2, 0, 1, 1, 100.01),
        said(3, end(0), 2, Says.ACCEPTED),
        filled(4, 0, 2, 2, 97.9902),
    ]
    assert (v.positions, v.resting) == ({}, {})
    assert v.cash == CASH - 100 * usd(100.01) + 100 * usd(97.9902) - 200 * FEE


def test_a_stop_is_not_touched_above_it_and_sells_at_it_once_the_low_is_there() -> None:
    v = holding()
    assert v.event(bars(1, (99.0, 98.01))) == []
    assert v.event(bars(2, (99.0, 98.0))) == [filled(4, 2, 2, 2, 97.9902)]


def test_an_open_beyond_the_stop_sells_at_the_open() -> None:
    assert holding().event(bars(1, (95.0, 94.0))) == [filled(4, 1, 2, 2, 94.9905)]


def test_the_exit_sells_at_the_open_and_clears_the_stop_which_the_bar_would_have_hit() -> None:
    v = holding()
    assert v.order(sell(), end(0)) == [said(4, end(0), 3, Says.ACCEPTED)]
    assert v.event(bars(1, (99.0, 90.0))) == [
        filled(5, 1, 3, 2, 98.9901),
        said(6, end(1), 2, Says.CANCELED, "the position is closed"),
    ]
    assert (v.positions, v.resting) == ({}, {})


def test_a_symbol_without_a_bar_does_not_move() -> None:
    v = venue()
    v.order(buy(), T)
    v.order(buy(5, slot=1), T)
    assert v.event(bars(0, None, (100.0, 99.0), (1.0, 1.0)))[0].cid == cid(5)
    assert (v.positions, list(v.resting)) == ({1: 100}, [cid(1), cid(2), cid(6)])
    assert v.event(bars(1, (100.0, 99.0), None)) == [filled(5, 1, 1, 2, 100.01), said(6, end(1), 2, Says.ACCEPTED)]


@pytest.mark.parametrize("quality", [Quality.EXTENDED, Quality.PARTIAL, Quality.NONE])
def test_bars_that_are_not_full_fill_nothing(quality: Quality) -> None:
    v = holding()
    v.order(sell(), end(0))
    assert v.event(bars(1, (90.0, 80.0), quality=quality)) == []
    assert v.positions == {0: 100}


def test_symbols_go_in_config_order_whatever_the_order_of_the_orders() -> None:
    v = venue()
    for n, slot in ((1, 2), (3, 0), (5, 1)):
        v.order(buy(n, slot=slot), T)
    said_of = [(u.cid, u.says) for u in v.event(bars(0, (100.0, 99.0), (100.0, 90.0), (90.0, 80.0)))]
    assert said_of == [
        (cid(3), Says.FILL), (cid(4), Says.ACCEPTED),
        (cid(5), Says.FILL), (cid(6), Says.ACCEPTED), (cid(6), Says.FILL),
        (cid(1), Says.REJECTED), (cid(2), Says.CANCELED),
    ]  # fmt: skip


def test_an_entry_that_is_canceled_takes_its_stop_with_it() -> None:
    v = venue()
    v.order(buy(), T)
    assert v.cancel(Cancel(cid=cid(1), ts=T), T) == [
        said(2, T, 1, Says.CANCELED, "canceled"), said(3, T, 2, Says.CANCELED, "its entry did not fill"),
    ]  # fmt: skip
    assert v.event(bars(0, (100.0, 90.0))) == []


def test_a_carried_stop_cannot_be_canceled_before_it_is_armed() -> None:
    v = venue()
    v.order(buy(), T)
    assert v.cancel(Cancel(cid=cid(2), ts=T), T) == [said(2, T, 2, Says.CANCEL_REJECTED, "the order is not open")]
    assert v.event(bars(0, (100.0, 99.0))) == [filled(3, 0, 1, 1, 100.01), said(4, end(0), 2, Says.ACCEPTED)]


def test_what_is_not_open_cannot_be_canceled() -> None:
    v = venue()
    assert v.cancel(Cancel(cid=cid(9), ts=T), T) == [said(1, T, 9, Says.CANCEL_REJECTED, "the order is not open")]


def test_a_stop_moves_by_replacement_and_the_new_one_counts_from_the_next_bar() -> None:
    v = holding()
    assert v.order(guard(replaces=2), end(0)) == [
        said(4, end(0), 2, Says.REPLACED), said(5, end(0), 4, Says.ACCEPTED),
    ]  # fmt: skip
    assert v.event(bars(1, (100.0, 98.5))) == [filled(6, 1, 4, 2, 98.9901)]


def test_a_stop_that_is_not_open_or_not_armed_cannot_be_replaced() -> None:
    v = venue()
    v.order(buy(), T)
    reason = "the order to be replaced is not open"
    assert v.order(guard(replaces=2), T) == [said(2, T, 4, Says.REJECTED, reason)]
    assert v.order(guard(n=5, replaces=77), T) == [said(3, T, 5, Says.REJECTED, reason)]


@pytest.mark.parametrize(("held", "free"), [(0, 0), (99, 99)])
def test_nothing_is_sold_that_is_not_held(held: int, free: int) -> None:
    v = venue(Snapshot(cash=CASH, positions={0: held} if held else {}))
    reason = f"insufficient qty: asked 100, free {free}"
    assert v.order(sell(), T) == [said(1, T, 3, Says.REJECTED, reason)]
    assert v.order(guard(), T) == [said(2, T, 4, Says.REJECTED, reason)]


def test_a_second_exit_finds_nothing_free() -> None:
    v = holding()
    v.order(sell(), end(0))
    assert v.order(sell(n=7), end(0)) == [said(5, end(0), 7, Says.REJECTED, "insufficient qty: asked 100, free 0")]


def test_quotes_mean_nothing_to_it() -> None:
    v = holding()
    q = Quote(index=0, ts=T, slot=0, bid=usd(1), ask=usd(2), bid_size=Shares(1), ask_size=Shares(1))
    assert v.event(q) == []


@pytest.mark.parametrize("cut", range(7))
def test_a_venue_made_from_a_snapshot_goes_on_as_the_first(cut: int) -> None:
    def step(v: BarVenue, n: int) -> list[Update]:
        return [
            lambda: v.order(buy(), T),
            lambda: v.event(bars(0, None, (1.0, 1.0))),
            lambda: v.event(bars(1, (100.0, 99.0))),
            lambda: v.order(guard(replaces=2), end(1)),
            lambda: v.order(sell(), end(1)),
            lambda: v.event(bars(2, None, (1.0, 1.0))),
            lambda: v.event(bars(3, (99.5, 90.0))),
        ][n]()

    whole, first = venue(), venue()
    one = [step(whole, n) for n in range(7)]
    other = [step(first, n) for n in range(cut)]
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(first.snapshot()), type=Snapshot)
    assert kept == first.snapshot()
    second = venue(kept)
    other += [step(second, n) for n in range(cut, 7)]
    assert other == one
    assert second.snapshot() == whole.snapshot()
    assert [u.seq for updates in one for u in updates] == list(range(1, 9))


def test_a_snapshot_holds_what_rests() -> None:
    carried = Order(
        cid=cid(2), ts=T, slot=0, role=Role.STOP, side=Side.SELL, type=Type.STOP, qty=Shares(100), stop=usd(98),
        carried=True, volume=5e4, mode=1,
    )  # fmt: skip
    v = venue()
    v.order(buy(), T)
    resting = [Working(order=buy()), Working(order=carried, armed=False)]
    assert v.snapshot() == Snapshot(cash=CASH, resting=resting, seq=1)
