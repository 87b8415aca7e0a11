"""What the commands that read recorded data may be told: files, dates, strategy. Nothing heavy is loaded for it."""

from __future__ import annotations

import argparse
import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fluxhero.feeds.recording import Input, Request
    from fluxhero.messages import Model

BARS = "1m", "5m", "1h", "1d"


class Contradiction(Exception):
    """What was asked for cannot be meant."""


class Differs(Exception):
    """An account has not done what the rules do."""


class Empty(Exception):
    """Of an account: nothing has been traded or seen yet."""


class Unwritable(Exception):
    """A file that was asked for."""


def recorded(p: argparse.ArgumentParser) -> None:
    p.add_argument("--data", type=Path, required=True, metavar="DIR", help="where SYM_trades.parquet and the like are")
    p.add_argument("--symbols", type=_symbols, required=True, metavar="A,B", help="one portfolio, in this order")
    p.add_argument("--adjusted", action="store_true", help="read SYM_1d-adj.parquet and the like")
    p.add_argument("--file", action="append", default=[], type=_file, metavar="SYM=PATH", help="this file for SYM")
    p.add_argument("--from", dest="first", type=_date, metavar="DATE", help="New York, inclusive")
    p.add_argument("--to", dest="last", type=_date, metavar="DATE", help="New York, inclusive")
    p.add_argument("--strategy", type=_strategy, metavar="NAME", help="not the configured one: a name, or a file.py")
    p.add_argument("--release", default="auto", choices=["auto", "never"], help="day-loss trips, at the next session")
    p.add_argument("--config", type=Path, metavar="FILE", help="a config.toml (default: the defaults)")


def tried(p: argparse.ArgumentParser) -> None:
    """How it is traded in the lab."""
    p.add_argument("--timeframe", choices=[*BARS, "ticks"], help="of the bars (1d; of a --file what its name says)")
    p.add_argument("--costs", default="spec", choices=["none", "spec"], help="commission, slippage, borrow (spec)")
    p.add_argument("--risk", choices=["on", "off"], help="stops, caps and breakers (on where it sizes by risk)")
    p.add_argument("--sizing", type=_sizing, metavar="risk|fixed:N|full", help="of a trade (as the strategy says)")


def many(p: argparse.ArgumentParser) -> None:
    """Which points are tried, and on what."""
    about = "K=V1,V2,V3 or K=FIRST:LAST:COUNT; with --random K=FIRST:LAST too; again for another"
    p.add_argument("--param", action="append", default=[], metavar="K=VALUES", help=about)
    p.add_argument("--random", type=_count, metavar="N", help="so many points at random, not the whole grid")
    p.add_argument("--seed", type=int, default=0, metavar="N", help="the same draws the same points (0)")
    p.add_argument("--by", default="sharpe", metavar="METRIC", help="by which the best is the best (sharpe)")
    p.add_argument("--engine", default="threads", choices=["threads", "dask"], help="dask: on several machines")
    p.add_argument("--scheduler", metavar="ADDRESS", help="of Dask, such as tcp://10.0.0.7:8786 (default: one here)")
    p.add_argument("--workers", type=_count, metavar="N", help="threads or processes here (one for each core)")


def shown(p: argparse.ArgumentParser, *, page: bool = True) -> None:
    """How the answer is told."""
    p.add_argument("--json", action="store_true", help="the last line is the answer as one JSON object")
    if page:
        p.add_argument("--html", type=Path, metavar="FILE", help="write the tear sheet there, one page with charts")


def backtest(p: argparse.ArgumentParser) -> None:
    recorded(p)
    tried(p)
    p.add_argument("--param", action="append", default=[], metavar="K=V", help="of the strategy, such as enter_atr=0.6")
    shown(p)


def walk(p: argparse.ArgumentParser) -> None:
    recorded(p)
    tried(p)
    many(p)
    p.add_argument("--train", type=_count, default=3, metavar="MONTHS", help="to choose on (3)")
    p.add_argument("--test", type=_count, default=1, metavar="MONTHS", help="to judge by, which follow (1)")
    p.add_argument("--embargo", type=int, default=1, metavar="SESSIONS", help="before each test, of no use (1)")
    shown(p)


def sweep(p: argparse.ArgumentParser) -> None:
    recorded(p)
    tried(p)
    many(p)
    p.add_argument("--out", type=Path, default=Path("sweeps"), metavar="DIR", help="where all rows are kept (./sweeps)")
    shown(p)


def report(p: argparse.ArgumentParser) -> None:
    p.add_argument("--state", type=Path, metavar="DIR", help="default: the daemon's")
    p.add_argument("--config", type=Path, metavar="FILE", help="that names an own strategy")
    shown(p)


def parity(p: argparse.ArgumentParser) -> None:
    p.add_argument("day", nargs="?", type=_date, metavar="DAY", help="up to its end, New York (all of it)")
    p.add_argument("--state", type=Path, metavar="DIR", help="default: the daemon's")
    p.add_argument("--config", type=Path, metavar="FILE", help="that names an own strategy")
    shown(p, page=False)


COMMANDS = {"backtest": backtest, "walk": walk, "sweep": sweep, "report": report, "parity": parity}


def writable(file: Path | None) -> None:
    """Before the work rather than after it. Raises Unwritable."""
    if file is not None and not file.absolute().parent.is_dir():
        raise Unwritable(f"--html {file}: {file.absolute().parent} is no folder; make it first")


def request(args: argparse.Namespace, model: Model | None = None) -> Request:
    """Raises Contradiction."""
    from fluxhero.feeds.recording import Request

    strangers = sorted(dict(args.file).keys() - set(args.symbols))
    if strangers:
        raise Contradiction(f"--file names {', '.join(strangers)}, which --symbols does not")
    return Request(
        data=args.data, symbols=args.symbols, input=_input(args), adjusted=args.adjusted, files=dict(args.file),
        model=model, first=args.first, last=args.last,
    )  # fmt: skip


def _input(args: argparse.Namespace) -> Input:
    from fluxhero.feeds.recording import Input

    said: str | None = args.input if "input" in args else args.timeframe
    return Input(said) if said else Input.AUTO if len(dict(args.file)) == len(args.symbols) else Input.D1


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date, such as 2024-03-26") from None


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


def _strategy(text: str) -> str:
    from importlib.metadata import entry_points

    from fluxhero.kernel.strategies import GROUP, SHIPPED

    names = *SHIPPED, *sorted(entry_points(group=GROUP).names)
    if text in names or text.endswith(".py"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is none; there are {', '.join(names)}, or name a file, such as mine.py")


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number over 0")


def _sizing(text: str) -> str:
    if re.fullmatch(r"risk|full|fixed:[1-9][0-9]{0,8}", text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not risk, full or fixed:N, N shares, such as fixed:100")
