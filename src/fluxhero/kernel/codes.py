"""The numbers that the kernel writes into records, by name. Plain ints, for Numba takes them as constants."""

NEUTRAL, TREND, REVERSION = 0, 1, 2  # regimes, and the modes that trade them
METRONOME, CROSS, HELD = 3, 4, 5  # modes of their own
MINE, OTHER = 6, 7  # for strategies that do not ship
MODES = 8

LONG, SHORT = 1, -1  # sides of a position

HOLD, WARMUP, FLAT, ENTER, EXIT, REFUSED, SUSPECT = range(7)  # what one think came to

LOW, NORMAL, HIGH = -1, 0, 1  # volatility

FULL = 1  # messages.Quality.FULL: only such bars step and decide

# Gates: what may refuse an entry, or another attempt of one.
(
    OPEN, HOURS, GAP, RUNG, BUSY, FRESH, STOP, SLOTS, SIZE, PAUSED, VOLUME, BREAKOUT, SPREAD, SHORTS, CROWDED, RATE,
    FROZEN, CHASES, UNWANTED, PRICE, DAYTRADES,
) = range(21)  # fmt: skip

# Conditions that a decision may have looked at, each with a value and a limit.
(
    C_HOURS, C_GAP, C_VOLUME, C_BREAKOUT, C_SPREAD, C_SPIKE, C_ADX, C_R2, C_SLOPE, C_ENTRY_BAND, C_EXIT_BAND,
    C_LOWER, C_MIDDLE, C_UPPER, C_RSI_LOW, C_RSI_HIGH, C_BEAT, C_FAST, C_CALM_ADX,
    C_CALM_R2,
) = range(20)  # fmt: skip
CHECKS = 20
CONDITIONS = {HOURS: C_HOURS, GAP: C_GAP, VOLUME: C_VOLUME, BREAKOUT: C_BREAKOUT, SPREAD: C_SPREAD}  # of gates

DAY_LOSS, DRAWDOWN = 1, 2  # bits of account.trips
