"""What a curve and its trades come to: known answers, and answers where there is nothing to divide by."""

from __future__ import annotations

import datetime
import math
import statistics
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fluxhero.kernel import ledger
from fluxhero.kernel.codes import HELD, NEUTRAL, REVERSION, TREND
from fluxhero.kernel.state import BAR
from fluxhero.lab.metrics import (
    Drawdown,
    Metrics,
    Trades,
    calculate_metrics,
    drawdowns,
    of,
    of_benchmark,
    of_rounds,
    r_multiples,
)
from fluxhero.lab.result import Result, Setup
from fluxhero.messages import Array, Micros

USD, DAY = 1_000_000, 86_400 * 10**9
FREE = 1.04 ** (1 / 252) - 1

NO_TRADES = Trades(
    trades=0, won=0, lost=0, result=0.0, fees=0.0, win_rate=None, average_win=None, average_loss=None,
    profit_factor=None, expectancy=None, average_return=None, average_r=None, best_trade=None, worst_trade=None,
    trade_sharpe=None, trade_drawdown=0.0, holding_bars=None, holding_days=None,
)  # fmt: skip
NOTHING = Metrics(
    **msgspec.structs.asdict(NO_TRADES), sessions=0, total_return=0.0, cagr=None, volatility=None, sharpe=None,
    sortino=None, calmar=None, max_drawdown=0.0, drawdown=None, longest_drawdown=0, best_session=None,
    worst_session=None, exposure=None, deployed=None, commission=0.0, borrow=0.0, modes={}, regimes={},
)  # fmt: skip


def changed(what: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(what, **fields)


# -- the curve


def test_a_known_curve() -> None:
    moved = [0.25, -0.25, 1 / 3, 0.125]
    excess = statistics.mean(moved) - FREE
    m = calculate_metrics([64, 80, 60, 80, 90])
    assert m == changed(
        NOTHING, sessions=4, total_return=0.40625, cagr=m.cagr, volatility=m.volatility, sharpe=m.sharpe,
        sortino=m.sortino, calmar=m.calmar, max_drawdown=-0.25, longest_drawdown=2, best_session=80 / 60 - 1,
        worst_session=-0.25, drawdown=Drawdown(depth=-0.25, peak=1, bottom=2, recovered=3, sessions=2),
    )  # fmt: skip
    assert m.cagr == pytest.approx(1.40625**63 - 1)
    assert m.volatility == pytest.approx(statistics.stdev(moved) * math.sqrt(252))
    assert m.sharpe == pytest.approx(excess / statistics.stdev(moved) * math.sqrt(252))
    assert m.sortino == pytest.approx(excess / math.sqrt((0.25 + FREE) ** 2 / 4) * math.sqrt(252))
    assert m.calmar == pytest.approx((1.40625**63 - 1) / 0.25)


def test_a_year_of_sessions_has_its_total_as_growth() -> None:
    m = calculate_metrics(np.linspace(100, 117, 253))
    assert m.sessions == 252
    assert m.cagr == pytest.approx(0.17, abs=1e-12)


def test_what_earns_the_free_rate_has_a_sortino_of_nothing_to_divide_by() -> None:
    m = calculate_metrics(100_000 * (1 + FREE) ** np.arange(253))
    assert m.cagr == pytest.approx(0.04)
    assert (m.sharpe, m.sortino, m.calmar) == (None, None, None)


def test_under_the_free_rate_excess_is_negative_though_money_was_made() -> None:
    m = calculate_metrics([100, 100.01, 100.01, 100.02])
    assert m.sharpe is not None
    assert m.sharpe < 0 < m.total_return


# By hand: none of these may raise, warn, or leak a NaN.
DEGENERATE: dict[str, tuple[list[float], dict[str, Any]]] = {
    "no session": ([100], {}),
    "one session up": (
        [100, 150],
        {"sessions": 1, "total_return": 0.5, "cagr": 1.5**252 - 1, "best_session": 0.5, "worst_session": 0.5},
    ),
    "one session up beyond all numbers": (
        [1, 100],
        {"sessions": 1, "total_return": 99.0, "cagr": None, "best_session": 99.0, "worst_session": 99.0},
    ),
    "nothing ever moved": (
        [100, 100, 100],
        {
            "sessions": 2, "cagr": 0.0, "volatility": 0.0, "sortino": -math.sqrt(252), "best_session": 0.0,
            "worst_session": 0.0,
        },
    ),
    "doubled every session": (
        [1, 2, 4],
        {
            "sessions": 2, "total_return": 3.0, "cagr": 4.0**126 - 1, "volatility": 0.0, "best_session": 1.0,
            "worst_session": 1.0,
        },
    ),
    "came to nothing at the end": (
        [100, 0],
        {
            "sessions": 1, "total_return": -1.0, "cagr": -1.0, "sortino": -math.sqrt(252), "calmar": -1.0,
            "max_drawdown": -1.0, "best_session": -1.0, "worst_session": -1.0, "longest_drawdown": 1,
            "drawdown": Drawdown(depth=-1.0, peak=0, bottom=1, recovered=None, sessions=1),
        },
    ),
    "came to less than nothing, and back": (
        [100, -50, 50],
        {
            "sessions": 2, "total_return": -0.5, "cagr": 0.5**126 - 1, "calmar": (0.5**126 - 1) / 1.5,
            "max_drawdown": -1.5, "longest_drawdown": 2,
            "drawdown": Drawdown(depth=-1.5, peak=0, bottom=1, recovered=None, sessions=2),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DEGENERATE)
def test_where_there_is_no_such_number_there_is_none(what: str) -> None:
    equity, fields = DEGENERATE[what]
    m = calculate_metrics(equity)
    if "sortino" in fields:
        assert m.sortino == pytest.approx(fields["sortino"], rel=1e-3)
        fields = fields | {"sortino": m.sortino}
    if fields.get("cagr"):
        assert m.cagr == pytest.approx(fields["cagr"], rel=1e-12)
        fields = fields | {"cagr": m.cagr}
    assert m == changed(NOTHING, **fields)


def test_growth_at_one_rate_has_no_sharpe_though_rounding_moves_it() -> None:
    for rate in (0.01, 0.0003, -0.002):
        m = calculate_metrics(100_000 * (1 + rate) ** np.arange(500))
        assert (m.volatility, m.sharpe) == (0.0, None)


@pytest.mark.parametrize(
    ("equity", "says"),
    [
        ([], "the shape (0,)"),
        ([[1.0, 2.0]], "the shape (1, 2)"),
        ([100, math.nan, 1], "equity[1] is nan"),
        ([100, 1, math.inf], "equity[2] is inf"),
        ([0, 1], "equity[0], the initial cash, is 0.0"),
    ],
)
def test_no_series_is_refused_by_its_name(equity: list[Any], says: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        calculate_metrics(equity)
    assert says in str(refused.value)


def test_closes_that_are_not_the_sessions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"ts has the shape \(2,\) beside 1 sessions"):
        calculate_metrics([2, 1], ts=[1, 2])


# -- under water


def test_each_time_under_water_is_told_with_the_deepest_dated_in_new_york() -> None:
    equity = np.array([100, 90, 100, 120, 90, 60, 119, 120, 130, 129])
    found = [
        Drawdown(depth=90 / 100 - 1, peak=0, bottom=1, recovered=2, sessions=2),
        Drawdown(depth=60 / 120 - 1, peak=3, bottom=5, recovered=7, sessions=4),
        Drawdown(depth=129 / 130 - 1, peak=8, bottom=9, recovered=None, sessions=1),
    ]
    assert list(drawdowns(equity)) == found
    # 16:00 in New York is 21:00 UTC in winter; the late one is the next day in UTC.
    closes = [int(datetime.datetime(2024, 1, d, 21, tzinfo=datetime.UTC).timestamp()) * 10**9 for d in range(1, 10)]
    closes[4] += 7 * 3600 * 10**9
    m = calculate_metrics(equity, ts=closes)
    assert (m.drawdown, m.max_drawdown, m.longest_drawdown) == (
        changed(
            found[1], peak_on=datetime.date(2024, 1, 3), bottom_on=datetime.date(2024, 1, 5),
            recovered_on=datetime.date(2024, 1, 7),
        ), -0.5, 4,
    )  # fmt: skip


def test_a_fall_from_the_initial_cash_counts_and_begins_in_the_first_session() -> None:
    m = calculate_metrics([100, 90], ts=[20 * 3600 * 10**9])
    assert m.drawdown == Drawdown(
        depth=90 / 100 - 1, peak=0, bottom=1, recovered=None, sessions=1, peak_on=datetime.date(1970, 1, 1),
        bottom_on=datetime.date(1970, 1, 1),
    )  # fmt: skip


# -- trades


def rounds(*rows: dict[str, float]) -> Array:
    """Money in USD, opened and closed in days."""
    out = np.zeros(len(rows), ledger.ROUND)
    scale = {"entry": USD, "exit": USD, "stop": USD, "fees": USD, "result": USD, "opened": DAY, "closed": DAY}
    for i, row in enumerate(rows):
        for name, value in row.items():
            out[name][i] = round(value * scale.get(name, 1))
    return out


TRADED = rounds(
    {"mode": TREND, "regime": TREND, "qty": 100, "entry": 50, "stop": 48, "result": 400, "fees": 1, "closed": 2,
     "bars": 4},
    {"mode": TREND, "regime": NEUTRAL, "qty": -100, "entry": 50, "stop": 52, "result": -300, "fees": 1, "closed": 1,
     "bars": 2},
    {"mode": REVERSION, "regime": NEUTRAL, "qty": 200, "entry": 25, "fees": 2, "closed": 3, "bars": 6},
    {"mode": REVERSION, "regime": REVERSION, "qty": 10, "entry": 10, "stop": 9, "result": 20, "closed": 6, "bars": 4},
)  # fmt: skip


def test_known_trades() -> None:
    t, results = of_rounds(TRADED), [400.0, -300.0, 0.0, 20.0]
    assert t == Trades(
        trades=4, won=2, lost=1, result=120.0, fees=4.0, win_rate=0.5, average_win=210.0, average_loss=-300.0,
        profit_factor=1.4, expectancy=30.0, average_return=(0.08 - 0.06 + 0.0 + 0.2) / 4,
        average_r=(2.0 - 1.5 + 2.0) / 3, best_trade=400.0, worst_trade=-300.0, trade_sharpe=t.trade_sharpe,
        trade_drawdown=-300.0, holding_bars=4.0, holding_days=3.0,
    )  # fmt: skip
    assert t.trade_sharpe == pytest.approx(statistics.mean(results) / statistics.stdev(results))


def test_a_multiple_is_of_the_loss_that_the_first_stop_allowed() -> None:
    assert r_multiples(TRADED).tolist() == pytest.approx([2.0, -1.5, math.nan, 2.0], nan_ok=True)
    assert np.isnan(r_multiples(rounds({"qty": 1, "entry": 9, "stop": 9, "result": 5}))).all()


def test_trades_that_all_won_have_no_profit_factor_and_those_that_all_lost_have_none_to_win() -> None:
    won = of_rounds(rounds({"qty": 1, "result": 3}, {"qty": 1, "result": 4}))
    lost = of_rounds(rounds({"qty": 1, "result": -3}, {"qty": 1, "result": -3}))
    assert (won.win_rate, won.profit_factor, won.average_loss, won.trade_drawdown) == (1.0, None, None, 0.0)
    assert (lost.win_rate, lost.profit_factor, lost.average_win, lost.trade_drawdown) == (0.0, 0.0, None, -6.0)
    assert (won.average_return, won.average_r, lost.trade_sharpe) == (None, None, None)


def test_modes_and_regimes_that_traded_have_figures_of_their_own() -> None:
    m = calculate_metrics([100, 101], rounds=TRADED)
    assert m.modes == {"trend": of_rounds(TRADED[:2]), "mean reversion": of_rounds(TRADED[2:])}
    assert m.regimes == {
        "neutral": of_rounds(TRADED[1:3]), "strong trend": of_rounds(TRADED[:1]),
        "mean reversion": of_rounds(TRADED[3:]),
    }  # fmt: skip
    assert changed(NOTHING, **msgspec.structs.asdict(of_rounds(TRADED))) == changed(
        m, sessions=0, total_return=0.0, cagr=None, sortino=None, best_session=None, worst_session=None, modes={},
        regimes={},
    )  # fmt: skip


# -- of a result


def result(**fields: Any) -> Result:
    """Four bar times in two sessions: 100 USD, half of it deployed at the second, all of it at the third."""
    setup = Setup(
        strategy="buy_and_hold", params={}, symbols=("AAA",), timeframe="1h", sizing="full", costs="spec", risk=False,
        cash=Micros(100 * USD), data="", source="backtest",
    )  # fmt: skip
    fills, charges = np.zeros(2, ledger.FILL), np.zeros(1, ledger.CHARGE)
    fills["fee"], charges["fee"] = [2 * USD, 3 * USD], USD // 2
    given: dict[str, Any] = {
        "setup": setup, "ts": np.array([19, 20, 43, 44]) * 3600 * 10**9,
        "equity": np.array([100, 80, 200, 120]) * USD, "deployed": np.array([0, 40, 200, 0]) * USD,
        "closes": np.array([1, 3]), "benchmark": np.array([100.0, 125.0]),
        "rounds": rounds({"mode": HELD, "qty": 1, "entry": 10, "result": 20}), "fills": fills,
        "levels": np.zeros(0, ledger.LEVEL), "decisions": np.zeros(0, ledger.DECIDED), "charges": charges,
        "bars": np.zeros((4, 1), BAR),
    }  # fmt: skip
    return Result(**given | fields)


def test_a_result_is_measured_at_its_sessions_closes_from_the_initial_cash_on() -> None:
    r = result()
    m = of(r)
    assert m == calculate_metrics(
        [100, 80, 120], ts=r.ts[[1, 3]], rounds=r.rounds, deployed=[0, 0.5, 1, 0], commission=5.0, borrow=0.5
    )
    assert (m.sessions, m.total_return, m.max_drawdown) == (2, 120 / 100 - 1, 80 / 100 - 1)
    assert (m.exposure, m.deployed, m.commission, m.borrow) == (0.5, 0.375, 5.0, 0.5)
    assert list(m.modes) == ["buy and hold"]


def test_a_benchmark_has_the_result_s_sessions() -> None:
    m = of_benchmark(result())
    assert (m.sessions, m.total_return, m.best_session, m.worst_session, m.trades) == (2, 0.25, 0.25, 0.0, 0)


def test_a_result_without_a_bar_has_no_numbers() -> None:
    none = np.zeros(0, np.int64)
    r = result(
        ts=none, equity=none, deployed=none, closes=none, benchmark=np.zeros(0), rounds=rounds(),
        fills=np.zeros(0, ledger.FILL), charges=np.zeros(0, ledger.CHARGE),
    )  # fmt: skip
    assert (of(r), of_benchmark(r)) == (NOTHING, NOTHING)


# -- of any curve

CURVES = st.lists(st.floats(0.01, 1e9), min_size=1, max_size=60)
RESULTS = st.lists(st.integers(-(10**12), 10**12), max_size=30)


def traded(results: list[int]) -> Array:
    out = np.zeros(len(results), ledger.ROUND)
    out["result"], out["qty"], out["entry"] = results, 10, 50 * USD
    out["mode"] = np.arange(len(results)) % 3
    return out


def leaks(found: object) -> bool:
    if isinstance(found, dict):
        return any(map(leaks, found.values()))
    return isinstance(found, float) and not math.isfinite(found)


@settings(deadline=None, derandomize=True)
@given(CURVES, RESULTS)
def test_nothing_leaks_and_json_gives_it_back(equity: list[float], results: list[int]) -> None:
    m = calculate_metrics(equity, rounds=traded(results), ts=np.arange(len(equity) - 1) * DAY)
    assert not leaks(msgspec.to_builtins(m))
    assert msgspec.json.decode(msgspec.json.encode(m), type=Metrics) == m


@settings(deadline=None, derandomize=True)
@given(CURVES, st.integers(-6, 6))
def test_the_unit_does_not_matter(equity: list[float], power: int) -> None:
    """By powers of two, which round nothing."""
    assert calculate_metrics([x * 2.0**power for x in equity]) == calculate_metrics(equity)


@settings(deadline=None, derandomize=True)
@given(CURVES)
def test_the_maximum_drawdown_is_the_worst_of_all_pairs(equity: list[float]) -> None:
    m = calculate_metrics(equity)
    pairs = [later / x - 1.0 for i, x in enumerate(equity) for later in equity[i:]]
    assert m.max_drawdown == min(pairs)
    assert -1.0 < m.max_drawdown <= 0.0
    assert m.longest_drawdown <= m.sessions
    assert (m.drawdown is None) == (m.max_drawdown == 0.0) == (equity == sorted(equity))


@settings(deadline=None, derandomize=True)
@given(CURVES)
def test_times_under_water_and_at_the_peak_make_up_the_whole(equity: list[float]) -> None:
    under = sum(d.sessions - (d.recovered is not None) for d in drawdowns(np.array(equity)))
    assert under == sum(x < max(equity[: i + 1]) for i, x in enumerate(equity))


@settings(deadline=None, derandomize=True)
@given(CURVES, st.floats(0.01, 1e9))
def test_no_later_day_mends_a_drawdown(equity: list[float], later: float) -> None:
    before, after = calculate_metrics(equity), calculate_metrics([*equity, later])
    assert after.max_drawdown <= before.max_drawdown
    assert after.longest_drawdown >= before.longest_drawdown


@settings(deadline=None, derandomize=True)
@given(RESULTS)
def test_modes_add_up_and_order_matters_to_the_drawdown_alone(results: list[int]) -> None:
    m = calculate_metrics([100], rounds=traded(results))
    assert m.trades == m.won + m.lost + results.count(0) == sum(t.trades for t in m.modes.values())
    assert m.result == sum(results) / 1e6
    back = calculate_metrics([100], rounds=traded(results)[::-1])
    same: dict[str, Any] = {"average_return": m.average_return, "trade_sharpe": m.trade_sharpe}
    assert changed(back, trade_drawdown=m.trade_drawdown, modes=m.modes, regimes=m.regimes, **same) == m
    for name, value in same.items():
        assert getattr(back, name) == (None if value is None else pytest.approx(value, rel=1e-6, abs=1e-9))


@settings(deadline=None, derandomize=True)
@given(RESULTS, st.integers(1, 10**12))
def test_one_more_loss_never_makes_trades_look_better(results: list[int], loss: int) -> None:
    before, after = of_rounds(traded(results)), of_rounds(traded([*results, -loss]))
    assert after.result < before.result
    assert (after.win_rate or 0.0) <= (before.win_rate or 0.0)
    assert (after.profit_factor or 0.0) <= (math.inf if before.profit_factor is None else before.profit_factor)
    assert after.trade_drawdown <= before.trade_drawdown
