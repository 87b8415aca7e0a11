"""One point of a strategy's parameters, tried over one stretch of a history: as `BacktestEngine`, but made for many.

A stretch begins with warm rows and no position: on the bars before it everything is computed and nothing is granted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from fluxhero.kernel.codes import FULL
from fluxhero.kernel.fills import open_fill
from fluxhero.kernel.ledger import EXIT, ROUND
from fluxhero.kernel.places import TABLES
from fluxhero.kernel.simulate import Market, Track, opened
from fluxhero.kernel.state import BAR
from fluxhero.kernel.trading import FIXED
from fluxhero.lab.engine import BacktestEngine, Trial
from fluxhero.lab.history import History
from fluxhero.lab.metrics import Metrics, Trades, calculate_metrics, of_rounds
from fluxhero.messages import Array
from fluxhero.section import ConfigError, Section, numbers

# More of each is better.
OBJECTIVES = (
    "sharpe", "sortino", "calmar", "cagr", "total_return", "max_drawdown", "profit_factor", "expectancy", "win_rate",
    "average_r", "result",
)  # fmt: skip

Number = float | int | None


class Stretch(NamedTuple):
    """Bar times: warm from `warm` on, traded from `first` on, until `end`, which is out."""

    warm: int
    first: int
    end: int


@dataclass(frozen=True, eq=False)
class Tried:
    """What came of it; T bar times and C sessions of the stretch, money in micro-dollars."""

    cash: int
    ts: Array  # (T,) ends, UTC ns
    bars: Array  # BAR (T, S)
    closes: Array  # (C,) index of each session's last bar time
    equity: Array  # (T,)
    deployed: Array  # (T,)
    rounds: Array  # ROUND
    places: Array  # PLACE (S,) at the end; `begun` counts from `first`, less than 0 never
    rules: Array  # RULES (1,)
    commission: int
    borrow: int

    @property
    def series(self) -> Array:
        """(1 + C,) the cash, then equity at the sessions' closes."""
        return np.concatenate(([self.cash], self.equity[self.closes]))

    @property
    def open(self) -> int:
        """Positions at the end."""
        return int(np.count_nonzero(self.places["qty"]))

    def metrics(self) -> Metrics:
        return calculate_metrics(
            self.series, ts=self.ts[self.closes], rounds=self.rounds, deployed=self.used,
            commission=self.commission / 1e6, borrow=self.borrow / 1e6,
        )  # fmt: skip

    def numbers(self) -> dict[str, Number]:
        """`metrics` in a line: by `NUMBERS`, in a third of the time."""
        of, trades = calculate_metrics(self.series, deployed=self.used), of_rounds(self.rounds)
        return {name: getattr(trades if name in Trades.__struct_fields__ else of, name) for name in NUMBERS}

    @property
    def used(self) -> Array:
        """(T,) shares of equity deployed, where there was any."""
        whole = self.equity > 0
        return np.asarray(self.deployed / self.equity if whole.all() else self.deployed[whole] / self.equity[whole])

    def purged(self) -> Tried:
        """As if what is still open at the end had never been entered: nobody knows yet what becomes of it."""
        equity, deployed = self.equity.copy(), self.deployed.copy()
        for slot in np.flatnonzero(self.places["qty"]).tolist():
            p, first = self.places[slot], int(self.places["begun"][slot])
            worth = int(p["qty"]) * marks(self.bars[first:, slot])
            equity[first:] -= worth - int(p["paid"]) + int(p["received"]) - int(p["fees"])
            deployed[first:] -= np.abs(worth)
        return replace(self, equity=equity, deployed=deployed, places=np.zeros_like(self.places))

    def closed_out(self) -> Tried:
        """What is still open at the end leaves at its close, at the costs of a fill."""
        slots = np.flatnonzero(self.places["qty"]).tolist()
        if not slots:
            return self
        p, left = self.places[slots], np.concatenate([self._left(slot, self.places[slot]) for slot in slots])
        equity = self.equity.copy()
        equity[-1] += (left["result"] - (p["qty"] * p["close"] + p["received"] - p["paid"] - p["fees"])).sum()
        return replace(
            self, equity=equity, rounds=np.concatenate((self.rounds, left)), places=np.zeros_like(self.places),
            commission=self.commission + int((left["fees"] - p["fees"]).sum()),
        )  # fmt: skip

    def _left(self, slot: int, p: Any) -> Array:
        """Its round trip."""
        bar, qty, made = np.zeros(1, BAR), int(p["qty"]), np.zeros(1, ROUND)
        bar["open"], side = p["close"] / 1e6, -1 if qty > 0 else 1
        price = open_fill(bar, 0, side, abs(qty), float(p["volume"]), 0, self.rules)
        entry = int(p["paid" if qty > 0 else "received"]) // abs(qty)
        fees = int(p["fees"]) + abs(qty) * int(self.rules["fee"][0])
        for name, value in {
            "slot": slot, "mode": p["mode"], "regime": p["regime"], "qty": qty, "opened": p["opened"],
            "closed": self.ts[-1], "entry": entry, "exit": price, "stop": p["aim"], "fees": fees,
            "result": int(p["received"]) - int(p["paid"]) + qty * price - fees, "role": EXIT,
            "bars": len(self.ts) - int(p["begun"]),
        }.items():  # fmt: skip
            made[name] = value
        return made


# Of `Metrics`, those that are one number and known without the fills.
NUMBERS: dict[str, type] = {
    field.name: int if field.type is int else float
    for field in msgspec.structs.fields(Metrics)
    if field.name not in ("drawdown", "modes", "regimes", "commission", "borrow")
}


def marks(bars: Array) -> Array:
    """(T,) micro-dollars: the newest close; the first bar is a full one."""
    full = bars["quality"] == FULL
    newest = np.maximum.accumulate(np.where(full, np.arange(len(bars)), 0))
    return np.asarray((bars["close"][newest] * 1e6 + 0.5).astype(np.int64))


def objective(name: str) -> str:
    if name not in OBJECTIVES:
        raise ConfigError(f"objective = {name!r}; it must be one of {', '.join(OBJECTIVES)}")
    return name


def rank(score: Number) -> float:
    """By which the best is the greatest; what has no number is the worst."""
    return -np.inf if score is None else float(score)


class Bench:
    """Tries points over one history. Used by many threads at once; pickled, it is built anew where it arrives."""

    def __init__(self, past: History, trial: Trial) -> None:
        """`trial`: whatever the points do not say. Raises ConfigError."""
        self.past, self.trial = past, trial
        self._engine = engine = BacktestEngine(past, trial)
        self.strategy, self.closes = engine.strategy, past.closes
        k, _ = engine.begun()
        self._account, self._params, self.cash = k["account"].copy(), k["params"].copy(), int(k["purse"]["cash"][0])

    def __reduce__(self) -> tuple[Any, ...]:
        """Tables as they are in the file, for a strategy's own classes are known only where it was loaded."""
        config = self.trial.config
        tables = msgspec.to_builtins(config.strategy.tables)
        plain = msgspec.structs.replace(config, strategy=msgspec.structs.replace(config.strategy, tables=tables))
        return rebuilt, (self.past, msgspec.structs.replace(self.trial, config=plain), self.strategy.code)

    def point(self, values: Mapping[str, Any]) -> Section:
        return msgspec.convert(values, self.strategy.Params)

    def tried(self, point: Section | None = None, stretch: Stretch | None = None, *, verbose: bool = False) -> Tried:
        """The configured point over all there is, cold, if not said; `verbose`: commission and borrow are known too."""
        past, at = self.past.market, stretch or Stretch(0, 0, len(self.past.market.ends))
        params, lead = self._params.copy(), at.first - at.warm
        for key, value in numbers(point or self._engine.config.strategy.params).items():
            params["own"][key] = value
        k, of = opened(self.strategy, len(self.past.symbols), self._account, params, self.cash)
        market = Market(*(column[at.warm : at.end] for column in past))
        track = Track(*np.empty((len(Track._fields), at.end - at.warm), np.int64))
        tables = self._played(k, of, market, track, lead, verbose)
        places = of.places.copy()
        places["begun"] -= lead
        closes = self.closes[(self.closes >= at.first) & (self.closes < at.end)] - at.first
        return Tried(
            cash=self.cash, ts=market.ends[lead:], bars=market.bars[lead:], closes=closes, equity=track.equity[lead:],
            deployed=track.deployed[lead:], rounds=tables["rounds"], places=places, rules=params["rules"],
            commission=int(tables["fills"]["fee"].sum()), borrow=int(tables["charges"]["fee"].sum()),
        )  # fmt: skip

    def _played(self, k: Array, of: Any, market: Market, track: Track, lead: int, verbose: bool) -> dict[str, Array]:
        """What was written down; a table that is full is emptied."""
        engine, before = self._engine, Market(*(column[:lead] for column in market))
        for _ in engine.parts(k, of, before, track, engine.terms._replace(sizing=FIXED, amount=0)):
            pass  # nothing is granted, so that nothing is written
        k["verbose"] = verbose
        parts = list(engine.parts(k, of, market, track, engine.terms, lead))
        return {
            name: np.concatenate([p[name] for p in parts]) if parts else np.zeros(0, getattr(TABLES, name))
            for name in ("rounds", "fills", "charges")
        }


def rebuilt(past: History, trial: Trial, code: str) -> Bench:
    made = Bench(past, trial)
    if made.strategy.code != code:
        raise ConfigError(f"{trial.config.strategy.name} is {made.strategy.code} here and {code} where it comes from: "
                          "install the same version on every machine")  # fmt: skip
    return made
