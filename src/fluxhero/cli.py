"""The commands. Imports are lazy: `fluxhero ctl` needs no numba and no pyarrow."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from fluxhero import __version__
from fluxhero.operate import places
from fluxhero.operate.exits import BUSY, CONFIG, DIFFERS, GAVE_UP, NO_INPUT, OK, USAGE

if TYPE_CHECKING:
    import sqlite3

Do = Callable[[argparse.Namespace], int]

INTERRUPTED = 128 + signal.SIGINT  # as a shell has it


def main(argv: list[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    args = _parser(words[0] if words and words[0] in COMMANDS else "").parse_args(words)
    do: Do = args.do
    return do(args)


def _parser(only: str = "") -> argparse.ArgumentParser:
    """Of all commands, or of one: the others' modules are then not loaded."""
    parser = argparse.ArgumentParser(prog="fluxhero", description="An unattended trading daemon for one person.")
    parser.add_argument("--version", action="version", version=f"fluxhero {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (about, prepare) in COMMANDS.items():
        if only in ("", name):
            command = commands.add_parser(name, help=about)
            command.set_defaults(do=prepare(command))
    return parser


def _for_ctl(p: argparse.ArgumentParser) -> Do:
    from fluxhero.operate import client

    client.arguments(p)
    return client.run


def _for_config(p: argparse.ArgumentParser) -> Do:
    commands = p.add_subparsers(dest="cmd", required=True, metavar="COMMAND")
    show = commands.add_parser("show", help="every key with its value, unit, range and meaning")
    show.add_argument("--json", action="store_true", help="print them as one JSON object")
    commands.add_parser("check", help="is the file good?")
    for command in commands.choices.values():
        command.add_argument("--config", type=Path, metavar="FILE", help="a config.toml (default: the defaults)")
    return _config


def _config(args: argparse.Namespace) -> int:
    from fluxhero.operate import configure

    return configure.run(args)


def _for_monitoring(p: argparse.ArgumentParser) -> Do:
    from fluxhero.operate import monitoring

    monitoring.arguments(p)
    return monitoring.run


def _for_warm(p: argparse.ArgumentParser) -> Do:
    p.add_argument("--config", type=Path, metavar="FILE", help="for its own strategy too")
    p.add_argument("--half", type=int, choices=[0, 1], help=argparse.SUPPRESS)
    return _warm


def _for_verify(p: argparse.ArgumentParser) -> Do:
    p.add_argument("--state", type=Path, metavar="DIR", help="default: the daemon's")
    p.add_argument("--config", type=Path, metavar="FILE", help="that names an own strategy")
    return _verify


def _for_run(p: argparse.ArgumentParser) -> Do:
    p.add_argument("--config", type=Path, metavar="FILE", help="a config.toml (default: the defaults)")
    p.add_argument("--state", type=Path, metavar="DIR", help="keep and resume here (default: $STATE_DIRECTORY, or XDG)")
    p.add_argument("--for", dest="seconds", type=_duration, metavar="DURATION", help="stop after 90s, 15m or 2h")
    return _run


def _for_replay(p: argparse.ArgumentParser) -> Do:
    from fluxhero.lab import arguments

    arguments.recorded(p)
    p.add_argument("--input", default="auto", choices=["auto", "ticks", *arguments.BARS], help="auto: ticks, or 1m")
    p.add_argument("--model", default="auto", choices=["auto", "bar", "quote"], help="how the venue fills")
    p.add_argument("--speed", default=0.0, type=_speed, metavar="N|max", help="market per host time (max)")
    p.add_argument("--state", type=Path, metavar="DIR", help="keep and resume here (default: a fresh temporary one)")
    p.add_argument("--out", type=Path, metavar="DIR", help="write the tables as Parquet, and summary.json")
    arguments.shown(p)
    return _replay


def _for_lab(name: str, module: str = "commands") -> Callable[[argparse.ArgumentParser], Do]:
    """One that is done by the function of its name in a module of the lab."""

    def prepare(p: argparse.ArgumentParser) -> Do:
        from fluxhero.lab import arguments

        arguments.COMMANDS[name](p)
        return partial(_lab, name, module)

    return prepare


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    speed = float(text)
    if not 0.0 < speed < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1e9, nor max")
    return speed


def _duration(text: str) -> float:
    found = re.fullmatch(r"([0-9]+(?:[.][0-9]+)?)([smhd])", text)
    if not found or float(found[1]) == 0.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration, such as 90s, 15m, 2h or 1d")
    return float(found[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]]


def _run(args: argparse.Namespace) -> int:
    from fluxhero import logs
    from fluxhero.hosted import endings
    from fluxhero.kernel.plug import loaded
    from fluxhero.service import Service

    logs.configure()
    for number in endings():  # until it listens itself there is nothing that could not be cut off
        signal.signal(number, lambda *_: os._exit(OK))

    def run() -> int:
        config = loaded(args.config)
        directory = args.state or places.state()
        service = Service(config=config, directory=directory, socket=places.socket(args.state), seconds=args.seconds)
        return NO_INPUT if service.main() else OK

    return _guarded(run)


def _warm(args: argparse.Namespace) -> int:
    from fluxhero.operate import warming

    return _guarded(lambda: warming.run(args.config, args.half))


def _kernel(db: sqlite3.Connection, config: Path | None) -> str:
    """Are the kernel's rows what the journal makes of them? What to say where that cannot be told."""
    from fluxhero.kernel.plug import find, loaded
    from fluxhero.store.reckon import Difference
    from fluxhero.store.recount import differs
    from fluxhero.store.sqlite import StoreError

    own = find(loaded(config).strategy.name) if config else None
    try:
        wrong = differs(db, own)
    except StoreError as e:
        return f" (but the kernel's rows were not computed again: {e})"
    if wrong:
        raise Difference(wrong)
    return ""


def _verify(args: argparse.Namespace) -> int:
    from fluxhero.store import counterparty, refold
    from fluxhero.store.queries import Reader
    from fluxhero.store.reckon import Difference

    def run() -> int:
        directory = args.state or places.found_state()
        with ExitStack() as opened:
            reader = opened.enter_context(closing(Reader(directory)))
            venue = counterparty.beside(directory)
            if venue:
                opened.enter_context(closing(venue))
            reader.db.execute("BEGIN")  # all of it as of one commit: a daemon may be writing
            try:
                refold.check(reader.db, venue)
                beside = _kernel(reader.db, args.config)
            except Difference as e:
                return _fail(f"{e}: restore a backup", DIFFERS)
            rows, head = reader.head()
        said = ", and the venue has said what it says" if venue else ""
        print(f"{rows:,} rows, each follows from those before it, and all tables from them{said}{beside}; hash {head}")
        return OK

    return _guarded(run)


def _guarded(run: Callable[[], int | None]) -> int:
    """What a command came to as an exit code, its failure in one line."""
    from fluxhero.config import ConfigError
    from fluxhero.runtime.listen import Unlistenable
    from fluxhero.runtime.supervise import GaveUp
    from fluxhero.store.sqlite import Busy, OtherState, StoreError

    try:
        return run() or OK
    except (ConfigError, OtherState, Unlistenable) as e:
        return _fail(e, CONFIG)
    except Busy as e:
        return _fail(e, BUSY)
    except (StoreError, GaveUp) as e:
        return _fail(e, GAVE_UP)


def _tried(args: argparse.Namespace, run: Callable[[], int | None]) -> int:
    """Likewise, of what reads recorded data, or accounts as the lab does."""
    from fluxhero.feeds.files import Unusable
    from fluxhero.lab.arguments import Contradiction, Differs, Empty, Unwritable

    try:
        return _guarded(run)
    except Contradiction as e:
        return _fail(e, USAGE)
    except Unusable as e:
        return _fail(f"no usable input in {args.data}: {e}", NO_INPUT)
    except Empty as e:
        return _fail(e, NO_INPUT)
    except Differs as e:
        return _fail(e, DIFFERS)
    except Unwritable as e:
        return _fail(e, GAVE_UP)
    except KeyboardInterrupt:
        return _fail("interrupted", INTERRUPTED)


def _lab(name: str, module: str, args: argparse.Namespace) -> int:
    if "state" in args:
        args.state = args.state or places.found_state()
    do = getattr(import_module(f"fluxhero.lab.{module}"), name)
    return _tried(args, lambda: do(args))


def _replay(args: argparse.Namespace) -> int:
    from fluxhero import logs

    logs.configure()
    return _tried(args, lambda: _replayed(args))


def _replayed(args: argparse.Namespace) -> None:
    import tempfile

    from fluxhero.core.calendar import nyse
    from fluxhero.feeds import recording
    from fluxhero.kernel.plug import loaded
    from fluxhero.lab import arguments
    from fluxhero.messages import Model
    from fluxhero.replay import Replay
    from fluxhero.store.parquet import ParquetStore

    request = arguments.request(args, None if args.model == "auto" else Model(args.model))
    config = loaded(args.config, args.strategy)
    arguments.writable(args.html)
    tape = recording.load(request, nyse())
    for symbol, why in tape.left_out.items():
        print(f"left out {symbol}: {why}", file=sys.stderr)
    if args.out:
        ParquetStore(args.out)  # before the run rather than after it, should that be impossible
    directory = args.state or Path(tempfile.mkdtemp(prefix="fluxhero-"))
    if not args.state:
        print(f"state: {directory}", file=sys.stderr)
    replay = Replay(
        recording=tape, request=request, config=config, directory=directory, speed=args.speed,
        auto_release=args.release == "auto",
    )  # fmt: skip
    _summed(replay, replay.main(), args)


def _summed(replay: object, finished: bool, args: argparse.Namespace) -> None:
    from fluxhero import report
    from fluxhero.replay import Replay
    from fluxhero.store.parquet import ParquetStore, export
    from fluxhero.store.queries import Reader
    from fluxhero.store.sqlite import FILE

    assert isinstance(replay, Replay)
    reader = Reader(replay.directory)
    try:
        summary = report.summary(reader, replay.recording, finished)
        if args.out:
            store = ParquetStore(args.out)
            export(reader, store, replay.recording.timeframe.value)
            store.write_json("summary", summary)
    finally:
        reader.close()
    print(report.text(summary, (replay.directory / FILE).stat().st_size))
    if args.html:
        from fluxhero.kernel.plug import find
        from fluxhero.lab import commands

        commands.sheet(args.html, replay.directory, find(replay.config.strategy.name))
    if args.json:
        print(json.dumps(summary))


def _fail(error: object, code: int) -> int:
    print(f"fluxhero: {error}", file=sys.stderr)
    return code


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], Do]]] = {
    "run": ("run the daemon: the synthetic market and a paper account", _for_run),
    "replay": ("run the daemon over recorded market data", _for_replay),
    "backtest": ("try a strategy on recorded bars, in one compiled loop", _for_lab("backtest")),
    "walk": ("choose parameters on some months and judge them by the next, over and over", _for_lab("walk", "trials")),
    "sweep": (
        "try many parameters, and say what the best of so many is worth",
        _for_lab("sweep", "trials"),
    ),
    "report": ("what an account has come to, from its journal", _for_lab("report")),
    "parity": ("has an account done what a backtest over its own bars does?", _for_lab("parity")),
    "ctl": ("ask or command a daemon", _for_ctl),
    "config": ("check or show the configuration", _for_config),
    "monitoring": ("write a dashboard, alert rules and a scrape config", _for_monitoring),
    "warm": ("compile all that a daemon calls, into the cache", _for_warm),
    "verify": ("does a state follow from its journal, every row of every table?", _for_verify),
}
