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
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from fluxhero import __version__
from fluxhero.operate import places
from fluxhero.operate.exits import BUSY, CONFIG, DIFFERS, GAVE_UP, NO_INPUT, OK, USAGE

if TYPE_CHECKING:
    import sqlite3

Do = Callable[[argparse.Namespace], int]


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


def _strategy(text: str) -> str:
    from importlib.metadata import entry_points

    from fluxhero.kernel.strategies import GROUP, SHIPPED

    names = *SHIPPED, *sorted(entry_points(group=GROUP).names)
    if text in names or text.endswith(".py"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is none; there are {', '.join(names)}, or name a file, such as mine.py")


def _for_run(p: argparse.ArgumentParser) -> Do:
    p.add_argument("--config", type=Path, metavar="FILE", help="a config.toml (default: the defaults)")
    p.add_argument("--state", type=Path, metavar="DIR", help="keep and resume here (default: $STATE_DIRECTORY, or XDG)")
    p.add_argument("--for", dest="seconds", type=_duration, metavar="DURATION", help="stop after 90s, 15m or 2h")
    return _run


def _for_replay(p: argparse.ArgumentParser) -> Do:
    p.add_argument("--data", type=Path, required=True, metavar="DIR", help="where SYM_trades.parquet and the like are")
    p.add_argument("--symbols", type=_symbols, required=True, metavar="A,B")
    p.add_argument("--input", default="auto", choices=["auto", "ticks", "1m", "5m", "1h", "1d"])
    p.add_argument("--adjusted", action="store_true", help="read SYM_<timeframe>-adj.parquet")
    p.add_argument("--file", action="append", default=[], type=_file, metavar="SYM=PATH", help="this file for SYM")
    p.add_argument("--model", default="auto", choices=["auto", "bar", "quote"], help="how the venue fills")
    p.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DATE", help="New York, inclusive")
    p.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DATE", help="New York, inclusive")
    p.add_argument("--speed", default=0.0, type=_speed, metavar="N|max", help="market per host time (max)")
    p.add_argument("--strategy", type=_strategy, metavar="NAME", help="not the configured one: a name, or a file.py")
    p.add_argument("--release", default="auto", choices=["auto", "never"], help="day-loss trips, at the next session")
    p.add_argument("--config", type=Path, metavar="FILE", help="a config.toml (default: the defaults)")
    p.add_argument("--state", type=Path, metavar="DIR", help="keep and resume here (default: a fresh temporary one)")
    p.add_argument("--out", type=Path, metavar="DIR", help="write the tables as Parquet, and summary.json")
    p.add_argument("--json", action="store_true", help="the last line is the summary as one JSON object")
    return _replay


def _symbols(text: str) -> tuple[str, ...]:
    from fluxhero.config import SYMBOL

    symbols = tuple(text.split(","))
    for symbol in symbols:
        if not re.fullmatch(SYMBOL, symbol):
            raise argparse.ArgumentTypeError(f"{symbol!r} is no symbol, such as IBM or BRK.B")
    if len(set(symbols)) < len(symbols):
        raise argparse.ArgumentTypeError(f"a symbol stands twice in {text}")
    return symbols


def _file(text: str) -> tuple[str, Path]:
    from fluxhero.config import SYMBOL

    symbol, equals, path = text.partition("=")
    if not equals or not re.fullmatch(SYMBOL, symbol):
        raise argparse.ArgumentTypeError(f"{text!r} is not SYM=PATH")
    return symbol, Path(path)


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


def _replay(args: argparse.Namespace) -> int:
    from fluxhero import logs
    from fluxhero.feeds.files import Unusable

    logs.configure()
    strangers = sorted(dict(args.file).keys() - set(args.symbols))
    if strangers:
        return _fail(f"--file names {', '.join(strangers)}, which --symbols does not", USAGE)
    try:
        return _guarded(lambda: _replayed(args))
    except Unusable as e:
        return _fail(f"no usable input in {args.data}: {e}", NO_INPUT)


def _replayed(args: argparse.Namespace) -> None:
    import tempfile

    from fluxhero.core.calendar import nyse
    from fluxhero.feeds import recording
    from fluxhero.kernel.plug import loaded
    from fluxhero.messages import Model
    from fluxhero.replay import Replay
    from fluxhero.store.parquet import ParquetStore

    config = loaded(args.config, args.strategy)
    request = recording.Request(
        data=args.data, symbols=args.symbols, input=recording.Input(args.input), adjusted=args.adjusted,
        files=dict(args.file), model=None if args.model == "auto" else Model(args.model),
        first=args.first, last=args.last,
    )  # fmt: skip
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
    _report(replay, replay.main(), args)


def _report(replay: object, finished: bool, args: argparse.Namespace) -> None:
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
    if args.json:
        print(json.dumps(summary))


def _fail(error: object, code: int) -> int:
    print(f"fluxhero: {error}", file=sys.stderr)
    return code


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], Do]]] = {
    "run": ("run the daemon: the synthetic market and a paper account", _for_run),
    "replay": ("run the daemon over recorded market data", _for_replay),
    "ctl": ("ask or command a daemon", _for_ctl),
    "config": ("check or show the configuration", _for_config),
    "monitoring": ("write a dashboard, alert rules and a scrape config", _for_monitoring),
    "warm": ("compile all that a daemon calls, into the cache", _for_warm),
    "verify": ("does a state follow from its journal, every row of every table?", _for_verify),
}
