"""The same function over many jobs: all are done, in whatever order, and leaving off is soon done."""

import io
import sys
import threading

import pytest

from fluxhero.lab import jobs
from fluxhero.section import ConfigError


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def square(n: int) -> int:
    return n * n


def test_every_job_is_done_and_known_by_its_place() -> None:
    for workers in (0, 1, 3):
        done = dict(jobs.map(square, range(10, 60), jobs.Engine(workers=workers)))
        assert done == {i: (i + 10) ** 2 for i in range(50)}


def test_no_jobs_are_soon_done() -> None:
    assert list(jobs.map(square, [])) == []


def test_as_many_are_done_at_once_as_there_are_workers() -> None:
    met = threading.Barrier(3)
    done = dict(jobs.map(lambda n: met.wait(60) < 3, range(9), jobs.Engine(workers=3)))
    assert done == dict.fromkeys(range(9), True)


def test_who_leaves_off_waits_for_no_more_than_is_begun() -> None:
    begun = list[int]()
    for _ in jobs.map(lambda n: begun.append(n), range(1000), jobs.Engine(workers=2)):
        break
    assert len(begun) <= 2 * jobs.AHEAD


def test_what_a_job_raises_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(jobs.map(lambda n: 1 // n, [1, 0, 2]))


def test_without_dask_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"engine = dask: Dask is not installed; pip install 'fluxhero\[scale\]'"):
        list(jobs.map(square, [1], jobs.Engine(kind="dask")))


def test_a_bar_ends_full_and_leaves_the_line() -> None:
    screen = Screen()
    list(jobs.map(square, range(50), shown=jobs.Progress("sweep", screen)))
    last = screen.getvalue().split("\r")[-1]
    assert last == "sweep [##############################] 50/50, 100 %, 0:00 left\x1b[K\n"


def test_without_a_terminal_nothing_is_drawn() -> None:
    paper = io.StringIO()
    list(jobs.map(square, range(50), shown=jobs.Progress("sweep", paper)))
    assert paper.getvalue() == ""


def test_the_rest_is_told_at_the_pace_so_far() -> None:
    assert jobs.line("walk", 250, 1000, 10.0) == "walk [#######.......................] 250/1_000, 25 %, 0:30 left"
    assert jobs.line("walk", 1, 1000, 9.0) == "walk [..............................] 1/1_000, 0 %, 2:29:51 left"
