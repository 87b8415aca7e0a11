"""kill -9, again and again: what was written stays, what was meant happens once, and nobody can tell afterwards."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
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


def table(state: Path, name: str) -> Rows:
    db = sqlite3.connect(f"file:{state / 'fluxhero.sqlite'}?mode=ro", uri=True)
    try:
        return db.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall()
    except sqlite3.OperationalError:
        return []  # killed before the tables were made
    finally:
        db.close()


def rows(state: Path) -> int:
    return len(table(state, "journal")) if (state / "fluxhero.sqlite").exists() else 0


def kill_after(process: "subprocess.Popen[bytes]", state: Path, chance: random.Random, before: int) -> None:
    """One in five dies while it starts, the others some time after they began to write."""
    if chance.random() < 0.2:
        time.sleep(chance.uniform(0.0, 1.0))
    else:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and rows(state) == before and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.15))
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)


@pytest.mark.parametrize(("symbols", "speed", "seed"), [("AAA,BBB", "4000", 1), ("CCC,DDD", "40000", 2)])
def test_killed_runs_end_as_the_unkilled_one(tmp_path: Path, symbols: str, speed: str, seed: int) -> None:
    for n, symbol in enumerate(("AAA", "BBB")):
        write_ticks(tmp_path, symbol, n)
    for n, symbol in enumerate(("CCC", "DDD")):
        write_bars(tmp_path, symbol, n)
    whole, killed, chance = tmp_path / "whole", tmp_path / "killed", random.Random(seed)
    subprocess.run(command(tmp_path, whole, symbols, "max"), check=True, capture_output=True, timeout=PATIENCE)
    reference = table(whole, "journal")
    assert len(table(whole, "orders")) > 50

    kills = 0
    for _ in range(KILLS):
        before = rows(killed)
        if before == len(reference):
            break
        process = subprocess.Popen(command(tmp_path, killed, symbols, speed), stderr=subprocess.DEVNULL)
        kill_after(process, killed, chance, before)
        kills += 1
        prefix = table(killed, "journal") if rows(killed) else []
        assert prefix == reference[: len(prefix)]
    subprocess.run(command(tmp_path, killed, symbols, "max"), check=True, capture_output=True, timeout=PATIENCE)

    assert kills == KILLS
    for name in ("journal", "orders", "fills", "positions", "trades", "equity", "decisions", "trips", "account"):
        assert table(killed, name) == table(whole, name), name
    for file in ("fluxhero.sqlite", "venue.sqlite"):
        with sqlite3.connect(killed / file) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    runs = table(killed, "runs")
    assert sum(run[8] for run in runs) >= kills // 2  # resumed
    assert sum(run[9] for run in runs) > 0  # events fed again
