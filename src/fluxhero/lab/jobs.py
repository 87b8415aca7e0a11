"""`map`: the same function over many jobs, on all cores of this machine or, with Dask, on those of several."""

from __future__ import annotations

import io
import os
import pickle
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any, Literal, TextIO, TypeVar

import msgspec

from fluxhero.section import ConfigError

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 4  # jobs for each worker that are handed out before their turn
BESIDE = 64  # jobs at most in one message to another machine
EVERY = 0.2  # s, between two looks of a bar
WIDTH = 30  # characters of a bar
REACH = 10.0  # s, to find a scheduler


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """Where jobs run. Threads need functions that leave Python's lock; Dask those that can be pickled, and a network
    where nobody else can send such: whatever arrives is run.
    """

    kind: Literal["threads", "dask"] = "threads"
    workers: int = 0  # 0: as many as there are cores
    scheduler: str | None = None  # address of a running one, such as tcp://10.0.0.7:8786; else two are begun here


def map(
    fn: Callable[[J], R], jobs: Sequence[J], engine: Engine | None = None, shown: Progress | None = None
) -> Iterator[tuple[int, R]]:
    """(place of the job, its result), as they are done. What is not begun when the caller leaves off is not done.

    Raises what a job raised, and ConfigError where there is no Dask or nobody at its address.
    """
    chosen = engine or Engine()
    bar = shown or Progress("", io.StringIO())
    with closing(ENGINES[chosen.kind](fn, jobs, chosen)) as done, bar.over(len(jobs)):
        for at, result in done:
            bar.step()
            yield at, result


def _threads(fn: Callable[[J], R], jobs: Sequence[J], engine: Engine) -> Iterator[tuple[int, R]]:
    """Few are handed out at a time, so that leaving off is soon done."""
    workers = engine.workers or os.cpu_count() or 1
    out: dict[Future[R], int] = {}
    waiting = deque(enumerate(jobs))
    with ThreadPoolExecutor(workers, thread_name_prefix="lab") as pool:
        try:
            while out or waiting:
                while waiting and len(out) < workers * AHEAD:
                    at, job = waiting.popleft()
                    out[pool.submit(fn, job)] = at
                for ended in wait(out, return_when=FIRST_COMPLETED).done:
                    yield out.pop(ended), ended.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _dask(fn: Callable[[J], R], jobs: Sequence[J], engine: Engine) -> Iterator[tuple[int, R]]:
    """What all jobs share goes to each machine once, and jobs go in batches: each message costs a millisecond."""
    try:
        distributed = import_module("distributed")
    except ModuleNotFoundError:
        raise ConfigError("engine = dask: Dask is not installed; pip install 'fluxhero[scale]'") from None
    with _cluster(distributed, engine) as client:
        workers = sum(client.nthreads().values())
        if not workers:
            raise ConfigError(f"scheduler = {engine.scheduler}: it has no workers; start some with dask worker")
        size = min(BESIDE, -(-len(jobs) // (workers * AHEAD))) or 1
        numbered = list(enumerate(jobs))
        batches = [numbered[i : i + size] for i in range(0, len(numbered), size)]
        shared = client.scatter(pickle.dumps(fn), broadcast=True, hash=False)
        out = [client.submit(_batch, shared, batch, pure=False) for batch in batches]
        try:
            for ended in distributed.as_completed(out):
                yield from ended.result()
                ended.release()
        except (CancelledError, OSError) as e:
            raise ConfigError(f"scheduler = {engine.scheduler}: it was lost; what is done is kept, ask again") from e
        finally:
            client.cancel(out)


def _batch(shared: bytes, numbered: Sequence[tuple[int, Any]]) -> list[tuple[int, Any]]:
    fn = _arrived(shared)
    return [(at, fn(job)) for at, job in numbered]


@lru_cache(maxsize=1)
def _arrived(shared: bytes) -> Callable[[Any], Any]:
    """Once in a process, and within a job: what it raises is the caller's to know."""
    return pickle.loads(shared)  # type: ignore[no-any-return]


def _cluster(distributed: Any, engine: Engine) -> Any:
    """A client of the scheduler at that address, or of processes of this machine that end with it."""
    if engine.scheduler is None:
        return distributed.Client(
            n_workers=engine.workers or os.cpu_count() or 1, threads_per_worker=1, processes=True, host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
        )  # fmt: skip
    try:
        return distributed.Client(engine.scheduler, timeout=REACH)
    except (OSError, ValueError) as e:
        raise ConfigError(f"scheduler = {engine.scheduler}: nobody answers there ({e}); start dask scheduler") from None


ENGINES: dict[str, Callable[..., Any]] = {"threads": _threads, "dask": _dask}


class Progress:
    """How much is done, and how long the rest takes at that pace; on a terminal, nowhere else."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label, self._out = label, stream or sys.stderr
        self._total = self._done = 0
        self._began = self._drawn = 0.0

    @contextmanager
    def over(self, total: int) -> Iterator[None]:
        """Of so many; what is written afterwards has a line of its own."""
        self._total, self._done, self._began, self._drawn = total, 0, time.monotonic(), -EVERY
        try:
            yield
        finally:
            self._write("\n" if self._done else "")

    def step(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._drawn >= EVERY or self._done == self._total:
            self._drawn = now
            self._write("\r" + line(self._label, self._done, self._total, now - self._began) + "\x1b[K")

    def _write(self, text: str) -> None:
        if self._out.isatty():
            self._out.write(text)
            self._out.flush()


def line(label: str, done: int, total: int, seconds: float) -> str:
    """Such as `sweep [######......] 500/1_000, 50 %, 0:41 left`."""
    full = WIDTH * done // total
    left = round(seconds * (total - done) / done)
    bar = "#" * full + "." * (WIDTH - full)
    return f"{label} [{bar}] {done:_}/{total:_}, {100 * done // total} %, {clock(left)} left"


def clock(seconds: int) -> str:
    """Such as 0:41 or 2:05:09."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
