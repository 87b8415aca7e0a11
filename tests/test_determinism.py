"""The same market gives the same journal: whatever the speed, the hash seed, the scheduler."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fluxhero.config import Config, Strategy
from fluxhero.core.calendar import nyse
from fluxhero.feeds.recording import Request, load
from fluxhero.kernel.plug import settled
from fluxhero.replay import Replay
from tests.market import write_bars, write_ticks

Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    for seed, symbol in enumerate(("AAA", "BBB")):
        write_ticks(folder, symbol, seed)
    for seed, symbol in enumerate(("CCC", "DDD")):
        write_bars(folder, symbol, seed)
    return folder


def replayed(data: Path, state: Path, symbols: str, **settings: Any) -> Path:
    request = Request(data=data, symbols=tuple(symbols.split(",")))
    config = settled(Config(strategy=Strategy(name="metronome")))
    recording = load(request, nyse())
    assert Replay(recording=recording, request=request, config=config, directory=state, **settings).main()
    return state


def in_a_process(data: Path, state: Path, symbols: str, *options: str, hash_seed: str = "0") -> Path:
    command = ["-m", "fluxhero", "replay", "--data", str(data), "--symbols", symbols, "--strategy", "metronome"]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    run = [sys.executable, *command, "--state", str(state), *options]
    subprocess.run(run, env=environment, check=True, capture_output=True, timeout=300)
    return state


def journal(state: Path) -> Rows:
    with sqlite3.connect(state / "fluxhero.sqlite") as db:
        return db.execute("SELECT * FROM journal ORDER BY seq").fetchall()


def outcome(state: Path) -> tuple[Rows, Rows, Rows, Rows]:
    with sqlite3.connect(state / "fluxhero.sqlite") as db:
        tables = ("orders", "fills", "positions", "equity")
        orders, fills, positions, equity = (db.execute(f"SELECT * FROM {t} ORDER BY 1").fetchall() for t in tables)
    return orders, fills, positions, equity


@pytest.fixture(scope="module", params=["AAA,BBB", "CCC,DDD"])
def symbols(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def once(data: Path, symbols: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As fast as it goes, under the scheduler's own seed."""
    return replayed(data, tmp_path_factory.mktemp("once"), symbols)


def test_twice_the_same_is_the_same_journal(once: Path, data: Path, tmp_path: Path, symbols: str) -> None:
    assert len(journal(once)) > 500
    assert journal(replayed(data, tmp_path, symbols)) == journal(once)


def test_speed_only_delays(once: Path, data: Path, tmp_path: Path, symbols: str) -> None:
    assert journal(replayed(data, tmp_path, symbols, speed=20_000.0)) == journal(once)


@pytest.mark.parametrize("seed", range(1, 6))
def test_other_scheduler_seeds_give_the_same_orders_fills_and_positions(
    once: Path, data: Path, tmp_path: Path, symbols: str, seed: int
) -> None:
    assert outcome(replayed(data, tmp_path, symbols, seed=seed)) == outcome(once)


def test_other_hash_seeds_give_the_same_orders_fills_and_positions(data: Path, tmp_path: Path) -> None:
    reference = outcome(replayed(data, tmp_path / "reference", "AAA,BBB"))
    for seed in ("0", "1", "2", "77", "random"):
        assert outcome(in_a_process(data, tmp_path / seed, "AAA,BBB", hash_seed=seed)) == reference
