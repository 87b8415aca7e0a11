"""How far trading is cut down, by what, and what lets go of it again."""

from __future__ import annotations

import enum

import msgspec

from fluxhero.kernel import codes

ANSWERS = 1000  # obeyed commands whose ids are remembered
ACCOUNT = -1  # the scope of a trip that is of no symbol


class Rung(enum.IntEnum):
    """The highest that a held trip asks for rules."""

    NORMAL = 0
    REDUCING = 1
    SAFE = 2
    HALTED = 3
    FLATTEN = 4


class Trip(enum.StrEnum):
    DAY_LOSS = "day_loss"
    DRAWDOWN = "drawdown"
    HALT = "halt"
    REJECTS = "rejects"
    RATE = "rate"
    CLOCK = "clock"
    FEED = "feed"
    DISK = "disk"
    STALE = "stale"
    DRIFT = "drift"
    NAKED = "naked"


class Rule(msgspec.Struct, frozen=True):
    rung: Rung
    meaning: str
    of_symbol: bool = False
    ends: str = ""  # when it lets go by itself; nothing: when it is released


RULES: dict[Trip, Rule] = {
    Trip.DAY_LOSS: Rule(Rung.FLATTEN, "the day has lost more than its limit"),
    Trip.DRAWDOWN: Rule(Rung.FLATTEN, "equity is too far under its peak"),
    Trip.HALT: Rule(Rung.HALTED, "somebody wants it"),
    Trip.REJECTS: Rule(Rung.HALTED, "the broker refuses order after order"),
    Trip.RATE: Rule(Rung.HALTED, "more entries were about to leave than may"),
    Trip.CLOCK: Rule(Rung.HALTED, "the machine's clock has jumped, or is not the broker's"),
    Trip.FEED: Rule(Rung.REDUCING, "the market is silent", ends="when it is heard again"),
    Trip.DISK: Rule(Rung.REDUCING, "the disk is nearly full", ends="when there is room again"),
    Trip.STALE: Rule(Rung.REDUCING, "the symbol is silent", of_symbol=True, ends="when it is quoted again"),
    Trip.DRIFT: Rule(Rung.REDUCING, "the broker differs from us", of_symbol=True, ends="when both agree, or by adopt"),
    Trip.NAKED: Rule(Rung.FLATTEN, "a position was without its stop for too long", of_symbol=True),
}  # fmt: skip
BITS = {Trip.DAY_LOSS: codes.DAY_LOSS, Trip.DRAWDOWN: codes.DRAWDOWN}  # what the kernel watches


LEAVES = {
    Rung.REDUCING: "no entries",
    Rung.SAFE: "no entries; feed, candles and strategy are down, stops and reconciliation go on",
    Rung.HALTED: "no orders of the strategy; protective stops and cancels alone",
    Rung.FLATTEN: "everything is canceled and closed, then as halted",
}


def table() -> str:
    """The README's."""
    rungs = "\n".join(f"{rung.value}. {rung.name}: {what}" for rung, what in LEAVES.items())
    rows = (
        f"| `{trip}` | {rule.meaning} | {rule.rung.name} | {'symbol' if rule.of_symbol else 'account'} |"
        f" {rule.ends or 'when it is released'} |"
        for trip, rule in RULES.items()
    )
    head = ["| trip | | rung | of | lets go |", "|---|---|---|---|---|"]
    return "\n".join([rungs, "", *head, *rows])


def remedy(trip: Trip, symbol: str) -> str:
    """What lets go of it, as an operator types it, or when it does so itself."""
    rule = RULES[trip]
    of = f" {symbol}" if rule.of_symbol and symbol else ""
    return rule.ends or f"fluxhero ctl release {trip}{of} --reason TEXT"
