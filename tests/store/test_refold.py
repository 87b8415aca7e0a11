"""What `fluxhero verify` finds: anything in a state that does not follow from its journal."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fluxhero.cli import main
from fluxhero.core import journal
from fluxhero.store import counterparty, refold
from fluxhero.store.queries import Reader
from fluxhero.store.sqlite import FILE, SQLiteStore, StoreError
from fluxhero.store.venue import FILE as VENUE
from tests.market import FIRST, write_bars, write_ticks
from tests.simulation.world import scenario, simulate
from tests.store.story import (
    ROWS,
    STOP,
    STORY,
    differs,
    found,
    intent,
    opened,
    written,
)


def shown(value: object) -> str:
    if isinstance(value, bytes):
        return f"{value[:24].hex()}{'...' if len(value) > 24 else ''} ({len(value)} bytes)"
    return repr(value)


def other(value: Any, kind: str) -> Any:
    """A value of a column that it does not have."""
    match value, kind:
        case bytes(), _:
            return value + b"\0"
        case str(), _:
            return value + "?"
        case None, _:
            return {"INTEGER": 1, "REAL": 1.0, "TEXT": "?", "BLOB": b"?"}[kind]
        case _:
            return value + 1_000_000


def columns(db: sqlite3.Connection, table: str) -> list[tuple[str, str, bool]]:
    """(name, type, is it of the key?)"""
    return [(name, kind, key > 0) for _, name, kind, _, _, key in db.execute(f"PRAGMA table_info({table})")]


def test_a_state_that_follows_from_its_journal_is_found_so(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(state) == ""
    head = opened(state).execute("SELECT hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()[0].hex()
    assert main(["verify", "--state", str(state)]) == 0
    out = f"{len(ROWS)} rows, each follows from those before it, and all tables from them, and the venue has said what it says; hash {head}\n"  # noqa: E501
    assert capsys.readouterr() == (out, "")


def test_every_table_is_a_projection_or_has_a_reason_not_to_be_and_the_story_fills_every_one(state: Path) -> None:
    with closing(opened(state)) as db:
        tables = [t for (t,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        projections = refold.projections(db)
        assert sorted([*projections, *refold.OTHERS]) == sorted(tables)
        assert [t for t in projections if not db.execute(f"SELECT 1 FROM {t}").fetchone()] == []


def tampered(db: sqlite3.Connection, rows: str) -> int:
    """Changes one value after the other; how many."""
    db.execute("PRAGMA ignore_check_constraints = 1")
    tried = 0
    for table in refold.projections(db):
        ((key, _, _),) = [column for column in columns(db, table) if column[2]]
        for row in db.execute(f"SELECT * FROM {table} {rows}").fetchall():
            kept = dict(zip((name for name, _, _ in columns(db, table)), row, strict=True))
            for name, kind, of_key in columns(db, table):
                value, where = other(kept[name], kind), f"{table}, {key} {kept[key]}"
                says = f"{where}: {name} is {shown(value)}, by the journal {shown(kept[name])}"
                says = f"{where}: it is not there, and the journal makes it" if of_key else says
                db.execute("BEGIN")
                db.execute(f'UPDATE {table} SET "{name}" = ? WHERE {key} = ?', (value, kept[key]))
                assert differs(db) == says
                db.execute("ROLLBACK")
                tried += 1
    assert differs(db) == ""
    return tried


def test_every_column_of_every_row_of_every_table_is_held_against_the_journal(state: Path) -> None:
    with closing(opened(state)) as db:
        assert tampered(db, "") > 200


@pytest.mark.parametrize("model", ["quote", "bar"])
def test_so_is_what_a_daemon_has_written(model: str, tmp_path: Path) -> None:
    for n, symbol in enumerate(("AAA", "BBB")):
        if model == "quote":
            write_ticks(tmp_path, symbol, n, per=6, minutes=100)
        else:
            write_bars(tmp_path, symbol, n, last=FIRST, minutes=100)
    simulate(scenario(tmp_path, tmp_path / "s", ("AAA", "BBB"), speed=0.0), 0)
    assert found(tmp_path / "s") == ""
    with closing(opened(tmp_path / "s")) as db:
        assert tampered(db, "ORDER BY 1 DESC LIMIT 1") > 40


def test_a_row_that_is_gone_and_one_that_is_added_are_named(state: Path) -> None:
    with closing(opened(state)) as db:
        db.execute("PRAGMA ignore_check_constraints = 1")
        for table in refold.projections(db):
            ((key, _, _),) = [column for column in columns(db, table) if column[2]]
            for row in db.execute(f"SELECT * FROM {table}").fetchall():
                kept = dict(zip((name for name, _, _ in columns(db, table)), row, strict=True))
                db.execute("BEGIN")
                db.execute(f"DELETE FROM {table} WHERE {key} = ?", (kept[key],))
                assert differs(db) == f"{table}, {key} {kept[key]}: it is not there, and the journal makes it"
                db.execute("ROLLBACK")
                added = [other(kept[name], kind) for name, kind, _ in columns(db, table)]
                db.execute("BEGIN")
                db.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(added))})", added)
                more = added[next(n for n, column in enumerate(columns(db, table)) if column[2])]
                assert differs(db) == f"{table}, {key} {more}: it is there, and no row of the journal makes it"
                db.execute("ROLLBACK")


SCHEMA = {
    "DROP TABLE pauses": "pauses is made by None, in the schema by 'CREATE TABLE pauses ",
    "DROP INDEX orders_open": 'orders_open is made by None, in the schema by "CREATE INDEX orders_open ',
    "CREATE TABLE more (n INTEGER)": "more is made by 'CREATE TABLE more (n INTEGER)', in the schema by None",
    "ALTER TABLE aims ADD COLUMN more INTEGER": "aims is made by 'CREATE TABLE aims ",
}


@pytest.mark.parametrize("how", SCHEMA)
def test_a_schema_that_is_not_the_programs_is_named(how: str, state: Path) -> None:
    with closing(opened(state)) as db:
        db.execute(how)
        assert differs(db).startswith(SCHEMA[how])


CURSOR = "cursors, name updates: position is {}, by the journal 12"
OUTSIDE = {
    "UPDATE cursors SET position = 11 WHERE name = 'updates'": CURSOR.format(11),
    "UPDATE cursors SET position = 13 WHERE name = 'updates'": CURSOR.format(13),
    "DELETE FROM cursors WHERE name = 'updates'": CURSOR.format(0),
    "UPDATE journal SET ts = ts + 1 WHERE seq = 5": "journal row 5 does not follow from those before it",
    "DELETE FROM journal WHERE seq = 5": "journal row 5 does not follow from those before it",
    "DELETE FROM journal WHERE seq > 30": f"journal rows 31 to {len(ROWS)} are gone",
}


@pytest.mark.parametrize("how", OUTSIDE)
def test_what_is_no_projection_is_held_against_the_rows_where_they_tell(
    how: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(opened(state)) as db:
        db.execute(how)
    assert found(state) == OUTSIDE[how]
    assert main(["verify", "--state", str(state)]) == 1
    assert capsys.readouterr() == ("", f"fluxhero: {OUTSIDE[how]}: restore a backup\n")


@pytest.mark.parametrize(("version", "use"), [(2, "start the daemon on it once"), (99, "use the newer program")])
def test_a_state_of_another_schema_is_not_judged(
    version: int, use: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(opened(state)) as db:
        (known,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA user_version = {version}")
    assert main(["verify", "--state", str(state)]) == 70
    says = f"fluxhero: the state has schema {version}, this program folds {known}: {use}\n"
    assert capsys.readouterr() == ("", says)


def test_a_file_that_cannot_be_read_is_not_judged(state: Path) -> None:
    (state / FILE).write_bytes(b"this is no database" * 1000)
    with closing(opened(state)) as db, pytest.raises(StoreError, match="the state cannot be read: file is not a data"):
        refold.check(db)


def test_rows_that_an_older_version_encoded_otherwise_keep_their_bytes(tmp_path: Path) -> None:
    """The orders of a journal from before orders had limits."""
    with SQLiteStore(tmp_path) as store:
        store.commit(STORY[0][1], (), 0, 0)
        new = intent(STOP)
        old = msgspec.msgpack.decode(journal.encode(new))
        old[-1] = {k: v for k, v in old[-1].items() if k not in ("limit", "cap")}
        body = msgspec.msgpack.encode(old, order="deterministic")
        store.commit([new], (), 0, 0)
        link = journal._link(next(hashed for seq, *_, hashed in store.lines() if seq == 2), 3, new.ts, "intent", body)
        store.db.execute("UPDATE journal SET body = ?, hash = ? WHERE seq = 3", (body, link))
        store.db.execute("UPDATE orders SET body = ?", (body,))
        assert (journal.decode(body), differs(store.db)) == (new, "")


def test_a_state_is_judged_as_of_one_commit_while_its_daemon_and_venue_go_on(tmp_path: Path) -> None:
    commits = len(list(written(tmp_path / "whole")))
    for looked in range(2, commits):
        folder = tmp_path / str(looked)
        story = written(folder)
        for _ in range(looked - 1):
            next(story)
        with closing(counterparty.Counterparty(folder / VENUE)) as venue:
            next(story)  # between the two looks
            with closing(Reader(folder)) as reader:
                reader.db.execute("BEGIN")
                rows, _ = reader.head()
                assert len(list(story)) == commits - looked  # all the rest, before anything is read
                refold.check(reader.db, venue)
                assert reader.head()[0] == rows
        assert found(folder) == ""
