"""Seeded portfolios with all that a market can do to an account, as recordings: no file is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from fluxhero.config import Config, Costs, Gates, Indicators, Regime, Risk, Strategy
from fluxhero.core.calendar import Session, nyse
from fluxhero.feeds.files import Timeframe
from fluxhero.feeds.placing import placed
from fluxhero.feeds.recording import Input, Recording, Request
from fluxhero.feeds.tape import BarTimes
from fluxhero.lab.history import History, aligned
from fluxhero.messages import MINUTE, Array, Model, Nanos, Quality

RECKLESS = str(Path(__file__).parents[1] / "reckless.py")
STRATEGIES = ("dual_mode", "metronome", RECKLESS)
# Sessions, symbols at the most: more in minutes would send more entries a day than may leave.
SIZES = {Timeframe.M5: (9, 12), Timeframe.D1: (500, 12), Timeframe.M1: (2, 3), Timeframe.H1: (90, 12)}
BEGINS = (date(2024, 6, 28), date(2023, 11, 22), date(2019, 12, 23), date(2021, 3, 10), date(2024, 10, 30))  # half days
MOVES = {Timeframe.M1: 1e-3, Timeframe.M5: 2e-3, Timeframe.H1: 5e-3, Timeframe.D1: 1.5e-2}  # of a bar, relative
RATIOS = (0.5, 0.25, 10.0)  # of the prices after a split


@dataclass(frozen=True)
class Portfolio:
    recording: Recording
    request: Request
    config: Config
    release: bool  # of a day's loss, by the scripted operator

    @property
    def past(self) -> History:
        r = self.recording
        assert isinstance(r.tape, BarTimes)
        market, span = aligned(r.tape.bars, r.tape.ts, nyse()), Nanos(r.timeframe.minutes * MINUTE)
        return History(r.symbols, r.timeframe.value, span, self.request.adjusted, market, "")


def drawn(seed: int, *, symbols: int = 0, longer: int = 1) -> Portfolio:
    """The same for the same seed; all strategies and timeframes meet within twelve.

    symbols: 0: as drawn; longer: so many times as many sessions.
    """
    rng = np.random.default_rng(seed)
    timeframe = list(SIZES)[seed % 4]
    sessions, most = SIZES[timeframe]
    names = tuple("ABCDEFGHIJKL"[: symbols or int(rng.integers(1, most + 1))])
    adjusted = bool(rng.random() < 0.3)
    days = nyse().between(BEGINS[seed % len(BEGINS)], nyse().last)[: longer * sessions]
    bars = [listed(rng, timeframe, days, split=not adjusted) for _ in names]
    recording = Recording(
        symbols=names, model=Model.BAR, timeframe=timeframe, tape=BarTimes([b for b, _ in bars], [e for _, e in bars]),
        digests=dict.fromkeys(names, f"seed {seed}"), refused={}, left_out={},
    )  # fmt: skip
    request = Request(data=Path(), symbols=names, input=Input(timeframe.value), adjusted=adjusted, model=Model.BAR)
    return Portfolio(recording, request, config(rng, STRATEGIES[seed % 3], names), bool(rng.random() < 0.7))


def listed(rng: np.random.Generator, timeframe: Timeframe, days: list[Session], *, split: bool) -> tuple[Array, Array]:
    """BAR records of one symbol and their ends: with holes, listed late or gone early."""
    gone, late = rng.random(2) < 0.2
    a, b = (len(days) // 5 if late else 0), len(days) - (len(days) // 5 if gone else 0)
    starts, session = grid(timeframe, days[a:b], bool(rng.random() < 0.5))
    prices = walk(rng, session, MOVES[timeframe], split=split)
    there = rng.random(len(starts)) < (1.0 if rng.random() < 0.3 else 0.97)
    if rng.random() < 0.3:
        hole = int(rng.integers(0, len(starts)))
        there[hole : hole + int(rng.integers(5, 80))] = False
    there[0] = True
    volume = rng.integers(0, 10 ** int(rng.integers(4, 8)), len(starts)).astype(np.float64)
    p = placed({k: v[there] for k, v in {"ts": starts, **prices, "volume": volume}.items()}, timeframe, nyse())
    if timeframe is not Timeframe.D1 and p.bars["quality"][0] == Quality.FULL and rng.random() < 0.5:
        p.bars["quality"][0] = Quality.PARTIAL
    return p.bars, p.ends


def grid(timeframe: Timeframe, days: list[Session], extended: bool) -> tuple[Array, Array]:
    """Starts of the bars, UTC ns, and the number of their session among the days."""
    if timeframe is Timeframe.D1:
        return np.array([nyse().day_of(s.date)[0] for s in days]), np.arange(len(days))
    length, more = timeframe.minutes * MINUTE, (60 * MINUTE if extended else 0)
    spans = [np.arange(s.open - more, s.close + more, length) for s in days]
    return np.concatenate(spans), np.repeat(np.arange(len(days)), [len(x) for x in spans])


def walk(rng: np.random.Generator, session: Array, move: float, *, split: bool) -> dict[str, Array]:
    """Prices that trend and range by turns, gap over night, crash, stand still and split."""
    n, begins = len(session), np.flatnonzero(np.diff(session, prepend=-1))
    drift = np.repeat(rng.normal(0.0, move / 2, n // 60 + 1), 60)[:n]
    steps = drift + rng.normal(0.0, move, n)
    steps[begins] += rng.standard_t(2, len(begins)).clip(-8.0, 8.0) * move
    crash = int(rng.integers(0, n))
    steps[crash : crash + 6] -= rng.random() * 12.0 * move
    parted = int(rng.choice(begins)) if split and rng.random() < 0.5 else n
    steps[parted : parted + 1] = 0.0  # nothing else moves with a split
    if rng.random() < 0.4:
        still = int(rng.integers(0, n))
        steps[still : still + 90] = 0.0
    start = float(rng.choice([0.4, 5.0, 60.0, 900.0]))
    close = start * np.exp(np.cumsum(steps))
    close[parted:] *= rng.choice(RATIOS)
    digits = 4 if start < 1.0 else 2
    close = np.maximum(np.round(close, digits), 10.0**-digits)
    opens = np.maximum(np.round(close * np.exp(-steps * rng.random(n)), digits), 10.0**-digits)
    moving = steps != 0.0
    reach = np.abs(rng.normal(0.0, move / 2, (2, n))) * close * moving
    return {
        "open": opens,
        "high": np.round(np.maximum(opens, close) + reach[0], digits),
        "low": np.maximum(np.round(np.minimum(opens, close) - reach[1], digits), 10.0**-digits),
        "close": close,
    }


def config(rng: np.random.Generator, strategy: str, names: Iterable[str]) -> Config:
    """Limits from narrow to at their bounds."""

    def one(*of: Any) -> Any:
        return of[int(rng.integers(0, len(of)))]

    hard, quiet = one(0.06, 0.2, 0.5), bool(rng.random() < 0.3)
    wide = strategy == RECKLESS or rng.random() < 0.3
    risk = Risk(
        trade_risk=1.0 if wide else 0.01, position_cap=one(0.6, 1.0) if wide else 0.2,
        deployed_cap=1.0 if wide else 0.5, slots=one(2, 5, 10), day_loss=one(0.004, 0.03, 0.1), soft_drawdown=hard / 2,
        hard_drawdown=hard, stop_atr=one(1.0, 2.5), soft_stop_atr=one(0.8, 2.0), stop_step=one(0.0, 0.25),
        correlated=one(0.1, 0.7), crowded=one(0.1, 0.8), crowded_slots=one(1, 3), weight_trades=one(2, 20),
    )  # fmt: skip
    gates = Gates(
        last_minutes=one(0, 15, 60), gap_limit=one(0.01, 0.05, 0.9), volume_floor=one(0.0, 0.5),
        volume_breakout=one(0.5, 1.5), shorts=bool(rng.random() < 0.7),
        hard_to_borrow=tuple(name for name in names if rng.random() < 0.2),
    )  # fmt: skip
    calm = Regime(strong_adx=15.0, strong_r2=0.3, quiet_adx=14.0, quiet_r2=0.29, confirm=1)
    if rng.random() < 0.4:
        gates = replace(gates, day_trades=one(1, 3, 10))
    return Config(
        risk=risk, gates=gates, regime=Regime() if quiet else calm,
        indicators=Indicators(kama=one("fixed", "regime"), adaptive=one(False, True)),
        costs=Costs(commission=one(0.0, 0.005), borrow=one(0.003, 0.5)), strategy=Strategy(name=strategy),
    )  # fmt: skip
