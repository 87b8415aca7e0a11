"""The limits of an account on bars that crash, against a reckoning of their own: due, obeyed, and how far beyond."""

import shutil
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
import pytest

from fluxhero.core.calendar import nyse
from fluxhero.core.ladder import Trip
from fluxhero.feeds.recording import Input
from fluxhero.messages import MINUTE, Role
from tests.benchmarks.worst import (
    BOUNDS,
    CAPPED,
    FREE,
    MANNERS,
    NEVER,
    WITHIN,
    Manner,
    Window,
    judged,
    line,
    run,
    story,
)
from tests.halting import Past, Stopped, wrongs
from tests.market import sessions, write

FIRST, LAST = date(2024, 3, 1), date(2024, 7, 31)
DAYS = Window("days", ("AAA", "BBB"), Input.D1, FIRST, LAST)
MINUTES = Window("minutes", ("AAA",), Input.M1, FIRST, date(2024, 3, 5))

Prices: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


def bars(path: Path, starts: Sequence[int], opens: Prices, closes: Prices) -> None:
    columns = {
        "ts": np.array(starts), "open": opens, "high": np.maximum(opens, closes), "low": np.minimum(opens, closes),
        "close": closes, "volume": np.full(len(starts), 5_000_000),
    }  # fmt: skip
    write(path, columns)


def days(folder: Path, symbol: str, seed: int) -> None:
    """A market of falls: most days small ones, some of up to 30 %, at night or by day; and days that are not there."""
    rng = np.random.default_rng(seed)
    starts = [nyse().day_of(s.date)[0] for s in sessions(FIRST, LAST)]
    n = len(starts)
    crash = np.where(rng.random((2, n)) < 0.05, -rng.random((2, n)) * 0.35, 0.0)
    moves = rng.normal(0.0, 0.01, (2, n)) + crash
    closes = 100.0 * np.exp(np.cumsum(moves.sum(axis=0)))
    opens = closes / np.exp(moves[1])
    there = np.flatnonzero(rng.random(n) > 0.1)
    at = [starts[i] for i in there]
    bars(folder / f"{symbol}_1d-adj.parquet", at, opens[there].round(2) + 0.01, closes[there].round(2) + 0.01)


def minutes(folder: Path, prices: Callable[[Prices], Prices], gap: float) -> None:
    """Three sessions, quiet at first; `prices` of minutes counted from the third, which opens `gap` lower."""
    made = sessions(MINUTES.first, MINUTES.last)
    starts = [int(t) for s in made for t in range(s.open, s.close, MINUTE)]
    third = sum((s.close - s.open) // MINUTE for s in made[:2])
    n = np.arange(len(starts), dtype=np.float64) - third
    closes = (prices(n) * np.where(n < 0, 1.0, 1.0 - gap)).round(2)
    opens = np.concatenate([[closes[0]], closes[:-1]])
    opens[third] = round(closes[third - 1] * (1.0 - gap), 2)
    bars(folder / "AAA_1m.parquet", starts, opens, closes)


class Ran(NamedTuple):
    past: Past
    trips: list[Stopped]


def ran(folder: Path, w: Window, m: Manner) -> Ran:
    past = run(w, m, folder, folder / "state")
    shutil.rmtree(folder / "state")
    return Ran(past, judged(w, m, past))


def kinds(trips: list[Stopped]) -> list[Trip]:
    return [t.trip for t in trips]


def test_a_fall_by_degrees_is_stopped_within_two_minutes_of_its_limit(tmp_path: Path) -> None:
    """It falls by 0.05 % a minute: one minute beyond the limit, one that confirms it, and the costs of the way out."""
    minutes(tmp_path, lambda n: 100.0 - 0.05 * np.maximum(n, 0.0), gap=0.0)
    past, (trip,) = ran(tmp_path, MINUTES, NEVER)
    assert (trip.trip, trip.limit, trip.gap) == (Trip.DAY_LOSS, 0.03, 0.0)
    assert 0.0 <= trip.room < 0.0006
    assert 0.0005 < trip.moved < 0.0011
    assert trip.lost - trip.limit < 0.0011 + trip.costs < 0.002
    assert past.equity == past.cash == past.moments[-1].equity


def test_a_gap_of_more_than_twice_the_limit_is_left_at_the_second_minute(tmp_path: Path) -> None:
    minutes(tmp_path, lambda n: 100.0 + 0.0 * n, gap=0.09)
    _, (trip,) = ran(tmp_path, MINUTES, NEVER)
    opens = sessions(MINUTES.first, MINUTES.last)[2].open
    assert (trip.ts, trip.out) == (opens + MINUTE, opens + MINUTE)
    assert trip.lost - trip.limit == pytest.approx(-trip.room + trip.gap + trip.moved + trip.costs, abs=1e-12)
    assert trip.gap == pytest.approx(0.09, abs=0.001)
    assert trip.moved == 0.0


def test_a_dip_of_one_minute_beyond_the_limit_trips_nothing(tmp_path: Path) -> None:
    minutes(tmp_path, lambda n: np.where(n == 30, 95.0, 100.0), gap=0.0)
    assert kinds(ran(tmp_path, MINUTES, NEVER).trips) == []


def test_the_caps_that_ship_make_little_of_the_same_gap(tmp_path: Path) -> None:
    """A fifth of the account is in the symbol: 9 % of that are no day's loss yet."""
    minutes(tmp_path, lambda n: 100.0 + 0.0 * n, gap=0.09)
    past, trips = ran(tmp_path, MINUTES, CAPPED)
    assert trips == []
    assert 0.015 < past.drawdown < 0.02


def test_what_one_trade_may_risk_makes_nearly_nothing_of_it(tmp_path: Path) -> None:
    """A hundredth of the account down to a stop that is 66 % away: 1.5 % of it is in the symbol."""
    minutes(tmp_path, lambda n: 100.0 + 0.0 * n, gap=0.09)
    past, trips = ran(tmp_path, MINUTES, WITHIN)
    assert trips == []
    assert 0.001 < past.drawdown < 0.002


def test_what_trips_at_the_close_is_left_at_the_next_open_whatever_that_is(tmp_path: Path) -> None:
    minutes(tmp_path, lambda n: np.where(n < -2, 100.0, 95.0), gap=0.2)
    past, (trip, *later) = ran(tmp_path, MINUTES, NEVER)
    _, second, third = sessions(MINUTES.first, MINUTES.last)
    assert (trip.trip, trip.ts, trip.out) == (Trip.DAY_LOSS, second.close, third.open)
    assert trip.gap == pytest.approx(0.95 * 0.2, abs=0.001)
    assert [(t.trip, t.ts) for t in later] == [(Trip.DRAWDOWN, third.open + 2 * MINUTE)]  # seen when all is left
    assert past.equity == past.cash


def test_an_entry_that_waits_for_its_symbols_next_bar_is_canceled_by_a_trip(tmp_path: Path) -> None:
    """BBB is heard for the first time on the day before AAA crashes, and then not before the day after."""
    starts = [nyse().day_of(s.date)[0] for s in sessions(FIRST, LAST)][:6]
    a, b = np.array([100.0, 100.0, 100.0, 80.0, 80.0, 80.0]), np.full(3, 50.0)
    bars(tmp_path / "AAA_1d-adj.parquet", starts, a, a)
    bars(tmp_path / "BBB_1d-adj.parquet", [starts[2], *starts[4:]], b, b)
    past, (trip,) = ran(tmp_path, DAYS, CAPPED._replace(auto=False))
    sought = [row.order for row in past.rows if type(row).__name__ == "Intent" and row.order.role is Role.ENTRY]
    assert [(o.slot, o.ts < trip.ts) for o in sought] == [(0, True), (1, True)]
    assert {row.slot for row in past.rows if type(row).__name__ == "Filled"} == {0}
    assert trip.out == starts[4]


@pytest.fixture(scope="module")
def crashes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Manner, Ran]]:
    """Every manner on months of crashes."""
    made = []
    for seed in range(4):
        folder = tmp_path_factory.mktemp("crash")
        for n, symbol in enumerate(DAYS.symbols):
            days(folder, symbol, 100 * seed + n)
        made += [(m, ran(folder, DAYS, m)) for m in MANNERS]
    return made


def test_whatever_crashes_each_limit_trips_when_due_and_all_is_left_at_the_next_open(
    crashes: list[tuple[Manner, Ran]],
) -> None:
    """`judged` has looked at each run; here: that there was much to look at."""
    of = {m.name: [t for now, r in crashes if now is m for t in r.trips] for m in MANNERS}
    assert of[FREE.name] == of[WITHIN.name] == []
    assert len(of[BOUNDS.name]) > len(of[NEVER.name]) > 2
    assert {Trip.DAY_LOSS, Trip.DRAWDOWN} == set(kinds(of[BOUNDS.name])) == set(kinds(of[CAPPED.name]))


def test_what_a_loss_goes_beyond_its_limit_by_is_what_the_market_did_in_between(
    crashes: list[tuple[Manner, Ran]],
) -> None:
    for m, r in crashes:
        for t in r.trips:
            assert t.lost == pytest.approx(t.limit - t.room + t.gap + t.moved + t.costs, abs=1e-12)
            assert t.room >= 0.0
            assert t.costs < 0.02
            assert story(DAYS, t)
        assert line(m, r.past, r.trips)


def test_after_a_drawdown_nothing_is_traded_again(crashes: list[tuple[Manner, Ran]]) -> None:
    for _, r in crashes:
        ends = [row.ts for row in r.past.trips if row.trip == Trip.DRAWDOWN]
        orders = [row for row in r.past.rows if hasattr(row, "order") and row.order.role is Role.ENTRY]
        assert all(row.ts < ends[0] for row in orders if ends)


def altered(past: Past, change: Callable[[list[Any]], list[Any]]) -> Past:
    """The same past, had its journal said something else."""
    other = Past.__new__(Past)
    other.__dict__ = {**past.__dict__, "rows": change(list(past.rows))}
    other.index()
    return other


def test_a_limit_that_does_not_hold_is_noticed(crashes: list[tuple[Manner, Ran]]) -> None:
    """Trips too late or not at all; an entry under one; a way out that comes a bar late or not for all."""
    past = next(r.past for m, r in crashes if m is BOUNDS and any(t.out and t.ts < t.out for t in r.trips))
    n = next(n for n, row in enumerate(past.rows) if type(row).__name__ == "Tripped")
    entry = next(row for row in past.rows if type(row).__name__ == "Intent")
    sold = next(k for k, row in enumerate(past.rows) if k > n and type(row).__name__ == "Filled")
    late = msgspec.structs.replace(past.rows[n], ts=past.rows[n].ts + 1)
    fewer = msgspec.structs.replace(past.rows[sold], qty=past.rows[sold].qty - 1)
    bought = msgspec.structs.replace(past.rows[sold], side=-past.rows[sold].side)
    for change in (
        lambda rows: rows[:n] + rows[n + 1 :],
        lambda rows: [*rows[:n], late, *rows[n + 1 :]],
        lambda rows: [*rows[: n + 1], entry, *rows[n + 1 :]],
        lambda rows: [*rows[:sold], fewer, *rows[sold + 1 :]],
        lambda rows: [*rows[:sold], bought, *rows[sold + 1 :]],
        lambda rows: [*rows[:sold], *rows[sold + 1 :]],
    ):
        assert wrongs(altered(past, change), BOUNDS.risk, daily=True, auto=True)
