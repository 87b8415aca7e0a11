"""Backtests whose answers are known beforehand, and what tells a good engine from one that deceives itself."""

import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from fluxhero.config import Config, Risk
from fluxhero.core.calendar import nyse
from fluxhero.feeds.recording import Input, Request
from fluxhero.kernel.ledger import EXIT
from fluxhero.lab.engine import BacktestEngine, Trial
from fluxhero.lab.history import History, aligned, loaded
from fluxhero.messages import MINUTE, Array, Nanos
from tests.kernel.drive import walk
from tests.lab.histories import daily, traded

CASH = 100_000_000_000
USD = 1_000_000


def market(seed: int, n: int = 400) -> tuple[Array, Array]:
    """Opens and closes of a walk without drift: what one bar does says nothing of the next."""
    rng = np.random.default_rng(seed)
    path = 100.0 + np.cumsum(rng.choice([-0.25, 0.0, 0.25], 2 * n))
    return path[::2], path[1::2]


def day(data: Path, symbol: str, adjusted: bool = False) -> History:
    return loaded(Request(data=data, symbols=(symbol,), input=Input.D1, adjusted=adjusted), nyse())[0]


@pytest.mark.parametrize("seed", range(5))
def test_buy_and_hold_is_the_asset_from_the_second_open_on_but_for_less_than_a_share(seed: int) -> None:
    opens, closes = market(seed)
    result = traded(daily(opens, closes), "buy_and_hold", costs=False)
    shares = 100_000 // closes[0]
    cash = 100_000 - shares * opens[1]
    assert result.equity.tolist() == [CASH, *(round((cash + shares * c) * USD) for c in closes[1:])]
    assert [int(result.fills[name][0]) for name in ("qty", "price")] == [shares, round(opens[1] * USD)]


@pytest.mark.data
@pytest.mark.parametrize("symbol", ["SPY", "QQQ"])
def test_buy_and_hold_of_real_days(symbol: str, data_dir: Path) -> None:
    """At the first bar no mean volume is known, so that the order counts as a crowd."""
    past = day(data_dir, symbol)
    bars = past.market.bars[:, 0]
    price = round(bars["open"][1] * 1.0006 * USD)
    shares = int(CASH // (math.floor(round(bars["close"][0] * USD) * 1.0001 + 0.5) + 5_000))
    end = CASH - shares * (price + 5_000) + shares * round(bars["close"][-1] * USD)
    assert abs(int(traded(past, "buy_and_hold").equity[-1]) - end) <= shares  # a micro-dollar a share, by rounding


def crossed(closes: Array, opens: Array, fast: int = 20, slow: int = 50, mature: int = 64) -> list[tuple[int, float]]:
    """(bar, price) of every fill: plain sums, an entry at the open after the fast mean has crossed the slow one."""
    means = [np.convolve(closes, np.ones(n) / n)[: len(closes)] for n in (fast, slow)]
    above = means[0] > means[1]
    fills: list[tuple[int, float]] = []
    for t in range(mature - 1, len(closes) - 1):
        held = len(fills) % 2 == 1
        if (held and not above[t]) or (not held and above[t] and not above[t - 1]):
            fills.append((t + 1, opens[t + 1]))
    return fills


@pytest.mark.data
def test_a_cross_of_means_trades_as_a_plain_loop_does(data_dir: Path) -> None:
    past = day(data_dir, "SPY")
    bars, result = past.market.bars[:, 0], traded(past, "sma_cross", "fixed:100", costs=False)
    at = np.searchsorted(bars["ts"], result.fills["at"]).tolist()
    ours = list(zip(at, (result.fills["price"] / USD).tolist(), strict=True))
    plain = crossed(bars["close"], bars["open"])
    assert len(ours) > 50
    assert ours == [(t, round(price, 6)) for t, price in plain]


@pytest.mark.data
def test_a_cross_of_means_trades_as_another_engine_does(data_dir: Path) -> None:
    backtesting = pytest.importorskip("backtesting")
    import pandas as pd

    past = day(data_dir, "SPY")
    bars, result = past.market.bars[:, 0], traded(past, "sma_cross", "fixed:100", costs=False)

    class Cross(backtesting.Strategy):  # type: ignore[misc, name-defined]
        def init(self) -> None:
            closes = self.data.Close
            self.fast, self.slow = (self.I(lambda n=n: pd.Series(closes).rolling(n).mean()) for n in (20, 50))

        def next(self) -> None:
            if len(self.data) < 64:
                return
            if self.position and not self.fast[-1] > self.slow[-1]:
                self.position.close()
            elif not self.position and self.fast[-1] > self.slow[-1] and not self.fast[-2] > self.slow[-2]:
                self.buy(size=100)

    columns = {name.title(): bars[name] for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame(columns, index=pd.to_datetime(bars["ts"]))
    with warnings.catch_warnings(action="ignore"):  # of a trade that is open at the end
        trades = backtesting.Backtest(frame, Cross, cash=100_000).run()["_trades"]
    ours = [
        (int(r["qty"]), r["entry"] / USD, r["exit"] / USD, round(r["result"] / USD, 6)) for r in result.rounds
    ]  # fmt: skip
    theirs = zip(trades["Size"], trades["EntryPrice"], trades["ExitPrice"], trades["PnL"], strict=True)
    assert len(ours) > 25
    assert ours == [(int(n), round(a, 6), round(b, 6), round(pnl, 6)) for n, a, b, pnl in theirs]


def seen(opens: Array, closes: Array) -> History:
    """With the way from the next open to the one after it in each bar's volume."""
    up = np.append(np.diff(opens)[1:] > 0, [False, False])
    return daily(opens, closes, 1e6 + up)


@pytest.mark.parametrize("seed", range(3))
def test_who_knows_the_next_bar_never_loses_but_his_costs(seed: int) -> None:
    past = seen(*market(seed))
    free, dear = (traded(past, "seer.py", costs=costs) for costs in (False, True))
    assert len(free.rounds) > 50
    assert (free.rounds["result"] > 0).all()
    assert free.rounds[["qty", "opened", "closed"]].tolist() == dear.rounds[["qty", "opened", "closed"]].tolist()
    slipped = sum(
        int(r["qty"]) * (int(b["entry"]) - int(r["entry"]) + int(r["exit"]) - int(b["exit"]))
        for r, b in zip(free.rounds, dear.rounds, strict=True)
    )
    assert slipped > 0
    assert int(free.equity[-1]) - int(dear.equity[-1]) == slipped + int(dear.fills["fee"].sum())


def test_a_coin_loses_its_costs_and_no_more() -> None:
    """Over 200 coins: before costs the mean is within three standard errors of nothing."""
    results, costs = [], []
    for seed in range(1, 201):
        past = daily(*market(seed, 120))
        dear, free = (traded(past, "gambler.py", costs=costs, seed=seed) for costs in (True, False))
        results.append((int(dear.equity[-1]) - CASH) / USD)
        costs.append((int(free.equity[-1]) - int(dear.equity[-1])) / USD)
    before = np.array(results) + np.array(costs)
    assert abs(before.mean()) < 3 * before.std(ddof=1) / math.sqrt(len(before))
    assert min(costs) > 0


def test_what_is_left_is_left_at_the_next_open_and_nothing_stops_what_has_no_stop() -> None:
    opens, closes = market(3)
    closes[200:] *= 0.3
    opens[201:] *= 0.3
    result = traded(daily(opens, closes), "gambler.py")
    assert (result.rounds["role"] == EXIT).all()
    assert len(result.levels) == 0
    assert len(result.trips) == 0


@pytest.mark.parametrize("seed", range(3))
def test_where_a_backtest_begins_makes_no_difference_once_the_indicators_have_seen_500_bars(seed: int) -> None:
    """An account that may hold nothing decides by the bars alone."""
    bars = np.asarray(walk(seed, 3000))[:, None]
    past = History(("AAA",), "1m", Nanos(MINUTE), True, aligned(bars, bars["ts"][:, 0] + MINUTE, nyse()), "made")
    trial = Trial(config=Config(risk=Risk(deployed_cap=1e-9)))
    whole, late = (BacktestEngine(p, trial).run().decisions for p in (past, past.part(700, 3000)))
    since = int(past.market.ends[1200])
    what = ["ts", "action", "side", "mode", "regime", "gate", "stop", "verdict"]
    ours, theirs = (d[d["ts"] >= since][what].tolist() for d in (whole, late))
    assert len(ours) > 20
    assert ours == theirs
