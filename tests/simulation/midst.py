"""A day of `metronome` in which something happens to an order every minute, and the states that it leaves: a run can
begin in the midst of it.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from fluxhero.config import Config, Strategy
from fluxhero.feeds.tape import Tape
from fluxhero.kernel.plug import settled
from fluxhero.messages import MINUTE, SECOND, Event, Nanos
from fluxhero.replay import Replay
from fluxhero.store.sqlite import FILE
from tests.market import FIRST, write_bars
from tests.simulation import hour as an
from tests.simulation.surviving import copied, played

EVERY, KEEP = 6, 4  # minutes from entry to entry, and that a position is kept
SEED = 58  # of ticks that chase, bite, stop out, move and leave, and by which nothing trips
REST, BURST, SIZES = (17, 37, 57), (10, 40, 70, 120, 400), (40, 100, 300)  # s and ms after a minute; shares
PACE = 20.0  # of the lives that leave a state, so that they commit what has happened
MEMORY = Path("/dev/shm")


@contextmanager
def memory() -> Iterator[Path]:
    """A folder that syncs in no time, if there is such."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as folder:
        yield Path(folder)


class Cut:
    """A tape, but for what comes after `end` events."""

    def __init__(self, tape: Tape, end: int) -> None:
        self._tape, self.ts = tape, tape.ts[:end]

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def last(self) -> Nanos:
        return Nanos(int(self.ts[-1]))

    def events(self, start: int) -> Iterator[Event]:
        return islice(self._tape.events(start), max(0, len(self) - start))

    def resume(self, cursor: int) -> int:
        return self._tape.resume(cursor)


class Day:
    """One model's."""

    def __init__(self, folder: Path, model: str) -> None:
        self.model, self.folder = model, folder / model
        self.folder.mkdir()
        self._replay = self._staged()
        self.tape = self._replay.recording.tape
        self._left: list[tuple[int, Path]] = []  # how far each state has seen the tape
        self._next = Nanos(an.BEGINS - 10 * SECOND)  # nothing is under way so late in a minute

    def indices(self, first: Nanos, last: Nanos) -> list[int]:
        """Of the events of [first, last)."""
        return [n for n, ts in enumerate(self.tape.ts) if first <= ts < last]

    def whole(self, state: Path) -> Replay:
        """From its beginning, or from what the state has seen, to its end."""
        return self._with(directory=state)

    def at(self, n: int, last: Nanos, state: Path, speed: float = 0.0) -> Replay:
        """From the newest state before event `n`, copied to `state`, to the last event before that time."""
        cut: Any = Cut(self.tape, int(self.tape.ts.searchsorted(last)))
        self.begun(n, state)
        return self._with(
            directory=state, speed=speed, recording=msgspec.structs.replace(self._replay.recording, tape=cut)
        )

    def begun(self, n: int, state: Path) -> Path:
        """A copy of the newest state from before event `n`."""
        return copied(self._newest(n), state)

    def _newest(self, n: int) -> Path:
        while self._next <= self.tape.ts[n] or not self._left:
            self._live_on()
        return next(state for seen, state in reversed(self._left) if seen <= n)

    def _live_on(self) -> None:
        """Another minute, from the newest state."""
        state = self.folder / str(self._next)
        if self._left:
            copied(self._left[-1][1], state)
        played(self._with(directory=state, speed=PACE), until=self._next)
        with closing(sqlite3.connect(state / FILE)) as db:
            (seen,) = db.execute("SELECT position FROM cursors WHERE name = 'tape'").fetchone()
        self._left.append((seen, state))
        self._next = Nanos(self._next + MINUTE)

    def _staged(self) -> Replay:
        for n, symbol in enumerate(an.MODELS[self.model]):
            if self.model == "bar":
                write_bars(self.folder, symbol, n, last=FIRST, minutes=an.WARM + an.HOUR)
            else:
                an.ticks(self.folder, symbol, SEED + n, REST, BURST, SIZES)
        tables = {"metronome": {"every": EVERY, "keep": KEEP}}
        config = settled(Config(strategy=Strategy(name="metronome", tables=tables)))
        return msgspec.structs.replace(an.stage(self.folder, self.folder, self.model), config=config)

    def _with(self, **changed: Any) -> Replay:
        return msgspec.structs.replace(self._replay, **changed)
