"""What the closed trades of a mode came to, for people."""

from __future__ import annotations

import math
from typing import Any

import msgspec


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """USD; None where the trades are too few to say."""

    trades: int
    net: float
    weight: float  # of its sizes
    drawdown: float  # the deepest fall of the net result from its peak
    win_rate: float | None
    profit_factor: float | None  # what was won over what was lost
    sharpe: float | None  # of a trade: mean over sample standard deviation of the results


def figures(mode: Any) -> Figures:
    """Of one MODE record."""
    n, won, lost = int(mode["trades"]), int(mode["gains"]), int(mode["losses"])
    return Figures(
        trades=n, net=int(mode["net"]) / 1e6, weight=float(mode["weight"]), drawdown=int(mode["worst"]) / 1e6,
        win_rate=int(mode["wins"]) / n if n else None, profit_factor=won / lost if lost else None,
        sharpe=_sharpe(n, float(mode["returns"]), float(mode["squares"])),
    )  # fmt: skip


def _sharpe(n: int, total: float, squares: float) -> float | None:
    if n < 2:
        return None
    spread = squares - total * total / n
    # What is left of equal results is rounding.
    return total / n / math.sqrt(spread / (n - 1)) if spread > 1e-12 * squares else None
