"""The plots of the risk report's page. Labels are HTML, so that they stay readable at every width."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Any

Row = dict[str, Any]
Point = tuple[float, float]

NONE = "\N{EN DASH}"
TALL = 100.0  # units of a plot, whatever its size
SCALE = 1.25  # of a limit's bar: the bound stands at 1
LEAST = 0.005  # a drawdown axis reaches this far
DAYS = 6  # labels under a curve


def minus(text: str) -> str:
    """With a real minus sign."""
    return text.replace("-", "\N{MINUS SIGN}")


def usd(x: float | None, sign: str = "") -> str:
    return NONE if x is None else minus(f"{x:{sign},.2f}")


def percent(x: float | None, sign: str = "") -> str:
    return NONE if x is None else minus(f"{100 * x:{sign},.2f}\N{NO-BREAK SPACE}%")


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
    ticks = _ticks(min(values), max(values))
    low, high = min(ticks[0], *values), max(ticks[-1], *values)
    line = _scaled(values, low, high)
    labels = [f"{_short(p['time'])}: {usd(p['equity'])} USD" for p in points]
    grid = [(_height(t, low, high), minus(f"{t:,.{_digits(ticks)}f}")) for t in ticks]
    return _plot("equity", line, grid, labels)


def drawdown(points: Sequence[Row], soft: float, hard: float) -> str:
    """Shares under the peak, downwards, with the limits that come into sight."""
    values = [-float(p["drawdown_ratio"] or 0.0) for p in points]
    deepest = max(LEAST, -min(values))
    bounds = [(x, name) for x, name in ((soft, "over"), (hard, "broken")) if x <= 1.6 * deepest]
    ticks = _ticks(-max(deepest, *(x for x, _ in bounds), 0.0), 0.0)
    low = min(ticks[0], -deepest, *(-x for x, _ in bounds))
    line = _scaled(values, low, 0.0)
    labels = [f"{_short(p['time'])}: {percent(v)}" for p, v in zip(points, values, strict=True)]
    grid = [(_height(t, low, 0.0), minus(f"{100 * t:.{_digits([100 * x for x in ticks])}f} %")) for t in ticks]
    lines = "".join(_line(_height(-x, low, 0.0), f"bound {name}") for x, name in bounds)
    area = f'<polygon class="area" points="0,0 {_path(line)} {TALL:g},0"/>'
    return _plot("drawdown", line, grid, labels, area + lines)


def days(points: Sequence[Row]) -> str:
    """Dates under both."""
    last = len(points) - 1
    chosen = sorted({round(last * i / (DAYS - 1)) for i in range(DAYS)})
    spans = (
        f'<span style="left:{100 * i / max(1, last):.1f}%">{escape(_short(points[i]["time"])[:10])}</span>'
        for i in chosen
    )
    return f'<div class="plot"><div class="axis days">{"".join(spans)}</div></div>'


def _plot(
    name: str, line: Sequence[Point], grid: Sequence[tuple[float, str]], labels: Sequence[str], more: str = ""
) -> str:  # fmt: skip
    ticks = "".join(f'<span style="top:{y:.2f}%">{text}</span>' for y, text in grid)
    return (
        f'<div class="plot {name}"><div class="axis">{ticks}</div><div class="canvas">'
        f'<svg viewBox="0 0 {TALL:g} {TALL:g}" preserveAspectRatio="none" role="img" aria-label="{name}">'
        f"{''.join(_line(y, 'grid') for y, _ in grid)}{more}"
        f'<polyline class="curve" points="{_path(line)}"/>{"".join(_hovers(line, labels))}</svg></div></div>'
    )


def _path(line: Sequence[Point]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in line)


def _line(y: float, name: str) -> str:
    return f'<line class="{name}" x1="0" x2="{TALL:g}" y1="{y:.2f}" y2="{y:.2f}"/>'


def _hovers(line: Sequence[Point], labels: Sequence[str]) -> Iterator[str]:
    """A strip around each point, which tells its value where a pointer rests on it."""
    edges = [0.0, *((a + b) / 2 for (a, _), (b, _) in pairwise(line)), TALL]
    for (left, right), label in zip(pairwise(edges), labels, strict=True):
        strip = f'<rect class="hover" x="{left:.2f}" y="0" width="{right - left:.2f}" height="{TALL:g}">'
        yield f"{strip}<title>{escape(label)}</title></rect>"


def _scaled(values: Sequence[float], low: float, high: float) -> list[Point]:
    """Closed hours take no room."""
    last = max(1, len(values) - 1)
    return [(TALL * i / last, _height(v, low, high)) for i, v in enumerate(values)]


def _height(value: float, low: float, high: float) -> float:
    """From the top."""
    return TALL * (high - value) / (high - low) if high > low else TALL / 2


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers around all values, up to six; what never moves is in their middle."""
    if high <= low:
        aside = abs(low) * 0.005 or 1.0
        return _ticks(low - aside, low + aside)
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(power * k for k in (1, 2, 5, 10) if high - low <= 4.5 * power * k)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def _digits(ticks: Sequence[float]) -> int:
    step = ticks[1] - ticks[0]
    return max(0, -math.floor(math.log10(step) + 1e-9))


def _short(time: str) -> str:
    return time.removesuffix(" ET")[:16]
