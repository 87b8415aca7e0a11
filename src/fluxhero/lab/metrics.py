"""What an equity curve and its trades come to, by `requirements.md` 9. Fractions, not percent; money in USD.

One series, whatever the timeframe: the initial cash, then equity at each session's close; n is the sessions. None
stands where there is no such number, such as a ratio to nothing; NaN and infinity never do.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from fluxhero.core.explain import MODES, REGIMES
from fluxhero.kernel.ledger import ROUND
from fluxhero.lab.result import Result
from fluxhero.lab.statistics import YEAR, cagr, deviation, returns, sharpe, sortino, underwater
from fluxhero.messages import Array

DAY = 86_400e9  # ns
NEW_YORK = ZoneInfo("America/New_York")
NO_ROUNDS = np.zeros(0, ROUND)


class Trades(msgspec.Struct, frozen=True, kw_only=True):
    """Of closed trades, each after its fees. What won has a result above 0, what lost one below."""

    trades: int
    won: int
    lost: int
    result: float  # USD, of all together
    fees: float  # USD, of their fills
    win_rate: float | None  # of all; None: no trades
    average_win: float | None  # USD; None: none won
    average_loss: float | None  # USD, < 0; None: none lost
    profit_factor: float | None  # what was won over what was lost; None: nothing was lost
    expectancy: float | None  # USD a trade
    average_return: float | None  # of what its entry cost
    average_r: float | None  # of the loss at its first stop; None: none had a stop
    best_trade: float | None  # USD
    worst_trade: float | None  # USD
    trade_sharpe: float | None  # mean over sample deviation of the results; None: under two, or all equal
    trade_drawdown: float  # USD, <= 0: the deepest fall of their sum from its peak
    holding_bars: float | None  # mean
    holding_days: float | None  # mean, of 24 hours, nights and weekends among them


class Drawdown(msgspec.Struct, frozen=True, kw_only=True):
    """A time under water. Places are those of the series, 0 the initial cash; dates are New York's, None: not known."""

    depth: float  # < 0, of the peak
    peak: int
    bottom: int
    recovered: int | None  # at the peak again, or over it; None: never
    sessions: int  # from the peak until recovered, or to the end
    peak_on: datetime.date | None = None  # of the first session for place 0
    bottom_on: datetime.date | None = None
    recovered_on: datetime.date | None = None


class Metrics(Trades, frozen=True, kw_only=True):
    """Of an account. Ratios are a year's. An account that came to 0 or less before the end has no returns."""

    sessions: int
    total_return: float
    cagr: float | None  # (1 + total)^(252/n) - 1; -1: nothing was left
    volatility: float | None  # of returns, ddof 1
    sharpe: float | None  # over 4 % a year; None: under two returns, or all equal
    sortino: float | None  # over 4 % a year, over all n; None: none was less than that
    calmar: float | None  # cagr / |max_drawdown|; None: never under water
    max_drawdown: float  # <= 0
    drawdown: Drawdown | None  # the deepest, the first of equals
    longest_drawdown: int  # sessions
    best_session: float | None
    worst_session: float | None
    exposure: float | None  # share of the bar times at which anything was held; None: not known
    deployed: float | None  # mean share of equity that was
    commission: float  # USD, of all fills, those of open positions among them
    borrow: float  # USD, of all shorts
    modes: dict[str, Trades]  # by name; those that traded
    regimes: dict[str, Trades]  # by that of the decision


def calculate_metrics(
    equity: ArrayLike, *, ts: ArrayLike | None = None, rounds: Array = NO_ROUNDS, deployed: ArrayLike | None = None,
    commission: float = 0.0, borrow: float = 0.0,
) -> Metrics:  # fmt: skip
    """`equity`: (1 + n,), any unit; `ts`: (n,) the sessions' closes, UTC ns; `rounds`: ROUND, in the order of closing;
    `deployed`: shares of equity, one a bar time. ValueError: an equity that is no series.
    """
    series = _series(equity)
    n, moved, falls = series.size - 1, returns(series), list(drawdowns(series))
    deepest, yearly = min(falls, key=lambda d: d.depth, default=None), _known(cagr(series))
    used = np.asarray([] if deployed is None else deployed, np.float64)
    return Metrics(
        **msgspec.structs.asdict(of_rounds(rounds)),
        sessions=n, total_return=float(series[-1] / series[0] - 1.0), cagr=yearly,
        volatility=_known(deviation(moved) * math.sqrt(YEAR)), sharpe=_known(sharpe(moved)),
        sortino=_known(sortino(moved)), calmar=yearly / -deepest.depth if deepest and yearly is not None else None,
        max_drawdown=deepest.depth if deepest else 0.0, drawdown=_dated(deepest, ts, n),
        longest_drawdown=max((d.sessions for d in falls), default=0),
        best_session=_most(moved), worst_session=_least(moved),
        exposure=_mean(used > 0.0), deployed=_mean(used), commission=commission, borrow=borrow,
        modes=_by(rounds, "mode", MODES), regimes=_by(rounds, "regime", REGIMES),
    )  # fmt: skip


def of(result: Result) -> Metrics:
    whole = result.equity > 0
    return calculate_metrics(
        np.concatenate(([result.setup.cash], result.equity[result.closes])),
        ts=result.ts[result.closes],
        rounds=result.rounds,
        deployed=result.deployed[whole] / result.equity[whole],
        commission=int(result.fills["fee"].sum()) / 1e6,
        borrow=int(result.charges["fee"].sum()) / 1e6,
    )


def of_benchmark(result: Result) -> Metrics:
    """Over the same sessions: nothing moves until the first close, where it is bought."""
    series = np.concatenate((result.benchmark[:1], result.benchmark)) if result.closes.size else (1.0,)
    return calculate_metrics(series, ts=result.ts[result.closes])


def of_rounds(rounds: Array) -> Trades:
    """Sums are of whole micro-dollars, so exact in any order."""
    results, n = rounds["result"], rounds.size
    gains, losses = results[results > 0], results[results < 0]
    cost = np.abs(rounds["qty"]) * rounds["entry"]
    return Trades(
        trades=n, won=gains.size, lost=losses.size,
        result=int(results.sum()) / 1e6, fees=int(rounds["fees"].sum()) / 1e6,
        win_rate=gains.size / n if n else None, average_win=_each(gains), average_loss=_each(losses),
        profit_factor=int(gains.sum()) / -int(losses.sum()) if losses.size else None, expectancy=_each(results),
        average_return=_mean(_shares(results, cost)), average_r=_mean(r_multiples(rounds)),
        best_trade=_usd(_most(results)), worst_trade=_usd(_least(results)),
        trade_sharpe=_steadiness(results), trade_drawdown=_fall(results) / 1e6,
        holding_bars=_mean(rounds["bars"]), holding_days=_mean((rounds["closed"] - rounds["opened"]) / DAY),
    )  # fmt: skip


def r_multiples(rounds: Array) -> Array:
    """(R,) results over the losses that the first stops allowed; NaN where there was no stop."""
    allowed = np.abs(rounds["qty"] * (rounds["entry"] - rounds["stop"]))
    return _shares(rounds["result"], np.where(rounds["stop"] > 0, allowed, 0))


def drawdowns(equity: Array) -> Iterator[Drawdown]:
    """Every time under water of one series, without dates."""
    below = underwater(equity)
    edges = np.diff(np.concatenate(([False], below < 0.0, [False])).astype(np.int8))
    for first, end in zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True):
        bottom, last = first + int(below[first:end].argmin()), equity.size - 1
        yield Drawdown(
            depth=float(below[bottom]), peak=first - 1, bottom=bottom, recovered=end if end <= last else None,
            sessions=min(end, last) - first + 1,
        )  # fmt: skip


def _series(equity: ArrayLike) -> Array:
    series = np.asarray(equity, np.float64)
    if series.ndim != 1 or not series.size:
        raise ValueError(f"equity has the shape {series.shape}: give one series, the initial cash first")
    if not np.isfinite(series).all():
        place = int(np.argmin(np.isfinite(series)))
        raise ValueError(f"equity[{place}] is {series[place]}: only finite numbers can be measured, repair the series")
    if series[0] <= 0.0:
        raise ValueError(
            f"equity[0], the initial cash, is {series[0]}: it must be over 0 for anything to be a share of"
        )
    return series


def _dated(d: Drawdown | None, ts: ArrayLike | None, n: int) -> Drawdown | None:
    if d is None or ts is None:
        return d
    closes = np.asarray(ts, np.int64)
    if closes.shape != (n,):
        raise ValueError(f"ts has the shape {closes.shape} beside {n} sessions: give each session's close, once")
    on = [None if place is None else _date(closes, place) for place in (d.peak, d.bottom, d.recovered)]
    return msgspec.structs.replace(d, peak_on=on[0], bottom_on=on[1], recovered_on=on[2])


def _date(closes: Array, place: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(int(closes[max(place - 1, 0)]) // 10**9, NEW_YORK).date()


def _by(rounds: Array, field: str, names: Mapping[int, str]) -> dict[str, Trades]:
    return {names[code]: of_rounds(rounds[rounds[field] == code]) for code in np.unique(rounds[field]).tolist()}


def _steadiness(results: Array) -> float | None:
    """What is left of equal results is rounding."""
    equal = results.size < 2 or int(results.min()) == int(results.max())
    return None if equal else float(results.mean() / results.std(ddof=1))


def _fall(results: Array) -> int:
    total = np.concatenate(([0], np.cumsum(results)))
    return int((total - np.maximum.accumulate(total)).min())


def _each(amounts: Array) -> float | None:
    return int(amounts.sum()) / amounts.size / 1e6 if amounts.size else None


def _usd(amount: float | None) -> float | None:
    return None if amount is None else amount / 1e6


def _shares(parts: Array, wholes: Array) -> Array:
    """NaN of nothing."""
    return np.asarray(np.divide(parts, wholes, out=np.full(parts.shape, np.nan), where=wholes > 0))


def _mean(x: Array) -> float | None:
    """Of those that are known."""
    known = x[~np.isnan(x)]
    return float(known.mean()) if known.size else None


def _most(x: Array) -> float | None:
    return float(x.max()) if x.size else None


def _least(x: Array) -> float | None:
    return float(x.min()) if x.size else None


def _known(x: Array) -> float | None:
    return float(x) if np.isfinite(x) else None
