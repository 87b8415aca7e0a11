"""The dual-mode strategy: follow strong trends, buy dips in quiet markets, and half-heartedly do either in between."""

from typing import Annotated, Literal

from fluxhero.kernel.codes import (
    C_ADX,
    C_CALM_ADX,
    C_CALM_R2,
    C_ENTRY_BAND,
    C_EXIT_BAND,
    C_LOWER,
    C_MIDDLE,
    C_R2,
    C_RSI_HIGH,
    C_RSI_LOW,
    C_SLOPE,
    C_UPPER,
    HOLD,
    LONG,
    REVERSION,
    SHORT,
    TREND,
)
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.gates import check
from fluxhero.kernel.state import Rec, ints, record
from fluxhero.kernel.trade import enter, leave, side_of, trail
from fluxhero.section import Factor, Level, Section, Share, key

OWN = record(*ints("beyond"))  # the side of the entry band that the bar before was on

BOTH = 1  # of Params.neutral


class Params(Section, frozen=True, kw_only=True):
    enter_atr: Annotated[Factor, key("ATR", "above KAMA: a trend is entered")] = 0.5
    exit_atr: Annotated[Factor, key("ATR", "below KAMA: a trend is left")] = 0.3
    stop_share: Annotated[Share, key("share of the close", "stop distance, mean reversion")] = 0.03
    trend_risk: Annotated[Share, key("share of equity", "risked by a trade, trend")] = 0.01
    mean_risk: Annotated[Share, key("share of equity", "risked by a trade, mean reversion and neutral")] = 0.0075
    neutral: Annotated[
        Literal["either", "both"], key("modes", "that must enter in the neutral regime, the other one not against it")
    ] = "either"
    neutral_scale: Annotated[Share, key("factor", "on sizes in the neutral regime")] = 0.7
    oversold: Annotated[Level, key("RSI", "below it a dip is bought", under="overbought")] = 30.0
    overbought: Annotated[Level, key("RSI", "above it a dip is sold, no neutral trend entered")] = 70.0
    width: Annotated[Factor, key("standard deviations", "of the Bollinger bands, each side")] = 2.0


@step
def mirrored(rsi: float, side: int) -> float:
    """RSI as a long position would see it."""
    return rsi if side == LONG else 100.0 - rsi


@step
def crosses(row: Rec, at: int, side: int) -> bool:
    """A trend entry, regime apart: past the band only now, or in a trend only now, and the line points there."""
    fresh = (row.own.beyond != side) | ((row.regime.changed == 1) & (row.regime.now == TREND))
    return bool((at == side) & fresh & (side * row.reading.slope > 0.0))


@step
def dips(v: Rec, close: float, o: Rec, side: int) -> bool:
    """A mean reversion entry, regime apart."""
    return bool((mirrored(v.rsi, side) < o.oversold) & (side * (close - v.mid) <= -o.width * v.sd))


@rare
def seek(row: Rec, bar: Rec, p: Rec, stop_atr: float, side: int, cross: bool, dip: bool) -> None:
    """Flat: which mode, if any, opens here. In the neutral regime one is enough that the other does not contradict."""
    v, o, now = row.reading, p.own, row.regime.now
    far, off = stop_atr * v.atr, o.stop_share * bar.close
    if now == TREND:
        if cross:
            enter(row, bar, p.rules, side, TREND, far, o.trend_risk, 1.0)
    elif now == REVERSION:
        if dip:
            enter(row, bar, p.rules, side, REVERSION, off, o.mean_risk, 1.0)
    elif o.neutral == BOTH:
        if cross and dip:
            enter(row, bar, p.rules, side, TREND, far, o.mean_risk, o.neutral_scale)
    elif cross and mirrored(v.rsi, side) < o.overbought and side * (bar.close - v.mid) < o.width * v.sd:
        enter(row, bar, p.rules, side, TREND, far, o.mean_risk, o.neutral_scale)
    elif dip and side * v.slope >= 0.0:
        enter(row, bar, p.rules, side, REVERSION, off, o.mean_risk, o.neutral_scale)


@rare
def manage(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    """Holding: leave, or trail the stop. The mode that opened the position rules it."""
    v, side = row.reading, side_of(row.trade)
    if row.trade.mode == REVERSION:
        if side * (bar.close - v.mid) >= 0.0 or mirrored(v.rsi, side) > p.own.overbought:
            leave(row)
    elif side * (bar.close - v.kama) < -p.own.exit_atr * v.atr:
        leave(row)
    else:
        trail(row, bar, p.rules, stop_atr)


@rare
def weigh(row: Rec, bar: Rec, p: Rec) -> None:
    """All that it looks at, for the side that is held or sought."""
    v, o, d = row.reading, p.own, row.decision
    side = side_of(row.trade) or d.side or LONG
    check(d, C_ADX, v.adx, p.rules.strong_adx)
    check(d, C_R2, v.r2, p.rules.strong_r2)
    check(d, C_CALM_ADX, v.adx, p.rules.quiet_adx)
    check(d, C_CALM_R2, v.r2, p.rules.quiet_r2)
    check(d, C_SLOPE, v.slope, 0.0)
    check(d, C_ENTRY_BAND, bar.close, v.kama + side * o.enter_atr * v.atr)
    check(d, C_EXIT_BAND, bar.close, v.kama - side * o.exit_atr * v.atr)
    check(d, C_LOWER, bar.close, v.mid - o.width * v.sd)
    check(d, C_MIDDLE, bar.close, v.mid)
    check(d, C_UPPER, bar.close, v.mid + o.width * v.sd)
    check(d, C_RSI_LOW, v.rsi, o.oversold if side == LONG else 100.0 - o.overbought)
    check(d, C_RSI_HIGH, v.rsi, o.overbought if side == LONG else 100.0 - o.oversold)


@step
def beyond(row: Rec, bar: Rec, p: Rec) -> int:
    """The side of the entry band that the close is on, 0 within."""
    off, reach = bar.close - row.reading.kama, p.own.enter_atr * row.reading.atr
    return int(off > reach) - int(off < -reach)


@step
def remember(row: Rec, bar: Rec, p: Rec) -> None:
    row.own.beyond = beyond(row, bar, p)


@rare
def short(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    cross = crosses(row, beyond(row, bar, p), SHORT)
    dip = dips(row.reading, bar.close, p.own, SHORT)
    if cross or dip:
        seek(row, bar, p, stop_atr, SHORT, cross, dip)


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    """One sealed bar to one decision; the common bar costs a few comparisons."""
    cross = crosses(row, beyond(row, bar, p), LONG)
    dip = dips(row.reading, bar.close, p.own, LONG)
    if row.trade.qty != 0:
        manage(row, bar, p, stop_atr)
    elif cross | dip:
        seek(row, bar, p, stop_atr, LONG, cross, dip)
    # What one mode would buy in another regime, the other mode may sell short in this one.
    if (p.rules.shorts != 0) & (row.trade.qty == 0) & (row.decision.action == HOLD):
        short(row, bar, p, stop_atr)
