"""Plots as SVG without a size of their own. Labels are HTML, so that they stay readable at every width."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

Point = tuple[float, float]

TALL = 100.0  # units of a plot, whatever its size


def frame(name: str, grid: Sequence[tuple[float, str]], layers: str) -> str:
    """`grid`: heights with their labels; `layers`: what is drawn over it."""
    ticks = "".join(f'<span style="top:{y:.2f}%">{text}</span>' for y, text in grid)
    return (
        f'<div class="plot {name}"><div class="axis">{ticks}</div><div class="canvas">'
        f'<svg viewBox="0 0 {TALL:g} {TALL:g}" preserveAspectRatio="none" role="img" aria-label="{name}">'
        f"{''.join(rule(y, 'grid') for y, _ in grid)}{layers}</svg></div></div>"
    )


def below(labels: Sequence[tuple[float, str]]) -> str:
    """Labels under a plot, each at its share of the width."""
    spans = (f'<span style="left:{100 * x:.1f}%">{escape(text)}</span>' for x, text in labels)
    return f'<div class="plot"><div class="axis days">{"".join(spans)}</div></div>'


def polyline(line: Sequence[Point], name: str = "curve") -> str:
    return f'<polyline class="{name}" points="{path(line)}"/>'


def polygon(line: Sequence[Point], base: float, name: str = "area") -> str:
    """All between a line and the height `base`."""
    left, right = (line[0][0], line[-1][0]) if line else (0.0, TALL)
    return f'<polygon class="{name}" points="{left:.4g},{base:.4g} {path(line)} {right:.4g},{base:.4g}"/>'


def path(line: Sequence[Point]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in line)


def rule(y: float, name: str) -> str:
    return f'<line class="{name}" x1="0" x2="{TALL:g}" y1="{y:.2f}" y2="{y:.2f}"/>'


def hovers(line: Sequence[Point], labels: Sequence[str]) -> Iterator[str]:
    """A strip around each point, which tells its value where a pointer rests on it."""
    edges = [0.0, *((a + b) / 2 for (a, _), (b, _) in pairwise(line)), TALL]
    for (left, right), label in zip(pairwise(edges), labels, strict=True):
        strip = f'<rect class="hover" x="{left:.2f}" y="0" width="{right - left:.2f}" height="{TALL:g}">'
        yield f"{strip}<title>{escape(label)}</title></rect>"


def scaled(values: Sequence[float], low: float, high: float) -> list[Point]:
    """Evenly spaced: closed hours take no room."""
    last = max(1, len(values) - 1)
    return [(TALL * i / last, height(v, low, high)) for i, v in enumerate(values)]


def height(value: float, low: float, high: float) -> float:
    """From the top."""
    return TALL * (high - value) / (high - low) if high > low else TALL / 2


def ticks(low: float, high: float) -> list[float]:
    """Round numbers around all values, up to six; what never moves is in their middle."""
    if high <= low:
        aside = abs(low) * 0.005 or 1.0
        return ticks(low - aside, low + aside)
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(power * k for k in (1, 2, 5, 10) if high - low <= 4.5 * power * k)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, last + 1)]


def digits(marks: Sequence[float]) -> int:
    """That tell them apart."""
    step = marks[1] - marks[0]
    return max(0, -math.floor(math.log10(step) + 1e-9))


def powers(low: float, high: float) -> list[float]:
    """Numbers around all values, each a few times the one before; low > 0."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    steps = (1.0, 2.0, 5.0) if last - first <= 2 else (1.0,)
    made = [m * 10.0**k for k in range(first, last + 1) for m in steps]
    below, above = max(x for x in made if x <= low * (1 + 1e-9)), min(x for x in made if x >= high * (1 - 1e-9))
    return [x for x in made if below <= x <= above]
