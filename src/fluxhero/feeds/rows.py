"""Rows that cannot be: why, of which kind of file, and what shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import numpy as np

from fluxhero.messages import Array

MIN_PRICE, MAX_PRICE = 1e-6, 1e7  # USD; what is beyond is no price
MAX_SIZE = 10**12  # shares

Columns = dict[str, Array]
KINDS = ("trades", "quotes", "bars")


class Reason(msgspec.Struct, frozen=True):
    """A reason to refuse rows; `tests` gives the mask of those rows, by kind of file. The first that is met counts."""

    name: str
    says: str
    tests: dict[str, Callable[[Columns], Array]]


def sift(reasons: tuple[Reason, ...], kind: str, rows: Columns) -> tuple[Columns, Counter[str]]:
    """The rows that may be, and how many may not, by reason."""
    keep = np.ones(len(rows["ts"]), bool)
    refused: Counter[str] = Counter()
    for reason in reasons:
        if kind in reason.tests:
            bad = reason.tests[kind](rows) & keep
            refused[reason.name] += int(np.count_nonzero(bad))
            keep &= ~bad
    refused = +refused
    return {k: v[keep] for k, v in rows.items()} if refused else rows, refused


def _flagged(r: Columns) -> Array:
    flags: Array = r.get("suspicious", np.zeros(len(r["ts"]), bool))
    return flags


def _price(x: Array) -> Array:
    return np.isfinite(x) & (x >= MIN_PRICE) & (x < MAX_PRICE)


def _side(x: Array) -> Array:
    """A side of a quote may be missing (0); it may not be impossible."""
    good: Array = _price(x) | (x == 0)
    return good


def _shown(x: Array) -> Array:
    return (x >= 0) & (x <= MAX_SIZE)


def _narrow(r: Columns) -> Array:
    with np.errstate(invalid="ignore"):
        slack = 1e-9 * np.abs(r["close"])  # adjusted prices are products of factors
        above = r["high"] + slack >= np.maximum(r["open"], r["close"])
        below = r["low"] - slack <= np.minimum(r["open"], r["close"])
    return ~(above & below)


def _volume(x: Array) -> Array:
    return np.isfinite(x) & (x >= 0) & (x <= MAX_SIZE)


def _again(r: Columns) -> Array:
    _, first = np.unique(r["ts"], return_index=True)
    again = np.ones(len(r["ts"]), bool)
    again[first] = False
    return again


def _timeless(r: Columns) -> Array:
    return r["ts"] <= 0


ROWS = (
    Reason("suspicious", "the vendor flagged it", {"trades": _flagged}),
    Reason(
        "impossible price",
        "missing, NaN, infinite, below 0.000001 USD, 10,000,000 USD or more; a quote's side may be 0: it is absent",
        {
            "trades": lambda r: ~_price(r["price"]),
            "quotes": lambda r: ~(_side(r["bid"]) & _side(r["ask"])),
            "bars": lambda r: ~(_price(r["open"]) & _price(r["high"]) & _price(r["low"]) & _price(r["close"])),
        },
    ),
    Reason(
        "high or low does not span the bar",
        "high under low, open or close outside them",
        {"bars": _narrow},
    ),
    Reason(
        "impossible size",
        "missing, negative, more than 10^12 shares; 0 of a trade",
        {
            "trades": lambda r: (r["size"] <= 0) | (r["size"] > MAX_SIZE),
            "quotes": lambda r: ~(_shown(r["bid_size"]) & _shown(r["ask_size"])),
        },
    ),
    Reason(
        "impossible volume",
        "missing, NaN, negative, more than 10^12 shares",
        {"bars": lambda r: ~_volume(r["volume"])},
    ),
    Reason(
        "no time",
        "missing, before 1970, beyond 2262",
        dict.fromkeys(KINDS, _timeless),
    ),
    Reason("second bar of one time", "the first is kept", {"bars": _again}),
)
