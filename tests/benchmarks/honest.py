"""What `dual_mode` has really earned, as the README tells it: `python -m tests.benchmarks.honest --data DIR`."""

import argparse
from pathlib import Path

from fluxhero.config import parse
from fluxhero.core.calendar import nyse
from fluxhero.feeds.faults import Unusable
from fluxhero.feeds.recording import Input, Request
from fluxhero.lab.engine import BacktestEngine, Trial
from fluxhero.lab.grid import grid
from fluxhero.lab.history import History, loaded
from fluxhero.lab.intervals import intervals
from fluxhero.lab.metrics import of, of_benchmark
from fluxhero.lab.walk import walk

DATA = (
    ("SPY", Input.D1, True), ("QQQ", Input.D1, True), ("AAPL", Input.D1, True), ("SPY", Input.M1, False),
    ("AAPL", Input.M5, False), ("MSFT", Input.M5, False),
)  # fmt: skip
PROFILES = ("default", "original")
AXES = ("enter_atr=0.3,0.5,0.8", "exit_atr=0.2,0.3,0.5")  # of the walk
HEAD = (
    "data", "profile", "trades", "result", "Sharpe (95 %)", "drawdown", "buy and hold", "its Sharpe", "its drawdown",
    "walk-forward: tests with profit",
)  # fmt: skip


def percent(x: float | None) -> str:
    return "" if x is None else f"{x:+.1%}".replace("%", " %")


def number(x: float | None) -> str:
    return "" if x is None else f"{x:.2f}"


def walked(past: History, trial: Trial) -> str:
    try:
        w = walk(past, trial, grid(trial.config, AXES))
    except Unusable as e:
        return f"none: {e}"
    return f"{w.profitable} of {len(w.windows)}, {'passed' if w.passed else 'failed'}"


def line(data: Path, symbol: str, timeframe: Input, adjusted: bool, profile: str) -> tuple[str, ...]:
    past, _ = loaded(Request(data=data, symbols=(symbol,), input=timeframe, adjusted=adjusted), nyse())
    trial = Trial(config=parse(f'profile = "{profile}"'))
    result = BacktestEngine(past, trial).run()
    m, b = of(result), of_benchmark(result)
    equity = [result.setup.cash, *result.equity[result.closes].tolist()]
    between = intervals(equity).sharpe
    span = f" ({number(between.low)} to {number(between.high)})" if between else ""
    return (
        f"{symbol} {timeframe}{', adjusted' if adjusted else ''}", profile, str(m.trades), percent(m.total_return),
        f"{number(m.sharpe)}{span}", percent(m.max_drawdown), percent(b.total_return), number(b.sharpe),
        percent(b.max_drawdown), walked(past, trial),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    print("| " + " | ".join(HEAD) + " |")
    print("|" + "---|" * len(HEAD))
    for symbol, timeframe, adjusted in DATA:
        for profile in PROFILES:
            print("| " + " | ".join(line(data, symbol, timeframe, adjusted, profile)) + " |", flush=True)


if __name__ == "__main__":
    main()
