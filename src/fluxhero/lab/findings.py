"""What a journal contradicts, and what happened that no backtest knows of."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from fluxhero.messages import Nanos


class Kind(enum.StrEnum):
    DATA = "data"  # bars that are other ones, or that nobody saw
    TIMING = "timing"  # the same, at another time
    FILL = "fill"  # prices and quantities of the venue
    STATE = "state"  # what was carried: positions, trades, cash, parameters
    GATE = "gate"  # what may be done


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    kind: Kind
    ts: Nanos
    what: str
    slot: int = -1
    ours: str = ""  # by the rules
    theirs: str = ""  # of the account
    more: int = 0  # of the same sort, later
    cause: bool = False  # it happened, and contradicts nothing by itself


class Findings(list[Finding]):
    """In the order of the journal."""

    def tell(self, kind: Kind, ts: Nanos, what: str, ours: object = "", theirs: object = "", **more: Any) -> None:
        self.append(Finding(kind=kind, ts=ts, what=what, ours=str(ours), theirs=str(theirs), **more))

    def happened(self, kind: Kind, ts: Nanos, what: str, slot: int = -1) -> None:
        self.tell(kind, ts, what, slot=slot, cause=True)

    @property
    def doubted(self) -> bool:
        """Are the bars?"""
        return any(f.kind is Kind.DATA for f in self)

    @property
    def brief(self) -> list[Finding]:
        """The first of each sort, with the number of the rest."""
        first: dict[tuple[Kind, str], Finding] = {}
        for f in self:
            known = first.get((f.kind, f.what))
            first[f.kind, f.what] = msgspec.structs.replace(known, more=known.more + 1 + f.more) if known else f
        return sorted(first.values(), key=lambda f: f.ts)
