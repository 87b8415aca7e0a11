"""What an account is watched by, what a former life knew of it, and what follows from a message."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from fluxhero.config import Config
from fluxhero.core import journal
from fluxhero.core.calendar import Calendar
from fluxhero.core.marks import FRESH, QUIET
from fluxhero.kernel.params import params_of
from fluxhero.kernel.plug import settled
from fluxhero.kernel.state import ACCOUNT
from fluxhero.messages import MINUTE, Array, Granted, Micros, Model, Nanos

FOR_EVER = 2**62  # ns: marks in `bar` are consecutive however far apart
MARKS_APART = 5_000_000_000  # ns: in `quote` they are not beyond this


class Ruling(msgspec.Struct):
    """What follows from one message: rows for the journal, and perhaps orders at once."""

    rows: list[journal.Row]
    granted: Granted | None = None


def account(cash: Micros) -> Array:
    """A fresh ACCOUNT record: equity is the cash, no session seen, every mode at its full weight."""
    a = np.zeros(1, ACCOUNT)
    for name in ("equity", "day_base", "last", "peak", "crest"):
        a[name] = cash
    a["session"], a["sizing"], a["modes"]["weight"] = -1, 1.0, 1.0
    return a


class Past(msgspec.Struct, kw_only=True):
    """What a former life knew."""

    trips: list[journal.Tripped] = []
    paused: list[int] = []  # slots
    answered: list[journal.Commanded] = []  # commands with an id, oldest first
    rounds: int = 0  # that the account has seen
    flows: int = 0  # the same
    entries: list[Nanos] = []  # when the last day's were sent
    rejects: list[Nanos] = []  # when the last minute's orders were refused
    trades: list[tuple[Nanos, Nanos]] = []  # when the newest round trips were opened and closed


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is watched by, for as long as a life lasts."""

    params: Array
    model: Model
    calendar: Calendar
    symbols: int
    auto_release: bool = True  # a day's loss, by the scripted operator
    unshortable: frozenset[int] = frozenset()  # slots never sold short
    fresh: Nanos = FRESH
    quiet: Nanos = QUIET
    collar: float = math.inf  # of the last close; a quote further away is no price
    begins: Nanos = Nanos(0)  # since when something could have been heard
    safe: bool = False  # nobody thinks


def parameters(
    config: Config, model: Model, *, daily: bool = False, raw: bool = True, span: Nanos = MINUTE
) -> Array:  # fmt: skip
    """The kernel's PARAMS record of a strategy: rules of the account and the strategy's own. span: of a trading bar."""
    p = params_of(settled(config))
    p["rules"]["raw"], p["rules"]["span"] = raw, span
    p["rules"]["strikes"] = 1 if daily else 2
    p["rules"]["strike_window"] = FOR_EVER if model is Model.BAR else MARKS_APART
    return p
