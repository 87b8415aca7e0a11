"""Two tables side by side, field by field, bit by bit."""

from __future__ import annotations

import msgspec
import numpy as np

from fluxhero.messages import Array, Nanos

TIMES = ("ts", "closed")  # of a row: when it was written


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """The first one of a kind."""

    table: str
    field: str  # `rows`: one table has more of them
    row: int
    ts: Nanos  # of the row
    slot: int  # -1: of none
    ours: str  # of the backtest
    theirs: str  # of the account
    more: int  # rows that differ in this field beside it


def differences(table: str, ours: Array, theirs: Array) -> list[Difference]:
    """Of two structured arrays of one dtype, by row; NaN is NaN."""
    n = min(len(ours), len(theirs))
    found = [d for name in ours.dtype.names or () for d in _field(table, name, ours[:n], theirs[:n], ours)]
    if len(ours) != len(theirs):
        longer, counts = ours if len(ours) > n else theirs, (str(len(ours)), str(len(theirs)))
        found.append(_told(table, "rows", n, longer, counts, abs(len(ours) - len(theirs)) - 1))
    return sorted(found, key=lambda d: d.row)


def _field(table: str, name: str, ours: Array, theirs: Array, rows: Array) -> list[Difference]:
    a, b = ours[name], theirs[name]
    if a.dtype.names:
        return [d for inner in a.dtype.names for d in _field(table, inner, a, b, rows)]
    same = (a == b) | ((a != a) & (b != b))
    wrong = np.flatnonzero(~(same if same.ndim == 1 else same.all(axis=1)))
    if not len(wrong):
        return []
    k = int(wrong[0])
    return [_told(table, name, k, rows, (str(a[k]), str(b[k])), len(wrong) - 1)]


def _told(table: str, field: str, row: int, rows: Array, said: tuple[str, str], more: int) -> Difference:
    names = rows.dtype.names or ()
    ts = next((int(rows[name][row]) for name in TIMES if name in names), 0)
    slot = int(rows["slot"][row]) if "slot" in names else -1
    return Difference(
        table=table, field=field, row=row, ts=Nanos(ts), slot=slot, ours=said[0], theirs=said[1], more=more
    )  # fmt: skip
