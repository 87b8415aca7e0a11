"""Room on the disk that is kept for the day when there is none: given up, the journal goes on with it for a while."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

FILE = "reserve"


class Reserve:
    def __init__(self, directory: Path, size: int) -> None:
        """Bytes; 0: none. Where there is no room for it now, there is none."""
        self._path = directory / FILE
        disk = os.statvfs(directory)
        if size and not self._path.exists() and disk.f_bavail * disk.f_frsize > 10 * size:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.posix_fallocate(file, 0, size)
            finally:
                os.close(file)

    def around(self, write: Callable[[], None]) -> None:
        """A transaction; where the disk is full, once more with the reserve."""
        try:
            write()
        except sqlite3.Error as e:
            if not self.helps(e):
                raise
            write()

    def helps(self, error: BaseException) -> bool:
        """Is it a full disk, and was there something to give up? Then what failed may be tried again."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_FULL or not self._path.exists():
            return False
        import structlog  # whoever only reads needs none

        self._path.unlink()
        structlog.get_logger().error("the disk is full: the reserve is given up; make room now", file=str(self._path))
        return True
