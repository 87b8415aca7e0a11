"""What may refuse an entry by looking at the symbol alone: the hours, the opening gap, and the noise."""

import math

from fluxhero.kernel.codes import (
    BREAKOUT,
    C_BREAKOUT,
    C_GAP,
    C_HOURS,
    C_SPREAD,
    C_VOLUME,
    CHECKS,
    GAP,
    HOURS,
    LONG,
    OPEN,
    SPREAD,
    VOLUME,
)
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.higher import wobble
from fluxhero.kernel.rows import RING
from fluxhero.kernel.state import Rec

LOUD = 1000.0  # the most that noise can be: prices that do not move have none to compare with
REACH = 20  # bars before this one, whose highs and lows a breakout leaves
NOON, ONE = 12 * 60, 13 * 60  # the illiquid hour, minutes of New York's day


@step
def near(move: float, ratio: float) -> bool:
    return abs(move * ratio - 1.0) < 0.03


@rare
def looks_split(move: float) -> bool:
    """Does an overnight move (open / previous close) match a usual split ratio, forward or reverse?"""
    for ratio in (2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 1.5):
        if near(move, ratio) or near(move, 1.0 / ratio):
            return True
    return False


@rare
def opened(s: Rec, before: float, bar: Rec, count: int, raw: int) -> None:
    """The first full bar of a session: its gap over the previous session's close. Raw prices may show a split."""
    if count == 0:  # of rows that begin anew a gap may be known, but not another session's
        s.gap, s.index = s.gap if s.index == bar.session else 0.0, bar.session
        return
    s.index = bar.session
    s.gap = abs(bar.open - before) / before
    if raw != 0 and looks_split(bar.open / before):
        s.suspect = 1


@step
def session(s: Rec, m: Rec, bar: Rec, raw: int) -> None:
    if (bar.session != s.index) | (m.count == 0):
        opened(s, m.means.close, bar, m.count, raw)


@step
def check(d: Rec, condition: int, value: float, limit: float) -> None:
    """A condition that a decision has looked at; a value that is NaN could not be told."""
    d.value[condition], d.limit[condition] = value, limit


@rare
def blank(d: Rec) -> None:
    """Nothing has been looked at."""
    for j in range(CHECKS):
        d.value[j] = d.limit[j] = math.nan


@rare
def breaks_out(m: Rec, close: float, side: int) -> bool:
    """Beyond the highs (short: lows) of the 20 bars before."""
    t, high, low = m.count - 1, -math.inf, math.inf
    for j in range(t - REACH, t):
        high, low = max(high, m.past[j & RING].high), min(low, m.past[j & RING].low)
    return close > high if side == LONG else close < low


@step
def noise(spread: float, wobble: float) -> float:
    """The spread in standard deviations of the last 20 five-minute closes; NaN where either is not known."""
    if (spread < 0.0) | (wobble != wobble):
        return math.nan
    return min(spread / wobble, LOUD) if wobble > 0.0 else LOUD if spread > 0.0 else 0.0


@step
def illiquid(clock: int) -> bool:
    """Did the bar end in the hour from noon?"""
    return (clock > NOON) & (clock <= ONE)


@rare
def quiet_enough(row: Rec, bar: Rec, rules: Rec, side: int) -> int:
    """The noise filter: the gate that refuses, or OPEN; what it looked at goes to the decision."""
    d, m, mean = row.decision, row.market, row.reading.volume_mean
    volume = bar.volume / mean if mean > 0.0 else 0.0 * mean  # NaN while there is no mean: not applicable
    check(d, C_VOLUME, volume, rules.volume_floor)
    check(
        d, C_SPREAD, noise(bar.spread, wobble(m.five)), rules.spread_noon if illiquid(bar.clock) else rules.spread_max
    )
    broke = breaks_out(m, bar.close, side)
    if broke:
        check(d, C_BREAKOUT, volume, rules.volume_breakout)
    if volume <= rules.volume_floor:
        return VOLUME
    if broke and volume <= rules.volume_breakout:
        return BREAKOUT
    return SPREAD if d.value[C_SPREAD] > d.limit[C_SPREAD] else OPEN


@rare
def allowed(row: Rec, bar: Rec, rules: Rec, side: int, filtered: bool) -> int:
    """The first gate that refuses an entry on this bar, or OPEN. All are looked at, for whoever asks why."""
    d = row.decision
    check(d, C_HOURS, bar.left, rules.last_minutes)
    check(d, C_GAP, row.session.gap, rules.gap_limit)
    loud = quiet_enough(row, bar, rules, side) if filtered else OPEN
    if bar.left <= rules.last_minutes:
        return HOURS
    return GAP if row.session.gap > rules.gap_limit else loud
