"""Loads or compiles every entry that a strategy's daemon will call, so that nothing is left for when it matters."""

from __future__ import annotations

from typing import Any

import numpy as np

from fluxhero.kernel.compile import ENTRIES
from fluxhero.kernel.fills import open_fill, stop_fill
from fluxhero.kernel.risk import admitted, marked, rolled, watched
from fluxhero.kernel.state import ACCOUNT, BAR, row
from fluxhero.kernel.think import build, took


def warm(strategy: Any) -> None:
    """Each entry once, with the dtypes of real calls, on records of its own."""
    rows, bars = np.zeros(2, row(strategy.OWN)), np.zeros(2, BAR)
    account, params = np.zeros(1, ACCOUNT), np.zeros(1, strategy.PARAMS)
    account["equity"] = account["day_base"] = account["crest"] = 1
    params["rules"]["day_loss"] = params["rules"]["hard_drawdown"] = 1.0
    build(strategy)(rows, bars, params, 2.5, np.zeros(2, np.int64))
    took(rows, 0, 1, 1_000_000, 1, 900_000)
    rolled(account, 0)
    watched(account, 1, 0, 0, params)
    marked(account, 1, 0, params)
    admitted(account, 1_000_000, 900_000, 0.01, 1.0, params)
    open_fill(bars, 0, 1, 1, 1.0, 0, params)
    stop_fill(bars, 0, 1, 1, 1.0, params)


def compiled() -> tuple[int, int]:
    """(loaded from the cache, compiled here): versions of entries in this process."""
    stats = [entry.stats for entry in ENTRIES]
    return sum(sum(s.cache_hits.values()) for s in stats), sum(sum(s.cache_misses.values()) for s in stats)
