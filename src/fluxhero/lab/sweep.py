"""Many points of a strategy's parameters over one history: every one a row of Parquet, and what the best is worth.

A folder keeps all that was ever tried there, by what it was tried on; so a sweep that was interrupted goes on, and
the best is judged among all trials, not among those of the last run.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from fluxhero import __version__
from fluxhero.lab import jobs
from fluxhero.lab.engine import Trial
from fluxhero.lab.grid import Grid, Value
from fluxhero.lab.history import History
from fluxhero.lab.kept import Kept, Told
from fluxhero.lab.points import NUMBERS, Bench, Number, objective, rank
from fluxhero.lab.statistics import Skill, deflated, returns
from fluxhero.messages import Array
from fluxhero.section import ConfigError, Section

TOP = 20  # points in the answer
EVERY = 5.0  # s between two parts


class Point(msgspec.Struct, frozen=True, kw_only=True):
    params: dict[str, Value]
    metrics: dict[str, Number]  # of lab.metrics


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    strategy: str
    symbols: tuple[str, ...]
    timeframe: str
    data: str  # digest of the bars
    objective: str
    folder: str  # where all rows are
    asked: int  # points
    left_out: int  # for one parameter must be under another
    known: int  # of those asked, from before
    done: int  # known ones and new ones
    interrupted: bool
    tried: int  # in that folder, ever
    top: tuple[Point, ...]  # of those asked, the best first
    skill: Skill | None  # of the best, among all that were tried

    @property
    def best(self) -> Point | None:
        return self.top[0] if self.top else None


def sweep(
    past: History, trial: Trial, grid: Grid, folder: Path, *, by: str = "sharpe", engine: jobs.Engine | None = None,
    shown: jobs.Progress | None = None,
) -> Sweep:  # fmt: skip
    """`by`: one of `points.OBJECTIVES`. After Ctrl-C the answer is of what was done; the same
    call goes on from there. Raises ConfigError, also where another sweep writes to the same folder.
    """
    objective(by)
    bench = Bench(past, trial)
    with _alone(folder / key(bench)) as place:
        kept = Kept(place, bench.strategy.Params)
        wanted = {values(point): point for point in grid.points}
        fresh = [point for told, point in wanted.items() if told not in kept.rows]
        whole = _run(bench, fresh, kept, engine, shown)
        return _answer(bench, grid, kept, list(wanted), by, len(wanted) - len(fresh), not whole)


def key(bench: Bench) -> str:
    """A folder's name: whatever decides but the strategy's parameters."""
    trial, config = bench.trial, bench._engine.config
    said = replace(config, strategy=replace(config.strategy, tables={config.strategy.stem: bench.strategy.Params()}))
    parts = (
        __version__, tuple(NUMBERS), bench.strategy.code, said.hash(), bench.past.digest, bench.past.symbols,
        bench.past.timeframe, bench.past.adjusted, trial.sizing, trial.costs, trial.release,
    )  # fmt: skip
    return f"{bench.strategy.name}-{hashlib.blake2b(msgspec.json.encode(parts), digest_size=8).hexdigest()}"


def values(point: Section) -> Told:
    return msgspec.structs.astuple(point)


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{folder}: another sweep writes there; wait for it, or name another folder") from None
        yield folder


@dataclass(frozen=True)
class Task:
    """What a job does."""

    bench: Bench

    def __call__(self, values: dict[str, Any]) -> tuple[dict[str, Number], Array]:
        tried = self.bench.tried(self.bench.point(values))
        return tried.numbers(), returns(tried.series)


def _run(
    bench: Bench, points: Sequence[Section], kept: Kept, engine: jobs.Engine | None, shown: jobs.Progress | None
) -> bool:
    """False: interrupted. Whatever else happens, what is done is kept."""
    saved = time.monotonic()
    try:
        for at, (metrics, moved) in jobs.map(Task(bench), [msgspec.to_builtins(p) for p in points], engine, shown):
            kept.add(values(points[at]), metrics, moved)
            if time.monotonic() - saved > EVERY:
                kept.save()
                saved = time.monotonic()
    except KeyboardInterrupt:
        return False
    finally:
        kept.save()
    return True


def _answer(bench: Bench, grid: Grid, kept: Kept, wanted: list[Told], by: str, known: int, interrupted: bool) -> Sweep:
    done = [told for told in wanted if told in kept.rows]
    best = sorted(done, key=lambda told: -rank(kept.rows[told][by]))[:TOP]
    names = bench.strategy.Params.__struct_fields__
    return Sweep(
        strategy=bench.strategy.name, symbols=bench.past.symbols, timeframe=bench.past.timeframe,
        data=bench.past.digest, objective=by, folder=str(kept.folder), asked=len(wanted), left_out=grid.left_out,
        known=known, done=len(done), interrupted=interrupted, tried=len(kept.rows),
        top=tuple(Point(params=dict(zip(names, told, strict=True)), metrics=kept.rows[told]) for told in best),
        skill=_skill(bench, kept, dict(zip(names, best[0], strict=True))) if best else None,
    )  # fmt: skip


def _skill(bench: Bench, kept: Kept, best: dict[str, Value]) -> Skill | None:
    moved = returns(bench.tried(bench.point(best)).series)
    sharpes = [row["sharpe"] for _, row in sorted(kept.rows.items())]
    return deflated(moved, sharpes, kept.alike.independent) if moved.size else None
