"""Differences that last: a venue's orders, positions and cash may disagree for a while."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fluxhero.core.differences import Difference, Kind
from fluxhero.messages import SECOND, Nanos

APART = Nanos(5 * SECOND)  # between two statements that must agree on a drift
MOST = 1000  # drifts that are known at a time

Key = tuple[str, int, str]


class Drifts(msgspec.Struct):
    """What no order explains in two statements, well apart, is drift until a statement matches."""

    apart: Nanos = APART
    held: dict[Key, Difference] = {}
    seen: dict[Key, Nanos] = {}  # since when, without an explanation between
    last: Nanos = Nanos(-1)

    def feed(self, ts: Nanos, differences: Iterable[Difference]) -> tuple[list[Difference], list[Difference]]:
        """What has become drift now, and what has healed. A statement that is not newer adds nothing."""
        if ts <= self.last:
            return [], []
        self.last = ts
        every = {d.key: d for d in differences}
        odd = self._worst(d for d in every.values() if d.kind is not Kind.EXPLAINED)
        self.seen = {d.key: self.seen.get(d.key, ts) for d in odd}
        new = [d for d in odd if d.key not in self.held and ts - self.seen[d.key] >= self.apart]
        healed = [d for key, d in self.held.items() if key not in every]
        lasting = {key: d for key, d in self.held.items() if key in every}
        self.held = lasting | {d.key: d for d in odd if d.key in self.held or d in new}
        return new, healed

    def _worst(self, odd: Iterable[Difference]) -> list[Difference]:
        """Those that are held first, then our own; no more than can be looked at."""
        return sorted(odd, key=lambda d: (d.key not in self.held, d.kind is Kind.FOREIGN))[:MOST]
