"""The daemon as a process, its venue another: python -m tests.crash.daemon DIR STATE SYMBOLS URL BREACH SPEED.

BREACH is empty, or a way of breaking the protocol on purpose. Without SPEED it is a cradle: it loads all that costs
time and no effect, and forks a daemon for every speed that it reads, so that many lives take little time.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import traceback
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import trio

from fluxhero import logs
from fluxhero.core.calendar import nyse
from fluxhero.feeds import recording
from fluxhero.hosted import Hosting, hosted
from fluxhero.kernel.plug import find, loaded
from fluxhero.kernel.warm import warm
from fluxhero.ports import Ports
from fluxhero.replay import Replay
from fluxhero.runtime import seeded
from fluxhero.runtime.real import HostClock
from fluxhero.store.sqlite import SQLiteStore
from tests.crash import sabotage
from tests.crash.remote import Link, Remote, RemoteWorld

STOPPED, CRASHED = 3, 4  # exit codes: before the end of the tape, and by an exception


async def lives(hosting: Hosting, ports: Ports, link: Link, store: SQLiteStore, kind: type[Remote]) -> bool:
    """The remote's task lives beside the daemon."""
    async with trio.open_nursery() as nursery:
        world = partial(RemoteWorld, link, store, ports.host, nursery, kind)
        finished = await hosted(hosting, dataclasses.replace(ports, world=world))
        nursery.cancel_scope.cancel()
    return finished


def life(replay: Replay, link: Link, breach: str) -> int:
    """Its exit code."""
    with sabotage.STORES.get(breach, SQLiteStore)(replay.directory) as store:
        of = replay.outset()
        of.check(store.restore(1).opened)
        ports, kind = replay.ports(of, store, HostClock()), sabotage.REMOTES.get(breach, Remote)
        return 0 if seeded.run(lives, replay.hosting(of), ports, link, store, kind, seed=0) else STOPPED


def cradle(orders: Iterable[str], replay: Replay, link: Link, breach: str) -> None:
    """Answers a speed with the pid of a new daemon, and anything else with the exit code of the one before."""
    warm(find(replay.config.strategy.name))
    pid = 0
    for order in orders:
        if order[0].isdigit():
            pid = os.fork()
            if not pid:
                _forked(replay, dataclasses.replace(link, speed=float(order)), breach)
            print(pid, flush=True)
        else:
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


def _forked(replay: Replay, link: Link, breach: str) -> None:
    code = CRASHED
    try:
        code = life(replay, link, breach)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def main(folder: str, state: str, symbols: str, url: str, breach: str, *speed: str) -> int:
    logs.configure()
    if breach == "hasty":
        sabotage.hasty()
    request = recording.Request(data=Path(folder), symbols=tuple(symbols.split(",")))
    tape, config = recording.load(request, nyse()), loaded(Path(folder) / "config.toml")
    replay = Replay(recording=tape, request=request, config=config, directory=Path(state))
    link = Link(tape.tape, url, 0.0)
    if speed:
        return life(replay, dataclasses.replace(link, speed=float(speed[0])), breach)
    cradle(sys.stdin, replay, link, breach)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
