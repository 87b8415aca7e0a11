"""The dual-mode strategy: follow strong trends, buy dips in quiet markets, and half-heartedly do either in between."""

from fluxhero.kernel.codes import NEUTRAL, REVERSION, TREND
from fluxhero.kernel.compile import rare, step
from fluxhero.kernel.state import Rec, floats, ints, params, record
from fluxhero.kernel.trade import enter, leave, trail

OWN = record(*ints("above"))
PARAMS = params(
    record(*floats("enter_atr exit_atr stop_share trend_risk mean_risk neutral_scale oversold overbought width"))
)


@rare
def seek(row: Rec, bar: Rec, p: Rec, stop_atr: float, cross: bool, dip: bool) -> None:
    """Flat: which mode, if any, opens here."""
    v, o, now = row.reading, p.own, row.regime.now
    trend_stop, dip_stop = bar.close - stop_atr * v.atr, bar.close * (1.0 - o.stop_share)
    if now == TREND:
        if cross:
            enter(row, bar, p.rules, TREND, trend_stop, o.trend_risk, 1.0)
    elif now == REVERSION:
        if dip:
            enter(row, bar, p.rules, REVERSION, dip_stop, o.mean_risk, 1.0)
    elif cross and v.rsi < o.overbought and bar.close < v.mid + o.width * v.sd:
        enter(row, bar, p.rules, TREND, trend_stop, o.mean_risk, o.neutral_scale)
    elif dip and v.slope >= 0.0:
        enter(row, bar, p.rules, REVERSION, dip_stop, o.mean_risk, o.neutral_scale)


@rare
def manage(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    """Holding: leave, or trail the stop. The mode that opened the position rules it."""
    v = row.reading
    if row.trade.mode == REVERSION:
        if bar.close >= v.mid or v.rsi > p.own.overbought:
            leave(row)
        return
    if bar.close < v.kama - p.own.exit_atr * v.atr:
        leave(row)
    else:
        trail(row, bar, p.rules, stop_atr)


@step
def above(row: Rec, bar: Rec, p: Rec) -> bool:
    return bool(bar.close > row.reading.kama + p.own.enter_atr * row.reading.atr)


@step
def remember(row: Rec, bar: Rec, p: Rec) -> None:
    row.own.above = above(row, bar, p)


@step
def decide(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> None:
    """One sealed bar to one decision; the common bar costs two comparisons."""
    v = row.reading
    fresh = (row.own.above == 0) | ((row.regime.changed == 1) & (row.regime.now == TREND))
    cross = above(row, bar, p) & fresh & (v.slope > 0.0)
    dip = (v.rsi < p.own.oversold) & (bar.close <= v.mid - p.own.width * v.sd)
    if row.trade.qty != 0:
        manage(row, bar, p, stop_atr)
    elif cross | dip:
        seek(row, bar, p, stop_atr, cross, dip)


assert NEUTRAL == 0  # `seek` falls through to it
