"""`fluxhero ctl watch`: the state of things on a terminal, kept up to date."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from fluxhero.operate.line import Answer, Line, Unanswered
from fluxhero.operate.tables import cell, clean, table
from fluxhero.store.sqlite import StoreError

ASKED: tuple[Answer, ...] = (
    {"cmd": "status"},
    {"cmd": "account"},
    {"cmd": "positions"},
    {"cmd": "regime"},
    {"cmd": "signals", "n": 5},
)
PIPE = (160, 1000)  # columns and lines where there is no terminal
HELD = ("symbol", "qty", "average", "mark", "stop", "result")
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
COLOURS = {"bad": "\x1b[31m", "good": "\x1b[32m", "head": "\x1b[1m", "faint": "\x1b[2m"}
PLAIN = "\x1b[0m"

Answers = dict[str, Answer]  # by command; `trouble` is why the daemon has none
Styled = tuple[str, str]  # of COLOURS or "", and the line


class Poll:
    """Asks all that the table shows, over one connection for as long as it lasts."""

    def __init__(self, connect: Callable[[], Line], stored: Callable[[], list[Answer]]) -> None:
        self._connect, self._stored = connect, stored
        self._line: Line | None = None

    def __call__(self) -> Answers:
        """Where no daemon answers: what its state says, and the trouble. Raises PermissionError."""
        was_open = self._line is not None
        try:
            try:
                return self._ask()
            except Unanswered:
                if not was_open:
                    raise
                return self._ask()  # it had hung up on the silent, or begun anew
        except Unanswered as e:
            trouble = {"ok": False, "kind": "unavailable", "error": str(e)}
        with suppress(StoreError):
            return {**_by_command(self._stored()), "trouble": trouble}
        return {"trouble": trouble}

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _ask(self) -> Answers:
        try:
            self._line = self._line or self._connect()
            answers = self._line.ask(*ASKED)
            first = next(answers)
            if first["ok"]:
                return _by_command([first, *answers])
        except BaseException:
            self.close()
            raise
        self.close()
        return {"trouble": first}


def _by_command(answers: list[Answer]) -> Answers:
    """What could not be told is left out."""
    return {ask["cmd"]: answer for ask, answer in zip(ASKED, answers, strict=bool(answers)) if answer["ok"]}


def frame(answers: Answers, width: int, height: int) -> list[str]:
    """The table, cut to fit: long lists lose their ends first."""
    return [text for _, text in _frame(answers, width, height)]


def painted(answers: Answers, width: int, height: int) -> list[str]:
    """The same in colours."""
    lines = _frame(answers, width, height)
    return [f"{COLOURS[style]}{text}{PLAIN}" if style and text else text for style, text in lines]


def _frame(answers: Answers, width: int, height: int) -> list[Styled]:
    parts = [part for part in (_head(answers), _positions(answers), _regimes(answers), _decisions(answers)) if part]
    while sum(map(len, parts)) + len(parts) - 1 > height and max(map(len, parts)) > 2:
        longest = max(parts, key=len)
        del longest[-1]
    lines = [line for part in parts for line in [*part, ("", "")]][:-1]
    return [(style, clean(text)[:width].rstrip()) for style, text in lines[:height]]


def _head(answers: Answers) -> list[Styled]:
    lines = [("bad", answers["trouble"]["error"])] if "trouble" in answers else []
    status, account = answers.get("status"), answers.get("account")
    if status:
        lines.append(_standing(status, "trouble" in answers))
    if account:
        ratio = cell("day_result_ratio", account["day_result_ratio"])
        money = (
            f"equity {cell('equity', account['equity'])}  day {cell('day_result', account['day_result'])} ({ratio})"
            f"  drawdown {cell('drawdown_ratio', account['drawdown_ratio'])}"
            f"  deployed {cell('deployed_ratio', account['deployed_ratio'])}"
            f"  at stake {cell('open_risk', account['open_risk'])}"
        )
        lines.append(("bad" if account["day_result"] < 0 else "good", money))
    return lines


def _standing(status: Answer, silent: bool) -> Styled:
    words = [status["market_time"] or "no bar has been sealed yet"]
    well = status["rung"] == "NORMAL" and status.get("state") in (None, "ready")
    if not silent:
        words.append("running" if status.get("running") else "stopped")
    words.append(status["rung"])
    if status.get("state") not in (None, "ready"):
        words.append(str(status["state"]))
    if status["trips"]:
        words.append(f"trips: {', '.join(status['trips'])}")
    if status.get("feed_age_seconds") is not None:
        words.append(f"feed {status['feed_age_seconds']:,.1f} s ago")
    return "head" if well else "bad", "  ".join(words)


def _positions(answers: Answers) -> list[Styled]:
    if "positions" not in answers:
        return []
    held = [{key: p.get(key) for key in HELD} for p in answers["positions"]["positions"]]
    styles = ["head", *("bad" if (p["result"] or 0) < 0 else "good" for p in held)]
    return list(zip(styles, table(held), strict=True)) if held else [("faint", "no positions")]


def _regimes(answers: Answers) -> list[Styled]:
    lines = table(answers["regime"]["regimes"]) if "regime" in answers else []
    return [("" if i else "head", line) for i, line in enumerate(lines)]


def _decisions(answers: Answers) -> list[Styled]:
    """Newest first."""
    if "signals" not in answers:
        return []
    told = [("faint" if s["action"] == "refused" else "", s["why"]) for s in answers["signals"]["signals"]]
    return told or [("faint", "nothing has been sought yet")]


# -- the terminal


def show_once(answers: Answers, raw: bool) -> None:
    """No colours, no escapes; `raw`: as one JSON object."""
    print(json.dumps(answers) if raw else "\n".join(frame(answers, *shutil.get_terminal_size(PIPE))), flush=True)


def show(poll: Poll, interval: float, raw: bool) -> None:
    """Until interrupted; to a terminal in place, elsewhere one table after another."""
    if raw or not sys.stdout.isatty():
        for answers in _every(interval, poll):
            show_once(answers, raw)
            if not raw:
                print()
    paint = frame if os.environ.get("NO_COLOR") else painted
    with _screen():
        for answers in _every(interval, poll):
            width, height = shutil.get_terminal_size()
            lines = paint(answers, width - 1, height)  # a full line's end would be cleared with what follows it
            _write(HOME + "\n".join(line + END_OF_LINE for line in lines) + END_OF_SCREEN)


def _every(interval: float, poll: Poll) -> Iterator[Answers]:
    """Without end."""
    while True:
        began = time.monotonic()
        yield poll()
        time.sleep(max(0.0, began + interval - time.monotonic()))


@contextmanager
def _screen() -> Iterator[None]:
    """Hides the cursor, and gives it back however this ends."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _write(HIDE + HOME + END_OF_SCREEN)
        yield
    finally:
        _write(f"{PLAIN}{SHOW}\n")
        signal.signal(signal.SIGTERM, before)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
