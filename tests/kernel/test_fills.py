"""Prices of the bar model, by hand. All results are whole micro-dollars."""

from fractions import Fraction

import numpy as np
import pytest

from fluxhero.kernel.compile import entry
from fluxhero.kernel.fills import YEAR, borrow_fee, open_fill, stop_fill
from fluxhero.kernel.money import micros, tick_down
from fluxhero.kernel.state import Array
from fluxhero.messages import micros as booked
from tests.kernel.drive import bars_of, rules

pytestmark = pytest.mark.nojit

RULES = rules()["rules"]  # slippage 0.01 %, 0.05 % more for over 10 % of the volume
BUY, SELL = 1, -1


def at_open(price: float, side: int, qty: int = 100, volume: float = 10_000.0, stop: int = 0) -> int:
    return open_fill(bars_of(np.array([price])), 0, side, qty, volume, stop, RULES)


def stopped(opens: float, low: float, stop: int, qty: int = 100, volume: float = 10_000.0) -> int:
    bars = bars_of(np.array([opens]))
    bars["low"] = low
    return stop_fill(bars, 0, SELL, qty, stop, volume, RULES)


def test_market_orders_fill_at_the_open_a_hundredth_of_a_per_cent_worse() -> None:
    assert at_open(50.0, BUY) == 50_005_000
    assert at_open(50.0, SELL) == 49_995_000
    assert at_open(521.23, BUY) == 521_282_123
    assert at_open(521.23, SELL) == 521_177_877


def test_micro_dollars_are_rounded_half_up() -> None:
    assert at_open(0.1234, BUY) == 123_412  # 123412.34
    assert at_open(0.1234, SELL) == 123_388  # 123387.66
    assert at_open(0.005, BUY) == 5_001  # 5000.5


@pytest.mark.parametrize(
    ("qty", "volume", "buy", "sell"),
    [
        (1000, 10_000.0, 50_005_000, 49_995_000),
        (1001, 10_000.0, 50_030_000, 49_970_000),
        (1000, 9_999.9, 50_030_000, 49_970_000),
        (1, 10.0, 50_005_000, 49_995_000),
        (1, 0.0, 50_030_000, 49_970_000),
    ],
)
def test_more_than_a_tenth_of_the_volume_moves_the_price(qty: int, volume: float, buy: int, sell: int) -> None:
    assert at_open(50.0, BUY, qty, volume) == buy
    assert at_open(50.0, SELL, qty, volume) == sell
    assert stopped(50.0, 50.0, 50_000_000, qty, volume) == sell


@pytest.mark.parametrize(
    ("stop", "price"), [(49_999_999, 50_005_000), (50_000_000, 0), (50_000_001, 0), (60_000_000, 0), (0, 50_005_000)]
)
def test_an_entry_that_opens_at_or_beyond_its_stop_is_not_filled(stop: int, price: int) -> None:
    assert at_open(50.0, BUY, stop=stop) == price


def test_an_exit_fills_wherever_it_opens() -> None:
    assert at_open(50.0, SELL, stop=60_000_000) == 49_995_000


@pytest.mark.parametrize(
    ("opens", "low", "price"),
    [
        (49.0, 48.01, 0),
        (49.0, 48.000001, 0),
        (49.0, 48.0, 47_995_200),
        (49.0, 40.0, 47_995_200),
        (48.000001, 48.0, 47_995_200),
        (48.0, 47.0, 47_995_200),
        (47.9, 47.0, 47_895_210),
        (30.0, 30.0, 29_997_000),
    ],
)
def test_a_stop_sells_at_the_open_beyond_it_or_where_it_is_touched_or_not_at_all(
    opens: float, low: float, price: int
) -> None:
    assert stopped(opens, low, 48_000_000) == price


@pytest.mark.parametrize(
    ("stop", "price"), [(50_000_001, 49_995_000), (50_000_000, 0), (49_999_999, 0), (1, 0), (0, 49_995_000)]
)
def test_a_short_that_opens_at_or_beyond_its_stop_is_not_filled(stop: int, price: int) -> None:
    assert at_open(50.0, SELL, stop=stop) == price


@pytest.mark.parametrize(
    ("opens", "high", "price"),
    [
        (47.0, 47.99, 0),
        (47.0, 47.999999, 0),
        (47.0, 48.0, 48_004_800),
        (47.0, 60.0, 48_004_800),
        (47.999999, 48.0, 48_004_800),
        (48.0, 49.0, 48_004_800),
        (48.1, 49.0, 48_104_810),
        (60.0, 60.0, 60_006_000),
    ],
)
def test_a_buy_stop_buys_at_the_open_beyond_it_or_where_it_is_touched_or_not_at_all(
    opens: float, high: float, price: int
) -> None:
    bars = bars_of(np.array([opens]))
    bars["high"], bars["low"] = high, 1.0
    assert stop_fill(bars, 0, BUY, 100, 48_000_000, 10_000.0, RULES) == price


def test_a_buy_stop_that_is_a_crowd_pays_more() -> None:
    bars = bars_of(np.array([50.0]))
    assert stop_fill(bars, 0, BUY, 1001, 50_000_000, 10_000.0, RULES) == 50_030_000


def test_borrowing_costs_its_share_of_a_year_for_every_session_rounded_half_up() -> None:
    assert borrow_fee(100_000_000, 100, 0.003) == 119_048  # 10,000 USD x 0.3 % / 252 is 0.1190476 USD
    assert borrow_fee(1, 42_000, 0.003) == 1  # half a micro-dollar
    assert borrow_fee(1, 41_999, 0.003) == 0
    assert (borrow_fee(100_000_000, 100, 0.0), borrow_fee(252_000_000, 10**10, 1.0)) == (0, 10**16)


def test_what_borrowing_costs_is_exact_whatever_the_value() -> None:
    rng = np.random.default_rng(7)
    for _ in range(2000):
        price, qty = int(10 ** rng.uniform(2, 11)), int(10 ** rng.uniform(0, 7))
        parts = int(10 ** rng.uniform(0, 6))
        exact = Fraction(price * qty * parts, 1_000_000 * YEAR)
        assert borrow_fee(price, qty, parts / 1e6) == int(exact + Fraction(1, 2))


def test_a_fill_is_of_its_own_symbols_bar() -> None:
    bars = bars_of(np.array([50.0, 80.0, 20.0]))
    assert [open_fill(bars, i, BUY, 1, 1e6, 0, RULES) for i in range(3)] == [50_005_000, 80_008_000, 20_002_000]
    assert [stop_fill(bars, i, SELL, 1, 48_000_000, 1e6, RULES) for i in range(3)] == [0, 0, 19_998_000]


# -- money


@entry
def _money(usd: Array, out: Array) -> None:
    for i in range(usd.size):
        out[i, 0] = micros(usd[i])
        out[i, 1] = tick_down(micros(usd[i]))


def money(usd: Array) -> list[list[int]]:
    out = np.zeros((len(usd), 2), np.int64)
    _money(usd, out)
    return [[int(x) for x in line] for line in out]


def test_sells_go_down_to_the_cent_and_under_a_dollar_to_the_hundredth_of_one() -> None:
    prices = [98.0925, 98.09, 1.0, 1.019999, 0.999999, 0.99995, 0.12345, 0.00009, 0.0, 0.1 + 0.2]
    assert money(np.array(prices)) == [
        [98_092_500, 98_090_000],
        [98_090_000, 98_090_000],
        [1_000_000, 1_000_000],
        [1_019_999, 1_010_000],
        [999_999, 999_900],
        [999_950, 999_900],
        [123_450, 123_400],
        [90, 0],
        [0, 0],
        [300_000, 300_000],
    ]


def test_the_kernel_rounds_as_the_book_does() -> None:
    rng = np.random.default_rng(7)
    usd = np.r_[rng.uniform(0, 1000, 5000), rng.integers(1, 10**9, 5000) / 1e6, rng.integers(1, 10**6, 5000) / 100]
    assert [m for m, _ in money(usd)] == [booked(x) for x in usd.tolist()]
