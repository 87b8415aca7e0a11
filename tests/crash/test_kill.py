"""kill -9, again and again: what was written stays, what was meant happens once, and nobody can tell afterwards."""

import itertools
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.market import write_bars, write_ticks

KILLS = int(os.environ.get("FLUXHERO_KILLS", "6"))
PATIENCE = 120.0  # s; a bound, not a measure

Rows = list[tuple[Any, ...]]


def command(data: Path, state: Path, symbols: str, speed: str) -> list[str]:
    what = ["--data", str(data), "--symbols", symbols, "--strategy", "metronome", "--state", str(state)]
    return [sys.executable, "-m", "fluxhero", "replay", *what, "--speed", speed]


def query(state: Path, sql: str) -> Rows:
    """Nothing from a state that was killed before its tables were made."""
    try:
        with closing(sqlite3.connect(f"file:{state / 'fluxhero.sqlite'}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []


def table(state: Path, name: str) -> Rows:
    return query(state, f"SELECT * FROM {name} ORDER BY 1")


def rows(state: Path) -> int:
    return sum(n for (n,) in query(state, "SELECT count(*) FROM journal"))


def killed(paced: list[str], state: Path, chance: random.Random, more: int) -> bool:
    """One in five dies while it starts, the others when they have written up to `more` rows.

    False: it came to the end of the tape before.
    """
    process = subprocess.Popen(paced, stderr=subprocess.DEVNULL)
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0.0, 1.0))
    else:
        until, deadline = rows(state) + chance.randint(1, more), time.monotonic() + PATIENCE
        while process.poll() is None and rows(state) < until:
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.002)
    process.kill()
    code = process.wait(PATIENCE)
    assert code in (0, -signal.SIGKILL)
    return code != 0


@pytest.mark.parametrize(("symbols", "speed", "seed"), [("AAA,BBB", "10000", 1), ("CCC,DDD", "40000", 2)])
def test_killed_runs_end_as_the_unkilled_one(tmp_path: Path, symbols: str, speed: str, seed: int) -> None:
    """Whoever comes to the end of the tape is followed by another from its beginning, until there were enough kills."""
    for n, symbol in enumerate(("AAA", "BBB")):
        write_ticks(tmp_path, symbol, n)
    for n, symbol in enumerate(("CCC", "DDD")):
        write_bars(tmp_path, symbol, n)
    whole, chance = tmp_path / "whole", random.Random(seed)
    subprocess.run(command(tmp_path, whole, symbols, "max"), check=True, capture_output=True, timeout=PATIENCE)
    reference = table(whole, "journal")
    assert len(table(whole, "orders")) > 50

    kills, lives = 0, itertools.count()
    while kills < KILLS:
        state = tmp_path / f"killed-{next(lives)}"
        paced = command(tmp_path, state, symbols, speed)
        while kills < KILLS and killed(paced, state, chance, len(reference) // 5):
            kills += 1
            prefix = table(state, "journal")
            assert prefix == reference[: len(prefix)]
        subprocess.run(command(tmp_path, state, symbols, "max"), check=True, capture_output=True, timeout=PATIENCE)
        ends_as(whole, state, ticks=symbols == "AAA,BBB")


def ends_as(whole: Path, state: Path, ticks: bool) -> None:
    for name in ("journal", "orders", "fills", "positions", "trades", "equity", "decisions", "trips", "account"):
        assert table(state, name) == table(whole, name), name
    for file in ("fluxhero.sqlite", "venue.sqlite"):
        with closing(sqlite3.connect(state / file)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    *_, (resumed, refed) = [run[8:10] for run in table(state, "runs")]
    assert (resumed, refed > 0 or not ticks) == (True, True)  # of bars none need be fed again
