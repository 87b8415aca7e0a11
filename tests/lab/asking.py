"""The commands of the lab as a person asks for them, in this process, on seeded minutes."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fluxhero.cli import main
from fluxhero.core.calendar import nyse
from tests.market import write, write_bars

FIRST, LAST = date(2024, 3, 25), date(2024, 4, 5)  # nine sessions
SEEDS = {"AAA": 1, "BBB": 2}
EVERY = "[strategy.metronome]\nevery = 5\nkeep = 4\n"
Answer = dict[str, Any]


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def answer(self) -> Answer:
        """The last line of --json."""
        made: Answer = json.loads(self.out.splitlines()[-1], parse_constant=_refuse)
        return made


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def asked(*words: object) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(word) for word in words])
        except SystemExit as e:  # argparse
            code = int(str(e.code))
    return Ran(code, out.getvalue(), err.getvalue())


def minutes(folder: Path) -> Path:
    """AAA_1m and BBB_1m, fifty minutes of each session; AAA_1d of the same time; config.toml."""
    for symbol, seed in SEEDS.items():
        write_bars(folder, symbol, seed, FIRST, LAST, minutes=50)
    days(folder, "AAA")
    (folder / "config.toml").write_text(EVERY)
    return folder


def days(folder: Path, symbol: str, first: date = FIRST, last: date = LAST) -> Path:
    """A day is dearer than the one before by one percent, and opens where that closed."""
    sessions = nyse().between(first, last)
    close = [100.0 * 1.01**i for i in range(1, len(sessions) + 1)]
    opens = [100.0, *close[:-1]]
    columns = {
        "ts": [nyse().day_of(s.date)[0] for s in sessions], "open": opens, "high": close, "low": opens, "close": close,
        "volume": [1_000_000] * len(sessions),
    }  # fmt: skip
    return write(folder / f"{symbol}_1d.parquet", {name: np.array(x) for name, x in columns.items()})
