"""Seeded market data in Parquet, so that the tests of a fresh clone run on something."""

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fluxhero.core.calendar import Session, nyse
from fluxhero.messages import MINUTE

FIRST, LAST = date(2024, 3, 26), date(2024, 3, 28)  # three whole sessions


def sessions(first: date = FIRST, last: date = LAST) -> list[Session]:
    return nyse().between(first, last)


def write_bars(
    folder: Path, symbol: str, seed: int, first: date = FIRST, last: date = LAST, minutes: int = 390
) -> Path:
    """SYM_1m.parquet: a random walk that trends and ranges by turns, the first `minutes` of each session."""
    rng = np.random.default_rng(seed)
    starts = np.concatenate([np.arange(s.open, s.close, MINUTE)[:minutes] for s in sessions(first, last)])
    n = len(starts)
    drift = np.repeat(rng.normal(0, 4e-4, n // 60 + 1), 60)[:n] * (np.arange(n) // 60 % 2)
    close = np.round(100.0 * np.exp(np.cumsum(drift + rng.normal(0, 4e-4, n))), 2)
    opens = np.concatenate([[100.0], close[:-1]])
    reach = np.round(np.abs(rng.normal(0, 0.03, (2, n))), 2)
    columns = {
        "ts": starts,
        "open": opens,
        "high": np.round(np.maximum(opens, close) + reach[0], 2),
        "low": np.round(np.minimum(opens, close) - reach[1], 2),
        "close": close,
        "volume": rng.integers(1_000, 50_000, n),
    }
    return write(folder / f"{symbol}_1m.parquet", columns)


def write_ticks(
    folder: Path, symbol: str, seed: int, first: date = FIRST, last: date = FIRST, per: int = 12, minutes: int = 400
) -> None:
    """SYM_trades.parquet and SYM_quotes.parquet: `per` quotes and half as many trades a minute.

    From 30 min before each open until `minutes` after it.
    """
    rng = np.random.default_rng(seed)
    spans = [(s.open - 30 * MINUTE, s.open + minutes * MINUTE) for s in sessions(first, last)]
    ts = np.sort(np.concatenate([rng.integers(a, b, (b - a) // MINUTE * per) for a, b in spans]))
    ts -= ts % 1_000_000
    n = len(ts)
    cents = 10_000 + np.cumsum(rng.integers(-1, 2, n))
    spread = rng.integers(1, 3, n)
    quotes = {
        "ts": ts,
        "bid": cents / 100,
        "ask": (cents + spread) / 100,
        "bid_size": rng.integers(1, 20, n) * 100,
        "ask_size": rng.integers(1, 20, n) * 100,
    }
    write(folder / f"{symbol}_quotes.parquet", quotes)
    at = np.sort(rng.choice(n, n // 2, replace=False))
    price = np.where(rng.random(len(at)) < 0.5, quotes["bid"][at], quotes["ask"][at])
    trades = {"ts": ts[at] + 1_000_000, "price": price, "size": rng.integers(1, 500, len(at))}
    write(folder / f"{symbol}_trades.parquet", trades)


def write(path: Path, columns: dict[str, "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"]) -> Path:
    pq.write_table(pa.table({k: np.asarray(v) for k, v in columns.items()}), path)
    return path
