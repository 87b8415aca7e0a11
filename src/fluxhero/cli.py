"""The commands. Imports are lazy: `fluxhero ctl` needs no numba and no pyarrow."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from datetime import date
from pathlib import Path

from fluxhero import __version__
from fluxhero.operate import client
from fluxhero.operate.exits import BUSY, CONFIG, GAVE_UP, NO_INPUT, OK, USAGE

SYMBOL = re.compile(r"[A-Z]{1,5}([.][A-Z]{1,2})?")


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    return client.run(args) if args.command == "ctl" else _replay(args)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fluxhero", description="An unattended trading daemon for one person.")
    parser.add_argument("--version", action="version", version=f"fluxhero {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _replay_arguments(commands.add_parser("replay", help="run the daemon over recorded market data"))
    client.arguments(commands.add_parser("ctl", help="ask or command a daemon"))
    return parser


def _replay_arguments(p: argparse.ArgumentParser) -> None:
    p.add_argument("--data", type=Path, required=True, metavar="DIR", help="where SYM_trades.parquet and the like are")
    p.add_argument("--symbols", type=_symbols, required=True, metavar="A,B")
    p.add_argument("--input", default="auto", choices=["auto", "ticks", "1m", "5m", "1h", "1d"])
    p.add_argument("--adjusted", action="store_true", help="read SYM_<timeframe>-adj.parquet")
    p.add_argument("--file", action="append", default=[], type=_file, metavar="SYM=PATH", help="this file for SYM")
    p.add_argument("--model", default="auto", choices=["auto", "bar", "quote"], help="how the venue fills")
    p.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DATE", help="New York, inclusive")
    p.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DATE", help="New York, inclusive")
    p.add_argument("--speed", default=0.0, type=_speed, metavar="N|max", help="market per host time (max)")
    p.add_argument("--strategy", choices=["dual_mode", "metronome"], help="instead of the configured one")
    p.add_argument("--release", default="auto", choices=["auto", "never"], help="day-loss trips, at the next session")
    p.add_argument("--config", type=Path, metavar="FILE", help="a config.toml (default: the defaults)")
    p.add_argument("--state", type=Path, metavar="DIR", help="keep and resume here (default: a fresh temporary one)")
    p.add_argument("--out", type=Path, metavar="DIR", help="write the tables as Parquet, and summary.json")
    p.add_argument("--json", action="store_true", help="the last line is the summary as one JSON object")


def _symbols(text: str) -> tuple[str, ...]:
    symbols = tuple(text.split(","))
    for symbol in symbols:
        if not SYMBOL.fullmatch(symbol):
            raise argparse.ArgumentTypeError(f"{symbol!r} is no symbol, such as IBM or BRK.B")
    if len(set(symbols)) < len(symbols):
        raise argparse.ArgumentTypeError(f"a symbol stands twice in {text}")
    return symbols


def _file(text: str) -> tuple[str, Path]:
    symbol, equals, path = text.partition("=")
    if not equals or not SYMBOL.fullmatch(symbol):
        raise argparse.ArgumentTypeError(f"{text!r} is not SYM=PATH")
    return symbol, Path(path)


def _speed(text: str) -> float:
    if text == "max":
        return 0.0
    speed = float(text)
    if not 0.0 < speed < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1e9, nor max")
    return speed


def _replay(args: argparse.Namespace) -> int:
    import msgspec

    from fluxhero import logs
    from fluxhero.config import Config, ConfigError, load
    from fluxhero.core.calendar import nyse
    from fluxhero.feeds import recording
    from fluxhero.feeds.files import Unusable
    from fluxhero.messages import Model
    from fluxhero.replay import OtherState, Replay
    from fluxhero.runtime.supervise import GaveUp
    from fluxhero.store.parquet import ParquetStore
    from fluxhero.store.sqlite import Busy, StoreError

    logs.configure()
    strangers = sorted(dict(args.file).keys() - set(args.symbols))
    if strangers:
        return _fail(f"--file names {', '.join(strangers)}, which --symbols does not", USAGE)
    try:
        config = load(args.config) if args.config else Config()
        if args.strategy:
            strategy = msgspec.structs.replace(config.strategy, name=args.strategy)
            config = msgspec.structs.replace(config, strategy=strategy)
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
    except (ConfigError, OtherState) as e:
        return _fail(e, CONFIG)
    except Unusable as e:
        return _fail(f"no usable input in {args.data}: {e}", NO_INPUT)
    except Busy as e:
        return _fail(e, BUSY)
    except (StoreError, GaveUp) as e:
        return _fail(e, GAVE_UP)
    return OK


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
