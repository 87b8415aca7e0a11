"""What the watch left of its limits and of its tapes; loaded only by who asks, for correlations need the compiler."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from fluxhero.core.exposure import Bounds
from fluxhero.kernel.state import RULES, TAPE
from fluxhero.store.sqlite import StoreError


def bounds(params: bytes) -> Bounds:
    """The limits in force, of a strategy's parameters as the journal has them: the rules come first."""
    if len(params) < RULES.itemsize:
        raise StoreError(f"the limits have {len(params)} bytes, this program knows {RULES.itemsize}")
    rules: Any = np.frombuffer(params[: RULES.itemsize], RULES)[0]
    return Bounds(**{name: rules[name].item() for name in Bounds.__struct_fields__})


def correlations(blob: bytes | None, symbols: int, slots: Iterable[int]) -> list[list[float]]:
    """By slot and slot, NaN where nothing is known and of slots that are not asked for."""
    matrix = [[math.nan] * symbols for _ in range(symbols)]
    wanted = sorted(set(slots))
    if blob is None or len(wanted) < 2:
        return matrix
    if len(blob) != symbols * TAPE.itemsize:
        raise StoreError(f"the tapes have {len(blob)} bytes, {symbols} symbols have {symbols * TAPE.itemsize}")
    from fluxhero.kernel.correlation import correlated

    tapes = np.frombuffer(blob, TAPE).copy()  # the kernel knows no array that it may not write to
    for i in wanted:
        for j in wanted[: wanted.index(i)]:
            matrix[i][j] = matrix[j][i] = float(correlated(tapes, i, j))
    return matrix
