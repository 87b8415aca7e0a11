"""Structured logs, to stderr: lines for a person, or JSON for journald with the priority in front."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any

import structlog

FRAMES = 20  # of a traceback; journald takes lines of 48 KiB
# What a frame's variables hold is nobody's business: keys among them.
_tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=FRAMES)

PRIORITIES = {"critical": 2, "exception": 3, "error": 3, "warning": 4, "info": 6, "debug": 7}


def configure() -> None:
    """JSON where stderr is the journal (systemd says so in JOURNAL_STREAM), else readable."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *(_for_journald() if journaled() else _for_a_person()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=lambda *args: Stderr(),
    )


class Stderr:
    """The stderr of the moment, not of start-up. That it cannot be written to, or is none, ends nothing."""

    def msg(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            if sys.stderr is not None:
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()

    debug = info = warning = warn = error = err = critical = fatal = exception = log = failure = msg


def _escaped(logger: object, method: str, event: Any) -> Any:
    """Words come from brokers and operators too: they are shown, and move no cursor."""
    return {k: _printable(v) if isinstance(v, str) else v for k, v in event.items()}


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def journaled() -> bool:
    """Is stderr the journal? JOURNAL_STREAM is inherited by children; it holds for the stderr that it names alone."""
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def _colours() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and "NO_COLOR" not in os.environ


def _for_a_person() -> list[Any]:
    return [
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        _escaped,
        structlog.dev.ConsoleRenderer(colors=_colours(), pad_event_to=0),
    ]


def _for_journald() -> list[Any]:
    return [
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.ExceptionRenderer(_tracebacks),
        structlog.processors.JSONRenderer(default=str),
        _prioritised,
    ]


def _prioritised(logger: object, method: str, line: Any) -> str:
    """journald takes `<4>` at the start of a line as its priority."""
    return f"<{PRIORITIES.get(method, 6)}>{line}"
