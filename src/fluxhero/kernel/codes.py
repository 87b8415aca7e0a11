"""The numbers that the kernel writes into records, by name. Plain ints, for Numba takes them as constants."""

NEUTRAL, TREND, REVERSION = 0, 1, 2  # regimes, and the modes that trade them
METRONOME = 3  # a mode of its own

HOLD, WARMUP, FLAT, ENTER, EXIT, REFUSED, SUSPECT = range(7)  # what one think came to

# Gates: what may refuse an entry.
OPEN, HOURS, GAP, RUNG, BUSY, FRESH, STOP, SLOTS, SIZE, PAUSED = range(10)

DAY_LOSS, DRAWDOWN, HALT = 1, 2, 4  # bits of account.trips
