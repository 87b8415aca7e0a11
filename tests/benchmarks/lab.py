"""How fast the lab is: `python -m tests.benchmarks.lab [--peers PYTHON] [--data DIR]`.

PYTHON: an interpreter that has vectorbt and backtesting, for the same cross of means there.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from fluxhero.config import Config, Strategy
from fluxhero.core.calendar import nyse
from fluxhero.kernel.state import Array
from fluxhero.lab.engine import BacktestEngine, Trial
from fluxhero.lab.history import History, aligned
from fluxhero.messages import MINUTE, Nanos
from tests.benchmarks.kernel import median, rounds
from tests.kernel.drive import beside, walk

ROUNDS = 7
BARS = 100_000
SHAPES = ((1, BARS), (20, 5_000), (1000, 2_000))  # symbols, bar times
CROSS = Path(__file__).parent / "ema_cross.py"


def history(bars: Array) -> History:
    """Minutes of made-up sessions; bars: (T, S)."""
    names = tuple(f"S{i}" for i in range(bars.shape[1]))
    return History(names, "1m", Nanos(MINUTE), True, aligned(bars, bars["ts"][:, 0] + MINUTE, nyse()), "made")


def market(symbols: int, times: int) -> History:
    """Every symbol a walk of its own."""
    return history(beside(*(np.asarray(walk(seed, times)) for seed in range(symbols))))


def engine(past: History, strategy: str) -> BacktestEngine:
    config = Config(strategy=Strategy(name=strategy))
    return BacktestEngine(past, Trial(config=config, verbose=False))


def peers(python: str, bars: Array) -> dict[str, float]:
    """Seconds a run."""
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, np.stack([bars[name] for name in ("open", "high", "low", "close")]))
        file.flush()
        done = subprocess.run([python, "-m", "tests.benchmarks.peers", file.name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="an interpreter with vectorbt and backtesting")
    asked = parser.parse_args()
    for symbols, times in SHAPES:
        past = market(symbols, times)
        runs = {name: engine(past, name) for name in ("dual_mode", str(CROSS))}
        seconds = rounds({name: run.played for name, run in runs.items()}, ROUNDS)
        for name, taken in seconds.items():
            ns = median(taken) / past.market.bars.size * 1e9
            print(f"{symbols:>5} x {times:<7} {Path(name).stem:<10} {ns:7.1f} ns {1e3 / ns:7.1f} M symbol-bars/s")
    if asked.peers:
        past = market(1, BARS)
        ours = rounds({"ours": engine(past, str(CROSS)).played}, ROUNDS)["ours"]
        for name, theirs in peers(asked.peers, past.market.bars[:, 0]).items():
            print(f"ema cross against {name}: {theirs / median(ours):.0f} times as fast ({theirs * 1e3:.1f} ms)")


if __name__ == "__main__":
    main()
