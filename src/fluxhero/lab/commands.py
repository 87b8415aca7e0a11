"""The commands of the lab: each reads, tries, and tells what came of it."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fluxhero.config import Config
from fluxhero.core.calendar import CalendarEnd, nyse
from fluxhero.feeds.recording import Recording
from fluxhero.kernel.plug import Strategy, find, loaded
from fluxhero.lab import arguments, history, texts
from fluxhero.lab import parity as compared
from fluxhero.lab.account import Told, account
from fluxhero.lab.arguments import Contradiction, Differs, Empty, Unwritable, writable
from fluxhero.lab.engine import BacktestEngine, Trial
from fluxhero.lab.grid import grid
from fluxhero.lab.history import History
from fluxhero.lab.recorded import rows
from fluxhero.lab.result import Result
from fluxhero.lab.summary import Summary, measured, summary
from fluxhero.lab.tearsheet import page
from fluxhero.store.queries import BadQuery, Reader


def backtest(args: argparse.Namespace) -> None:
    writable(args.html)
    how = trial(args)
    how = replace(how, config=given(how.config, args.param))
    past, recording = recalled(args)
    result = BacktestEngine(past, how).run()
    remarks = [*doubts(recording), *([] if how.release else ["Day-loss trips are not released."])]
    tell(args, result, remarks, left_out=recording.left_out, refused_rows=recording.refused)


def parity(args: argparse.Namespace) -> None:
    """Raises Differs, Empty, StoreError, ConfigError."""
    try:
        answer = compared.parity(args.state, args.day, _own(args))
    except (BadQuery, CalendarEnd) as e:
        raise Empty(e) from None
    print("\n".join(compared.lines(answer)))
    if args.json:
        print(json.dumps(answer, allow_nan=False))
    if not answer["agrees"]:
        raise Differs(f"{args.state}: the account has not done what the rules do; the differences are named above")


def report(args: argparse.Namespace) -> None:
    """Of the account in a state directory."""
    writable(args.html)
    tell(args, *remembered(args.state, _own(args)))


def _own(args: argparse.Namespace) -> Strategy | None:
    """That a configuration names."""
    return find(loaded(args.config).strategy.name) if args.config else None


def sheet(file: Path, directory: Path, own: Strategy) -> None:
    """The tear sheet of an account alone."""
    result, remarks = remembered(directory, own)
    write(file, page(result, *measured(result), remarks))


def remembered(directory: Path, own: Strategy | None = None) -> Told:
    """Raises Empty, StoreError."""
    with closing(Reader(directory)) as reader:
        reader.db.execute("BEGIN")  # all of it as of one commit: a daemon may be writing
        try:
            return account(rows(reader), reader.head()[1], nyse(), own)
        except Empty as e:
            raise Empty(f"{directory}: {e}") from None


def recalled(args: argparse.Namespace) -> tuple[History, Recording]:
    past, recording = history.loaded(arguments.request(args), nyse())
    for symbol, why in recording.left_out.items():
        print(f"left out {symbol}: {why}", file=sys.stderr)
    return past, recording


def trial(args: argparse.Namespace) -> Trial:
    """Raises ConfigError, Contradiction."""
    config = loaded(args.config, args.strategy)
    sizing = args.sizing or _declared(find(config.strategy.name))
    by_risk = sizing == "risk"
    if args.risk == "on" and not by_risk:
        raise Contradiction(f"--risk on: sizing {sizing} has no stops, caps and breakers; say --sizing risk, or off")
    if args.risk == "off" and by_risk:
        raise Contradiction("--risk off: sizing risk is by the stop's distance; say --sizing fixed:N or full as well")
    return Trial(config=config, sizing=sizing, costs=args.costs == "spec", release=args.release == "auto")


def _declared(strategy: Strategy) -> str:
    return strategy.sizing if isinstance(strategy.sizing, str) else f"fixed:{strategy.sizing}"


def given(config: Config, said: list[str]) -> Config:
    """With these parameters of its strategy. Raises ConfigError, Contradiction."""
    points, s = grid(config, said).points, config.strategy
    if len(points) > 1:
        raise Contradiction(f"--param names {len(points):,} points: a backtest is of one, sweep tries them all")
    return replace(config, strategy=replace(s, tables={**s.tables, s.stem: points[0]}))


def tell(args: argparse.Namespace, result: Result, remarks: list[str], **more: Any) -> None:
    """As text, as a page, and as one line of JSON, as far as they are asked for."""
    metrics, likely = measured(result)
    said: Summary = {**summary(result, metrics, likely), "remarks": remarks, **more}
    print(texts.text(said))
    if args.html:
        write(args.html, page(result, metrics, likely, remarks))
    if args.json:
        print(json.dumps(said, allow_nan=False))


def doubts(r: Recording) -> list[str]:
    return [f"Refused rows of {symbol}: {texts.counted(why)}." for symbol, why in r.refused.items()]


def write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as e:
        raise Unwritable(f"{file} cannot be written: {e.strerror}") from None
    print(f"wrote {file}")
