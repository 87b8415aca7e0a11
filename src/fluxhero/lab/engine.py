"""Backtests: a whole strategy with the limits of its account over time-aligned symbols, in one compiled loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from fluxhero.config import Config
from fluxhero.core.terms import account, parameters
from fluxhero.feeds.faults import Unusable
from fluxhero.kernel.places import ROOM, TABLES
from fluxhero.kernel.plug import find, settled
from fluxhero.kernel.simulate import Market, Track, opened, simulator
from fluxhero.kernel.trading import ALL, BY_RISK, FIXED, Symbols, Terms
from fluxhero.lab.history import History
from fluxhero.lab.result import Result, Setup
from fluxhero.messages import Array, Micros, Model, Quality, micros
from fluxhero.section import ConfigError

COSTS = ("slip", "impact", "fee", "borrow")  # rules
OPEN = {  # gates that nothing comes to
    "last_minutes": -1, "gap_limit": math.inf, "volume_floor": -1.0, "volume_breakout": -1.0, "spread_max": math.inf,
    "spread_noon": math.inf, "day_trades": 0,
}  # fmt: skip


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How it is traded: sized by `risk` as the daemon does it; `fixed:N` and `full` without gates, stops, caps and
    breakers.
    """

    config: Config
    sizing: str = "risk"
    costs: bool = True
    release: bool = True  # of a day's loss, by the next session
    verbose: bool = True  # else nothing but round trips and limits is written down

    @property
    def sized(self) -> tuple[int, int]:
        """Sizing and amount, as the kernel takes them. Raises ConfigError."""
        kind, _, amount = self.sizing.partition(":")
        if kind == "fixed" and amount.isdecimal() and int(amount) > 0:
            return FIXED, int(amount)
        if self.sizing not in ("risk", "full"):
            raise ConfigError(
                f"sizing = {self.sizing!r}: it must be risk, full or fixed:N, N shares, such as fixed:100"
            )
        return BY_RISK if kind == "risk" else ALL, 0


@dataclass(frozen=True, eq=False)
class Played:
    """The state at the end, and all that was written down."""

    desk: Array
    symbols: Symbols
    track: Track
    tables: Mapping[str, Array]


class BacktestEngine:
    """One way to trade over one history; every run begins anew."""

    def __init__(self, past: History, trial: Trial) -> None:
        """Raises ConfigError."""
        self.past, self.trial = past, trial
        self.config = settled(trial.config)
        self.strategy = find(self.config.strategy.name)
        self.terms = Terms(*trial.sized, trial.release, self._barred())
        self._simulate = simulator(self.strategy)
        self._params = self._parameters()

    def run(self) -> Result:
        """From the first bar time to the last."""
        p, past = self.played(), self.past
        t = p.tables
        return Result(
            setup=self._setup(), ts=past.market.ends, equity=p.track.equity, deployed=p.track.deployed,
            closes=past.closes, benchmark=bought(past, self.config.paper.cash), bars=past.market.bars,
            rounds=t["rounds"], fills=t["fills"], levels=t["levels"], decisions=t["decided"], charges=t["charges"],
            sent=t["sent"], trips=t["trips"],
        )  # fmt: skip

    def played(self) -> Played:
        """In parts, for a table that is full is emptied before the next."""
        k, of = self.begun()
        track = Track(*np.empty((len(Track._fields), len(self.past.market.ends)), np.int64))
        parts = list(self.parts(k, of, self.past.market, track, self.terms))
        return Played(k, of, track, {name: np.concatenate([p[name] for p in parts]) for name in TABLES._fields})

    def parts(
        self, k: Array, of: Symbols, market: Market, track: Track, terms: Terms, at: int = 0
    ) -> Iterator[dict[str, Array]]:
        """From bar time `at` on; what every table has got, whenever one is full and at the end. Raises Unusable."""
        busy, times = np.zeros(len(of.rows), np.int64), len(market.ends)
        while at < times:
            was, at = at, self._simulate(k, of, market, track, terms, busy, at)
            yield {name: _taken(k, name, last=at == times) for name in TABLES._fields}
            if at == was:
                raise Unusable(f"bar time {at} may write more than {ROOM:,} rows: give fewer symbols, or no such hole")

    def begun(self) -> tuple[Array, Symbols]:
        """The desk and its symbols, before anything has happened."""
        return self.fresh(self._params, micros(self.config.paper.cash), verbose=self.trial.verbose)

    def fresh(self, params: Array, cash: Micros, *, verbose: bool) -> tuple[Array, Symbols]:
        """With so much cash, and these rules."""
        a = account(cash)
        a["trail"] = params["rules"]["stop_atr"]
        k, of = opened(self.strategy, len(self.past.symbols), a, params, int(cash))
        k["verbose"] = verbose
        return k, of

    def _parameters(self) -> Array:
        daily, raw = self.past.timeframe == "1d", not self.past.adjusted
        p = parameters(self.config, Model.BAR, daily=daily, raw=raw, span=self.past.span)
        free = dict.fromkeys(() if self.trial.costs else COSTS, 0)
        for name, value in {**free, **({} if self.terms.sizing == BY_RISK else OPEN)}.items():
            p["rules"][name] = value
        return p

    def _barred(self) -> Array:
        return np.array([symbol in self.config.gates.hard_to_borrow for symbol in self.past.symbols], np.int64)

    def _setup(self) -> Setup:
        return Setup(
            strategy=self.strategy.name, params=msgspec.to_builtins(self.config.strategy.params),
            symbols=self.past.symbols, timeframe=self.past.timeframe, sizing=self.trial.sizing,
            costs="spec" if self.trial.costs else "none", risk=self.trial.sizing == "risk",
            cash=micros(self.config.paper.cash), data=self.past.digest, source="backtest",
        )  # fmt: skip


def _taken(k: Array, name: str, *, last: bool) -> Array:
    """What a table has got; it is empty then. Trips wait for the end, for they are released later."""
    table: Array = k["log"][name][0]
    if name == "trips" and not last:
        return table[:0]
    rows = table[: int(k["purse"][name][0])].copy()
    if name != "trips":
        k["purse"][name] = 0
    return rows


def bought(past: History, cash: float) -> Array:
    """The cash in equal parts in every symbol from its first close on, USD at the sessions' closes."""
    bars = past.market.bars
    known = bars["quality"] == Quality.FULL
    at = np.maximum.accumulate(np.where(known, np.arange(len(bars))[:, None], -1), axis=0)
    close = np.take_along_axis(bars["close"], np.maximum(at, 0), axis=0)
    first = np.take_along_axis(bars["close"], known.argmax(axis=0)[None, :], axis=0)
    grown = np.where(at < 0, 1.0, close / first)
    worth: Array = grown[past.closes].mean(axis=1) * cash
    return worth
