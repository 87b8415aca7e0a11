"""The tables of a state, and what each journal row does to them."""

from collections.abc import Callable, Iterable
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

# Orders that may still fill, or whose cancel has no answer. ORs: for a longer list SQLite would make a table at every
# write. It uses the index where a reader says just this.
UNSETTLED = "(state = 'sent' OR state = 'unknown' OR state = 'live' OR state = 'partial' OR canceling IS NOT NULL)"

# Entries that found nobody, and may be sent anew.
CHASED = "(why = 'chase' AND state = 'canceled' AND filled = 0 AND chased = 0)"

FIFTH = f"""
DROP INDEX orders_open;
CREATE INDEX orders_open ON orders (n) WHERE {UNSETTLED};
DROP INDEX orders_chase;
DROP INDEX orders_decided;
CREATE INDEX orders_refused ON orders (slot, ts) WHERE state = 'rejected';
"""

SIXTH = """
ALTER TABLE trips ADD COLUMN slot INTEGER NOT NULL DEFAULT -1;
CREATE INDEX journal_adopted ON journal (seq) WHERE kind = 'adopted';
CREATE INDEX journal_settings ON journal (seq) WHERE kind = 'settings';
"""

SCRIPTS = (FIRST, SECOND, THIRD, FOURTH, FIFTH, SIXTH)  # the n-th brings a file to version n

Statement = tuple[str, tuple[Any, ...]]


def marks(rows: Iterable[j.Row]) -> list[tuple[int, int]]:
    """(slot, close) of the last full bar of each symbol among the rows."""
    bars = (bar for row in rows if isinstance(row, j.Seal | j.Past) for bar in row.bars if bar.quality == Quality.FULL)
    return list({bar.slot: micros(bar.close) for bar in bars}.items())


def project(seq: int, row: j.Row, body: bytes | None = None) -> Iterable[Statement]:
    """What a row changes in the tables; rows that change none give nothing. `body`: its bytes, where they are known."""
    made = MADE.get(type(row))
    return made(seq, row, j.encode(row) if body is None else body) if made else ()


def _seal(seq: int, row: j.Seal, body: bytes) -> Iterable[Statement]:
    return (("INSERT INTO equity VALUES (?, ?, ?)", (row.ts, row.equity, row.cash)),)


def _decided(seq: int, row: j.Decided, body: bytes) -> Iterable[Statement]:
    sql = "INSERT INTO decisions (n, ts, slot, action, body) VALUES (?, ?, ?, ?, ?)"
    return ((sql, (seq, row.ts, row.slot, row.action, body)),)


def _judged(seq: int, row: j.Judged, body: bytes) -> Iterable[Statement]:
    return (("UPDATE decisions SET judged = ? WHERE slot = ? AND ts = ?", (body, row.slot, row.ts)),)


def _opened(seq: int, row: j.Opened, body: bytes) -> Iterable[Statement]:
    return (("INSERT INTO account VALUES (1, ?, '')", (row.cash,)),)


def _settings(seq: int, row: j.Settings, body: bytes) -> Iterable[Statement]:
    return (("UPDATE account SET settings = ?", (row.hash,)),)


def _tripped(seq: int, row: j.Tripped, body: bytes) -> Iterable[Statement]:
    sql = "INSERT INTO trips (n, ts, trip, cause, equity, value, bound, slot) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    return ((sql, (seq, row.ts, row.trip, row.cause, row.equity, row.value, row.limit, row.slot)),)


def _released(seq: int, row: j.Released, body: bytes) -> Iterable[Statement]:
    sql = 'UPDATE trips SET released = ?, "by" = ?, reason = ? WHERE trip = ? AND slot = ? AND released IS NULL'
    return ((sql, (row.ts, row.by, row.reason, row.trip, row.slot)),)


def _commanded(seq: int, row: j.Commanded, body: bytes) -> Iterable[Statement]:
    sql = "INSERT OR REPLACE INTO commands VALUES (?, ?, ?, ?, ?, ?)"
    yield sql, (seq, row.ts, row.verb, row.reason, row.id, row.text)
    if row.verb in (Verb.PAUSE, Verb.RESUME, Verb.FLATTEN):
        yield from (_paused(slot, row) for slot in row.slots)


def _paused(slot: int, row: j.Commanded) -> Statement:
    if row.verb is Verb.RESUME:
        return "DELETE FROM pauses WHERE slot = ?", (slot,)
    return "INSERT OR IGNORE INTO pauses VALUES (?, ?, ?)", (slot, row.ts, row.reason)


def _closed(seq: int, row: j.Closed, body: bytes) -> Iterable[Statement]:
    money = (row.entry, row.exit, row.fees, row.result)
    values = (seq, row.slot, row.mode, row.qty, row.opened, row.ts, *money)
    return (("INSERT INTO trades VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values),)


def _intent(seq: int, row: j.Intent, body: bytes) -> Iterable[Statement]:
    """Plain strings: what is only a kind of one, SQLite's adapter would look at for long."""
    sql = (
        "INSERT INTO orders (n, cid, ts, slot, role, side, type, qty, stop, state, updated, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'sent', ?, ?)"
    )
    o = row.order
    values = (seq, o.cid, o.ts, o.slot, str(o.role), int(o.side), str(o.type), o.qty, o.stop, o.ts, body)
    return ((sql, values),)


def _canceling(seq: int, row: j.Canceling, body: bytes) -> Iterable[Statement]:
    sql = "UPDATE orders SET canceling = ?, asked = ?, why = ? WHERE cid = ?"
    return ((sql, (row.ts, seq, str(row.why), row.cid)),)


def _chased(seq: int, row: j.Chased, body: bytes) -> Iterable[Statement]:
    return (("UPDATE orders SET chased = 1 WHERE cid = ?", (row.cid,)),)


def _aim(seq: int, row: j.Aim, body: bytes) -> Iterable[Statement]:
    aim = (row.slot, int(row.leaving), row.stop, row.mode, row.volume)
    return (("INSERT OR REPLACE INTO aims VALUES (?, ?, ?, ?, ?)", aim),)


def _evidence(seq: int, row: j.Evidence, body: bytes) -> Iterable[Statement]:
    sets, values = "state = ?, updated = ?", [row.state, row.ts]
    if row.says in (Says.CANCELED, Says.CANCEL_REJECTED):
        sets += ", canceling = NULL"
    if row.says is not Says.CANCEL_REJECTED:
        sets, values = sets + ", reason = ?", [*values, row.reason]
    return ((f"UPDATE orders SET {sets} WHERE cid = ?", (*values, row.cid)),)


def _drift(seq: int, row: j.Drift, body: bytes) -> Iterable[Statement]:
    return (("INSERT OR REPLACE INTO drifts VALUES (?, ?)", (row.key, body)),)


def _healed(seq: int, row: j.Healed, body: bytes) -> Iterable[Statement]:
    return (("DELETE FROM drifts WHERE key = ?", (row.key,)),)


def _charged(seq: int, row: j.Charged, body: bytes) -> Iterable[Statement]:
    yield "INSERT INTO charges VALUES (?, ?, ?, ?, ?, ?)", (seq, row.ts, row.slot, row.qty, row.price, row.fee)
    yield "UPDATE positions SET fees = fees + ? WHERE slot = ?", (row.fee, row.slot)
    yield "UPDATE account SET cash = ?", (row.cash,)


def _adopted(seq: int, row: j.Adopted, body: bytes) -> Iterable[Statement]:
    yield "UPDATE account SET cash = ?", (row.cash,)
    yield "DELETE FROM positions WHERE slot = ?", (row.slot,)
    if row.slot >= 0 and row.qty:
        bought, sold = max(row.qty, 0), max(-row.qty, 0)
        yield (
            "INSERT INTO positions VALUES (?, ?, ?, ?, ?, ?, 0)",
            (row.slot, row.qty, row.ts, bought, bought * row.price, sold * row.price),
        )


def _filled(seq: int, row: j.Filled, body: bytes) -> Iterable[Statement]:
    who = (seq, row.cid, row.exec_id, row.ts, row.at, row.slot, str(row.role), int(row.side))
    yield "INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*who, row.price, row.qty, row.fee)
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


MADE: dict[type, Callable[[int, Any, bytes], Iterable[Statement]]] = {
    j.Seal: _seal, j.Decided: _decided, j.Judged: _judged, j.Opened: _opened, j.Settings: _settings,
    j.Tripped: _tripped, j.Released: _released, j.Commanded: _commanded, j.Closed: _closed, j.Intent: _intent,
    j.Canceling: _canceling, j.Chased: _chased, j.Aim: _aim, j.Evidence: _evidence, j.Drift: _drift,
    j.Healed: _healed, j.Adopted: _adopted, j.Filled: _filled, j.Charged: _charged,
}  # fmt: skip
