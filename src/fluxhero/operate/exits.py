"""The exit codes, which are stable."""

OK = 0
DIFFERS = 1  # a state that does not follow from its journal
USAGE = 2
NO_INPUT = 66  # no usable input
NO_DAEMON = 69
GAVE_UP = 70
BUSY = 75  # another process has the state
REFUSED_UID = 77
CONFIG = 78
