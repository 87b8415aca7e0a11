"""The whole table of odd rows and files, and what a replay makes of each."""

from __future__ import annotations

import enum
import re

import msgspec

from fluxhero.core.calendar import nyse
from fluxhero.feeds.faults import ANY, BARS, Fault
from fluxhero.feeds.placing import OVERLAPPING, PLACES, outside
from fluxhero.feeds.rows import ROWS


class Outcome(enum.StrEnum):
    ROW = "row refused, counted"
    FILE = "symbol left out"
    TAKEN = "taken"


class Odd(msgspec.Struct, frozen=True):
    name: str
    kinds: tuple[str, ...]  # of file, or timeframes of bars
    outcome: Outcome
    says: str  # what is meant; of a file, the line that names it, after its name


TICKS = ("trades", "quotes")
TAKEN = {
    "other columns": (ANY, "ignored, whatever they hold"),
    "any compression, encoding, row groups": (ANY, "as far as they can be read"),
    "ts as a timestamp with a time zone": (ANY, "the instant counts, whatever the zone and unit"),
    "prices in float32 or decimal": (ANY, "read by their decimal digits"),
    "several ticks of one time, equal ones among them": (TICKS, "each counts, in file order"),
    "one side of a quote missing, or crossed": (("quotes",), "on the tape; nothing is filled on it"),
    "locked quotes": (("quotes",), "on the tape, and filled on"),
    "outside the session": (("trades", "quotes", "1m", "5m", "1h"), "kept as extended; nothing decides on it"),
    "minutes missing, or another length than other symbols": (ANY, "a symbol without a bar does not move"),
    "a price far from its neighbours": (
        ANY,
        "no filter; overnight, what looks like a split makes its symbol suspect",
    ),
    "one file under two symbols": (ANY, "both trade on it"),
    "bars that bear their end instead of their start": (BARS, "not to be told apart: known one bar late"),
    "altered bits in a file without checksums": (ANY, "not to be told apart, where what they make is possible"),
}


def reasons() -> list[Odd]:
    """Rows first, then files, then what is odd and yet taken."""
    rows = (*ROWS, outside(nyse()), *PLACES, OVERLAPPING)
    return [
        *(Odd(r.name, tuple(r.tests), Outcome.ROW, r.says) for r in rows),
        *(Odd(f.title, f.kinds, Outcome.FILE, f.said) for f in Fault),
        *(Odd(name, kinds, Outcome.TAKEN, says) for name, (kinds, says) in TAKEN.items()),
    ]


def table() -> str:
    """The README's."""
    lines = ["| what | in | what becomes of it |", "|---|---|---|"]
    for odd in reasons():
        kinds = "any" if odd.kinds == ANY else ", ".join(odd.kinds)
        says = re.sub(r"(\{\w+\})+", "…", odd.says)
        says = f"“{says}”" if odd.outcome is Outcome.FILE else says
        lines.append(f"| {odd.name} | {kinds} | {odd.outcome}: {says} |")
    return "\n".join(lines)
