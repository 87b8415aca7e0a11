"""What market a symbol is in: a raw regime counts when it was seen three bars in a row."""

import numpy as np
import pytest

from fluxhero.kernel.codes import HIGH, LOW, NEUTRAL, NORMAL, REVERSION, TREND
from fluxhero.kernel.compile import entry
from fluxhero.kernel.regime import regime
from fluxhero.kernel.regime import seen as seen_at
from fluxhero.kernel.rows import volatility
from fluxhero.kernel.state import READING, REGIME, Array
from tests.kernel.drive import fresh, records, rules, thinker, tuned, walk

pytestmark = pytest.mark.nojit

RAW = {"T": (25.1, 0.61), "R": (19.9, 0.39), "N": (22.0, 0.5), "?": (40.0, np.nan)}  # ADX and R2
CODES = {"T": TREND, "R": REVERSION, "N": NEUTRAL, "?": NEUTRAL}


@entry
def _regimes(readings: Array, params: Array, state: Array, states: Array) -> None:
    rules = params[0].rules
    for t in range(readings.size):
        regime(state[0], seen_at(readings[t].adx, readings[t].r2, rules), rules.confirm)
        states[t] = state[0]


@entry
def _volatility(atr: float, mean: float, low: float, high: float) -> int:
    return volatility(atr, mean, low, high)


def after(adx: Array, r2: Array, **said: float) -> Array:
    readings, states = records(len(adx), READING), records(len(adx), REGIME)
    readings["adx"], readings["r2"] = adx, r2
    _regimes(readings, tuned(rules(), **said), records(1, REGIME), states)
    return states


def seen(raw: str, confirm: int = 3) -> Array:
    """The states after each of these bars."""
    return after(np.array([RAW[c][0] for c in raw]), np.array([RAW[c][1] for c in raw]), confirm=confirm)


def written(states: Array) -> str:
    return "".join("NTR"[now] for now in states["now"])


@pytest.mark.parametrize(
    ("raw", "confirmed"),
    [
        ("TTTTT", "NNTTT"),
        ("RRRRR", "NNRRR"),
        ("NNTTT", "NNNNT"),
        ("TTNTTN", "NNNNNN"),
        ("TTRTTR", "NNNNNN"),
        ("TTTRRTTT", "NNTTTTTT"),
        ("TTTRRRNNN", "NNTTTRRRN"),
        ("TTTNN?TT", "NNTTTNNN"),
        ("TT?TTT", "NNNNNT"),
        ("??????", "NNNNNN"),
    ],
)
def test_three_bars_in_a_row_confirm_a_change(raw: str, confirmed: str) -> None:
    assert written(seen(raw)) == confirmed


def test_no_bar_is_neutral_before_the_first() -> None:
    assert written(records(1, REGIME)) == "N"


@pytest.mark.parametrize(("confirm", "confirmed"), [(1, "TRN"), (2, "NNN")])
def test_how_many_bars_confirm_is_configured(confirm: int, confirmed: str) -> None:
    assert written(seen("TRN", confirm)) == confirmed


def test_nan_is_neutral_whichever_of_the_two_it_is() -> None:
    assert written(after(np.array([np.nan, 40.0, np.nan]), np.array([0.9, np.nan, np.nan]), confirm=1)) == "NNN"
    assert written(after(np.array([np.nan, 10.0, np.nan]), np.array([0.1, np.nan, np.nan]), confirm=1)) == "NNN"


@pytest.mark.parametrize(
    ("adx", "r2", "code"),
    [
        (25.0, 0.9, NEUTRAL),
        (25.000001, 0.600001, TREND),
        (90.0, 0.6, NEUTRAL),
        (20.0, 0.1, NEUTRAL),
        (19.999999, 0.399999, REVERSION),
        (5.0, 0.4, NEUTRAL),
        (5.0, 0.9, NEUTRAL),
        (90.0, 0.1, NEUTRAL),
    ],
)
def test_the_borders_themselves_are_neutral(adx: float, r2: float, code: int) -> None:
    assert after(np.array([adx]), np.array([r2]), confirm=1)["now"].tolist() == [code]


def test_the_borders_are_configured() -> None:
    adx, r2 = np.array([30.0, 30.1, 12.0, 11.9]), np.array([0.81, 0.81, 0.09, 0.09])
    said = {"strong_adx": 30.0, "strong_r2": 0.8, "quiet_adx": 12.0, "quiet_r2": 0.1, "confirm": 1}
    assert written(after(adx, r2, **said)) == "NTNR"


def test_changed_is_said_on_the_bar_of_the_change_alone() -> None:
    states = seen("NTTTTTRRRRNNNN")
    assert written(states) == "NNNTTTTTRRRRNN"
    assert "".join(str(c) for c in states["changed"]) == "00010000100010"


def test_persistence_counts_the_bars_since_the_change() -> None:
    assert seen("NTTTTRTRRRR")["held"].tolist() == [1, 2, 3, 1, 2, 3, 4, 5, 6, 1, 2]


def test_every_bar_of_a_random_history_follows_the_rule() -> None:
    for seed in range(20):
        raw = "".join(np.random.default_rng(seed).choice(list("TTTRRRN?"), 500, p=[0.13] * 6 + [0.11] * 2))
        raw = "".join(c * (1 + i % 4) for i, c in enumerate(raw))
        now, expected = NEUTRAL, []
        for t in range(len(raw)):
            last = {CODES[c] for c in raw[max(0, t - 2) : t + 1]}
            now = last.pop() if t >= 2 and len(last) == 1 else now
            expected.append(now)
        assert seen(raw)["now"].tolist() == expected


# -- volatility


@pytest.mark.parametrize(
    ("atr", "state"),
    [(1.5, NORMAL), (1.500001, HIGH), (9.0, HIGH), (0.7, NORMAL), (0.699999, LOW), (0.0, LOW), (1.0, NORMAL),
     (np.nan, NORMAL)],
)  # fmt: skip
def test_volatility_is_high_or_low_beyond_shares_of_its_own_mean(atr: float, state: int) -> None:
    assert _volatility(atr, 1.0, 0.7, 1.5) == state
    assert _volatility(2.0 * atr, 2.0, 0.7, 1.5) == state
    assert _volatility(atr, np.nan, 0.7, 1.5) == NORMAL


def test_every_bars_volatility_is_judged_by_the_configured_shares() -> None:
    bars = walk(1, 700)
    bars["high"][300:400] += 0.5
    bars["high"][500:], bars["low"][500:] = bars["close"][500:], bars["close"][500:]
    for said in ({"low_vol": 0.7, "high_vol": 1.5}, {"low_vol": 0.95, "high_vol": 1.05}):
        rows, think, seen = fresh(), thinker(**said), set()
        for t, _ in enumerate(think.trade(rows, bars[:, None])):
            v = rows["reading"][0]
            low, high = v["atr"] < said["low_vol"] * v["atr_mean"], v["atr"] > said["high_vol"] * v["atr_mean"]
            assert rows["regime"]["volatility"][0] == (HIGH if high else LOW if low else NORMAL), t
            seen.add(int(rows["regime"]["volatility"][0]))
        assert seen == {LOW, NORMAL, HIGH}
