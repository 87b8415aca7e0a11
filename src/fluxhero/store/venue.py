"""The venue's ledger, apart from ours: what it knows of orders, what it has said, and how far it has seen the tape."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from fluxhero.exchange.matching import Snapshot
from fluxhero.messages import Update
from fluxhero.store.reserve import Reserve
from fluxhero.store.sqlite import StoreError, close, connect, migrate, rollback

FILE = "venue.sqlite"
TABLES = """
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), cursor INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE arrivals (key TEXT PRIMARY KEY) STRICT;
CREATE TABLE updates (seq INTEGER PRIMARY KEY, event INTEGER, body BLOB NOT NULL) STRICT;
"""

_decoder = msgspec.msgpack.Decoder(Update)


class VenueLedger:
    def __init__(self, directory: Path, heard: int = 0, fresh: bool = False, reserve: Reserve | None = None) -> None:
        """Refuses a ledger that has not said what we have `heard`, or that knows orders of an account just opened."""
        self._reserve = reserve or Reserve(directory, 0)
        try:
            self._open(directory / FILE)
        except (sqlite3.Error, msgspec.MsgspecError) as e:
            raise StoreError(f"{directory / FILE} is no usable ledger ({e}): restore it from a backup") from e
        said = self._db.execute("SELECT coalesce(max(seq), 0) FROM updates").fetchone()[0]
        known = self._db.execute("SELECT EXISTS (SELECT 1 FROM arrivals)").fetchone()[0]
        if said < heard or (fresh and known):
            raise StoreError(
                f"{directory / FILE} does not belong to the journal beside it: it has said {said} things, and the"
                f" journal has heard {heard}; restore both from one backup"
            )

    def _open(self, path: Path) -> None:
        self._db = connect(path)
        migrate(self._db, path, [TABLES])
        row = self._db.execute("SELECT cursor, body FROM state").fetchone()
        self.cursor: int = row[0] if row else 0
        self.state = msgspec.msgpack.decode(row[1], type=Snapshot) if row else None

    def arrived(self, key: str) -> bool:
        """Has this come before?"""
        return self._db.execute("SELECT 1 FROM arrivals WHERE key = ?", (key,)).fetchone() is not None

    def after(self, seq: int) -> list[tuple[int | None, Update]]:
        """The updates past `seq`, each with the tape event that caused it, None where an order's arrival did."""
        rows = self._db.execute("SELECT event, body FROM updates WHERE seq > ? ORDER BY seq", (seq,))
        return [(event, _decoder.decode(body)) for event, body in rows]

    def commit(
        self, state: Snapshot, cursor: int, arrived: Iterable[str], updates: Sequence[Update], event: int | None
    ) -> None:
        keys = [(key,) for key in arrived]
        self._reserve.around(lambda: self._write(state, cursor, keys, updates, event))
        self.cursor = cursor

    def _write(
        self, state: Snapshot, cursor: int, arrived: Sequence[tuple[str]], updates: Sequence[Update], event: int | None
    ) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?)", (cursor, msgspec.msgpack.encode(state)))
            db.executemany("INSERT INTO arrivals VALUES (?)", arrived)
            said = [(u.seq, event, msgspec.msgpack.encode(u)) for u in updates]
            db.executemany("INSERT INTO updates VALUES (?, ?, ?)", said)
            db.execute("COMMIT")
        except BaseException:
            rollback(db)
            raise

    def close(self) -> None:
        close(self._db)
