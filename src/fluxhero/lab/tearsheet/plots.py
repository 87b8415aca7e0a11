"""The plots that need no script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from fluxhero.ink import plots as ink
from fluxhero.ink.text import minus, number, percent, usd
from fluxhero.lab.metrics import r_multiples
from fluxhero.lab.statistics import underwater
from fluxhero.lab.tearsheet.series import Sessions, thinned
from fluxhero.messages import Array

POINTS = 1_000  # of a curve at most
STRIPS = 200  # that tell their values
YEARS = 30  # of the heat map
WIDE, NARROW = 6, 4  # dates below a plot
BINS = 4  # to a tick of the histogram
CROWD = 200  # trades from which on a histogram's outermost bins take what lies far out
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "Year"]
STEEP = 5.0  # times the least, from which on equity is drawn in ratios
FAR = 4.0  # a rolling ratio is drawn at least up to it
LEAST = 0.005  # a drawdown axis reaches this far

Said = Callable[[float], str]  # an axis label


def equity(s: Sessions) -> str:
    def tell(i: int) -> str:
        return f"{s.dates[i]}: {usd(float(s.equity[i]))} USD, buy and hold {usd(float(s.benchmark[i]))} USD"

    lines = [(s.benchmark, "bench"), (s.equity, "curve")]
    if not steep(s):
        return _curves("equity", lines, tell, _grouped)
    ends = [float(f(values)) for values, _ in lines for f in (np.min, np.max)]
    marks = [math.log(x) for x in ink.powers(min(ends), max(ends))]
    return _curves(
        "equity", [(np.log(values), kind) for values, kind in lines], tell, lambda _: _exponents, marks=marks
    )


def steep(s: Sessions) -> bool:
    """Drawn in ratios, for in dollars the lower ones could not be told apart."""
    both = np.concatenate((s.equity, s.benchmark))
    return bool(both.min() > 0.0 and both.max() > STEEP * both.min())


def _exponents(x: float) -> str:
    return number(math.exp(x), 0)


def drawdown(s: Sessions) -> str:
    ours, held = underwater(s.equity), underwater(s.benchmark)

    def tell(i: int) -> str:
        return f"{s.dates[i]}: {percent(float(ours[i]))}, buy and hold {percent(float(held[i]))}"

    return _curves("drawdown", [(held, "bench"), (ours, "curve")], tell, _percents, base=0.0, reach=-LEAST)


def exposure(s: Sessions) -> str:
    def tell(i: int) -> str:
        return f"{s.dates[i + 1]}: {percent(float(s.deployed[i]))}"

    return _curves("low", [(s.deployed, "curve")], tell, _percents, base=0.0, reach=0.05)


def far(ratios: Array) -> float:
    """Ratios beyond it are cut off: where hardly anything moved they are of no size that tells something."""
    known = np.abs(ratios[np.isfinite(ratios)])
    return max(FAR, math.ceil(1.2 * float(np.percentile(known, 90)))) if known.size else FAR


def sharpe(s: Sessions, ratios: Array) -> str:
    first, bound = s.dates.size - ratios.size, far(ratios)

    def tell(i: int) -> str:
        return f"{s.dates[first + i]}: {number(float(ratios[i])) if np.isfinite(ratios[i]) else 'nothing moved'}"

    return _curves("low", [(np.clip(np.nan_to_num(ratios), -bound, bound), "curve")], tell, lambda _: number, base=0.0)


def dates(found: Array, most: int = NARROW) -> str:
    """Under a plot of as many points."""
    last = found.size - 1
    chosen = np.unique(np.linspace(0, last, most).round().astype(int)).tolist()
    return ink.below([(i / max(1, last), str(found[i])) for i in chosen])


def _curves(
    name: str, lines: list[tuple[Array, str]], tell: Callable[[int], str], said: Callable[[Sequence[float]], Said],
    base: float | None = None, reach: float = 0.0, marks: Sequence[float] = (),
) -> str:  # fmt: skip
    """The last line is ours. `base`: what the space between it and us is filled to; `reach`: seen in any case."""
    ends = [float(f(values)) for values, _ in lines for f in (np.min, np.max)]
    marks = marks or ink.ticks(min([*ends, *_also(base, reach)]), max([*ends, *_also(base, reach)]))
    low, high = marks[0], marks[-1]
    drawn = [(_points(values, low, high), kind) for values, kind in lines]
    filled = "" if base is None else ink.polygon(drawn[-1][0], ink.height(base, low, high))
    label = said(marks)
    grid = [(ink.height(t, low, high), label(t)) for t in marks]
    layers = filled + "".join(ink.polyline(line, kind) for line, kind in drawn)
    return ink.frame(name, grid, layers + _strips(lines[-1][0].size, tell))


def _also(base: float | None, reach: float) -> tuple[float, ...]:
    return () if base is None else (base, base + reach)


def _points(values: Array, low: float, high: float) -> list[ink.Point]:
    last = max(1, values.size - 1)
    return [(ink.TALL * i / last, ink.height(float(values[i]), low, high)) for i in thinned(values, POINTS).tolist()]


def _strips(n: int, tell: Callable[[int], str]) -> str:
    chosen = np.unique(np.linspace(0, n - 1, min(n, STRIPS)).round().astype(int)).tolist()
    return "".join(ink.hovers([(ink.TALL * i / max(1, n - 1), 0.0) for i in chosen], [tell(i) for i in chosen]))


def _grouped(marks: Sequence[float]) -> Said:
    return lambda x: number(x, ink.digits(marks))


def _percents(marks: Sequence[float]) -> Said:
    return lambda x: percent(x, digits=ink.digits([100 * m for m in marks]))


# -- months


def heat(found: dict[tuple[int, int], float | None]) -> str:
    """A cell for each month, the newest year first; the deeper, the more."""
    years = sorted({year for year, _ in found}, reverse=True)[:YEARS]
    most = max([abs(r) for (year, month), r in found.items() if r is not None and month and year in years] or [0.0])
    heads = "".join(f"<th>{name}</th>" for name in MONTHS)
    rows = "".join(
        f"<tr><th>{year}</th>{''.join(_month(found, year, m % 13, most) for m in range(1, 14))}</tr>" for year in years
    )
    return (
        f'<div class="scroll"><table class="months"><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _month(found: dict[tuple[int, int], float | None], year: int, month: int, most: float) -> str:
    r = found.get((year, month))
    if r is None:
        return "<td></td>"
    said = minus(f"{100 * r:z.1f}")
    if not month:
        return f'<td class="year">{said}</td>'
    depth = 80 * abs(r) / most if most else 0.0
    return f'<td class="{"loss" if r < 0 else "gain"}" style="--r:{depth:.0f}%">{said}</td>'


# -- trades


def spread(rounds: Array) -> tuple[str, str]:
    """How the trades came out: a histogram, and what its axis is in."""
    multiples = r_multiples(rounds)
    if np.isfinite(multiples).all():
        return _histogram(multiples, lambda marks: lambda x: f"{number(x, ink.digits(marks))}\N{NO-BREAK SPACE}R"), "R"
    returns = rounds["result"] / (np.abs(rounds["qty"]) * rounds["entry"].astype(np.float64))
    return _histogram(returns, _percents), "%"


def _histogram(values: Array, said: Callable[[Sequence[float]], Said]) -> str:
    far = 0.5 if values.size >= CROWD else 0.0
    marks = ink.ticks(*(float(x) for x in np.percentile(np.append(values, 0.0), (far, 100.0 - far))))
    step = (marks[1] - marks[0]) / BINS
    edges = marks[0] + step * np.arange(BINS * (len(marks) - 1) + 1)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    levels = [x for x in ink.ticks(0.0, float(counts.max())) if x == round(x)]
    high, label = levels[-1], said(marks)
    drawn = "".join(_bin(i, n, counts.size, high, edges, said(edges.tolist())) for i, n in enumerate(counts.tolist()))
    grid = [(ink.height(x, 0.0, high), f"{x:,.0f}") for x in levels]
    last = len(marks) - 1
    return ink.frame("low", grid, drawn) + ink.below([(i / last, label(x)) for i, x in enumerate(marks)])


def _bin(i: int, n: int, bins: int, high: float, edges: Array, label: Said) -> str:
    if not n:
        return ""
    wide, top = ink.TALL / bins, ink.height(n, 0.0, high)
    kind = "loss" if edges[i] + edges[i + 1] < 0.0 else "gain"
    tells = f"{label(float(edges[i]))} to {label(float(edges[i + 1]))}: {n:,}"
    return (
        f'<rect class="bin {kind}" x="{i * wide + 0.06 * wide:.2f}" y="{top:.2f}" width="{0.88 * wide:.2f}"'
        f' height="{ink.TALL - top:.2f}"><title>{tells}</title></rect>'
    )
