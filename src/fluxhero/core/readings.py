"""What a kernel row says, as the journal keeps it: plain numbers, None where there is none yet."""

import math
from typing import Any

from fluxhero.core.journal import Check


def reading(row: Any) -> dict[str, float | None]:
    """The indicators by name."""
    return {name: known(x) for name, x in zip(row["reading"].dtype.names, row["reading"].tolist(), strict=True)}


def checks(row: Any) -> tuple[Check, ...]:
    """The conditions that its last decision looked at."""
    d = row["decision"]
    pairs = enumerate(zip(d["value"].tolist(), d["limit"].tolist(), strict=True))
    return tuple(Check(condition, known(value), limit) for condition, (value, limit) in pairs if limit == limit)


def known(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
