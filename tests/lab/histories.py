"""Histories made from numbers, on real sessions."""

from pathlib import Path
from typing import Any

import numpy as np

from fluxhero.config import Config, Strategy
from fluxhero.core.calendar import nyse
from fluxhero.kernel.plug import find
from fluxhero.kernel.state import BAR
from fluxhero.lab.engine import BacktestEngine, Trial
from fluxhero.lab.history import History, aligned
from fluxhero.lab.result import Result
from fluxhero.messages import MINUTE, NO_QUOTE, Array, Nanos, Quality

HERE = Path(__file__).parent
FAR = 1_000_000  # minutes to the close, of a daily bar
FIRST = 5000  # session


def daily(opens: Array, closes: Array, volume: Array | float = 1e6, symbols: tuple[str, ...] = ("AAA",)) -> History:
    """Bars of one symbol (T,), or of several (T, S), without a range beyond open and close."""
    opens, closes = (np.asarray(x, float).reshape(len(opens), -1) for x in (opens, closes))
    bars, sessions = np.zeros(opens.shape, BAR), nyse().sessions[FIRST : FIRST + len(opens)]
    bars["open"], bars["close"] = opens, closes
    bars["high"], bars["low"] = np.maximum(opens, closes), np.minimum(opens, closes)
    bars["ts"] = np.array([s.open for s in sessions])[:, None]
    bars["session"], bars["left"], bars["quality"], bars["spread"] = FIRST, FAR, Quality.FULL, NO_QUOTE
    bars["session"] += np.arange(len(opens))[:, None]
    bars["volume"] = np.broadcast_to(np.asarray(volume, float).reshape(-1, 1), opens.shape)
    ends = np.array([s.close for s in sessions])
    return History(symbols, "1d", Nanos(1440 * MINUTE), True, aligned(bars, ends, nyse()), "made")


def traded(past: History, strategy: str, sizing: str = "", costs: bool = True, **params: Any) -> Result:
    """`strategy`: one that ships, or a file beside this one."""
    name = str(HERE / strategy) if strategy.endswith(".py") else strategy
    found = find(name)
    config = Config(strategy=Strategy(name=name, tables={found.name: params}))
    kind = f"fixed:{found.sizing}" if isinstance(found.sizing, int) else found.sizing
    return BacktestEngine(past, Trial(config=config, sizing=sizing or kind, costs=costs)).run()
