from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from shutil import copytree
from typing import Any

import msgspec
import pytest

from fluxhero.core import journal
from fluxhero.core.book import Position
from fluxhero.core.lives import Slot, traded
from fluxhero.core.states import State as OrderState
from fluxhero.messages import Cid, Micros, Model, Nanos, Order, Role, Says, Shares, Side, State, Type, Why
from fluxhero.store.queries import Reader
from fluxhero.store.schema import UNSETTLED
from fluxhero.store.sqlite import FILE, Busy, Restored, SQLiteStore, StoreError

T = Nanos(1_711_461_600_000_000_000)
CASH = Micros(100_000_000_000)


def usd(x: float) -> Micros:
    return Micros(round(x * 1e6))


def cid(n: int) -> Cid:
    return Cid(f"fh-test-0-{n}-0")


def at(n: int) -> Nanos:
    return Nanos(T + n)


OPENED = journal.Opened(
    ts=Nanos(0), account="test", epoch="0", cash=CASH, model=Model.QUOTE, symbols=("A", "B"), identity={"k": "v"}
)
SETTINGS = journal.Settings(ts=Nanos(0), hash="00ff", strategy="metronome", params=b"p")
BUY = Order(
    cid=cid(1), ts=at(1), slot=0, role=Role.ENTRY, side=Side.BUY, type=Type.MARKET, qty=Shares(100), mark=usd(100),
    stop=usd(98), volume=5e4, mode=1,
)  # fmt: skip
STOP = Order(
    cid=cid(2), ts=at(3), slot=0, role=Role.STOP, side=Side.SELL, type=Type.STOP, qty=Shares(100), stop=usd(98),
    volume=5e4, mode=1,
)  # fmt: skip
SELL = Order(
    cid=cid(3), ts=at(6), slot=0, role=Role.EXIT, side=Side.SELL, type=Type.MARKET, qty=Shares(100), volume=5e4, mode=1
)


def seal(n: int, equity: float = 100_000) -> journal.Seal:
    bar = journal.BarRow(0, at(n), 1.0, 2.0, 0.5, 1.5, 9.0, 1, 0)
    return journal.Seal(ts=at(n), bars=(bar,), equity=usd(equity), cash=CASH)


def intent(order: Order) -> journal.Intent:
    return journal.Intent(ts=order.ts, order=order)


def evidence(n: int, seq: int, says: Says, state: str, reason: str = "") -> journal.Evidence:
    return journal.Evidence(ts=at(n), cid=cid(seq), seq=n, says=says, state=state, reason=reason)


def filled(
    order: Order, n: int, qty: int, price: float, state: str, total: int, cash: float, exec_id: str = ""
) -> journal.Filled:
    return journal.Filled(
        ts=at(n), cid=order.cid, seq=n, exec_id=exec_id or f"x{n}", at=at(n), slot=order.slot, role=order.role,
        side=order.side, price=usd(price), qty=Shares(qty), fee=usd(0.5), state=state, filled=Shares(total),
        cash=usd(cash),
    )  # fmt: skip


DECIDED = journal.Decided(
    ts=at(1), slot=0, action=3, side=Side.BUY, mode=1, regime=1, gate=0, stop=usd(98), risk=0.01, scale=1.0, wide=1.0,
    reading={"close": 100.0}, checks=(),
)  # fmt: skip
JUDGED = journal.Judged(ts=at(1), slot=0, entry=True, gate=0, value=0.0, limit=0.0, qty=Shares(100), by_risk=100)
TRIPPED = journal.Tripped(ts=at(4), trip="day_loss", cause="day loss", equity=usd(1), value=0.031, limit=0.03)
RELEASED = journal.Released(ts=at(5), trip="day_loss", by="script", reason="a new session")

# A trade from its decision to its end, in the batches in which it might be written.
STORY: list[list[journal.Row]] = [
    [OPENED, SETTINGS],
    [
        seal(1), DECIDED, JUDGED, journal.Aim(ts=at(1), slot=0, leaving=False, stop=usd(98), mode=1, volume=5e4),
        intent(BUY),
    ],
    [filled(BUY, 2, 40, 100.0, "partial", 40, 95_999.5)],
    [filled(BUY, 3, 60, 100.5, "filled", 100, 89_969), intent(STOP)],
    [TRIPPED, evidence(4, 2, Says.ACCEPTED, "live")],
    [
        journal.Aim(ts=at(5), slot=0, leaving=True, stop=usd(98), mode=1, volume=5e4),
        journal.Canceling(ts=at(5), cid=cid(2), why=Why.LEAVING), RELEASED,
        seal(5, 99_000),
    ],
    [evidence(6, 2, Says.CANCELED, "canceled", "canceled"), intent(SELL)],
    [
        filled(SELL, 7, 100, 101.0, "filled", 100, 100_068.5),
        journal.Closed(
            ts=at(7), slot=0, mode=1, qty=Shares(100), opened=at(2), entry=usd(100.3), exit=usd(101), fees=usd(1.5),
            result=usd(68.5),
        ),
        journal.Aim(ts=at(7), slot=0, leaving=False, stop=Micros(0), mode=1, volume=5e4),
        journal.Odd(ts=at(7), cid=cid(3), seq=8, says=Says.FILL, state="closed"),
        journal.Factors(ts=at(7), sizing=0.5, trail=2.0),
    ],
]  # fmt: skip


def write(store: SQLiteStore, batches: list[list[journal.Row]]) -> None:
    for n, rows in enumerate(batches):
        store.commit(rows, (), tape=n, updates=n)


def begin(store: SQLiteStore, pid: int) -> None:
    store.begin_run(pid=pid, host="h", started=T, version="1", code="c")


def tables(store: SQLiteStore) -> dict[str, list[Any]]:
    names = [n for (n,) in store.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {n: store.db.execute(f"SELECT * FROM {n}").fetchall() for n in names}


def restored(folder: Path, batches: int) -> Restored:
    """What a restart finds after the first batches of the story."""
    with SQLiteStore(folder) as store:
        write(store, STORY[:batches])
    with SQLiteStore(folder) as store:
        return store.restore(500)


def test_every_commit_is_synced_and_written_ahead(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        assert store.db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert store.db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_every_table_is_strict(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        listed = store.db.execute("SELECT name, strict FROM pragma_table_list WHERE type = 'table'").fetchall()
    assert {n for n, strict in listed if not strict} <= {"sqlite_schema", "sqlite_temp_schema"}


def test_the_state_is_the_owners_alone(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "deep" / "state"):
        assert (tmp_path / "deep" / "state").stat().st_mode & 0o777 == 0o700


# -- what comes back


def test_a_new_state_is_empty(tmp_path: Path) -> None:
    assert restored(tmp_path, 0) == Restored(
        opened=None, last=Nanos(0), settings="", cash=Micros(0), positions={}, lives=[], aims={}, intents=0, entries=[],
        drifts=[], fills=0, tape=0, updates=0, states={}, marks={}, seals=[], paused=[], answered=[], blind=False,
        trips=[], rejects=[], trades=[],
    )  # fmt: skip


def test_an_open_order_its_position_and_its_aim_come_back(tmp_path: Path) -> None:
    left = restored(tmp_path, 3)
    assert [(x.order, x.state, x.filled, x.canceling) for x in left.lives] == [(BUY, OrderState.PARTIAL, 40, None)]
    assert left == Restored(
        opened=OPENED,
        last=left.last,
        settings="00ff",
        cash=usd(95_999.5),
        positions={0: Position(qty=40, opened=at(2), bought=40, paid=usd(4000), received=0, fees=usd(0.5))},
        lives=left.lives,
        aims={0: Slot(leaving=False, aim=usd(98), mode=1, volume=5e4, bare=at(2))},
        intents=1,
        entries=[at(1)],
        drifts=[],
        fills=1,
        tape=2,
        updates=2,
        states={},
        marks=left.marks,
        seals=[seal(1)],
        paused=[],
        answered=[],
        blind=False,
        trips=[],
        rejects=[],
        trades=[],
    )


def test_a_stop_that_is_being_canceled_comes_back_with_the_time_of_its_cancel(tmp_path: Path) -> None:
    left = restored(tmp_path, 6)
    assert [(x.order, x.state, x.filled, x.canceling) for x in left.lives] == [(STOP, OrderState.LIVE, 0, at(5))]
    assert left.aims == {0: Slot(leaving=True, aim=usd(98), mode=1, volume=5e4)}
    assert left.positions == {0: Position(qty=100, opened=at(2), bought=100, paid=usd(10_030), fees=usd(1))}


def test_a_cancel_that_was_refused_is_no_longer_awaited(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        write(store, [*STORY[:6], [evidence(6, 2, Says.CANCEL_REJECTED, "live", "no")]])
        assert [x.canceling for x in store.restore(1).lives] == [None]


def test_when_all_is_over_nothing_is_open_and_the_trade_stands(tmp_path: Path) -> None:
    left = restored(tmp_path, len(STORY))
    assert (left.lives, left.positions, left.cash, left.intents, left.fills) == ([], {}, usd(100_068.5), 3, 3)
    assert left.aims == {0: Slot(leaving=False, aim=0, mode=1, volume=5e4)}
    assert left.seals == [seal(1), seal(5, 99_000)]
    with SQLiteStore(tmp_path) as store:
        trades = store.db.execute("SELECT * FROM trades").fetchall()
        trips = store.db.execute('SELECT trip, released, "by", reason FROM trips').fetchall()
    closed = (0, 1, 100, at(2), at(7), usd(100.3), usd(101), usd(1.5), usd(68.5))
    assert [row[1:] for row in trades] == [closed]
    assert trips == [("day_loss", at(5), "script", "a new session")]


def test_open_orders_come_back_oldest_first(tmp_path: Path) -> None:
    orders = [msgspec.structs.replace(BUY, cid=cid(n), slot=n % 2) for n in (9, 3, 7, 1)]
    with SQLiteStore(tmp_path) as store:
        write(store, [[OPENED], [intent(o) for o in orders]])
        assert [x.order for x in store.restore(1).lives] == orders


def test_only_the_last_seals_come_back_oldest_first(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        write(store, [[OPENED], [seal(n) for n in range(1, 8)]])
        assert store.restore(3).seals == [seal(5), seal(6), seal(7)]


def test_states_and_cursors_are_the_newest(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        store.commit([OPENED], [State(name="a", blob=b"1"), State(name="b", blob=b"2", count=3)], 4, 5)
        store.commit([], [State(name="a", blob=b"9", count=1)], 6, 0)
        left = store.restore(1)
    assert left.states == {"a": State(name="a", blob=b"9", count=1), "b": State(name="b", blob=b"2", count=3)}
    assert (left.tape, left.updates) == (6, 5)


def test_fills_after_a_count_are_those_past_it_in_order(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        write(store, STORY)
        assert [list(store.fills_after(n)) for n in range(4)] == [
            [
                traded(BUY, Shares(40), usd(100)), traded(BUY, Shares(60), usd(100.5)),
                traded(SELL, Shares(100), usd(101)),
            ],
            [traded(BUY, Shares(60), usd(100.5)), traded(SELL, Shares(100), usd(101))],
            [traded(SELL, Shares(100), usd(101))],
            [],
        ]  # fmt: skip


# -- all or nothing

FAILING: dict[str, tuple[list[list[journal.Row]], list[journal.Row]]] = {
    "a second seal of one time": (
        STORY[:2],
        [journal.Aim(ts=at(2), slot=1, leaving=True, stop=usd(1), mode=1, volume=5e4), seal(1)],
    ),
    "a second order of one id": (STORY[:2], [seal(2), intent(BUY)]),
    "an execution that was booked": (STORY[:3], [seal(2), filled(BUY, 3, 1, 1.0, "partial", 41, 1, exec_id="x2")]),
    "a second account": (STORY[:2], [seal(2), OPENED]),
    "a number beyond 64 bits": (
        STORY[:2],
        [seal(2), journal.Aim(ts=at(2), slot=0, leaving=False, stop=Micros(2**63), mode=1, volume=5e4)],
    ),
}


@pytest.mark.parametrize("why", FAILING)
def test_a_row_that_cannot_be_projected_leaves_nothing_of_its_commit(tmp_path: Path, why: str) -> None:
    before, rows = FAILING[why]
    with SQLiteStore(tmp_path) as store:
        write(store, before)
        was, seq, head = tables(store), store.seq, store.head
        with pytest.raises((sqlite3.Error, OverflowError)):
            store.commit(rows, [State(name="a", blob=b"1")], 99, 99)
        assert (tables(store), store.seq, store.head) == (was, seq, head)
        store.commit([seal(7)], (), 100, 100)
    with SQLiteStore(tmp_path) as store:
        assert (store.seq, store.restore(1).tape) == (seq + 1, 100)


def test_an_execution_is_booked_once_per_order(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        write(store, STORY[:2])
        store.commit([filled(BUY, 2, 1, 1.0, "partial", 1, 1, exec_id="same")], (), 1, 1)
        with pytest.raises(sqlite3.IntegrityError):
            store.commit([filled(BUY, 3, 1, 1.0, "partial", 2, 1, exec_id="same")], (), 2, 2)
        store.commit([filled(STOP, 4, 1, 1.0, "partial", 1, 1, exec_id="same")], (), 3, 3)
        assert store.restore(1).fills == 2


# -- the journal is the truth


def test_the_tables_are_a_refold_of_the_journal_however_it_was_batched(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "one") as one, SQLiteStore(tmp_path / "two") as two:
        write(one, STORY)
        two.commit([journal.decode(body) for _, _, _, body, _ in one.lines()], (), 7, 7)
        assert tables(two) == tables(one)
        assert (two.seq, two.head) == (one.seq, one.head)


def test_the_journal_has_every_row_in_order_with_its_chain(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        write(store, STORY)
        rows = list(store.lines())
        assert [journal.decode(body) for _, _, _, body, _ in rows] == [row for batch in STORY for row in batch]
        assert [seq for seq, *_ in rows] == list(range(1, store.seq + 1))
        assert (journal.broken(rows), rows[-1][4]) == (None, store.head)


def test_a_reader_sees_what_is_committed_while_the_writer_works(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        write(store, STORY[:4])
        reader = Reader(tmp_path)
        assert reader.head() == (store.seq, store.head.hex())
        store.commit([seal(9)], (), 9, 9)
        assert reader.head() == (store.seq, store.head.hex())
        reader.close()


def test_runs_note_who_wrote_which_rows(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        begin(store, 11)
        write(store, STORY[:2])
    with SQLiteStore(tmp_path) as store:
        begin(store, 12)
        write(store, STORY[2:3])
    runs = query(tmp_path, "SELECT pid, host, started, version, code, first, last, resumed FROM runs")
    assert runs == [(11, "h", T, "1", "c", 1, 7, 0), (12, "h", T, "1", "c", 8, 8, 1)]


def test_a_run_that_was_killed_is_noted_to_its_end_by_the_next(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "killed") as store:
        begin(store, 11)
        write(store, STORY[:2])
        copytree(tmp_path / "killed", tmp_path / "next")
    with SQLiteStore(tmp_path / "next") as store:
        begin(store, 12)
    assert query(tmp_path / "next", "SELECT pid, first, last FROM runs") == [(11, 1, 7), (12, 8, 7)]


def test_the_rows_that_a_run_of_an_older_program_notes_may_not_be_gone(tmp_path: Path) -> None:
    path = filed(tmp_path)
    sql(path, "DELETE FROM cursors WHERE name = 'rows'")
    sql(path, "UPDATE runs SET last = 99")
    rows = sum(map(len, STORY))
    assert refused(tmp_path) == f"{path}: journal rows {rows + 1} to 99 are gone: restore a backup"


READS = {
    "the open orders": (f"SELECT cid FROM orders WHERE {UNSETTLED} AND role = 'stop' ORDER BY n", "orders_open"),
    "a refused entry": ("SELECT reason FROM orders WHERE slot = 1 AND ts = 2 AND state = 'rejected'", "orders_refused"),
    "an order": ("SELECT state FROM orders WHERE cid = 'x'", "sqlite_autoindex_orders_1"),
}


@pytest.mark.parametrize("what", READS)
def test_of_many_orders_some_are_found_without_a_look_at_all(tmp_path: Path, what: str) -> None:
    filed(tmp_path)
    read, index = READS[what]
    ((_, _, _, plan),) = query(tmp_path, f"EXPLAIN QUERY PLAN {read}")
    assert f"USING INDEX {index}" in plan


# -- one writer, and a whole file


def test_a_second_store_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        write(store, STORY[:1])
        with pytest.raises(Busy, match=f"another fluxhero works on {tmp_path}: stop it, or give this one its own"):
            SQLiteStore(tmp_path)
        store.commit([seal(1)], (), 1, 1)
    with SQLiteStore(tmp_path) as store:
        assert store.seq == 3


def refused(folder: Path) -> str:
    """Why this state cannot be opened; and that it is still not locked."""
    with pytest.raises(StoreError) as error:
        SQLiteStore(folder)
    with pytest.raises(StoreError) as again:
        SQLiteStore(folder)
    assert (str(again.value), isinstance(error.value, Busy)) == (str(error.value), False)
    return str(error.value)


def filed(folder: Path) -> Path:
    with SQLiteStore(folder) as store:
        begin(store, 1)
        write(store, STORY)
    return folder / FILE


def sql(path: Path, statement: str, *values: Any) -> None:
    db = sqlite3.connect(path)
    db.execute(statement, values)
    db.commit()
    db.close()


def query(folder: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / FILE)) as db:
        return db.execute(statement).fetchall()


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = filed(tmp_path)
    path.write_bytes(b"this is no database" * 1000)
    assert refused(tmp_path) == (f"{path} is no usable state (file is not a database): restore it from a backup")


@pytest.mark.parametrize("page", [1, 2, 5])
def test_a_damaged_file_is_refused_with_what_to_do_and_left_as_it_is(tmp_path: Path, page: int) -> None:
    path = filed(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: page * 4096] + b"\xa5" * 4096 + whole[(page + 1) * 4096 :])
    before = path.read_bytes()
    why = refused(tmp_path)
    assert str(path) in why
    assert "restore it from a backup" in why
    assert path.read_bytes() == before


def test_a_schema_of_a_newer_program_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = filed(tmp_path)
    sql(path, "PRAGMA user_version = 99")
    assert refused(tmp_path) == f"{path} has schema 99, this program knows up to 6: use the newer program"


ALTER: dict[str, tuple[int, Callable[[Path], None]]] = {
    "body": (5, lambda p: sql(p, "UPDATE journal SET body = ? WHERE seq = 5", journal.encode(seal(3)))),
    "hash": (5, lambda p: sql(p, "UPDATE journal SET hash = ? WHERE seq = 5", bytes(16))),
    "time": (5, lambda p: sql(p, "UPDATE journal SET ts = ts + 1 WHERE seq = 5")),
    "impossible time": (5, lambda p: sql(p, "UPDATE journal SET ts = -1 WHERE seq = 5")),
    "kind": (5, lambda p: sql(p, "UPDATE journal SET kind = 'aim' WHERE seq = 5")),
    "removed": (4, lambda p: sql(p, "DELETE FROM journal WHERE seq = 4")),
}


@pytest.mark.parametrize("how", ALTER)
def test_an_altered_journal_row_is_named_with_what_to_do(tmp_path: Path, how: str) -> None:
    path = filed(tmp_path)
    row, alter = ALTER[how]
    alter(path)
    assert refused(tmp_path) == f"{path}: journal row {row} does not follow from those before it: restore a backup"


def test_a_journal_that_has_lost_its_last_rows_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = filed(tmp_path)
    sql(path, "DELETE FROM journal WHERE seq > 10")
    rows = sum(map(len, STORY))
    assert refused(tmp_path) == f"{path}: journal rows 11 to {rows} are gone: restore a backup"


def test_a_place_that_cannot_hold_a_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file cannot hold a state"):
        SQLiteStore(tmp_path / "file")
