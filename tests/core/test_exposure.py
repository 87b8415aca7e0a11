"""The daily risk report: every stake with its losses, every limit with its borders."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from fluxhero.core import exposure
from fluxhero.core.exposure import Account, Bounds, Breach, Company, Kind, Level, Limit, Name, RiskReport, Tripped
from fluxhero.core.stakes import Line, Stake, Sum, added, stake
from fluxhero.messages import Micros, Nanos, Shares

BOUNDS = Bounds(
    position_cap=0.2, deployed_cap=0.5, slots=5, day_loss=0.03, soft_drawdown=0.15, hard_drawdown=0.2, correlated=0.7,
    crowded=0.8, crowded_slots=3,
)  # fmt: skip


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def account(equity: float = 100_000, base: float = 100_000, crest: float = 100_000, peak: float = 0) -> Account:
    return Account(
        equity=usd(equity), cash=usd(equity), day_base=usd(base), peak=usd(max(peak, crest)), crest=usd(crest)
    )


def line(qty: int, mark: float, stop: float = 0.0, guarded: int | None = None, **more: Any) -> Line:
    return Line(
        slot=more.pop("slot", 0), qty=Shares(qty), mark=usd(mark), worst=usd(more.pop("worst", mark)), stop=usd(stop),
        guarded=Shares(abs(qty) if guarded is None else guarded), **more,
    )  # fmt: skip


def reported(*lines: Line, account: Account = account(), **more: Any) -> RiskReport:  # noqa: B008
    return exposure.report(account, lines, msgspec.structs.replace(BOUNDS, **more), ALONE)


ALONE = [[math.nan] * 9 for _ in range(9)]

# -- one stake: value, distance, naked shares, loss at the stop, loss with a gap of twice as far

STAKES: dict[str, tuple[Line, tuple[float, float, int, float, float]]] = {
    "a long position": (line(100, 50, 48), (5000, 2, 0, 200, 400)),
    "a short one": (line(-100, 50, 52), (5000, 2, 0, 200, 400)),
    "a long one without a stop": (line(100, 50), (5000, 0, 100, 5000, 5000)),
    "a short one without a stop": (line(-100, 50), (5000, 0, 100, 5000, 5000)),
    "a stop for a part of it": (line(100, 50, 48, 60), (5000, 2, 40, 2120, 2240)),
    "a stop for more than it": (line(100, 50, 48, 130), (5000, 2, 0, 200, 400)),
    "a stop a cent away": (line(100, 50, 49.99), (5000, 0.01, 0, 1, 2)),
    "a stop at the price": (line(100, 50, 50), (5000, 0, 100, 5000, 5000)),
    "a stop over a long one's price": (line(100, 50, 51), (5000, -1, 100, 5000, 5000)),
    "a stop under a short one's price": (line(-100, 50, 49), (5000, -1, 100, 5000, 5000)),
    "a long one cannot lose more than it is worth": (line(100, 50, 20), (5000, 30, 0, 3000, 5000)),
    "a short one can": (line(-100, 50, 90), (5000, 40, 0, 4000, 8000)),
    "an entry at its cap": (line(100, 50, 48, worst=50.5, state="live"), (5050, 2.5, 0, 250, 500)),
    "a short entry at its cap": (line(-100, 50, 52, worst=49.5, state="unknown"), (5000, 2.5, 0, 250, 500)),
}


@pytest.mark.parametrize("what", STAKES)
def test_a_stake_loses_what_lies_before_its_stop_and_all_that_has_none(what: str) -> None:
    x, (value, distance, naked, risk, gapped) = STAKES[what]
    assert stake(x) == Stake(
        slot=0, qty=x.qty, state=x.state, mark=x.mark, stop=x.stop, value=usd(value), distance=usd(distance),
        naked=Shares(naked), risk=usd(risk), gapped=usd(gapped),
    )  # fmt: skip


def test_stakes_add_up_by_side() -> None:
    stakes = [stake(x) for x in (line(100, 50, 48), line(-10, 40, 42), line(20, 10, 9, 5))]
    made = added(stakes)
    assert made == Sum(long=usd(5200), short=usd(400), naked=usd(150), risk=usd(375), gapped=usd(600))
    assert (made.gross, made.net) == (usd(5600), usd(4800))
    assert added([]) == Sum()


# -- limits at their borders

MORE = 1e-6  # USD
WITHIN, OVER, BROKEN = Level


def levels(r: RiskReport) -> dict[Name, Level]:
    return {x.name: x.level for x in r.limits if x.level is not WITHIN}


BORDERS: dict[str, tuple[RiskReport, dict[Name, Level]]] = {
    "nothing held": (reported(), {}),
    "a position at its cap": (reported(line(400, 50, 48)), {}),
    "a share over it": (reported(line(401, 50, 48)), {Name.POSITION: OVER}),
    "as far as prices may carry it": (reported(line(500, 50, 48)), {Name.POSITION: OVER}),
    "and a share further": (reported(line(501, 50, 48)), {Name.POSITION: BROKEN}),
    "a short position over it": (reported(line(-401, 50, 52)), {Name.POSITION: OVER}),
    "a position and an entry together": (
        reported(line(300, 50, 48), line(101, 50, 48, state="partial")), {Name.POSITION: OVER},
    ),
    "all deployed that may be": (reported(*(line(250, 50, 48, slot=i) for i in range(4))), {}),
    "a share more": (
        reported(line(251, 50, 48), *(line(-250, 50, 52, slot=i) for i in range(1, 4))), {Name.DEPLOYED: OVER},
    ),
    "an entry that nobody knows of counts": (
        reported(*(line(250, 50, 48, slot=i) for i in range(4)), line(1, 50, 48, slot=4, state="unknown")),
        {Name.DEPLOYED: OVER},
    ),
    "five positions": (reported(*(line(10, 50, 48, slot=i) for i in range(5))), {}),
    "six": (reported(*(line(10, 50, 48, slot=i) for i in range(6))), {Name.SLOTS: BROKEN}),
    "a day loss at its limit": (reported(account=account(97_000)), {}),
    "and beyond it": (reported(account=account(97_000 - MORE)), {Name.DAY_LOSS: BROKEN}),
    "a day's gain": (reported(account=account(120_000, crest=120_000)), {}),
    "a drawdown short of the soft limit": (reported(account=account(85_000 + MORE, base=85_000)), {}),
    "at the soft limit": (reported(account=account(85_000, base=85_000)), {Name.SOFT: OVER}),
    "short of the hard limit": (reported(account=account(80_000 + MORE, base=80_000)), {Name.SOFT: OVER}),
    "at the hard limit": (
        reported(account=account(80_000, base=80_000)), {Name.SOFT: OVER, Name.HARD: BROKEN},
    ),
    "after a release drawdown counts from the breaker's reference": (
        reported(account=account(75_000, base=75_000, crest=75_000, peak=100_000)), {},
    ),
    "no equity and nothing held": (reported(account=account(0, 0, 0)), {}),
    "no equity and a share held": (
        reported(line(1, 50, 48), account=account(0, 0, 0)), {Name.POSITION: BROKEN, Name.DEPLOYED: BROKEN},
    ),
    "less than no equity": (
        reported(line(1, 50, 48), account=account(-10, 0, 0)),
        dict.fromkeys((Name.POSITION, Name.DEPLOYED, Name.DAY_LOSS, Name.SOFT, Name.HARD), BROKEN),
    ),
    "a bound that all of equity may reach": (reported(line(400, 50, 48), hard_drawdown=1.0), {}),
}  # fmt: skip


@pytest.mark.parametrize("what", BORDERS)
def test_limits_hold_at_their_borders(what: str) -> None:
    made, expected = BORDERS[what]
    assert levels(made) == expected
    assert [(b.name, b.level) for b in made.breaches if b.kind is Kind.LIMIT] == sorted(
        expected.items(), key=lambda item: item[1] is not BROKEN
    )


def test_every_limit_is_told_with_what_is_used_of_it() -> None:
    made = reported(line(300, 50, 48), line(-40, 100, 104, slot=1), account=account(96_000, 97_000, 120_000))
    assert made.limits == (
        Limit(name=Name.POSITION, value=15_000 / 96_000, bound=0.2),
        Limit(name=Name.DEPLOYED, value=19_000 / 96_000, bound=0.5),
        Limit(name=Name.SLOTS, value=2, bound=5),
        Limit(name=Name.DAY_LOSS, value=1_000 / 97_000, bound=0.03),
        Limit(name=Name.SOFT, value=0.2, bound=0.15, level=OVER),
        Limit(name=Name.HARD, value=0.2, bound=0.2, level=BROKEN),
        Limit(name=Name.CORRELATED, value=None, bound=0.7),
        Limit(name=Name.CROWDED, value=None, bound=0.8),
    )
    assert [x.used for x in made.limits[2:]] == [0.4, 1_000 / 97_000 / 0.03, 0.2 / 0.15, 1.0, None, None]


@pytest.mark.parametrize(
    ("value", "bound", "used"), [(0.5, 0.0, 1.0), (0.0, 0.0, 0.0), (-0.4, 0.8, 0.0), (None, 0.8, None)]
)
def test_what_is_used_of_a_bound_is_never_less_than_nothing(value: float | None, bound: float, used: float) -> None:
    assert Limit(name=Name.CORRELATED, value=value, bound=bound).used == used


# -- how alike


def alike(*lines: Line, **pairs: float) -> RiskReport:
    """`pairs`: correlations, such as r01."""
    matrix = [[math.nan] * 4 for _ in range(4)]
    for name, r in pairs.items():
        i, j = int(name[1]), int(name[2])
        matrix[i][j] = matrix[j][i] = r
    return exposure.report(account(), lines, BOUNDS, matrix)


def test_correlations_are_of_what_is_held_and_sought_and_signed_by_its_sides() -> None:
    made = alike(
        line(10, 50, 48, slot=3), line(10, 50, 48, slot=0), line(-10, 50, 52, slot=2, state="live"), r03=0.5, r02=-0.9,
        r01=1.0,
    )  # fmt: skip
    assert made.company == Company(
        slots=(0, 2, 3), matrix=((1.0, -0.9, 0.5), (-0.9, 1.0, None), (0.5, None, 1.0)), most=0.9, mean=0.7
    )
    assert levels(made) == {Name.CORRELATED: OVER}


def test_company_is_as_it_should_be_up_to_its_limits() -> None:
    three = [line(10, 50, 48, slot=i) for i in range(3)]
    assert levels(alike(*three[:2], r01=0.7)) == {}
    assert levels(alike(*three[:2], r01=0.95)) == {Name.CORRELATED: OVER}
    assert levels(alike(*three, r01=0.75, r02=0.75, r12=0.9)) == {Name.CORRELATED: OVER}
    assert levels(alike(*three, r01=0.8, r02=0.8, r12=0.85)) == {Name.CORRELATED: OVER, Name.CROWDED: OVER}


def test_one_alone_has_no_company() -> None:
    made = exposure.report(account(), [line(10, 50, 48)], BOUNDS, ALONE)
    assert made.company == Company(slots=(0,), matrix=((1.0,),), most=None, mean=None)
    assert exposure.report(account(), [], BOUNDS).company == Company(slots=(), matrix=(), most=None, mean=None)


# -- what should not be

T = Nanos(1_711_461_600_000_000_000)


def test_the_worst_is_told_first_and_each_with_its_numbers() -> None:
    trips = [
        Tripped(trip="halt", ts=T, value=0.0, limit=0.0, released=Nanos(T + 1)),
        Tripped(trip="day_loss", ts=T, value=0.04, limit=0.03),
    ]
    lines = [
        line(10, 50, slot=0), line(10, 50, 51, slot=1), line(10, 50, 48, 4, slot=2),
        line(-10, 50, 52, slot=3, state="unknown"), line(10, 50, 48, slot=4, state="sent"),
    ]  # fmt: skip
    made = exposure.report(account(96_000), lines, BOUNDS, ALONE, trips)
    assert made.breaches == (
        Breach(kind=Kind.TRIP, level=BROKEN, name="day_loss", value=0.04, bound=0.03, ts=T),
        Breach(kind=Kind.NAKED, level=BROKEN, name="held", slot=0, value=10, bound=0),
        Breach(kind=Kind.BEYOND, level=BROKEN, name="held", slot=1, value=50.0, bound=51.0),
        Breach(kind=Kind.NAKED, level=BROKEN, name="held", slot=2, value=6, bound=0),
        Breach(kind=Kind.LIMIT, level=BROKEN, name="day loss", value=0.04, bound=0.03),
        Breach(kind=Kind.TRIP, level=OVER, name="halt", value=0.0, bound=0.0, ts=T, released=Nanos(T + 1)),
        Breach(kind=Kind.UNSURE, level=OVER, name="unknown", slot=3, value=10, bound=0),
    )


def test_the_whole_of_it_is_told_in_one_value() -> None:
    held, sought = line(300, 50, 48), line(-40, 100, 104, slot=1, worst=99, state="live")
    nothing = line(0, 10, 9, slot=2)
    made = exposure.report(account(), [held, sought, nothing], BOUNDS, ALONE)
    assert msgspec.structs.replace(made, limits=()) == RiskReport(
        account=account(), positions=(stake(held),), entries=(stake(sought),),
        held=Sum(long=usd(15_000), risk=usd(600), gapped=usd(1200)),
        sought=Sum(short=usd(4000), risk=usd(200), gapped=usd(400)), largest=stake(held), limits=(),
        company=Company(slots=(0, 1), matrix=((1.0, None), (None, 1.0)), most=None, mean=None), breaches=(),
    )  # fmt: skip
    assert (made.deployed, made.risk) == (usd(19_000), usd(800))


def test_nothing_held_is_nothing_at_stake() -> None:
    made = exposure.report(account(), [], BOUNDS)
    assert (made.held, made.sought, made.largest, made.breaches) == (Sum(), Sum(), None, ())
    assert (made.deployed, made.risk) == (0, 0)
