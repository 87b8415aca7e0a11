"""With Dask, a scheduler and two worker processes on loopback: the same sweep, the same walk."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero.lab import jobs
from fluxhero.lab.engine import Trial
from fluxhero.lab.grid import grid
from fluxhero.lab.points import rebuilt
from fluxhero.lab.sweep import sweep
from fluxhero.lab.walk import walk
from fluxhero.section import ConfigError
from tests.lab.test_points import GAMBLER, bench, config, walked
from tests.lab.test_sweep import SMA, TRIAL, Stop, apart, points, rows

distributed: Any = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("default")  # what Dask warns of is Dask's

TWO = 2


class Leaving(jobs.Progress):
    """Kills the scheduler when so many are done."""

    def __init__(self, scheduler: "subprocess.Popen[bytes]", after: int) -> None:
        super().__init__("")
        self.scheduler, self.left = scheduler, after

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            self.scheduler.kill()


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The address of a scheduler that has both its workers, and itself."""
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard", "--dashboard-address", "127.0.0.1:0"]
    scheduler = begun(folder, "dask_scheduler", "--host", "127.0.0.1", "--port", "0", *common)
    workers = [begun(folder, "dask_worker", "--nthreads", "1", "--no-nanny", *common) for _ in range(TWO)]
    try:
        while not file.exists() or not file.read_bytes().endswith(b"}"):
            assert scheduler.poll() is None
        address: str = json.loads(file.read_bytes())["address"]
        with distributed.Client(address) as client:
            client.wait_for_workers(TWO, timeout=120)
        yield address, scheduler
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def begun(folder: Path, tool: str, *words: str) -> "subprocess.Popen[bytes]":
    with (folder / f"{tool}.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", f"distributed.cli.{tool}", *words], stderr=log, cwd=folder)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with cluster(tmp_path_factory.mktemp("dask")) as (address, _):
        yield address


def there(address: str) -> jobs.Engine:
    return jobs.Engine(kind="dask", scheduler=address)


@pytest.fixture
def engine(address: str) -> jobs.Engine:
    return there(address)


def test_a_sweep_elsewhere_is_the_sweep_here(engine: jobs.Engine, tmp_path: Path) -> None:
    past = walked(11, 300)
    here = sweep(past, TRIAL, points(), tmp_path / "here")
    there = sweep(past, TRIAL, points(), tmp_path / "there", engine=engine)
    assert rows(there) == rows(here)
    assert apart(there) == apart(here)


def test_a_walk_elsewhere_is_the_walk_here(engine: jobs.Engine) -> None:
    past = walked(9, 400)
    assert walk(past, TRIAL, points(), engine=engine) == walk(past, TRIAL, points())


def test_more_jobs_than_fit_into_a_message_are_all_done_by_both(engine: jobs.Engine, address: str) -> None:
    numbers = list(range(3000))
    assert dict(jobs.map(str, numbers, engine)) == {n: str(n) for n in numbers}
    with distributed.Client(address) as client:
        assert len(client.scheduler_info()["workers"]) == TWO


def test_what_was_done_elsewhere_before_an_interruption_is_kept(engine: jobs.Engine, tmp_path: Path) -> None:
    past, said = walked(12, 300), grid(SMA, ["fast=2:20:19", "slow=21:60:40"])
    left = sweep(past, TRIAL, said, tmp_path, engine=engine, shown=Stop(after=100))
    assert (left.interrupted, left.done, len(rows(left))) == (True, 100, 100)
    made = sweep(past, TRIAL, said, tmp_path, engine=engine)
    assert (made.known, made.done, made.interrupted) == (100, 760, False)
    assert apart(made) == apart(sweep(past, TRIAL, said, tmp_path / "here"))


def test_what_a_job_raises_elsewhere_reaches_the_caller(engine: jobs.Engine) -> None:
    with pytest.raises(ValueError, match="invalid literal for int"):
        list(jobs.map(int, ["1", "two", "3"], engine))


def test_other_code_elsewhere_is_refused_there(engine: jobs.Engine) -> None:
    b = bench(walked(5, 30), "sma_cross", "fixed:100")
    with pytest.raises(ConfigError, match="install the same version on every machine"):
        list(jobs.map(Other(b.past, b.trial), [1], engine))


class Other(msgspec.Struct):
    """Is made of other code than is found where it arrives."""

    past: Any
    trial: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (self.past, self.trial, "0123")

    def __call__(self, job: int) -> int:
        return job


def test_without_a_scheduler_processes_of_this_machine_do_it() -> None:
    assert dict(jobs.map(str, [1, 2, 3], jobs.Engine(kind="dask", workers=2))) == {0: "1", 1: "2", 2: "3"}


def test_where_nobody_answers_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "REACH", 0.5)
    with pytest.raises(ConfigError, match=r"tcp://127.0.0.1:9: nobody answers there .*; start dask scheduler"):
        list(jobs.map(str, [1], jobs.Engine(kind="dask", scheduler="tcp://127.0.0.1:9")))


def test_what_was_done_before_the_scheduler_left_is_kept(tmp_path: Path) -> None:
    past, said = walked(12, 300), grid(SMA, ["fast=2:20:19", "slow=21:60:40"])
    with cluster(tmp_path) as (address, scheduler), pytest.raises(ConfigError) as e:
        sweep(past, TRIAL, said, tmp_path, engine=there(address), shown=Leaving(scheduler, after=100))
    assert str(e.value) == f"scheduler = {address}: it was lost; what is done is kept, ask again"
    made = sweep(past, TRIAL, said, tmp_path)
    assert 100 <= made.known < made.done == 760


def test_a_strategy_in_a_file_is_found_elsewhere_too(engine: jobs.Engine, tmp_path: Path) -> None:
    past, said = walked(3, 300), grid(config(GAMBLER), ["seed=1:9:9"])
    trial = Trial(config=config(GAMBLER), sizing="fixed:100")
    assert apart(sweep(past, trial, said, tmp_path / "1", engine=engine)) == apart(
        sweep(past, trial, said, tmp_path / "2")
    )
