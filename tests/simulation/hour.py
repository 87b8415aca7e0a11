"""An hour of `metronome` on markets where everything happens to an order: chased, bitten, stopped out, moved, left."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from fluxhero.messages import MINUTE, SECOND, Nanos
from fluxhero.replay import Replay
from tests.market import FIRST, sessions, write, write_bars
from tests.simulation.fence import NEXT
from tests.simulation.surviving import SAME, End, Fate, Played, copied, played
from tests.simulation.world import scenario

WARM, HOUR = 63, 64  # minutes of the session before the hour, and of it
MODELS = {"quote": ("AAA", "BBB"), "bar": ("CCC", "DDD")}
REST = tuple(range(7, 60, 10))  # s after a minute
BURST = (10, 30, 45, 70, 120, 400)  # ms after a minute: while what was decided at its seal is under way
OPEN = sessions(FIRST, FIRST)[0].open
BEGINS, HEALS = Nanos(OPEN + WARM * MINUTE), Nanos(OPEN + (WARM + 45) * MINUTE)


def market(folder: Path, model: str) -> Path:
    for n, symbol in enumerate(MODELS[model]):
        if model == "bar":
            write_bars(folder, symbol, n, last=FIRST, minutes=WARM + HOUR)
        else:
            ticks(folder, symbol, 24 + n)
    return folder


def ticks(
    folder: Path, symbol: str, seed: int, rest: Sequence[int] = REST, burst: Sequence[int] = BURST,
    sizes: Sequence[int] = (20, 60, 300),
) -> None:  # fmt: skip
    """Quotes every 10 s and in bursts after the minutes, wide and thin now and then; a trade after each second one."""
    rng = np.random.default_rng(seed)
    minutes = OPEN + np.arange(WARM + HOUR) * MINUTE
    after = np.concatenate([np.array(rest) * SECOND, np.array(burst) * 1_000_000])
    ts = np.sort((minutes[:, None] + after[None, :]).ravel()) + seed % 2 * 2_000_000
    n = len(ts)
    cents = 10_000 + np.cumsum(rng.integers(-1, 2, n))
    wide = np.repeat(rng.choice([1, 2, 6, 12], n // 12 + 1, p=[0.4, 0.2, 0.2, 0.2]), 12)[:n]
    thin = np.repeat(rng.choice(sizes, n // 12 + 1), 12)[:n]
    shown = np.maximum(1, thin + rng.integers(-15, 16, (2, n)))
    quotes = {
        "ts": ts, "bid": cents / 100, "ask": (cents + wide) / 100, "bid_size": shown[0], "ask_size": shown[1],
    }  # fmt: skip
    write(folder / f"{symbol}_quotes.parquet", quotes)
    at = np.arange(0, n, 2)
    price = np.where(rng.random(len(at)) < 0.5, quotes["bid"][at], quotes["ask"][at])
    write(
        folder / f"{symbol}_trades.parquet",
        {"ts": ts[at] + 1_000_000, "price": price, "size": rng.integers(1, 500, len(at))},
    )


def stage(data: Path, state: Path, model: str, speed: float = 0.0) -> Replay:
    return scenario(data, state, MODELS[model], speed=speed)


def begun(data: Path, model: str) -> Path:
    """A state whose life was ended when the hour begins; at this pace every minute is committed."""
    state = data / f"{model}-begun"
    if not state.exists():
        played(stage(data, state, model, speed=60.0), until=BEGINS)
    return state


def hour(data: Path, model: str, fate: Fate, kills: Sequence[int] = (), seed: int = 0) -> Played:
    """From the same beginning, killed before so many effects of each life."""
    state = data / "-".join(map(str, (model, fate, seed, *kills)))
    try:
        return played(stage(data, copied(begun(data, model), state), model), kills, fate, seed, HEALS)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def wrong(data: Path, model: str, whole: Played, fate: Fate, kills: Sequence[int], seed: int = 0) -> list[str]:
    """What was broken, or ended otherwise than the run that nobody killed."""
    p = hour(data, model, fate, kills, seed)
    found = [f"{model}, {fate} {seed}, killed before {kills}: {said}" for said in p.broken]
    if fate in SAME and p.end != whole.end:
        found.append(f"{model}, {fate}, killed before {kills}: I19 the end is another: {difference(whole.end, p.end)}")
    return found


def difference(a: End | None, b: End | None) -> str:
    """The first row of the first table that differs."""
    if a is None or b is None:
        return f"{a} is not {b}"
    for name, ours, theirs in zip(End._fields[1:], a[1:], b[1:], strict=True):
        for mine, other in zip_longest(ours, theirs):
            if mine != other:
                return f"{name}: {mine} is {other}"
    return "the journal alone"


def points(effects: Sequence[str], fate: Fate) -> list[int]:
    """Every effect that a life can die before. Where nothing was done between two events of the tape, to die before
    the second leaves the same world as before the first, but for how far the venue has seen: once is enough for that.
    """
    every = range(1, len(effects) + 1)
    if fate is Fate.ARRIVES:
        return list(every)
    return [n for n in every if n == 1 or tuple(effects[n - 2 : n]) != (NEXT, NEXT)]


def drawn(effects: Sequence[str], fate: Fate, chance: random.Random, only: str = "") -> Iterator[int]:
    """Without end, of every kind of effect alike, for most are of a few kinds; `only`: of these."""
    kinds: dict[str, list[int]] = {}
    for n in points(effects, fate):
        if only in effects[n - 1]:
            kinds.setdefault(effects[n - 1], []).append(n)
    while True:
        yield chance.choice(kinds[chance.choice(sorted(kinds))])
