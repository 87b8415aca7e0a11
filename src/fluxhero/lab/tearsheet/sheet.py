"""All that the parts of a tear sheet are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fluxhero.lab.intervals import Intervals
from fluxhero.lab.metrics import Metrics
from fluxhero.lab.result import Result
from fluxhero.lab.tearsheet.chart import Charts
from fluxhero.lab.tearsheet.series import Sessions


@dataclass(frozen=True, kw_only=True, eq=False)
class Sheet:
    result: Result
    metrics: Metrics
    benchmark: Metrics
    sessions: Sessions
    charts: Charts
    intervals: Intervals | None
    remarks: Sequence[str]


def count(n: int, what: str) -> str:
    return f"{n:,} {what}{'' if n == 1 else 's'}"
