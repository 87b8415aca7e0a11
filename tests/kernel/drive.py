"""Seeded bars, and the real parameters, for driving kernel rules one by one."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq

from fluxhero.config import Config, Strategy, StrategyName
from fluxhero.feeds.files import Timeframe
from fluxhero.kernel.codes import ENTER, EXIT
from fluxhero.kernel.compile import entry
from fluxhero.kernel.indicators import observe
from fluxhero.kernel.state import BAR, READING, Array, Rec, row
from fluxhero.kernel.think import build, took
from fluxhero.messages import MINUTE, Model, Quality, micros
from fluxhero.outset import STRATEGIES, parameters

SESSION = 390  # minutes


def rules(strategy: StrategyName = "dual_mode", model: Model = Model.BAR, timeframe: Timeframe = Timeframe.M1) -> Array:
    """PARAMS as the defaults of config.toml make them."""
    return parameters(Config(strategy=Strategy(name=strategy)), model, daily=timeframe is Timeframe.D1)


def fresh(strategy: str = "dual_mode", symbols: int = 1) -> Array:
    return np.zeros(symbols, row(STRATEGIES[strategy].OWN))


def thinker(strategy: StrategyName = "dual_mode") -> "Thinker":
    return Thinker(STRATEGIES[strategy], rules(strategy))


def bars_of(close: Array) -> Array:
    """Full one-minute bars without a range, in sessions of 390."""
    t = np.arange(len(close))
    bars = np.zeros(len(close), BAR)
    for name in ("open", "high", "low", "close"):
        bars[name] = close
    bars["ts"], bars["volume"], bars["quality"] = (t + 1) * MINUTE, 1000.0, Quality.FULL
    bars["session"], bars["left"] = t // SESSION, SESSION - 1 - t % SESSION
    return bars


def walk(seed: int, n: int = 1200, start: float = 100.0, move: float = 8e-4) -> Array:
    """A random walk in cents that trends and ranges by turns of an hour."""
    rng = np.random.default_rng(seed)
    drift = np.repeat(rng.normal(0.0, move / 2, n // 60 + 1), 60)[:n]
    close = np.maximum(np.round(start * np.exp(np.cumsum(drift + rng.normal(0.0, move, n))), 2), 0.01)
    bars = bars_of(close)
    bars["open"][1:] = close[:-1]
    reach = np.round(np.abs(rng.normal(0.0, move * start / 2, (2, n))), 2)
    bars["high"] = np.maximum(bars["open"], close) + reach[0]
    bars["low"] = np.maximum(np.minimum(bars["open"], close) - reach[1], 0.01)
    bars["volume"] = rng.integers(1_000, 50_000, n)
    return bars


def recorded(path: Path) -> Array:
    """The bars of a Parquet file, as if all were regular."""
    table = pq.read_table(path)
    bars = bars_of(table["close"].to_numpy())
    for name in ("ts", "open", "high", "low", "volume"):
        bars[name] = table[name].to_numpy()
    return bars


@entry
def _observed(rows: Array, bars: Array, readings: Array) -> None:
    for t in range(bars.size):
        observe(rows[0].market, rows[0].reading, bars[t])
        readings[t] = rows[0].reading


def observed(bars: Array, rows: Array | None = None) -> Array:
    """What `observe` reads at each bar, from a fresh row or from the given one."""
    readings = np.zeros(len(bars), READING)
    _observed(fresh() if rows is None else rows, bars, readings)
    return readings


class Thinker:
    """One strategy whose orders fill whole at the close that decided them, so that the rows are all there is."""

    def __init__(self, strategy: ModuleType, params: Array) -> None:
        self._think, self._params = build(strategy), params

    def __call__(self, rows: Array, bars: Array) -> list[int]:
        """One bar time; the symbols whose decision was not `hold`."""
        busy = np.zeros(rows.size, np.int64)
        n = self._think(rows, bars, self._params, 2.5, busy)
        return [int(i) for i in busy[:n]]

    def trade(self, rows: Array, tape: Array) -> Iterator[list[int]]:
        """Bar times of shape (n, symbols), one after the other, with their fills."""
        for bars in tape:
            busy = self(rows, bars)
            for i in busy:
                price = micros(float(bars["close"][i]))
                if rows["decision"]["action"][i] == ENTER:
                    took(rows, i, 10, price, *(int(rows["decision"][k][i]) for k in ("mode", "stop")))
                elif rows["decision"]["action"][i] == EXIT:
                    took(rows, i, -int(rows["trade"]["qty"][i]), price, 0, 0)
            yield busy


def fields(record: Rec) -> dict[str, float]:
    """A flat record by name, to be compared whole."""
    return dict(zip(record.dtype.names, record.item(), strict=True))
