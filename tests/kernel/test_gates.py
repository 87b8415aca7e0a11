"""What refuses an entry by the symbol alone: the last minutes, the opening gap, an overnight move like a split.

The noise filter stands in test_noise.
"""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from fluxhero.feeds.tape import WHOLE_SESSION
from fluxhero.kernel.codes import C_GAP, C_HOURS, GAP, HOURS, LONG, OPEN, SUSPECT, VOLUME
from fluxhero.kernel.compile import entry
from fluxhero.kernel.gates import LOUD, allowed, looks_split, session
from fluxhero.kernel.rows import observe
from fluxhero.kernel.state import SESSION, Array
from tests.kernel.drive import bars_of, fresh, recorded, records, rules, thinker, tuned, walk

pytestmark = pytest.mark.nojit

Answer = tuple[int, list[float], list[float]]  # gate; value and limit of the hours and of the gap


@entry
def _allowed(rows: Array, bars: Array, params: Array) -> int:
    return allowed(rows[0], bars[0], params[0].rules, LONG, False)


@entry
def _filtered(rows: Array, bars: Array, params: Array) -> int:
    return allowed(rows[0], bars[0], params[0].rules, LONG, True)


@entry
def _sessions(rows: Array, bars: Array, states: Array, raw: int, params: Array) -> None:
    row = rows[0]
    for t in range(bars.size):
        session(row.session, row.market, bars[t], raw)
        observe(row.market, row.reading, bars[t], params[0].rules)
        states[t] = row.session


@entry
def _looks_split(move: float) -> bool:
    return looks_split(move)


def asked(left: int = 200, gap: float = 0.0, params: Array | None = None) -> Answer:
    rows, bars = fresh(), bars_of(np.array([100.0]))
    rows["session"]["gap"], bars["left"] = gap, left
    gate = _allowed(rows, bars, rules() if params is None else params)
    value, limit = (rows["decision"][kind][0][[C_HOURS, C_GAP]].tolist() for kind in ("value", "limit"))
    return gate, value, limit


def sessions(opens: list[float], closes: list[float], index: list[int], raw: int = 1) -> Array:
    """The session's state after each bar."""
    bars = bars_of(np.array(closes))
    bars["open"], bars["session"] = opens, index
    states = records(len(bars), SESSION)
    _sessions(fresh(), bars, states, raw, rules())
    return states


def gap_of(before: float, after: float) -> float:
    return float(sessions([before, after], [before, after], [0, 1])["gap"][1])


# -- hours


@pytest.mark.parametrize(
    ("left", "gate"), [(389, OPEN), (16, OPEN), (15, HOURS), (14, HOURS), (0, HOURS)]
)  # fmt: skip
def test_no_entry_in_the_last_fifteen_minutes(left: int, gate: int) -> None:
    assert asked(left) == (gate, [float(left), 0.0], [15.0, 0.02])


def test_how_many_minutes_are_the_last_is_configured() -> None:
    assert [asked(left, params=tuned(rules(), last_minutes=0))[0] for left in (1, 0)] == [OPEN, HOURS]


def test_daily_bars_are_never_refused_by_the_hour() -> None:
    assert asked(WHOLE_SESSION, params=tuned(rules(), last_minutes=390))[0] == OPEN


def test_the_hour_refuses_before_the_gap_and_both_are_told() -> None:
    assert asked(5, gap=0.1) == (HOURS, [5.0, 0.1], [15.0, 0.02])


# -- hardly any volume, and any amount of noise


def test_the_loudest_noise_is_told_as_a_thousand() -> None:
    assert LOUD == 1000.0


@pytest.mark.parametrize(("volume", "gate"), [(0.3, OPEN), (0.15, VOLUME), (0.1, VOLUME)])
def test_the_volume_is_compared_with_its_mean_however_small_that_is(volume: float, gate: int) -> None:
    rows, bars = fresh(), bars_of(np.array([100.0]))
    rows["reading"]["volume_mean"], bars["left"], bars["volume"] = 0.3, 200, volume
    assert _filtered(rows, bars, tuned(rules(), volume_breakout=0.5)) == gate


# -- the gap


@pytest.mark.parametrize(
    ("before", "after", "gate"),
    [
        (100.0, 102.0, OPEN),
        (100.0, 102.01, GAP),
        (100.0, 98.0, OPEN),
        (100.0, 97.99, GAP),
        (50.0, 51.0, OPEN),
        (50.0, 49.0, OPEN),
        (50.0, 51.01, GAP),
        (100.0, 100.0, OPEN),
    ],
)
def test_a_gap_refuses_beyond_two_per_cent_either_way(before: float, after: float, gate: int) -> None:
    gap = gap_of(before, after)
    assert gap == abs(after - before) / before
    assert asked(gap=gap) == (gate, [200.0, gap], [15.0, 0.02])


def test_a_gap_is_over_the_previous_sessions_close_and_stays_for_its_session() -> None:
    states = sessions(
        [100.0, 101.0, 120.0, 121.0, 80.0, 80.0], [110.0, 100.0, 121.0, 80.0, 81.0, 80.0], [3, 3, 4, 4, 5, 5]
    )
    assert states["gap"].tolist() == [0.0, 0.0, 0.2, 0.2, 0.0, 0.0]
    assert states["index"].tolist() == [3, 3, 4, 4, 5, 5]


def test_the_first_session_has_no_gap() -> None:
    assert sessions([100.0], [50.0], [0]).tolist() == [(0, 0.0, 0)]
    assert sessions([100.0], [50.0], [7]).tolist() == [(7, 0.0, 0)]


def test_a_session_whose_first_minutes_are_missing_has_the_gap_of_its_first_bar() -> None:
    bars = walk(1, 2 * 390)
    bars["session"][:390], bars["session"][390:] = 3, 4
    later = bars[np.r_[0:390, 400:780]]
    states = records(len(later), SESSION)
    _sessions(fresh(), later, states, 1, rules())
    gap = abs(float(bars["open"][400]) - float(bars["close"][389])) / float(bars["close"][389])
    assert set(states[["index", "gap"]].tolist()) == {(3, 0.0), (4, gap)}


@pytest.mark.parametrize(("session_", "gap"), [(4, 0.03), (5, 0.0)])
def test_rows_that_begin_anew_within_a_session_keep_its_gap_and_no_other(session_: int, gap: float) -> None:
    rows, bars, states = fresh(), bars_of(np.full(3, 100.0)), records(3, SESSION)
    rows["session"] = (4, 0.03, 0)
    bars["session"] = session_
    _sessions(rows, bars, states, 1, rules())
    assert states.tolist() == [(session_, gap, 0)] * 3


# -- splits


@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 1.5])
@pytest.mark.parametrize("drift", [0.971, 1.0, 1.029])
def test_usual_ratios_look_like_splits_forward_and_reverse(ratio: float, drift: float) -> None:
    assert _looks_split(drift / ratio)
    assert _looks_split(drift * ratio)


@pytest.mark.parametrize("ratio", [2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 1.5])
@pytest.mark.parametrize("drift", [0.969, 1.031])
def test_three_per_cent_beside_a_ratio_is_none(ratio: float, drift: float) -> None:
    assert not _looks_split(drift / ratio)
    assert not _looks_split(drift * ratio)


@pytest.mark.parametrize("move", [0.48, 0.52, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0, 1.03, 1.1, 1.25, 1.4, 1.6, 1.9, 2.2, 6.0])
def test_a_crash_or_a_rally_does_not(move: float) -> None:
    assert not _looks_split(move)


def test_a_crash_by_half_and_two_per_cent_trades_on() -> None:
    states = sessions([100.0, 48.0], [100.0, 48.0], [0, 1])
    assert states[["gap", "suspect"]].tolist() == [(0.0, 0), (0.52, 0)]


def test_only_an_overnight_move_is_suspect() -> None:
    assert sessions([100.0, 50.0], [100.0, 50.0], [0, 0])["suspect"].tolist() == [0, 0]
    assert sessions([100.0, 50.0], [100.0, 50.0], [0, 1])["suspect"].tolist() == [0, 1]


def test_adjusted_prices_show_no_split() -> None:
    states = sessions([100.0, 50.0], [100.0, 50.0], [0, 1], raw=0)
    assert states[["gap", "suspect"]].tolist() == [(0.0, 0), (0.5, 0)]


def test_a_suspect_symbol_decides_nothing_from_its_split_on() -> None:
    bars, think, rows = walk(1, 1200), thinker("metronome"), fresh("metronome")
    for name in ("open", "high", "low", "close"):
        bars[name][780:] /= 7.0
    actions = [int(rows["decision"]["action"][0]) for _ in think.trade(rows, bars[:, None])]
    assert SUSPECT not in actions[:780]
    assert actions[780:] == [SUSPECT] * 420


@pytest.mark.data
@pytest.mark.parametrize(
    ("symbol", "splits"),
    [
        ("AAPL", {"2000-06-21", "2005-02-28", "2014-06-09", "2020-08-31"}),
        ("QQQ", {"2000-03-20"}),
        ("SPY", set[str]()),
        ("MSFT", set[str]()),
    ],
)
def test_real_splits_are_suspect_and_nothing_else_is(data_dir: Path, symbol: str, splits: set[str]) -> None:
    """AAPL fell by 52 % on 2000-09-29, from close to close."""
    bars = recorded(data_dir / f"{symbol}_1d.parquet")
    found = {
        datetime.fromtimestamp(int(ts) / 1e9, UTC).date().isoformat()
        for ts, move in zip(bars["ts"][1:], bars["open"][1:] / bars["close"][:-1], strict=True)
        if _looks_split(move)
    }
    assert found == splits
