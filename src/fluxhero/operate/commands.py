"""The commands of `fluxhero ctl`, and what each may be told."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fluxhero.store.queries import MOST, PERIODS

ACTS = {
    "halt": "no more strategy orders; protective stops stay",
    "release": "release a trip",
    "pause": "no new entries in a symbol, or in all; exits and stops go on",
    "resume": "end a pause",
    "flatten": "leave a symbol, or all, and pause it",
    "adopt": "take the broker's word where it differs from ours and no order explains it",
    "ignore": "let such a difference be, as long as it stays what it is",
    "shutdown": "stop the daemon; it resumes where it was",
}
LIVE = {
    "limits": "the account's limits, and how near they are",
    "actors": "the daemon's actors, and how they fare",
    "config": "the configuration in force",
    "metrics": "what Prometheus sees",
    "version": "the daemon's version",
    "events": "the journal's newest events",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, metavar="DIR", help="the daemon's state directory")
    parser.add_argument("--socket", type=Path, metavar="PATH", help="its control socket, where that lies elsewhere")
    parser.add_argument("--json", action="store_true", help="print the answer as one JSON object")
    commands = parser.add_subparsers(dest="cmd", required=True, metavar="COMMAND")
    _reading(commands)
    _acting(commands)
    _living(commands)
    for command in commands.choices.values():
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


Commands = Any  # argparse's own type is private


def _reading(commands: Commands) -> None:
    commands.add_parser("status", help="where things stand")
    commands.add_parser("account", help="equity, the day, drawdown, what is at stake")
    commands.add_parser("positions", help="what is held, and where its stops are")
    orders = commands.add_parser("orders", help="the open orders")
    orders.add_argument("--all", action="store_true", help="the newest 100, closed ones too")
    trips = commands.add_parser("trips", help="what holds trading down, how far, and what lets go of it")
    trips.add_argument("--all", action="store_true", help="the newest 100, released ones too")
    commands.add_parser("drifts", help="what the broker has otherwise than we, and no order explains")
    _number(commands.add_parser("trades", help="the newest round trips"))
    equity = commands.add_parser("equity", help="the equity curve of the newest day, week or month, or of all")
    equity.add_argument("period", nargs="?", choices=list(PERIODS), metavar="day|week|month|all")
    commands.add_parser("risk", help="rung, trips, how near each limit is, what was refused today")
    commands.add_parser("exposure", help="what is held and sought, and what stops or a gap would cost")
    report = commands.add_parser("report", help="what is at stake, what a stop or a gap would cost, and the limits")
    report.add_argument("n", nargs="?", type=_count, metavar="SESSIONS", help="of the equity curve (60)")
    report.add_argument(
        "--html", type=Path, metavar="FILE", help="write it there as a page with plots; - to the output"
    )
    bars = commands.add_parser("bars", help="the newest bars of a symbol, and what was decided at each")
    bars.add_argument("symbol", metavar="SYM")
    _number(bars)
    commands.add_parser("indicators", help="the indicators of a symbol").add_argument("symbol", metavar="SYM")
    regime = commands.add_parser("regime", help="what kind of market each symbol is in")
    regime.add_argument("symbol", nargs="?", metavar="SYM")
    signals = commands.add_parser("signals", help="the newest entries, exits and refusals, each with its reasons")
    signals.add_argument("words", nargs="*", action=_Words, metavar="[N] [SYM]")
    why = commands.add_parser("why", help="why something was done, or not, at a seal")
    why.add_argument("symbol", metavar="SYM")
    why.add_argument("time", nargs="*", metavar="TIME", help="HH:MM or YYYY-MM-DD HH:MM, New York; default: the last")


def _acting(commands: Commands) -> None:
    parsers = {name: commands.add_parser(name, help=text) for name, text in ACTS.items()}
    parsers["release"].add_argument("trip", metavar="TRIP", help="as `ctl trips` names it")
    parsers["release"].add_argument("symbol", nargs="?", metavar="SYM", help="of a trip of symbols; default: all")
    for name in ("pause", "resume", "flatten", "adopt", "ignore"):
        parsers[name].add_argument("symbol", nargs="?", metavar="SYM", help="default: all")
    for name, parser in parsers.items():
        if name != "shutdown":
            parser.add_argument("--reason", default="", required=name == "release")
            parser.add_argument("--id", metavar="TEXT", help="asked again under the same id, it acts once")


def _living(commands: Commands) -> None:
    parsers = {name: commands.add_parser(name, help=text) for name, text in LIVE.items()}
    events = parsers["events"]
    _number(events)
    events.add_argument("--follow", action="store_true", help="and those to come, until interrupted")
    events.add_argument("--all", action="store_true", help="every bar, too")
    watch = commands.add_parser("watch", help="a table that stays up to date")
    watch.add_argument("--interval", type=_interval, default=1.0, metavar="S", help="0.2 to 60 s (1)")
    watch.add_argument("--once", action="store_true", help="one table, and that is all")


def _number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("n", nargs="?", type=_count, metavar="N", help="how many (20)")


def _count(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and {MOST}")
    return int(text)


def _interval(text: str) -> float:
    seconds = float(text)
    if not 0.2 <= seconds <= 60.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.2 and 60")
    return seconds


class _Words(argparse.Action):
    """A number, a symbol, or both in either order."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        numbers = [word for word in values if word[:1].isdecimal() or word[:1] == "-"]
        symbols = [word for word in values if word not in numbers]
        if len(numbers) > 1 or len(symbols) > 1:
            parser.error("give at most a number and a symbol")
        try:
            namespace.n = _count(numbers[0]) if numbers else None
        except argparse.ArgumentTypeError as e:
            parser.error(str(e))
        namespace.symbol = symbols[0] if symbols else None
