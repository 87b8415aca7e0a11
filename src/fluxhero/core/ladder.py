"""How far trading is cut down, and by what."""

import enum

from fluxhero.kernel import codes


class Rung(enum.IntEnum):
    """How far trading is cut down. The highest held trip rules."""

    NORMAL = 0
    SAFE = 2  # feed, candles and strategy are down; exits and stops go on
    HALTED = 3  # no strategy orders; stops stay
    FLATTEN = 4  # cancel and close, then as HALTED


class Trip(enum.StrEnum):
    DAY_LOSS = "day_loss"
    DRAWDOWN = "drawdown"
    HALT = "halt"


ANSWERS = 1000  # obeyed commands whose ids are remembered
BITS = {Trip.DAY_LOSS: codes.DAY_LOSS, Trip.DRAWDOWN: codes.DRAWDOWN, Trip.HALT: codes.HALT}
RUNGS = {Trip.DAY_LOSS: Rung.FLATTEN, Trip.DRAWDOWN: Rung.FLATTEN, Trip.HALT: Rung.HALTED}
