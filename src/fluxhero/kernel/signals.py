"""What a strategy, or the noise filter alone, makes of a whole array of bars."""

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import ArrayLike

from fluxhero.config import Config
from fluxhero.kernel.checked import series, shaped
from fluxhero.kernel.codes import CHECKS, ENTER, EXIT, FULL, HOURS, LONG, SHORT
from fluxhero.kernel.compile import bind, entry, step
from fluxhero.kernel.fills import opening, stopping
from fluxhero.kernel.gates import allowed, blank, session
from fluxhero.kernel.params import params_of
from fluxhero.kernel.plug import Strategy, find, settled
from fluxhero.kernel.rows import observe
from fluxhero.kernel.state import BAR, NOISE, SIGNAL, Array, Rec, row
from fluxhero.kernel.think import Mind, build
from fluxhero.kernel.trade import side_of, traded

PRICES = ("open", "high", "low", "close")
NEEDED = ("ts", *PRICES, "volume")
DAY = 86_400_000_000_000  # ns
FAR = 10_000  # minutes to a close that the bars do not tell
MINUTE = 60_000_000_000
SHARE = 1  # signals are of one share: sizes are the account's


def one(row: Rec, bar: Rec, p: Rec, stop_atr: float) -> bool:
    """The strategy's `think_one`; `bind` puts it here."""
    return False


@step
def settle(r: Rec, bar: Rec, rules: Rec) -> None:
    """What the last bar sought, at this open; then the stop within the bar."""
    d, side = r.decision, side_of(r.trade)
    if (d.action == ENTER) & (side == 0):
        price = opening(bar, d.side, SHARE, math.inf, d.stop, rules)
        if price > 0:
            traded(r, d.side * SHARE, price, d.mode, d.stop, d.wide)
    elif (d.action == EXIT) & (side != 0):
        traded(r, -r.trade.qty, opening(bar, -side, SHARE, math.inf, 0, rules), 0, 0, 1.0)
    side = side_of(r.trade)
    if side != 0:
        price = stopping(bar, -side, SHARE, r.trade.stop, math.inf, rules)
        if price > 0:
            traded(r, -r.trade.qty, price, 0, 0, 1.0)


@step
def unseen(o: Rec, bar: Rec) -> None:
    """Of a bar at which nothing has been looked at."""
    o.ts = bar.ts
    o.value[:] = o.limit[:] = math.nan


@step
def stand(o: Rec, r: Rec) -> None:
    o.regime, o.volatility, o.held = r.regime.now, r.regime.volatility, r.trade.qty


@step
def looked(o: Rec, d: Rec) -> None:
    """What the decision has looked at."""
    for j in range(CHECKS):
        o.value[j], o.limit[j] = d.value[j], d.limit[j]


@step
def tell(o: Rec, d: Rec) -> None:
    """A decision into its place in the answer."""
    o.action, o.side, o.mode, o.gate, o.stop, o.raised = d.action, d.side, d.mode, d.gate, d.stop, d.raised
    o.risk, o.scale, o.wide = d.risk, d.scale, d.wide
    looked(o, d)


def signals(rows: Array, bars: Array, p: Array, out: Array) -> None:
    """The bar model, for one symbol and one share."""
    r = rows[0]
    for t in range(bars.size):
        if bars[t].quality == FULL:
            settle(r, bars[t], p[0].rules)
            blank(r.decision)
            r.decision.risk = r.decision.scale = r.decision.wide = 0.0
            one(r, bars[t], p[0], p[0].rules.stop_atr)
            tell(out[t], r.decision)
            out[t].ts = bars[t].ts
        else:
            unseen(out[t], bars[t])
        stand(out[t], r)


@entry
def filtered(rows: Array, bars: Array, p: Array, side: int, out: Array) -> None:
    """The gates of every bar, as an entry there would meet them."""
    r, rules = rows[0], p[0].rules
    for t in range(bars.size):
        if bars[t].quality == FULL:
            session(r.session, r.market, bars[t], rules.raw)
            observe(r.market, r.reading, bars[t], rules)
            blank(r.decision)
            out[t].ts, out[t].gate = bars[t].ts, allowed(r, bars[t], rules, side, True)
            looked(out[t], r.decision)
        else:
            unseen(out[t], bars[t])
            out[t].gate = HOURS


@cache
def signaller(strategy: Strategy) -> Callable[..., None]:
    mind: Mind = build(strategy)
    return bind(signals, strategy.bound, entry, one=mind.one)


def generate_signals(
    bars: Array, strategy: str = "dual_mode", params: Mapping[str, Any] | None = None, config: Config | None = None
) -> Array:
    """What a strategy decides at every bar, filled as the bar model fills: at the next open, stops within the bar.

    Parameters
    ----------
    bars : structured array of shape (n,), oldest first
        Fields ts (start, UTC ns), open, high, low, close (USD), volume (shares); and where they are known session,
        left, quality, clock, spread, as in `fluxhero.kernel.state.BAR`. Without them every bar is a full one, a UTC day
        is a session whose end is far, and there are no quotes. Only full bars step, fill and decide.
    strategy : str
        That ships, of an entry point, or a file ``mine.py``.
    params : mapping, optional
        Keys of the strategy, before those of the configuration.
    config : Config, optional
        For all other rules, and the strategy's own table.

    Returns
    -------
    structured array of shape (n,)
        action, side, mode, regime, volatility, gate (codes of `fluxhero.kernel.codes`), stop and raised
        (micro-dollars), held (shares, signed, before the decision), risk, scale, wide; `value` and `limit` of every
        condition that was looked at, by code, NaN where it was not. A bar that is not full holds, and repeats the
        regime.

    Raises
    ------
    ValueError
        Names the field of `bars` that is missing, not finite, not over 0 or out of order.
    ConfigError
        Names the strategy or the key.
    """
    made, found, out = _placed(bars), find(strategy), np.zeros(len(bars), SIGNAL)
    p = _params(config or Config(), strategy, params or {}, made)
    signaller(found)(_records(1, row(found.own)), made, p, out.view(np.recarray))
    return out


def apply_noise_filter(
    bars: Array, quotes: ArrayLike | None = None, side: int = LONG, config: Config | None = None
) -> Array:
    """Which gate would refuse an entry at every bar: hours, gap, volume, breakout, spread (requirements 4).

    Parameters
    ----------
    bars : structured array of shape (n,)
        As for `generate_signals`.
    quotes : array of shape (n,), or structured with fields bid and ask, optional
        The spread at each bar's end, USD; not finite or less than 0: no fresh quote, which refuses nothing.
    side : int
        1 for a long entry, -1 for a short one: a breakout is beyond the highs or the lows.
    config : Config, optional
        The gates' limits.

    Returns
    -------
    structured array of shape (n,)
        ts, gate (0: open), and `value` and `limit` by condition, NaN where one could not be told. At a bar that is
        not full nothing is looked at, and the gate is HOURS.

    Raises
    ------
    ValueError
        Names the argument, and what is wrong with it.
    """
    made = _placed(bars)
    if quotes is not None:
        made["spread"] = _spreads(quotes, made)
    if side not in (LONG, SHORT):
        raise ValueError(f"side is {side!r}; it must be 1 or -1")
    out, p = np.zeros(made.size, NOISE), _params(config or Config(), "dual_mode", {}, made)
    filtered(_records(1, row(find("dual_mode").own)), made, p, side, out.view(np.recarray))
    return out


def _records(n: int, dtype: "np.dtype[Any]") -> Array:
    """Zeros whose fields Python can read as the compiler does."""
    return np.zeros(n, dtype).view(np.recarray)


def _params(config: Config, strategy: str, keys: Mapping[str, Any], bars: Array) -> Array:
    """PARAMS of one strategy, with these keys before the configuration's."""
    table = find(strategy).name
    said = {**msgspec.to_builtins(config.strategy.tables.get(table, {})), **keys}
    named = replace(config.strategy, name=strategy, tables={table: said})
    p = params_of(settled(replace(config, strategy=named))).view(np.recarray)
    p["rules"]["span"] = _span(bars)
    return p


def _placed(bars: Array) -> Array:
    """BAR records of them."""
    names = getattr(getattr(bars, "dtype", None), "names", None)
    if names is None or bars.ndim != 1:
        raise ValueError("bars is no structured array of one dimension; give it the fields " + ", ".join(NEEDED))
    for name in NEEDED:
        if name not in names:
            raise ValueError(f"bars has no field {name}; it needs {', '.join(NEEDED)}")
    known = [name for name in BAR.names or () if name in names]
    series(0, **{f"bars[{name!r}]": bars[name] for name in known if name != "spread"})
    made = _records(bars.size, BAR)
    made["session"], made["left"], made["quality"], made["spread"] = bars["ts"] // DAY, FAR, FULL, -1.0
    for name in known:
        made[name] = bars[name]
    made["spread"] = _fresh(made["spread"])
    for name in PRICES:
        _refuse(name, made, made[name] > 0, "over 0")
    _refuse("volume", made, made["volume"] >= 0, "at least 0")
    _refuse("ts", made, np.diff(made["ts"], prepend=made["ts"][:1] - 1) > 0, "over the one before")
    return made


def _refuse(name: str, bars: Array, well: Array, bound: str) -> None:
    if not well.all():
        t = int(well.argmin())
        raise ValueError(f"bars[{name!r}][{t}] is {bars[name][t]}; it must be {bound}: drop such bars, or mend them")


def _span(bars: Array) -> int:
    """The length of most bars; of one alone, a minute."""
    if bars.size < 2:
        return MINUTE
    steps, counts = np.unique(np.diff(bars["ts"]), return_counts=True)
    return int(steps[counts.argmax()])


def _spreads(quotes: ArrayLike, bars: Array) -> Array:
    made = np.asarray(quotes)
    if made.dtype.names is not None:
        for name in ("bid", "ask"):
            if name not in made.dtype.names:
                raise ValueError(f"quotes has no field {name}; give it bid and ask, or give the spreads alone")
        made = made["ask"] - made["bid"]
    return _fresh(shaped(0, bars=bars["close"], quotes=made)["quotes"])


def _fresh(spreads: Array) -> Array:
    """-1 where there is no quote."""
    return np.where(np.isfinite(spreads) & (spreads >= 0.0), spreads, -1.0)
