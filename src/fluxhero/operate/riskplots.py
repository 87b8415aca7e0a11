"""The plots of the risk report's page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from fluxhero.ink import plots as ink
from fluxhero.ink.text import minus, percent, usd

Row = dict[str, Any]

SCALE = 1.25  # of a limit's bar: the bound stands at 1
LEAST = 0.005  # a drawdown axis reaches this far
DAYS = 6  # labels under a curve


def bar(*parts: tuple[float, str], mark: bool = False) -> str:
    """Shares of the track, each with its class, the longest first; `mark`: where a limit is."""
    fills = (
        f'<u class="{name}{" zero" if x <= 0 else ""}" style="width:{100 * min(1.0, max(0.0, x)):.2f}%"></u>'
        for x, name in parts
    )
    return f'<div class="track">{"".join(fills)}{"<s></s>" if mark else ""}</div>'


def limit(used: float | None, level: str) -> str:
    return bar(((used or 0.0) / SCALE, level), mark=True)


# -- how alike


def heat(company: Row) -> str:
    """A cell for each pair; the deeper, the more alike, or the more opposed."""
    symbols = company["symbols"]
    heads = "".join(f"<th>{escape(s)}</th>" for s in symbols)
    rows = "".join(
        f"<tr><th>{escape(s)}</th>{''.join(_cell(symbols, i, j, r) for j, r in enumerate(company['matrix'][i]))}</tr>"
        for i, s in enumerate(symbols)
    )
    return f'<table class="heat"><thead><tr><th></th>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _cell(symbols: Sequence[str], i: int, j: int, r: float | None) -> str:
    if i == j:
        return '<td class="self">·</td>'
    pair = f"{escape(symbols[i])} and {escape(symbols[j])}"
    if r is None:
        return f'<td class="none" title="{pair}: not known">?</td>'
    name, depth = ("minus" if r < 0 else "plus"), f"{100 * abs(r) * 0.85:.0f}%"
    return f'<td class="{name}" style="--r:{depth}" title="{pair}">{minus(f"{r:.2f}")}</td>'


# -- curves


def curve(points: Sequence[Row]) -> str:
    """Equity in USD."""
    values = [float(p["equity"]) for p in points]
    marks = ink.ticks(min(values), max(values))
    low, high = marks[0], marks[-1]
    labels = [f"{_short(p['time'])}: {usd(p['equity'])} USD" for p in points]
    grid = [(ink.height(t, low, high), minus(f"{t:,.{ink.digits(marks)}f}")) for t in marks]
    return _drawn("equity", ink.scaled(values, low, high), grid, labels)


def drawdown(points: Sequence[Row], soft: float, hard: float) -> str:
    """Shares under the peak, downwards, with the limits that come into sight."""
    values = [-float(p["drawdown_ratio"] or 0.0) for p in points]
    deepest = max(LEAST, -min(values))
    bounds = [(x, name) for x, name in ((soft, "over"), (hard, "broken")) if x <= 1.6 * deepest]
    marks = ink.ticks(-max(deepest, *(x for x, _ in bounds), 0.0), 0.0)
    low, line = marks[0], ink.scaled(values, marks[0], 0.0)
    labels = [f"{_short(p['time'])}: {percent(v)}" for p, v in zip(points, values, strict=True)]
    grid = [(ink.height(t, low, 0.0), minus(f"{100 * t:.{ink.digits([100 * x for x in marks])}f} %")) for t in marks]
    lines = "".join(ink.rule(ink.height(-x, low, 0.0), f"bound {name}") for x, name in bounds)
    return _drawn("drawdown", line, grid, labels, ink.polygon(line, 0.0) + lines)


def days(points: Sequence[Row]) -> str:
    """Dates under both."""
    last = len(points) - 1
    chosen = sorted({round(last * i / (DAYS - 1)) for i in range(DAYS)})
    return ink.below([(i / max(1, last), _short(points[i]["time"])[:10]) for i in chosen])


def _drawn(
    name: str, line: Sequence[ink.Point], grid: Sequence[tuple[float, str]], labels: Sequence[str], more: str = ""
) -> str:  # fmt: skip
    return ink.frame(name, grid, more + ink.polyline(line) + "".join(ink.hovers(line, labels)))


def _short(time: str) -> str:
    return time.removesuffix(" ET")[:16]
