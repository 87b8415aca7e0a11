"""Market data in Parquet files: found, read, and freed of rows that cannot be."""

from __future__ import annotations

import enum
import glob
import hashlib
import re
import stat
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fluxhero.feeds import columns
from fluxhero.feeds.faults import Fault
from fluxhero.feeds.faults import Unusable as Unusable
from fluxhero.feeds.rows import ROWS, Columns, sift
from fluxhero.messages import Array

MAGIC = b"PAR1"
HEAD, SHORTEST = 200, 12  # bytes: to tell a format by, and of the smallest Parquet file
TEXT = frozenset(b"\t\r\n" + bytes(range(32, 127)))
FORMATS = {
    b"ARROW1": "Arrow (Feather)",
    b"FEA1": "Feather",
    b"PARE": "encrypted Parquet",
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4",
    b"ORC": "ORC",
    b"Obj\x01": "Avro",
    b"\x89HDF": "HDF5",
    b"SQLite format 3": "an SQLite database",
    b"version https://git-lfs": "a Git LFS pointer; fetch what it points to",
    b"<": "HTML or XML",
    b"{": "JSON",
    b"[": "JSON",
}
SPECIAL = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Timeframe(enum.StrEnum):
    M1 = "1m"
    M5 = "5m"
    H1 = "1h"
    D1 = "1d"

    @property
    def minutes(self) -> int:
        return {"1m": 1, "5m": 5, "1h": 60, "1d": 1440}[self.value]


class File(msgspec.Struct):
    """One file's good rows, and how many of its rows were refused, by reason."""

    path: Path
    kind: str
    rows: Columns
    refused: Counter[str]
    digest: str


def read(path: Path, kind: str | None = None) -> File:
    """The columns that we act on, finite and possible, in file order; without a kind, of the kind that its columns
    show. Raises Unusable.
    """
    content = _content(path)
    try:
        file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
        kind = kind or columns.kind_of(file.schema_arrow)
        casts = columns.chosen(file.schema_arrow, kind, path)
        table = file.read(columns=list(casts))
        rows = {name: cast(table.column(name)) for name, cast in casts.items()}
    except (OSError, pa.ArrowException, UnicodeDecodeError) as e:
        raise Fault.BROKEN.of(path, why=(str(e).splitlines() or [type(e).__name__])[0][:200]) from None
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    _sorted(rows["ts"], path)
    good, refused = sift(ROWS, kind, rows)
    return File(path, kind, good, refused, digest)


def timeframe_of(path: Path) -> Timeframe | None:
    """The timeframe in a file's name, as in SPY_1m-2013.parquet."""
    found = re.search(r"_(1m|5m|1h|1d)(?=[-._]|$)", path.stem)
    return Timeframe(found[1]) if found else None


def _content(path: Path) -> bytes:
    """A whole file that begins and ends as Parquet does."""
    try:
        status = path.stat()  # before it is opened: to open a pipe is to wait for its writer
        if special := SPECIAL.get(stat.S_IFMT(status.st_mode)):
            raise Fault.NO_FILE.of(path, what=special)
        with path.open("rb") as file:
            _parquet(path, file, status.st_size)
            return file.read()
    except FileNotFoundError:
        raise Fault.MISSING.of(path, hint=_beside(path)) from None
    except OSError as e:
        raise Fault.UNREADABLE.of(path, why=e.strerror) from None
    except MemoryError:
        raise Fault.UNREADABLE.of(path, why="it does not fit in memory") from None


def _parquet(path: Path, file: BinaryIO, size: int) -> None:
    """By its first and last bytes; whatever else it is, it is not read."""
    head = file.read(HEAD)
    file.seek(max(0, size - len(MAGIC)))
    tail = file.read(len(MAGIC))
    file.seek(0)
    if not head:
        raise Fault.EMPTY.of(path)
    if not head.startswith(MAGIC):
        raise Fault.FORMAT.of(path, what=_format(head))
    if tail != MAGIC or size < SHORTEST:
        raise Fault.CUT_OFF.of(path)


def _format(head: bytes) -> str:
    text = all(byte in TEXT for byte in head)
    known = (name for magic, name in FORMATS.items() if head.startswith(magic))
    return next(known, "text, CSV perhaps" if text else "nothing that is known")


def _beside(path: Path) -> str:
    """What else there is of the symbol."""
    symbol = path.name.split("_")[0]
    others = sorted(p.name for p in path.parent.glob(f"{glob.escape(symbol)}_*.parquet") if p != path)
    return f"; there is {', '.join(others)}, see --input and --file" if others else ""


def _sorted(ts: Array, path: Path) -> None:
    timed = np.flatnonzero(ts > 0)
    back = np.flatnonzero(np.diff(ts[timed]) < 0)
    if back.size:
        raise Fault.UNSORTED.of(path, row=timed[back[0] + 1])
