"""kill -9 of `fluxhero run`, again and again: it goes on as the run that nobody killed, from the same beginning."""

import os
import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fluxhero.cli import main
from tests.test_run import Running, configured, wait_for

KILLS = int(os.environ.get("FLUXHERO_KILLS", "6"))
MORE = 2400 // KILLS + 1  # rows at most, from kill to kill
TABLES = ("orders", "fills", "trades", "decisions", "trips", "equity")

Rows = list[tuple[Any, ...]]


def query(state: Path, sql: str, *values: Any) -> Rows:
    with closing(sqlite3.connect(f"file:{state / 'fluxhero.sqlite'}?mode=ro", uri=True)) as db:
        return db.execute(sql, values).fetchall()


def written(state: Path) -> int:
    return int(query(state, "SELECT count(*) FROM journal")[0][0])


def copied(state: Path, to: Path) -> Path:
    """A state at its beginning, when its account has an epoch and nothing has been done."""
    to.mkdir()
    for name in ("fluxhero.sqlite", "venue.sqlite"):
        with closing(sqlite3.connect(state / name)) as source, closing(sqlite3.connect(to / name)) as target:
            source.backup(target)
    return to


def protected(state: Path) -> None:
    """What is held has its stop, but for what is being entered or left at this moment."""
    live = "state IN ('sent', 'live', 'partial')"  # a stop that is being moved is there twice
    stops = query(state, f"SELECT slot, max(qty - filled) FROM orders WHERE role = 'stop' AND {live} GROUP BY slot")
    entering = query(state, f"SELECT slot FROM orders WHERE role = 'entry' AND {live}")
    busy = [*entering, *query(state, "SELECT slot FROM aims WHERE leaving")]
    held = [row for row in query(state, "SELECT slot, qty FROM positions") if row[:1] not in busy]
    assert [row for row in held if row not in stops] == []


@pytest.mark.parametrize("seed", [11])
def test_a_run_that_is_killed_goes_on_as_one_that_was_not(seed: int, tmp_path: Path) -> None:
    config, killed, chance = configured(tmp_path, speed=0), tmp_path / "killed", random.Random(seed)
    slow = configured(tmp_path, speed=0.001)
    first = Running(killed, "--state", killed, "--config", slow).ready()
    whole = copied(killed, tmp_path / "whole")
    first.kill()
    assert len(query(whole, "SELECT * FROM journal WHERE kind IN ('intent', 'seal')")) == 0

    errors: list[str] = []
    lived = 0
    for _ in range(KILLS):
        running = Running(killed, "--state", killed, "--config", config)
        if chance.random() < 0.2:
            time.sleep(chance.uniform(0.0, 0.6))
        else:
            until = written(killed) + chance.randint(1, MORE)
            wait_for(lambda r=running, n=until: written(killed) >= n or r.process.poll() is not None)  # type: ignore[misc]
            lived += 1
        assert running.process.poll() is None, running.err
        running.kill()
        errors.append(running.err)
        protected(killed)
    assert [e for e in errors if "Traceback" in e or "[error" in e] == []

    rows = query(killed, "SELECT * FROM journal ORDER BY seq")
    unkilled = Running(whole, "--state", whole, "--config", config).ready()
    wait_for(lambda: query(whole, "SELECT max(seq) FROM journal")[0][0] >= len(rows) or unkilled.process.poll())
    unkilled.kill()
    assert rows == query(whole, "SELECT * FROM journal WHERE seq <= ? ORDER BY seq", len(rows))
    assert query(killed, "SELECT count(*) FROM trades")[0][0] > 10
    last = len(rows)
    for table, column in (("decisions", "n"), ("trades", "n"), ("fills", "n"), ("trips", "n")):
        of = f"SELECT * FROM {table} WHERE {column} <= ? ORDER BY {column}"
        assert query(killed, of, last) == query(whole, of, last), table

    again = Running(killed, "--state", killed, "--config", config, "--for", "0.2s")
    assert again.left() == 0, again.err
    for state in (killed, whole):
        assert main(["verify", "--state", str(state)]) == 0
        for file in ("fluxhero.sqlite", "venue.sqlite"):
            with closing(sqlite3.connect(state / file)) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    runs = query(killed, "SELECT resumed, refed FROM runs ORDER BY n")
    assert (sum(r for r, _ in runs) >= lived, sum(refed for _, refed in runs) > 0) == (True, True)
    shutil.rmtree(whole)
