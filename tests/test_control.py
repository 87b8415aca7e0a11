"""The control socket of a running replay and `fluxhero ctl`, by raw sockets and real processes.

The daemon here is resumed from a state of 107 bar times and paced at one a second, so that it is surely alive, and
holds positions, while it is spoken to. Whether it was disturbed is read off the journal at the end.
"""

import io
import json
import os
import platform
import random
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fluxhero import __version__, logs
from fluxhero.actors.control import FOLLOWERS
from fluxhero.cli import main
from fluxhero.config import parse, plain
from fluxhero.core.calendar import nyse
from fluxhero.feeds import recording
from fluxhero.kernel.plug import settled
from fluxhero.messages import MINUTE
from fluxhero.operate import client
from fluxhero.replay import Replay
from tests.market import FIRST, sessions

BARS, BEFORE = 240, 107
PATIENCE = 60.0  # s, for what another process must do
LINE = 4096  # bytes
NOBODY = 65534
CONFIG = '[strategy]\nname = "metronome"\n[strategy.metronome]\nevery = 5\nkeep = 14\n[risk]\nstop_atr = 6.0\n'
READS: list[dict[str, Any]] = [
    {"cmd": "status"},
    {"cmd": "positions"},
    {"cmd": "orders"},
    {"cmd": "orders", "all": True},
    {"cmd": "why", "symbol": "IBM"},
    {"cmd": "why", "symbol": "AIG", "time": "11:00"},
    {"cmd": "why", "symbol": "AIG", "time": "2024-03-26 11:01:00"},
    {"cmd": "config"},
    {"cmd": "metrics"},
    {"cmd": "version"},
    {"cmd": "actors"},
    {"cmd": "limits"},
    {"cmd": "events"},
    {"cmd": "events", "all": True, "n": 1000},
]
KINDS = {
    "an unknown command": "unknown_command",
    "an empty command": "unknown_command",
    "an unknown symbol": "not_found",
    "no symbol": "not_found",
    "a time that is none": "not_found",
    "a time without a seal": "not_found",
    "the year 1": "not_found",
    "the year 9999": "not_found",
    "a release without a trip": "refused",
    "a release of an unknown trip": "refused",
    "a release of what is not held": "refused",
    "a drawdown that is not held": "refused",
    "a pause of an unknown symbol": "not_found",
    "a flatten of a symbol with a NUL": "not_found",
}  # of the refusals below; the others are bad requests
REFUSED: dict[str, bytes] = {
    "no JSON": b"hello",
    "an unfinished object": b'{"cmd": "status"',
    "invalid UTF-8": b'{"cmd": "stat\xff\xfeus"}',
    "invalid UTF-8 alone": b"\xff\xfe\x00",
    "a NUL": b'{"cmd": "status"}\x00',
    "an array": b'["status"]',
    "a word": b'"status"',
    "a number": b"17",
    "null": b"null",
    "no command": b"{}",
    "an unknown command": b'{"cmd": "buy"}',
    "an empty command": b'{"cmd": ""}',
    "a command that is a number": b'{"cmd": 5}',
    "an unknown field": b'{"cmd": "status", "please": true}',
    "a symbol that is a list": b'{"cmd": "why", "symbol": ["IBM"]}',
    "all that is a word": b'{"cmd": "orders", "all": "yes"}',
    "an id that is an object": b'{"cmd": "status", "id": {}}',
    "half a surrogate": b'{"cmd": "why", "symbol": "\\ud800"}',
    "deep nesting": b'{"cmd": ' + b"[" * 3000,
    "deep nesting in an unknown field": b'{"x": ' + b'{"x":' * 600,
    "an unknown symbol": b'{"cmd": "why", "symbol": "XYZ"}',
    "no symbol": b'{"cmd": "why"}',
    "a time that is none": b'{"cmd": "why", "symbol": "IBM", "time": "noon"}',
    "a time without a seal": b'{"cmd": "why", "symbol": "IBM", "time": "03:00"}',
    "the year 1": b'{"cmd": "why", "symbol": "IBM", "time": "0001-01-01 00:00"}',
    "the year 9999": b'{"cmd": "why", "symbol": "IBM", "time": "9999-12-31 23:59"}',
    "a release without a trip": b'{"cmd": "release", "reason": "because"}',
    "a release without a reason": b'{"cmd": "release", "trip": "halt"}',
    "a release of an unknown trip": b'{"cmd": "release", "trip": "moon", "reason": "because"}',
    "a release of what is not held": b'{"cmd": "release", "trip": "halt", "reason": "because"}',
    "a drawdown that is not held": b'{"cmd": "release", "trip": "drawdown", "reason": "because"}',
    "a pause of an unknown symbol": b'{"cmd": "pause", "symbol": "XYZ"}',
    "a flatten of a symbol with a NUL": b'{"cmd": "flatten", "symbol": "IBM\\u0000"}',
    "a number of rows below nothing": b'{"cmd": "orders", "n": -1}',
    "events below nothing": b'{"cmd": "events", "n": -1, "all": true}',
    "a huge number of rows": b'{"cmd": "trades", "n": 1' + b"0" * 500 + b"}",
    "a number of rows past 64 bits": b'{"cmd": "trades", "n": 99999999999999999999999999999999}',
    "a number of rows that is none": b'{"cmd": "trades", "n": 1e400}',
    "a period that is none": b'{"cmd": "equity", "period": "fortnight"}',
    "an id that is too long": b'{"cmd": "pause", "id": "' + b"x" * 101 + b'"}',
    "a reason that is too long": b'{"cmd": "halt", "reason": "' + b"x" * 1001 + b'"}',
    "two objects": b'{"cmd": "status"} {"cmd": "status"}',
}


class Ran(NamedTuple):
    code: int
    out: str
    err: str


class Talker:
    """One connection, line by line."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(PATIENCE)
        try:
            self._connect(str(path), time.monotonic() + PATIENCE)
        except BaseException:
            self.socket.close()
            raise
        self._lines = self.socket.makefile("rb")

    def _connect(self, path: str, deadline: float) -> None:
        """Where the listener's queue is full, a Unix socket with a timeout fails at once instead of waiting."""
        while True:
            try:
                return self.socket.connect(path)
            except BlockingIOError:
                assert time.monotonic() < deadline
                time.sleep(0.001)

    def __enter__(self) -> "Talker":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self.socket.close()

    def send(self, *lines: bytes) -> None:
        self.socket.sendall(b"".join(line + b"\n" for line in lines))

    def answer(self) -> dict[str, Any] | None:
        """None where the other side hung up."""
        try:
            line = self._lines.readline()
        except ConnectionResetError:
            return None
        answer: dict[str, Any] | None = json.loads(line) if line else None
        return answer

    def ask(self, **request: Any) -> dict[str, Any]:
        self.send(json.dumps(request).encode())
        answer = self.answer()
        assert answer is not None, f"hung up on {request}"
        return answer


class Running:
    """`fluxhero replay` in a process of its own."""

    def __init__(self, data: Path, state: Path) -> None:
        self.data, self.state, self.socket = data, state, state / "control.sock"
        words = [sys.executable, "-m", "fluxhero", "replay", "--data", data, "--symbols", "IBM,AIG", "--json"]
        words += ["--config", data / "config.toml", "--state", state, "--speed", "60"]
        self._out, self._err = state / "stdout", state / "stderr"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(list(map(str, words)), stdout=out, stderr=err)
        try:
            wait_for(lambda: self._listens() or self.process.poll() is not None)
            assert self.process.poll() is None, self.err
        except BaseException:
            self.kill()
            raise

    @property
    def err(self) -> str:
        return self._err.read_text()

    def talk(self) -> Talker:
        return Talker(self.socket)

    def ask(self, **request: Any) -> dict[str, Any]:
        with self.talk() as t:
            return t.ask(**request)

    def assert_well(self) -> None:
        """The same process, that never had to begin anew."""
        assert self.process.poll() is None, self.err
        status = self.ask(cmd="status")
        assert (status["ok"], status["pid"]) == (True, self.process.pid)
        assert "crashed" not in self.err

    def left(self) -> int:
        return self.process.wait(timeout=PATIENCE)

    def stop(self) -> None:
        """By the signal; the state stays."""
        self.process.send_signal(signal.SIGTERM)
        assert self.left() == 0, self.err

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=PATIENCE)

    def last_line(self) -> dict[str, Any]:
        summary: dict[str, Any] = json.loads(self._out.read_text().splitlines()[-1])
        return summary

    def _listens(self) -> bool:
        try:
            with self.talk():
                return True
        except OSError:
            return False


def wait_for(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not come():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def walk(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0, 4e-4, BARS))), 2)
    opens = np.concatenate([[100.0], close[:-1]])
    return {
        "ts": sessions(FIRST, FIRST)[0].open + np.arange(BARS) * MINUTE,
        "open": opens,
        "high": np.round(np.maximum(opens, close) + 0.02, 2),
        "low": np.round(np.minimum(opens, close) - 0.02, 2),
        "close": close,
        "volume": rng.integers(1_000, 50_000, BARS),
    }


def save(path: Path, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), path)


def ctl(*args: object) -> Ran:
    """`fluxhero ctl` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(["ctl", *map(str, args)])
        except SystemExit as e:  # argparse
            code = int(e.code or 0)
    return Ran(code, out.getvalue(), err.getvalue())


def query(state: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(state / "fluxhero.sqlite")) as db:
        return db.execute(sql).fetchall()


def journal(state: Path) -> list[tuple[Any, ...]]:
    return query(state, "SELECT * FROM journal ORDER BY seq")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    save(folder / "IBM_1m.parquet", walk(1))
    save(folder / "AIG_1m.parquet", walk(2))
    (folder / "config.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def begun(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state as a run leaves it that was stopped after 107 bar times, with two positions; to be copied."""
    state = tmp_path_factory.mktemp("begun")
    logs.configure()
    request = recording.Request(data=data, symbols=("IBM", "AIG"))
    tape = recording.load(request, nyse())
    tape.tape.ts = tape.tape.ts[:BEFORE]
    config = parse(CONFIG)
    assert Replay(recording=tape, request=request, config=config, directory=state).main()
    assert len(query(state, "SELECT * FROM positions")) == 2
    return state


@pytest.fixture(scope="module")
def undisturbed(data: Path, begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of the whole run, which nobody has spoken to."""
    state = tmp_path_factory.mktemp("undisturbed") / "s"
    shutil.copytree(begun, state)
    finish(data, state)
    return state


def finish(data: Path, state: Path) -> dict[str, Any]:
    """Resumes a state at full speed, to the end."""
    out, err = io.StringIO(), io.StringIO()
    words = ["replay", "--data", data, "--symbols", "IBM,AIG", "--config", data / "config.toml", "--json"]
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(w) for w in (*words, "--state", state)])
    assert code == 0, err.getvalue()
    summary: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    assert summary["finished"]
    return summary


class Keeper:
    """One daemon for many tests; a new one where a test has killed or stopped it."""

    def __init__(self, data: Path, begun: Path, folder: Path) -> None:
        self._data, self._begun, self._folder = data, begun, folder
        self._count = 0
        self.running: Running | None = None

    def get(self) -> Running:
        if self.running is None or self.running.process.poll() is not None or "crashed" in self.running.err:
            self.end()
            self._count += 1
            state = self._folder / f"s{self._count}"
            shutil.copytree(self._begun, state)
            self.running = Running(self._data, state)
        return self.running

    def end(self) -> None:
        if self.running is not None:
            self.running.kill()


@pytest.fixture(scope="module")
def keeper(data: Path, begun: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    keeper = Keeper(data, begun, tmp_path_factory.mktemp("shared"))
    try:
        yield keeper
    finally:
        keeper.end()


@pytest.fixture
def daemon(keeper: Keeper) -> Running:
    """Shared: for tests that change nothing and stop nothing."""
    return keeper.get()


@pytest.fixture
def own(data: Path, begun: Path, tmp_path: Path) -> Iterator[Running]:
    """For a test that halts or stops it."""
    shutil.copytree(begun, tmp_path / "s")
    running = Running(data, tmp_path / "s")
    try:
        yield running
    finally:
        running.kill()


# -- answers


def test_the_socket_is_ours_alone(daemon: Running) -> None:
    mode = daemon.socket.stat()
    assert (stat.S_ISSOCK(mode.st_mode), stat.S_IMODE(mode.st_mode), mode.st_uid) == (True, 0o600, os.getuid())


def test_status_says_what_the_store_says(daemon: Running) -> None:
    status = daemon.ask(cmd="status")
    assert (status["ok"], status["running"], status["pid"]) == (True, True, daemon.process.pid)
    assert (status["symbols"], status["model"], status["rung"], status["trips"]) == (
        ["IBM", "AIG"],
        "bar",
        "NORMAL",
        [],
    )
    assert (status["positions"], status["fills"] > 0, status["orders"] > 0) == (2, True, True)
    (hashed,) = query(daemon.state, f"SELECT hash FROM journal WHERE seq = {status['journal_rows']}")
    assert status["journal_hash"] == hashed[0].hex()
    assert status["market_time"].startswith("2024-03-26 ")


def test_positions_and_orders_say_what_the_store_says(begun: Path, daemon: Running) -> None:
    positions = daemon.ask(cmd="positions")
    held = dict(query(begun, "SELECT slot, qty FROM positions"))
    assert {p["symbol"]: p["qty"] for p in positions["positions"]} == {"IBM": held[0], "AIG": held[1]}
    stops = {p["symbol"]: p["stop"] for p in positions["positions"]}
    orders = daemon.ask(cmd="orders")["orders"]
    assert {o["symbol"]: o["stop"] for o in orders if o["role"] == "stop"} == stops
    every = daemon.ask(cmd="orders", all=True)["orders"]
    assert len(every) >= query(begun, "SELECT count(*) FROM orders")[0][0]
    assert {o["cid"] for o in orders} < {o["cid"] for o in every}


def test_why_explains_in_one_sentence(daemon: Running) -> None:
    for symbol in ("IBM", "AIG"):
        last = daemon.ask(cmd="why", symbol=symbol)
        assert (last["ok"], last["symbol"]) == (True, symbol)
        at = daemon.ask(cmd="why", symbol=symbol, time=last["time"].removesuffix(" ET"))
        assert at == last
        assert last["why"].startswith(f"{symbol} {last['time']}: ")
        assert last["why"].endswith(".")
    assert "not warm" in daemon.ask(cmd="why", symbol="IBM", time="09:35")["why"]


def test_the_id_is_echoed_with_answers_and_errors(daemon: Running) -> None:
    assert daemon.ask(cmd="status", id="a1")["id"] == "a1"
    refused = daemon.ask(cmd="why", symbol="XYZ", id="é\n\u0000")
    assert (refused["ok"], refused["id"]) == (False, "é\n\u0000")
    assert daemon.ask(cmd="buy", id="a3")["id"] == "a3"
    assert "id" not in daemon.ask(cmd="status")


def test_many_requests_on_one_connection_are_answered_in_order(daemon: Running) -> None:
    with daemon.talk() as t:
        t.send(*(json.dumps({"cmd": "status" if i % 2 else "buy", "id": str(i)}).encode() for i in range(200)))
        answers = [t.answer() for _ in range(200)]
    assert [(a["id"], a["ok"]) for a in answers if a] == [(str(i), bool(i % 2)) for i in range(200)]


def test_a_request_may_come_in_pieces_and_be_followed_by_an_end(daemon: Running) -> None:
    """As `socat` does it: the writing side is shut before the answer comes."""
    with daemon.talk() as t:
        for byte in b'{"cmd": "status"}':
            t.socket.sendall(bytes([byte]))
        t.socket.sendall(b"\r\n\n  \n")
        t.socket.shutdown(socket.SHUT_WR)
        answer = t.answer()
        assert (answer and answer["ok"], t.answer()) == (True, None)


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_request_gets_an_error_and_the_daemon_lives_on(name: str, daemon: Running) -> None:
    with daemon.talk() as t:
        t.send(REFUSED[name])
        answer = t.answer()
        assert answer is not None, daemon.err
        assert (answer["ok"], set(answer)) == (False, {"ok", "kind", "error"})
        assert isinstance(answer["error"], str)
        assert len(answer["error"]) > 0
        assert answer["kind"] == KINDS.get(name, "bad_request")
        assert t.ask(cmd="status")["ok"]  # the connection lives on, too
    daemon.assert_well()


@pytest.mark.parametrize("size", [LINE, LINE + 1, 2 * LINE - 2, 2 * LINE + 1, 1_000_000])
@pytest.mark.parametrize("ended", [True, False])
def test_a_request_has_at_most_4_kib(size: int, ended: bool, daemon: Running) -> None:
    """With its line's end or without; the boundary itself is allowed."""
    body = b'{"cmd": "status", "time": "'
    line = body + b"x" * (size - len(body) - 3) + b'"}\n'
    assert len(line) == size
    with daemon.talk() as t:
        try:
            t.socket.sendall(line if ended else line[:-1] + b"x")
        except OSError:
            assert size > LINE  # it hung up on us while we spoke
        if not ended and size == LINE:
            t.socket.shutdown(socket.SHUT_WR)
            answer = t.answer()  # with the end that a last line may lack it is too long
            assert answer is not None
            assert answer["kind"] == "too_long"
        else:
            answer = t.answer()
            assert answer is not None
            assert (answer["ok"], answer.get("kind")) == ((True, None) if size == LINE else (False, "too_long"))
    daemon.assert_well()


def test_half_a_line_and_a_hang_up_hurt_nobody(daemon: Running) -> None:
    for half in (b"", b"{", b'{"cmd": "halt"', b'{"cmd": "status"}', b"\n" * 100):
        with daemon.talk() as t:
            t.socket.sendall(half)
    for _ in range(20):
        with daemon.talk() as t:
            t.send(b'{"cmd": "orders", "all": true}')  # and gone before the answer
    daemon.assert_well()
    assert daemon.ask(cmd="status")["trips"] == []


def test_fifty_connections_at_once_are_all_answered(daemon: Running) -> None:
    talkers: list[Talker] = []
    try:
        for i in range(50):
            talkers.append(daemon.talk())
            with suppress(OSError):  # refused already
                talkers[-1].send(json.dumps({"cmd": "status", "id": str(i)}).encode())
        answers = [t.answer() for t in talkers]
    finally:
        for t in talkers:
            t.__exit__()
    served = [a for a in answers if a and a["ok"]]
    refused = [a for a in answers if a and not a["ok"]]
    assert (len(served) + len(refused), len(served) >= 16) == (50, True)
    assert {(a["kind"], a["error"]) for a in refused} <= {("busy", "too many clients")}
    wait_for(lambda: daemon.ask(cmd="status")["ok"])
    daemon.assert_well()


def test_a_client_that_never_reads_does_not_hold_the_others_up(daemon: Running) -> None:
    with daemon.talk() as deaf:
        deaf.socket.setblocking(False)
        request = b'{"cmd": "orders", "all": true}\n'
        sent = 0
        while sent < 500:
            try:
                sent += deaf.socket.send(request) == len(request)
            except BlockingIOError:
                break
        daemon.assert_well()


def test_a_store_that_cannot_be_read_is_an_error_and_not_the_end(own: Running) -> None:
    """The writer has its file open; that a reader cannot have it must not stop the trading."""
    path = own.state / "fluxhero.sqlite"
    path.rename(own.state / "away")
    with own.talk() as t:
        t.send(b'{"cmd": "status"}')
        answer = t.answer()
    (own.state / "away").rename(path)
    assert answer is not None
    assert (answer["ok"], set(answer), answer["kind"]) == (False, {"ok", "kind", "error"}, "unavailable")
    own.assert_well()


# -- undisturbed


def test_whatever_is_only_read_or_refused_changes_nothing(own: Running, undisturbed: Path) -> None:
    for line in (*(json.dumps(r).encode() for r in READS), *REFUSED.values(), b"x" * 5000):
        with own.talk() as t:
            t.send(line)
            t.answer()
    for request in READS:
        assert own.ask(**request)["ok"]
    own.stop()
    whole = finish(own.data, own.state)
    assert whole == finish(own.data, undisturbed)
    assert journal(own.state) == journal(undisturbed)
    assert len(query(own.state, "SELECT * FROM runs")) == 3


# -- commands that act


def test_shutdown_answers_exits_0_and_the_state_resumes(own: Running, undisturbed: Path) -> None:
    said = own.ask(cmd="shutdown", id="bye")
    assert (said["id"], said["ok"], said["text"].startswith("shutting down")) == ("bye", True, True)
    assert own.left() == 0, own.err
    assert (own.last_line()["finished"], own.socket.exists(), "Traceback" in own.err) == (False, False, False)
    finish(own.data, own.state)
    assert journal(own.state) == journal(undisturbed)


def test_ctl_shutdown_exits_0(own: Running) -> None:
    asked = ctl("--state", own.state, "shutdown")
    assert (asked.code, asked.err) == (0, "")
    assert own.left() == 0, own.err


def test_a_halt_stops_entries_and_outlives_restarts_until_it_is_released(own: Running, undisturbed: Path) -> None:
    halted = own.ask(cmd="halt", reason="dinner")
    assert halted["ok"]
    status = own.ask(cmd="status")
    assert (status["rung"], status["trips"]) == ("HALTED", ["halt"])
    (at,) = query(own.state, "SELECT ts, trip, cause, released FROM trips")
    assert at[1:] == ("halt", "dinner", None)
    assert own.ask(cmd="halt", reason="again")["ok"]  # it is held already: nothing new
    assert len(query(own.state, "SELECT * FROM trips")) == 1
    own.kill()  # it was durable when it was answered

    again = Running(own.data, own.state)
    try:
        assert again.ask(cmd="status")["trips"] == ["halt"]
        again.stop()
    finally:
        again.kill()
    whole = finish(own.data, own.state)
    entries = query(own.state, f"SELECT count(*) FROM orders WHERE role IN ('entry', 'exit') AND ts > {at[0]}")
    assert entries == [(0,)]
    assert query(undisturbed, f"SELECT count(*) > 0 FROM orders WHERE role = 'entry' AND ts > {at[0]}") == [(1,)]
    assert (len(whole["trips"]), whole["trips"][0]["released"]) == (1, None)
    assert query(own.state, "SELECT count(*) > 0 FROM decisions WHERE judged IS NOT NULL") == [(1,)]
    status = json.loads(ctl("--state", own.state, "status", "--json").out)
    assert (status["rung"], status["trips"], status["running"]) == ("HALTED", ["halt"], False)


def test_a_release_lets_entries_go_on(own: Running) -> None:
    assert own.ask(cmd="halt", reason="dinner")["ok"]
    without = own.ask(cmd="release", trip="halt")
    assert (without["ok"], "reason" in without["error"]) == (False, True)
    other = own.ask(cmd="release", trip="day_loss", reason="because")
    assert (other["ok"], "halt" in other["error"]) == (False, True)  # it says what is held
    assert own.ask(cmd="status")["trips"] == ["halt"]
    assert own.ask(cmd="release", trip="halt", reason="dinner is over")["ok"]
    status = own.ask(cmd="status")
    assert (status["rung"], status["trips"]) == ("NORMAL", [])
    (trip,) = query(own.state, 'SELECT trip, cause, "by", reason, released FROM trips')
    assert trip[:4] == ("halt", "dinner", "operator", "dinner is over")
    assert not own.ask(cmd="release", trip="halt", reason="twice")["ok"]
    own.kill()  # the release was durable, too
    finish(own.data, own.state)
    assert query(own.state, f"SELECT count(*) > 0 FROM orders WHERE role = 'entry' AND ts > {trip[4]}") == [(1,)]


def test_ctl_halts_and_releases(own: Running) -> None:
    halted = ctl("--state", own.state, "halt", "--reason", "dinner")
    assert (halted.code, halted.err, halted.out.startswith("halted")) == (0, "", True)
    refused = ctl("--state", own.state, "release", "drawdown", "--reason", "x")
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert ctl("--state", own.state, "release", "halt").code == 2  # argparse: the reason
    assert ctl("--state", own.state, "release", "halt", "--reason", "").code == 2
    assert json.loads(ctl("--state", own.state, "--json", "status").out)["trips"] == ["halt"]
    released = ctl("--socket", own.socket, "release", "halt", "--reason", "over", "--json")
    assert (released.code, json.loads(released.out)["ok"]) == (0, True)
    own.assert_well()


# -- what the daemon alone knows


def test_it_tells_its_version_its_settings_and_its_actors(daemon: Running) -> None:
    version = daemon.ask(cmd="version")
    assert {k: version[k] for k in ("version", "python")} == {
        "version": __version__,
        "python": platform.python_version(),
    }
    settings = daemon.ask(cmd="config")
    config = settled(parse(CONFIG))
    assert (settings["hash"], settings["config"]) == (config.hash(), json.loads(json.dumps(plain(config))))
    actors = {a["actor"]: a for a in daemon.ask(cmd="actors")["actors"]}
    assert {name: (a["up"], a["restarts"]) for name, a in actors.items()} == dict.fromkeys(
        (
            "brake", "candles", "control", "door", "feed", "heart", "http", "orders", "recorder", "risk", "senses",
            "strategy",
        ),
        (True, 0),
    )  # fmt: skip


def test_it_tells_its_limits_and_what_is_paused(own: Running) -> None:
    limits = own.ask(cmd="limits")
    names = ["day loss", "soft drawdown", "hard drawdown", "deployed", "positions"]
    assert ([x["limit"] for x in limits["limits"]], limits["rung"], limits["paused"]) == (names, "NORMAL", [])
    assert {x["limit"]: x["most"] for x in limits["limits"]} == dict(zip(names, (0.03, 0.15, 0.2, 0.5, 5), strict=True))
    assert own.ask(cmd="pause", symbol="AIG")["ok"]
    assert own.ask(cmd="limits")["paused"] == ["AIG"]


def test_metrics_are_the_same_by_the_socket_and_by_http(daemon: Running) -> None:
    names = [metric_names(daemon.ask(cmd="metrics")["metrics"])]
    with urllib.request.urlopen(f"{daemon.ask(cmd='status')['http']}/metrics", timeout=PATIENCE) as page:
        names.append(metric_names(page.read().decode()))
    assert (names[0] == names[1], len(names[0]) > 30) == (True, True)


def metric_names(text: str) -> set[str]:
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}


# -- events


def test_events_are_the_journals_rows(daemon: Running) -> None:
    every = daemon.ask(cmd="events", all=True, n=1000)["events"]
    kinds = dict(query(daemon.state, "SELECT seq, kind FROM journal"))
    seqs = [e["seq"] for e in every]
    assert (seqs == list(range(1, len(seqs) + 1)), len(seqs) > 100) == (True, True)
    assert [(e["seq"], e["kind"]) for e in every] == [(seq, kinds[seq]) for seq in seqs]
    told = [e for e in every if e["kind"] not in ("seal", "past")][-20:]
    newest = daemon.ask(cmd="events")["events"]
    assert (len(newest), newest[0]["seq"] >= told[0]["seq"]) == (20, True)
    assert {e["seq"]: e for e in every if e["seq"] in {x["seq"] for x in newest}} == {
        e["seq"]: e for e in newest if e["seq"] <= seqs[-1]
    }
    assert [len(daemon.ask(cmd="events", n=n)["events"]) for n in (1, 7)] == [1, 7]
    fill = next(e for e in every if e["kind"] == "filled")
    assert ({"symbol", "price", "qty", "cid"} <= fill.keys(), fill["symbol"] in ("IBM", "AIG")) == (True, True)


def followed(t: Talker, until: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    while not told or not until(told[-1]):
        event = t.answer()
        assert event is not None
        told.append(event)
    return told


def test_who_follows_is_told_every_row_once_and_in_order_until_the_daemon_goes(own: Running) -> None:
    with own.talk() as t:
        t.send(b'{"cmd": "events", "follow": true, "all": true, "n": 5}')
        told = followed(t, lambda e: e["kind"] == "seal")
        for i in range(30):
            assert own.ask(cmd="pause" if i % 2 else "resume", id=f"f{i}")["ok"]
        told += followed(t, lambda e: e.get("id") == "f29")
        own.process.send_signal(signal.SIGTERM)
        while (event := t.answer()) is not None:
            told.append(event)
    assert own.left() == 0
    first = told[0]["seq"]
    rows = query(
        own.state, f"SELECT seq, kind FROM journal WHERE seq BETWEEN {first} AND {told[-1]['seq']} ORDER BY seq"
    )
    assert [(e["seq"], e["kind"]) for e in told] == rows
    assert [e["id"] for e in told if e["kind"] == "commanded"] == [f"f{i}" for i in range(30)]


def test_who_follows_and_says_anything_is_listened_to_again(daemon: Running) -> None:
    with daemon.talk() as t:
        t.send(b'{"cmd": "events", "follow": true, "n": 1}')
        assert followed(t, lambda e: True)[0]["seq"] > 0
        t.send(b"")
        wait_for(lambda: answered(t))


def answered(t: Talker) -> bool:
    t.send(b'{"cmd": "version"}')
    while (answer := t.answer()) is not None:
        if "python" in answer:
            return True
    return False


def test_as_many_followers_as_there_may_be_and_those_who_ask(own: Running) -> None:
    """Those who do not read are nobody's trouble, and one too many is told so."""
    talkers = [own.talk() for _ in range(FOLLOWERS + 1)]
    try:
        for t in talkers[:-1]:
            t.send(b'{"cmd": "events", "follow": true, "all": true, "n": 1}')
            followed(t, lambda e: True)
        talkers[-1].send(b'{"cmd": "events", "follow": true}')
        busy = {"ok": False, "kind": "busy", "error": f"{FOLLOWERS} clients follow events already"}
        assert talkers[-1].answer() == busy
        assert own.ask(cmd="pause", id="seen")["ok"]
        for t in talkers[:20]:  # the others are deaf
            followed(t, lambda e: e.get("id") == "seen")
        began = time.monotonic()
        assert own.ask(cmd="status")["ok"]
        assert time.monotonic() - began < 5.0
    finally:
        for t in talkers:
            t.__exit__()
    own.assert_well()


def test_who_follows_is_hung_up_on_when_the_daemon_dies_and_finds_the_next_one(own: Running) -> None:
    with own.talk() as t:
        t.send(b'{"cmd": "events", "follow": true, "all": true, "n": 1}')
        followed(t, lambda e: True)
        own.kill()
        while t.answer() is not None:
            pass
    again = Running(own.data, own.state)
    try:
        with again.talk() as t:
            t.send(b'{"cmd": "events", "follow": true, "all": true}')
            assert len(followed(t, lambda e: e["kind"] == "seal")) >= 1
    finally:
        again.kill()


# -- pause, resume, flatten


def test_commands_are_durable_when_they_are_answered_and_obeyed_once_by_their_ids(own: Running) -> None:
    paused = own.ask(cmd="pause", symbol="IBM", id="a", reason="news")
    assert paused == {"id": "a", "ok": True, "text": "paused: no new entries; exits and stops go on"}
    own.kill()
    again = Running(own.data, own.state)
    try:
        assert again.ask(cmd="limits")["paused"] == ["IBM"]
        assert again.ask(cmd="pause", symbol="IBM", id="a", reason="news") == paused
        other = "id a was another command, a pause; nothing done"
        refused = {"id": "a", "ok": False, "kind": "refused", "error": other}
        assert again.ask(cmd="flatten", id="a") == refused
        assert again.ask(cmd="status")["rung"] == "NORMAL"
        assert again.ask(cmd="resume", symbol="IBM", id="b")["text"] == "resumed; rung NORMAL"
        assert again.ask(cmd="pause", symbol="IBM", id="a") == paused
        assert again.ask(cmd="limits")["paused"] == []
        again.stop()
    finally:
        again.kill()
    rows = query(own.state, "SELECT verb, reason, id FROM commands ORDER BY n")
    assert rows == [("pause", "news", "a"), ("resume", "by the operator", "b")]


def test_a_flattened_symbol_is_left_and_stays_so_until_it_is_resumed(own: Running) -> None:
    assert {p["symbol"] for p in own.ask(cmd="positions")["positions"]} == {"IBM", "AIG"}
    said = own.ask(cmd="flatten", symbol="IBM", reason="dinner")
    assert said["text"] == "flattening 1 of 1 symbols; no new entries before resume"
    wait_for(lambda: {p["symbol"] for p in own.ask(cmd="positions")["positions"]} == {"AIG"})
    again = own.ask(cmd="flatten", symbol="IBM")
    assert again["text"] == "flattening 0 of 1 symbols; no new entries before resume"
    own.kill()
    finish(own.data, own.state)
    ((at,),) = query(own.state, "SELECT min(ts) FROM commands")
    entries = query(own.state, f"SELECT slot, count(*) FROM orders WHERE role = 'entry' AND ts >= {at} GROUP BY slot")
    assert [slot for slot, _ in entries] == [1]
    gate = [why for (why,) in query(own.state, f"SELECT judged FROM decisions WHERE slot = 0 AND ts > {at}") if why]
    assert gate
    refused = json.loads(ctl("--state", own.state, "signals", "IBM", "1", "--json").out)["signals"][0]
    assert (refused["action"], "the symbol is paused by the operator" in refused["why"]) == ("refused", True)


def test_ctl_pauses_resumes_and_flattens(own: Running) -> None:
    for words in (("pause", "IBM"), ("resume", "IBM"), ("flatten",), ("resume",), ("pause", "--id", "x")):
        ran = ctl("--state", own.state, *words)
        assert (ran.code, ran.err, len(ran.out.splitlines())) == (0, "", 1), words
    for words in (("pause", "XYZ"), ("flatten", "ibm")):
        ran = ctl("--state", own.state, *words)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (66, "", 1)
    own.assert_well()


def test_an_id_is_good_again_after_a_thousand_others(own: Running) -> None:
    with own.talk() as t:
        ids = [*map(str, range(1001)), "0"]
        answers = []
        for part in (ids[i : i + 50] for i in range(0, len(ids), 50)):
            t.send(*(json.dumps({"cmd": "pause", "symbol": "IBM", "id": id}).encode() for id in part))
            answers += [t.answer() for _ in part]
    assert [a["id"] for a in answers if a and a["ok"]] == ids
    own.assert_well()


def test_a_shutdown_whose_asker_has_gone_is_obeyed_at_once(own: Running) -> None:
    """And not by the next one who asks for something else. While it is stopped it cannot answer before they go."""
    own.process.send_signal(signal.SIGSTOP)
    with own.talk() as t:
        t.send(b'{"cmd": "shutdown"}')
    own.process.send_signal(signal.SIGCONT)
    assert own.process.wait(5.0) == 0


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_answered_with_a_kind_and_the_daemon_lives_on(seed: int, daemon: Running) -> None:
    chance = random.Random(seed)
    commands = ["status", "pause", "events", "why", "release", "trades", "orders", "x", "halt ", ""]
    values: list[Any] = [
        "IBM", "", None, True, -1, 0, 10**18, 10**40, 1e308, 1.5, [], {}, "\x00", "x" * 300, ["IBM"], {"a": 1}, "day",
    ]  # fmt: skip
    names = ["symbol", "time", "n", "period", "all", "trip", "id", "please", "cmd"]
    with daemon.talk() as t:
        for _ in range(300):
            request = {"cmd": chance.choice(commands), **{k: chance.choice(values) for k in chance.sample(names, 2)}}
            line = bytearray(json.dumps(request).encode())
            for _ in range(chance.choice([0, 0, 1, 5])):
                line[chance.randrange(len(line))] = chance.choice([*range(1, 10), *range(11, 256)])
            if not line.strip() or b"pause" in line or b"follow" in line:
                continue
            t.send(bytes(line))
            answer = t.answer()
            assert answer is not None, line
            kinds = {"bad_request", "unknown_command", "not_found", "refused"}
            assert answer["ok"] or answer["kind"] in kinds, (line, answer)
    daemon.assert_well()


# -- ctl


def test_ctl_reads_the_same_from_the_daemon_and_from_the_store(own: Running) -> None:
    lines = [("positions",), ("orders",), ("why", "IBM", "10:00"), ("why", "AIG", "2024-03-26", "10:30"), ("status",)]
    asked = {line: ctl("--state", own.state, *line, "--json") for line in lines}
    shown = {line: ctl("--state", own.state, *line) for line in lines}
    assert {(r.code, r.err) for r in (*asked.values(), *shown.values())} == {(0, "")}
    own.stop()
    for line in lines[2:4]:
        assert ctl("--state", own.state, *line, "--json") == asked[line]
        assert ctl("--state", own.state, *line) == shown[line]
    status = json.loads(ctl("--state", own.state, "status", "--json").out)
    assert (status["running"], "pid" in status) == (False, False)
    living = {"pid", "state", "uptime_seconds", "feed_age_seconds", "http"}
    assert {*status} == {*json.loads(asked[("status",)].out)} - living
    positions = json.loads(ctl("--state", own.state, "positions", "--json").out)["positions"]
    assert {p["symbol"]: p["qty"] for p in positions} == {
        ("IBM", "AIG")[slot]: qty for slot, qty in query(own.state, "SELECT slot, qty FROM positions")
    }


def test_ctl_without_a_daemon_reads_the_store_and_refuses_to_act(undisturbed: Path) -> None:
    before = journal(undisturbed)
    for line in ("status", "positions", "orders", "orders --all", "why IBM"):
        ran = ctl("--state", undisturbed, *line.split())
        assert (ran.code, ran.err, len(ran.out) > 0) == (0, "", True)
    for line in ("halt", "release halt --reason x", "shutdown"):
        ran = ctl("--state", undisturbed, *line.split())
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (69, "", 1)
        assert str(undisturbed / "control.sock") in ran.err
    assert journal(undisturbed) == before


def test_ctl_exits_66_for_the_why_of_an_unknown_symbol(undisturbed: Path, daemon: Running) -> None:
    for state in (undisturbed, daemon.state):
        for line in (("why", "XYZ"), ("why", "ibm"), ("why", "IBM", "noon"), ("why", "IBM", "03:00")):
            ran = ctl("--state", state, *line)
            assert (ran.code, ran.out, len(ran.err.splitlines())) == (66, "", 1)
        answer = ctl("--state", state, "why", "XYZ", "--json")
        assert (answer.code, json.loads(answer.out)["ok"]) == (66, False)


@pytest.mark.parametrize("time", ["0001-01-01 00:00", "9999-12-31 23:59", "24:61", "", "-1", "2024-03-26T11:00Z"])
def test_ctl_takes_any_text_as_a_time(time: str, undisturbed: Path) -> None:
    ran = ctl("--state", undisturbed, "why", "IBM", "--", time)
    assert ran.code in (0, 66)
    said = (ran.out + ran.err).splitlines()
    assert [line for line in said if not line.startswith("  ")] == said[:1]  # below it, what was looked at


@pytest.mark.parametrize("command", ["status", "positions", "orders", "why IBM", "halt", "shutdown"])
def test_ctl_exits_69_where_there_is_no_state(command: str, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", Path("/dev/null"), tmp_path / ("x" * 200)):
        ran = ctl("--state", path, *command.split())
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (69, "", 1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["noise", "empty", "no tables"])
def test_ctl_says_in_one_line_that_a_store_is_damaged(name: str, tmp_path: Path) -> None:
    body = {"noise": b"noise" * 5000, "empty": b"", "no tables": b""}[name]
    (tmp_path / "fluxhero.sqlite").write_bytes(body)
    if name == "no tables":
        with closing(sqlite3.connect(tmp_path / "fluxhero.sqlite")) as db:
            db.execute("CREATE TABLE other (x)")
    for command in ("status", "positions", "orders"):
        ran = ctl("--state", tmp_path, command)
        assert (ran.code in (66, 69, 70), ran.out, len(ran.err.splitlines())) == (True, "", 1)
        assert str(tmp_path) in ran.err


@pytest.mark.parametrize("line", ["", "buy", "status extra", "why", "release", "--state", "orders --some"])
def test_ctl_exits_2_for_what_it_does_not_know(line: str) -> None:
    ran = ctl(*line.split())
    assert (ran.code, ran.out) == (2, "")


def test_ctl_finds_the_daemon_where_the_environment_says(
    daemon: Running, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ctl("status").code == 69
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    shutil.copytree(undisturbed, tmp_path / "xdg" / "fluxhero")
    assert json.loads(ctl("status", "--json").out)["running"] is False
    monkeypatch.setenv("STATE_DIRECTORY", str(daemon.state))
    assert json.loads(ctl("status", "--json").out)["pid"] == daemon.process.pid
    monkeypatch.setenv("STATE_DIRECTORY", str(undisturbed))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(daemon.state))
    assert json.loads(ctl("status", "--json").out)["pid"] == daemon.process.pid


HEAVY = ("numba", "llvmlite", "pyarrow", "numpy", "pandas", "trio")


def test_ctl_imports_nothing_heavy(undisturbed: Path) -> None:
    script = (
        "import sys; from fluxhero.cli import main; code = main(sys.argv[1:]);"
        f" print([m for m in {HEAVY} if m in sys.modules], code)"
    )
    for words in (("status",), ("positions",), ("orders", "--all"), ("why", "IBM"), ("halt",)):
        line = [sys.executable, "-c", script, "ctl", "--state", str(undisturbed), *words]
        ran = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)
        assert ran.stdout.splitlines()[-1] == f"[] {69 if words == ('halt',) else 0}", ran.stderr


# -- others


class Impostor:
    """Listens where a daemon would, and does one thing to whoever comes."""

    def __init__(self, path: Path, does: Callable[[socket.socket], None]) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen(1)
        self._socket.settimeout(PATIENCE)
        self._does = does
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._thread.join(PATIENCE)
        self._socket.close()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            self._does(connection)


def _read_and(answer: bytes) -> Callable[[socket.socket], None]:
    def does(s: socket.socket) -> None:
        s.recv(LINE)
        s.sendall(answer)

    return does


def _silent(s: socket.socket) -> None:
    s.settimeout(PATIENCE)
    while s.recv(LINE):  # until they lose patience
        pass


IMPOSTORS: dict[str, Callable[[socket.socket], None]] = {
    "hangs up at once": lambda s: None,
    "hangs up after the request": _read_and(b""),
    "answers half a line": _read_and(b'{"ok": tr'),
    "answers no JSON": _read_and(b"hello\n"),
    "answers no UTF-8": _read_and(b"\xff\xfe\n"),
    "answers a list": _read_and(b"[]\n"),
    "answers without ok": _read_and(b"{}\n"),
    "never answers": _silent,
}


@pytest.mark.parametrize("name", IMPOSTORS)
@pytest.mark.parametrize("command", ["status", "halt"])
def test_ctl_survives_a_daemon_that_is_none(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, and an exit code that is not 0: nobody has done what was asked."""
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    with Impostor(tmp_path / "control.sock", IMPOSTORS[name]):
        ran = ctl("--state", tmp_path, command)
    assert (ran.code != 0, ran.out, len(ran.err.splitlines())) == (True, "", 1)


root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


def as_nobody(script: str, *args: str) -> subprocess.CompletedProcess[str]:
    """A Python script in a process that belongs to nobody; what it imports, it imports before."""
    become = f"import os; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    line = [sys.executable, "-c", script.replace("BECOME", become), *args]
    return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)


def opened(path: Path) -> None:
    """Lets others come to the socket, as far as the file system goes."""
    path.chmod(0o666)
    for folder in path.parents:
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)


CLIENT = """
import encodings.idna, socket, sys
BECOME
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.settimeout(30)
try:
    s.connect(sys.argv[1])
    print(s.makefile().readline(), end="")
except OSError as e:
    print(type(e).__name__)
"""
CTL = """
import encodings.idna, gettext, locale, shutil, sys
from fluxhero.cli import main
from fluxhero.operate import client
BECOME
sys.exit(main(sys.argv[1:]))
"""


@root
def test_another_user_is_refused_by_the_socket_and_then_by_the_daemon(own: Running) -> None:
    assert as_nobody(CLIENT, str(own.socket)).stdout == "PermissionError\n"
    opened(own.socket)
    answer = as_nobody(CLIENT, str(own.socket))
    assert json.loads(answer.stdout) == {"ok": False, "kind": "stranger", "error": f"refused uid {NOBODY}"}
    own.assert_well()
    for command in ("halt", "status", "shutdown"):
        ran = as_nobody(CTL, "ctl", "--state", str(own.state), command)
        assert (ran.returncode, ran.stdout, ran.stderr) == (77, "", f"refused uid {NOBODY}\n")
    own.assert_well()
    assert own.ask(cmd="status")["trips"] == []


@root
@pytest.mark.parametrize("command", ["status", "halt"])
def test_another_user_whom_the_files_keep_out_is_told_so(command: str, daemon: Running) -> None:
    ran = as_nobody(CTL, "ctl", "--state", str(daemon.state), command)
    assert (ran.returncode in (69, 77), ran.stdout, len(ran.stderr.splitlines())) == (True, "", 1), ran.stderr
    assert "ermission" in ran.stderr or "refused" in ran.stderr
