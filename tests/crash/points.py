"""An hour in processes of their own, each of which kills itself before one of its effects; another then finishes it.

python -m tests.crash.points DATA DRAWN SEED: draws so many deaths (0: every one) of each model, and prints a line of
JSON for each. The processes are forked off one that has loaded all modules, data and kernel, and no more.
FLUX_KILL_AT=n python -m tests.crash.points DATA STATE MODEL: one process.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from fluxhero.cli import main as fluxhero
from fluxhero.kernel.plug import find
from fluxhero.kernel.warm import warm
from fluxhero.outset import Outset
from fluxhero.ports import Host, Ports
from fluxhero.replay import Replay
from fluxhero.store.sqlite import SQLiteStore
from fluxhero.store.venue import VenueLedger
from tests.simulation import hour as an
from tests.simulation.fence import Border, guarded
from tests.simulation.surviving import Fate, copied

TABLES = ("journal", "orders", "fills", "positions", "trades", "equity", "decisions", "trips", "account")
RECOVERY = 100  # effects
FRESH = 15  # effects of an account's first moments


class Died(msgspec.Struct, frozen=True, kw_only=True):
    """One death, or two in a row, and what the process after them came to."""

    model: str
    points: tuple[int, ...]
    effects: tuple[str, ...]  # before which it died
    wrong: tuple[str, ...]


class Doomed(Replay, frozen=True, kw_only=True):
    border: Any

    def ports(self, of: Outset, store: SQLiteStore, host: Host | None = None) -> Ports:
        commit: Callable[..., None] = VenueLedger.commit

        def crossing(*args: Any, **kwargs: Any) -> None:
            self.border.cross("ledger.commit")
            commit(*args, **kwargs)

        VenueLedger.commit = crossing  # type: ignore[method-assign]
        return guarded(super().ports(of, store, host), self.border)


def life(replay: Replay, n: int, tell: Callable[[str], None]) -> None:
    """To the end, or to before the n-th effect; `tell`: that effect, or all of them at the end."""

    def kill() -> None:
        tell(border.crossed[-1])
        os.kill(os.getpid(), signal.SIGKILL)

    border = Border(n, kill)
    Doomed(**msgspec.structs.asdict(replay), border=border).main()
    tell(",".join(border.crossed))


def forked(replay: Replay, n: int) -> tuple[bool, list[str]]:
    """Was it killed? And what it told."""
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        code = 1
        try:
            os.close(ours)
            life(replay, n, lambda told: _write(theirs, told))
            code = 0
        finally:
            os._exit(code)
    os.close(theirs)
    with open(ours, encoding="utf-8") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise RuntimeError(f"a process that was to die before effect {n} failed: see its stderr")
    return os.WIFSIGNALED(status), told.split(",")


def _write(to: int, told: str) -> None:
    with open(to, "w", encoding="utf-8", closefd=False) as pipe:
        pipe.write(told)


def tables(state: Path) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(state / "fluxhero.sqlite")) as db:
        return {name: db.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in TABLES}


def wrong(state: Path, whole: dict[str, list[tuple[Any, ...]]]) -> Iterator[str]:
    found = tables(state)
    yield from (f"{name} is another" for name in TABLES if found[name] != whole[name])
    for file in ("fluxhero.sqlite", "venue.sqlite"):
        with closing(sqlite3.connect(state / file)) as db:
            if db.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                yield f"{file} is damaged"
    if fluxhero(["verify", "--state", str(state)]) != 0:
        yield "verify"


def died(data: Path, model: str, base: Path | None, points: Sequence[int], whole: dict[str, Any]) -> Died:
    state = data / "killed"
    if base:
        copied(base, state)
    replay, effects = an.stage(data, state, model), list[str]()
    for n in points:
        killed, told = forked(replay, n)
        effects += told if killed else []
    forked(replay, 0)
    found = tuple(wrong(state, whole))
    shutil.rmtree(state)
    return Died(model=model, points=tuple(points), effects=tuple(effects), wrong=found)


def drawn(effects: Sequence[str], often: int, chance: random.Random) -> Iterator[tuple[int, ...]]:
    """Each third time it dies again while it recovers."""
    for i, n in enumerate(islice(an.drawn(effects, Fate.DIES, chance), often)):
        yield (n, chance.randrange(1, RECOVERY)) if i % 3 == 2 else (n,)


def campaign(data: Path, often: int, seed: str) -> Iterator[Died]:
    warm(find("metronome"))
    for model in an.MODELS:
        an.market(data, model)
        chance, base = random.Random(f"{seed}/{model}"), an.begun(data, model)
        _, effects = forked(an.stage(data, copied(base, data / f"{model}-whole"), model), 0)
        whole = tables(data / f"{model}-whole")
        for n in [chance.randrange(1, FRESH)] if often else range(1, FRESH):
            yield died(data, model, None, (n,), whole)
        every = ((n,) for n in an.points(effects, Fate.DIES))
        for points in drawn(effects, often - 1, chance) if often else every:
            yield died(data, model, base, points, whole)


def main(data: str, what: str, then: str) -> None:
    at = os.environ.get("FLUX_KILL_AT")
    if at is not None:
        life(an.stage(Path(data), Path(what), then), int(at), print)
        return
    for one in campaign(Path(data), int(what), then):
        print(msgspec.json.encode(one).decode(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
