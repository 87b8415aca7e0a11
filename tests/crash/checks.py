"""What must be true of a journal and of the venue beside it: whenever the daemon is dead, and once all is at rest."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from fluxhero.core import journal
from fluxhero.messages import Cid, Order
from fluxhero.store.sqlite import FILE
from tests.crash.letters import Dump

Rows = list[tuple[Any, ...]]


def query(state: Path, sql: str, *values: object) -> Rows:
    """Nothing from a state that was killed before its tables were made."""
    try:
        with closing(sqlite3.connect(f"file:{state / FILE}?mode=ro", uri=True)) as db:
            return db.execute(sql, values).fetchall()
    except sqlite3.OperationalError:
        return []


def intents(state: Path) -> dict[Cid, Order]:
    rows = query(state, "SELECT body FROM journal WHERE kind = 'intent' ORDER BY seq")
    return {order.cid: order for (body,) in rows for order in [journal.read(journal.Intent, body).order]}


def intent_of(cid: Cid) -> str:
    """An order's intent, whatever the attempt."""
    return cid.rpartition("-")[0]


def when_dead(state: Path, dump: Dump, heads: Rows) -> Iterator[str]:
    """`heads`: seq and hash of the newest row at every death before; this one's is added."""
    yield from _journaled(intents(state), dump)
    yield from _once(dump)
    for seq, digest in heads[-1:]:
        if query(state, "SELECT hash FROM journal WHERE seq = ?", seq) != [(digest,)]:
            yield f"journal row {seq} is not what it was when the daemon before was killed"
    heads += query(state, "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1")
    for heard in [heard for (heard,) in query(state, "SELECT position FROM cursors WHERE name = 'updates'")]:
        if heard > len(dump.words):
            yield f"the journal has heard {heard} words, and the venue has said {len(dump.words)}"
    for tape in [tape for (tape,) in query(state, "SELECT position FROM cursors WHERE name = 'tape'")]:
        if tape < dump.cursor:
            yield f"the journal's tape is at {tape}, and the venue was told that it is at {dump.cursor}"


def _journaled(ours: dict[Cid, Order], dump: Dump) -> Iterator[str]:
    for order in dump.orders:
        if order.cid not in ours:
            yield f"{order.cid} is at the venue, and no row of the journal intends it"
        elif order != ours[order.cid]:
            yield f"{order.cid} is another order at the venue: {order}, by the journal {ours[order.cid]}"


def _once(dump: Dump) -> Iterator[str]:
    for receipt in dump.receipts:
        if receipt.changed:
            yield f"{receipt.cid} was sent again as another order"
        if receipt.beside:
            yield f"{receipt.cid} came while {receipt.beside}, of the same intent, stood open"
    wanted = {intent_of(order.cid): order.qty for order in dump.orders}
    filled: Counter[str] = Counter()
    for word in dump.words:
        if word.exec_id:
            filled[intent_of(word.cid)] += word.qty
    for intent, qty in filled.items():
        if qty > wanted.get(intent, 0):
            yield f"{intent} wanted {wanted.get(intent, 0)} shares and has {qty}"


def at_rest(state: Path, dump: Dump, heads: Rows, events: int) -> Iterator[str]:
    """`events`: how long the tape is."""
    yield from when_dead(state, dump, [])
    yield from _lost(state, dump)
    yield from _same(state, dump)
    for seq, digest in heads:
        if query(state, "SELECT hash FROM journal WHERE seq = ?", seq) != [(digest,)]:
            yield f"journal row {seq} is not what it was when a daemon was killed"
    if query(state, "PRAGMA integrity_check") != [("ok",)]:
        yield "the file is damaged"
    cursors: dict[str, int] = dict(query(state, "SELECT name, position FROM cursors WHERE name IN ('tape', 'updates')"))
    if cursors != {"tape": events, "updates": len(dump.words)}:
        yield f"cursors are {cursors}, and there are {events} events and {len(dump.words)} words"


def _lost(state: Path, dump: Dump) -> Iterator[str]:
    """Nothing that was intended is missing, and nothing is still in doubt."""
    there = {order.cid for order in dump.orders}
    for cid in intents(state):
        if cid not in there:
            yield f"{cid} was intended, and never reached the venue"
    sql = "SELECT cid, state FROM orders WHERE state IN ('sent', 'unknown') OR canceling IS NOT NULL"
    for cid, was in query(state, sql):
        yield f"{cid} is in doubt: {was}"
    for (key,) in query(state, "SELECT key FROM drifts"):
        yield f"the books differ: {key}"


def _same(state: Path, dump: Dump) -> Iterator[str]:
    s = dump.statement
    theirs: dict[str, Rows] = defaultdict(list)
    theirs["fills"] = [(u.cid, u.exec_id, u.ts, u.price, u.qty, u.fee) for u in dump.words if u.exec_id]
    theirs["cash"] = [(s.cash,)]
    theirs["positions"] = [(lot.slot, lot.qty) for lot in s.held]
    theirs["open orders"] = sorted((r.cid, r.slot, r.left) for r in s.orders)
    ours = {
        "fills": query(state, "SELECT cid, exec_id, ts, price, qty, fee FROM fills ORDER BY n"),
        "cash": query(state, "SELECT cash FROM account"),
        "positions": query(state, "SELECT slot, qty FROM positions ORDER BY slot"),
        "open orders": query(
            state, "SELECT cid, slot, qty - filled FROM orders WHERE state IN ('live', 'partial') ORDER BY cid"
        ),
    }
    for name, rows in ours.items():
        if rows != theirs[name]:
            yield f"{name}: ours {rows[-5:]}, the venue's {theirs[name][-5:]}"
