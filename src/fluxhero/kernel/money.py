"""Micro-dollars and ticks. Prices are positive, so truncation after + 0.5 rounds half up."""

from fluxhero.kernel.compile import step

USD = 1_000_000
CENT, FINE = 10_000, 100  # ticks in micro-dollars: 2 decimals from 1 USD up, 4 below


@step
def micros(usd: float) -> int:
    return int(usd * 1e6 + 0.5)


@step
def tick_down(price: int) -> int:
    """The tick at or under a price in micro-dollars: where sells go."""
    tick = CENT if price >= USD else FINE
    return price // tick * tick


@step
def tick_up(price: int) -> int:
    """The tick at or over a price in micro-dollars: where buys go."""
    tick = CENT if price >= USD else FINE
    return -(-price // tick) * tick
