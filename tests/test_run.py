"""`fluxhero run` as a person, systemd and an operator have it: real processes, real signals, real files."""

import contextlib
import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from fluxhero.cli import main

PATIENCE = 120.0  # s; a bound, not a measure
SOON = 10.0  # s in which whoever is told to go has gone; promised are 5, on a machine that is not busy
CONFIG = '[market]\nspeed = {speed}\nseed = {seed}\n[metrics]\nport = {port}\n[strategy]\nname = "metronome"\n{more}\n'
SABOTAGE = """
import sys, trio
from fluxhero import daemon as page
{body}
from fluxhero.cli import main
sys.exit(main(sys.argv[1:]))
"""
NAMES = ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "XDG_STATE_HOME", "JOURNAL_STREAM", "NOTIFY_SOCKET", "WATCHDOG_USEC")


def configured(folder: Path, *, speed: float = 60.0, seed: int = 7, port: int = 0, more: str = "") -> Path:
    path = folder / f"{speed:g}-{seed}-{port}-{len(more)}.toml"
    path.write_text(CONFIG.format(speed=speed, seed=seed, port=port, more=more))
    return path


def wait_for(come: Callable[[], Any], patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not come():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


class Running:
    """A process of `fluxhero run`, its stderr in a file."""

    def __init__(
        self, state: Path, *words: object, env: dict[str, str] | None = None, sabotage: str = "", stderr: Any = None,
        cwd: Path | None = None,
    ) -> None:  # fmt: skip
        self.state, self.socket = state, state / "control.sock"
        self._err = state.parent / f"{state.name}.{time.monotonic_ns()}.stderr"
        start = ["-c", SABOTAGE.format(body=sabotage)]
        line = [sys.executable, *(start if sabotage else ["-m", "fluxhero"]), "run", *map(str, words)]
        environ = {**{k: v for k, v in os.environ.items() if k not in NAMES}, **(env or {})}
        with contextlib.ExitStack() as files:
            err = stderr if stderr is not None else files.enter_context(self._err.open("wb"))
            self.process = subprocess.Popen(line, stderr=err, stdin=subprocess.DEVNULL, env=environ, cwd=cwd)

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()

    def ready(self) -> "Running":
        wait_for(lambda: "ready: synthetic" in self.err or self.process.poll() is not None)
        assert self.process.poll() is None, self.err
        return self

    def ask(self, **request: Any) -> dict[str, Any]:
        with closing(self.talk()) as s:
            s.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(s.makefile().readline())
            return answer

    def talk(self) -> socket.socket:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(PATIENCE)
        s.connect(str(self.socket))
        return s

    def left(self, patience: float = PATIENCE) -> int:
        return self.process.wait(patience)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts processes, and sees to it that none is left."""
    started: list[Running] = []

    def start(state: Path, *words: object, **options: Any) -> Running:
        config = options.pop("config", None) or configured(tmp_path)
        started.append(Running(state, "--state", state, "--config", config, *words, **options))
        return started[-1]

    yield start
    for running in started:
        running.kill()


def query(state: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(state / "fluxhero.sqlite")) as db:
        return db.execute(sql, values).fetchall()


Start = Callable[..., Running]


# -- as a person has it


def test_a_person_is_told_what_runs_and_where_to_look(run: Start, tmp_path: Path) -> None:
    state = tmp_path / "my state"
    first = run(state, "--for", "0.5s")
    assert first.left() == 0
    said = [line.partition("]")[2].strip() for line in first.lines if "warning" not in line]
    patterns = [
        r"beginning +state='?.*my state'?",
        r"ready: synthetic market of ALFA, BRAVO, DELTA, 60 times as fast as the clock; paper account, nothing is real",
        r"metrics: http://127\.0\.0\.1:\d+/metrics, also /livez and /readyz",
        rf"look:    fluxhero ctl --state {re.escape(shlex.quote(str(state)))} watch    \(or status, .*, halt\)",
        r"stop:    Ctrl-C; started again it goes on where it was",
    ]
    assert [p for p in patterns if not any(re.fullmatch(p, s) for s in said[:5])] == [], said
    assert (state.stat().st_mode & 0o777, (state / "control.sock").exists()) == (0o700, False)
    again = run(state, "--for", "0.2s", config=configured(tmp_path, speed=0))
    assert again.left() == 0
    assert ("resuming" in again.lines[0], "as fast as it goes" in again.err) == (True, True)
    assert main(["verify", "--state", str(state)]) == 0


@pytest.mark.parametrize("colours", [True, False])
def test_a_terminal_gets_readable_lines(colours: bool, run: Start, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    env = {"TERM": "xterm", **({} if colours else {"NO_COLOR": "1"}), "JOURNAL_STREAM": "1:1"}
    running = run(tmp_path / "s", "--for", "0.3s", stderr=theirs, env=env)
    os.close(theirs)
    said = b""
    while select.select([ours], [], [], PATIENCE)[0]:
        try:
            said += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert running.left() == 0
    assert (b"\x1b[" in said, b"{" in said, b"ready: synthetic market" in said) == (colours, False, True)
    assert all(re.match(rb"(\x1b\[[0-9;]*m)*\d\d:\d\d:\d\d", line) for line in said.splitlines())


def test_the_journal_gets_json_with_priorities(run: Start, tmp_path: Path) -> None:
    with (tmp_path / "journal").open("wb") as journal, closing(socket.create_server(("127.0.0.1", 0))) as taken:
        stat = os.fstat(journal.fileno())
        config = configured(tmp_path, port=taken.getsockname()[1])
        env = {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}
        assert run(tmp_path / "s", "--for", "0.3s", stderr=journal, env=env, config=config).left() == 0
    lines = (tmp_path / "journal").read_text().splitlines()
    rows = [(line[:3], json.loads(line[3:])) for line in lines]
    assert [(p, r["level"]) for p, r in rows if r["level"] != "info"] == [("<4>", "warning")]
    assert {p for p, r in rows if r["level"] == "info"} == {"<6>"}
    assert rows[0][1]["event"] == "beginning"


def test_a_port_that_is_taken_is_another_and_a_warning(run: Start, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        number = taken.getsockname()[1]
        running = run(tmp_path / "s", config=configured(tmp_path, port=number)).ready()
        warned = [line for line in running.lines if "warning" in line]
        assert (len(warned), f"port={number}" in warned[0]) == (1, True)
        serves = running.ask(cmd="status")["http"]
    assert not serves.endswith(f":{number}")
    with urllib.request.urlopen(f"{serves}/readyz", timeout=PATIENCE) as page:
        assert (page.status, page.read()) == (200, b"ready\n")
    with urllib.request.urlopen(f"{serves}/metrics", timeout=PATIENCE) as page:
        assert b"fluxhero_ready 1.0\n" in page.read()


# -- exit codes, each with one line


def refused(running: Running, code: int, *words: str) -> None:
    assert running.left() == code, running.err
    last = running.lines[-1]
    assert (last.startswith("fluxhero: "), [w for w in words if w not in last]) == (True, []), last
    assert ("Traceback" in running.err, len(running.lines) <= 2) == (False, True), running.err


def test_one_process_has_a_state(run: Start, tmp_path: Path) -> None:
    first = run(tmp_path / "s").ready()
    refused(run(tmp_path / "s"), 75, "another fluxhero works on", str(tmp_path / "s"))
    assert first.ask(cmd="status")["pid"] == first.process.pid


@pytest.mark.parametrize("where", ["file", "/proc/none", "/dev/null"])
def test_what_cannot_hold_a_state_is_named(where: str, run: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    state = tmp_path / where
    running = Running(tmp_path / "s", "--state", state, "--config", configured(tmp_path))
    refused(running, 70, str(state), "cannot hold a state")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[market]\nspeed = -1\n", "market.speed = -1"),
        ("[market]\nseeds = 7\n", "unknown 'seeds'"),
        ("[metrics]\nport = 70000\n", "metrics.port = 70000"),
        ("speed = ", "is no TOML"),
        (None, "does not exist"),
    ],
)
def test_a_configuration_that_is_wrong_is_refused_before_anything_is_made(
    text: str | None, why: str, run: Start, tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    if text is not None:
        config.write_text(text)
    refused(run(tmp_path / "s", config=config), 78, why, str(config))
    assert not (tmp_path / "s").exists()


def test_a_state_of_another_market_is_refused_by_name_and_new_limits_are_journaled(run: Start, tmp_path: Path) -> None:
    state = tmp_path / "s"
    assert run(state, "--for", "0.2s").left() == 0
    refused(run(state, config=configured(tmp_path, seed=8)), 78, "synthetic, seed 7", "synthetic, seed 8", str(state))
    more = run(state, "--for", "0.2s", config=configured(tmp_path, more="[risk]\nslots = 4\n"))
    assert more.left() == 0
    assert len(query(state, "SELECT * FROM journal WHERE kind = 'settings'")) == 2
    unchanged = run(state, "--for", "0.2s", config=configured(tmp_path, speed=61, more="[risk]\nslots = 4\n"))
    assert unchanged.left() == 0
    ((settings,),) = query(state, "SELECT settings FROM account")
    assert len(query(state, "SELECT * FROM journal WHERE kind = 'settings'")) == 2
    assert main(["verify", "--state", str(state)]) == 0
    assert len(settings) == 16


def test_a_path_too_long_for_a_socket_is_said_so(run: Start, tmp_path: Path) -> None:
    state = tmp_path / ("x" * 100)
    refused(run(state), 78, "control.sock is longer than 107 bytes")


@pytest.mark.parametrize(
    "text", ["0s", "", "5", "s", "-1s", "1 s", "1e3s", "inf", "nans", "5x", "٣s", "1.s", ".5s", "0.0h"]
)
def test_a_duration_that_is_none_is_a_usage_error(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as e:
        main(["run", f"--for={text}"])
    assert (e.value.code, "is no duration" in capsys.readouterr().err) == (2, True)


# -- where things are


def test_without_words_it_is_where_xdg_or_systemd_say(
    run: Start, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    config, home = configured(tmp_path), tmp_path_factory.mktemp("h")  # short, as a socket's path must be
    (tmp_path / "runtime").mkdir()
    places: list[tuple[dict[str, str], Path, Path]] = [
        ({"HOME": f"{home}"}, home / ".local/state/fluxhero", home / ".local/state/fluxhero"),
        ({"XDG_STATE_HOME": f"{tmp_path}/xdg"}, tmp_path / "xdg/fluxhero", tmp_path / "xdg/fluxhero"),
        (
            {"STATE_DIRECTORY": f"{tmp_path}/state", "RUNTIME_DIRECTORY": f"{tmp_path}/runtime"},
            tmp_path / "state",
            tmp_path / "runtime",
        ),
    ]
    cache = os.environ.get("NUMBA_CACHE_DIR") or str(Path.home() / ".cache" / "fluxhero")
    for env, state, runtime in places:
        running = Running(tmp_path / "s", "--config", config, env={"NUMBA_CACHE_DIR": cache, **env}).ready()
        try:
            assert ((state / "fluxhero.sqlite").exists(), (runtime / "control.sock").exists()) == (True, True)
        finally:
            running.kill()
    with contextlib.chdir(tmp_path):
        running = Running(tmp_path / "rel", "--state", "rel", "--config", config, cwd=tmp_path).ready()
        try:
            assert running.ask(cmd="status")["ok"]
        finally:
            running.kill()


# -- going


def tell(running: Running, how: str) -> None:
    if how == "shutdown":
        assert running.ask(cmd="shutdown")["ok"]
    else:
        running.process.send_signal(getattr(signal, how))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT", "shutdown"])
def test_whoever_is_told_to_go_goes_cleanly_and_goes_on_later(how: str, run: Start, tmp_path: Path) -> None:
    state, config = tmp_path / "s", configured(tmp_path, speed=3000)
    running = run(state, config=config).ready()
    follower = running.talk()
    follower.sendall(b'{"cmd": "events", "follow": true, "all": true}\n')
    lines = follower.makefile("rb")
    first = json.loads(lines.readline())
    wait_for(lambda: bool(query(state, "SELECT 1 FROM orders WHERE role = 'entry'")))
    tell(running, how)
    if how != "shutdown":
        with suppress(ProcessLookupError):
            tell(running, how)  # twice in a row
    assert running.left(SOON) == 0, running.err
    told = [first, *map(json.loads, lines)]
    lines.close()
    follower.close()
    assert ("Traceback" in running.err, running.socket.exists()) == (False, False)
    assert [event["seq"] for event in told] == list(range(told[0]["seq"], told[0]["seq"] + len(told)))
    rows = query(state, "SELECT * FROM journal ORDER BY seq")
    left = "role = 'entry' AND state IN ('sent', 'live', 'partial') AND canceling IS NULL"
    assert query(state, f"SELECT count(*) FROM orders WHERE {left}") == [(0,)]
    again = run(state, "--for", "0.5s", config=config)
    assert again.left() == 0
    after = query(state, "SELECT * FROM journal ORDER BY seq")
    assert (after[: len(rows)] == rows, len(after) > len(rows)) == (True, True)
    assert main(["verify", "--state", str(state)]) == 0


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_who_is_told_to_go_while_it_begins_goes_cleanly_too(how: str, run: Start, tmp_path: Path) -> None:
    for seconds in (0.0, 0.05, 0.15):
        running = run(tmp_path / "s")
        wait_for(lambda r=running: "beginning" in r.err or "resuming" in r.err)  # type: ignore[misc]
        time.sleep(seconds)
        tell(running, how)
        assert (running.left(SOON), "Traceback" in running.err) == (0, False), running.err


HANGS = {
    "the broker never answers a cancel": """
from fluxhero.brokers.paper import Paper
async def deaf(self, what):
    await trio.sleep_forever()
Paper.cancel = deaf
""",
    "an actor hangs": """
real = page.risk
class Slow:
    def __init__(self, inner): self.inner, self.n = inner, 0
    def __aiter__(self): return self
    async def __anext__(self):
        self.n += 1
        if self.n > 300: await trio.sleep_forever()
        return await self.inner.__anext__()
async def risk(inbox, *args): await real(Slow(inbox), *args)
page.risk = risk
""",
    "an actor hangs before it has begun": """
async def hangs(*args): await trio.sleep_forever()
page.orders = hangs
""",
}


@pytest.mark.parametrize("what", HANGS)
def test_what_hangs_keeps_nobody_from_going(what: str, run: Start, tmp_path: Path) -> None:
    running = run(tmp_path / "s", sabotage=HANGS[what], config=configured(tmp_path, speed=3000))
    wait_for(lambda: running.socket.exists())
    time.sleep(0.3)  # it is past its beginning, though it never says so
    if "before" not in what:
        running.ready()
        wait_for(lambda: len(query(running.state, "SELECT 1 FROM journal")) > 501)
    tell(running, "SIGTERM")
    assert running.left(SOON) == 0, running.err
    assert "Traceback" not in running.err
    assert main(["verify", "--state", str(running.state)]) == 0


CRASHES = """
real = page.{actor}
class Faulty:
    def __init__(self, inner): self.inner, self.n = inner, 0
    def __aiter__(self): return self
    def __getattr__(self, name): return getattr(self.inner, name)
    async def __anext__(self):
        message = await self.inner.__anext__()
        self.n += 1
        if self.n > {n}: raise RuntimeError("a cosmic ray")
        return message
async def faulty(inbox, *args): await real(Faulty(inbox), *args)
page.{actor} = faulty
"""


@pytest.mark.parametrize("actor", ["orders", "risk", "recorder"])
def test_who_gives_up_exits_70_and_says_why_in_its_last_line(actor: str, run: Start, tmp_path: Path) -> None:
    running = run(tmp_path / "s", sabotage=CRASHES.format(actor=actor, n=0), config=configured(tmp_path, speed=3000))
    assert running.left() == 70, running.err
    assert (
        running.lines[-1]
        == f"fluxhero: actor {actor} crashed, more often than 5 times in 60 s: RuntimeError: a cosmic ray"
    )
    counts = [
        running.err.count(words) for words in ("Traceback", "RuntimeError: a cosmic ray", "restarting all actors")
    ]
    assert (counts, running.socket.exists()) == ([6, 7, 5], False)
    assert main(["verify", "--state", str(running.state)]) == 0


def test_a_safe_process_is_told_from_a_whole_one_and_leaves_cleanly(run: Start, tmp_path: Path) -> None:
    running = run(
        tmp_path / "s", sabotage=CRASHES.format(actor="strategy", n=0), config=configured(tmp_path, speed=600)
    )
    wait_for(lambda: "going on without" in running.err)
    wait_for(lambda: running.ask(cmd="status")["state"].startswith("SAFE"))
    status = running.ask(cmd="status")
    assert (status["rung"], status["state"]) == (
        "SAFE",
        "SAFE: actor strategy crashed, more often than 5 times in 60 s: RuntimeError: a cosmic ray",
    )
    with pytest.raises(urllib.error.HTTPError) as unready:
        urllib.request.urlopen(f"{status['http']}/readyz", timeout=PATIENCE)
    assert (unready.value.code, unready.value.read().decode()) == (503, f"{status['state']}\n")
    unready.value.close()
    with urllib.request.urlopen(f"{status['http']}/livez", timeout=PATIENCE) as page:
        assert page.status == 200
    assert running.ask(cmd="flatten")["ok"]
    tell(running, "SIGTERM")
    assert running.left(SOON) == 0
    whole = run(tmp_path / "s").ready()
    assert whole.ask(cmd="status")["state"] == "ready"


# -- systemd


def test_systemd_hears_of_ready_of_pings_and_of_leaving(run: Start, tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ear:
        ear.bind(str(tmp_path / "notify"))
        ear.settimeout(PATIENCE)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        running = run(tmp_path / "s", sabotage=CRASHES.format(actor="candles", n=300), env=env).ready()
        heard: list[str] = []
        while heard.count("WATCHDOG=1") < 4:
            heard += ear.recv(4096).decode().split("\n")
        tell(running, "SIGTERM")
        assert running.left(SOON) == 0
        ear.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                heard += ear.recv(4096).decode().split("\n")
    words = [w for w in heard if w != "WATCHDOG=1"]
    assert [w for w in words if not w.startswith("STATUS=")] == ["READY=1", "STOPPING=1"]
    assert (words[words.index("READY=1") + 1], words[-1]) == ("STATUS=trading", "STATUS=leaving")


# -- whoever reads our words may go


@pytest.mark.parametrize("stderr", ["a pipe that is closed", "a full disk", "a terminal that hung up"])
def test_that_nobody_reads_the_log_stops_no_trading(stderr: str, run: Start, tmp_path: Path) -> None:
    config = configured(tmp_path, speed=3000)
    if stderr == "a full disk":
        with open("/dev/full", "wb") as full:
            running = run(tmp_path / "s", stderr=full, config=config)
    else:
        ours, theirs = pty.openpty() if "terminal" in stderr else os.pipe()
        running = run(tmp_path / "s", stderr=theirs, config=config)
        os.close(theirs)
        os.read(ours, 1)
        os.close(ours)
    wait_for(lambda: running.socket.exists() or running.process.poll() is not None)
    wait_for(lambda: running.process.poll() is not None or len(query(running.state, "SELECT 1 FROM orders")) > 3)
    assert running.process.poll() is None
    assert running.ask(cmd="actors")["ok"]
    tell(running, "SIGTERM")
    assert running.left(SOON) == 0
