"""The records: what one symbol, the account and a fill carry. Money is int64 micro-dollars, shares are whole.

Every dtype is made here, once: Numba is slow on equal but different dtypes. No field may be named like an attribute
of `np.void` (a test keeps that), or the kernel could not run without the compiler.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from fluxhero.kernel.codes import CHECKS, MODES

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


def fields(of: type[tuple[Any, ...]]) -> list[tuple[str, type]]:
    """Those of a NamedTuple."""
    return [(name, i8 if kind is int else f8) for name, kind in of.__annotations__.items()]


def of(kind: type[tuple[Any, ...]]) -> np.dtype[Any]:
    """The record that keeps a NamedTuple."""
    return record(*fields(kind))


# One bar of one symbol. ts: start, UTC ns, 0 = no bar; session: index in the calendar, -1 outside; left: minutes from
# the bar's end to the session's close; quality: see messages.Quality; clock: the bar's end, in minutes of New York's
# day; spread: ask - bid of the fresh quote at its end, USD, less than 0 where there was none.
BAR = record(*ints("ts"), *floats("open high low close volume"), *ints("session left quality clock"), *floats("spread"))


class Spans(NamedTuple):
    """The periods in force and their smoothing constants."""

    path: int
    bands: int
    ema_gain: float
    rsi_keep: float
    atr_keep: float
    atr_gain: float
    share: float  # 1 / bands


class Means(NamedTuple):
    """The last bar, and what fades from bar to bar."""

    high: float
    low: float
    close: float
    ema: float
    up: float
    moved: float
    atr: float
    rises: float
    falls: float
    adx: float


class Windows(NamedTuple):
    """What slides: KAMA's path, the bands and the line, each with what is faint beside it."""

    length: float
    short: float
    lag: float
    variance: float
    faint: float
    line_lag: float
    line_variance: float
    line_faint: float
    xy: float


class Values(NamedTuple):
    """What they say of a bar."""

    ema: float
    rsi: float
    atr: float
    adx: float
    kama: float
    er: float
    mid: float
    sd: float
    slope: float
    r2: float


PAST = record(*floats("high low volume atr"))

# A higher timeframe, made from the trading bars: the bar that forms until `until` (0: none does), the close before it,
# and what has sealed.
HIGHER = record(
    *ints("ts until count session"), *floats("open high low close volume before atr"), ("closes", f8, (64,))
)

# volatility: what the periods are set for; ranges, volumes: sums of the ATRs and volumes that their means are of.
MARKET = record(
    *ints("count volatility"), ("means", of(Means)), ("windows", of(Windows)), ("spans", of(Spans)),
    *floats("kama ranges volumes"),
    ("closes", f8, (64,)), ("past", PAST, (64,)), ("five", HIGHER), ("hour", HIGHER),
)  # fmt: skip
READING = record(*floats("close"), *fields(Values), *floats("atr_mean volume_mean"))
REGIME = record(*ints("now seen streak changed held volatility"))
SESSION = record(("index", i8), ("gap", f8), ("suspect", i8))
# qty is signed; best: the highest high of a long position since entry, the lowest low of a short one.
TRADE = record(*ints("qty mode stop"), *floats("best wide"))
# Why: `value` and `limit` of every condition that was looked at, by codes.Check, NaN where it was not.
DECISION = record(
    *ints("action side mode gate stop raised"), *floats("risk scale wide"), ("value", f8, (CHECKS,)),
    ("limit", f8, (CHECKS,)),
)  # fmt: skip


# What `generate_signals` and `apply_noise_filter` answer for a bar.
SIGNAL = record(
    *ints("ts action side mode regime volatility gate stop raised held"), *floats("risk scale wide"),
    ("value", f8, (CHECKS,)), ("limit", f8, (CHECKS,)),
)  # fmt: skip
NOISE = record(*ints("ts gate"), ("value", f8, (CHECKS,)), ("limit", f8, (CHECKS,)))


def row(own: np.dtype[Any]) -> np.dtype[Any]:
    """All that one symbol carries from bar to bar; `own` is what its strategy keeps for itself."""
    return record(
        ("reading", READING), ("regime", REGIME), ("session", SESSION), ("trade", TRADE), ("decision", DECISION),
        ("market", MARKET), ("own", own),
    )  # fmt: skip


# What a mode's closed trades came to, micro-dollars; worst: the deepest fall of `net` from its peak; returns: sums of
# the results and of their squares, USD; weight: of sizes, set on the first bar of a month.
MODE = record(*ints("trades wins gains losses net peak worst"), *floats("returns squares weight"))

# The account as the watch and the sizer see it. day_base: equity at the previous session's last seal; crest: the
# drawdown breaker's reference; peak: the highest equity ever, for reports; trips: bits of Trip; strikes: bits of the
# limits that the last mark was beyond, at `struck`; month: year x 12 + month of the session; sizing, trail: factors;
# modes: by codes of modes.
ACCOUNT = record(
    *ints("equity deployed positions session month day_base last peak crest strikes struck trips"),
    *floats("sizing trail"), ("modes", MODE, (MODES,)),
)  # fmt: skip

# The last closes of one symbol with their times, for correlations: rings of 64; back: the log returns from the one
# before, as far as they are reckoned.
TAPE = record(*ints("count reckoned"), ("ts", i8, (64,)), ("close", f8, (64,)), ("back", f8, (64,)))

# strikes: the marks in a row that make a trip, 1 or 2, at most strike_window ns apart; span: of the trading bars, ns.
RULES = record(
    *floats("slip impact crowd borrow trade_risk position_cap deployed_cap day_loss soft_drawdown hard_drawdown"),
    *floats("soft_size stop_atr soft_stop_atr stop_step entry_reach gap_limit"),
    *floats("strong_adx strong_r2 quiet_adx quiet_r2 high_vol low_vol spike_ratio spike_stop spike_size"),
    *floats("volume_floor volume_breakout spread_max spread_noon"),
    *floats("correlated correlated_size crowded weight_floor"),
    *ints("fee slots confirm last_minutes strikes strike_window span crowded_slots weight_trades day_trades"),
    *ints("kama adaptive shorts raw"),  # raw: prices are as traded, splits show; kama: 1 is regime-aware
)


def params(own: np.dtype[Any]) -> np.dtype[Any]:
    return record(("rules", RULES), ("own", own))
