"""The venue's ledger, apart from ours: what it knows of orders, what it has said, and how far it has seen the tape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from fluxhero.messages import Update
from fluxhero.store.sqlite import connect, migrate

FILE = "venue.sqlite"
VERSION = 1
TABLES = """
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), cursor INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE arrivals (key TEXT PRIMARY KEY) STRICT;
CREATE TABLE updates (seq INTEGER PRIMARY KEY, event INTEGER, body BLOB NOT NULL) STRICT;
"""

_decoder = msgspec.msgpack.Decoder(Update)


class VenueLedger:
    def __init__(self, directory: Path) -> None:
        self._db = connect(directory / FILE)
        migrate(self._db, directory / FILE, TABLES, VERSION)
        row = self._db.execute("SELECT cursor, body FROM state").fetchone()
        self.cursor: int = row[0] if row else 0
        self.state: bytes | None = row[1] if row else None
        self.arrivals: set[str] = {key for (key,) in self._db.execute("SELECT key FROM arrivals")}

    def after(self, seq: int) -> list[tuple[int | None, Update]]:
        """The updates past `seq`, each with the tape event that caused it, None where an order's arrival did."""
        rows = self._db.execute("SELECT event, body FROM updates WHERE seq > ? ORDER BY seq", (seq,))
        return [(event, _decoder.decode(body)) for event, body in rows]

    def commit(
        self, state: bytes, cursor: int, arrived: Iterable[str], updates: Sequence[Update], event: int | None
    ) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (cursor, state))
        db.executemany("INSERT INTO arrivals VALUES (?)", [(key,) for key in arrived])
        db.executemany(
            "INSERT INTO updates VALUES (?, ?, ?)", [(u.seq, event, msgspec.msgpack.encode(u)) for u in updates]
        )
        db.execute("COMMIT")
        self.arrivals.update(arrived)
        self.cursor = cursor

    def close(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._db.close()
