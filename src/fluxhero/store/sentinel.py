"""The file `halt` in the state directory: it halts us, whoever wrote it, and has what the journal could not be told."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from fluxhero.core import journal

FILE = "halt"

log = structlog.get_logger()


class HaltFile:
    """Lines: why, once; then rows, each as hex after `row `. Not synced: it must not wait where the journal does."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE

    def read(self) -> tuple[str, list[bytes]] | None:
        try:
            lines = self._path.read_text(errors="replace").splitlines()
        except OSError:
            return None
        rows = []
        for line in lines:
            with suppress(ValueError):
                rows += [bytes.fromhex(line.removeprefix("row "))] if line.startswith("row ") else []
        why = next((line for line in lines if line.strip() and not line.startswith("row ")), "")
        return why[:200] or f"the file {self._path.name}", rows

    def write(self, why: str, rows: Sequence[journal.Row] = ()) -> None:
        lines = [""] if self._path.exists() else [why]  # the last line may lack its end
        lines += [f"row {journal.encode(row).hex()}" for row in rows]
        try:
            with self._path.open("a") as file:
                file.write("".join(f"{line}\n" for line in lines))
        except OSError as e:
            log.error("the halt could not be written down", file=str(self._path), error=str(e))

    def kept(self) -> None:
        """The journal has the rows."""
        stands, new = self.read(), self._path.with_suffix(".new")
        if stands and stands[1]:
            with suppress(OSError):
                new.write_text(f"{stands[0]}\n")
                new.replace(self._path)

    def clear(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
