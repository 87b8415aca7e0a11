"""Walk-forward: a test has no say in what it is tested with, and the tests together are one account."""

from datetime import date

import msgspec
import numpy as np
import pytest

from fluxhero.core.calendar import nyse
from fluxhero.feeds.faults import Unusable
from fluxhero.kernel.simulate import Market
from fluxhero.lab import jobs
from fluxhero.lab.engine import Trial
from fluxhero.lab.grid import Grid, grid
from fluxhero.lab.history import History
from fluxhero.lab.points import Bench
from fluxhero.lab.walk import Plan, Walk, walk, windows
from fluxhero.messages import Array
from fluxhero.section import ConfigError
from tests.lab.histories import FIRST, HERE, daily
from tests.lab.test_points import config, walked

SMA = config("sma_cross")
TRIAL = Trial(config=SMA, sizing="fixed:100")
SAID = ["fast=2,3,5", "slow=6,9"]
SEER = config(str(HERE / "seer.py"))
KNOWN = Trial(config=SEER, sizing="fixed:100", costs=False)


def points() -> Grid:
    return grid(SMA, SAID)


def days(past: History) -> list[date]:
    return [nyse().sessions[i].date for i in past.market.sessions]


def foreseen(moves: Array) -> History:
    """Closes that move so, each told by the volume of the bar before."""
    closes = 100.0 + np.concatenate(([0.0], np.cumsum(moves)))
    up = np.concatenate((moves > 0, [False]))
    return daily(np.concatenate(([100.0], closes[:-1])), closes, 1e6 + up)


def test_three_months_are_trained_on_and_the_next_is_tested_and_so_on() -> None:
    past = walked(1, 300)
    on, made = days(past), walk(past, TRIAL, points())
    assert (on[0], on[-1]) == (date(2017, 11, 14), date(2019, 1, 25))
    first = made.windows[0]
    assert (first.train_first, first.train_last) == (date(2018, 2, 1), date(2018, 4, 27))
    assert (first.test_first, first.test_last) == (date(2018, 5, 1), date(2018, 5, 31))
    assert [w.test_first.month for w in made.windows] == [5, 6, 7, 8, 9, 10, 11, 12]
    assert [w.train_first.month for w in made.windows] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert [w.train_last for w in made.windows] == [on[on.index(w.test_first) - 2] for w in made.windows]


def test_the_tests_follow_one_another_without_gap_or_overlap() -> None:
    past = walked(1, 600)
    for train, test in ((3, 1), (6, 2), (1, 3)):
        cuts = windows(past, Plan(train=train, test=test))
        assert len(cuts) > 3
        assert [cut.test.first for cut in cuts[1:]] == [cut.test.end for cut in cuts[:-1]]
        assert all(cut.train.first < cut.train.end == cut.test.first - 1 for cut in cuts)


def test_nobody_trains_on_the_sessions_of_the_embargo() -> None:
    for embargo in (0, 1, 5, 15):
        cuts = windows(walked(1, 300), Plan(embargo=embargo))
        assert [cut.test.first - cut.train.end for cut in cuts] == [embargo] * len(cuts)


def test_a_window_is_warmed_on_so_many_bars_before_it_as_there_are() -> None:
    (first, *_, last) = windows(walked(1, 300), Plan(warm=50))
    assert (first.train.warm, first.test.warm) == (first.train.first - 50, first.test.first - 50)
    (first, *_, last) = windows(walked(1, 300), Plan(warm=120))
    assert (first.train.warm, last.test.warm) == (0, last.test.first - 120)


def test_no_window_begins_before_half_of_its_training_is_warm() -> None:
    past = walked(1, 300)
    starts = [windows(past, Plan(), mature)[0].train.first for mature in (1, 40, 64, 120)]
    on = days(past)
    assert [on[i] for i in starts] == [date(2017, 12, 1), date(2017, 12, 1), date(2018, 2, 1), date(2018, 4, 2)]


def test_months_that_lack_more_than_two_sessions_are_not_walked_over() -> None:
    past = walked(1, 300)
    on = days(past)
    hole = on.index(date(2018, 8, 13))
    for gone, tested in ((2, [5, 6, 7, 8, 9, 10, 11, 12]), (3, [5, 6, 7, 12])):
        kept = np.r_[0:hole, hole + gone : len(on)]
        market = Market(*(column[kept] for column in past.market))
        cuts = windows(over(past, market), Plan())
        assert [nyse().sessions[market.sessions[cut.test.first]].date.month for cut in cuts] == tested


def over(past: History, market: Market) -> History:
    return History(past.symbols, past.timeframe, past.span, past.adjusted, market, past.digest)


def test_the_best_point_of_the_training_is_the_one_that_is_tested() -> None:
    past = walked(4, 500)
    for by in ("total_return", "sharpe", "profit_factor"):
        made, bench = walk(past, TRIAL, points(), Plan(by=by)), Bench(past, TRIAL)
        assert len({tuple(w.params.items()) for w in made.windows}) > 2
        for window, cut in zip(made.windows, windows(past, Plan()), strict=True):
            scores = [bench.tried(p, cut.train).purged().numbers()[by] for p in points().points]
            known = [-np.inf if s is None else s for s in scores]
            best = int(np.argmax(known))
            assert (window.score, window.params) == (scores[best], msgspec.to_builtins(points().points[best]))
            tested = bench.tried(points().points[best], cut.test, verbose=True)
            assert window.test == tested.closed_out().metrics()
            assert (window.closed_out, window.profitable) == (tested.open, window.test.total_return > 0)


def test_what_comes_after_a_training_does_not_change_what_is_chosen() -> None:
    for seed in range(4):
        past = walked(seed, 400)
        whole = walk(past, TRIAL, points())
        for i in (0, 3):
            window, cut = whole.windows[i], windows(past, Plan())[i]
            market = Market(*(column.copy() for column in past.market))
            for name in ("open", "high", "low", "close"):
                market.bars[name][cut.train.end :] *= 1.7
            other = walk(over(past, market), TRIAL, points()).windows[i]
            assert (other.params, other.score, other.train) == (window.params, window.score, window.train)
            assert other.test != window.test


def test_the_tests_join_into_one_account() -> None:
    made = walk(walked(6, 500), TRIAL, points())
    joined = made.joined
    total = np.prod([1.0 + w.test.total_return for w in made.windows])
    assert joined.equity[0] == 100_000.0
    assert joined.equity[-1] == pytest.approx(100_000.0 * total, rel=1e-12)
    assert joined.metrics.sessions == len(joined.ts) == sum(w.test.sessions for w in made.windows)
    assert joined.metrics.trades == sum(w.test.trades for w in made.windows)
    assert list(joined.ts) == sorted(joined.ts)


def test_who_knows_the_future_passes_and_who_trades_against_it_does_not() -> None:
    rng = np.random.default_rng(3)
    moves = np.round(rng.normal(0.0, 0.5, 300), 2)
    seer = walk(foreseen(moves), KNOWN, grid(SEER))
    assert (seer.profitable, seer.pass_rate, seer.passed, seer.points) == (len(seer.windows), 1.0, True, 1)
    fool = walk(foreseen(np.full(300, -0.1)), Trial(config=config("buy_and_hold"), sizing="full"), grid(SEER))
    assert (fool.profitable, fool.pass_rate, fool.passed) == (0, 0.0, False)


def test_more_than_three_in_five_tests_must_be_profitable() -> None:
    """Ten tests, of which so many months rise."""
    on = [s.date for s in nyse().sessions[FIRST : FIRST + 283]]
    assert on[-1] == date(2018, 12, 31)
    held = config("buy_and_hold")
    for rising, passed in ((6, False), (7, True)):
        closes = 500.0 + np.cumsum([0.5 if 3 <= day.month < 3 + rising else -0.5 for day in on])
        past = daily(np.concatenate(([500.0], closes[:-1])), closes)
        made = walk(past, Trial(config=held, sizing="full"), grid(held))
        assert (len(made.windows), made.profitable, made.pass_rate, made.passed) == (10, rising, rising / 10, passed)


def test_a_test_without_a_trade_is_not_profitable() -> None:
    flat = np.full(283, 50.0)
    made = walk(daily(flat, flat), TRIAL, points())
    assert {(w.test.trades, w.profitable, w.score, w.test.total_return) for w in made.windows} == {
        (0, False, None, 0.0)
    }
    assert all(w.params == msgspec.to_builtins(points().points[0]) for w in made.windows)


def test_however_many_work_the_walk_is_the_same() -> None:
    past = walked(9, 400)
    made = [walk(past, TRIAL, points(), engine=jobs.Engine(workers=n)) for n in (1, 2, 5)]
    assert made == [made[0]] * 3


def test_a_walk_is_json() -> None:
    made = walk(walked(2, 300), TRIAL, points())
    assert msgspec.json.decode(msgspec.json.encode(made), type=Walk) == made


def test_too_short_a_history_is_named_with_what_it_has() -> None:
    with pytest.raises(Unusable, match="AAA 1d: 3 whole months, and nowhere 4 in a row with warm bars; give"):
        walk(walked(1, 80), TRIAL, points())


@pytest.mark.parametrize(
    ("plan", "error"),
    [
        (Plan(train=0), "train = 0: a walk takes 1 to 120"),
        (Plan(test=-1), "test = -1: a walk takes 1 to 120"),
        (Plan(embargo=16), "embargo = 16: a walk takes 0 to 15"),
        (Plan(warm=-1), "warm = -1: a walk takes 0 to 1_000_000"),
        (Plan(by="luck"), "objective = 'luck'; it must be one of sharpe,"),
    ],
)
def test_a_plan_that_cannot_be_is_named(plan: Plan, error: str) -> None:
    with pytest.raises(ConfigError) as e:
        walk(walked(1, 300), TRIAL, points(), plan)
    assert str(e.value).startswith(error)
