"""Kills a daemon again and again while its venue lives on, and compares the two."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from fluxhero.core.calendar import nyse
from fluxhero.feeds import recording
from tests.crash.checks import Rows, at_rest, when_dead
from tests.crash.letters import Dump
from tests.crash.processes import BOUND, Daemons, Venue
from tests.crash.remote import DEADLINE
from tests.market import write_ticks

STARTING = 0.2  # share of the kills that fall during start-up
AIMED = 0.4  # of the others, share of those while an answer is kept back
COLD, WARM, SPELL = 0.9, 0.2, 0.8  # s: how late the first fall, of both kinds of daemons, and others once it is there
FIRST = date(2024, 3, 26)
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
CONFIG = """
[strategy]
name = "metronome"
[strategy.metronome]
every = {every}
keep = {keep}
[risk]
position_cap = 0.1
stop_step = 0.05
[gates]
spread_max = 5.0
spread_noon = 5.0
volume_floor = 0.0
"""


@dataclass(frozen=True)
class Play:
    """What one daemon and its venue go through."""

    folder: Path
    seed: int
    kills: int
    last: date = FIRST  # of the sessions
    minutes: int = 400  # of each
    speed: float = 1200.0  # market per host time, while it is killed
    every: int = 36  # bars from entry to entry
    keep: int = 10
    breach: str = ""
    slow: float = 0.0  # s by which the venue applies cancels late
    aimed: float = AIMED


@dataclass
class Score:
    seed: int
    kills: int = 0
    starting: int = 0  # kills before the venue had heard from it
    between: int = 0  # kills between an intent's commit and its answer
    orders: int = 0
    again: int = 0  # orders and cancels that came more than once
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)


class Run:
    """One play from beginning to end."""

    def __init__(self, play: Play) -> None:
        self._play, self._chance, self._score = play, random.Random(play.seed), Score(play.seed)
        self._state, self._heads = play.folder / "state", Rows()

    def run(self) -> Score:
        play, began, symbols = self._play, time.monotonic(), ",".join(SYMBOLS)
        errors = play.folder / "errors"
        with (
            Venue(play.folder, symbols, play.seed, play.slow) as venue,
            Daemons(errors, play.folder, self._state, symbols, venue.url, play.breach) as daemons,
        ):
            for _ in range(play.kills):
                if self._score.violations:
                    break
                self._killed(venue, daemons)
            else:
                self._rested(venue, daemons)
        self._score.violations += _tracebacks(errors.read_text())
        self._score.seconds = time.monotonic() - began
        return self._score

    def _killed(self, venue: Venue, daemons: Daemons) -> None:
        starting = self._chance.random() < STARTING
        cold = starting and self._chance.random() < 0.5
        daemons.start(self._play.speed, cold)
        if starting:
            time.sleep(self._chance.uniform(0.0, COLD if cold else WARM))
        else:
            self._wait(venue, daemons.pid)
        at = time.monotonic()
        if (code := daemons.kill()) != -signal.SIGKILL:
            self._score.violations.append(f"the daemon went by itself, exit {code}: a longer tape, or a slower one")
        dump = venue.dump()
        self._count(dump, daemons.pid, at)
        self._score.violations += when_dead(self._state, dump, self._heads)

    def _wait(self, venue: Venue, pid: int) -> None:
        venue.heard(pid)
        if self._chance.random() < self._play.aimed:
            venue.trapped()
        else:
            time.sleep(self._chance.uniform(0.0, SPELL))

    def _count(self, dump: Dump, pid: int, at: float) -> None:
        s = self._score
        s.kills += 1
        s.starting += pid not in dump.heard
        s.between += any(r.pid == pid and at - DEADLINE < r.came < at and not 0.0 < r.left < at for r in dump.receipts)
        s.orders, s.again = len(dump.orders), sum(r.known for r in dump.receipts)

    def _rested(self, venue: Venue, daemons: Daemons) -> None:
        """To the end of the tape, and once more from there."""
        for _ in range(2):
            daemons.start(0.0, cold=False)
            if code := daemons.end():
                self._score.violations.append(f"the daemon did not come to the end of the tape: exit {code}")
                return
        dump = venue.dump()
        self._score.orders = len(dump.orders)
        self._score.violations += at_rest(self._state, dump, self._heads, _events(self._play.folder))
        self._score.violations += self._verified()

    def _verified(self) -> list[str]:
        command = [sys.executable, "-m", "fluxhero", "verify", "--state", str(self._state)]
        config = ["--config", str(self._play.folder / "config.toml")]
        done = subprocess.run([*command, *config], capture_output=True, text=True, timeout=BOUND)
        return [done.stderr] if done.returncode else []


def run(play: Play) -> Score:
    play.folder.mkdir(parents=True)
    for n, symbol in enumerate(SYMBOLS):
        write_ticks(play.folder, symbol, play.seed * 100 + n, FIRST, play.last, per=6, minutes=play.minutes)
    (play.folder / "config.toml").write_text(CONFIG.format(every=play.every, keep=play.keep))
    return Run(play).run()


def _events(folder: Path) -> int:
    return len(recording.load(recording.Request(data=folder, symbols=SYMBOLS), nyse()).tape)


def _tracebacks(errors: str) -> list[str]:
    return [errors[errors.index("Traceback") :][:4000]] if "Traceback" in errors else []
