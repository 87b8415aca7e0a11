"""An entry beside what is held and sought already: whoever moves alike shares the risk, and a crowd is kept small."""

import math

import numpy as np
import pytest

from fluxhero.kernel.codes import CROWDED, LONG, OPEN, SHORT, SHORTS, SIZE, SLOTS, STOP
from fluxhero.kernel.risk import Admission, admitted
from fluxhero.kernel.state import Array
from tests.accounts import blank, opened, rules, taped, together

pytestmark = pytest.mark.nojit

USD = 1_000_000
RULES = rules()
WIDE = rules(limits={"slots": 1000, "deployed_cap": 1000.0})
NAN = math.nan


def sides_of(*sides: int) -> Array:
    return np.array(sides, np.int64)


def ask(
    tapes: Array, sides: Array, slot: int = 0, side: int = LONG, params: Array = RULES, a: Array | None = None,
    barred: bool = False, stop: int = 2 * USD,
) -> Admission:  # fmt: skip
    """An entry at 50, its stop 2 on the losing side, into 100,000 of which only the positions are taken."""
    if a is None:
        a = opened()
        a["positions"] = np.count_nonzero(sides)
    return admitted(
        a, tapes, sides, params["rules"], slot, side, 1, 50 * USD, 50 * USD - side * stop, 0.01, 1.0, barred
    )


def size(said: Admission) -> tuple[int, int, float]:
    return said.gate, said.qty, said.share


# -- the nearest


@pytest.mark.parametrize(("correlation", "granted"), [(0.0, 400), (0.69, 400), (0.71, 200), (1.0, 200)])
def test_beyond_seven_tenths_with_what_is_held_the_size_is_halved(correlation: float, granted: int) -> None:
    said = ask(taped(together(correlation, (1, 1))), sides_of(0, LONG))
    assert size(said) == (OPEN, granted, granted / 400)
    assert said.correlation == pytest.approx(correlation, abs=1e-9)
    assert said.peer == 1


def test_the_limit_itself_halves_nothing() -> None:
    tapes = taped(together(1.0, (1, 1)))
    tapes["close"][1] = tapes["close"][0]  # exactly 1
    said = ask(tapes, sides_of(0, LONG), params=rules(limits={"correlated": 1.0}))
    assert (size(said), said.correlation) == ((OPEN, 400, 1.0), 1.0)


@pytest.mark.parametrize(
    ("signs", "mine", "other", "share"),
    [
        ((1, 1), LONG, LONG, 0.5),
        ((1, 1), SHORT, SHORT, 0.5),
        ((1, 1), SHORT, LONG, 1.0),  # a hedge
        ((1, 1), LONG, SHORT, 1.0),
        ((1, -1), LONG, SHORT, 0.5),  # against one another, and one of them short
        ((1, -1), LONG, LONG, 1.0),
    ],
)
def test_both_sides_sign_the_correlation(signs: tuple[int, int], mine: int, other: int, share: float) -> None:
    said = ask(taped(together(0.9, signs)), sides_of(0, other), side=mine)
    assert (said.gate, said.share) == (OPEN, share)
    assert said.correlation == pytest.approx(0.9 if share < 1 else -0.9, abs=1e-9)


def test_the_highest_counts_and_names_the_other() -> None:
    closes = np.hstack([together(0.9, (1, 1), seed=1), together(0.3, (1,), seed=2)])
    closes = closes[:, [2, 0, 1]]  # slots 1 and 2 move together, slot 0 alone
    tapes = taped(closes)
    assert ask(tapes, sides_of(LONG, LONG, 0), slot=2).peer == 1
    assert ask(tapes, sides_of(0, LONG, LONG)).share == 1.0


def test_of_equals_the_first_is_named() -> None:
    tapes = taped(together(0.9, (1, 1, 1)))
    tapes["close"][:] = tapes["close"][0]
    assert ask(tapes, sides_of(0, LONG, LONG))[10:] == (1.0, 1)


def test_what_is_unknown_halves_nothing_and_is_named_nowhere() -> None:
    for tapes in (blank(2), taped(together(0.9, (1, 1), n=18))):
        said = ask(tapes, sides_of(0, LONG))
        assert size(said) == (OPEN, 400, 1.0)
        assert (math.isnan(said.correlation), said.peer) == (True, -1)


def test_a_symbol_that_nobody_holds_says_nothing() -> None:
    assert ask(taped(together(0.9, (1, 1, 1))), sides_of(0, 0, 0)).peer == -1


def test_halves_of_correlation_and_drawdown_and_scale_multiply() -> None:
    a = opened()
    a["sizing"], a["modes"]["weight"] = 0.5, 0.8
    tapes, sides = taped(together(0.9, (1, 1))), sides_of(0, LONG)
    said = admitted(a, tapes, sides, RULES["rules"], 0, LONG, 1, 50 * USD, 48 * USD, 0.01, 0.7, False)
    share = 0.7 * 0.5 * 0.8 * 0.5
    assert (said.gate, *said[3:10]) == (OPEN, 56, 500, 400, 1000, share, 0.8, 0.5)


# -- the crowd


@pytest.mark.parametrize(
    ("correlation", "held", "gate"),
    [(0.81, 3, CROWDED), (0.79, 3, OPEN), (0.95, 2, OPEN), (0.95, 4, CROWDED)],
)
def test_a_crowd_of_more_than_three_that_moves_as_one_is_refused(correlation: float, held: int, gate: int) -> None:
    tapes = taped(together(correlation, (1,) * 6))
    said = ask(tapes, sides_of(0, *[LONG] * held, *[0] * (5 - held)))
    assert said.gate == gate
    if gate == CROWDED:
        assert said[2:10] == (0.8, 0, 0, 0, 0, 1.0, 1.0, 1.0)
        assert said.value == pytest.approx(correlation, abs=1e-9)


def test_the_mean_is_of_all_pairs_and_signed_by_both_sides() -> None:
    """Four that move as one at 0.9, one of them short: three pairs of six hedge."""
    tapes = taped(together(0.9, (1, 1, 1, 1)))
    assert ask(tapes, sides_of(0, LONG, LONG, SHORT)).gate == OPEN
    assert ask(tapes, sides_of(0, LONG, LONG, LONG), side=SHORT).gate == OPEN
    assert ask(tapes, sides_of(0, SHORT, SHORT, SHORT), side=SHORT).gate == CROWDED


def test_pairs_that_are_unknown_do_not_count() -> None:
    closes = together(0.9, (1, 1, 1, 1))
    closes[:-10, 3] = np.nan
    said = ask(taped(closes), sides_of(0, LONG, LONG, LONG))
    assert said.gate == CROWDED
    assert said.value == pytest.approx(0.9, abs=1e-9)
    assert ask(blank(4), sides_of(0, LONG, LONG, LONG)).gate == OPEN


def test_a_mean_of_any_book_agrees_with_a_recount() -> None:
    rng = np.random.default_rng(7)
    for seed in range(30):
        n = int(rng.integers(4, 9))
        signs = rng.choice([-1, 1], n)
        correlation = float(rng.uniform(0.0, 1.0))
        tapes, sides = taped(together(correlation, signs.tolist(), seed=seed)), rng.choice([-1, 0, 1], n)
        sides[0] = 0
        lots = {i: int(s) for i, s in enumerate(sides) if s} | {0: LONG}
        pairs = [correlation * signs[i] * signs[j] * lots[i] * lots[j] for i in lots for j in lots if j < i]
        crowded = len(lots) > 3 and float(np.mean(pairs)) > 0.8
        assert ask(tapes, sides, params=WIDE).gate == (CROWDED if crowded else OPEN)


# -- who may


def test_shorts_are_refused_where_the_configuration_or_the_symbol_does_not_allow_them() -> None:
    tapes = blank(2)
    refused = (SHORTS, 0.0, 1.0, 0, 0, 0, 0, 1.0, 1.0)
    assert ask(tapes, sides_of(0, 0), side=SHORT, params=rules(limits={"shorts": 0}))[:9] == refused
    assert ask(tapes, sides_of(0, 0), side=SHORT, barred=True)[:9] == refused
    assert ask(tapes, sides_of(0, 0), side=SHORT).gate == OPEN
    assert ask(tapes, sides_of(0, 0), barred=True, params=rules(limits={"shorts": 0})).gate == OPEN


def test_gates_come_in_the_order_in_which_they_are_cheap() -> None:
    tapes, sides = taped(together(0.95, (1,) * 6)), sides_of(0, *[SHORT] * 5)
    closed = rules(limits={"shorts": 0})
    assert ask(tapes, sides.copy(), side=SHORT, params=closed, stop=-USD).gate == SHORTS
    assert ask(tapes, sides.copy(), side=SHORT, stop=-USD)[:3] == (STOP, 49.0, 50.0)
    assert ask(tapes, sides.copy(), side=SHORT)[:3] == (SLOTS, 5.0, 5.0)
    assert ask(tapes, sides.copy(), side=SHORT, params=WIDE).gate == CROWDED


def test_a_grant_takes_its_side_for_the_next_of_the_batch_and_a_refusal_takes_nothing() -> None:
    tapes, sides = taped(together(0.9, (1,) * 4)), sides_of(0, 0, 0, 0)
    a = opened()
    said = [ask(tapes, sides, slot, side, a=a) for slot, side in enumerate((LONG, SHORT, LONG, LONG))]
    assert [(s.gate, s.qty, s.peer) for s in said] == [(OPEN, 400, -1), (OPEN, 400, 0), (OPEN, 200, 0), (SIZE, 0, 0)]
    assert (sides.tolist(), int(a["positions"][0]), int(a["deployed"][0])) == ([1, -1, 1, 0], 3, 50_000 * USD)
