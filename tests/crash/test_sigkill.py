"""kill -9 while the venue lives on: what was meant happens once, and nothing that nobody meant."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

from tests.crash.harness import Play, Score, run
from tests.crash.sabotage import BREACHES

KILLS = int(os.environ.get("FLUXHERO_SIGKILLS", "16"))
WHOLE = 200  # kills, from which on what is asked of many holds
PAIRS = 2  # of a daemon and its venue, at a time
LAST = date(2024, 3, 28)


def plays(folder: Path) -> list[Play]:
    """A short morning for few kills, three sessions for many."""
    kills = KILLS // PAIRS
    if KILLS >= WHOLE:
        return [Play(folder=folder / str(n), seed=n + 1, kills=kills, last=LAST) for n in range(PAIRS)]
    return [Play(folder=folder / str(n), seed=n + 1, kills=kills, minutes=240) for n in range(PAIRS)]


def test_no_order_is_lost_or_doubled_however_often_we_are_killed(tmp_path: Path) -> None:
    with ThreadPoolExecutor(PAIRS) as pool:
        scores: list[Score] = list(pool.map(run, plays(tmp_path)))
    for score in scores:
        print(score)
        assert score.violations == []
    kills, orders = sum(s.kills for s in scores), sum(s.orders for s in scores)
    assert (kills, orders > 3 * KILLS) == (KILLS // PAIRS * PAIRS, True)
    assert sum(s.between for s in scores) >= KILLS // 10
    if KILLS >= WHOLE:
        assert orders >= 1000
        assert sum(s.starting for s in scores) >= 20


def test_a_protocol_that_is_broken_is_found_out_each_time(tmp_path: Path) -> None:
    """`hasty` shows only where the order that is chased fills while its cancel travels."""
    slow = {"hasty": 0.25}
    broken = [
        Play(
            folder=tmp_path / breach, seed=1, kills=40, last=LAST, minutes=300, speed=20_000.0, every=6, keep=3,
            breach=breach, slow=slow.get(breach, 0.0), aimed=0.8,
        )
        for breach in BREACHES
    ]  # fmt: skip
    with ThreadPoolExecutor(PAIRS) as pool:
        found = {breach: score.violations for breach, score in zip(BREACHES, pool.map(run, broken), strict=True)}
    for breach, violations in found.items():
        assert violations != [], BREACHES[breach]
        assert [v for v in violations if "Traceback" in v or "by itself" in v] == [], breach
