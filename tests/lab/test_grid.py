"""Which points are tried: all of a grid, or so many at random, each checked as the configuration is."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero.config import Config, Strategy
from fluxhero.lab.grid import Grid, drawn, grid
from fluxhero.section import ConfigError


def config(name: str, **params: Any) -> Config:
    return Config(strategy=Strategy(name=name, tables={name: params}))


SMA = config("sma_cross")
DUAL = config("dual_mode")


def told(made: Grid, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(getattr(point, name) for name in names) for point in made.points]


def test_a_grid_is_every_combination_in_the_order_of_what_was_said() -> None:
    made = grid(SMA, ["slow=40,50", "fast=5,10,20"])
    assert told(made, "slow", "fast") == [(40, 5), (40, 10), (40, 20), (50, 5), (50, 10), (50, 20)]
    assert (made.strategy, made.left_out) == ("sma_cross", 0)


def test_what_is_not_said_is_as_configured() -> None:
    made = grid(config("sma_cross", slow=30, risk=0.005), ["fast=5,10"])
    assert [msgspec.to_builtins(p) for p in made.points] == [
        {"fast": 5, "slow": 30, "risk": 0.005},
        {"fast": 10, "slow": 30, "risk": 0.005},
    ]


def test_a_grid_of_which_nothing_is_said_is_the_configured_point() -> None:
    made = grid(SMA)
    assert told(made, "fast", "slow", "risk") == [(20, 50, 0.01)]


def test_even_values_are_those_that_one_would_have_written() -> None:
    assert told(grid(DUAL, ["enter_atr=0.1:0.7:7"]), "enter_atr") == [(x,) for x in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)]
    assert told(grid(SMA, ["fast=5:20:4"]), "fast") == [(5,), (10,), (15,), (20,)]


def test_whole_numbers_stay_whole_and_are_tried_once() -> None:
    made = grid(SMA, ["fast=5:7:9"])
    assert told(made, "fast") == [(5,), (6,), (7,)]
    assert all(type(point.fast) is int for point in made.points)  # type: ignore[attr-defined]


def test_a_whole_number_may_stand_for_a_fraction() -> None:
    assert told(grid(DUAL, ["width=2,2.5"]), "width") == [(2.0,), (2.5,)]


def test_texts_are_tried_by_name() -> None:
    assert told(grid(DUAL, ["neutral=either,both"]), "neutral") == [("either",), ("both",)]


def test_points_in_which_one_parameter_is_not_under_another_are_left_out_and_counted() -> None:
    made = grid(SMA, ["fast=10,30,50", "slow=30,60"])
    assert told(made, "fast", "slow") == [(10, 30), (10, 60), (30, 60), (50, 60)]
    assert made.left_out == 2


def test_a_value_may_be_over_the_other_ones_default_if_that_is_tried_with_more() -> None:
    assert told(grid(SMA, ["fast=55", "slow=60"]), "fast", "slow") == [(55, 60)]


def test_the_same_seed_draws_the_same_points_and_another_one_others() -> None:
    said = ["fast=2:30", "slow=31:60", "risk=0.001:0.02"]
    first, again, other = (drawn(SMA, said, 20, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_points_drawn_are_different_sound_and_within_their_ranges() -> None:
    for seed in range(20):
        made = drawn(SMA, ["fast=2:40", "slow=20,30,40", "risk=0.001:0.02"], 50, seed)
        assert len(set(made.points)) == 50
        for fast, slow, risk in told(made, "fast", "slow", "risk"):
            assert 2 <= fast < slow
            assert slow in (20, 30, 40)
            assert 0.001 <= risk <= 0.02
            assert (type(fast), type(slow), type(risk)) == (int, int, float)


def test_both_ends_of_a_range_are_drawn() -> None:
    made = drawn(SMA, ["fast=3:6"], 4)
    assert sorted(told(made, "fast")) == [(3,), (4,), (5,), (6,)]


def test_fewer_points_are_drawn_where_there_are_no_more() -> None:
    made = drawn(SMA, ["fast=5,10", "slow=30:31"], 100)
    assert sorted(told(made, "fast", "slow")) == [(5, 30), (5, 31), (10, 30), (10, 31)]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (["fast"], "'fast' is no parameter: write k=v1,v2,v3 or k=first:last:count"),
        (["fast="], "'fast=' is no parameter: write"),
        (["quick=3"], "strategy.sma_cross: unknown 'quick'; there are fast, slow, risk"),
        (["fast=10,99"], "strategy.sma_cross.fast = 99: must be a whole number, 1 to 60, under slow (closes)"),
        (["fast=2.5"], "strategy.sma_cross.fast = 2.5: must be a whole number, 1 to 60, under slow (closes)"),
        (["fast=many"], "strategy.sma_cross.fast = 'many': must be a whole number, 1 to 60, under slow (closes)"),
        (["fast=5,"], "strategy.sma_cross.fast = '': must be a whole number, 1 to 60, under slow (closes)"),
        (["risk=0.1:2:5"], "strategy.sma_cross.risk = 2: must be a number, > 0, <= 1 (share of equity)"),
        (["risk=NaN"], "strategy.sma_cross.risk = 'NaN': must be a number, > 0, <= 1 (share of equity)"),
        (["fast=10:5:3"], "strategy.sma_cross.fast = 10:5:3: the first must be less than the last"),
        (["fast=5:10:one"], "strategy.sma_cross.fast has 'one' values; their count must be a whole number, 2 to"),
        (["fast=5:10:1"], "strategy.sma_cross.fast has '1' values; their count must be a whole number, 2 to"),
        (["fast=5:10:3:4"], "strategy.sma_cross.fast = 5:10:3:4: must be a whole number"),
        (["fast=5:10"], "fast has no count: write k=v1,v2,v3 or k=first:last:count"),
        (["fast=5", "slow=40", "fast=6"], "fast is said twice: put its values into one"),
        (["risk=0.001:1:1000", "fast=1:50:50", "slow=30:60:31"], "the grid has 1_550_000 points; it may have"),
        (["fast=50,60"], "no point of 2 is sound: fast must be a whole number, 1 to 60, under slow (closes)"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_named_with_its_bounds(said: list[str], error: str) -> None:
    with pytest.raises(ConfigError) as e:
        grid(SMA, said)
    assert str(e.value).startswith(error)


def test_a_text_has_no_range() -> None:
    with pytest.raises(ConfigError, match=r"strategy.dual_mode.neutral = a:b: must be text, either or both"):
        drawn(DUAL, ["neutral=a:b"], 3)


def test_so_many_points_can_be_drawn_and_no_more() -> None:
    with pytest.raises(ConfigError, match="points = 0: from 1 to 1_000_000 can be drawn"):
        drawn(SMA, ["fast=2:30"], 0)


def test_a_fraction_stays_one_whose_default_is_written_as_a_whole_number(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("""
from typing import Annotated

from fluxhero.kernel.compile import step
from fluxhero.section import Factor, Section, key


class Params(Section, frozen=True, kw_only=True):
    width: Annotated[Factor, key("ATR", "of a band")] = 2


@step
def decide(row, bar, p, stop_atr):
    pass
""")
    made = Config(strategy=Strategy(name=str(file)))
    assert told(grid(made, ["width=1:2:5"]), "width") == [(1.0,), (1.25,), (1.5,), (1.75,), (2.0,)]
    assert all(not float(width).is_integer() for (width,) in told(drawn(made, ["width=1:3"], 9), "width"))
