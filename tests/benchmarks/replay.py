"""How fast a replay goes through the real actors, journal included: `python -m tests.benchmarks.replay`."""

import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import structlog

from fluxhero.config import Config
from fluxhero.feeds.files import Timeframe
from fluxhero.feeds.recording import Input, Recording, Request
from fluxhero.feeds.tape import BarTimes
from fluxhero.messages import MINUTE, Model
from fluxhero.replay import Replay
from tests.benchmarks.kernel import median
from tests.kernel.drive import walk

ROUNDS = 5
SHAPES = ((1, 8_000), (20, 4_000))  # symbols, bar times
MEMORY = "/dev/shm"


def portfolio(symbols: int, times: int) -> tuple[Recording, Request]:
    """Minutes of made-up sessions, every symbol a walk of its own."""
    names, bars = tuple(f"S{i}" for i in range(symbols)), [np.asarray(walk(seed, times)) for seed in range(symbols)]
    tape = BarTimes(bars, [b["ts"] + MINUTE for b in bars])
    recording = Recording(
        symbols=names, model=Model.BAR, timeframe=Timeframe.M1, tape=tape, digests=dict.fromkeys(names, "made"),
        refused={}, left_out={},
    )  # fmt: skip
    return recording, Request(data=Path(), symbols=names, input=Input.M1, model=Model.BAR, adjusted=True)


def seconds(recording: Recording, request: Request) -> float:
    with tempfile.TemporaryDirectory(dir=MEMORY if Path(MEMORY).is_dir() else None) as folder:
        began = time.perf_counter()
        replay = Replay(recording=recording, request=request, config=Config(), directory=Path(folder) / "state")
        assert replay.main()
        return time.perf_counter() - began


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    for symbols, times in SHAPES:
        of = portfolio(symbols, times)
        seconds(*of)  # compiles
        pace = times / median([seconds(*of) for _ in range(ROUNDS)])
        print(f"{symbols:>5} x {times:<7} {pace:8,.0f} bar times/s {pace * symbols:10,.0f} symbol-bars/s")


if __name__ == "__main__":
    main()
