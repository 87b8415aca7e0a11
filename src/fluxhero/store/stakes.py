"""The risk report in USD and in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fluxhero.core import exposure
from fluxhero.core.explain import when
from fluxhero.core.exposure import Breach, Kind, Limit, Name, RiskReport
from fluxhero.core.stakes import Stake
from fluxhero.store.view import Answer

Symbols = Sequence[str]

THEN = {
    Name.POSITION: "no larger entry",
    Name.DEPLOYED: "no more entries",
    Name.SLOTS: "no more entries",
    Name.DAY_LOSS: "flattens, no entries until released",
    Name.SOFT: "smaller sizes, tighter stops",
    Name.HARD: "flattens, no trading until released",
    Name.CORRELATED: "a new one is smaller",
    Name.CROWDED: "no more of the crowd",
}
UNITS = {
    **dict.fromkeys(Name, "share"), Name.SLOTS: "count", Name.CORRELATED: "plain", Name.CROWDED: "plain",
}  # fmt: skip
FORMATS: dict[str, Callable[[float, int], str]] = {
    "share": lambda x, n: f"{100 * x:.{n}f} %",
    "count": lambda x, n: f"{x:,.0f}",
    "plain": lambda x, n: f"{x:.{n}f}",
    "price": lambda x, n: f"{x:,.{n}f}",
}
SAID = {
    Kind.LIMIT: "{name} {now}, {most} is the most",
    Kind.NAKED: "{symbol}: {now} shares {name} without a stop",
    Kind.BEYOND: "{symbol}: the price {now} is beyond its stop {most}, which should have filled",
    Kind.UNSURE: "{symbol}: nobody knows whether an entry of {now} shares stands",
    Kind.TRIP: "trip {name} at {time}, {released}",
}


def told(r: RiskReport, symbols: Symbols) -> Answer:
    return {
        **_totals(r, symbols),
        "limits": [_limit(x) for x in r.limits],
        "positions": [_stake(s, r, symbols) for s in r.positions],
        "entries": [_stake(s, r, symbols) for s in r.entries],
        "breaches": [_breach(b, symbols) for b in r.breaches],
        "correlation": _company(r, symbols),
    }


def _totals(r: RiskReport, symbols: Symbols) -> Answer:
    a, whole = r.account, r.account.equity
    net = r.held.net + r.sought.net
    shares = {
        "deployed": r.deployed, "net": net, "entering": r.sought.gross, "risk_deployed": r.risk,
        "loss_if_stopped": r.held.risk, "loss_if_gapped": r.held.gapped, "without_stop": r.held.naked,
    }  # fmt: skip
    largest = r.largest
    return {
        "equity": a.equity / 1e6, "cash": a.cash / 1e6, "day_base": a.day_base / 1e6,
        "day_result": (a.equity - a.day_base) / 1e6, "day_result_ratio": ratio(a.equity - a.day_base, a.day_base),
        "peak": a.peak / 1e6, "drawdown": (a.peak - a.equity) / 1e6,
        "drawdown_ratio": ratio(a.peak - a.equity, a.peak),
        **{k: v for name, x in shares.items() for k, v in ((name, x / 1e6), (f"{name}_ratio", ratio(x, whole)))},
        "largest_symbol": symbols[largest.slot] if largest else None,
        "largest": largest.value / 1e6 if largest else 0.0,
        "largest_ratio": ratio(largest.value if largest else 0, whole),
    }  # fmt: skip


def _stake(s: Stake, r: RiskReport, symbols: Symbols) -> Answer:
    whole = r.account.equity
    return {
        "symbol": symbols[s.slot], "state": s.state, "qty": s.qty, "value": s.value / 1e6,
        "value_ratio": ratio(s.value, whole), "mark": s.mark / 1e6, "stop": s.stop / 1e6 if s.stop else None,
        "distance": s.distance / 1e6 if s.stop else None,
        "distance_ratio": ratio(s.distance, s.mark) if s.stop else None, "risk": s.risk / 1e6,
        "risk_ratio": ratio(s.risk, whole), "gapped": s.gapped / 1e6, "gapped_ratio": ratio(s.gapped, whole),
        "without_stop": s.naked,
    }  # fmt: skip


def _limit(x: Limit) -> Answer:
    used = x.used
    return {
        "limit": x.name.value, "unit": UNITS[x.name], "now": None if x.value is None else round(x.value, 6),
        "most": x.bound, "used": None if used is None else round(used, 6), "level": x.level.value, "then": THEN[x.name],
    }  # fmt: skip


def _breach(b: Breach, symbols: Symbols) -> Answer:
    symbol = symbols[b.slot] if b.slot >= 0 else ""
    ended = f"released at {when(b.released)}" if b.released else "still held"
    now, most = _told(b)
    said = SAID[b.kind].format(name=b.name, symbol=symbol, now=now, most=most, time=when(b.ts), released=ended)
    return {
        "kind": b.kind.value, "level": b.level.value, "name": b.name, "symbol": symbol, "now": b.value, "most": b.bound,
        "time": when(b.ts) if b.ts else None, "released": when(b.released) if b.released else None, "text": said,
    }  # fmt: skip


def _told(b: Breach) -> tuple[str, str]:
    """Value and bound as their unit has them, with as many digits as tell them apart."""
    unit = "price" if b.kind is Kind.BEYOND else UNITS[Name(b.name)] if b.kind is Kind.LIMIT else "count"
    written = FORMATS[unit]
    if b.value is None:
        return "has nothing to be compared with", written(b.bound, 2)
    digits = next((n for n in (2, 4) if written(b.value, n) != written(b.bound, n)), 6)
    return written(b.value, digits), written(b.bound, digits)


def _company(r: RiskReport, symbols: Symbols) -> Answer:
    c = r.company
    return {
        "symbols": [symbols[slot] for slot in c.slots],
        "matrix": [[None if x is None else round(x, 4) for x in row] for row in c.matrix],
        "most": c.most, "mean": c.mean,
    }  # fmt: skip


def ratio(part: float, whole: float) -> float | None:
    found = exposure.share(part, whole)
    return None if found is None else round(found, 6)
