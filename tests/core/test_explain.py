import re
from datetime import datetime

import pytest
from msgspec.structs import replace

from fluxhero.core.explain import ACTIONS, CONDITIONS, GATES, MODES, NEW_YORK, REGIMES, reasons, sentence, when
from fluxhero.core.journal import Check, Decided, Judged
from fluxhero.core.ladder import Rung
from fluxhero.kernel import codes
from fluxhero.messages import Micros, Nanos, Shares, Side

AT = Nanos(int(datetime(2024, 3, 26, 10, 30, tzinfo=NEW_YORK).timestamp()) * 10**9)
READING: dict[str, float | None] = {
    "close": 100.5, "ema": 100.0, "rsi": 28.26, "atr": 0.4567, "adx": 31.23, "kama": 99.87, "er": 0.5, "mid": 101.0,
    "sd": 0.25, "slope": -0.0123, "r2": 0.678, "atr_mean": 0.5, "volume_mean": 5e4,
}  # fmt: skip
TREND = "regime strong trend: close 100.50, KAMA 99.87, ATR 0.457, slope -0.0123, ADX 31.2, R2 0.68, RSI 28.3"
REVERSION = "regime mean reversion: close 100.50, lower band 100.50, SMA20 101.00, RSI 28.3, slope -0.0123"


def decided(
    action: int = codes.ENTER, mode: int = codes.TREND, regime: int = codes.TREND, gate: int = codes.OPEN,
    value: float | None = 0.0, limit: float = 0.0, side: Side = Side.BUY, wide: float = 1.0,
) -> Decided:  # fmt: skip
    return Decided(
        ts=AT, slot=0, action=action, side=side, mode=mode, regime=regime, gate=gate, stop=Micros(98_760_000),
        risk=0.01, scale=1.0, wide=wide, reading=READING, checks=(Check(codes.CONDITIONS.get(gate, 0), value, limit),),
    )  # fmt: skip


def judged(gate: int = codes.OPEN, value: float = 0.0, limit: float = 0.0, entry: bool = True, qty: int = 0) -> Judged:
    return Judged(
        ts=AT, slot=0, entry=entry, gate=gate, value=value, limit=limit, qty=Shares(qty), by_risk=500, by_cap=400,
        by_room=1000,
    )  # fmt: skip


def test_times_are_new_yorks() -> None:
    assert when(AT) == "2024-03-26 10:30:00 ET"


def test_an_entry_says_why_how_much_and_where_its_stop_is() -> None:
    assert sentence("SPY", decided(), judged(qty=400)) == (
        f"SPY 2024-03-26 10:30:00 ET: ordered 400 in trend mode ({TREND}), stop 98.76;"
        " 400 is the least of 500 by risk, 400 by the position cap, 1000 by the room left."
    )


def test_a_mean_reversion_entry_speaks_of_its_bands() -> None:
    d = decided(mode=codes.REVERSION, regime=codes.REVERSION)
    assert sentence("SPY", d, None) == (f"SPY 2024-03-26 10:30:00 ET: sought a mean reversion entry ({REVERSION}).")


def test_the_metronome_speaks_of_its_beat() -> None:
    d = decided(mode=codes.METRONOME, regime=codes.NEUTRAL)
    assert sentence("SPY", d, None) == (
        "SPY 2024-03-26 10:30:00 ET: sought a metronome entry (by the beat, close 100.50, ATR 0.457)."
    )


@pytest.mark.parametrize(
    ("gate", "value", "limit", "reason"),
    [
        (codes.RUNG, 3.0, 0.0, "trading stands at HALTED"),
        (codes.RUNG, 4.0, 0.0, "trading stands at FLATTEN"),
        (codes.BUSY, 1.0, 0.0, "the symbol has a position or an entry already"),
        (codes.FRESH, 7.25, 5.0, "the last usable quote was 7.2 s old, 5 s is the most"),
        (codes.STOP, 101.5, 100.5, "its stop 101.50 is not on the losing side of the price 100.50"),
        (codes.SHORTS, 0.0, 1.0, "it may not be sold short"),
        (
            codes.CROWDED, 0.853, 0.8,
            "what is held and this would move as one: mean correlation 0.85, 0.80 is the most",
        ),
        (codes.SLOTS, 5.0, 5.0, "5 positions were held or sought, 5 is the most"),
        (
            codes.SIZE, 0.0, 1.0,
            "the size came to less than one share: 500 by risk, 400 by the position cap, 1000 by the room left",
        ),
    ],
)  # fmt: skip
def test_a_refusal_by_the_gate_says_which_and_by_how_much(gate: int, value: float, limit: float, reason: str) -> None:
    assert sentence("SPY", decided(), judged(gate, value, limit)) == (
        f"SPY 2024-03-26 10:30:00 ET: no trend entry, for {reason} ({TREND})."
    )


def test_a_refusal_for_want_of_any_usable_quote_names_no_infinite_age() -> None:
    assert sentence("SPY", decided(), judged(codes.FRESH, float("inf"), 5.0)) == (
        "SPY 2024-03-26 10:30:00 ET: no trend entry, for there was no two-sided, uncrossed quote within a minute"
        f" ({TREND})."
    )


@pytest.mark.parametrize(
    ("gate", "value", "limit", "reason"),
    [
        (codes.HOURS, 15.0, 15.0, "15 min of the session were left, more than 15 are needed"),
        (codes.GAP, 0.0312, 0.02, "the session opened 3.12% away from the previous close, 2.00% is the most"),
        (codes.VOLUME, 0.312, 0.5, "its volume was 0.31 of the mean of the 20 bars before, more than 0.50 is needed"),
        (codes.BREAKOUT, 1.2, 1.5, "it broke out of its 20 bars on 1.20 of their volume, more than 1.50 is needed"),
        (codes.SPREAD, 0.2512, 0.25, "the spread was 0.251 deviations of the five-minute closes, 0.25 is the most"),
    ],
)
def test_a_refusal_by_the_strategy_says_which_and_by_how_much(
    gate: int, value: float, limit: float, reason: str
) -> None:
    d = decided(codes.REFUSED, gate=gate, value=value, limit=limit)
    assert sentence("SPY", d, None) == f"SPY 2024-03-26 10:30:00 ET: no trend entry, for {reason} ({TREND})."


def test_an_exit_says_why() -> None:
    head = f"SPY 2024-03-26 10:30:00 ET: left the trend position ({TREND})"
    assert sentence("SPY", decided(codes.EXIT), None) == head + "."
    assert sentence("SPY", decided(codes.EXIT), judged(entry=False, qty=10)) == head + "."


def test_an_exit_that_was_refused_says_so() -> None:
    told = sentence("SPY", decided(codes.EXIT), judged(codes.RUNG, 3.0, entry=False, qty=10))
    assert told == (
        f"SPY 2024-03-26 10:30:00 ET: left the trend position ({TREND}), but was refused: trading stands at HALTED."
    )


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_a_bar_on_which_nothing_was_sought_says_what_it_was(action: int) -> None:
    d = decided(action, mode=codes.NEUTRAL)
    assert sentence("SPY", replace(d, checks=()), None) == f"SPY 2024-03-26 10:30:00 ET: {ACTIONS[action]}."
    assert sentence("SPY", d, None) == f"SPY 2024-03-26 10:30:00 ET: {ACTIONS[action]} ({TREND})."


def test_a_short_entry_says_so() -> None:
    d = decided(mode=codes.REVERSION, regime=codes.REVERSION, side=Side.SELL)
    because = REVERSION.replace("lower band 100.50", "upper band 101.50")
    assert sentence("SPY", d, judged(qty=400)) == (
        f"SPY 2024-03-26 10:30:00 ET: ordered 400 short in mean reversion mode ({because}), stop 98.76;"
        " 400 is the least of 500 by risk, 400 by the position cap, 1000 by the room left."
    )
    assert sentence("SPY", d, None) == f"SPY 2024-03-26 10:30:00 ET: sought a short mean reversion entry ({because})."


def test_a_share_of_the_size_says_what_it_is_for() -> None:
    j = replace(judged(qty=98), factor=0.245, weight=0.7, correlation=0.912, peer=1, company=0.5)
    assert sentence("SPY", decided(wide=1.5), j) == (
        f"SPY 2024-03-26 10:30:00 ET: ordered 98 in trend mode ({TREND}), stop 98.76; 98 is 0.245 (for a spike in"
        " volatility and the mode's weight 0.70 and a correlation of 0.91 with what is held) of the least of 500 by"
        " risk, 400 by the position cap, 1000 by the room left."
    )


def test_what_was_looked_at_is_data() -> None:
    checks = (Check(codes.C_ADX, 27.5, 25.0), Check(codes.C_SPREAD, None, 0.25))
    assert reasons(checks) == [
        {"what": "ADX", "value": 27.5, "rule": "a trend above", "limit": 25.0, "distance": 2.5},
        {
            "what": "spread over the deviation of five-minute closes", "value": None, "rule": "at most", "limit": 0.25,
            "distance": None,
        },
    ]  # fmt: skip
    assert sorted(CONDITIONS) == list(range(codes.C_CALM_R2 + 1))


def test_every_action_mode_regime_gate_and_rung_has_a_text() -> None:
    actions = {codes.HOLD, codes.WARMUP, codes.FLAT, codes.ENTER, codes.EXIT, codes.REFUSED, codes.SUSPECT}
    assert actions == set(range(7)) == set(ACTIONS) | {codes.ENTER, codes.EXIT, codes.REFUSED}
    assert set(MODES) == set(range(codes.MODES))
    assert set(REGIMES) == {codes.NEUTRAL, codes.TREND, codes.REVERSION}
    assert set(GATES) == set(range(1, codes.DAYTRADES + 1))
    for mode in MODES:
        for regime in REGIMES:
            for gate in GATES:
                for rung in Rung:
                    told = sentence("SPY", decided(mode=mode, regime=regime), judged(gate, float(rung), 1.0))
                    assert re.fullmatch(r"SPY 2024-03-26 10:30:00 ET: no [a-z ]+ entry, for [^{}]+\.", told)
