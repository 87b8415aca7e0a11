"""`fluxhero ctl watch`: the table, whom it asks, and what it leaves of the terminal."""

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest

from fluxhero.cli import main
from fluxhero.operate import watch
from fluxhero.operate.line import Line
from fluxhero.operate.watch import ASKED, Answers, Poll, frame, painted
from fluxhero.store.sqlite import StoreError
from tests.reading import HANG_UP, PATIENCE, Answer, Daemon, replayed, running

STATUS: Answer = {
    "ok": True, "market_time": "2024-03-28 11:20:00 ET", "rung": "NORMAL", "trips": [], "running": True, "pid": 7,
    "feed_age_seconds": 0.84,
}  # fmt: skip
ACCOUNT: Answer = {
    "ok": True, "equity": 100035.5, "day_result": -222.26, "day_result_ratio": -0.002217, "drawdown_ratio": 0.00634,
    "deployed_ratio": 0.39968, "open_risk": 193.29,
}  # fmt: skip
HELD: Answer = {
    "symbol": "IBM", "qty": 1204, "since": "2024-03-28 11:13:00 ET", "average": 97.73, "mark": 97.91, "stop": 97.48,
    "value": 19973.64, "result": 36.77,
}  # fmt: skip
BARE: Answer = {**HELD, "symbol": "AIG", "qty": 9, "stop": None, "result": -0.5}
REGIME: Answer = {
    "symbol": "IBM", "regime": "neutral", "seen": "strong trend", "streak": 2, "held": 17, "adx": 31.68, "r2": 0.8304,
    "volatility": "normal", "atr_over_mean": 1.18,
}  # fmt: skip


def told(symbol: str, action: str) -> Answer:
    why = f"{symbol} 2024-03-28 11:12:00 ET: because of this and that and much more."
    return {"time": "2024-03-28 11:12:00 ET", "symbol": symbol, "action": action, "mode": "trend", "why": why}


WHOLE: Answers = {
    "status": STATUS,
    "account": ACCOUNT,
    "positions": {"ok": True, "positions": [HELD, BARE]},
    "regime": {"ok": True, "regimes": [REGIME, {**REGIME, "symbol": "AIG"}]},
    "signals": {"ok": True, "signals": [told("AIG", "enter"), told("IBM", "refused")]},
}
FRAME = [
    "2024-03-28 11:20:00 ET  running  NORMAL  feed 0.8 s ago",
    "equity 100,035.50  day -222.26 (-0.22 %)  drawdown 0.63 %  deployed 39.97 %  at stake 193.29",
    "",
    "symbol    qty  average   mark   stop  result",
    "IBM     1,204    97.73  97.91  97.48  +36.77",
    "AIG         9    97.73  97.91      -   -0.50",
    "",
    "symbol  regime   seen          streak  held    adx      r2  volatility  atr over mean",
    "IBM     neutral  strong trend       2    17  31.68  0.8304  normal               1.18",
    "AIG     neutral  strong trend       2    17  31.68  0.8304  normal               1.18",
    "",
    "AIG 2024-03-28 11:12:00 ET: because of this and that and much more.",
    "IBM 2024-03-28 11:12:00 ET: because of this and that and much more.",
]
TROUBLE: Answers = {"trouble": {"ok": False, "kind": "unavailable", "error": "no daemon answers at /s"}}


# -- the table


def test_the_whole_table() -> None:
    assert frame(WHOLE, 120, 40) == FRAME


@pytest.mark.parametrize("width", [1, 10, 30, 67, 94])
def test_it_is_cut_to_the_width(width: int) -> None:
    assert frame(WHOLE, width, 40) == [line[:width].rstrip() for line in FRAME]


@pytest.mark.parametrize("height", range(14))
def test_it_is_cut_to_the_height(height: int) -> None:
    assert len(frame(WHOLE, 120, height)) == min(height, len(FRAME))


def test_long_lists_lose_their_ends_before_anything_else_goes() -> None:
    many = {**WHOLE, "regime": {"ok": True, "regimes": [{**REGIME, "symbol": f"S{n:02}"} for n in range(30)]}}
    shown = frame(many, 120, 14)
    assert [*shown[:8], *shown[-3:]] == [*FRAME[:8], *FRAME[-3:]]
    assert [line[:3] for line in shown[8:-3]] == ["S00", "S01", "S02"]


def test_trips_and_a_stopped_replay_are_said() -> None:
    status = {**STATUS, "rung": "HALTED", "trips": ["halt", "day_loss"], "running": False, "feed_age_seconds": None}
    assert frame({"status": status}, 120, 40) == ["2024-03-28 11:20:00 ET  stopped  HALTED  trips: halt, day_loss"]
    assert frame({"status": {**STATUS, "market_time": None}}, 40, 1) == ["no bar has been sealed yet  running  NOR"]


def test_what_is_wrong_with_the_daemon_is_said() -> None:
    assert frame({"status": {**STATUS, "state": "ready"}}, 120, 40) == FRAME[:1]
    stuck = {"status": {**STATUS, "state": "stuck: feed"}}
    assert frame(stuck, 120, 40) == ["2024-03-28 11:20:00 ET  running  NORMAL  stuck: feed  feed 0.8 s ago"]


def test_nothing_held_and_nothing_sought_are_said() -> None:
    empty: Answers = {"positions": {"positions": []}, "signals": {"signals": []}, "regime": {"regimes": []}}
    assert frame(empty, 80, 24) == ["no positions", "", "nothing has been sought yet"]
    assert frame({}, 80, 24) == []


def test_without_a_daemon_the_trouble_comes_first_and_then_what_the_state_says() -> None:
    assert frame(TROUBLE, 80, 24) == ["no daemon answers at /s"]
    stored = {**WHOLE, "status": {**STATUS, "running": False, "feed_age_seconds": None}}
    head = ["no daemon answers at /s", "2024-03-28 11:20:00 ET  NORMAL"]
    assert frame({**stored, **TROUBLE}, 120, 40) == [*head, *FRAME[1:]]


def test_what_comes_from_elsewhere_cannot_command_the_terminal() -> None:
    evil = {"signals": {"signals": [{**told("IBM", "enter"), "why": "a\x1b[2Jb\nc\rd"}]}}
    assert frame(evil, 80, 24) == ["a?[2Jb c?d"]


def test_colours_change_nothing_but_the_colours() -> None:
    for answers in (WHOLE, {**WHOLE, **TROUBLE}, {**WHOLE, "status": {**STATUS, "rung": "HALTED"}}):
        for width, height in ((120, 40), (20, 9)):
            plain = [re.sub(r"\x1b\[\d*m", "", line) for line in painted(answers, width, height)]
            assert plain == frame(answers, width, height)
    red, green, bold, faint = "\x1b[31m", "\x1b[32m", "\x1b[1m", "\x1b[2m"
    styles = [re.match(r"(\x1b\[\d+m)?", line) for line in painted(WHOLE, 120, 40)]
    assert [s and s[0] for s in styles] == [
        *(bold, red, "", bold, green, red, "", bold, "", "", "", "", faint),
    ]
    assert painted(TROUBLE, 80, 24) == [f"{red}no daemon answers at /s\x1b[0m"]


# -- whom it asks


def says(request: Answer) -> list[Answer | bytes]:
    return [WHOLE[request["cmd"]]]


Asks = Callable[..., Poll]


@pytest.fixture
def poll() -> Iterator[Asks]:
    with ExitStack() as open:

        def poll(path: Path, stored: Callable[[], list[Answer]] = list) -> Poll:
            return open.enter_context(closing(Poll(lambda: Line(path, PATIENCE), stored)))

        yield poll


def test_it_asks_all_over_one_connection(tmp_path: Path, poll: Asks) -> None:
    path = tmp_path / "s"
    with Daemon(path, says) as daemon:
        asks = poll(path)
        assert [asks() for _ in range(3)] == [WHOLE] * 3
    assert (daemon.callers, daemon.asked) == (1, [*ASKED] * 3)


def test_it_comes_back_when_the_daemon_does(tmp_path: Path, poll: Asks) -> None:
    path = tmp_path / "s"
    asks = poll(path)
    gone: Answers = {"trouble": {"ok": False, "kind": "unavailable", "error": f"no daemon answers at {path}"}}
    assert asks() == gone
    for _ in range(3):
        with Daemon(path, says):
            assert [asks(), asks()] == [WHOLE, WHOLE]
        assert [asks(), asks()] == [gone, gone]


def test_a_daemon_that_hangs_up_on_the_silent_is_called_again(tmp_path: Path, poll: Asks) -> None:
    """As after 30 s, or when it has begun anew between two questions."""
    path, count = tmp_path / "s", len(ASKED)
    asked: list[str] = []

    def tired(request: Answer) -> list[Answer | bytes]:
        asked.append(request["cmd"])
        return [WHOLE[request["cmd"]], *([HANG_UP] if len(asked) % count == 0 else [])]

    with Daemon(path, tired) as daemon:
        asks = poll(path)
        assert [asks() for _ in range(3)] == [WHOLE] * 3
    assert daemon.callers == 3


def test_what_the_daemon_cannot_tell_is_left_out(tmp_path: Path, poll: Asks) -> None:
    def half(request: Answer) -> list[Answer | bytes]:
        known = request["cmd"] in ("status", "signals")
        return says(request) if known else [{"ok": False, "kind": "not_found", "error": "no bar has been sealed yet"}]

    with Daemon(tmp_path / "s", half):
        assert poll(tmp_path / "s")() == {"status": STATUS, "signals": WHOLE["signals"]}


def test_a_refusal_of_the_whole_is_the_trouble(tmp_path: Path, poll: Asks) -> None:
    refusal: Answer = {"ok": False, "kind": "busy", "error": "too many clients"}
    with Daemon(tmp_path / "s", lambda request: [refusal, HANG_UP]) as daemon:
        asks = poll(tmp_path / "s")
        assert [asks(), asks()] == [{"trouble": refusal}] * 2
    assert daemon.callers == 2


@pytest.mark.parametrize("nonsense", [b"hello\n", b"[]\n", b"{}\n", b"\xff\n", HANG_UP])
def test_nonsense_is_trouble_and_not_the_end(nonsense: bytes, tmp_path: Path, poll: Asks) -> None:
    with Daemon(tmp_path / "s", lambda request: [nonsense]):
        answers = poll(tmp_path / "s", lambda: [WHOLE[str(ask["cmd"])] for ask in ASKED])()
    assert (answers["trouble"]["kind"], {**answers, "trouble": {}}) == ("unavailable", {**WHOLE, "trouble": {}})


def test_a_state_that_cannot_be_read_is_as_good_as_none(tmp_path: Path, poll: Asks) -> None:
    def broken() -> list[Answer]:
        raise StoreError("not there")

    assert set(poll(tmp_path / "s", broken)()) == {"trouble"}


# -- the terminal


def ctl(*words: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["ctl", *map(str, words)])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("LINES", "40")


def test_once_prints_one_plain_table(tmp_path: Path, wide: None) -> None:
    with Daemon(tmp_path / "control.sock", says):
        assert ctl("--state", tmp_path, "watch", "--once") == (0, "\n".join(FRAME) + "\n", "")
        raw = ctl("--state", tmp_path, "watch", "--once", "--json")
    assert (raw[0], json.loads(raw[1]), raw[1].count("\n")) == (0, WHOLE, 1)


def test_once_without_a_daemon_shows_the_state_or_exits_69(tmp_path: Path, wide: None) -> None:
    said = f"no daemon answers at {tmp_path / 'control.sock'}"
    assert ctl("--state", tmp_path, "watch", "--once") == (69, said + "\n", "")
    _, state = replayed(tmp_path)
    code, out, err = ctl("--state", state, "watch", "--once")
    lines = out.splitlines()
    assert (code, err, lines[0]) == (0, "", f"no daemon answers at {state / 'control.sock'}")
    assert lines[1] == "2024-03-28 11:20:00 ET  NORMAL"
    assert [line.split()[0] for line in lines[5:7]] == ["IBM", "AIG"]
    assert (len(lines), max(map(len, lines)) <= 120, "\x1b" in out) == (17, True, False)


def test_without_a_terminal_tables_follow_one_another(tmp_path: Path, wide: None) -> None:
    words = ("--state", tmp_path, "watch", "--interval", 0.2)
    with Daemon(tmp_path / "control.sock", says), running(*words, stdout=subprocess.PIPE) as p:
        assert p.stdout is not None
        assert p.stderr is not None
        shown = [p.stdout.readline().decode().rstrip("\n") for _ in range(2 * len(FRAME) + 2)]
        p.send_signal(signal.SIGINT)
        assert (shown, p.wait(PATIENCE), p.stderr.read()) == ([*FRAME, ""] * 2, 0, b"")


class Screen:
    """The other end of a terminal of 24 lines and 80 columns."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        self.text = ""
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def until(self, come: Callable[[str], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not come(self.text):
            assert time.monotonic() < deadline, self.text
            self.read(0.05)

    def read(self, seconds: float) -> None:
        while select.select([self.ours], [], [], seconds)[0]:
            try:
                self.text += os.read(self.ours, 65536).decode()
            except OSError:
                return

    def close(self) -> None:
        for end in (self.ours, self.theirs):
            with suppress(OSError):
                os.close(end)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("colour", [True, False])
def test_on_a_terminal_it_is_drawn_in_place_and_the_cursor_comes_back(
    how: signal.Signals, colour: bool, tmp_path: Path
) -> None:
    screen = Screen()
    environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    environment |= {} if colour else {"NO_COLOR": "1"}
    try:
        with (
            Daemon(tmp_path / "control.sock", says),
            running("--state", tmp_path, "watch", "--interval", 0.2, stdout=screen.theirs, env=environment) as p,
        ):
            screen.until(lambda text: text.count(watch.END_OF_SCREEN) > 2)
            p.send_signal(how)
            assert p.wait(PATIENCE) == 0
            assert p.stderr is not None
            assert p.stderr.read() == b""
        screen.read(0.05)
    finally:
        screen.close()
    begun, *frames = screen.text.split(watch.HOME)
    paint = painted if colour else frame
    lines = [line + watch.END_OF_LINE for line in paint(WHOLE, 79, 24)]
    assert (begun, frames[0]) == (watch.HIDE, watch.END_OF_SCREEN)
    assert frames[1] == "\r\n".join(lines) + watch.END_OF_SCREEN
    assert screen.text.endswith(f"{watch.PLAIN}{watch.SHOW}\r\n")


def test_the_cursor_comes_back_when_it_fails(monkeypatch: pytest.MonkeyPatch, poll: Asks) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def failing() -> Answers:
        raise PermissionError("not ours")

    out = Terminal()
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(sys, "stdout", out)
    asks = poll(Path("/nowhere"))
    monkeypatch.setattr(asks, "_ask", failing)
    with pytest.raises(PermissionError):
        watch.show(asks, 1.0, raw=False)
    assert out.getvalue().endswith(watch.SHOW + "\n")
    assert signal.getsignal(signal.SIGTERM) == before
