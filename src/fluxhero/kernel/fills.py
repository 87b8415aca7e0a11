"""At what price the venue fills within a bar. All prices but the bar's are micro-dollars."""

from fluxhero.kernel.compile import entry, step
from fluxhero.kernel.money import micros
from fluxhero.kernel.state import Array, Rec


@step
def slipped(price: float, side: int, qty: int, volume: float, rules: Rec) -> int:
    """Slippage against the taker, more when the order is a crowd of its own."""
    slip = rules.slip + (rules.impact if qty > rules.crowd * volume else 0.0)
    return micros(price * (1.0 + slip)) if side > 0 else micros(price * (1.0 - slip))


@entry
def open_fill(bars: Array, i: int, side: int, qty: int, volume: float, stop: int, params: Array) -> int:
    """A waiting market order at the open; 0 where an entry's open is at or beyond its stop (0: it has none)."""
    price = bars[i].open
    if side > 0 and micros(price) <= stop:
        return 0
    return slipped(price, side, qty, volume, params[0].rules)


@entry
def stop_fill(bars: Array, i: int, qty: int, stop: int, volume: float, params: Array) -> int:
    """A sell stop within the bar: at the open when that is beyond it, at the stop when the low touched it, else 0."""
    bar, rules = bars[i], params[0].rules
    if micros(bar.open) <= stop:
        return slipped(bar.open, -1, qty, volume, rules)
    if micros(bar.low) <= stop:
        return slipped(stop / 1e6, -1, qty, volume, rules)
    return 0
