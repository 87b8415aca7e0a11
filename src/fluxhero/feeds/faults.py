"""Each way in which a whole file can be unusable: its symbol is left out, with one line that names the file and why."""

from __future__ import annotations

import enum
from pathlib import Path

LONGEST = 400  # characters of a line
ANY, BARS = ("trades", "quotes", "bars"), ("bars",)


class Unusable(Exception):
    """A file or a symbol that cannot be replayed; the message names it, without its folder, and why."""


class Fault(enum.Enum):
    """What is wrong with a file, in which kind of file, and what is said after its name."""

    MISSING = "missing, or a link to nothing", ANY, "does not exist{hint}"
    NO_FILE = "a folder, pipe or device", ANY, "is {what}, no file"
    UNREADABLE = "not to be opened, or to be held in memory", ANY, "cannot be read: {why}"
    EMPTY = "empty", ANY, "is empty, no Parquet file"
    CUT_OFF = "cut off", ANY, "is no readable Parquet file: it begins as one and is cut off; copy it again"
    FORMAT = "another format, Parquet by its name alone", ANY, "is no readable Parquet file: it looks like {what}"
    BROKEN = "broken inside", ANY, "is no readable Parquet file: {why}; copy it again, or write it anew"
    NO_COLUMN = "a column missing", ANY, "has no column {column}; it has {found}"
    SPELLING = "a column spelled otherwise", ANY, "has a column {found}; rename it to {column}"
    TWICE = "a column twice", ANY, "has {count} columns {column}; leave one"
    TYPE = "a column of another type", ANY, "has a column {column} of type {found}; write it as {wanted}"
    UNSORTED = "unsorted", ANY, "is unsorted: row {row} is earlier than the rows before it; sort it by ts"
    UNIT = "times in another unit", ANY, "has no good row: ts looks like {what}; write nanoseconds since 1970 in UTC"
    NO_ROW = "no good row", ANY, "has no good row from {span}{why}"
    QUOTES = "quotes alone", ("quotes",), "holds quotes alone; a replay needs trades or bars"
    NAMELESS = "no timeframe in its name", BARS, "has no timeframe in its name; say it with --input 1m, 5m, 1h or 1d"
    MIDNIGHT = "days at midnight UTC", ("1d",), "has days at midnight UTC; daily bars bear midnight New York"
    FINE = "bars of a finer timeframe", BARS, "holds no {timeframe} bars: most start {apart} apart; {why} of {count}"
    COARSE = "bars of a coarser timeframe", BARS, "holds no {timeframe} bars: most start {apart} apart"
    PLACELESS = "no bar in its place", BARS, "has no bar in its place: {why} of {count}"

    def __init__(self, title: str, kinds: tuple[str, ...], said: str) -> None:
        self.title, self.kinds, self.said = title, kinds, said

    def of(self, path: Path, **words: object) -> Unusable:
        """To be raised."""
        return Unusable(line(f"{path.name} {self.said.format_map(words)}"))


def line(text: str) -> str:
    """One line that any terminal can show, whatever a file brought into it."""
    whole = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    return whole if len(whole) <= LONGEST else whole[:LONGEST] + " …"
