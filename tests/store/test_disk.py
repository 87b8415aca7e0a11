"""The journal on a disk that fills up, or fails."""

import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fluxhero.core import journal
from fluxhero.messages import Cid, Nanos, Says
from fluxhero.store.reserve import FILE as RESERVE
from fluxhero.store.sqlite import FILE, FOLD, SQLiteStore, StoreError


def row(n: int) -> journal.Row:
    return journal.Odd(ts=Nanos(n), cid=Cid(str(n)), seq=n, says=Says.ACCEPTED, state="x" * 100)


def kept(store: SQLiteStore) -> tuple[int, int]:
    """Rows of the journal, and the place in the tape."""
    (rows,) = store.db.execute("SELECT count(*) FROM journal").fetchone()
    (tape,) = store.db.execute("SELECT position FROM cursors WHERE name = 'tape'").fetchone()
    return rows, tape


@contextmanager
def failing(path: Path) -> Iterator[None]:
    """No file of ours can grow past what this one has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_after_an_error_of_the_disk_nothing_is_written_until_the_file_is_opened_anew(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        store.commit([row(1)], (), 1, 0)
        head = store.head
        with failing(tmp_path / f"{FILE}-wal"), pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
            store.commit([row(n) for n in range(1000)], (), 2, 0)
        failed = r"fluxhero\.sqlite: the disk has failed \(disk I/O error\): see to it"
        with pytest.raises(StoreError, match=failed):
            store.commit([row(2)], (), 2, 0)
        with pytest.raises(StoreError, match=failed):
            store.fold()
        assert (store.seq, store.head, kept(store)) == (1, head, (1, 1))
    with SQLiteStore(tmp_path) as store:
        assert (store.seq, store.head, kept(store)) == (1, head, (1, 1))
        store.commit([row(2)], (), 2, 0)
        assert kept(store) == (2, 2)


def test_a_full_disk_takes_rows_again_when_there_is_room(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path) as store:
        store.commit([row(1)], (), 1, 0)
        (pages,) = store.db.execute("PRAGMA page_count").fetchone()
        store.db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            store.commit([row(n) for n in range(1000)], (), 2, 0)
        store.db.execute(f"PRAGMA max_page_count = {pages + 1000}")
        store.commit([row(2)], (), 2, 0)
        assert (store.seq, kept(store)) == (2, (2, 2))


def test_the_log_is_folded_in_once_it_is_long(tmp_path: Path) -> None:
    sizes = list[int]()
    with SQLiteStore(tmp_path) as store:
        for n in range(1, FOLD + 1):
            store.commit([row(n)], (), n, 0)
            store.fold()
            sizes.append((tmp_path / FILE).stat().st_size)
    assert len(set(sizes[:-1])) == 1
    assert sizes[-1] > sizes[0]


def test_on_a_full_disk_the_reserve_is_given_up_and_the_rows_are_taken(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path, reserve=2**20) as store:
        assert (tmp_path / RESERVE).stat().st_size == 2**20
        full = sqlite3.OperationalError("database or disk is full")
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        assert (store.reserve.helps(full), store.reserve.helps(full)) == (True, False)
        assert not (tmp_path / RESERVE).exists()


def test_a_disk_that_is_full_takes_what_the_reserve_leaves_room_for(tiny: Path) -> None:
    """A file system of 4 MB, full but for the reserve."""
    with SQLiteStore(tiny, reserve=300_000) as store:
        store.commit([row(1)], (), 1, 0)
        _fill(tiny / "ballast")
        n = 1
        while (tiny / RESERVE).exists():
            store.commit([row(n := n + 1)], (), n, 0)
        assert kept(store) == (n, n)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    at = tmp_path / "tiny"
    at.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", at], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    yield at
    subprocess.run(["umount", "-l", at], check=True)
