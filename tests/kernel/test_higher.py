"""Five-minute and hourly bars out of the trading bars: on the grid of the session's open, and what is read off them."""

import datetime
import math
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

from fluxhero.core.calendar import nyse
from fluxhero.feeds.files import Timeframe
from fluxhero.feeds.placing import placed
from fluxhero.kernel.codes import C_SPIKE, ENTER, LONG, SHORT
from fluxhero.kernel.compile import entry
from fluxhero.kernel.higher import spike, wobble
from fluxhero.kernel.rows import observe
from fluxhero.kernel.state import BAR, HIGHER, Array, record
from fluxhero.messages import MINUTE
from tests.kernel.drive import SEEDS, fill, fresh, records, rules, thinker, tuned, walk

pytestmark = pytest.mark.nojit

FIRST, LAST = datetime.date(2024, 11, 26), datetime.date(2024, 12, 3)  # the 28th is closed, the 29th ends at 13:00
SEEN = record(("five", HIGHER), ("hour", HIGHER), ("wobble", np.float64), ("spike", np.float64))
FIVE, HOUR = 5 * MINUTE, 60 * MINUTE


@entry
def _lifted(rows: Array, bars: Array, params: Array, states: Array) -> None:
    m = rows[0].market
    for t in range(bars.size):
        observe(m, rows[0].reading, bars[t], params[0].rules)
        states[t].five, states[t].hour = m.five, m.hour
        states[t].wobble, states[t].spike = wobble(m.five), spike(m)


@entry
def _spike(rows: Array) -> float:
    return spike(rows[0].market)


def lifted(bars: Array, timeframe: Timeframe = Timeframe.M1) -> Array:
    """The higher timeframes after each trading bar."""
    states = records(len(bars), SEEN)
    _lifted(fresh(), bars, rules(timeframe=timeframe), states)
    return states


def days(seed: int, timeframe: Timeframe = Timeframe.M1) -> Array:
    """A walk over real sessions, as a file of that timeframe would be read."""
    step = timeframe.minutes * MINUTE
    starts = np.concatenate([np.arange(s.open, s.close, step) for s in nyse().between(FIRST, LAST)])
    bars = walk(seed, len(starts), 100.0, 2e-3)
    columns = {name: bars[name] for name in ("open", "high", "low", "close", "volume")}
    made = records(len(bars), BAR)
    made[:] = placed({"ts": starts, **columns}, timeframe, nyse()).bars
    return made


class Whole(NamedTuple):
    """A bar of a higher timeframe, made directly."""

    start: int
    high: float
    low: float
    close: float
    known: int  # the number of trading bars after which it is over


def whole(bars: Array, span: int, length: int = MINUTE) -> list[Whole]:
    """Each from the trading bars of its time, counted from its session's open."""
    opens = {s.index: s.open for s in nyse().between(FIRST, LAST)}
    place = [opens[int(b["session"])] + (int(b["ts"]) - opens[int(b["session"])]) // span * span for b in bars]
    made = []
    for start, group in groupby(range(len(bars)), key=lambda t: place[t]):
        at = list(group)
        full = int(bars["ts"][at[-1]]) + length >= start + span or bars["left"][at[-1]] == 0
        part = bars[at]
        ends = at[-1] + 1 if full else at[-1] + 2
        made.append(Whole(start, part["high"].max(), part["low"].min(), float(part["close"][-1]), ends))
    return made


def ranges(of: list[Whole]) -> list[float]:
    """Wilder's ATR(14): the mean of 14 true ranges, from the second bar's on, then smoothed; NaN before."""
    true = [max(b.high, a.close) - min(b.low, a.close) for a, b in pairwise(of)]
    atrs = [math.nan] * min(14, len(of))
    for t in range(14, len(of)):
        atrs.append(sum(true[:14]) / 14 if t == 14 else (atrs[-1] * 13 + true[t - 1]) / 14)
    return atrs


def agree(states: Array, name: str, expected: list[Whole]) -> None:
    """The count, the closes and the ATR after every trading bar."""
    atrs = ranges(expected)
    for t in range(len(states)):
        h, done = states[name][t], [b for b in expected if b.known <= t + 1]
        n = len(done)
        assert h["count"] == n, t
        assert [h["closes"][j & 63] for j in range(max(0, n - 64), n)] == [b.close for b in done[-64:]], t
        if n > 14:
            assert h["atr"] == pytest.approx(atrs[n - 1], rel=1e-12), t


def thinned(bars: Array, seed: int) -> Array:
    """Some minutes missing, and the last ones of two sessions, one of them the half day."""
    rng = np.random.default_rng(seed)
    kept = rng.random(len(bars)) > 0.15
    sessions = sorted(set(bars["session"].tolist()))
    for index, minutes in ((sessions[0], 3), (sessions[2], 7)):
        kept &= ~((bars["session"] == index) & (bars["left"] < minutes))
    return bars[kept]


# -- the grid


def test_minutes_make_bars_of_five_and_of_sixty_on_the_grid_of_the_open() -> None:
    bars = days(1)
    assert len(bars) == 4 * 390 + 210
    states = lifted(bars)
    fives, hours = whole(bars, FIVE), whole(bars, HOUR)
    assert (len(fives), len(hours)) == (4 * 78 + 42, 4 * 7 + 4)
    assert {datetime.datetime.fromtimestamp(b.start / 1e9, datetime.UTC).minute for b in hours} == {30}
    agree(states, "five", fives)
    agree(states, "hour", hours)


def test_a_bar_seals_with_its_last_minute_or_the_sessions() -> None:
    bars = days(1)
    states = lifted(bars)
    grown = np.flatnonzero(np.diff(states["hour"]["count"], prepend=0))
    session, half = (*range(60, 361, 60), 390), (60, 120, 180, 210)  # the last hour has half an hour
    starts = zip((0, 390, 780, 990, 1380), (session, session, half, session, session), strict=True)
    assert (grown + 1).tolist() == [start + end for start, ends in starts for end in ends]
    assert (np.flatnonzero(np.diff(states["five"]["count"], prepend=0)) + 1).tolist() == list(range(5, 1771, 5))


@pytest.mark.parametrize("seed", SEEDS)
def test_where_minutes_are_missing_a_bar_seals_with_the_next_one_and_has_no_other_bars_prices(seed: int) -> None:
    bars = thinned(days(seed), seed)
    states = lifted(bars)
    agree(states, "five", whole(bars, FIVE))
    agree(states, "hour", whole(bars, HOUR))


def test_what_forms_has_what_its_bars_since_its_start_have_together() -> None:
    bars = days(2)
    states = lifted(bars)
    for t in range(len(bars) - 1):
        forming = states["hour"][t]
        if not forming["until"]:
            continue
        since = bars[: t + 1]
        since = since[since["ts"] >= forming["until"] - HOUR]
        assert (forming["high"], forming["low"]) == (since["high"].max(), since["low"].min())
        assert (forming["open"], forming["volume"]) == (since["open"][0], since["volume"].sum())
        assert forming["until"] > bars["ts"][t]


def test_a_gap_over_night_is_in_the_range_of_the_first_bar() -> None:
    bars = days(3)
    for name in ("open", "high", "low", "close"):
        bars[name][390:] += 40.0
    states = lifted(bars)
    before, after = (float(states["five"]["atr"][t]) for t in (389, 394))
    assert after > before + 39.0 / 14
    agree(states, "five", whole(bars, FIVE))


@pytest.mark.parametrize(("timeframe", "names"), [(Timeframe.M5, ("five", "hour")), (Timeframe.H1, ("hour",))])
def test_longer_trading_bars_make_what_is_not_shorter(timeframe: Timeframe, names: tuple[str, ...]) -> None:
    bars, length = days(4, timeframe), timeframe.minutes * MINUTE
    states = lifted(bars, timeframe)
    for name, span in (("five", FIVE), ("hour", HOUR)):
        if name in names:
            agree(states, name, whole(bars, span, length))
        else:
            assert states[name].tobytes() == bytes(states[name].nbytes)
    assert len(whole(bars, length, length)) == len(bars)


def test_daily_bars_make_none() -> None:
    states = lifted(walk(1, 100), Timeframe.D1)
    assert states["five"].tobytes() == states["hour"].tobytes() == bytes(states["five"].nbytes)
    assert (np.isnan(states["wobble"]).all(), np.isnan(states["spike"]).all()) == (True, True)


def test_hours_are_the_same_from_minutes_and_from_fives() -> None:
    minutes = days(5)
    fives = records(len(minutes) // 5, BAR)
    fives[:] = minutes[::5]
    for t in range(len(fives)):
        part = minutes[5 * t : 5 * t + 5]
        fives["high"][t], fives["low"][t], fives["close"][t] = part["high"].max(), part["low"].min(), part["close"][-1]
        fives["left"][t] = part["left"][-1]
    ours, theirs = lifted(fives, Timeframe.M5)["hour"], lifted(minutes)["hour"][4::5]
    for name in ("count", "closes", "atr", "before"):
        assert ours[name].tobytes() == theirs[name].tobytes(), name


# -- what is read off them


def test_the_deviation_is_of_the_last_twenty_closes_of_five_minutes() -> None:
    bars = thinned(days(6), 6)
    states, expected = lifted(bars), whole(bars, FIVE)
    for t in range(len(bars)):
        closes = [b.close for b in expected if b.known <= t + 1][-20:]
        if len(closes) < 20:
            assert math.isnan(states["wobble"][t])
        else:
            assert states["wobble"][t] == pytest.approx(np.std(closes), rel=1e-12)


def test_the_spike_is_the_five_minute_range_scaled_to_the_hour_over_the_hours_own() -> None:
    bars = days(7)
    states = lifted(bars)
    warm = (states["five"]["count"] > 14) & (states["hour"]["count"] > 14)
    assert (int(warm.argmax()), np.isnan(states["spike"][~warm]).all()) == (390 + 390 + 60 - 1, True)
    expected = states["five"]["atr"][warm] * math.sqrt(12.0) / states["hour"]["atr"][warm]
    np.testing.assert_array_equal(states["spike"][warm], expected)


@pytest.mark.parametrize(
    ("five", "hour", "atr", "value"),
    [
        (15, 14, 1.0, math.nan),
        (14, 15, 1.0, math.nan),
        (15, 15, 1.0, math.sqrt(12.0)),
        (15, 15, 1e-9, math.sqrt(12.0) / 1e-9),
        (15, 15, 0.0, math.nan),
    ],
)
def test_a_spike_is_unknown_until_both_have_fourteen_ranges(five: int, hour: int, atr: float, value: float) -> None:
    rows = fresh()
    m = rows["market"]
    m["five"]["count"], m["hour"]["count"], m["five"]["atr"], m["hour"]["atr"] = five, hour, 1.0, atr
    assert repr(float(_spike(rows))) == repr(value)


# -- what a spike does


def struck(heat: float, at: int = 75, **said: float) -> tuple[Any, ...]:
    """(side, stop distance in ATR, scale, wide, value and limit of the condition) of the metronome's entry at a bar."""
    rows, think, bars = fresh("metronome"), thinker("metronome", **said), walk(1, at)
    list(think.trade(rows, bars[:-1, None]))
    m = rows["market"]
    m["five"]["count"] = m["hour"]["count"] = 15
    m["five"]["until"] = m["hour"]["until"] = int(bars["ts"][-1]) + HOUR  # nothing seals with this bar
    m["hour"]["atr"], m["five"]["atr"] = (0.0, 1.0) if math.isnan(heat) else (math.sqrt(12.0), heat)
    think(rows, bars[-1:])
    d, close = rows["decision"][0], float(bars["close"][-1])
    assert d["action"] == ENTER
    off = abs(close - float(d["stop"]) / 1e6) / float(rows["reading"]["atr"][0])
    told = (d["value"][C_SPIKE].item(), d["limit"][C_SPIKE].item())
    return d["side"].item(), round(off, 1), d["scale"].item(), d["wide"].item(), told


def test_beyond_twice_the_hour_an_entry_has_a_wider_stop_and_a_smaller_size() -> None:
    assert struck(2.0) == (LONG, 2.5, 1.0, 1.0, (2.0, 2.0))
    assert struck(2.5) == (LONG, 3.8, 0.7, 1.5, (2.5, 2.0))
    assert struck(2.5, 90, shorts=1) == (SHORT, 3.8, 0.7, 1.5, (2.5, 2.0))
    assert struck(2.0, 90, shorts=1) == (SHORT, 2.5, 1.0, 1.0, (2.0, 2.0))


def test_an_unknown_spike_is_none() -> None:
    *decision, (value, limit) = struck(math.nan)
    assert (decision, math.isnan(value), limit) == ([LONG, 2.5, 1.0, 1.0], True, 2.0)


def test_what_a_spike_does_is_configured() -> None:
    assert struck(2.5, spike_ratio=2.5)[1:4] == (2.5, 1.0, 1.0)
    assert struck(2.5, spike_ratio=2.4, spike_stop=2.0, spike_size=0.5)[1:4] == (5.0, 0.5, 2.0)


def test_a_spike_out_of_calm_days_widens_what_is_entered_then_and_not_what_is_held() -> None:
    """Three calm days, then moves ten times as large: the hour's range follows slowly, the five minutes' fast."""
    bars = walk(3, 1400, 100.0, 1e-4)
    rng = np.random.default_rng(1)
    bars["close"][1250:] = np.round(bars["close"][1249] + np.cumsum(rng.normal(0.0, 0.5, 150)), 2)
    bars["open"][1250:] = bars["close"][1249:-1]
    bars["high"][1250:] = np.maximum(bars["open"], bars["close"])[1250:] + 0.05
    bars["low"][1250:] = np.minimum(bars["open"], bars["close"])[1250:] - 0.05
    rows, think, wides = fresh("metronome"), thinker("metronome"), []
    for t in range(len(bars)):
        think(rows, bars[t : t + 1])
        held = float(rows["trade"]["wide"][0])
        fill(rows, 0, int(bars["close"][t] * 1e6))
        entered = rows["decision"]["action"][0] == ENTER
        if rows["trade"]["qty"][0]:
            wides.append((t, bool(entered), float(rows["trade"]["wide"][0]), held))
    assert all(now == before for _, entered, now, before in wides if not entered)
    assert {now for t, entered, now, _ in wides if entered and t < 1250} == {1.0}
    assert 1.5 in {now for t, entered, now, _ in wides if entered and t >= 1250}


def test_the_rules_of_a_timeframe_know_its_length() -> None:
    spans = {t: int(rules(timeframe=t)["rules"]["span"][0]) for t in Timeframe}
    assert spans == {Timeframe.M1: MINUTE, Timeframe.M5: FIVE, Timeframe.H1: HOUR, Timeframe.D1: 1440 * MINUTE}
    assert tuned(rules(), span=5)["rules"]["span"][0] == 5
