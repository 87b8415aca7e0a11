"""Columns of a Parquet file: which a kind of file must have, of which types they may be, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from fluxhero.feeds.faults import Fault
from fluxhero.messages import Array

NOTHING = -1  # a whole number that is missing: refused as impossible, whatever it counts
MOST_NAMES = 12  # that a line quotes
UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def _whole(column: pa.ChunkedArray) -> Array:
    """What is beyond int64 becomes negative, so that it costs its row and not the file."""
    values: Array = column.cast(pa.int64(), safe=False).fill_null(NOTHING).to_numpy()
    return values


def _float(column: pa.ChunkedArray) -> Array:
    values: Array = column.cast(pa.float64(), safe=False).fill_null(float("nan")).to_numpy()
    return values


def _digits(column: pa.ChunkedArray) -> Array:
    """By the decimal digits: 100.29 in float32 or decimal is 100.29, where a cast gives its neighbours."""
    return _float(column.cast(pa.string()))


def _instants(column: pa.ChunkedArray) -> Array:
    raw, factor = _whole(column), UNITS[column.type.unit]
    fits = (raw >= 0) & (raw <= np.iinfo(np.int64).max // factor)
    return np.where(fits, raw * factor, NOTHING)


def _flags(column: pa.ChunkedArray) -> Array:
    values: Array = column.fill_null(False).to_numpy()
    return values


def _zoned(t: pa.DataType) -> bool:
    return pa.types.is_timestamp(t) and t.tz is not None


class Sort(msgspec.Struct, frozen=True):
    """The types that a column may have, and how each is read."""

    wanted: str
    casts: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.ChunkedArray], Array]], ...]

    def cast(self, t: pa.DataType) -> Callable[[pa.ChunkedArray], Array] | None:
        return next((cast for fits, cast in self.casts if fits(t)), None)


_DOLLARS = ((pa.types.is_float64, _float), (pa.types.is_float32, _digits), (pa.types.is_decimal, _digits))
TIME = Sort(
    "whole nanoseconds since 1970 in UTC, or as a timestamp with a time zone",
    ((pa.types.is_integer, _whole), (_zoned, _instants)),
)
PRICE = Sort("dollars in float64 or decimal; whole numbers could be cents", _DOLLARS)
SIZE = Sort("whole shares in int64", ((pa.types.is_integer, _whole),))
VOLUME = Sort("shares in int64 or float64", ((pa.types.is_integer, _float), *_DOLLARS))
FLAG = Sort("true or false", ((pa.types.is_boolean, _flags),))

COLUMNS = {
    "trades": {"ts": TIME, "price": PRICE, "size": SIZE},
    "quotes": {"ts": TIME, "bid": PRICE, "ask": PRICE, "bid_size": SIZE, "ask_size": SIZE},
    "bars": {"ts": TIME, "open": PRICE, "high": PRICE, "low": PRICE, "close": PRICE, "volume": VOLUME},
}
OPTIONAL = {"trades": {"suspicious": FLAG}}


def kind_of(schema: pa.Schema) -> str:
    """What a file holds, by its columns: the kind of which it has most."""
    names = {_plain(name) for name in schema.names}
    found = {kind: len(names & needed.keys()) for kind, needed in COLUMNS.items()}
    return max(COLUMNS, key=lambda kind: (found[kind] / len(COLUMNS[kind]), found[kind]))


def chosen(schema: pa.Schema, kind: str, path: Path) -> dict[str, Callable[[pa.ChunkedArray], Array]]:
    """The columns to read, and how. Raises Unusable."""
    sorts = dict(COLUMNS[kind])
    for name, of in OPTIONAL.get(kind, {}).items():
        if name in {_plain(found) for found in schema.names}:
            sorts[name] = of
    return {name: _chosen(schema, name, of, path) for name, of in sorts.items()}


def _chosen(schema: pa.Schema, name: str, of: Sort, path: Path) -> Callable[[pa.ChunkedArray], Array]:
    names = schema.names
    if name not in names:
        for found in names:
            if _plain(found) == name:
                raise Fault.SPELLING.of(path, column=repr(name), found=_quoted(found))
        raise Fault.NO_COLUMN.of(path, column=repr(name), found=_listed(names))
    if names.count(name) > 1:
        raise Fault.TWICE.of(path, column=repr(name), count=names.count(name))
    found = schema.field(name).type
    cast = of.cast(found)
    if cast is None:
        raise Fault.TYPE.of(path, column=repr(name), found=str(found)[:40], wanted=of.wanted)
    return cast


def _plain(name: str) -> str:
    """As it would be without case, spaces, quotes and a byte order mark."""
    return name.strip(" \t\r\n'\"\ufeff").lower().replace(" ", "_")


def _quoted(name: str) -> str:
    return repr(name[:40])


def _listed(names: list[str]) -> str:
    more = [f"{len(names) - MOST_NAMES} more"] if len(names) > MOST_NAMES else []
    return ", ".join([*map(_quoted, names[:MOST_NAMES]), *more]) or "none"
