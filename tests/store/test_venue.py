import sqlite3
from pathlib import Path

import pytest

from fluxhero.exchange.matching import Snapshot
from fluxhero.messages import Cid, Micros, Nanos, Says, Shares, Update
from fluxhero.store.sqlite import StoreError
from fluxhero.store.venue import FILE, VenueLedger

T = Nanos(1_711_461_600_000_000_000)


def said(seq: int) -> Update:
    return Update(
        seq=seq, ts=Nanos(T + seq), cid=Cid(f"fh-test-0-{seq}-0"), says=Says.FILL, exec_id=f"x{seq}", at=T,
        price=Micros(100_010_000), qty=Shares(seq), fee=Micros(5_000), reason="so",
    )  # fmt: skip


def state(n: int) -> Snapshot:
    return Snapshot(cash=n, positions={n: 7}, seen={n: [1, 2]}, seq=n)


def ledger(folder: Path, heard: int = 0, fresh: bool = False) -> VenueLedger:
    return VenueLedger(folder, heard, fresh)


def arrivals(one: VenueLedger) -> set[str]:
    """What has arrived, of all the keys that are used here."""
    return {key for key in ("a", "b", "c", "k", "new") if one.arrived(key)}


def whole(folder: Path) -> tuple[int, Snapshot | None, set[str], list[tuple[int | None, Update]]]:
    """All that a ledger knows, from its file."""
    found = ledger(folder)
    known = found.cursor, found.state, arrivals(found), found.after(0)
    found.close()
    return known


def test_a_new_ledger_knows_nothing(tmp_path: Path) -> None:
    assert whole(tmp_path) == (0, None, set(), [])


def test_what_was_committed_comes_back(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    one.commit(state(1), 3, ("a",), [said(1), said(2)], None)
    one.commit(state(2), 8, ("b", "c"), [said(3)], 7)
    one.commit(state(3), 9, (), (), None)
    assert (one.cursor, arrivals(one)) == (9, {"a", "b", "c"})
    one.close()
    updates = [(None, said(1)), (None, said(2)), (7, said(3))]
    assert whole(tmp_path) == (9, state(3), {"a", "b", "c"}, updates)


def test_after_gives_the_updates_past_a_number_in_order_with_the_event_that_caused_each(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    one.commit(state(9), 1, (), [said(1)], 0)
    one.commit(state(9), 1, ("k",), [said(2)], None)
    one.commit(state(9), 6, (), [said(3), said(4)], 5)
    everything = [(0, said(1)), (None, said(2)), (5, said(3)), (5, said(4))]
    assert [one.after(seq) for seq in range(5)] == [everything[seq:] for seq in range(5)]
    one.close()


def test_every_commit_is_synced_and_written_ahead(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    db = one._db
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    one.close()


@pytest.mark.parametrize(
    ("arrived", "updates"), [(("new", "a"), [said(2)]), (("new",), [said(2), said(1)])], ids=["arrival", "update"]
)
def test_a_commit_that_fails_leaves_nothing_and_the_ledger_can_be_used_and_closed(
    tmp_path: Path, arrived: tuple[str, ...], updates: list[Update]
) -> None:
    one = ledger(tmp_path)
    one.commit(state(1), 3, ("a",), [said(1)], None)
    with pytest.raises(sqlite3.IntegrityError):
        one.commit(state(2), 4, arrived, updates, 3)
    assert (one.cursor, arrivals(one)) == (3, {"a"})
    assert whole(tmp_path) == (3, state(1), {"a"}, [(None, said(1))])
    one.commit(state(3), 5, ("b",), [said(2)], 4)
    one.close()
    assert whole(tmp_path) == (5, state(3), {"a", "b"}, [(None, said(1)), (4, said(2))])


def test_a_file_that_is_no_database_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"this is no database" * 1000)
    with pytest.raises(StoreError) as error:
        ledger(tmp_path)
    assert str(tmp_path / FILE) in str(error.value)
    assert "restore it from a backup" in str(error.value)


def test_a_schema_of_a_newer_program_is_refused_with_what_to_do(tmp_path: Path) -> None:
    ledger(tmp_path).close()
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError) as error:
        ledger(tmp_path)
    assert str(error.value) == (f"{tmp_path / FILE} has schema 99, this program knows up to 1: use the newer program")


def test_a_ledger_that_has_not_said_what_was_heard_is_refused(tmp_path: Path) -> None:
    one = ledger(tmp_path)
    one.commit(state(1), 3, ("a",), [said(1), said(2)], None)
    one.close()
    ledger(tmp_path, heard=2).close()
    with pytest.raises(StoreError, match="does not belong to the journal beside it: it has said 2 things, and the"):
        ledger(tmp_path, heard=3)


def test_a_ledger_that_knows_orders_of_an_account_just_opened_is_refused(tmp_path: Path) -> None:
    ledger(tmp_path, fresh=True).close()
    one = ledger(tmp_path)
    one.commit(state(1), 3, ("a",), [], None)
    one.close()
    with pytest.raises(StoreError, match=r"venue\.sqlite does not belong to the journal beside it"):
        ledger(tmp_path, fresh=True)
