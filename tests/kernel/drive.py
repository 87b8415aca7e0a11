"""Seeded bars, and the real parameters, for driving kernel rules one by one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow.parquet as pq

from fluxhero.config import Config, Strategy
from fluxhero.core.calendar import OPENS
from fluxhero.core.terms import parameters
from fluxhero.feeds.files import Timeframe
from fluxhero.kernel.codes import ENTER, EXIT
from fluxhero.kernel.compile import entry
from fluxhero.kernel.plug import find
from fluxhero.kernel.rows import observe
from fluxhero.kernel.state import BAR, READING, RULES, Array, Rec, row
from fluxhero.kernel.think import build, took
from fluxhero.messages import MINUTE, NO_QUOTE, Model, Nanos, Quality, micros

SESSION = 390  # minutes
DAY = 1440 * MINUTE
NINE_THIRTY = (14 * 60 + 30) * MINUTE  # UTC, in winter
_numba: Any = numba.config
COMPILED = not _numba.DISABLE_JIT
SEEDS = range(3 if COMPILED else 1)  # for what takes long where every step is interpreted


def records(shape: int | tuple[int, ...], dtype: "np.dtype[Any]") -> Array:
    """Zeros. Where there is no compiler their fields are read as Python reads attributes."""
    made = np.zeros(shape, dtype)
    return made if COMPILED else made.view(np.recarray)


def rules(strategy: str = "dual_mode", model: Model = Model.BAR, timeframe: Timeframe = Timeframe.M1) -> Array:
    """PARAMS as the defaults of config.toml make them."""
    config, span = Config(strategy=Strategy(name=strategy)), Nanos(timeframe.minutes * MINUTE)
    made = parameters(config, model, daily=timeframe is Timeframe.D1, span=span)
    params = records(1, made.dtype)
    params[:] = made
    return params


def tuned(params: Array, /, **said: float) -> Array:
    for name, value in said.items():
        params["rules" if name in (RULES.names or ()) else "own"][name] = value
    return params


def fresh(strategy: str = "dual_mode", symbols: int = 1) -> Array:
    return records(symbols, row(find(strategy).own))


def thinker(strategy: str = "dual_mode", /, **said: float) -> "Thinker":
    return Thinker(strategy, tuned(rules(strategy), **said))


def bars_of(close: Array) -> Array:
    """Full one-minute bars without a range or a quote, in sessions of 390 on successive days."""
    t = np.arange(len(close))
    bars = records(len(close), BAR)
    for name in ("open", "high", "low", "close"):
        bars[name] = close
    session, minute = t // SESSION, t % SESSION
    bars["ts"] = session * DAY + NINE_THIRTY + minute * MINUTE
    bars["session"], bars["left"], bars["clock"] = session, SESSION - 1 - minute, OPENS + 1 + minute
    bars["volume"], bars["quality"], bars["spread"] = 1000.0, Quality.FULL, NO_QUOTE
    return bars


def lively(bars: Array) -> Array:
    """The same with volumes that grow by so much that none is too small for a breakout; for up to 450 bars."""
    bars["volume"] = np.round(1000.0 * 1.06 ** np.arange(len(bars)))
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


def beside(*symbols: Array) -> Array:
    """The bars of several symbols as bar times, of shape (n, symbols)."""
    tape = records((len(symbols[0]), len(symbols)), BAR)
    for i, bars in enumerate(symbols):
        tape[:, i] = bars
    return tape


def recorded(path: Path) -> Array:
    """The bars of a Parquet file, as if all were regular."""
    table = pq.read_table(path)
    bars = bars_of(table["close"].to_numpy())
    for name in ("ts", "open", "high", "low", "volume"):
        bars[name] = table[name].to_numpy()
    return bars


@entry
def _observed(rows: Array, bars: Array, readings: Array, params: Array) -> None:
    for t in range(bars.size):
        observe(rows[0].market, rows[0].reading, bars[t], params[0].rules)
        readings[t] = rows[0].reading


def observed(bars: Array, rows: Array | None = None, /, **said: float) -> Array:
    """What `observe` reads at each bar, from a fresh row or from the given one."""
    readings = records(len(bars), READING)
    _observed(fresh() if rows is None else rows, bars, readings, tuned(rules(), **said))
    return readings


class Thinker:
    """One strategy whose orders fill whole at the close that decided them, so that the rows are all there is."""

    def __init__(self, strategy: str, params: Array) -> None:
        self.mind, self.params = build(find(strategy)), params

    def __call__(self, rows: Array, bars: Array, stop_atr: float = 2.5) -> list[int]:
        """One bar time; the symbols whose decision was not `hold`."""
        busy = np.zeros(rows.size, np.int64)
        n = self.mind.think(rows, bars, self.params, stop_atr, busy)
        return [int(i) for i in busy[:n]]

    def explain(self, rows: Array, bars: Array, i: int = 0) -> None:
        self.mind.explain(rows, i, bars, self.params)

    def trade(self, rows: Array, tape: Array) -> Iterator[list[int]]:
        """Bar times of shape (n, symbols), one after the other, with their fills."""
        for bars in tape:
            busy = self(rows, bars)
            for i in busy:
                fill(rows, i, micros(float(bars["close"][i])))
            yield busy


def fill(rows: Array, i: int, price: int) -> None:
    """What the decision of symbol i asks for, at this price."""
    action, side, mode, stop, wide = rows["decision"][["action", "side", "mode", "stop", "wide"]][i].item()
    if action == ENTER:
        took(rows, i, 10 * side, price, mode, stop, wide)
    elif action == EXIT:
        took(rows, i, -int(rows["trade"]["qty"][i]), price, 0, 0, 1.0)


def fields(record: Rec) -> dict[str, float]:
    """A flat record by name, to be compared whole."""
    return dict(zip(record.dtype.names, record.item(), strict=True))
