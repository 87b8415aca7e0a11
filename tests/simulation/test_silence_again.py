"""A life that begins again within a session's first minute, or after its close."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fluxhero.messages import MINUTE, SECOND, Nanos
from fluxhero.runtime.clock import DrivenClock
from tests.market import sessions, write
from tests.simulation.surviving import played
from tests.simulation.world import scenario, simulate

A, B = sessions(date(2024, 3, 26), date(2024, 3, 27))


def ticks(folder: Path, symbol: str, times: list[int]) -> None:
    ts = np.array(times, np.int64)
    n = len(ts)
    cents = np.full(n, 10_000)
    size = np.full(n, 300)
    write(
        folder / f"{symbol}_quotes.parquet",
        {"ts": ts, "bid": cents / 100, "ask": (cents + 1) / 100, "bid_size": size, "ask_size": size},
    )
    write(folder / f"{symbol}_trades.parquet", {"ts": ts + 1_000_000, "price": cents / 100, "size": size})


def market(folder: Path) -> Path:
    """Quotes every 5 s: both at the ends of a day, AAA after it, and BBB late on the next."""
    day = [*every(A.open, A.open + 5 * MINUTE), *every(A.close - 5 * MINUTE, A.close - 10 * SECOND)]
    night, next_day = every(A.close, A.close + 20 * MINUTE), every(B.open + SECOND, B.open + 3 * MINUTE)
    ticks(folder, "AAA", [*day, *night, *next_day])
    ticks(folder, "BBB", [*day, *every(B.open + 40 * SECOND, B.open + 3 * MINUTE)])
    return folder


def every(first: int, last: int) -> range:
    return range(first, last, 5 * SECOND)


class Endless(BaseException):
    pass


@pytest.fixture
def bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    fire, count = DrivenClock.fire, [0]

    def counted(self: Any) -> None:
        count[0] += 1
        if count[0] > 20_000:
            raise Endless(f"20,000 timers, the last at {self.now()}")
        fire(self)

    monkeypatch.setattr(DrivenClock, "fire", counted)


@pytest.mark.parametrize(
    "until", [A.close + 10 * MINUTE, B.open + 20 * SECOND], ids=["after the close", "in the first minute"]
)
def test_a_life_that_begins_again_there_goes_on(tmp_path: Path, bounded: None, until: int) -> None:
    data = market(tmp_path)
    whole = simulate(scenario(data, tmp_path / "whole", ("AAA", "BBB"), speed=0.0), 0)
    replay = scenario(data, tmp_path / "again", ("AAA", "BBB"), speed=60.0)
    played(replay, until=Nanos(until))
    again = simulate(scenario(data, tmp_path / "again", ("AAA", "BBB"), speed=0.0), 0)
    assert again.journal == whole.journal
