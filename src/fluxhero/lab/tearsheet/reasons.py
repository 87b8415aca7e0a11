"""Why things were done, as marks for the charts: those that a result brings, or what its decisions and trips say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fluxhero.core.explain import sentence
from fluxhero.core.journal import Decided, Judged
from fluxhero.core.ladder import BITS, RULES, Trip
from fluxhero.core.readings import checks, known, reading
from fluxhero.kernel.codes import ENTER, EXIT, OPEN, REFUSED
from fluxhero.kernel.ledger import ENTRY
from fluxhero.lab.result import Mark, Result
from fluxhero.messages import Array, Micros, Nanos, Shares, Side

EVERYWHERE = -1  # slot of what befell the account
KINDS = "trip", "release", "enter", "exit", "stop", "refused"  # the most telling first
TRIPS = {bit: trip for trip, bit in BITS.items()}
LOST = "the open was beyond the stop, or it was called off"
DONE = {ENTER: "enter", EXIT: "exit", REFUSED: "refused"}


def marks(result: Result, slots: list[int], most: int) -> tuple[list[Mark], int]:
    """The newest of the most telling kinds, in order of time, and how many there are; words cost most of the time."""
    if result.marks:
        found = [m for m in result.marks if m.slot in (EVERYWHERE, *slots)]
        return _telling(found, most), len(found)
    loud, chosen = trips(result), _sought(result, slots)
    kept = chosen[: max(0, most - len(loud))]
    lost = _lost(result)
    said = [_decided(result, result.decisions[i], lost) for i in kept.tolist()]
    return _telling([*loud, *said], most), len(loud) + chosen.size


def trips(result: Result) -> list[Mark]:
    """And releases, of the account."""
    if result.marks:
        return [m for m in result.marks if m.kind in ("trip", "release")]
    return sorted((m for row in result.trips for m in _tripped(row)), key=lambda m: m.ts)


def refused(d: Array) -> Array:
    """Of decisions, whether the strategy's own gates or the account's did not let an entry go."""
    return np.asarray((d["action"] == REFUSED) | ((d["action"] == ENTER) & (d["ruled"] == 1) & (d["verdict"] != OPEN)))


def _telling(found: list[Mark], most: int) -> list[Mark]:
    rank = {kind: i for i, kind in enumerate(KINDS)}
    ordered = sorted(found, key=lambda m: (rank.get(m.kind, len(KINDS)), -m.ts))
    return sorted(ordered[:most], key=lambda m: m.ts)


def _sought(result: Result, slots: list[int]) -> Array:
    """Places of the decisions that sought something, those that came to it first, then the newest."""
    d = result.decisions
    there = np.flatnonzero(np.isin(d["slot"], slots) & np.isin(d["action"], [*DONE]))
    return there[np.lexsort((-d["ts"][there], refused(d)[there]))]


def _lost(result: Result) -> frozenset[tuple[int, int]]:
    """(ts, slot) of entries that were sent, never filled, and wait no more."""
    sent = result.sent[result.sent["role"] == ENTRY]
    gone = sent[~np.isin(sent["number"], result.fills["order"]) & (sent["ts"] < result.ts[-1])]
    return frozenset(zip(gone["ts"].tolist(), gone["slot"].tolist(), strict=True))


def _decided(result: Result, row: Any, lost: frozenset[tuple[int, int]]) -> Mark:
    slot, ts = int(row["slot"]), Nanos(int(row["ts"]))
    decided = Decided(
        ts=ts, slot=slot, action=int(row["action"]), side=Side(int(row["side"])), mode=int(row["mode"]),
        regime=int(row["regime"]), gate=int(row["gate"]), stop=Micros(int(row["stop"])), risk=float(row["risk"]),
        scale=float(row["scale"]), wide=float(row["wide"]), reading=reading(row), checks=checks({"decision": row}),
    )  # fmt: skip
    kind = "refused" if refused(row) else DONE[decided.action]
    text = sentence(result.setup.symbols[slot], decided, _judged(result, row), LOST if (ts, slot) in lost else "")
    return Mark(ts=ts, slot=slot, kind=kind, price=float(row["reading"]["close"]), text=text)


def _judged(result: Result, row: Any) -> Judged | None:
    """Without sizing by risk there is nothing to say of an entry that was let go."""
    if not row["ruled"] or (row["verdict"] == OPEN and not result.setup.risk):
        return None
    peer = int(row["peer"])
    return Judged(
        ts=Nanos(int(row["ts"])), slot=int(row["slot"]), entry=bool(row["action"] == ENTER), gate=int(row["verdict"]),
        value=float(row["over"]), limit=float(row["bound"]), qty=Shares(int(row["qty"])), by_risk=int(row["by_risk"]),
        by_cap=int(row["by_cap"]), by_room=int(row["by_room"]), factor=float(row["factor"]),
        weight=float(row["weight"]), correlation=known(row["correlation"]), company=float(row["company"]),
        peer=None if peer < 0 else peer,
    )  # fmt: skip


def _tripped(row: Any) -> Iterator[Mark]:
    trip, equity = Trip(TRIPS[int(row["trip"])]), float(row["equity"]) / 1e6
    why = f"{RULES[trip].meaning}: {row['value']:.2%}, {row['bound']:.2%} is the most; equity {equity:,.2f}"
    yield _loud(int(row["ts"]), "trip", why)
    if row["released"]:
        yield _loud(int(row["released"]), "release", f"released: {RULES[trip].meaning}")


def _loud(ts: int, kind: str, text: str) -> Mark:
    return Mark(ts=Nanos(ts), slot=EVERYWHERE, kind=kind, price=float("nan"), text=text)
