"""Where a synthetic symbol's price goes: a pure function of its key, the session and the minute, in log USD.

Nothing is summed up from a beginning, so every session costs the same: the level is a bridge between anchors near the
base price, and what a gap adds fades within a month.
"""

from __future__ import annotations

import hashlib

import numpy as np

from fluxhero.messages import Array

BASE, ANCHOR, BRIDGE, GAPS, SCRIPT, TICKS = range(6)  # what chance decides, each from a generator of its own
FAR = 2**32  # a seed must not be negative, but the number of a session may

CHEAP, DEAR = 40.0, 250.0  # USD, of the base price
SPAN = 64  # sessions between anchors, a power of two
DAY = 0.012  # sd of a session's move
SWAY = 0.118  # an anchor's greatest distance from the base: anchors differ as much as SPAN sessions make them

GAP_EVERY = 12  # sessions, of which one opens far from the close before
LARGE = (0.025, 0.05)
SMALL = 0.005  # the greatest of the others
FADE = 24  # sessions

# Tuned together: trends and dips are plain enough to be traded, and after costs there is nothing in it.
NOISE = 0.00045  # sd of a minute's move in the middle of the day
STRETCH = (30, 120)  # minutes of one kind of market
DRIFT = (0.00004, 0.00007)  # of a trend, per minute
PULL = 0.8  # of a move in a range: what is left of it a minute later
EXCURSION_EVERY = 20  # minutes of a range
DEPTH = (5.0, 10.0)  # of an excursion, in NOISE
STAYS = 0.4  # the share of excursions that do not come back: the range goes on where they went


def key_of(seed: int, symbol: str) -> int:
    """What all that happens to a symbol comes from: its place and its company do not matter."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {symbol}".encode(), digest_size=16).digest(), "big")


def chance(key: int, what: int, number: int = 0, part: int = 0) -> np.random.Generator:
    return np.random.default_rng([key, what, number + FAR, part])


def liveliness(n: int) -> Array:
    """Of each of a session's n minutes: shape (n,), 1 at noon, more at the open and at the close."""
    t = np.arange(n)
    lively: Array = 1.0 + 0.9 * np.exp(-t / 25.0) + 0.45 * np.exp((t + 1 - n) / 15.0)
    return lively


def levels(key: int, session: int, n: int) -> Array:
    """At a session's open and after each of its n minutes: shape (n + 1,)."""
    walk = np.append(0.0, np.cumsum(_moves(chance(key, SCRIPT, session), n)))
    begin, end = opening(key, session), opening(key, session + 1) - float(_gaps(key, session + 1, 1)[0])
    path: Array = begin + walk + (end - begin - walk[-1]) * np.arange(n + 1) / n
    return path


def opening(key: int, session: int) -> float:
    """The level at a session's open; never further from the base than a factor of two."""
    base = chance(key, BASE).uniform(np.log(CHEAP), np.log(DEAR))
    fading = np.arange(1, FADE + 1) / FADE
    return float(base + _bridge(key, session) + fading @ _gaps(key, session - FADE + 1, FADE))


def _bridge(key: int, session: int) -> float:
    """Between the anchors around a session, by midpoint displacement."""
    number, at = divmod(session, SPAN)
    path = np.array([chance(key, ANCHOR, n).uniform(-SWAY, SWAY) for n in (number, number + 1)])
    rng, reach = chance(key, BRIDGE, number), DAY * np.sqrt(3.0 * SPAN) / 2.0  # a uniform reaches sqrt(3) sd
    while len(path) <= SPAN:
        middle = (path[1:] + path[:-1]) / 2.0 + rng.uniform(-reach, reach, len(path) - 1)
        path, reach = np.insert(path, np.arange(1, len(path)), middle), reach / np.sqrt(2.0)
    return float(path[at])


def _gaps(key: int, first: int, n: int) -> Array:
    """Over the nights before the sessions first..first + n - 1."""
    begin, end = first // GAP_EVERY, (first + n - 1) // GAP_EVERY
    dozens = [_dozen(chance(key, GAPS, number)) for number in range(begin, end + 1)]
    return np.concatenate(dozens)[first - begin * GAP_EVERY :][:n]


def _dozen(rng: np.random.Generator) -> Array:
    gaps = rng.uniform(-SMALL, SMALL, GAP_EVERY)
    gaps[rng.integers(GAP_EVERY)] = _sign(rng) * rng.uniform(*LARGE)
    return gaps


def _moves(rng: np.random.Generator, n: int) -> Array:
    """n minutes of stretches that fall (0), range (1) or rise (2), never the same kind twice in a row."""
    stretches: list[Array] = []
    kind, left = int(rng.integers(3)), n
    while left > 0:
        length = int(rng.integers(STRETCH[0], STRETCH[1] + 1))
        stretches.append(_range(rng, length) if kind == 1 else _trend(rng, length, kind - 1))
        kind, left = (kind + int(rng.integers(1, 3))) % 3, left - length
    return np.concatenate(stretches)[:n] * liveliness(n)


def _trend(rng: np.random.Generator, length: int, sign: int) -> Array:
    return sign * rng.uniform(*DRIFT) + NOISE * rng.standard_normal(length)


def _range(rng: np.random.Generator, length: int) -> Array:
    """Moves that are soon taken back, and excursions, down or up, of which some are not."""
    memory = PULL ** np.arange(20)
    moves = np.diff(np.convolve(NOISE * rng.standard_normal(length + len(memory)), memory, "valid"))
    for _ in range(length // EXCURSION_EVERY):
        at, out, back = (int(rng.integers(*span)) for span in ((0, length - 10), (3, 7), (5, 16)))
        far = _sign(rng) * NOISE * rng.uniform(*DEPTH)
        moves[at : at + out] += far / out
        if rng.random() >= STAYS:
            moves[at + out : at + out + back] -= far / back
    return moves


def _sign(rng: np.random.Generator) -> int:
    return 1 - 2 * int(rng.integers(2))
