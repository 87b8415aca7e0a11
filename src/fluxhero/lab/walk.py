"""Rolling walk-forward: parameters are chosen on some months and judged on those that follow, which chose nothing.

Every window is an account of its own: it begins flat, with rows that are warm from the bars before it. The last
sessions before a test are trained on by nobody (the embargo), and a trade that is open where a training ends counts as
if it had never been made (the purge). What a test holds at its end leaves at that close, at the costs of a fill; so
the tests join into one account.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import numpy as np

from fluxhero.core.calendar import NEW_YORK, nyse
from fluxhero.feeds.faults import Unusable
from fluxhero.kernel.indicators import MATURE
from fluxhero.lab import jobs
from fluxhero.lab.engine import Trial
from fluxhero.lab.grid import Grid, Value
from fluxhero.lab.history import History
from fluxhero.lab.metrics import Metrics, calculate_metrics
from fluxhero.lab.points import Bench, Stretch, Tried, objective, rank
from fluxhero.messages import Array, Nanos
from fluxhero.section import ConfigError

PASS = 0.6  # of the tests must be profitable, and more
MISSING = 2  # sessions that a month may lack


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a history is cut."""

    train: int = 3  # months
    test: int = 1  # months; the next window begins so much later
    embargo: int = 1  # sessions before a test
    warm: int = 5_000  # bar times before a window, as many as there are
    by: str = "sharpe"  # one of points.OBJECTIVES, on the training


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Dates are New York's, of the first and the last session."""

    train_first: datetime.date
    train_last: datetime.date
    test_first: datetime.date
    test_last: datetime.date
    params: dict[str, Value]  # that were chosen
    score: float | None  # by which; None: no point had one, and the first was taken
    train: Metrics  # of the chosen ones
    test: Metrics
    purged: int  # positions open where the training ended
    closed_out: int  # positions open where the test ended
    profitable: bool  # the test earned more than nothing


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """All tests as one account, one after the other."""

    metrics: Metrics
    ts: tuple[Nanos, ...]  # (C,) the sessions' closes, UTC ns
    equity: tuple[float, ...]  # (1 + C,) USD, the initial cash first


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    strategy: str
    symbols: tuple[str, ...]
    timeframe: str
    data: str  # digest of the bars
    plan: Plan
    points: int  # of the grid
    windows: tuple[Window, ...]
    profitable: int
    pass_rate: float
    passed: bool
    joined: Joined


class Cut(NamedTuple):
    """A window's two stretches."""

    train: Stretch
    test: Stretch


def walk(
    past: History, trial: Trial, grid: Grid, plan: Plan | None = None, *, engine: jobs.Engine | None = None,
    shown: jobs.Progress | None = None,
) -> Walk:  # fmt: skip
    """Raises ConfigError; Unusable: too few months in a row."""
    plan = plan or Plan()
    bench = Bench(past, trial)
    cuts = windows(past, plan, MATURE if bench.strategy.mature is None else bench.strategy.mature)
    task = Task(bench, tuple(msgspec.to_builtins(point) for point in grid.points), plan.by)
    done = sorted(jobs.map(task, cuts, engine, shown), key=lambda answer: answer[0])
    return _told(bench, plan, grid, [answer for _, answer in done])


def windows(past: History, plan: Plan, mature: int = MATURE) -> list[Cut]:
    """One after another, from the first on of whose training at least half is warm; each in months without a gap.

    Raises ConfigError, Unusable.
    """
    _sound(plan)
    whole, size, at = _months(past), plan.train + plan.test, 0
    found: list[Cut] = []
    while at + size <= len(whole):
        months = whole[at : at + size]
        cut = _cut(past, plan, months)
        fits = months[-1].number - months[0].number == size - 1 and _warmed(cut.train, mature)
        found += [cut] if fits else []
        at += plan.test if fits else 1
    if not found:
        raise Unusable(
            f"{', '.join(past.symbols)} {past.timeframe}: {len(whole)} whole months, and nowhere {size} in a row with "
            f"warm bars; give more data, or train and test on fewer months"
        )
    return found


def _warmed(train: Stretch, mature: int) -> bool:
    return 2 * (mature - (train.first - train.warm)) <= train.end - train.first


class Month(NamedTuple):
    number: int  # year x 12 + month
    first: int  # bar time
    end: int


def _months(past: History) -> list[Month]:
    """Those that lack two sessions at most."""
    sessions, months = past.market.sessions, past.market.months
    full = Counter(s.date.year * 12 + s.date.month for s in nyse().sessions)
    inside = np.flatnonzero(sessions >= 0)
    found = []
    for number in np.unique(months[inside]).tolist():
        at = inside[months[inside] == number]
        if np.unique(sessions[at]).size >= full[number] - MISSING:
            found.append(Month(number, int(at[0]), int(at[-1]) + 1))
    return found


def _cut(past: History, plan: Plan, months: Sequence[Month]) -> Cut:
    """The training ends where the embargo begins."""
    first, test, end = months[0].first, months[plan.train].first, months[-1].end
    days = np.unique(past.market.sessions[first:test])
    days = days[days >= 0]
    last = int(np.argmax(past.market.sessions[first:test] == days[-plan.embargo])) + first if plan.embargo else test
    return Cut(_stretch(plan, first, last), _stretch(plan, test, end))


def _stretch(plan: Plan, first: int, end: int) -> Stretch:
    return Stretch(max(first - plan.warm, 0), first, end)


# The least and the most of each number of a plan.
BOUNDS = {"train": (1, 120), "test": (1, 120), "embargo": (0, 15), "warm": (0, 1_000_000)}


def _sound(plan: Plan) -> None:
    objective(plan.by)
    for name, (low, high) in BOUNDS.items():
        if not low <= (value := getattr(plan, name)) <= high:
            raise ConfigError(f"{name} = {value}: a walk takes {low} to {high:_}")


class Answer(NamedTuple):
    """Of one window."""

    window: Window
    series: Array  # (1 + C,) of the test, micro-dollars
    ts: Array  # (C,)
    rounds: Array
    used: Array  # (T,) shares of equity deployed
    commission: int
    borrow: int


@dataclass(frozen=True)
class Task:
    """What a job does: choose on the training, then judge."""

    bench: Bench
    points: tuple[dict[str, Value], ...]
    by: str

    def __call__(self, cut: Cut) -> Answer:
        points = [self.bench.point(values) for values in self.points]
        scores = [self._score(self.bench.tried(point, cut.train).purged()) for point in points]
        best = max(range(len(points)), key=lambda i: rank(scores[i]))
        trained = self.bench.tried(points[best], cut.train, verbose=True)
        tested = self.bench.tried(points[best], cut.test, verbose=True)
        whole = tested.closed_out()
        window = Window(
            **_dates(trained, "train"), **_dates(tested, "test"), params=self.points[best], score=scores[best],
            train=trained.purged().metrics(), test=whole.metrics(), purged=trained.open, closed_out=tested.open,
            profitable=bool(whole.series[-1] > whole.series[0]),
        )  # fmt: skip
        return Answer(
            window, whole.series, whole.ts[whole.closes], whole.rounds, whole.used, whole.commission, whole.borrow
        )

    def _score(self, tried: Tried) -> float | None:
        score: float | None = tried.numbers()[self.by]
        return score


def _dates(tried: Tried, which: str) -> dict[str, datetime.date]:
    closes = tried.ts[tried.closes]
    on = [datetime.datetime.fromtimestamp(int(ts) // 10**9, NEW_YORK).date() for ts in (closes[0], closes[-1])]
    return {f"{which}_first": on[0], f"{which}_last": on[1]}


def _told(bench: Bench, plan: Plan, grid: Grid, answers: Sequence[Answer]) -> Walk:
    found = tuple(a.window for a in answers)
    profitable = sum(w.profitable for w in found)
    return Walk(
        strategy=bench.strategy.name, symbols=bench.past.symbols, timeframe=bench.past.timeframe,
        data=bench.past.digest, plan=plan, points=len(grid.points), windows=found, profitable=profitable,
        pass_rate=profitable / len(found), passed=profitable / len(found) > PASS, joined=_joined(bench.cash, answers),
    )  # fmt: skip


def _joined(cash: int, answers: Sequence[Answer]) -> Joined:
    """Each test begins with what the one before left; its trades stay those of an account with the first cash."""
    moved = np.concatenate([a.series[1:] / a.series[:-1] for a in answers])
    series = np.concatenate(([1.0], np.cumprod(moved))) * (cash / 1e6)
    ts = np.concatenate([a.ts for a in answers])
    metrics = calculate_metrics(
        series, ts=ts, rounds=np.concatenate([a.rounds for a in answers]),
        deployed=np.concatenate([a.used for a in answers]), commission=sum(a.commission for a in answers) / 1e6,
        borrow=sum(a.borrow for a in answers) / 1e6,
    )  # fmt: skip
    return Joined(metrics=metrics, ts=tuple(ts.tolist()), equity=tuple(series.tolist()))
