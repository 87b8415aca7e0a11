"""A backtest over the bars of a journal, by the parameters that stand in it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fluxhero.core import journal
from fluxhero.core.calendar import Calendar
from fluxhero.feeds.files import Timeframe
from fluxhero.kernel.places import TABLES
from fluxhero.kernel.plug import Strategy
from fluxhero.kernel.simulate import simulator
from fluxhero.kernel.trading import BY_RISK, Symbols, Terms
from fluxhero.lab.differing import Difference, differences
from fluxhero.lab.engine import BacktestEngine, Played
from fluxhero.lab.findings import Finding, Findings, Kind
from fluxhero.lab.history import History, aligned
from fluxhero.lab.recorded import Recorded
from fluxhero.messages import MINUTE, Array, Nanos

# What a field of a table is about; of readings it is the bars. Other fields are of what was carried.
ABOUT = {
    **dict.fromkeys(("ts", "at", "opened", "closed", "bars", "released"), Kind.TIMING),
    **dict.fromkeys(("price", "fee", "fees", "entry", "exit", "result"), Kind.FILL),
    **dict.fromkeys(
        ("ruled", "verdict", "over", "bound", "by_risk", "by_cap", "by_room", "peer", "factor", "weight", "correlation",
         "company"), Kind.GATE,
    ),
    **dict.fromkeys(TABLES.decided["reading"].names or (), Kind.DATA),
}  # fmt: skip


class Again(BacktestEngine):
    def __init__(
        self, first: journal.Opened, params: Array, strategy: Strategy, told: Recorded, barred: Iterable[int],
        calendar: Calendar,
    ) -> None:  # fmt: skip
        """barred: slots never sold short, which no parameter tells."""
        n, timeframe = len(first.symbols), Timeframe(first.identity.get("timeframe", "1m"))
        market, span = aligned(told.bars, told.ends, calendar), Nanos(timeframe.minutes * MINUTE)
        self.past = History(first.symbols, timeframe.value, span, not params["rules"]["raw"][0], market, "")
        self._first, self._params, self.strategy = first, params, strategy
        shut = np.isin(np.arange(n), list(barred)).astype(np.int64)
        self.terms = Terms(BY_RISK, 0, first.identity.get("release") == "auto", shut)
        self._simulate = simulator(strategy)

    def begun(self) -> tuple[Array, Symbols]:
        return self.fresh(self._params, self._first.cash, verbose=True)


def contradictions(ours: Played, theirs: Recorded, causes: Iterable[Finding]) -> Findings:
    """Table by table, the first row that differs; what happened before it, if anything, says of what kind it is."""
    found = Findings()
    for name in TABLES._fields:
        _first(found, name, differences(name, ours.tables[name], theirs.tables[name]), list(causes))
    for name, a, b in (("equity", ours.track.equity, theirs.equity), ("cash", ours.track.cash, theirs.cash)):
        wrong = np.flatnonzero(a != b)
        if len(wrong):
            k, ts = int(wrong[0]), Nanos(int(theirs.ends[wrong[0]]))
            kind = kind_at(ts, Kind.STATE, list(causes))
            found.tell(kind, ts, f"{name}, bar time {k}", a[k], b[k], more=len(wrong) - 1)
    return found


def _first(found: Findings, table: str, unlike: list[Difference], causes: list[Finding]) -> None:
    if not unlike:
        return
    row = unlike[0].row
    of = [d for d in unlike if d.row == row][:4]
    ours, theirs = (", ".join(f"{d.field} {getattr(d, side)}" for d in of) for side in ("ours", "theirs"))
    kind = kind_at(of[0].ts, ABOUT.get(of[0].field, Kind.STATE), causes)
    found.tell(kind, of[0].ts, f"{table}, row {row}", ours, theirs, slot=of[0].slot, more=max(d.more for d in of))


def kind_at(ts: Nanos, else_: Kind, causes: list[Finding]) -> Kind:
    """Once two courses have parted all that follows is of that kind."""
    return next((f.kind for f in causes if f.ts <= ts), else_)
