"""`fluxhero ctl`: what each command asks, how answers look, what refusals exit with."""

import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest

from fluxhero.cli import main
from fluxhero.operate import commands, tables
from fluxhero.store.queries import READS, Query, Reader
from tests.reading import HANG_UP, PATIENCE, Answer, Daemon, fluxhero, replayed, running


class Ran(NamedTuple):
    code: int
    out: str
    err: str


def ctl(*words: object) -> Ran:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(["ctl", *map(str, words)])
        except SystemExit as e:  # argparse
            code = int(e.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return replayed(tmp_path_factory.mktemp("run"))[1]


# -- what is asked

ASKED: dict[str, Answer] = {
    "shutdown": {"cmd": "shutdown"},
    "status": {"cmd": "status"},
    "account": {"cmd": "account"},
    "positions": {"cmd": "positions"},
    "orders": {"cmd": "orders"},
    "orders --all": {"cmd": "orders", "all": True},
    "trades": {"cmd": "trades"},
    "trades 7": {"cmd": "trades", "n": 7},
    "equity": {"cmd": "equity"},
    "equity month": {"cmd": "equity", "period": "month"},
    "risk": {"cmd": "risk"},
    "exposure": {"cmd": "exposure"},
    "trips": {"cmd": "trips"},
    "trips --all": {"cmd": "trips", "all": True},
    "report": {"cmd": "report"},
    "report 20": {"cmd": "report", "n": 20},
    "bars IBM": {"cmd": "bars", "symbol": "IBM"},
    "bars IBM 1000": {"cmd": "bars", "symbol": "IBM", "n": 1000},
    "indicators IBM": {"cmd": "indicators", "symbol": "IBM"},
    "regime": {"cmd": "regime"},
    "regime IBM": {"cmd": "regime", "symbol": "IBM"},
    "signals": {"cmd": "signals"},
    "signals 5": {"cmd": "signals", "n": 5},
    "signals IBM": {"cmd": "signals", "symbol": "IBM"},
    "signals 5 IBM": {"cmd": "signals", "n": 5, "symbol": "IBM"},
    "signals IBM 5": {"cmd": "signals", "n": 5, "symbol": "IBM"},
    "why IBM": {"cmd": "why", "symbol": "IBM"},
    "why IBM 2024-03-26 10:30": {"cmd": "why", "symbol": "IBM", "time": "2024-03-26 10:30"},
    "limits": {"cmd": "limits"},
    "actors": {"cmd": "actors"},
    "config": {"cmd": "config"},
    "metrics": {"cmd": "metrics"},
    "version": {"cmd": "version"},
    "events": {"cmd": "events"},
    "events 50 --all": {"cmd": "events", "n": 50, "all": True},
    "halt": {"cmd": "halt"},
    "halt --reason 'going out' --id a1": {"cmd": "halt", "reason": "going out", "id": "a1"},
    "release halt --reason back --id a2": {"cmd": "release", "trip": "halt", "reason": "back", "id": "a2"},
    "pause": {"cmd": "pause"},
    "pause IBM --reason news --id a3": {"cmd": "pause", "symbol": "IBM", "reason": "news", "id": "a3"},
    "resume IBM": {"cmd": "resume", "symbol": "IBM"},
    "flatten IBM --reason news": {"cmd": "flatten", "symbol": "IBM", "reason": "news"},
    "drifts": {"cmd": "drifts"},
    "adopt IBM --reason split": {"cmd": "adopt", "symbol": "IBM", "reason": "split"},
    "ignore --id a5": {"cmd": "ignore", "id": "a5"},
    "flatten --id a4": {"cmd": "flatten", "id": "a4"},
}


@pytest.mark.parametrize("line", ASKED)
def test_each_command_asks_in_one_line(line: str, tmp_path: Path) -> None:
    with Daemon(tmp_path / "control.sock", lambda request: [{"ok": True, "text": "so be it"}]) as daemon:
        assert ctl("--state", tmp_path, *shlex.split(line)) == Ran(0, "so be it\n", "")
        assert ctl("--json", "--socket", tmp_path / "control.sock", *shlex.split(line)).code == 0
    assert daemon.asked == [ASKED[line]] * 2


def test_every_command_is_among_them() -> None:
    assert {request["cmd"] for request in ASKED.values()} == {*READS, *commands.LIVE, *commands.ACTS}


WRONG = [
    "trades 0", "trades 1001", "trades x", "trades -1", "bars", "bars IBM 0", "bars IBM 2.5", "indicators",
    "equity year", "report 0", "report IBM", "signals 5 6", "signals IBM AIG", "signals 0", "signals 2000 IBM",
    "events 0", "release",
    "release halt", "watch --interval 0.1", "watch --interval 61", "watch --interval nan", "watch --interval x",
    "status --id x", "pause IBM AIG", "limits IBM",
]  # fmt: skip


@pytest.mark.parametrize("line", WRONG)
def test_what_makes_no_sense_is_not_asked(line: str, tmp_path: Path) -> None:
    ran = ctl("--state", tmp_path, *shlex.split(line))
    assert (ran.code, ran.out, "usage:" in ran.err) == (2, "", True)


# -- refusals


@pytest.mark.parametrize(
    ("kind", "code"),
    {
        "bad_request": 2, "unknown_command": 2, "too_long": 2, "refused": 2, "not_found": 66, "unavailable": 69,
        "failed": 70, "busy": 75, "stranger": 77,
    }.items(),
)  # fmt: skip
def test_a_refusal_exits_by_its_kind(kind: str, code: int, tmp_path: Path) -> None:
    refusal: Answer = {"ok": False, "kind": kind, "error": "not now"}
    with Daemon(tmp_path / "control.sock", lambda request: [refusal]):
        for line in ("status", "halt", "events --follow", "watch --once"):
            ran = ctl("--state", tmp_path, *line.split())
            shown = ran.out if line.startswith("watch") else ran.err
            assert (ran.code, shown) == (code, "not now\n"), line
        assert ctl("--state", tmp_path, "status", "--json") == Ran(code, json.dumps(refusal) + "\n", "")


@pytest.mark.parametrize("kind", [None, "new", 5, ["busy"]])
def test_a_refusal_of_no_known_kind_exits_by_its_command(kind: object, tmp_path: Path) -> None:
    refusal: Answer = {"ok": False, "error": "no", **({"kind": kind} if kind else {})}
    with Daemon(tmp_path / "control.sock", lambda request: [refusal]):
        assert [ctl("--state", tmp_path, cmd).code for cmd in ("status", "halt", "limits")] == [66, 2, 2]
    with Daemon(tmp_path / "control.sock", lambda request: [{**refusal, "error": "refused uid 7"}]):
        assert ctl("--state", tmp_path, "status").code == 77


def test_what_a_refusal_says_cannot_command_the_terminal(tmp_path: Path) -> None:
    refusal: Answer = {"ok": False, "kind": "failed", "error": "a\x1b[2J\nb\ud800"}
    with Daemon(tmp_path / "control.sock", lambda request: [refusal]):
        assert ctl("--state", tmp_path, "halt") == Ran(70, "", "a?[2J b?\n")


@pytest.mark.parametrize("cmd", [*commands.ACTS, *commands.LIVE, "events --follow"])
def test_without_a_daemon_what_needs_one_exits_69(cmd: str, state: Path) -> None:
    words = [*cmd.split(), *(["halt", "--reason", "x"] if cmd == "release" else [])]
    for where in (("--state", state), ("--socket", state / "control.sock")):
        assert ctl(*where, *words) == Ran(69, "", f"no daemon answers at {state / 'control.sock'}\n")


@pytest.mark.parametrize("cmd", ["status", "watch --once"])
def test_a_socket_named_alone_is_not_replaced_by_some_state(
    cmd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a whole path may be wider than a screen
    ran = ctl("--socket", "x.sock", *cmd.split())
    assert (ran.code, ran.out + ran.err) == (69, "no daemon answers at x.sock\n")


def test_a_daemon_whose_queue_is_full_is_busy_and_not_absent(state: Path, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        listener.listen(0)
        first.connect(str(path))
        assert ctl("--state", state, "--socket", path, "status") == Ran(69, "", f"{path} is too busy to answer\n")


# -- from the state

READ = [line for line, request in ASKED.items() if request["cmd"] in READS]


@pytest.mark.parametrize("line", READ)
def test_without_a_daemon_the_state_itself_answers(line: str, state: Path) -> None:
    request = dict(ASKED[line])
    with closing(Reader(state)) as reader:
        answer = reader.answer(request.pop("cmd"), Query(**request))
    words = ("--state", state, *shlex.split(line))
    running = {"running": False} if line == "status" else {}
    raw = ctl(*words, "--json")
    assert (raw.code, raw.err, json.loads(raw.out)) == (0, "", {"ok": True, **answer, **running})
    assert raw.out.count("\n") == 1
    shown = ctl(*words)
    assert (shown.code, shown.err, len(shown.out) > 20) == (0, "", True)
    assert [line for line in shown.out.splitlines() if line != line.rstrip()] == []


def test_what_the_state_does_not_know_exits_66(state: Path) -> None:
    for line in ("bars XYZ", "indicators ibm", "regime XYZ", "signals XYZ", "why XYZ", "why IBM noon"):
        ran = ctl("--state", state, *line.split())
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (66, "", 1)
    raw = json.loads(ctl("--state", state, "--json", "bars", "XYZ").out)
    assert raw == {"ok": False, "kind": "not_found", "error": "XYZ is not traded here; IBM, AIG are"}


# -- as text

CONFIG = "hash                  a\nconfig.risk.day_loss  0.03\nconfig.risk.cash      100,000.0\nnone                  -"
STATUS: Answer = {
    "ok": True, "market_time": "2024-03-28 11:20:00 ET", "symbols": ["IBM", "AIG"], "equity": 100035.5, "trips": [],
    "positions": 2, "journal_rows": 12345, "running": True, "pid": 12345, "feed_age_seconds": 0.25,
}  # fmt: skip


def test_facts_stand_one_a_line() -> None:
    assert tables.text("status", STATUS) == (
        "market time       2024-03-28 11:20:00 ET\n"
        "symbols           IBM, AIG\n"
        "equity            100,035.50\n"
        "trips             none\n"
        "positions         2\n"
        "journal rows      12,345\n"
        "running           yes\n"
        "pid               12345\n"
        "feed age seconds  0.2"
    )


def test_a_ratio_stands_beside_what_it_is_of() -> None:
    account = {
        "ok": True, "id": "a", "day_result": -222.263, "day_result_ratio": -0.0022, "peak": 0.5, "drawdown_ratio": 0.0,
        "deployed": 39982.26, "deployed_ratio": 0.3997,
    }  # fmt: skip
    assert tables.text("account", account) == (
        "day result  -222.26 (-0.22 %)\n"
        "peak        0.50\n"
        "drawdown    0.00 %\n"
        "deployed    39,982.26 (39.97 %)"
    )  # fmt: skip


def test_rows_stand_in_columns_with_numbers_to_the_right() -> None:
    trade = {"symbol": "IBM", "qty": 1204, "closed": "2024-03-28 11:07:00 ET", "entry": 97.5923, "result": 0.19}
    other = {"symbol": "F", "qty": 9, "closed": "2024-03-28 10:39:00 ET", "entry": 0.5, "result": -1156.931}
    assert tables.text("trades", {"ok": True, "trades": [trade, other]}) == (
        "symbol    qty  closed            entry     result\n"
        "IBM     1,204  2024-03-28 11:07  97.59      +0.19\n"
        "F           9  2024-03-28 10:39   0.50  -1,156.93"
    )


def test_small_numbers_keep_their_digits_and_what_is_missing_is_a_dash() -> None:
    rows = [
        {"symbol": "A", "r2": 0.8304, "adx": None, "time": "2024-03-28 10:39:30 ET", "reason": ""},
        {"symbol": "B", "r2": None, "adx": None, "time": None, "reason": ""},
    ]
    assert tables.text("regime", {"ok": True, "regimes": rows}) == (
        "symbol      r2  adx  time\n"
        "A       0.8304  -    2024-03-28 10:39:30\n"
        "B            -  -    -"
    )  # fmt: skip


def test_facts_come_before_the_table_and_groups_bear_their_name() -> None:
    limits = [{"limit": "day loss", "now": 0.012, "most": 0.03}, {"limit": "positions", "now": 2, "most": 5}]
    answer = {"ok": True, "rung": "NORMAL", "paused": [], "limits": limits, "since": {"a": {"b": 1}}}
    assert tables.text("limits", answer) == (
        "rung       NORMAL\n"
        "paused     none\n"
        "since.a.b  1\n"
        "\n"
        "limit         now    most\n"
        "day loss   0.0120  0.0300\n"
        "positions       2       5"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("cmd", "answer", "text"),
    [
        ("positions", {"positions": []}, "no positions"),
        ("orders", {"orders": []}, "no open orders"),
        ("trades", {"trades": []}, "no trades"),
        ("signals", {"signals": []}, "nothing has been sought yet"),
        ("bars", {"symbol": "A", "bars": []}, "symbol  A\n\nno bars"),
        ("events", {"events": []}, "no events"),
        ("metrics", {"metrics": "a 1\nb\x1b 2\n"}, "a 1\nb? 2"),
        ("halt", {"text": "halted"}, "halted"),
        ("why", {"symbol": "A", "time": "2024-03-28 11:07:00 ET", "why": "A: sought."}, "A: sought."),
        ("version", {"version": "0.1.0"}, "version  0.1.0"),
        ("config", {"hash": "a", "config": {"risk": {"day_loss": 0.03, "cash": 1e5}}, "none": None}, CONFIG),
    ],
)
def test_every_answer_has_a_text(cmd: str, answer: Answer, text: str) -> None:
    assert tables.text(cmd, {"ok": True, **answer}) == text


def test_a_signal_says_its_time_and_symbol_once() -> None:
    why = "IBM 2024-03-28 11:07:00 ET: left the trend position."
    signal = {"time": "2024-03-28 11:07:00 ET", "symbol": "IBM", "action": "exit", "mode": "trend", "why": why}
    assert tables.text("signals", {"ok": True, "signals": [signal]}) == (
        "time              symbol  action  mode   why\n"
        "2024-03-28 11:07  IBM     exit    trend  left the trend position."
    )


def test_a_curve_is_drawn_and_some_of_its_points_are_told() -> None:
    points = [{"time": f"2024-03-28 {9 + n // 60:02}:{n % 60:02}:00 ET", "equity": 100.0 + n} for n in range(390)]
    text = tables.text("equity", {"ok": True, "period": "day", "points": points, "change_ratio": 0.0123}).splitlines()
    assert text[:3] == ["period  day", "change  +1.23 %", ""]
    assert (len(text[3]), text[3][0], text[3][-1], sorted(text[3])) == (60, "▁", "█", list(text[3]))
    assert (text[4:7], text[-1]) == (
        ["", "time              equity", "2024-03-28 09:00  100.00"],
        "2024-03-28 15:29  489.00",
    )
    assert len(text[6:]) == 20
    assert tables.spark([5.0, 5.0]) == "▁▁"


# -- events

EVENTS: list[Answer] = [
    {
        "seq": 7, "time": "2024-03-28 11:13:00 ET", "kind": "filled", "symbol": "IBM", "cid": "fh-1", "slot": 0,
        "at": 1711638720000000000, "price": 97730000, "qty": 204, "fee": 1020000, "state": "dead", "reason": "",
    },
    {"seq": 8, "time": "2024-03-28 11:14:00 ET", "kind": "tripped", "trip": "halt", "cause": "a\nb", "value": 0.03125},
    {
        "seq": 9, "time": "2024-03-28 11:15:00 ET", "kind": "intent", "symbol": "AIG",
        "order": {"m": "Order", "cid": "fh-2", "role": "entry", "slot": 1, "side": 1, "stop": 95820000, "x": None},
    },
    {
        "seq": 10, "time": "2024-03-28 11:16:00 ET", "kind": "decided", "symbol": "AIG", "action": 4, "mode": 2,
        "gate": 0, "value": 0.0, "regime": 0, "scale": 0.7, "reading": {"close": 1.0}, "slots": [], "entry": False,
    },
]  # fmt: skip
LINES = (
    "2024-03-28 11:13:00  filled      IBM    cid=fh-1 at=2024-03-28T11:12:00 price=97.73 qty=204 fee=1.02 state=dead\n"
    "2024-03-28 11:14:00  tripped            trip=halt cause=a b value=0.03125\n"
    "2024-03-28 11:15:00  intent      AIG    cid=fh-2 role=entry side=buy stop=95.82\n"
    "2024-03-28 11:16:00  decided     AIG    action=exit mode=mean-reversion regime=neutral scale=0.7 entry=False\n"
)


def test_events_are_a_line_each(tmp_path: Path) -> None:
    with Daemon(tmp_path / "control.sock", lambda request: [{"ok": True, "events": EVENTS}]):
        assert ctl("--state", tmp_path, "events") == Ran(0, LINES, "")


def test_events_are_followed_until_the_daemon_goes(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    words = ("--state", tmp_path, "events", "--follow", 3)
    with Daemon(path, lambda request: [*EVENTS, HANG_UP]):
        assert ctl(*words) == Ran(69, LINES, f"the daemon at {path} has gone\n")
        raw = ctl(*words, "--json")
    assert (raw.code, [json.loads(line) for line in raw.out.splitlines()]) == (69, EVENTS)
    with Daemon(path, lambda request: [*EVENTS, b'{"kind": "no end', HANG_UP]) as daemon:
        ran = ctl(*words)
    assert daemon.asked == [{"cmd": "events", "follow": True, "n": 3}]
    assert (ran.code, ran.out, ran.err.startswith(f"{path} spoke no JSON")) == (69, LINES, True)


def test_following_ends_with_a_refusal(tmp_path: Path) -> None:
    refusal: Answer = {"ok": False, "kind": "busy", "error": "too many clients"}
    with Daemon(tmp_path / "control.sock", lambda request: [EVENTS[0], refusal]):
        ran = ctl("--state", tmp_path, "events", "--follow")
    assert ran == Ran(75, LINES.splitlines(keepends=True)[0], "too many clients\n")


# -- as a process


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    def says(request: Answer) -> list[Answer | bytes]:
        return [*EVENTS] if request.get("follow") else [b'{"ok": tr']

    with Daemon(tmp_path / "control.sock", says) as daemon:
        yield daemon


def waits(pid: int) -> None:
    """Until the process sleeps in its wait: a signal just before that is seen only when the wait is over."""
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < deadline


@pytest.mark.parametrize(("words", "code"), [("events --follow", 0), ("status", 130)])
def test_an_interrupt_ends_it_quietly(words: str, code: int, daemon: Daemon, tmp_path: Path) -> None:
    with running("--state", tmp_path, *words.split(), stdout=subprocess.PIPE) as p:
        assert p.stdout is not None
        if code == 0:
            assert [p.stdout.readline().decode() for _ in EVENTS] == LINES.splitlines(keepends=True)
        else:
            daemon.wait()
        waits(p.pid)
        p.send_signal(signal.SIGINT)
        assert (p.wait(PATIENCE), *p.communicate()) == (code, b"", b"")


@pytest.mark.parametrize("words", ["trades", "equity all --json", "status"])
def test_who_stops_reading_ends_it_quietly(words: str, state: Path) -> None:
    line = fluxhero("--state", state, *words.split())
    read, write = os.pipe()
    os.close(read)
    try:
        ran = subprocess.run(line, stdout=write, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    finally:
        os.close(write)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_letters_that_the_terminal_does_not_have_are_replaced(state: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    ran = subprocess.run(fluxhero("--state", state, "equity"), capture_output=True, env=environment, timeout=PATIENCE)
    assert (ran.returncode, ran.stderr, b"?" * 60 in ran.stdout) == (0, b"", True)


HEAVY = {"numba", "llvmlite", "pyarrow", "pandas", "trio", "httpx", "structlog", "fluxhero.store.records"}
LIGHT = [c for c in READS if c not in ("account", "exposure", "indicators", "regime", "report", "risk")]


def loaded(state: Path, words: list[str]) -> list[str]:
    """Of HEAVY and numpy, what a command loads."""
    script = (
        "import sys; from fluxhero.cli import main; code = main(sys.argv[1:]); assert code in (0, 69), code;"
        f" print(sorted({{*{sorted(HEAVY)}, 'numpy'}} & {{*sys.modules}}))"
    )
    line = [sys.executable, "-c", script, "ctl", "--state", str(state), *words]
    ran = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE, check=True)
    found: list[str] = json.loads(ran.stdout.splitlines()[-1].replace("'", '"'))
    return found


@pytest.mark.parametrize("cmd", [*LIGHT, "halt"])
def test_a_command_loads_no_library_that_it_does_not_need(cmd: str, state: Path) -> None:
    assert loaded(state, [cmd, *(["IBM"] if cmd in ("bars", "why") else [])]) == []


def test_a_report_as_text_as_json_and_as_a_page(state: Path, tmp_path: Path) -> None:
    text, told, file = (
        ctl("--state", state, "report"),
        ctl("--state", state, "report", "--json"),
        tmp_path / "risk.html",
    )
    assert (text.code, text.out.splitlines()[0]) == (
        0, "risk report of 2024-03-28, at the closes of 2024-03-28 11:20:00 ET, NORMAL"
    )  # fmt: skip
    assert json.loads(told.out)["market_time"] == "2024-03-28 11:20:00 ET"
    assert ctl("--state", state, "report", "--html", file) == Ran(0, f"wrote {file}\n", "")
    assert ctl("--state", state, "report", "--html", "-") == Ran(0, f"{file.read_text()}\n", "")
    assert file.read_text().startswith("<!doctype html>")
    ran = ctl("--state", state, "report", "--html", tmp_path)
    assert ran == Ran(70, "", f"{tmp_path} cannot be written: Is a directory\n")


def test_a_daemons_report_is_shown_without_a_heavy_library(state: Path, tmp_path: Path) -> None:
    answer = json.loads(ctl("--state", state, "report", "--json").out)
    with Daemon(tmp_path / "control.sock", lambda request: [answer]):
        assert loaded(tmp_path, ["report", "--html", str(tmp_path / "risk.html")]) == []


@pytest.mark.parametrize("cmd", ["account", "indicators IBM", "regime", "watch --once"])
def test_the_kernels_records_are_read_without_the_compiler(cmd: str, state: Path) -> None:
    assert loaded(state, cmd.split()) == ["fluxhero.store.records", "numpy"]
