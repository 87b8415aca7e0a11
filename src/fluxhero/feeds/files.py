"""Market data in Parquet files: found, read, and freed of rows that cannot be."""

from __future__ import annotations

import enum
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fluxhero.messages import Array

MIN_PRICE, MAX_PRICE = 1e-6, 1e7  # USD; what is beyond is no price
MAX_SIZE = 10**12  # shares

COLUMNS = {
    "trades": {"ts": "i", "price": "f", "size": "i"},
    "quotes": {"ts": "i", "bid": "f", "ask": "f", "bid_size": "i", "ask_size": "i"},
    "bars": {"ts": "i", "open": "f", "high": "f", "low": "f", "close": "f", "volume": "f"},
}
KINDS: dict[str, Callable[[pa.DataType], bool]] = {
    "i": pa.types.is_integer,
    "f": lambda t: pa.types.is_integer(t) or pa.types.is_floating(t),
    "b": pa.types.is_boolean,
}
NUMBERS = {"i": "whole number", "f": "number", "b": "yes or no"}
CASTS = {"i": pa.int64(), "f": pa.float64(), "b": pa.bool_()}
MISSING = {"i": -1, "f": float("nan"), "b": False}  # the first two are refused as impossible
Columns = dict[str, Array]


class Timeframe(enum.StrEnum):
    M1 = "1m"
    M5 = "5m"
    H1 = "1h"
    D1 = "1d"

    @property
    def minutes(self) -> int:
        return {"1m": 1, "5m": 5, "1h": 60, "1d": 1440}[self.value]


class Unusable(Exception):
    """A file or a symbol that cannot be replayed; the message names it, without its folder, and why."""


class File(msgspec.Struct):
    """One file's good rows, and how many of its rows were refused, by reason."""

    path: Path
    kind: str
    rows: Columns
    refused: Counter[str]
    digest: str


def read(path: Path, kind: str) -> File:
    """The columns that we act on, finite and possible, in file order. Raises Unusable."""
    content = _content(path)
    try:
        table = pq.read_table(pa.BufferReader(content))
    except (OSError, pa.ArrowException) as e:
        raise _unreadable(path, e) from None
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    rows = {name: _column(table, name, of, path) for name, of in COLUMNS[kind].items()}
    if kind == "trades" and "suspicious" in table.column_names:
        rows["suspicious"] = _column(table, "suspicious", "b", path)
    _sorted(rows["ts"], path)
    bad = {"trades": _bad_trades, "quotes": _bad_quotes, "bars": _bad_bars}[kind](rows)
    refused: Counter[str] = Counter()
    keep = np.ones(len(rows["ts"]), bool)
    for reason, mask in bad.items():
        refused[reason] += int((mask & keep).sum())
        keep &= ~mask
    return File(path, kind, {k: v[keep] for k, v in rows.items()}, +refused, digest)


def kind_of(path: Path) -> str:
    """What a file holds, by its columns."""
    try:
        names = set(pq.read_schema(pa.BufferReader(_content(path))).names)
    except (OSError, pa.ArrowException) as e:
        raise _unreadable(path, e) from None
    for kind, columns in COLUMNS.items():
        if columns.keys() <= names:
            return kind
    raise Unusable(f"{path.name} has columns {sorted(names)}; trades, quotes or bars need {COLUMNS}")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise Unusable(f"{path.name} does not exist") from None
    except OSError as e:
        raise Unusable(f"{path.name} cannot be read: {e.strerror}") from None


def _unreadable(path: Path, error: Exception) -> Unusable:
    return Unusable(f"{path.name} is no readable Parquet file: {str(error).splitlines()[0]}")


def timeframe_of(path: Path) -> Timeframe | None:
    """The timeframe in a file's name, as in SPY_1m-2013.parquet."""
    found = re.search(r"_(1m|5m|1h|1d)(?=[-._]|$)", path.stem)
    return Timeframe(found[1]) if found else None


def _column(table: pa.Table, name: str, of: str, path: Path) -> Array:
    if name not in table.column_names:
        raise Unusable(f"{path.name} has no column {name!r}; it has {', '.join(table.column_names)}")
    column = table.column(name)
    if not KINDS[of](column.type):
        raise Unusable(f"{path.name}: column {name!r} is {column.type}, which is no {NUMBERS[of]}")
    try:
        values: Array = column.cast(CASTS[of]).fill_null(MISSING[of]).to_numpy()
    except pa.ArrowException as e:
        raise Unusable(f"{path.name}: column {name!r}: {str(e).splitlines()[0]}") from None
    return values


def _sorted(ts: Array, path: Path) -> None:
    timed = np.flatnonzero(ts > 0)
    back = np.flatnonzero(np.diff(ts[timed]) < 0)
    if back.size:
        raise Unusable(f"{path.name} is unsorted: row {timed[back[0] + 1]} is earlier than the rows before it")


def _price(x: Array) -> Array:
    return np.isfinite(x) & (x >= MIN_PRICE) & (x < MAX_PRICE)


def _bad_trades(r: Columns) -> dict[str, Array]:
    return {
        "suspicious": r.get("suspicious", np.zeros(len(r["ts"]), bool)),
        "impossible price": ~_price(r["price"]),
        "impossible size": (r["size"] <= 0) | (r["size"] > MAX_SIZE),
        "no time": r["ts"] <= 0,
    }


def _bad_quotes(r: Columns) -> dict[str, Array]:
    """A side may be missing (0); it may not be impossible."""
    price = np.ones(len(r["ts"]), bool)
    size = price.copy()
    for side in ("bid", "ask"):
        price &= _price(r[side]) | (r[side] == 0)
        size &= (r[side + "_size"] >= 0) & (r[side + "_size"] <= MAX_SIZE)
    return {"impossible price": ~price, "impossible size": ~size, "no time": r["ts"] <= 0}


def _bad_bars(r: Columns) -> dict[str, Array]:
    price = _price(r["open"]) & _price(r["high"]) & _price(r["low"]) & _price(r["close"])
    with np.errstate(invalid="ignore"):
        slack = 1e-9 * np.abs(r["close"])  # adjusted prices are products of factors
        inside = (r["high"] + slack >= np.maximum(r["open"], r["close"])) & (
            r["low"] - slack <= np.minimum(r["open"], r["close"])
        )
        volume = np.isfinite(r["volume"]) & (r["volume"] >= 0) & (r["volume"] <= MAX_SIZE)
    _, first = np.unique(r["ts"], return_index=True)
    twice = np.ones(len(r["ts"]), bool)
    twice[first] = False
    return {
        "impossible price": ~price,
        "high or low does not span the bar": ~inside,
        "impossible volume": ~volume,
        "no time": r["ts"] <= 0,
        "second bar of one time": twice,
    }
