"""The kernel's records as a snapshot holds them, read without the compiler; loaded only by who asks for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from fluxhero.kernel.state import ACCOUNT, READING, REGIME, ints, record, row
from fluxhero.store.sqlite import StoreError


def account(blob: bytes) -> dict[str, float]:
    """ACCOUNT by field; money in micro-dollars."""
    if len(blob) != ACCOUNT.itemsize:
        raise StoreError(f"the account has {len(blob)} bytes, this program knows {ACCOUNT.itemsize}")
    return dict(zip(ACCOUNT.names or (), np.frombuffer(blob, ACCOUNT)[0].tolist(), strict=True))


def kernel(blob: bytes, symbols: int) -> list[dict[str, dict[str, float | None]]]:
    """By slot: `reading` and `regime` by field, None for what is not a number, and `market` with its count of bars."""
    rows = np.frombuffer(blob, _shared(len(blob), symbols))
    return [
        {
            "market": {"count": int(r["market"]["count"])},
            "reading": {name: _finite(x) for name, x in zip(READING.names or (), r["reading"].tolist(), strict=True)},
            "regime": dict(zip(REGIME.names or (), r["regime"].tolist(), strict=True)),
        }
        for r in rows
    ]


def _shared(size: int, symbols: int) -> np.dtype[np.void]:
    """What the rows of all strategies have in common: a strategy's own part comes last and may have any size."""
    whole = row(record(*ints("any")))
    fields: Mapping[str, Any] = whole.fields or {}
    names = [name for name in fields if name != "own"]
    each, rest = divmod(size, max(symbols, 1))
    if rest or each < whole.itemsize - 8:
        raise StoreError(f"the indicators have {size} bytes, this program cannot read them")
    formats, offsets = [fields[name][0] for name in names], [fields[name][1] for name in names]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": each})


def _finite(x: float) -> float | None:
    return x if math.isfinite(x) else None
