"""What the plots are drawn from: an account session by session, and New York's dates of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from fluxhero.lab.result import Result
from fluxhero.lab.statistics import returns, sharpe
from fluxhero.messages import Array

NEW_YORK = ZoneInfo("America/New_York")
HOUR = 3_600 * 10**9  # ns; no zone changes within one
WINDOWS = (126, 63, 21)  # sessions of a rolling ratio: the longest that fits into the result twice


def local(ts: Array) -> Array:
    """New York's wall time of UTC ns, as datetime64[s]."""
    hours, place = np.unique(ts // HOUR, return_inverse=True)
    offsets = np.array([_offset(int(hour)) for hour in hours], np.int64)
    return (ts // 10**9 + offsets[place]).astype("M8[s]")


def _offset(hour: int) -> int:
    moment = np.datetime64(hour, "h").astype("M8[s]").item().replace(tzinfo=ZoneInfo("UTC"))
    gap = moment.astimezone(NEW_YORK).utcoffset()
    return int(gap.total_seconds()) if gap else 0


@dataclass(frozen=True, eq=False)
class Sessions:
    """Series of 1 + C: what it began with, then every close."""

    dates: Array  # M8[D]; the first session's comes twice
    equity: Array  # USD
    benchmark: Array  # USD, of as much
    moved: Array  # (C,) returns; none where nothing was left
    deployed: Array  # (C,) mean share of equity over the session


def sessions(result: Result) -> Sessions:
    days = local(result.ts[result.closes]).astype("M8[D]")
    equity = np.concatenate(([result.setup.cash], result.equity[result.closes])) / 1e6
    held = result.benchmark / result.benchmark[0] * equity[0]
    return Sessions(
        dates=np.concatenate((days[:1], days)), equity=equity, benchmark=np.concatenate((held[:1], held)),
        moved=returns(equity), deployed=_deployed(result),
    )  # fmt: skip


def _deployed(result: Result) -> Array:
    share = np.where(result.equity > 0, result.deployed / np.maximum(result.equity, 1), 0.0)
    starts = np.concatenate(([0], result.closes[:-1] + 1))
    return np.asarray(np.add.reduceat(share, starts) / np.diff(np.append(starts, share.size)))


def rolling(moved: Array) -> tuple[int, Array]:
    """The window, and (n - window + 1,) Sharpe ratios, NaN where nothing moved; 0 and nothing: too short."""
    window = next((w for w in WINDOWS if moved.size >= 2 * w), 0)
    return window, sharpe(sliding_window_view(moved, window)) if window else moved[:0]


def months(s: Sessions) -> Iterator[tuple[int, int, float | None]]:
    """Year, month (0: the whole year) and its return, from the close before it; None: nothing was left."""
    for unit in ("M", "Y"):
        span = s.dates.astype(f"M8[{unit}]")
        ends = np.append(np.flatnonzero(span[1:] != span[:-1]), span.size - 1)
        before = np.concatenate((s.equity[:1], s.equity[ends[:-1]]))
        for when, a, b in zip(span[ends].tolist(), before.tolist(), s.equity[ends].tolist(), strict=True):
            yield when.year, when.month if unit == "M" else 0, b / a - 1.0 if a > 0.0 else None


def thinned(values: Array, most: int) -> Array:
    """Places of at most `most` values: all, or the least and the greatest of each stretch."""
    n = values.size
    if n <= most:
        return np.arange(n)
    edges = np.linspace(0, n, most // 2).astype(int)
    pairs = [(a + values[a:b].argmin(), a + values[a:b].argmax()) for a, b in pairwise(edges.tolist())]
    return np.unique([0, n - 1, *np.ravel(pairs).tolist()])
