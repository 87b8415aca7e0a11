"""The tables of a state, and what each journal row does to them."""

from collections.abc import Iterable, Iterator
from typing import Any

from fluxhero.core import journal as j
from fluxhero.messages import Quality, Says, Side, Verb, micros

FIRST = """
CREATE TABLE journal (seq INTEGER PRIMARY KEY, ts INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL,
  hash BLOB NOT NULL) STRICT;
CREATE TABLE cursors (name TEXT PRIMARY KEY, position INTEGER NOT NULL) STRICT;
CREATE TABLE states (name TEXT PRIMARY KEY, count INTEGER NOT NULL, blob BLOB NOT NULL) STRICT;
CREATE TABLE account (id INTEGER PRIMARY KEY CHECK (id = 1), cash INTEGER NOT NULL, settings TEXT NOT NULL) STRICT;
CREATE TABLE orders (n INTEGER PRIMARY KEY, cid TEXT UNIQUE NOT NULL, ts INTEGER NOT NULL, slot INTEGER NOT NULL,
  role TEXT NOT NULL, side INTEGER NOT NULL, type TEXT NOT NULL, qty INTEGER NOT NULL, stop INTEGER NOT NULL,
  state TEXT NOT NULL, filled INTEGER NOT NULL DEFAULT 0, paid INTEGER NOT NULL DEFAULT 0,
  canceling INTEGER, asked INTEGER, -- the time and the row of a cancel that has no answer
   reason TEXT NOT NULL DEFAULT '', updated INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX orders_open ON orders (n) WHERE state IN ('sent', 'live', 'partial') OR canceling IS NOT NULL;
CREATE INDEX orders_decided ON orders (slot, ts);
CREATE TABLE fills (n INTEGER PRIMARY KEY, cid TEXT NOT NULL, exec_id TEXT NOT NULL, ts INTEGER NOT NULL,
  at INTEGER NOT NULL, slot INTEGER NOT NULL, role TEXT NOT NULL, side INTEGER NOT NULL, price INTEGER NOT NULL,
  qty INTEGER NOT NULL, fee INTEGER NOT NULL, UNIQUE (cid, exec_id)) STRICT;
CREATE TABLE positions (slot INTEGER PRIMARY KEY, qty INTEGER NOT NULL, opened INTEGER NOT NULL,
  bought INTEGER NOT NULL, paid INTEGER NOT NULL, received INTEGER NOT NULL, fees INTEGER NOT NULL) STRICT;
CREATE TABLE aims (slot INTEGER PRIMARY KEY, leaving INTEGER NOT NULL, stop INTEGER NOT NULL, mode INTEGER NOT NULL,
  volume REAL NOT NULL) STRICT;
CREATE TABLE trades (n INTEGER PRIMARY KEY, slot INTEGER NOT NULL, mode INTEGER NOT NULL, qty INTEGER NOT NULL,
  opened INTEGER NOT NULL, closed INTEGER NOT NULL, entry INTEGER NOT NULL, exit INTEGER NOT NULL,
  fees INTEGER NOT NULL, result INTEGER NOT NULL) STRICT;
CREATE TABLE marks (slot INTEGER PRIMARY KEY, close INTEGER NOT NULL) STRICT;
CREATE TABLE equity (ts INTEGER PRIMARY KEY, equity INTEGER NOT NULL, cash INTEGER NOT NULL) STRICT;
CREATE TABLE decisions (n INTEGER PRIMARY KEY, ts INTEGER NOT NULL, slot INTEGER NOT NULL, action INTEGER NOT NULL,
  body BLOB NOT NULL, judged BLOB, UNIQUE (slot, ts)) STRICT;
CREATE TABLE trips (n INTEGER PRIMARY KEY, ts INTEGER NOT NULL, trip TEXT NOT NULL, cause TEXT NOT NULL,
  equity INTEGER NOT NULL, value REAL NOT NULL, bound REAL NOT NULL, released INTEGER, "by" TEXT, reason TEXT) STRICT;
CREATE TABLE runs (n INTEGER PRIMARY KEY, pid INTEGER NOT NULL, host TEXT NOT NULL, started INTEGER NOT NULL,
  version TEXT NOT NULL, code TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, resumed INTEGER NOT NULL,
  refed INTEGER NOT NULL) STRICT;
"""

SECOND = """
CREATE TABLE commands (n INTEGER PRIMARY KEY, ts INTEGER NOT NULL, verb TEXT NOT NULL, reason TEXT NOT NULL,
  id TEXT NOT NULL, text TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX commands_id ON commands (id) WHERE id != '';
CREATE INDEX journal_bars ON journal (ts) WHERE kind IN ('seal', 'past');
CREATE TABLE pauses (slot INTEGER PRIMARY KEY, ts INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
"""

THIRD = """
CREATE TABLE charges (n INTEGER PRIMARY KEY, ts INTEGER NOT NULL, slot INTEGER NOT NULL, qty INTEGER NOT NULL,
  price INTEGER NOT NULL, fee INTEGER NOT NULL) STRICT;
"""

FOURTH = """
ALTER TABLE orders ADD COLUMN why TEXT NOT NULL DEFAULT ''; -- of its last cancel
ALTER TABLE orders ADD COLUMN chased INTEGER NOT NULL DEFAULT 0; -- has another attempt been decided on?
DROP INDEX orders_open;
CREATE INDEX orders_open ON orders (n)
  WHERE state IN ('sent', 'unknown', 'live', 'partial') OR canceling IS NOT NULL;
CREATE TABLE drifts (key TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE INDEX orders_chase ON orders (n) WHERE why = 'chase' AND state = 'canceled' AND filled = 0 AND chased = 0;
"""

SCRIPTS = (FIRST, SECOND, THIRD, FOURTH)  # the n-th brings a file to version n

Statement = tuple[str, tuple[Any, ...]]


def marks(rows: Iterable[j.Row]) -> list[tuple[int, int]]:
    """(slot, close) of the last full bar of each symbol among the rows."""
    bars = (bar for row in rows if isinstance(row, j.Seal | j.Past) for bar in row.bars if bar.quality == Quality.FULL)
    return list({bar.slot: micros(bar.close) for bar in bars}.items())


def project(seq: int, row: j.Row) -> Iterator[Statement]:
    """What a row changes in the tables; rows that change none give nothing."""
    match row:
        case j.Seal():
            yield "INSERT INTO equity VALUES (?, ?, ?)", (row.ts, row.equity, row.cash)
        case j.Decided():
            sql = "INSERT INTO decisions (n, ts, slot, action, body) VALUES (?, ?, ?, ?, ?)"
            yield sql, (seq, row.ts, row.slot, row.action, j.encode(row))
        case j.Judged():
            yield "UPDATE decisions SET judged = ? WHERE slot = ? AND ts = ?", (j.encode(row), row.slot, row.ts)
        case j.Opened():
            yield "INSERT INTO account VALUES (1, ?, '')", (row.cash,)
        case j.Settings():
            yield "UPDATE account SET settings = ?", (row.hash,)
        case j.Tripped():
            sql = "INSERT INTO trips (n, ts, trip, cause, equity, value, bound) VALUES (?, ?, ?, ?, ?, ?, ?)"
            yield sql, (seq, row.ts, row.trip, row.cause, row.equity, row.value, row.limit)
        case j.Released():
            sql = 'UPDATE trips SET released = ?, "by" = ?, reason = ? WHERE trip = ? AND released IS NULL'
            yield sql, (row.ts, row.by, row.reason, row.trip)
        case j.Commanded():
            sql = "INSERT OR REPLACE INTO commands VALUES (?, ?, ?, ?, ?, ?)"
            yield sql, (seq, row.ts, row.verb, row.reason, row.id, row.text)
            if row.verb in (Verb.PAUSE, Verb.RESUME, Verb.FLATTEN):
                yield from (_paused(slot, row) for slot in row.slots)
        case j.Closed():
            sql = "INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            money = (row.entry, row.exit, row.fees, row.result)
            yield sql, (seq, row.slot, row.mode, row.qty, row.opened, row.ts, *money)
        case _:
            yield from _orders(seq, row)


def _paused(slot: int, row: j.Commanded) -> Statement:
    if row.verb is Verb.RESUME:
        return "DELETE FROM pauses WHERE slot = ?", (slot,)
    return "INSERT OR IGNORE INTO pauses VALUES (?, ?, ?)", (slot, row.ts, row.reason)


def _orders(seq: int, row: j.Row) -> Iterator[Statement]:
    match row:
        case j.Intent(order=o):
            sql = (
                "INSERT INTO orders (n, cid, ts, slot, role, side, type, qty, stop, state, updated, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'sent', ?, ?)"
            )
            yield (
                sql,
                (seq, o.cid, o.ts, o.slot, o.role, int(o.side), o.type, o.qty, o.stop, o.ts, j.encode(row)),
            )
        case j.Canceling():
            sql = "UPDATE orders SET canceling = ?, asked = ?, why = ? WHERE cid = ?"
            yield sql, (row.ts, seq, row.why.value, row.cid)
        case j.Chased():
            yield "UPDATE orders SET chased = 1 WHERE cid = ?", (row.cid,)
        case j.Aim():
            aim = (row.slot, row.leaving, row.stop, row.mode, row.volume)
            yield "INSERT OR REPLACE INTO aims VALUES (?, ?, ?, ?, ?)", aim
        case j.Evidence():
            yield "UPDATE orders SET state = ?, updated = ? WHERE cid = ?", (row.state, row.ts, row.cid)
            if row.says in (Says.CANCELED, Says.CANCEL_REJECTED):
                yield "UPDATE orders SET canceling = NULL WHERE cid = ?", (row.cid,)
            if row.says is not Says.CANCEL_REJECTED:
                yield "UPDATE orders SET reason = ? WHERE cid = ?", (row.reason, row.cid)
        case j.Drift():
            yield "INSERT OR REPLACE INTO drifts VALUES (?, ?)", (row.key, j.encode(row))
        case j.Healed():
            yield "DELETE FROM drifts WHERE key = ?", (row.key,)
        case j.Adopted():
            yield from _adopted(row)
        case j.Filled():
            yield from _filled(seq, row)
        case j.Charged():
            charge = (seq, row.ts, row.slot, row.qty, row.price, row.fee)
            yield "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?)", charge
            yield "UPDATE positions SET fees = fees + ? WHERE slot = ?", (row.fee, row.slot)
            yield "UPDATE account SET cash = ?", (row.cash,)


def _adopted(row: j.Adopted) -> Iterator[Statement]:
    yield "UPDATE account SET cash = ?", (row.cash,)
    yield "DELETE FROM positions WHERE slot = ?", (row.slot,)
    if row.slot >= 0 and row.qty:
        bought, sold = max(row.qty, 0), max(-row.qty, 0)
        yield (
            "INSERT INTO positions VALUES (?, ?, ?, ?, ?, ?, 0)",
            (row.slot, row.qty, row.ts, bought, bought * row.price, sold * row.price),
        )


def _filled(seq: int, row: j.Filled) -> Iterator[Statement]:
    yield (
        "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (seq, row.cid, row.exec_id, row.ts, row.at, row.slot, row.role, int(row.side), row.price, row.qty, row.fee),
    )
    sql = "UPDATE orders SET state = ?, filled = ?, paid = paid + ?, updated = ? WHERE cid = ?"
    yield sql, (row.state, row.filled, row.price * row.qty, row.ts, row.cid)
    yield "UPDATE account SET cash = ?", (row.cash,)
    buys = row.qty if row.side is Side.BUY else 0
    sells = row.qty - buys
    yield (
        "INSERT INTO positions VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (slot) DO UPDATE SET qty = qty + excluded.qty,"
        " bought = bought + excluded.bought, paid = paid + excluded.paid, received = received + excluded.received,"
        " fees = fees + excluded.fees",
        (row.slot, buys - sells, row.ts, buys, buys * row.price, sells * row.price, row.fee),
    )
    yield "DELETE FROM positions WHERE slot = ? AND qty = 0", (row.slot,)
