"""The journal and its projections: one file, one writer, every commit on the disk before it is believed."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType

import msgspec

from fluxhero.core import journal
from fluxhero.core.book import Position
from fluxhero.core.ladder import ANSWERS
from fluxhero.core.lives import Life, Slot, traded
from fluxhero.core.rate import A_DAY
from fluxhero.core.states import OPEN
from fluxhero.core.states import State as OrderState
from fluxhero.messages import Micros, Nanos, Role, Round, State, Traded, Why
from fluxhero.store import schema
from fluxhero.store.reserve import Reserve

FILE = "fluxhero.sqlite"
TAIL = 20_000  # rows of the chain that every start checks
FOLD = 100  # rows in the log, of less than SQLite's own 1,000 pages, after which it may be folded in

# Not REPLACE, which would move the row and so write its index as well.
CURSOR = "INSERT INTO cursors VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET position = excluded.position"
STATE = (
    "INSERT INTO states VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET count = excluded.count, blob = excluded.blob"
)


class StoreError(Exception):
    """The state cannot be used; the message says why and what to do."""


class OtherState(StoreError):
    """A state that was made for something else."""


class Busy(StoreError):
    """Another process has the state."""


def connect(path: Path) -> sqlite3.Connection:
    """A writer's connection: WAL, every commit synced. The file is ours alone, and so are those that SQLite adds."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)  # a writer's thread, one after the other
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA busy_timeout = 5000")
    return db


def rollback(db: sqlite3.Connection) -> None:
    """After a failed commit; where the disk was full, SQLite has done it already."""
    if db.in_transaction:
        db.execute("ROLLBACK")


def close(db: sqlite3.Connection) -> None:
    """A reader may keep the log from being folded in: that is for the next time, nobody waits for it."""
    db.execute("PRAGMA busy_timeout = 0")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def migrate(db: sqlite3.Connection, path: Path, scripts: Sequence[str]) -> None:
    """Brings a file, new or of an older program, to the newest schema; refuses a newer one, or a damaged file."""
    (found,) = db.execute("PRAGMA user_version").fetchone()
    if found > len(scripts):
        raise StoreError(f"{path} has schema {found}, this program knows up to {len(scripts)}: use the newer program")
    verdict = db.execute("PRAGMA quick_check").fetchone()[0]
    if verdict != "ok":
        raise StoreError(f"{path} is damaged ({verdict}): restore it from a backup; it is never overwritten")
    for version, script in enumerate(scripts[found:], found + 1):
        db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {version}; COMMIT;")


def _rename(error: BaseException, path: Path) -> None:
    """Raises what SQLite or msgspec say of a file that they cannot use with its name and what to do."""
    if isinstance(error, sqlite3.Error | msgspec.MsgspecError | UnicodeDecodeError):
        raise StoreError(f"{path} is no usable state ({error}): restore it from a backup") from error


def lines(db: sqlite3.Connection, after: int = 0) -> Iterator[journal.Line]:
    """The journal past row `after`."""
    return iter(db.execute("SELECT seq, ts, kind, body, hash FROM journal WHERE seq > ? ORDER BY seq", (after,)))


def verified(db: sqlite3.Connection, tail: int | None = None) -> int | None:
    """The first row that does not follow from those before it; `tail`: looked for among that many newest alone."""
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM journal").fetchone()
    known = max(0, last - tail) if tail else 0
    row = db.execute("SELECT hash FROM journal WHERE seq = ?", (known,)).fetchone()
    return journal.broken(lines(db, known), known, row[0] if row else journal.GENESIS)


def written(db: sqlite3.Connection) -> int:
    """How many rows the journal must have; a file of an older program says so in its runs alone."""
    counted = "coalesce((SELECT position FROM cursors WHERE name = 'rows'), 0)"
    rows: int = db.execute(f"SELECT max({counted}, coalesce(max(last), 0)) FROM runs").fetchone()[0]
    return rows


def blind(db: sqlite3.Connection) -> bool:
    """Is the newest that we know of the bars that nobody saw them?"""
    sql = "SELECT kind FROM journal WHERE kind IN ('seal', 'past', 'blind') ORDER BY seq DESC LIMIT 1"
    return bool(db.execute(sql).fetchone() == ("blind",))


def trips(db: sqlite3.Connection) -> list[journal.Tripped]:
    """Those that are held, oldest first."""
    sql = "SELECT ts, trip, cause, equity, value, bound, slot FROM trips WHERE released IS NULL ORDER BY n"
    return [
        journal.Tripped(
            ts=Nanos(ts), trip=trip, cause=cause, equity=Micros(equity), value=value, limit=bound, slot=slot
        )
        for ts, trip, cause, equity, value, bound, slot in db.execute(sql)
    ]


def fills_after(db: sqlite3.Connection, count: int) -> Iterator[Traded]:
    """The fills past the first `count`, in order."""
    sql = "SELECT o.body, f.qty, f.price FROM fills f JOIN orders o USING (cid) ORDER BY f.n LIMIT -1 OFFSET ?"
    for body, qty, price in db.execute(sql, (count,)):
        yield traded(journal.read(journal.Intent, body).order, qty, price)


class Lock:
    """One process per state directory."""

    def __init__(self, directory: Path) -> None:
        self._file = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise Busy(f"another fluxhero works on {directory}: stop it, or give this one its own --state") from None

    def release(self) -> None:
        os.close(self._file)


class Restored(msgspec.Struct):
    """What a former life left behind."""

    opened: journal.Opened | None
    last: Nanos  # the newest row's time
    settings: str
    cash: Micros
    positions: dict[int, Position]
    lives: list[Life]
    aims: dict[int, Slot]
    intents: int
    entries: list[Nanos]  # when the last day's entry orders were sent
    fills: int
    tape: int
    updates: int
    states: dict[str, State]
    marks: dict[int, Micros]  # the last full close of each symbol
    seals: list[journal.Seal | journal.Past]
    paused: list[int]  # slots
    answered: list[journal.Commanded]  # the newest commands with an id, oldest first
    blind: bool  # since the last seal nobody watched the market
    drifts: list[journal.Drift]
    trips: list[journal.Tripped]  # that are held, oldest first
    rejects: list[Nanos]  # when the newest orders were refused
    trades: list[tuple[Nanos, Nanos]]  # when the newest round trips were opened and closed, oldest first


FAILURES = (sqlite3.Error, StoreError)  # of a commit


class SQLiteStore:
    """A state directory opened for writing."""

    def __init__(self, directory: Path, reserve: int = 0) -> None:
        """`reserve`: bytes to keep free for a full disk."""
        self.directory = directory
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = Lock(directory)
        except OSError as e:
            raise StoreError(f"{directory} cannot hold a state: {e.strerror}") from None
        self.reserve = Reserve(directory, reserve)
        self._run = self._folded = 0
        self._lost: sqlite3.Error | None = None  # what the disk failed with
        try:
            self.db = connect(directory / FILE)
            migrate(self.db, directory / FILE, schema.SCRIPTS)
            self.seq, self.head = self._verified()
            self._folded = self.seq
        except BaseException as e:
            self._lock.release()
            _rename(e, directory / FILE)
            raise

    def __enter__(self) -> SQLiteStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._lost is None:
            with suppress(sqlite3.Error):
                self._ended()
        close(self.db)
        self._lock.release()

    # -- writing

    def commit(self, rows: Sequence[journal.Row], states: Iterable[State], tape: int, updates: int) -> None:
        """Rows, their projections, newest states and both cursors: all or nothing, and on the disk when it returns."""
        self._whole()
        seq, head = self.seq, self.head
        lines: list[journal.Line] = []
        statements: list[schema.Statement] = []
        for row in rows:
            seq += 1
            lines.append(journal.line(seq, row, head))
            head = lines[-1][4]
            statements += schema.project(seq, row, lines[-1][3])
        rest: list[schema.Statement] = [("INSERT OR REPLACE INTO marks VALUES (?, ?)", m) for m in schema.marks(rows)]
        rest += [(STATE, (s.name, s.count, s.blob)) for s in states]
        cursors = {"rows": seq, "tape": tape, **({"updates": updates} if updates else {})}
        rest += [(CURSOR, cursor) for cursor in cursors.items()]
        self.reserve.around(lambda: self._write(lines, [*statements, *rest]))
        self.seq, self.head = seq, head

    def _write(self, lines: Sequence[journal.Line], statements: Sequence[schema.Statement]) -> None:
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        try:
            db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", lines)
            for sql, group in groupby(statements, itemgetter(0)):
                db.executemany(sql, [values for _, values in group])
            db.execute("COMMIT")
        except BaseException as e:
            self._failed(e)
            raise

    def fold(self) -> None:
        """Takes a log that has grown long into the file, so that no commit has to: for when nobody waits."""
        self._whole()
        if self.seq - self._folded < FOLD:
            return
        try:
            self.db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except BaseException as e:
            self._failed(e)
            raise
        self._folded = self.seq

    def _failed(self, error: BaseException) -> None:
        """After an I/O error nobody knows what is on the disk; syncing again would only hide that it is not."""
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
            self._lost = error
        rollback(self.db)

    def _whole(self) -> None:
        if self._lost is not None:
            path = self.directory / FILE
            raise StoreError(f"{path}: the disk has failed ({self._lost}): see to it and start again") from self._lost

    def begin_run(self, *, pid: int, host: str, started: Nanos, version: str, code: str) -> None:
        """Notes who writes from here on."""
        self._ended()
        resumed = self.seq > 0
        self._run = self.db.execute(
            "INSERT INTO runs (pid, host, started, version, code, first, last, resumed, refed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING n",
            (pid, host, started, version, code, self.seq + 1, self.seq, resumed, 0),
        ).fetchone()[0]

    def _ended(self) -> None:
        """Notes how far the newest run came; not with every commit, for that is a page more."""
        self.db.execute("UPDATE runs SET last = ? WHERE n = (SELECT max(n) FROM runs)", (self.seq,))

    def refed(self, events: int) -> None:
        """Notes how many events a life of this run is fed that a former one had seen."""
        self.db.execute("UPDATE runs SET refed = refed + ? WHERE n = ?", (events, self._run))

    # -- reading

    def restore(self, keep: int) -> Restored:
        """The fold of the journal, as its projections have it; the last `keep` seals."""
        try:
            return self._restored(keep)
        except Exception as e:
            _rename(e, self.directory / FILE)
            raise

    def _restored(self, keep: int) -> Restored:
        db = self.db
        row = db.execute("SELECT body FROM journal WHERE seq = 1").fetchone()
        opened = journal.read(journal.Opened, row[0]) if row else None
        cash, settings = db.execute("SELECT cash, settings FROM account").fetchone() or (0, "")
        cursors = dict(db.execute("SELECT name, position FROM cursors"))
        bare = self._bare()
        return Restored(
            opened=opened,
            last=Nanos(
                db.execute(
                    "SELECT coalesce(max(ts), 0) FROM (SELECT ts FROM journal ORDER BY seq DESC LIMIT 100)"
                ).fetchone()[0]
            ),
            settings=settings,
            cash=Micros(cash),
            positions={slot: Position(*rest) for slot, *rest in db.execute("SELECT * FROM positions")},
            lives=list(self._lives()),
            aims={
                slot: Slot(
                    leaving=bool(leaving),
                    aim=stop,
                    mode=mode,
                    volume=volume,
                    bare=bare.get(slot),
                    paged=self._paged(slot, bare.get(slot)),
                )
                for slot, leaving, stop, mode, volume in db.execute("SELECT * FROM aims")
            },
            intents=db.execute("SELECT count(*) FROM orders WHERE cid LIKE '%-0'").fetchone()[0],
            entries=self._entries(),
            fills=db.execute("SELECT count(*) FROM fills").fetchone()[0],
            tape=cursors.get("tape", 0),
            updates=cursors.get("updates", 0),
            states={n: State(name=n, count=c, blob=b) for n, c, b in db.execute("SELECT * FROM states")},
            marks={slot: Micros(close) for slot, close in db.execute("SELECT * FROM marks")},
            seals=self._seals(keep),
            paused=[slot for (slot,) in db.execute("SELECT slot FROM pauses ORDER BY slot")],
            answered=self._answered(),
            blind=blind(db),
            drifts=[
                journal.read(journal.Drift, body) for (body,) in db.execute("SELECT body FROM drifts ORDER BY key")
            ],
            trips=trips(db),
            rejects=self._rejects(),
            trades=db.execute("SELECT opened, closed FROM trades ORDER BY n DESC LIMIT 1000").fetchall()[::-1],
        )

    @property
    def heard(self) -> int:
        """The venue's updates that the journal accounts for."""
        row = self.db.execute("SELECT position FROM cursors WHERE name = 'updates'").fetchone()
        return row[0] if row else 0

    def fills_after(self, count: int) -> Iterator[Traded]:
        return fills_after(self.db, count)

    def rounds_after(self, count: int) -> Iterator[Round]:
        """The round trips past the first `count`, in order."""
        sql = "SELECT mode, result FROM trades ORDER BY n LIMIT -1 OFFSET ?"
        for mode, result in self.db.execute(sql, (count,)):
            yield Round(mode=mode, result=result)

    def knows(self, body: bytes) -> bool:
        """Is there such a row among the newest?"""
        sql = "SELECT 1 FROM (SELECT body FROM journal ORDER BY seq DESC LIMIT 10000) WHERE body = ?"
        return self.db.execute(sql, (body,)).fetchone() is not None

    def flows_after(self, count: int) -> Iterator[Micros]:
        """What the account gained or lost by adoption, past the first `count` times."""
        sql = "SELECT body FROM journal WHERE kind = 'adopted' ORDER BY seq LIMIT -1 OFFSET ?"
        for (body,) in self.db.execute(sql, (count,)):
            yield journal.read(journal.Adopted, body).flow

    def lines(self) -> Iterator[journal.Line]:
        """The whole journal."""
        return lines(self.db)

    def _verified(self) -> tuple[int, bytes]:
        """The journal's last seq and hash; the newest of its chain is checked, all of it by `fluxhero verify`."""
        path = self.directory / FILE
        bad = verified(self.db, TAIL)
        if bad is not None:
            raise StoreError(f"{path}: journal row {bad} does not follow from those before it: restore a backup")
        seq, head = self.db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone() or (
            0,
            journal.GENESIS,
        )
        if seq < (rows := written(self.db)):
            raise StoreError(f"{path}: journal rows {seq + 1} to {rows} are gone: restore a backup")
        return seq, head

    def _lives(self) -> Iterator[Life]:
        """Orders that are open, whose cancel has no answer, or that may be sent anew."""
        states = ", ".join(f"'{s}'" for s in sorted(OPEN))
        sql = (
            "SELECT body, state, filled, paid, canceling, iif(chased AND why = 'chase', 'unwanted', why), updated, n,"
            " coalesce(asked, 0) FROM orders"
            f" WHERE state IN ({states}) OR canceling IS NOT NULL"
            f" OR {schema.CHASED} ORDER BY n"
        )
        for body, state, filled, paid, canceling, why, updated, n, asked in self.db.execute(sql):
            order = journal.read(journal.Intent, body).order
            executions = self.db.execute("SELECT exec_id FROM fills WHERE cid = ?", (order.cid,)) if filled else ()
            yield Life(
                order=order, state=OrderState(state), filled=filled, paid=paid, canceling=canceling,
                why=Why(why) if why else None, looked=updated, executions={x for (x,) in executions}, places=(n, asked),
            )  # fmt: skip

    def _bare(self) -> dict[int, Nanos]:
        """By slot, since when what is held lacks its stop: since it was opened, or since its last stop ended."""
        stands = f"FROM orders WHERE {schema.UNSETTLED} AND role = 'stop' AND state IN ('live', 'partial')"
        guarded = dict(self.db.execute(f"SELECT slot, sum(qty - filled) {stands} GROUP BY slot"))
        over = "role = 'stop' AND state IN ('filled', 'canceled', 'replaced') AND updated >= opened"
        sql = f"SELECT slot, max(updated) FROM orders JOIN positions USING (slot) WHERE {over} GROUP BY slot"
        ended = dict(self.db.execute(sql))
        held = self.db.execute("SELECT slot, abs(qty), opened FROM positions")
        return {slot: Nanos(ended.get(slot, opened)) for slot, qty, opened in held if guarded.get(slot, 0) < qty}

    def _paged(self, slot: int, bare: Nanos | None) -> Nanos:
        """When that was last told; 0: not yet."""
        if bare is None:
            return Nanos(0)
        before = "SELECT coalesce(max(n), 0) FROM fills WHERE ts < ?"
        sql = f"SELECT body FROM journal WHERE kind = 'naked' AND seq > ({before}) ORDER BY seq DESC"
        told = (journal.read(journal.Naked, body) for (body,) in self.db.execute(sql, (bare,)))
        return next((row.ts for row in told if row.slot == slot and row.since == bare), Nanos(0))

    def _entries(self) -> list[Nanos]:
        sql = "SELECT ts FROM orders WHERE role = ? ORDER BY n DESC LIMIT ?"
        return [Nanos(ts) for (ts,) in self.db.execute(sql, (Role.ENTRY, A_DAY))][::-1]

    def _rejects(self) -> list[Nanos]:
        newest = "SELECT n, state, updated FROM orders ORDER BY n DESC LIMIT 100"
        sql = f"SELECT updated FROM ({newest}) WHERE state = 'rejected' ORDER BY n"
        return [Nanos(ts) for (ts,) in self.db.execute(sql)]

    def _seals(self, keep: int) -> list[journal.Seal | journal.Past]:
        sql = "SELECT body FROM journal WHERE kind IN ('seal', 'past') ORDER BY seq DESC LIMIT ?"
        rows = [journal.decode(body) for (body,) in self.db.execute(sql, (keep,))]
        return [row for row in reversed(rows) if isinstance(row, journal.Seal | journal.Past)]

    def _answered(self) -> list[journal.Commanded]:
        sql = "SELECT body FROM commands JOIN journal ON seq = n WHERE id != '' ORDER BY n DESC LIMIT ?"
        return [journal.read(journal.Commanded, body) for (body,) in self.db.execute(sql, (ANSWERS,))][::-1]
