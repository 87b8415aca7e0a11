"""How many shares an entry is granted: the least of what the risk, the position's cap and the room left allow."""

import numpy as np
import pytest

from fluxhero.kernel.codes import LONG, OPEN, SHORT, SIZE, SLOTS, STOP
from fluxhero.kernel.risk import admitted
from fluxhero.kernel.state import Array
from fluxhero.messages import micros
from tests.accounts import blank, opened, rules

pytestmark = pytest.mark.nojit

Grant = tuple[int, int, int, int, int]  # gate, qty, by risk, by the cap, by the room
RULES = rules()


def funded(usd: float = 100_000.0, **state: float) -> Array:
    """An account with this equity."""
    a = opened(round(usd * 1e6))
    for name, value in state.items():
        a[name] = value
    return a


def ask(a: Array, price: float = 50.0, stop: float = 48.0, risk: float = 0.01, scale: float = 1.0) -> Grant:
    return of(a, micros(price), micros(stop), risk, scale)


def of(a: Array, price: int, stop: int, risk: float = 0.01, scale: float = 1.0) -> Grant:
    """A long entry, or a short one where the stop lies above, of a symbol of which nothing else is known."""
    side = SHORT if stop > price else LONG
    tapes, sides = blank(1), np.zeros(1, np.int64)
    said = admitted(a, tapes, sides, RULES["rules"], 0, side, 1, price, stop, risk, scale, False)
    return said.gate, said.qty, said.by_risk, said.by_cap, said.by_room


def test_a_hundred_thousand_at_fifty_over_forty_eight_is_four_hundred_shares() -> None:
    assert ask(funded()) == (OPEN, 400, 500, 400, 1000)


@pytest.mark.parametrize(
    ("price", "stop", "risk", "scale", "grant"),
    [
        (50.0, 47.5, 0.01, 1.0, (OPEN, 400, 400, 400, 1000)),
        (50.0, 46.0, 0.01, 1.0, (OPEN, 250, 250, 400, 1000)),
        (50.0, 48.0, 0.0075, 1.0, (OPEN, 375, 375, 400, 1000)),
        (50.0, 48.0, 0.0075, 0.7, (OPEN, 262, 375, 400, 1000)),  # 262.5 down
        (50.0, 49.99, 0.01, 1.0, (OPEN, 400, 100_000, 400, 1000)),
        (50.0, 0.01, 0.01, 1.0, (OPEN, 20, 20, 400, 1000)),  # 20.004
        (20_000.0, 19_500.0, 0.01, 1.0, (OPEN, 1, 2, 1, 2)),
        (20_000.01, 19_500.0, 0.01, 1.0, (SIZE, 0, 1, 0, 2)),  # the cap holds no whole share
        (5000.0, 3999.99, 0.01, 1.0, (SIZE, 0, 0, 4, 10)),
        (5000.0, 4000.0, 0.01, 1.0, (OPEN, 1, 1, 4, 10)),
        (0.5, 0.45, 0.01, 1.0, (OPEN, 20_000, 20_000, 40_000, 100_000)),
    ],
)
def test_sizes_round_down_and_the_least_wins(
    price: float, stop: float, risk: float, scale: float, grant: Grant
) -> None:
    assert ask(funded(), price, stop, risk, scale) == grant


@pytest.mark.parametrize(
    ("side", "stop"),
    [(LONG, 50.0), (LONG, 50.01), (LONG, 99.0), (LONG, 0.0), (SHORT, 50.0), (SHORT, 49.99), (SHORT, 0.0)],
)
def test_a_stop_that_is_not_on_the_losing_side_of_the_price_is_refused(side: int, stop: float) -> None:
    tapes, sides = blank(1), np.zeros(1, np.int64)
    said = admitted(funded(), tapes, sides, RULES["rules"], 0, side, 1, 50_000_000, micros(stop), 0.01, 1.0, False)
    assert said[:7] == (STOP, stop, 50.0, 0, 0, 0, 0)


@pytest.mark.parametrize("stop", [49_999_999, 50_000_001])
def test_a_stop_one_micro_from_the_price_is_none_that_the_sizer_refuses(stop: int) -> None:
    assert of(funded(), 50_000_000, stop) == (OPEN, 400, 1_000_000_000, 400, 1000)


def test_a_short_is_sized_like_a_long_with_as_far_a_stop() -> None:
    rng = np.random.default_rng(2)
    for _ in range(2000):
        price = int(rng.integers(10**5, 10**9))
        far, state = int(rng.integers(1, price)), {"deployed": int(rng.integers(0, 10**11)), "sizing": 0.5}
        assert of(funded(**state), price, price + far) == of(funded(**state), price, price - far)


@pytest.mark.parametrize(
    ("deployed", "grant"),
    [
        (49_950.0, (OPEN, 1, 500, 400, 1)),
        (49_950.000001, (SIZE, 0, 500, 400, 0)),
        (49_900.0, (OPEN, 2, 500, 400, 2)),
        (50_000.0, (SIZE, 0, 500, 400, 0)),
        (80_000.0, (SIZE, 0, 500, 400, 0)),
    ],
)
def test_half_of_equity_is_the_most_that_is_deployed(deployed: float, grant: Grant) -> None:
    assert ask(funded(deployed=micros(deployed), positions=3)) == grant


@pytest.mark.parametrize(
    ("positions", "grant"), [(4, (OPEN, 400, 500, 400, 1000)), (5, (SLOTS, 0, 0, 0, 0)), (6, (SLOTS, 0, 0, 0, 0))]
)
def test_five_positions_are_the_most(positions: int, grant: Grant) -> None:
    assert ask(funded(positions=positions)) == grant


def test_past_the_soft_drawdown_the_size_halves_whatever_bounds_it() -> None:
    assert ask(funded(sizing=0.5)) == (OPEN, 200, 500, 400, 1000)


@pytest.mark.parametrize("equity", [0.0, -0.000001, -100_000.0])
def test_no_equity_buys_nothing(equity: float) -> None:
    assert ask(funded(equity)) == (SIZE, 0, 0, 0, 0)


def test_a_grant_reserves_for_the_next_of_the_batch() -> None:
    a = funded()
    grants = [ask(a) for _ in range(4)]
    assert grants == [
        (OPEN, 400, 500, 400, 1000),
        (OPEN, 400, 500, 400, 600),
        (OPEN, 200, 500, 400, 200),
        (SIZE, 0, 500, 400, 0),
    ]
    assert (int(a["deployed"][0]), int(a["positions"][0])) == (50_000_000_000, 3)


def test_a_refusal_reserves_nothing() -> None:
    for a, stop in ((funded(), 50.0), (funded(positions=5), 52.0), (funded(deployed=50_000_000_000), 48.0)):
        before = a.tobytes()
        assert ask(a, stop=stop)[0] != OPEN
        assert a.tobytes() == before


def test_every_grant_keeps_all_three_limits_and_one_share_more_would_break_one() -> None:
    rng = np.random.default_rng(1)
    for _ in range(2000):
        equity, price = int(rng.integers(10**9, 10**12)), int(rng.integers(10**5, 10**9))
        stop, deployed = int(rng.integers(price // 2, price)), int(rng.integers(0, equity))
        gate, qty, *_ = of(funded(equity / 1e6, deployed=deployed), price, stop)

        def kept(n: int, equity: int = equity, price: int = price, stop: int = stop, deployed: int = deployed) -> bool:
            risked, cap, room = n * (price - stop) * 100 <= equity, n * price * 5, (n * price + deployed) * 2
            return risked and cap <= equity and room <= equity

        assert kept(qty) or qty == 0
        assert not kept(qty + 1)
        assert gate == (OPEN if qty else SIZE)
