"""The journal's rows as events that a person or a program can follow."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from fluxhero.core import journal
from fluxhero.core.explain import GATE_NAMES, when
from fluxhero.messages import Nanos
from fluxhero.store.queries import Answer, Reader
from fluxhero.store.sqlite import StoreError

QUIET = ("seal", "past")  # of every minute; told only to those who ask for all
BATCH = 1000  # rows at the most


def events(reader: Reader, after: int | None, n: int, every: bool) -> tuple[int, list[Answer]]:
    """(the last row looked at, the events past row `after` in order); None: the newest `n`."""
    kinds = "" if every else f"AND kind NOT IN {QUIET}"
    columns = "SELECT seq, ts, kind, body FROM journal WHERE seq > ?"
    try:
        (last,) = reader.db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()
        if after is None:
            rows = reader.db.execute(f"{columns} {kinds} ORDER BY seq DESC LIMIT ?", (0, min(n, BATCH))).fetchall()[
                ::-1
            ]
        else:
            last = min(last, after + BATCH)
            rows = reader.db.execute(f"{columns} AND seq <= ? {kinds} ORDER BY seq", (after, last)).fetchall()
    except sqlite3.Error as e:
        raise StoreError(f"the journal cannot be read: {e}") from None
    return last, [_event(reader, *row) for row in rows]


def _event(reader: Reader, seq: int, ts: int, kind: str, body: bytes) -> Answer:
    row = journal.decode(body)
    facts: dict[str, Any] = {name: getattr(row, name) for name in row.__struct_fields__ if name != "ts"}
    slot = facts.get("slot", facts["order"].slot if "order" in facts else None)
    symbol = {} if slot is None else {"symbol": reader.symbols[slot]}
    if "seq" in facts:
        facts["update"] = facts.pop("seq")  # the venue's count of what it said
    if "gate" in facts:
        facts["gate"] = GATE_NAMES.get(facts["gate"], facts["gate"])
    return {"seq": seq, "time": when(Nanos(ts)), "kind": kind, **symbol, **msgspec.to_builtins(facts)}
