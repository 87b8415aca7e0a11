"""Every cap of the sizer at its border: at the limit, one step beyond it, and where the numbers are none."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from fluxhero.kernel.codes import CROWDED, LONG, MODES, OPEN, SHORT, SHORTS, SIZE, SLOTS, STOP
from fluxhero.kernel.risk import admitted, closed, governed
from fluxhero.kernel.state import Array
from tests.accounts import blank, opened, rules, taped, together

pytestmark = pytest.mark.nojit

USD = 1_000_000
EQUITY = 100_000 * USD
NAN, INF = math.nan, math.inf
Said = tuple[int, float, float, int]  # gate, value, limit, qty


def said(
    price: int = 50 * USD, stop: int = 48 * USD, side: int = LONG, risk: float = 0.01, scale: float = 1.0,
    barred: bool = False, limits: dict[str, float] | None = None, **state: float,
) -> Said:  # fmt: skip
    """An entry of which nothing else is known, into 100,000 USD."""
    a = opened(EQUITY)
    for name, value in state.items():
        a[name] = value
    sides = np.zeros(1, np.int64)
    made = admitted(a, blank(1), sides, rules(limits=limits)["rules"], 0, side, 0, price, stop, risk, scale, barred)
    assert sides[0] == (side if made.gate == OPEN else 0)
    return made.gate, made.value, made.limit, made.qty


NONE = (SIZE, 0.0, 1.0, 0)
GRANTED = (OPEN, 0.0, 0.0, 400)

BORDERS: dict[str, tuple[Callable[[], Said], Said]] = {
    "by risk: exactly one share": (partial(said, 5000 * USD, 4000 * USD), (OPEN, 0.0, 0.0, 1)),
    "a cent more at stake": (partial(said, 5000 * USD, 3_999_990_000), NONE),
    "the same, short": (partial(said, 5000 * USD, 6000 * USD, SHORT), (OPEN, 0.0, 0.0, 1)),
    "a cent more, short": (partial(said, 5000 * USD, 6_000_010_000, SHORT), NONE),
    "by risk: as many as the position's cap": (partial(said, stop=47_500_000), GRANTED),
    "one share less": (partial(said, stop=47_500_000 - 6250), (OPEN, 0.0, 0.0, 399)),
    "by the position's cap: exactly one share": (partial(said, 20_000 * USD, 19_500 * USD), (OPEN, 0.0, 0.0, 1)),
    "a cent dearer": (partial(said, 20_000_010_000, 19_500 * USD), NONE),
    "by the room left: exactly one share": (partial(said, deployed=49_950 * USD), (OPEN, 0.0, 0.0, 1)),
    "a micro-dollar less of it": (partial(said, deployed=49_950 * USD + 1), NONE),
    "as much room as the position's cap": (partial(said, deployed=30_000 * USD), GRANTED),
    "a micro-dollar less than that": (partial(said, deployed=30_000 * USD + 1), (OPEN, 0.0, 0.0, 399)),
    "no room": (partial(said, deployed=50_000 * USD), NONE),
    "more deployed than may be": (partial(said, deployed=200_000 * USD), NONE),
    "four positions": (partial(said, positions=4), GRANTED),
    "five": (partial(said, positions=5), (SLOTS, 5.0, 5.0, 0)),
    "more than five": (partial(said, positions=9), (SLOTS, 9.0, 5.0, 0)),
    "no slot at all": (partial(said, limits={"slots": 0}), (SLOTS, 0.0, 0.0, 0)),
    "a stop a micro-dollar below": (partial(said, stop=50 * USD - 1), GRANTED),
    "a stop at the price": (partial(said, stop=50 * USD), (STOP, 50.0, 50.0, 0)),
    "a stop a micro-dollar above": (partial(said, stop=50 * USD + 1), (STOP, 50.000001, 50.0, 0)),
    "a stop far above": (partial(said, stop=52 * USD), (STOP, 52.0, 50.0, 0)),
    "no stop": (partial(said, stop=0), (STOP, 0.0, 50.0, 0)),
    "a stop below nothing": (partial(said, stop=-1), (STOP, -1e-6, 50.0, 0)),
    "the lowest stop there is": (partial(said, stop=1), (OPEN, 0.0, 0.0, 20)),
    "a short's stop a micro-dollar above": (partial(said, stop=50 * USD + 1, side=SHORT), GRANTED),
    "a short's stop at the price": (partial(said, stop=50 * USD, side=SHORT), (STOP, 50.0, 50.0, 0)),
    "a short's stop below": (partial(said, stop=50 * USD - 1, side=SHORT), (STOP, 49.999999, 50.0, 0)),
    "a short without a stop": (partial(said, stop=0, side=SHORT), (STOP, 0.0, 50.0, 0)),
    "a short, long only": (partial(said, stop=52 * USD, side=SHORT, limits={"shorts": 0}), (SHORTS, 0.0, 1.0, 0)),
    "a short of what nobody lends": (partial(said, stop=52 * USD, side=SHORT, barred=True), (SHORTS, 0.0, 1.0, 0)),
    "a long one of it": (partial(said, barred=True, limits={"shorts": 0}), GRANTED),
    "no short and no stop": (partial(said, stop=0, side=SHORT, barred=True), (SHORTS, 0.0, 1.0, 0)),
    "no stop and no slot": (partial(said, stop=0, positions=5), (STOP, 0.0, 50.0, 0)),
    "equity for one share": (partial(said, equity=250 * USD), (OPEN, 0.0, 0.0, 1)),
    "a micro-dollar less equity": (partial(said, equity=250 * USD - 1), NONE),
    "one micro-dollar of equity": (partial(said, equity=1), NONE),
    "no equity": (partial(said, equity=0), NONE),
    "less than none": (partial(said, equity=-1), NONE),
    "far less than none": (partial(said, equity=-EQUITY), NONE),
    "less than none, short": (partial(said, equity=-EQUITY, stop=52 * USD, side=SHORT), NONE),
    "less than none, and less deployed than that": (partial(said, equity=-EQUITY, deployed=-EQUITY), NONE),
    "the cap is zero": (partial(said, limits={"position_cap": 0.0}), NONE),
    "nothing may be deployed": (partial(said, limits={"deployed_cap": 0.0}), NONE),
    "no risk": (partial(said, risk=0.0), NONE),
    "less than none of it": (partial(said, risk=-0.01), NONE),
    "all of equity at risk": (partial(said, risk=1.0), GRANTED),
    "as much at risk as one trade may": (partial(said, stop=46 * USD), (OPEN, 0.0, 0.0, 250)),
    "a strategy that asks for more": (partial(said, stop=46 * USD, risk=0.0101), (OPEN, 0.0, 0.0, 250)),
    "for all of it": (partial(said, stop=46 * USD, risk=1.0), (OPEN, 0.0, 0.0, 250)),
    "for less": (partial(said, stop=46 * USD, risk=0.0099), (OPEN, 0.0, 0.0, 247)),
    "no trade may risk anything": (partial(said, limits={"trade_risk": 0.0}), NONE),
    "a scale of nothing": (partial(said, scale=0.0), NONE),
    "a scale below nothing": (partial(said, scale=-1.0), NONE),
    "a scale for exactly one share": (partial(said, scale=1 / 400), (OPEN, 0.0, 0.0, 1)),
    "for less than one": (partial(said, scale=0.99 / 400), NONE),
    "a scale a hair below one": (partial(said, scale=0.9999), (OPEN, 0.0, 0.0, 399)),
    "a scale beyond one": (partial(said, scale=1.5), GRANTED),
    "a scale without end": (partial(said, scale=INF), GRANTED),
    "an account's factor of nothing": (partial(said, sizing=0.0), NONE),
}  # fmt: skip


@pytest.mark.parametrize("what", BORDERS)
def test_every_cap_holds_at_its_border(what: str) -> None:
    asked, expected = BORDERS[what]
    assert asked() == expected


@pytest.mark.parametrize(
    "given",
    [
        {"risk": NAN}, {"risk": INF}, {"scale": NAN}, {"sizing": NAN}, {"limits": {"position_cap": NAN}},
        {"limits": {"deployed_cap": NAN}},
    ],
)  # fmt: skip
def test_what_is_no_number_buys_nothing(given: dict[str, float]) -> None:
    assert said(**given) == NONE  # type: ignore[arg-type]


def test_a_grant_takes_its_worth_and_its_slot_and_a_refusal_neither() -> None:
    for deployed, taken in ((0, (20_000 * USD, 3)), (49_900 * USD, (50_000 * USD, 3)), (50_000 * USD, None)):
        a = opened(EQUITY)
        a["deployed"], a["positions"] = deployed, 2
        admitted(a, blank(1), np.zeros(1, np.int64), rules()["rules"], 0, LONG, 0, 50 * USD, 48 * USD, 0.01, 1.0, False)
        assert (int(a["deployed"][0]), int(a["positions"][0])) == (taken or (deployed, 2))


# -- company


def beside(
    held: int, correlation: float, tapes: Array | None = None, among: int = 0, **limits: float
) -> tuple[int, int, float]:
    """(gate, qty, factor for the company) of an entry beside so many positions that move as it does."""
    sides = np.array([0] + [0] * (among - held - 1) + [LONG] * held, np.int64)
    a = opened(EQUITY)
    a["positions"] = held
    tapes = taped(together(correlation, (1,) * (held + 1))) if tapes is None else tapes
    made = admitted(
        a, tapes, sides, rules(limits=limits)["rules"], 0, LONG, 0, 50 * USD, 48 * USD, 0.01, 1.0, False
    )  # fmt: skip
    return made.gate, made.qty, made.company


@pytest.mark.parametrize(
    ("held", "correlation", "expected"),
    [
        (0, 0.9, (OPEN, 400, 1.0)),
        (1, 0.699, (OPEN, 400, 1.0)),
        (1, 0.701, (OPEN, 200, 0.5)),
        (2, 0.95, (OPEN, 200, 0.5)),  # two and the new one are no crowd yet
        (3, 0.699, (OPEN, 400, 1.0)),
        (3, 0.701, (OPEN, 200, 0.5)),
        (3, 0.799, (OPEN, 200, 0.5)),
        (3, 0.801, (CROWDED, 0, 1.0)),
        (4, 0.801, (CROWDED, 0, 1.0)),
        (5, 0.0, (SLOTS, 0, 1.0)),
    ],
)
def test_who_moves_alike_is_halved_and_a_crowd_is_refused(
    held: int, correlation: float, expected: tuple[int, int, float]
) -> None:
    assert beside(held, correlation) == expected


def test_at_the_limits_of_company_themselves_nothing_is_halved_and_nothing_refused() -> None:
    tapes = taped(together(1.0, (1,) * 4))
    tapes["close"][1:] = tapes["close"][0]  # exactly 1
    assert beside(3, 1.0, tapes, crowded=1.0, correlated=1.0) == (OPEN, 400, 1.0)
    assert beside(3, 1.0, tapes, crowded=0.999, correlated=1.0) == (CROWDED, 0, 1.0)
    assert beside(3, 1.0, tapes, crowded=1.0, correlated=0.999) == (OPEN, 200, 0.5)


def test_who_has_no_past_has_no_company() -> None:
    assert beside(3, 0.0, blank(4)) == (OPEN, 400, 1.0)


def test_two_may_be_a_crowd_where_that_is_said() -> None:
    assert beside(1, 0.801, crowded_slots=1) == (CROWDED, 0, 1.0)
    assert beside(1, 0.801, crowded_slots=2) == (OPEN, 200, 0.5)


def test_who_is_neither_held_nor_sought_is_not_of_the_crowd() -> None:
    tapes = taped(together(0.801, (1,) * 6))
    assert [beside(3, 0.0, tapes, among=among)[0] for among in (4, 6)] == [CROWDED, CROWDED]


# -- all that is said of an entry


@pytest.mark.parametrize(
    ("stop", "scale", "expected"),
    [
        (0, 1.0, (STOP, 0.0, 50.0, 0, 0, 0, 0, 1.0, 1.0, 1.0, None, -1)),
        (48 * USD, 0.001, (SIZE, 0.0, 1.0, 0, 500, 400, 800, 0.00025, 0.5, 0.5, 0.9, 1)),
        (48 * USD, 1.0, (OPEN, 0.0, 0.0, 100, 500, 400, 800, 0.25, 0.5, 0.5, 0.9, 1)),
    ],
)
def test_whatever_becomes_of_an_entry_all_of_it_is_told(
    stop: int, scale: float, expected: tuple[float | None, ...]
) -> None:
    a, sides = opened(EQUITY), np.array([0, LONG], np.int64)
    a["deployed"], a["positions"] = 10_000 * USD, 1
    a["modes"]["weight"][0, 2] = 0.5
    made = admitted(
        a, taped(together(0.9, (1, 1))), sides, rules()["rules"], 0, LONG, 2, 50 * USD, stop, 0.01, scale, False
    )  # fmt: skip
    told = tuple(None if x != x else round(x, 9) for x in made)
    assert told == expected
    assert sides.tolist() == [LONG if made.gate == OPEN else 0, LONG]


# -- the modes


def test_a_mode_that_is_none_counts_as_the_nearest() -> None:
    a = opened(EQUITY)
    for mode, result in ((-1, 1), (0, 1), (1, -5), (MODES - 2, -1), (MODES - 1, 0), (MODES, -2), (99, 3)):
        closed(a, mode, result)
    modes = a["modes"][0]
    assert modes["trades"].tolist() == [2, 1, 0, 0, 0, 0, 1, 3]
    assert modes["wins"].tolist() == [2, 0, 0, 0, 0, 0, 0, 1]
    assert modes["net"].tolist() == [2, -5, 0, 0, 0, 0, -1, 1]


# -- round trips within a day


@pytest.mark.parametrize(
    ("most", "done", "first", "session", "shut"),
    [
        (3, 2, 10, 10, False), (3, 3, 10, 10, True), (3, 4, 10, 10, True),
        (3, 3, 10, 14, True), (3, 3, 10, 15, False),  # the first was of six sessions ago
        (1, 1, 10, 10, True), (0, 0, 0, 0, False), (0, 5, 10, 10, False),  # without a bound
    ],
)  # fmt: skip
def test_day_trades_of_five_sessions_are_bounded(most: int, done: int, first: int, session: int, shut: bool) -> None:
    assert governed(most, done, first, session) == shut
