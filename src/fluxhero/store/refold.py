"""The journal folded again into empty tables, and every table of a state held against them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import msgspec

from fluxhero.core import journal
from fluxhero.store import schema
from fluxhero.store.counterparty import Counterparty
from fluxhero.store.reckon import Difference, Reckoning
from fluxhero.store.sqlite import StoreError, verified, written

# Tables that no row makes, and what answers for them.
OTHERS = {
    "journal": "all else is made of it; its own chain holds it",
    "cursors": "how far each commit had come: all but the tape's are held against the rows",
    "states": "the newest records: recount computes the kernel's again; the account's and the tapes' nobody",
    "runs": "facts of processes and hosts; none may have written more rows than there are",
}

Row = tuple[Any, ...]


def check(db: sqlite3.Connection, venue: Counterparty | None = None) -> None:
    """Raises Difference for the first thing that does not follow, StoreError where that cannot be told."""
    try:
        _chained(db)
        _same_version(db)
        _check(db, venue)
    except sqlite3.Error as e:
        raise StoreError(f"the state cannot be read: {e}") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        raise StoreError(f"the state was written by another version, so that it cannot be folded again: {e}") from None


def _check(db: sqlite3.Connection, venue: Counterparty | None) -> None:
    """Rows, tables, sums, venue: each is believed once those before it are."""
    reckoning = Reckoning()
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as again:
        for script in schema.SCRIPTS:
            again.executescript(script)
        _shaped(db, again)
        _fold(db, again, reckoning, venue)
        _heard(db, reckoning)
        for table in projections(again):
            compare(db, again, table)
    reckoning.check(db)
    if venue:
        sql = "SELECT cid, qty - filled FROM orders WHERE state IN ('live', 'partial')"
        venue.check(reckoning, dict(db.execute(sql)))


def _chained(db: sqlite3.Connection) -> None:
    (verdict,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise Difference(f"the file is damaged: {verdict}")
    bad = verified(db)
    if bad is not None:
        raise Difference(f"journal row {bad} does not follow from those before it")
    (seq,) = db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()
    if seq < (rows := written(db)):
        raise Difference(f"journal rows {seq + 1} to {rows} are gone")


def _same_version(db: sqlite3.Connection) -> None:
    (found,) = db.execute("PRAGMA user_version").fetchone()
    known = len(schema.SCRIPTS)
    if found != known:
        use = "use the newer program" if found > known else "start the daemon on it once"
        raise StoreError(f"the state has schema {found}, this program folds {known}: {use}")


def _shaped(db: sqlite3.Connection, again: sqlite3.Connection) -> None:
    sql = "SELECT name, coalesce(sql, '') FROM sqlite_master ORDER BY name"
    kept, made = dict(db.execute(sql)), dict(again.execute(sql))
    for name in sorted(kept.keys() | made.keys()):
        if kept.get(name) != made.get(name):
            raise Difference(f"{name} is made by {kept.get(name)!r}, in the schema by {made.get(name)!r}")


def _fold(db: sqlite3.Connection, again: sqlite3.Connection, reckoning: Reckoning, venue: Counterparty | None) -> None:
    """Every row once: reckoned up, held against the venue's word, and into the tables."""
    again.execute("BEGIN")
    for seq, body in db.execute("SELECT seq, body FROM journal ORDER BY seq"):
        row = journal.decode(body)
        try:
            reckoning.add(row)
            if venue:
                venue.add(row, reckoning)
            _project(again, seq, row, body)
        except (Difference, sqlite3.IntegrityError) as e:
            raise Difference(f"journal row {seq}, {type(row).__name__.lower()}: {e}") from None
    again.execute("COMMIT")


def _project(again: sqlite3.Connection, seq: int, row: journal.Row, body: bytes) -> None:
    """As the commit does. What an older version encoded keeps its bytes, as it has in the tables."""
    for sql, values in schema.project(seq, row, body):
        again.execute(sql, values)
    again.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?)", schema.marks((row,)))


def _heard(db: sqlite3.Connection, reckoning: Reckoning) -> None:
    (heard,) = db.execute("SELECT coalesce(max(position), 0) FROM cursors WHERE name = 'updates'").fetchone()
    if heard != reckoning.heard:
        raise Difference(f"cursors, name updates: position is {heard}, by the journal {reckoning.heard}")


def projections(db: sqlite3.Connection) -> list[str]:
    """The tables that follow from the journal, in the order of the schema."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rowid"
    return [name for (name,) in db.execute(sql) if name not in OTHERS]


def compare(db: sqlite3.Connection, again: sqlite3.Connection, table: str) -> None:
    """Side by side in the order of the key, so that no table need be held in memory."""
    columns = again.execute(f"PRAGMA table_info({table})").fetchall()
    names = [name for _, name, *_ in columns]
    keys = [cid for place, cid in sorted((column[5], column[0]) for column in columns) if place]
    sql = f"SELECT * FROM {table} ORDER BY {', '.join(str(key + 1) for key in keys)}"
    kept, made = db.execute(sql), again.execute(sql)
    while True:
        ours, theirs = kept.fetchone(), made.fetchone()
        if ours != theirs:
            raise Difference(_named(table, names, keys, ours, theirs))
        if ours is None:
            return


def _named(table: str, names: Sequence[str], keys: Sequence[int], ours: Row | None, theirs: Row | None) -> str:
    """The first of two different rows, one of which may not be there."""
    key, other = ([row[k] for k in keys] if row else None for row in (ours, theirs))
    first = min(k for k in (key, other) if k is not None)
    where = f"{table}, {', '.join(f'{names[k]} {value}' for k, value in zip(keys, first, strict=True))}"
    if ours is None or key != first:
        return f"{where}: it is not there, and the journal makes it"
    if theirs is None or other != first:
        return f"{where}: it is there, and no row of the journal makes it"
    name, a, b = next((n, a, b) for n, a, b in zip(names, ours, theirs, strict=True) if a != b)
    return f"{where}: {name} is {_shown(a)}, by the journal {_shown(b)}"


def _shown(value: object) -> str:
    if isinstance(value, bytes):
        return f"{value[:24].hex()}{'...' if len(value) > 24 else ''} ({len(value)} bytes)"
    return repr(value)
