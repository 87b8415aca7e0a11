"""At what price the venue fills within a bar. All prices but the bar's are micro-dollars."""

from fluxhero.kernel.compile import entry, step
from fluxhero.kernel.money import USD, micros
from fluxhero.kernel.state import Array, Rec

YEAR = 252  # sessions


@step
def slipped(price: float, side: int, qty: int, volume: float, rules: Rec) -> int:
    """Slippage against the taker, more when the order is a crowd of its own."""
    slip = rules.slip + (rules.impact if qty > rules.crowd * volume else 0.0)
    return micros(price * (1.0 + slip)) if side > 0 else micros(price * (1.0 - slip))


@step
def opening(bar: Rec, side: int, qty: int, volume: float, stop: int, rules: Rec) -> int:
    """A waiting market order at the open; 0 where an entry's open is at or beyond its stop (0: it has none)."""
    if (stop != 0) & (side * (micros(bar.open) - stop) <= 0):
        return 0
    return slipped(bar.open, side, qty, volume, rules)


@step
def stopping(bar: Rec, side: int, qty: int, stop: int, volume: float, rules: Rec) -> int:
    """A stop within the bar: at the open when that is beyond it, at the stop when the bar touched it, else 0."""
    if side * (micros(bar.open) - stop) >= 0:
        return slipped(bar.open, side, qty, volume, rules)
    if side * (micros(bar.high if side > 0 else bar.low) - stop) >= 0:
        return slipped(stop / 1e6, side, qty, volume, rules)
    return 0


@entry
def open_fill(bars: Array, i: int, side: int, qty: int, volume: float, stop: int, rules: Array) -> int:
    return opening(bars[i], side, qty, volume, stop, rules[0])


@entry
def stop_fill(bars: Array, i: int, side: int, qty: int, stop: int, volume: float, rules: Array) -> int:
    return stopping(bars[i], side, qty, stop, volume, rules[0])


@entry
def borrow_fee(price: int, qty: int, rate: float) -> int:
    """What `qty` shares sold short cost for a session, rounded half up; `rate`: share of the value a year."""
    year, parts = YEAR * USD, micros(rate)
    whole, rest = divmod(price * qty, year)  # apart, for the product of all would not fit into 64 bits
    return whole * parts + (rest * parts + year // 2) // year
