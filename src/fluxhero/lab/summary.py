"""What a result came to as plain data, for `--json` and for text. Fractions, USD; None: there is no such number."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from fluxhero.core.explain import GATE_NAMES, when
from fluxhero.core.ladder import BITS
from fluxhero.kernel.codes import ENTER, EXIT, FLAT, REFUSED
from fluxhero.kernel.ledger import ENTRY, STOP
from fluxhero.kernel.ledger import EXIT as LEAVING
from fluxhero.lab.intervals import Intervals, intervals
from fluxhero.lab.metrics import Metrics, of, of_benchmark
from fluxhero.lab.result import Result
from fluxhero.lab.tearsheet.reasons import refused
from fluxhero.lab.tearsheet.series import local
from fluxhero.messages import Array, Nanos

Summary = dict[str, Any]

ROLES = {"entry": ENTRY, "exit": LEAVING, "stop": STOP}
TRIPS = {bit: trip.value for trip, bit in BITS.items()}


def measured(result: Result) -> tuple[Metrics, Intervals]:
    return of(result), intervals(np.concatenate(([result.setup.cash], result.equity[result.closes])))


def summary(result: Result, metrics: Metrics, likely: Intervals) -> Summary:
    """Of a result of at least one session; nothing of the host, so the same trial has the same."""
    days = local(result.ts[result.closes]).astype("M8[D]").tolist()
    return {
        "setup": {**msgspec.to_builtins(result.setup), "cash": result.setup.cash / 1e6},
        "first": days[0].isoformat(),
        "last": days[-1].isoformat(),
        "equity": int(result.equity[-1]) / 1e6,
        "metrics": msgspec.to_builtins(metrics),
        "intervals": msgspec.to_builtins(likely),
        "benchmark": msgspec.to_builtins(of_benchmark(result)),
        "bars": dict(zip(result.setup.symbols, (result.bars["ts"] != 0).sum(axis=0).tolist(), strict=True)),
        "decisions": _decisions(result.decisions),
        "refusals": _refusals(result.decisions),
        "orders": {name: int(np.count_nonzero(result.sent["role"] == role)) for name, role in ROLES.items()},
        "fills": len(result.fills),
        "positions": _positions(result),
        "trips": [_trip(row) for row in result.trips],
    }


def _decisions(d: Array) -> dict[str, int]:
    barred = refused(d)
    kinds = {"entries": ENTER, "exits": EXIT, "flat": FLAT}
    made = {name: int(np.count_nonzero((d["action"] == code) & ~barred)) for name, code in kinds.items()}
    return {**made, "refusals": int(np.count_nonzero(barred))}


def _refusals(d: Array) -> dict[str, int]:
    """By gate, the one that refused most first."""
    barred = refused(d)
    codes, counts = np.unique(np.where(d["action"] == REFUSED, d["gate"], d["verdict"])[barred], return_counts=True)
    found = sorted(zip(counts.tolist(), codes.tolist(), strict=True), key=lambda x: (-x[0], x[1]))
    return {GATE_NAMES[code]: n for n, code in found}


def _positions(result: Result) -> dict[str, int]:
    """Still held at the end, signed."""
    held = np.zeros(len(result.setup.symbols), np.int64)
    np.add.at(held, result.fills["slot"], result.fills["side"] * result.fills["qty"])
    return {symbol: qty for symbol, qty in zip(result.setup.symbols, held.tolist(), strict=True) if qty}


def _trip(row: Any) -> dict[str, Any]:
    ts, trip, equity, released, value, bound = row.item()
    return {
        "trip": TRIPS[trip], "at": when(Nanos(ts)), "released": when(Nanos(released)) if released else None,
        "equity": equity / 1e6, "value": value, "bound": bound,
    }  # fmt: skip
