"""Loads or compiles every entry that a daemon calls, so that nothing is left for when it matters."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fluxhero.kernel.cache import tidy
from fluxhero.kernel.compile import ENTRIES
from fluxhero.kernel.correlation import correlated, pushed
from fluxhero.kernel.fills import borrow_fee, open_fill, stop_fill
from fluxhero.kernel.higher import lifted
from fluxhero.kernel.plug import Strategy
from fluxhero.kernel.risk import admitted, closed, marked, rolled, watched
from fluxhero.kernel.state import ACCOUNT, BAR, HIGHER, TAPE, row
from fluxhero.kernel.think import build, took
from fluxhero.section import ConfigError


class Sample:
    """Records with the dtypes of real ones, to be written to."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy, self.mind = strategy, build(strategy)
        self.rows, self.bars, self.tapes = np.zeros(2, row(strategy.own)), np.zeros(2, BAR), np.zeros(2, TAPE)
        self.forming, self.sealed, self.slots = np.zeros(2, HIGHER), np.zeros((2, 2), BAR), np.zeros(2, np.int64)
        self.account, self.params = np.zeros(1, ACCOUNT), np.zeros(1, strategy.params)
        self.account["equity"] = self.account["day_base"] = self.account["crest"] = 1
        self.rules = self.params["rules"]
        self.rules["day_loss"] = self.rules["hard_drawdown"] = 1.0


Call = Callable[[Sample], Any]

# Every entry that a daemon calls is called once.
DAEMON: tuple[Call, ...] = (
    lambda s: s.mind.think(s.rows, s.bars, s.params, 2.5, s.slots),
    lambda s: s.mind.explain(s.rows, 0, s.bars, s.params),
    lambda s: took(s.rows, 0, 1, 1_000_000, 1, 900_000, 1.0),
    lambda s: lifted(s.forming, s.bars, 60, 300, 0, s.sealed),
    lambda s: pushed(s.tapes, s.bars),
    lambda s: correlated(s.tapes, 0, 1),
    lambda s: closed(s.account, 1, 1_000_000),
    lambda s: rolled(s.account, 0),
    lambda s: watched(s.account, 1, 0, 0, 0, s.rules),
    lambda s: marked(s.account, 1, 0, s.rules),
    lambda s: admitted(s.account, s.tapes, s.slots, s.rules, 0, 1, 1, 1_000_000, 900_000, 0.01, 1.0, False),
    lambda s: open_fill(s.bars, 0, 1, 1, 1.0, 0, s.rules),
    lambda s: stop_fill(s.bars, 0, -1, 1, 1, 1.0, s.rules),
    lambda s: borrow_fee(1_000_000, 1, 0.003),
)


def warm(strategy: Strategy, calls: tuple[Call, ...] = DAEMON) -> None:
    """Raises ConfigError where an own strategy does not compile."""
    sample = Sample(strategy)
    try:
        for call in calls:
            call(sample)
    except Exception as e:
        if not strategy.digest:
            raise
        file = str(strategy.module.__file__)
        raise ConfigError(f"{file}: it does not compile: {_reason(e, Path(file).name)}") from None
    tidy(strategy.bound)


def _reason(e: Exception, file: str) -> str:
    """Numba writes pages; what counts is what they begin with, and the first line of the file that they name."""
    if isinstance(e, KeyError):
        return f"a record has no field {e}"
    lines = [line.strip() for line in str(e).splitlines()]
    lines = [line for line in lines if line and not line.startswith(("Failed in ", "During: "))]
    said = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    place = re.search(rf'{re.escape(file)}"?,? (?:line |\()(\d+)', str(e))
    short = said if len(said) <= 200 else f"{said[:60]} ... {said[-120:]}"
    return f"{short or type(e).__name__}{f' (line {place[1]})' if place else ''}"


def compiled() -> tuple[int, int]:
    """(loaded from the cache, compiled here): versions of entries in this process."""
    stats = [entry.stats for entry in ENTRIES]
    return sum(sum(s.cache_hits.values()) for s in stats), sum(sum(s.cache_misses.values()) for s in stats)
