"""Whole arrays of bars to decisions: the same as the strategy makes of them bar by bar, with the fills of the venue."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest

from fluxhero.config import Config, Costs, Gates, Regime, Strategy
from fluxhero.kernel import apply_noise_filter, generate_signals
from fluxhero.kernel.codes import (
    C_BREAKOUT,
    C_GAP,
    C_HOURS,
    C_SPREAD,
    C_VOLUME,
    ENTER,
    EXIT,
    GAP,
    HOURS,
    OPEN,
    REFUSED,
    SPREAD,
    VOLUME,
)
from fluxhero.kernel.fills import open_fill, stop_fill
from fluxhero.kernel.state import BAR, SIGNAL, Array
from fluxhero.kernel.strategies import SHIPPED, dual_mode
from fluxhero.kernel.think import took
from fluxhero.messages import Quality
from fluxhero.section import ConfigError
from tests.kernel.drive import COMPILED, SEEDS, Thinker, fresh, records, rules, tuned, walk

pytestmark = pytest.mark.nojit

BARS = 900 if COMPILED else 500
PLAIN = ["ts", "open", "high", "low", "close", "volume"]
SOUGHT = (ENTER, EXIT, REFUSED)
WHY = ("risk", "scale", "wide", "value", "limit")
NAN, INF = np.nan, np.inf

MINE = """
from typing import Annotated
from fluxhero.kernel.codes import LONG, MINE as MODE
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import ints, record
from fluxhero.kernel.trade import enter, leave
from fluxhero.section import Count, Section, key

OWN = record(*ints("waited"))
MATURE = 5

class Params(Section, frozen=True, kw_only=True):
    often: Annotated[Count, key("bars", "between two")] = 4

@step
def decide(row, bar, p, stop_atr):
    row.own.waited += 1
    if row.own.waited >= p.own.often:
        row.own.waited = 0
        if row.trade.qty != 0:
            leave(row)
        else:
            enter(row, bar, p.rules, LONG, MODE, 0.001 * bar.close, 0.01, 1.0, False)
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(MINE)
    return str(path)


@cache
def tape(seed: int, move: float = 2e-3) -> Array:
    """Minutes with some quotes, and with some of other qualities."""
    bars, rng = walk(seed, BARS, move=move), np.random.default_rng(seed)
    bars["spread"] = np.where(rng.random(BARS) < 0.5, -1.0, np.round(rng.random(BARS) * 0.4, 2))
    bars["quality"] = rng.choice([Quality.FULL, Quality.PARTIAL, Quality.EXTENDED], BARS, p=[0.98, 0.01, 0.01])
    return bars


class Driven:
    """One symbol, one share: `think` bar by bar, its orders filled by the entries of the venue."""

    def __init__(self, strategy: str, params: Array) -> None:
        self.rows, self.think, self.params = fresh(strategy), Thinker(strategy, params), params

    def over(self, bars: Array) -> Iterator[dict[str, Any]]:
        for t in range(len(bars)):
            if bars["quality"][t] == Quality.FULL:
                self.settle(bars, t)
                self.think(self.rows, bars[t : t + 1])
                yield self.told(bars, t, self.rows["decision"][0])
            else:
                yield self.told(bars, t, records(1, self.rows["decision"].dtype)[0])

    def settle(self, bars: Array, t: int) -> None:
        d, held, limits = self.rows["decision"][0], self.held, self.params["rules"]
        if d["action"] == ENTER and held == 0:
            side, stop = int(d["side"]), int(d["stop"])
            price = open_fill(bars, t, side, 1, INF, stop, limits)
            if price:
                took(self.rows, 0, side, price, int(d["mode"]), stop, float(d["wide"]))
        elif d["action"] == EXIT and held != 0:
            took(self.rows, 0, -held, open_fill(bars, t, -held, 1, INF, 0, limits), 0, 0, 1.0)
        if self.held != 0:
            price = stop_fill(bars, t, -self.held, 1, int(self.rows["trade"]["stop"][0]), INF, limits)
            if price:
                took(self.rows, 0, -self.held, price, 0, 0, 1.0)

    @property
    def held(self) -> int:
        return int(self.rows["trade"]["qty"][0])

    def told(self, bars: Array, t: int, decision: Any) -> dict[str, Any]:
        """As a record of SIGNAL says it; the reasons of a decision that sought nothing are old ones."""
        made, now = records(1, SIGNAL), self.rows["regime"][0]
        made["value"] = made["limit"] = np.nan
        for name in decision.dtype.names:
            if name not in WHY or decision["action"] in SOUGHT:
                made[name] = decision[name]
        made["ts"], made["held"] = bars["ts"][t], self.held
        made["regime"], made["volatility"] = now["now"], now["volatility"]
        return said(made[0])


def said(signal: Any) -> dict[str, Any]:
    """To be compared whole, NaN as well."""
    return {name: np.asarray(signal[name]).tobytes() for name in SIGNAL.names or ()}


def agree(signals: Array, strategy: str, params: Array, bars: Array) -> None:
    for t, expected in enumerate(Driven(strategy, params).over(bars)):
        assert said(signals[t]) == expected, t


@pytest.mark.parametrize("strategy", SHIPPED)
def test_a_whole_array_is_decided_as_bar_by_bar(strategy: str) -> None:
    sought: set[int] = set()
    for seed in SEEDS:
        signals = generate_signals(tape(seed), strategy)
        agree(signals, strategy, tuned(rules(strategy), raw=0), tape(seed))
        sought |= set(signals["action"].tolist())
    assert sought >= ({ENTER} if strategy == "buy_and_hold" else {ENTER, EXIT})


def test_so_it_is_for_an_own_file_with_its_own_keys(mine: str) -> None:
    for seed in SEEDS:
        for keys in ({}, {"often": 7}):
            signals = generate_signals(tape(seed), mine, keys)
            agree(signals, mine, tuned(rules(mine), raw=0, **keys), tape(seed))
            assert {ENTER, EXIT} <= set(signals["action"].tolist())


def test_both_sides_are_filled_and_stops_are_hit_within_the_bar() -> None:
    for seed in SEEDS:
        signals = generate_signals(tape(seed), "metronome", config=Config(gates=Gates(shorts=True)))
        agree(signals, "metronome", tuned(rules("metronome"), raw=0, shorts=1), tape(seed))
        assert set(signals["held"].tolist()) == {-1, 0, 1}
        held, action = signals["held"], signals["action"]
        assert ((held[:-1] != 0) & (held[1:] == 0) & (action[:-1] != EXIT)).any()


# -- what it is told


def test_without_a_strategy_it_is_the_dual_mode() -> None:
    assert same(generate_signals(tape(0)), generate_signals(tape(0), "dual_mode", {}, Config()))


def test_keys_come_before_those_of_the_configuration_and_these_before_the_defaults() -> None:
    def entered(params: dict[str, int] | None, **said: int) -> list[int]:
        config = Config(strategy=Strategy(name="sma_cross", tables={"metronome": said, "sma_cross": {"fast": 3}}))
        signals = generate_signals(walk(1, 140), "metronome", params, config)
        return (1 + np.flatnonzero(signals["action"] == ENTER)).tolist()

    assert entered(None) == [75, 90, 105, 120, 135]
    assert entered(None, every=20) == entered({"every": 20}) == [80, 100, 120, 140]
    assert entered({"every": 30}, every=20, keep=3) == [90, 120]


def test_a_configured_section_is_a_table_as_well() -> None:
    table = dual_mode.Params(enter_atr=0.1)
    config = Config(strategy=Strategy(tables={"dual_mode": table}))
    assert same(generate_signals(tape(1), config=config), generate_signals(tape(1), params={"enter_atr": 0.1}))


def test_rules_of_the_configuration_hold() -> None:
    config = Config(costs=Costs(slip=0.005), regime=Regime(confirm=1))
    for seed in SEEDS:
        signals = generate_signals(tape(seed), config=config)
        agree(signals, "dual_mode", tuned(rules(), raw=0, slip=0.005, confirm=1), tape(seed))
        assert not same(signals, generate_signals(tape(seed)))


@pytest.mark.parametrize(
    ("strategy", "params", "said"),
    [
        ("moon", {}, "strategy.name = 'moon': there are "),
        ("dual_mode", {"moon": 1}, "strategy.dual_mode"),
        ("metronome", {"every": 0}, "strategy.metronome.every = 0: must be a whole number, 1 to 1_000 (bars)"),
    ],
)
def test_a_strategy_or_a_key_that_is_none_is_named(strategy: str, params: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        generate_signals(tape(0), strategy, params)
    assert said in str(refused.value)
    assert all(name in str(refused.value) for name in params)


# -- bars


def prefixes(seed: int) -> set[int]:
    later = np.random.default_rng(seed).integers(66, BARS, 3 if COMPILED else 1)
    return {0, 1, 2, 63, 64, 65, *later.tolist()}


@pytest.mark.parametrize("strategy", SHIPPED)
def test_a_signal_never_changes_when_later_bars_arrive(strategy: str) -> None:
    for seed in SEEDS:
        whole = generate_signals(tape(seed), strategy)
        assert all(same(generate_signals(tape(seed)[:n], strategy), whole[:n]) for n in prefixes(seed))


def test_no_gate_changes_when_later_bars_arrive() -> None:
    for seed in SEEDS:
        whole = apply_noise_filter(tape(seed))
        assert all(same(apply_noise_filter(tape(seed)[:n]), whole[:n]) for n in prefixes(seed))


def test_bars_are_left_as_they_are() -> None:
    bars = tape(2)
    before = bars.tobytes()
    generate_signals(bars)
    apply_noise_filter(bars, np.ones(BARS))
    assert bars.tobytes() == before


def test_without_sessions_a_utc_day_is_one_and_its_end_is_far() -> None:
    bars = walk(3, BARS)
    day = bars.copy()
    day["session"], day["left"], day["clock"] = bars["ts"] // (1440 * 60 * 10**9), 10_000, 0
    assert same(generate_signals(plain(bars)), generate_signals(day))
    assert same(apply_noise_filter(plain(bars)), apply_noise_filter(day))


def test_fields_are_taken_by_name_whatever_their_order_and_width() -> None:
    bars = walk(3, 200)
    bars["volume"] = np.round(bars["volume"] / 8)
    for name in ("open", "high", "low", "close"):
        bars[name] = np.round(bars[name] * 4) / 4  # float32 holds it
    other = np.dtype(
        [("note", "U4"), *((name, "f4") for name in ("volume", "close", "low", "high", "open")), ("ts", "u8")]
    )
    made = np.zeros(200, other)
    for name in PLAIN:
        made[name] = bars[name]
    assert same(generate_signals(made, "metronome"), generate_signals(plain(bars), "metronome"))


def test_bars_that_are_not_full_hold_and_leave_all_else_as_if_they_were_not_there() -> None:
    for seed in SEEDS:
        bars = tape(seed)
        full = bars["quality"] == Quality.FULL
        signals = generate_signals(bars, "metronome")
        assert same(signals[full], generate_signals(bars[full], "metronome"))
        left = signals[~full]
        assert left["ts"].tolist() == bars["ts"][~full].tolist()
        for name in ("action", "side", "mode", "gate", "stop", "raised", "risk", "scale", "wide"):
            assert not left[name].any()
        assert np.isnan(left["value"]).all()
        assert np.isnan(left["limit"]).all()
        noise = apply_noise_filter(bars)
        assert same(noise[full], apply_noise_filter(bars[full]))
        assert set(noise["gate"][~full].tolist()) == {HOURS}
        assert np.isnan(noise["value"][~full]).all()


def test_without_bars_there_are_no_signals() -> None:
    assert generate_signals(tape(0)[:0]).shape == apply_noise_filter(tape(0)[:0]).shape == (0,)


def spoiled(name: str, t: int, value: float) -> Array:
    bars = walk(0, 60).view(np.ndarray).copy()
    bars[name][t] = value
    return bars


MEND = "drop such bars, or mend them"
FILL = "it must be finite: drop such bars, or fill them"
GIVE = "bars is no structured array of one dimension; give it the fields ts, open, high, low, close, volume"


@pytest.mark.parametrize(
    ("bars", "said"),
    [
        (np.ones(60), GIVE),
        ([1.0, 2.0], GIVE),
        (walk(0, 60).reshape(2, 30), GIVE),
        (walk(0, 60)[["ts", "open", "high", "low", "volume"]],
         "bars has no field close; it needs ts, open, high, low, close, volume"),
        (spoiled("open", 7, NAN), f"bars['open'][7] is nan; {FILL}"),
        (spoiled("volume", 59, np.inf), f"bars['volume'][59] is inf; {FILL}"),
        (np.ones(2, [(name, "U9" if name == "high" else "f8") for name in PLAIN]),
         "bars['high'] has the dtype <U9; it must be of real numbers, such as float64"),
        (spoiled("open", 0, 0.0), f"bars['open'][0] is 0.0; it must be over 0: {MEND}"),
        (spoiled("low", 9, -1.5), f"bars['low'][9] is -1.5; it must be over 0: {MEND}"),
        (spoiled("volume", 5, -1.0), f"bars['volume'][5] is -1.0; it must be at least 0: {MEND}"),
        (spoiled("ts", 5, 77), f"bars['ts'][5] is 77; it must be over the one before: {MEND}"),
        (walk(0, 60)[::-1], f"bars['ts'][1] is {walk(0, 60)['ts'][58]}; it must be over the one before: {MEND}"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_is_named_with_its_value_and_its_bound(bars: Any, said: str) -> None:
    for call in (generate_signals, apply_noise_filter):
        with pytest.raises(ValueError) as refused:  # noqa: PT011
            call(bars)
        assert str(refused.value) == said


# -- the noise filter alone


def test_the_filter_says_what_a_strategys_entries_meet() -> None:
    looked = (C_HOURS, C_GAP, C_VOLUME, C_BREAKOUT, C_SPREAD)
    seen = 0
    for seed in SEEDS:
        for shorts in (False, True):
            config = Config(gates=Gates(shorts=shorts))
            signals = generate_signals(tape(seed), "dual_mode", {"enter_atr": 0.01, "neutral": "either"}, config)
            for side in (1, -1):
                at = np.isin(signals["action"], (ENTER, REFUSED)) & (signals["side"] == side)
                noise = apply_noise_filter(tape(seed), side=side, config=config)
                assert signals["gate"][at].tolist() == noise["gate"][at].tolist()
                for name in ("value", "limit"):
                    there = noise[name][at][:, looked]
                    assert same(signals[name][at][:, looked], there)
                    assert np.isnan(np.delete(noise[name], looked, axis=1)).all()
                seen += int(at.sum())
    assert seen > 4


def noisy(n: int = 130) -> Array:
    """Closes that go up and down by 10 cents, in one session, every volume alike."""
    bars = walk(0, n)
    for name in ("open", "high", "low", "close"):
        bars[name] = 100.0 + 0.1 * ((np.arange(n) // 5) % 2)
    bars["volume"] = 1000.0
    return bars


def test_a_spread_over_a_quarter_of_the_deviation_refuses_and_no_quote_does_not() -> None:
    bars = noisy()
    quotes = np.full(130, 0.0124)
    quotes[111:115] = 0.0126, NAN, -1.0, np.inf  # the deviation is 5 cents
    noise = apply_noise_filter(bars, quotes)
    assert noise["gate"][110:116].tolist() == [OPEN, SPREAD, OPEN, OPEN, OPEN, OPEN]
    np.testing.assert_allclose(noise["value"][110:116, C_SPREAD], [0.248, 0.252, NAN, NAN, NAN, 0.248], rtol=1e-9)
    assert noise["limit"][110:116, C_SPREAD].tolist() == [0.25] * 6
    assert np.isnan(noise["value"][:99, C_SPREAD]).all()  # under 20 closes
    tight = Config(gates=Gates(spread_max=0.2))
    assert apply_noise_filter(bars, quotes, config=tight)["gate"][110:113].tolist() == [SPREAD, SPREAD, OPEN]


def test_quotes_are_spreads_or_bids_and_asks_and_come_before_those_of_the_bars() -> None:
    bars = noisy()
    bars["spread"] = 9.0
    quotes = np.zeros(130, [("ask", "f8"), ("bid", "f8")])
    quotes["bid"], quotes["ask"] = 64.0, 64.0 + np.where(np.arange(130) == 120, NAN, 0.03125)
    spreads = quotes["ask"] - quotes["bid"]
    noise = apply_noise_filter(bars, quotes)
    assert same(noise, apply_noise_filter(bars, spreads))
    assert same(noise, apply_noise_filter(bars, spreads.tolist()))
    assert noise["gate"][119:122].tolist() == [SPREAD, OPEN, SPREAD]
    told = with_spread(bars, spreads)
    assert same(noise, apply_noise_filter(told))
    assert same(generate_signals(told), generate_signals(with_spread(bars, np.where(np.isnan(spreads), -1.0, spreads))))


def test_hours_gap_and_volume_refuse() -> None:
    bars = noisy(800)
    for name in ("open", "high", "low", "close"):
        bars[name][390:780] *= 1.03
    bars["volume"][200] = 499.0
    noise = apply_noise_filter(bars)
    assert noise["gate"][[199, 200, 373, 374, 389]].tolist() == [OPEN, VOLUME, OPEN, HOURS, HOURS]
    assert set(noise["gate"][390:764].tolist()) == set(noise["gate"][780:].tolist()) == {GAP}
    assert set(noise["gate"][764:780].tolist()) == {HOURS}
    assert noise["ts"].tolist() == bars["ts"].tolist()


@pytest.mark.parametrize(
    ("quotes", "side", "said"),
    [
        (np.ones(59), 1, "quotes has 59 values and bars 60; they must have equally many"),
        (np.ones((60, 1)), 1, "quotes has the shape (60, 1); it must have one dimension"),
        (["wide"] * 60, 1, "quotes has the dtype <U4; it must be of real numbers, such as float64"),
        (np.ones(60, [("bid", "f8")]), 1, "quotes has no field ask; give it bid and ask, or give the spreads alone"),
        (None, 0, "side is 0; it must be 1 or -1"),
        (None, 2, "side is 2; it must be 1 or -1"),
    ],
)
def test_what_the_filter_cannot_take_is_named(quotes: Any, side: int, said: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        apply_noise_filter(walk(0, 60), quotes, side)
    assert str(refused.value) == said


def same(a: Array, b: Array) -> bool:
    """Bit for bit."""
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def plain(bars: Array) -> Array:
    """What any source of bars has."""
    made = np.zeros(len(bars), [(name, BAR[name]) for name in PLAIN])
    for name in PLAIN:
        made[name] = bars[name]
    return made


def with_spread(bars: Array, spread: Array) -> Array:
    made = bars.copy()
    made["spread"] = spread
    return made
