"""What the watch writes into the bars: the spread of a quote that is fresh at their end."""

import pytest

from fluxhero.core.marks import Marks
from fluxhero.core.risk import Risk
from fluxhero.messages import SECOND, Micros, Model, Nanos, Sealed
from tests.core.watching import N, minute, quote, risk, sealed

TS = minute(5)
NONE = [-1.0] * N


def spreads(watch: Risk, m: Sealed) -> list[float]:
    said: list[float] = watch.on_sealed(m)[0].sealed.bars["spread"].tolist()
    return said


def bars(heard: int = 0) -> Sealed:
    m = sealed(TS, dict.fromkeys(range(N), 50.0))
    return Sealed(ts=m.ts, bars=m.bars, heard=Nanos(heard))


def quoted(*ages: float, spread: float = 0.005, size: int = 100) -> Risk:
    """A watch with a quote of each of the first slots, so many seconds before the seal, oldest first."""
    watch = risk(Model.QUOTE)
    for age, slot in sorted(((age, slot) for slot, age in enumerate(ages)), reverse=True):
        watch.on_quote(quote(TS - int(age * SECOND), 50.0, slot=slot, spread=spread, size=size))
    return watch


def test_a_fresh_quote_gives_its_spread_to_the_bar() -> None:
    assert spreads(quoted(0.0, 5.0), bars()) == [0.01, 0.01, *NONE[2:]]


def test_one_that_stands_is_fresh_for_a_minute_while_others_come() -> None:
    assert spreads(quoted(1.0, 6.0, 60.0, 60.1), bars()) == [0.01, 0.01, 0.01, *NONE[3:]]
    assert spreads(quoted(6.0, 60.0), bars()) == NONE
    assert spreads(quoted(6.0, 60.0), bars(heard=TS - 5 * SECOND)) == [0.01, 0.01, *NONE[2:]]  # a trade is life too


@pytest.mark.parametrize(("spread", "size"), [(0.005, 0), (-0.005, 100)])
def test_a_one_sided_or_crossed_quote_gives_none(spread: float, size: int) -> None:
    assert spreads(quoted(1.0, spread=spread, size=size), bars()) == NONE


def test_a_locked_quote_has_a_spread_of_nothing() -> None:
    assert spreads(quoted(1.0, spread=0.0), bars())[0] == 0.0


def test_without_quotes_the_bars_stay_as_they_are() -> None:
    m = bars()
    watched, _ = risk(Model.BAR).on_sealed(m)
    assert watched.sealed is m


def test_the_bars_that_came_are_not_written_to() -> None:
    m = bars()
    before = m.bars.tobytes()
    watched, _ = quoted(1.0).on_sealed(m)
    assert (m.bars.tobytes(), watched.sealed.ts, watched.sealed.heard) == (before, m.ts, m.heard)
    changed = watched.sealed.bars.copy()
    changed["spread"] = m.bars["spread"]
    assert changed.tobytes() == before


def test_ages_are_the_configurations() -> None:
    marks = Marks(2, Nanos(2 * SECOND), Nanos(10 * SECOND))
    marks.quote(quote(TS, 50.0, slot=0, spread=0.01))
    said = [marks.age(0, Nanos(TS + n * SECOND)) for n in (0, 2, 3, 10, 11)]
    assert said == [(0.0, 10.0), (2.0, 10.0), (3.0, 2.0), (10.0, 2.0), (float("inf"), 2.0)]
    assert [marks.spread(0, Nanos(TS + n * SECOND)) for n in (0, 2, 3)] == [0.02, 0.02, -1.0]
    marks.heard(Nanos(TS + 9 * SECOND))
    assert [marks.spread(0, Nanos(TS + n * SECOND)) for n in (3, 10, 11)] == [0.02, 0.02, -1.0]


def test_a_mid_lives_as_long_as_its_quote() -> None:
    marks = Marks(2)
    marks.closes = [Micros(70_000_000), Micros(80_000_000)]
    marks.quote(quote(TS, 50.0))
    assert [marks.mid(0, Nanos(TS + n * SECOND)) for n in (0, 60, 61)] == [50_000_000, 50_000_000, 70_000_000]
    assert marks.mid(1, TS) == 80_000_000
