"""The dual-mode strategy's rows, bars and decisions made by hand, for both sides: what is said for a long position at
100 is mirrored there for a short one.
"""

from collections.abc import Callable

import numpy as np

from fluxhero.kernel.codes import ENTER, EXIT, HOLD, LONG, NEUTRAL, OPEN
from fluxhero.kernel.compile import entry
from fluxhero.kernel.state import Array
from fluxhero.kernel.strategies.dual_mode import decide, remember
from tests.kernel.drive import bars_of, fresh, rules, tuned

USD = 1_000_000
LEVEL = 100.0
SIDES = (1, -1)
PARAMS = tuned(rules(), shorts=1)
MIRROR: dict[str, Callable[[float], float]] = {
    "kama": lambda x: 2 * LEVEL - x, "mid": lambda x: 2 * LEVEL - x, "rsi": lambda x: 100.0 - x, "slope": lambda x: -x,
}  # fmt: skip
HELD: dict[str, float] = {
    "action": HOLD, "side": 0, "mode": NEUTRAL, "gate": OPEN, "stop": 0, "raised": 0, "risk": 0.0, "scale": 0.0,
    "wide": 0.0,
}  # fmt: skip


@entry
def _decide(rows: Array, bars: Array, params: Array, stop_atr: float) -> None:
    decide(rows[0], bars[0], params[0], stop_atr)
    remember(rows[0], bars[0], params[0])


def at(price: float, side: int) -> float:
    """That price, on the other side of the level for a short position."""
    return price if side == LONG else round(2 * LEVEL - price, 9)


def turned(reading: dict[str, float], side: int) -> dict[str, float]:
    """Readings as a short position's mirror has them."""
    return reading if side == LONG else {k: MIRROR[k](v) if k in MIRROR else v for k, v in reading.items()}


def bar(close: float, best: float | None = None, side: int = LONG) -> Array:
    """A close, and the best price of the bar, for a position of that side."""
    bars = bars_of(np.array([at(close, side)]))
    bars["high" if side == LONG else "low"] = at(close if best is None else best, side)
    return bars


def symbol(
    now: int, reading: dict[str, float] | None = None, side: int = LONG, changed: int = 0, beyond: int = 0
) -> Array:
    """A row in this regime: KAMA and SMA20 at 100, ATR and deviation 1, a slope that suits, nothing extreme, no noise.

    beyond: whether the bar before closed past the band.
    """
    rows = fresh()
    read = {"kama": LEVEL, "atr": 1.0, "mid": LEVEL, "sd": 1.0, "rsi": 50.0, "slope": 0.1, "volume_mean": 1000.0}
    for name, value in turned(read | (reading or {}), side).items():
        rows["reading"][name] = value
    rows["market"]["past"]["high"] = 1000.0
    rows["regime"]["now"], rows["regime"]["changed"], rows["own"]["beyond"] = now, changed, beyond * side
    return rows


def holding(
    mode: int, stop: float = 98.0, best: float = LEVEL, side: int = LONG, wide: float = 1.0, **reading: float
) -> Array:
    rows = symbol(NEUTRAL, reading, side)
    rows["trade"] = (10 * side, mode, round(at(stop, side) * USD), at(best, side), wide)
    return rows


def traded(rows: Array) -> tuple[float, ...]:
    """What its strategy knows of the position: quantity, mode, stop, best, wide."""
    known: tuple[float, ...] = rows["trade"][0].item()
    return known


def decided(rows: Array, bars: Array, stop_atr: float = 2.5, params: Array = PARAMS) -> dict[str, float]:
    """The decision, from a clear one, but for its reasons."""
    rows["decision"] = np.zeros(1, rows["decision"].dtype)
    _decide(rows, bars, params, stop_atr)
    return {name: rows["decision"][name][0].item() for name in HELD}


def entered(mode: int, stop: float, risk: float, scale: float = 1.0, side: int = LONG) -> dict[str, float]:
    """`stop`: for a long one."""
    stop = round(at(stop, side) * USD)
    return HELD | {
        "action": ENTER, "side": side, "mode": mode, "stop": stop, "risk": risk, "scale": scale, "wide": 1.0
    }  # fmt: skip


def left(mode: int, side: int = LONG) -> dict[str, float]:
    return HELD | {"action": EXIT, "side": side, "mode": mode, "wide": 1.0}


def raised(stop: float, side: int = LONG) -> dict[str, float]:
    """The stop moved there; 0: it did not."""
    return HELD | {"raised": round(at(stop, side) * USD) if stop else 0}
