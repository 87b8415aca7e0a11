"""How fast the kernel is, against TA-Lib in the same run: `python -m tests.benchmarks.kernel`.

Interleaved rounds, medians: on a noisy machine the ratios hold, the nanoseconds are colour.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import talib

from fluxhero.config import Config
from fluxhero.kernel import calculate_indicators
from fluxhero.kernel.compile import entry
from fluxhero.kernel.params import params_of
from fluxhero.kernel.plug import find, settled
from fluxhero.kernel.rows import observe
from fluxhero.kernel.state import Array, row
from fluxhero.kernel.think import build
from tests.kernel.drive import walk

ROUNDS = 31
SIZES = (10_000, 100_000, 1_000_000)
BUFFER = 500  # bars that a live TA-Lib would compute anew
MANY = 1000  # symbols in one call
STRATEGY = "dual_mode"

Call = Callable[[], object]


def rounds(calls: dict[str, Call], n: int, repeat: int = 1) -> dict[str, list[float]]:
    """Seconds per call of each, in n interleaved rounds after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for i in range(n + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            for _ in range(repeat):
                call()
            if i:
                times[name].append((time.perf_counter() - began) / repeat)
    return times


def median(times: list[float]) -> float:
    return statistics.median(times)


def ratio(over: list[float], under: list[float]) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(over, under, strict=True))


def talib_nine(high: Array, low: Array, close: Array, steps: Array) -> None:
    """What it takes TA-Lib to say the same."""
    talib.SMA(close, 20)
    talib.EMA(close, 20)
    talib.RSI(close, 14)
    talib.ATR(high, low, close, 14)
    talib.ADX(high, low, close, 14)
    talib.KAMA(close, 10)
    talib.BBANDS(close, 20)
    talib.LINEARREG_SLOPE(close, 50)
    talib.CORREL(close, steps, 50)


def fused(sizes: tuple[int, ...] = SIZES, n: int = ROUNDS) -> Iterator[tuple[str, str, str]]:
    for size in sizes:
        bars = walk(7, size)
        high, low, close = (np.ascontiguousarray(bars[k]) for k in ("high", "low", "close"))
        steps, out = np.arange(float(size)), calculate_indicators(high, low, close)
        times = rounds(
            {
                "ours": lambda h=high, lo=low, c=close, o=out: calculate_indicators(h, lo, c, out=o),  # type: ignore[misc]
                "talib": lambda h=high, lo=low, c=close, s=steps: talib_nine(h, lo, c, s),  # type: ignore[misc]
            },
            n,
        )
        goal = ">= 2.5" if size >= 1_000_000 else ">= 3"
        yield (
            f"fused 11 outputs, {size:,} bars",
            f"{ratio(times['talib'], times['ours']):.2f} x TA-Lib ({median(times['ours']) / size * 1e9:.1f} ns a bar)",
            f"{goal} x",
        )


@entry
def _update(rows: Array, bars: Array, params: Array) -> None:
    observe(rows[0].market, rows[0].reading, bars[0], params[0].rules)


def live(n: int = ROUNDS, repeat: int = 300) -> Iterator[tuple[str, str, str]]:
    """One symbol's bar as it seals: the indicators, and the whole of `think`."""
    strategy = find(STRATEGY)
    mind, params = build(strategy), params_of(settled(Config()))
    params["rules"]["span"] = 60_000_000_000
    bars = walk(7, BUFFER + repeat + 1)
    high, low, close = (np.ascontiguousarray(bars[k][:BUFFER]) for k in ("high", "low", "close"))
    steps, busy = np.arange(float(BUFFER)), np.zeros(1, np.int64)
    tape = [bars[t : t + 1] for t in range(bars.size)]
    rows = np.zeros((2, 1), row(strategy.own))

    def over(call: Callable[[Array], object]) -> Call:
        source = itertools.cycle(tape)
        return lambda: call(next(source))

    times = rounds(
        {
            "nothing": over(lambda bar: None),
            "update": over(lambda bar: _update(rows[0], bar, params)),
            "think": over(lambda bar: mind.think(rows[1], bar, params, 2.5, busy)),
            "talib": lambda: talib_nine(high, low, close, steps),
        },
        n,
        repeat,
    )
    base = median(times["nothing"])
    update, think = median(times["update"]) - base, median(times["think"]) - base
    yield (
        "one live update, all indicators",
        f"{update * 1e6:.2f} us, {median(times['talib']) / update:.0f} x TA-Lib",
        ("<= 0.7 us, >= 50 x on its 500-bar buffer"),
    )
    yield "one symbol thinks", f"{think * 1e6:.2f} us", "<= 0.7 us"


def universe(symbols: int = MANY, n: int = ROUNDS, bars: int = 100) -> Iterator[tuple[str, str, str]]:
    """All symbols of one bar time in one call."""
    strategy = find(STRATEGY)
    mind, params = build(strategy), params_of(settled(Config()))
    params["rules"]["span"] = 60_000_000_000
    walks = np.stack([walk(seed, 64 + bars) for seed in range(20)], axis=1)
    tape = [np.ascontiguousarray(np.resize(at, symbols)) for at in walks]
    rows, busy = np.zeros(symbols, row(strategy.own)), np.zeros(symbols, np.int64)
    for at in tape[:64]:
        mind.think(rows, at, params, 2.5, busy)

    def all_of_them() -> None:
        for at in tape[64:]:
            mind.think(rows, at, params, 2.5, busy)

    each = median(rounds({"think": all_of_them}, n)["think"]) / bars / symbols
    yield f"{symbols} symbols think in one call", f"{each * 1e9:.1f} ns each", "<= 40 ns each"


def table() -> list[tuple[str, str, str]]:
    return [*fused(), *live(), *universe()]


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    for what, figure, goal in table():
        print(f"{what:40}  {figure:40}  {goal}")
