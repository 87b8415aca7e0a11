"""The records: what one symbol, the account and a fill carry. Money is int64 micro-dollars, shares are whole.

Every dtype is made here, once: Numba is slow on equal but different dtypes. No field may be named like an attribute
of `np.void` (a test keeps that), or the kernel could not run without the compiler.
"""

from functools import cache
from typing import Any

import numpy as np

f8, i8 = np.float64, np.int64

Rec = Any  # one record: Numba knows its fields, mypy cannot
Array = np.ndarray[Any, np.dtype[Any]]


@cache
def record(*fields: tuple[Any, ...]) -> np.dtype[Any]:
    return np.dtype(list(fields), align=True)


def floats(names: str) -> list[tuple[str, type]]:
    return [(name, f8) for name in names.split()]


def ints(names: str) -> list[tuple[str, type]]:
    return [(name, i8) for name in names.split()]


# One bar of one symbol. ts: start, UTC ns, 0 = no bar; session: index in the calendar, -1 outside;
# left: minutes from the bar's end to the session's close; quality: see messages.Quality.
BAR = record(*ints("ts"), *floats("open high low close volume"), *ints("session left quality"))

PREV = record(*floats("high low close"))
PAIR = record(*floats("up down"))
PATH = record(*floats("kama length er"))
WINDOW = record(*floats("origin s ss"))
LINE = record(*floats("y xy yy"))
MEAN = record(("total", f8), ("ring", f8, (64,)))
MARKET = record(
    ("count", i8), ("prev", PREV), ("closes", f8, (64,)), ("ema", f8), ("rsi", PAIR), ("atr", f8), ("dm", PAIR),
    ("adx", f8), ("path", PATH), ("window", WINDOW), ("line", LINE), ("volumes", MEAN), ("ranges", MEAN),
)  # fmt: skip
READING = record(*floats("close ema rsi atr adx kama er mid sd slope r2 atr_mean volume_mean"))
REGIME = record(*ints("now seen streak changed held"))
SESSION = record(("index", i8), ("gap", f8), ("suspect", i8))
TRADE = record(*ints("qty mode stop"), ("peak", f8))
DECISION = record(*ints("action mode gate stop raised"), *floats("value limit risk scale"))


def row(own: np.dtype[Any]) -> np.dtype[Any]:
    """All that one symbol carries from bar to bar; `own` is what its strategy keeps for itself."""
    return record(
        ("market", MARKET), ("reading", READING), ("regime", REGIME), ("session", SESSION), ("trade", TRADE),
        ("decision", DECISION), ("own", own),
    )  # fmt: skip


# The account as the watch and the sizer see it. day_base: equity at the previous session's last seal; crest: the
# drawdown breaker's reference; peak: the highest equity ever, for reports; trips: bits of Trip; strikes: bits of the
# limits that the last mark was beyond, at `struck`; sizing, trail: factors.
ACCOUNT = record(
    *ints("equity deployed positions session day_base last peak crest strikes struck trips"), *floats("sizing trail")
)

# strikes: the marks in a row that make a trip, 1 or 2, at most strike_window ns apart.
RULES = record(
    *floats("slip impact crowd position_cap deployed_cap day_loss soft_drawdown hard_drawdown"),
    *floats("soft_size stop_atr soft_stop_atr stop_step gap_limit"),
    *ints("fee slots confirm last_minutes strikes strike_window raw"),  # raw: prices are as traded, splits show
)


def params(own: np.dtype[Any]) -> np.dtype[Any]:
    return record(("rules", RULES), ("own", own))
