"""A sweep keeps every point that it tried, goes on where it was left off, and says what the best of many is worth."""

import fcntl
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fluxhero.config import Config
from fluxhero.lab import jobs
from fluxhero.lab.engine import Trial
from fluxhero.lab.grid import Grid, drawn, grid
from fluxhero.lab.history import History
from fluxhero.lab.points import Bench
from fluxhero.lab.statistics import Alike, deflated, independent_trials, returns, sharpe, unpacked
from fluxhero.lab.sweep import TOP, Sweep, key, sweep
from fluxhero.section import ConfigError
from tests.lab.test_points import config, walked

SMA = config("sma_cross")
TRIAL = Trial(config=SMA, sizing="fixed:100")
SAID = ["fast=3,5,9,14", "slow=10,20,40"]


class Stop(jobs.Progress):
    """Ctrl-C when so many are done."""

    def __init__(self, after: int) -> None:
        super().__init__("")
        self.left = after

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


@pytest.fixture
def past() -> History:
    return walked(11, 300)


def points() -> Grid:
    return grid(SMA, SAID)


def parts(made: Sweep) -> list[Path]:
    return sorted(Path(made.folder).glob("*.parquet"))


def rows(made: Sweep) -> list[dict[str, float]]:
    found = [row for part in parts(made) for row in pq.read_table(part).to_pylist()]
    return sorted(found, key=lambda row: (row["param_fast"], row["param_slow"]))


def apart(made: Sweep) -> Sweep:
    """Wherever it was kept."""
    return msgspec.structs.replace(made, folder="", known=0)


def test_every_point_is_a_row_with_its_parameters_and_its_metrics(past: History, tmp_path: Path) -> None:
    made = sweep(past, TRIAL, points(), tmp_path)
    bench = Bench(past, TRIAL)
    told = sorted((p for p in points().points), key=lambda p: (p.fast, p.slow))  # type: ignore[attr-defined]
    assert rows(made) == [
        {
            **{f"param_{name}": value for name, value in msgspec.structs.asdict(point).items()},
            **bench.tried(point).numbers(),
        }
        for point in told
    ]
    assert (made.asked, made.done, made.known, made.tried, made.left_out) == (11, 11, 0, 11, 1)


def test_the_best_comes_first_by_what_was_asked_for(past: History, tmp_path: Path) -> None:
    for by in ("sharpe", "total_return", "max_drawdown"):
        made = sweep(past, TRIAL, points(), tmp_path, by=by)
        scores = [point.metrics[by] for point in made.top]
        assert scores == sorted((row[by] for row in rows(made)), reverse=True)[:TOP]
        assert made.best == made.top[0]


def test_a_sweep_again_tries_nothing_and_says_the_same(past: History, tmp_path: Path) -> None:
    first, again = (sweep(past, TRIAL, points(), tmp_path) for _ in range(2))
    assert (again.known, len(parts(again))) == (11, 1)
    assert apart(again) == apart(first)


def test_what_was_done_before_an_interruption_is_kept_and_the_rest_done_later(past: History, tmp_path: Path) -> None:
    whole = sweep(past, TRIAL, points(), tmp_path / "whole")
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        left = sweep(past, TRIAL, points(), folder, engine=jobs.Engine(workers=workers), shown=Stop(after=4))
        assert (left.interrupted, left.done, len(rows(left))) == (True, 4, 4)
        made = sweep(past, TRIAL, points(), folder)
        assert (made.known, made.interrupted, len(parts(made))) == (4, False, 2)
        assert rows(made) == rows(whole)
        assert apart(made) == apart(whole)


def test_an_interruption_before_anything_is_done_leaves_no_best(past: History, tmp_path: Path) -> None:
    made = sweep(past, TRIAL, points(), tmp_path, shown=Stop(after=0))
    assert (made.interrupted, made.done, made.best, made.skill, parts(made)) == (True, 0, None, None, [])


def test_however_many_work_the_answer_is_the_same(past: History, tmp_path: Path) -> None:
    answers = [apart(sweep(past, TRIAL, points(), tmp_path / str(n), engine=jobs.Engine(workers=n))) for n in (1, 2, 5)]
    assert answers == [answers[0]] * 3


def test_the_best_is_judged_among_all_that_were_ever_tried_there(past: History, tmp_path: Path) -> None:
    few = sweep(past, TRIAL, grid(SMA, ["fast=3", "slow=10,20"]), tmp_path)
    many = sweep(past, TRIAL, drawn(SMA, ["fast=2:20", "slow=21:60"], 60), tmp_path)
    again = sweep(past, TRIAL, grid(SMA, ["fast=3", "slow=10,20"]), tmp_path)
    assert (few.tried, many.tried, again.tried) == (2, 62, 62)
    assert (again.asked, again.known, again.best) == (2, 2, few.best)
    assert few.skill is not None
    assert again.skill is not None
    assert again.skill.tried == 62
    assert again.skill.hurdle > few.skill.hurdle
    assert again.skill.sharpe == few.skill.sharpe


def test_the_skill_is_that_of_the_returns_of_all_trials(past: History, tmp_path: Path) -> None:
    made, bench = sweep(past, TRIAL, points(), tmp_path), Bench(past, TRIAL)
    moved = [returns(bench.tried(point).series) for point in points().points]
    assert made.skill is not None
    assert made.skill.independent == pytest.approx(independent_trials(moved), rel=1e-9)
    assert made.skill.sharpe == max(float(sharpe(m)) for m in moved)


def test_the_best_of_many_that_know_nothing_is_nothing() -> None:
    """Nobody is fooled: in most of the seeds what looks significant alone is not, once all that was tried counts."""
    alone = fooled = 0
    for seed in range(10):
        rng, alike = np.random.default_rng(seed), Alike()
        moved = rng.normal(0.000156, 0.01, (300, 250))
        for m in moved:
            alike.add(m)
        assert alike.independent > 250
        best = moved[np.argmax(sharpe(moved))]
        skill = deflated(best, sharpe(moved).tolist(), alike.independent)
        assert skill is not None
        assert skill.probabilistic is not None
        assert skill.deflated is not None
        alone += skill.probabilistic > 0.95
        fooled += skill.deflated > 0.95
    assert (alone, fooled) == (10, 0)


def test_what_is_alike_adds_up_in_any_order() -> None:
    rng = np.random.default_rng(1)
    shared = rng.normal(0.0, 0.01, 200)
    moved = [shared * (i % 3) + rng.normal(0.0, 0.005, 200) for i in range(30)] + [np.zeros(200), np.zeros(0)]
    whole, forth, back = Alike(), Alike(), Alike()
    for m in moved:
        whole.add(m)
    for m in reversed(moved):
        one = Alike()
        one.add(m)
        back.join(unpacked(one.packed()))
    for half in (moved[:10], moved[10:]):
        part = Alike()
        for m in half:
            part.add(m)
        forth.join(part)
    assert whole.packed() == forth.packed() == back.packed()
    assert whole.independent == pytest.approx(
        independent_trials([m for m in moved if m.size] + [np.zeros(200)]), rel=1e-9
    )


def test_another_history_or_another_way_to_trade_has_another_folder_but_not_another_default(past: History) -> None:
    def name(history: History = past, **said: object) -> str:
        return key(Bench(history, Trial(**{"config": SMA, "sizing": "fixed:100", **said})))  # type: ignore[arg-type]

    dear = msgspec.structs.replace(SMA, costs=msgspec.structs.replace(SMA.costs, slip=0.001))
    others = [
        name(past.part(0, 200)), name(costs=False), name(sizing="fixed:50"), name(config=dear), name(release=False),
        name(config=config("metronome")),
    ]  # fmt: skip
    assert len({name(), *others}) == 7
    assert name(config=config("sma_cross", fast=7)) == name() == name(verbose=False)
    assert name().startswith("sma_cross-")


def test_all_kinds_of_parameters_come_back_as_they_were(tmp_path: Path) -> None:
    trial, past = Trial(config=Config()), walked(2, 200)
    said = grid(Config(), ["neutral=either,both", "width=1.5,2"])
    first, again = (sweep(past, trial, said, tmp_path) for _ in range(2))
    assert (again.known, again.asked) == (4, 4)
    assert apart(again) == apart(first)
    assert {point.params["neutral"] for point in again.top} == {"either", "both"}
    assert [type(again.top[0].metrics[name]) for name in ("trades", "total_return")] == [int, float]


def test_an_answer_is_json(past: History, tmp_path: Path) -> None:
    made = sweep(past, TRIAL, points(), tmp_path)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Sweep) == made


def test_two_sweeps_do_not_write_to_one_folder(past: History, tmp_path: Path) -> None:
    folder = tmp_path / key(Bench(past, TRIAL))
    folder.mkdir()
    with (folder / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConfigError, match="another sweep writes there; wait for it, or name another folder"):
            sweep(past, TRIAL, points(), tmp_path)


def test_what_is_no_part_of_a_sweep_is_named(past: History, tmp_path: Path) -> None:
    (part,) = parts(sweep(past, TRIAL, points(), tmp_path))
    whole = part.read_bytes()
    pq.write_table(pa.table({"param_fast": [3]}), part.with_name("0.parquet"))
    with pytest.raises(ConfigError, match=r"0.parquet is no part of a sweep .*; delete it, its points are tried anew"):
        sweep(past, TRIAL, points(), tmp_path)
    part.with_name("0.parquet").unlink()
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="is no part of a sweep"):
        sweep(past, TRIAL, points(), tmp_path)


def test_what_was_being_written_when_the_power_failed_does_no_harm(past: History, tmp_path: Path) -> None:
    first = sweep(past, TRIAL, points(), tmp_path)
    parts(first)[0].with_suffix(".new").write_bytes(b"half")
    assert apart(sweep(past, TRIAL, points(), tmp_path)) == apart(first)


def test_an_unknown_objective_is_named(past: History, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="objective = 'luck'; it must be one of sharpe, sortino"):
        sweep(past, TRIAL, points(), tmp_path, by="luck")
