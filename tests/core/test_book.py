import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxhero.core.book import Book, Position, RoundTrip
from fluxhero.messages import Micros, Nanos, Shares, Side

CASH = Micros(100_000_000_000)


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def fill(
    book: Book, side: Side, qty: int, price: float, fee: float = 0.0, ts: int = 1, slot: int = 0
) -> RoundTrip | None:
    return book.fill(slot, side, Shares(qty), usd(price), usd(fee), Nanos(ts))


def test_a_new_book_holds_its_cash_and_nothing_else() -> None:
    book = Book(CASH)
    assert (book.cash, book.positions, book.held(0)) == (CASH, {}, 0)


def test_a_buy_costs_its_price_and_its_fee() -> None:
    book = Book(CASH)
    assert fill(book, Side.BUY, 100, 50.25, fee=0.5, ts=7) is None
    assert book.cash == CASH - usd(5025.5)
    assert book.positions == {
        0: Position(qty=100, opened=7, bought=100, paid=usd(5025), received=0, fees=usd(0.5)),
    }
    assert (book.held(0), book.held(1)) == (100, 0)


def test_a_round_trip_has_averages_and_its_result_after_fees() -> None:
    book = Book(CASH)
    fill(book, Side.BUY, 100, 50.0, fee=0.5, ts=1)
    fill(book, Side.BUY, 50, 53.0, fee=0.25, ts=2)
    assert fill(book, Side.SELL, 30, 60.0, fee=0.15, ts=3) is None
    trip = fill(book, Side.SELL, 120, 55.0, fee=0.6, ts=4)
    assert trip == RoundTrip(
        qty=Shares(150), opened=Nanos(1), closed=Nanos(4), entry=usd(51), exit=usd(56), fees=usd(1.5),
        result=usd(8400 - 7650 - 1.5),
    )  # fmt: skip
    assert (book.positions, book.cash) == ({}, CASH + trip.result)


def test_a_position_opened_anew_knows_nothing_of_the_one_before() -> None:
    book = Book(CASH)
    fill(book, Side.BUY, 10, 50.0, fee=1, ts=1)
    fill(book, Side.SELL, 10, 40.0, fee=1, ts=2)
    fill(book, Side.BUY, 5, 30.0, fee=1, ts=3)
    assert book.positions == {0: Position(qty=5, opened=3, bought=5, paid=usd(150), received=0, fees=usd(1))}


def test_symbols_do_not_touch_each_other() -> None:
    book = Book(CASH)
    fill(book, Side.BUY, 10, 50.0, ts=1)
    fill(book, Side.BUY, 20, 70.0, ts=2, slot=1)
    assert fill(book, Side.SELL, 10, 51.0, ts=3) is not None
    assert book.positions == {1: Position(qty=20, opened=2, bought=20, paid=usd(1400))}


def test_a_short_is_opened_by_its_sales_and_closed_by_what_is_bought_back() -> None:
    book = Book(CASH)
    fill(book, Side.SELL, 100, 50.0, fee=0.5, ts=1)
    fill(book, Side.SELL, 50, 53.0, fee=0.25, ts=2)
    assert (book.held(0), book.cash) == (-150, CASH + usd(7650 - 0.75))
    assert fill(book, Side.BUY, 30, 60.0, fee=0.15, ts=3) is None
    trip = fill(book, Side.BUY, 120, 45.0, fee=0.6, ts=4)
    assert trip == RoundTrip(
        qty=Shares(-150), opened=Nanos(1), closed=Nanos(4), entry=usd(51), exit=usd(48), fees=usd(1.5),
        result=usd(7650 - 7200 - 1.5),
    )  # fmt: skip
    assert (book.positions, book.cash) == ({}, CASH + trip.result)


def test_what_a_position_costs_while_it_is_held_belongs_to_its_trade() -> None:
    book = Book(CASH)
    fill(book, Side.SELL, 100, 50.0, fee=0.5)
    book.charge(0, usd(0.06))
    assert (book.cash, book.positions[0].fees) == (CASH + usd(5000 - 0.56), usd(0.56))
    trip = fill(book, Side.BUY, 100, 50.0, fee=0.5)
    assert trip is not None
    assert (trip.fees, trip.result, book.cash) == (usd(1.06), -usd(1.06), CASH - usd(1.06))


TRADES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 10**5), st.integers(1, 10**10), st.integers(0, 10**6)), max_size=30
)


@given(buys=TRADES, order=st.randoms(use_true_random=False))
def test_sums_are_the_same_in_any_order(buys: list[tuple[int, int, int, int]], order: "st.DataObject") -> None:
    one, other = Book(CASH), Book(CASH)
    shuffled = list(buys)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    for book, trades in ((one, buys), (other, shuffled)):
        for slot, qty, price, fee in trades:
            book.fill(slot, Side.BUY, Shares(qty), Micros(price), Micros(fee), Nanos(1))
    assert (one.cash, one.positions) == (other.cash, other.positions)


@pytest.mark.parametrize("side", list(Side))
@given(parts=st.lists(st.tuples(st.integers(1, 999), st.integers(1, 10**9), st.integers(0, 10**6)), min_size=1))
def test_what_the_round_trips_earned_is_what_the_cash_gained(side: Side, parts: list[tuple[int, int, int]]) -> None:
    book, earned = Book(CASH), 0
    for qty, price, fee in parts:
        book.fill(0, side, Shares(qty), Micros(price), Micros(fee), Nanos(1))
        book.charge(0, Micros(fee // 3))
        trip = book.fill(0, Side(-side), Shares(qty), Micros(price + 7), Micros(fee), Nanos(2))
        assert trip is not None
        assert (trip.qty, trip.entry, trip.exit) == (side * qty, price, price + 7)
        earned += trip.result
    assert (book.cash, book.positions) == (CASH + earned, {})
