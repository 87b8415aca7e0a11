"""A replay's state directory: resumed, refused, locked, damaged; and the tables that `--out` makes of it."""

import io
import json
import math
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fluxhero import logs
from fluxhero.cli import main
from fluxhero.config import parse
from fluxhero.core.calendar import nyse
from fluxhero.feeds import recording
from fluxhero.messages import MINUTE
from fluxhero.replay import Replay
from tests.market import FIRST, sessions, write_ticks

BARS = 130  # ends with positions and their stops open
PATIENCE = 60.0  # s, for what another process must do
CONFIG = "[strategy.metronome]\nevery = 5\nkeep = 14\n[risk]\nstop_atr = 6.0\n"
Rows = list[tuple[Any, ...]]


class Ran(NamedTuple):
    code: int
    summary: dict[str, Any]
    out: str
    err: str


class Command(Protocol):
    def __call__(self, *args: object, data: Path = ..., state: Path | None = None) -> Ran: ...


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


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Minutes of IBM and AIG, ticks of TIC and TOC, and a configuration; nobody changes it."""
    folder = tmp_path_factory.mktemp("data")
    save(folder / "IBM_1m.parquet", walk(1))
    save(folder / "AIG_1m.parquet", walk(2))
    write_ticks(folder, "TIC", 3, FIRST, FIRST, per=4, minutes=150)
    write_ticks(folder, "TOC", 4, FIRST, FIRST, per=4, minutes=150)
    (folder / "config.toml").write_text(CONFIG)
    return folder


@pytest.fixture(scope="module")
def replay(data: Path) -> Command:
    """`fluxhero replay` in this process."""

    def run(*args: object, data: Path = data, state: Path | None = None) -> Ran:
        words = ["replay", "--data", data, "--symbols", "IBM,AIG", "--strategy", "metronome"]
        words += ["--config", data / "config.toml", *(("--state", state) if state else ()), *args, "--json"]
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(list(map(str, words)))
        summary = json.loads(out.getvalue().splitlines()[-1]) if code == 0 else {}
        return Ran(code, summary, out.getvalue(), err.getvalue())

    return run


class Whole(NamedTuple):
    ran: Ran
    state: Path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, replay: Command) -> Whole:
    """The run that nothing interrupted."""
    state = tmp_path_factory.mktemp("whole") / "s"
    return Whole(replay(state=state), state)


def some_of(data: Path, state: Path, events: int) -> None:
    """A state as a run leaves it that was stopped after so many events."""
    logs.configure()
    request = recording.Request(data=data, symbols=("IBM", "AIG"))
    tape = recording.load(request, nyse())
    tape.tape.ts = tape.tape.ts[:events]
    config = parse(CONFIG)
    strategy = msgspec.structs.replace(config.strategy, name="metronome")
    config = msgspec.structs.replace(config, strategy=strategy)
    assert Replay(recording=tape, request=request, config=config, directory=state).main()


def rows(state: Path, table: str = "journal") -> Rows:
    with closing(sqlite3.connect(state / "fluxhero.sqlite")) as db:
        return db.execute(f"SELECT * FROM {table}").fetchall()


def complaints(err: str) -> list[str]:
    """Lines on stderr without the log's, which begin with the time."""
    return [line for line in err.splitlines() if not line[:2].isdigit()]


# -- the same again


def test_without_a_state_a_temporary_one_is_named_and_can_be_used_again(replay: Command, whole: Whole) -> None:
    first = replay()
    named = [Path(line.removeprefix("state: ")) for line in first.err.splitlines() if line.startswith("state: ")]
    assert len(named) == 1
    try:
        assert (named[0] / "fluxhero.sqlite").exists()
        assert replay(state=named[0]).summary == first.summary == whole.ran.summary
    finally:
        shutil.rmtree(named[0])


@pytest.mark.parametrize(
    "args", [(), ("--symbols", "TIC,TOC"), ("--symbols", "TIC", "--model", "bar"), ("--release", "never")]
)
def test_a_finished_state_replayed_again_prints_the_same_and_changes_no_row(
    args: tuple[str, ...], tmp_path: Path, replay: Command
) -> None:
    first = replay(*args, state=tmp_path / "s")
    tables = ["journal", "orders", "fills", "positions", "equity", "decisions", "trades", "trips", "states", "account"]
    before = {table: rows(tmp_path / "s", table) for table in tables}
    assert min(len(before[t]) for t in ("journal", "orders", "fills")) > 0
    for speed in ("max", "1e8"):
        again = replay(*args, "--speed", speed, state=tmp_path / "s")
        assert (again.summary, again.out) == (first.summary, first.out)
        assert {table: rows(tmp_path / "s", table) for table in tables} == before
    assert len(rows(tmp_path / "s", "runs")) == 3


@pytest.mark.parametrize("events", [1, 80, 95, 104, 117, 129])
def test_a_part_and_the_rest_make_the_whole(
    events: int, data: Path, tmp_path: Path, replay: Command, whole: Whole
) -> None:
    some_of(data, tmp_path / "s", events)
    part = rows(tmp_path / "s")
    assert replay(state=tmp_path / "s").summary == whole.ran.summary
    assert rows(tmp_path / "s") == rows(whole.state)
    assert rows(tmp_path / "s")[: len(part)] == part


# -- made for something else

OTHERS: dict[str, tuple[str, ...]] = {
    "symbols": ("--symbols", "AIG,IBM"),
    "symbols fewer": ("--symbols", "IBM"),
    "dates": ("--from", "2024-03-26"),
    "dates too": ("--to", "2024-03-28"),
    "strategy": ("--strategy", "dual_mode"),
    "release": ("--release", "never"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_state_of_another_request_is_refused_by_name(name: str, data: Path, tmp_path: Path, replay: Command) -> None:
    some_of(data, tmp_path, 95)
    before = rows(tmp_path)
    ran = replay(*OTHERS[name], state=tmp_path)
    assert_refused(ran, name.split()[0])
    assert rows(tmp_path) == before


def assert_refused(ran: Ran, difference: str) -> None:
    assert (ran.code, ran.out) == (78, "")
    assert len(complaints(ran.err)) == 1
    assert f"another {difference}: " in ran.err


@pytest.mark.parametrize(("key", "value"), [("risk.slots", "4"), ("costs.slip", "0.0002"), ("paper.cash", "99999")])
def test_a_state_of_other_trading_keys_is_refused(
    key: str, value: str, data: Path, tmp_path: Path, replay: Command
) -> None:
    some_of(data, tmp_path / "s", 95)
    section, _, name = key.partition(".")
    changed = CONFIG if section == "risk" else f"{CONFIG}[{section}]\n"
    (tmp_path / "other.toml").write_text(f"{changed}{name} = {value}\n")
    assert_refused(replay("--config", tmp_path / "other.toml", state=tmp_path / "s"), "trading keys")


def test_a_state_of_other_data_is_refused(data: Path, tmp_path: Path, replay: Command) -> None:
    some_of(data, tmp_path / "s", 95)
    shutil.copytree(data, tmp_path / "d")
    columns = walk(2)
    columns["volume"][-1] += 1  # of a minute that the state has not seen
    save(tmp_path / "d" / "AIG_1m.parquet", columns)
    assert_refused(replay(data=tmp_path / "d", state=tmp_path / "s"), "data of AIG")


def test_a_state_whose_data_went_missing_is_refused(data: Path, tmp_path: Path, replay: Command) -> None:
    some_of(data, tmp_path / "s", 95)
    shutil.copytree(data, tmp_path / "d")
    (tmp_path / "d" / "AIG_1m.parquet").unlink()
    ran = replay(data=tmp_path / "d", state=tmp_path / "s")
    assert (ran.code, "another symbols: IBM,AIG, and now it is IBM" in ran.err) == (78, True)


def test_the_same_data_elsewhere_is_the_same(data: Path, tmp_path: Path, replay: Command, whole: Whole) -> None:
    some_of(data, tmp_path / "s", 95)
    shutil.copytree(data, tmp_path / "d")
    assert replay(data=tmp_path / "d", state=tmp_path / "s").summary == whole.ran.summary


def test_a_state_of_another_model_is_refused(tmp_path: Path, replay: Command) -> None:
    assert replay("--symbols", "TIC", state=tmp_path).summary["model"] == "quote"
    assert_refused(replay("--symbols", "TIC", "--model", "bar", state=tmp_path), "model")


def test_a_state_of_another_timeframe_is_refused(data: Path, tmp_path: Path, replay: Command) -> None:
    """Too few bars to tell what they are by looking."""
    bars = pq.read_table(data / "IBM_1m.parquet")
    pq.write_table(bars.take(list(range(0, 100, 5))), tmp_path / "few.parquet")
    given = ("--symbols", "IBM", "--file", f"IBM={tmp_path / 'few.parquet'}")
    assert replay(*given, "--input", "1m", state=tmp_path).code == 0
    assert_refused(replay(*given, "--input", "5m", state=tmp_path), "timeframe")


# -- one process at a time


@contextmanager
def paced(data: Path, state: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that will be at it for two minutes, and whose control socket answers; gone at the end."""
    words = [sys.executable, "-m", "fluxhero", "replay", "--data", data, "--symbols", "IBM,AIG", "--json"]
    words += ["--strategy", "metronome", "--config", data / "config.toml", "--state", state, "--speed", "60"]
    process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: asked(state, "status") is not None or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE)


def asked(state: Path, cmd: str) -> dict[str, Any] | None:
    """The daemon's answer; None where there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(PATIENCE)
        try:
            s.connect(str(state / "control.sock"))
            s.sendall(json.dumps({"cmd": cmd}).encode() + b"\n")
            with s.makefile() as lines:
                answer: dict[str, Any] = json.loads(lines.readline())
        except (OSError, ValueError):
            return None
    return answer


def wait_for(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not come():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_a_second_process_on_a_state_exits_75_and_the_first_lives_on(
    data: Path, tmp_path: Path, replay: Command, whole: Whole
) -> None:
    with paced(data, tmp_path / "s") as first:
        same, other = replay(state=tmp_path / "s"), replay("--symbols", "IBM", state=tmp_path / "s")
        for second in (same, other):
            assert (second.code, second.out, len(complaints(second.err))) == (75, "", 1)
            assert str(tmp_path / "s") in second.err
        status = asked(tmp_path / "s", "status")
        assert status is not None
        assert (status["ok"], status["pid"], first.poll()) == (True, first.pid, None)
        assert len(rows(tmp_path / "s", "runs")) == 1
        first.send_signal(signal.SIGTERM)
        out, err = first.communicate(timeout=PATIENCE)
    assert (first.returncode, json.loads(out.splitlines()[-1])["finished"]) == (0, False), err
    assert "Traceback" not in err
    assert replay(state=tmp_path / "s").summary == whole.ran.summary


def test_a_killed_process_leaves_no_lock_and_nothing_half_done(
    data: Path, tmp_path: Path, replay: Command, whole: Whole
) -> None:
    with paced(data, tmp_path / "s") as first:
        os.kill(first.pid, signal.SIGKILL)
        first.wait(timeout=PATIENCE)
        assert (tmp_path / "s" / "control.sock").exists()  # nobody was left to remove it
        assert replay(state=tmp_path / "s").summary == whole.ran.summary
    assert not (tmp_path / "s" / "control.sock").exists()


# -- damage


def sql(*statements: str, file: str = "fluxhero.sqlite") -> Callable[[Path], None]:
    def change(state: Path) -> None:
        with closing(sqlite3.connect(state / file)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()

    return change


def cut(file: str, to: int) -> Callable[[Path], None]:
    return lambda state: os.truncate(state / file, to)


def noise(file: str) -> Callable[[Path], None]:
    def change(state: Path) -> None:
        (state / file).write_bytes(np.random.default_rng(5).bytes(50_000))

    return change


def page(file: str) -> Callable[[Path], None]:
    """Four pages in the middle are noise."""

    def change(state: Path) -> None:
        body = bytearray((state / file).read_bytes())
        middle = len(body) // 8192 * 4096
        body[middle : middle + 4 * 4096] = np.random.default_rng(6).bytes(4 * 4096)
        (state / file).write_bytes(body)

    return change


DAMAGE: dict[str, Callable[[Path], None]] = {
    "journal file noise": noise("fluxhero.sqlite"),
    "journal file cut": cut("fluxhero.sqlite", 30_000),
    "journal pages noise": page("fluxhero.sqlite"),
    "journal file emptied": cut("fluxhero.sqlite", 0),
    "journal file gone": lambda state: (state / "fluxhero.sqlite").unlink(),
    "journal of a newer program": sql("PRAGMA user_version = 99"),
    "a row's body": sql("UPDATE journal SET body = x'93' WHERE seq = 40"),
    "a row's hash": sql("UPDATE journal SET hash = zeroblob(16) WHERE seq = 40"),
    "a row's kind": sql("UPDATE journal SET kind = 'flat' WHERE seq = 40"),
    "a row's time": sql("UPDATE journal SET ts = ts + 1 WHERE seq = 40"),
    "the first row's body": sql("UPDATE journal SET body = x'93' WHERE seq = 1"),
    "a row gone": sql("DELETE FROM journal WHERE seq = 40"),
    "the last row gone": sql("DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)"),
    "all rows gone": sql("DELETE FROM journal"),
    "two rows exchanged": sql(
        "UPDATE journal SET seq = -1 WHERE seq = 40",
        "UPDATE journal SET seq = 40 WHERE seq = 41",
        "UPDATE journal SET seq = 41 WHERE seq = -1",
    ),
    "a table gone": sql("DROP TABLE orders"),
    "venue file noise": noise("venue.sqlite"),
    "venue file cut": cut("venue.sqlite", 9_000),
    "venue file emptied": cut("venue.sqlite", 0),
    "venue file gone": lambda state: (state / "venue.sqlite").unlink(),
    "venue of a newer program": sql("PRAGMA user_version = 99", file="venue.sqlite"),
    "venue's state noise": sql("UPDATE state SET body = x'93'", file="venue.sqlite"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_state_is_refused_in_one_line_and_left_as_it_is(
    name: str, data: Path, tmp_path: Path, replay: Command
) -> None:
    state = tmp_path / "s"
    some_of(data, state, 117)
    assert len(rows(state, "positions")) == 2
    DAMAGE[name](state)
    before = contents(state)
    ran = replay(state=state)
    assert (ran.code in (70, 78), ran.out) == (True, ""), ran
    assert len(complaints(ran.err)) == 1
    assert str(state) in ran.err
    assert contents(state) == before


def contents(state: Path) -> dict[str, Any]:
    """What the two files hold, row by row where SQLite can read them, `runs` aside."""
    found: dict[str, Any] = {}
    for file in ("fluxhero.sqlite", "venue.sqlite"):
        path = state / file
        if not path.exists() or not path.stat().st_size:
            continue  # an empty file is as good as none
        try:
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
                assert db.execute("PRAGMA quick_check").fetchone() == ("ok",)
                names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
                tables = {n: db.execute(f"SELECT * FROM {n}").fetchall() for n in names if n != "runs"}
                found[file] = tables if any(tables.values()) else None
        except (sqlite3.DatabaseError, AssertionError):
            found[file] = path.read_bytes()
    return {k: v for k, v in found.items() if v is not None}


# -- directories


def test_a_state_that_is_a_file_is_refused_in_one_line(data: Path, replay: Command) -> None:
    path = data / "IBM_1m.parquet"
    before = path.read_bytes()
    ran = replay(state=path)
    assert (ran.code != 0, ran.out, len(complaints(ran.err))) == (True, "", 1)
    assert (str(path) in ran.err, path.read_bytes() == before) == (True, True)


def test_an_out_that_is_a_file_is_refused_in_one_line(data: Path, tmp_path: Path, replay: Command) -> None:
    path = data / "IBM_1m.parquet"
    before = path.read_bytes()
    ran = replay("--out", path, state=tmp_path / "s")
    assert ran.code != 0
    assert [line for line in complaints(ran.err) if str(path) in line] != []
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a b", "a?b", "a#b", "a%41", "é", "deep/er/state"])
def test_a_state_may_have_any_name(name: str, tmp_path: Path, replay: Command) -> None:
    first = replay("--out", tmp_path / "out", state=tmp_path / "in" / name)
    again = replay(state=tmp_path / "in" / name)
    assert (first.code, again.summary) == (0, first.summary)
    assert [p.name for p in (tmp_path / "in").iterdir()] == [name.split("/")[0]]


def test_a_state_too_deep_for_a_socket_works_or_is_refused_in_one_line(tmp_path: Path, replay: Command) -> None:
    """A Unix socket's path has at most 107 bytes."""
    ran = replay(state=tmp_path / ("x" * 120))
    assert ran.code == 0 or len(complaints(ran.err)) == 1


# -- what --out writes

COLUMNS = {
    "bars": "ts symbol timeframe open high low close volume quality",
    "orders": "cid symbol side type qty limit stop status filled avg_price ts",
    "fills": "exec_id cid ts price qty fee",
    "equity": "ts equity cash",
}
MONEY = {"open", "high", "low", "close", "limit", "stop", "avg_price", "price", "fee", "equity", "cash"}


RUNS = {"bar": (), "quote": ("--symbols", "TIC,TOC"), "ticks as bars": ("--symbols", "TIC,TOC", "--model", "bar")}


@pytest.fixture(scope="module", params=RUNS)
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, replay: Command
) -> tuple[Ran, Path]:
    """A run and what it wrote; the first has positions at its end."""
    folder = tmp_path_factory.mktemp("exported")
    out = folder / "not yet" / "out"
    return replay(*RUNS[request.param], "--out", out, state=folder / "s"), out


def test_out_holds_the_listed_tables_with_the_listed_columns(exported: tuple[Ran, Path]) -> None:
    _, out = exported
    tables = {p.stem: pq.read_table(p) for p in out.glob("*.parquet")}
    assert sorted(p.name for p in out.iterdir()) == sorted([*(f"{t}.parquet" for t in tables), "summary.json"])
    assert set(tables) == {*COLUMNS, "decisions", "positions"}
    assert {name: " ".join(tables[name].column_names) for name in COLUMNS} == COLUMNS
    assert {"ts", "symbol", "outcome", "why"} <= set(tables["decisions"].column_names)
    assert {"symbol", "qty"} <= set(tables["positions"].column_names)
    for table in tables.values():
        kinds = {f.name: f.type for f in table.schema}
        assert kinds.get("ts", pa.int64()) == pa.int64()
        assert {n: k for n, k in kinds.items() if n in MONEY} == {n: pa.float64() for n in kinds if n in MONEY}


def test_every_file_of_out_is_snappy(exported: tuple[Ran, Path]) -> None:
    for path in exported[1].glob("*.parquet"):
        meta = pq.ParquetFile(path).metadata
        used = {meta.row_group(g).column(c).compression for g in range(meta.num_row_groups) for c in range(3)}
        assert used <= {"SNAPPY"}


def flow(out: Path, before: float = math.inf) -> tuple[float, dict[str, int]]:
    """Cash and positions that the fills before a time alone make of 100,000 USD."""
    orders = {o["cid"]: o for o in pq.read_table(out / "orders.parquet").to_pylist()}
    cash, held = [100_000.0], defaultdict[str, int](int)
    for f in pq.read_table(out / "fills.parquet").to_pylist():
        order = orders[f["cid"]]
        if f["ts"] < before:
            bought = f["qty"] if order["side"] == "buy" else -f["qty"]
            cash.append(-bought * f["price"] - f["fee"])
            held[order["symbol"]] += bought
    return math.fsum(cash), {symbol: n for symbol, n in held.items() if n}


def test_cash_from_the_fills_alone_is_the_ledgers_to_the_cent(exported: tuple[Ran, Path]) -> None:
    """At the end, too, where fills may come after the last seal."""
    ran, out = exported
    fills = pq.read_table(out / "fills.parquet").to_pylist()
    assert len(fills) == ran.summary["fills"] > 0
    assert math.fsum(f["fee"] for f in fills) == pytest.approx(ran.summary["fees"], abs=1e-6)
    assert flow(out)[0] == pytest.approx(ran.summary["cash"], abs=0.001)


def test_equity_is_cash_and_positions_at_the_closes_at_every_seal(exported: tuple[Ran, Path]) -> None:
    _, out = exported
    bars = pq.read_table(out / "bars.parquet").to_pylist()
    equity = pq.read_table(out / "equity.parquet").to_pylist()
    assert [e["ts"] for e in equity] == sorted({b["ts"] + MINUTE for b in bars})
    for e in (*equity[60::10], equity[-1]):
        last = {b["symbol"]: b["close"] for b in bars if b["quality"] == "full" and b["ts"] < e["ts"]}
        cash, held = flow(out, e["ts"])
        worth = math.fsum(last[symbol] * n for symbol, n in held.items())
        assert (e["cash"], e["equity"]) == (pytest.approx(cash, abs=1e-3), pytest.approx(cash + worth, abs=1e-3))


def test_the_summary_is_of_one_moment_the_end(exported: tuple[Ran, Path]) -> None:
    """Cash, equity and positions belong together, though fills may come after the last seal."""
    ran, out = exported
    bars = pq.read_table(out / "bars.parquet").to_pylist()
    last = {b["symbol"]: b["close"] for b in bars if b["quality"] == "full"}
    worth = math.fsum(last[symbol] * n for symbol, n in ran.summary["positions"].items())
    assert ran.summary["equity"] == pytest.approx(ran.summary["cash"] + worth, abs=0.001)


def test_orders_and_positions_are_what_their_fills_make_them(exported: tuple[Ran, Path]) -> None:
    ran, out = exported
    orders = pq.read_table(out / "orders.parquet").to_pylist()
    fills = pq.read_table(out / "fills.parquet").to_pylist()
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for fill in fills:
        parts[fill["cid"]].append(fill)
    for o in orders:
        filled = sum(f["qty"] for f in parts[o["cid"]])
        paid = math.fsum(f["qty"] * f["price"] for f in parts[o["cid"]])
        assert (o["filled"], o["avg_price"]) == (filled, pytest.approx(paid / filled) if filled else None)
        assert (o["status"] == "filled") == (filled == o["qty"])
        assert (o["stop"] is not None) == (o["type"] == "stop")
    assert set(parts) <= {o["cid"] for o in orders}
    assert len({(f["cid"], f["exec_id"]) for f in fills}) == len(fills)
    positions = {p["symbol"]: p["qty"] for p in pq.read_table(out / "positions.parquet").to_pylist()}
    assert positions == flow(out)[1] == ran.summary["positions"]


def test_decisions_say_why_in_one_sentence(exported: tuple[Ran, Path]) -> None:
    ran, out = exported
    decisions = pq.read_table(out / "decisions.parquet").to_pylist()
    assert len(decisions) == sum(ran.summary["decisions"].values())
    for d in decisions:
        assert d["outcome"] in ("signal", "refusal", "flat")
        assert d["why"].startswith(f"{d['symbol']} 2024-03-26 ")
        assert d["why"].endswith(".")
        assert "\n" not in d["why"]


def test_the_last_line_of_json_is_summary_json(exported: tuple[Ran, Path]) -> None:
    ran, out = exported
    assert json.loads((out / "summary.json").read_text()) == ran.summary == json.loads(ran.out.splitlines()[-1])
    text = json.dumps(ran.summary, allow_nan=False)
    assert str(out) not in text
    assert str(os.getpid()) not in {str(v) for v in ran.summary.values()}


def test_out_can_be_written_over(tmp_path: Path, replay: Command) -> None:
    replay("--symbols", "IBM", "--out", tmp_path / "out", state=tmp_path / "one")
    both = replay("--out", tmp_path / "out", state=tmp_path / "two")
    assert set(pq.read_table(tmp_path / "out" / "bars.parquet").column("symbol").to_pylist()) == {"IBM", "AIG"}
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == both.summary
    assert [p for p in (tmp_path / "out").iterdir() if p.suffix == ".tmp"] == []


def test_a_run_without_json_prints_no_json(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--data", str(data), "--symbols", "IBM", "--state", str(tmp_path)]) == 0
    assert "{" not in capsys.readouterr().out


def test_a_run_that_gives_up_exits_70_and_says_so_last(
    tmp_path: Path, replay: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The supervisor's last word must come out of the nurseries as what it is."""

    async def broken(*_: object) -> None:
        raise RuntimeError("broken for the test")

    monkeypatch.setattr("fluxhero.daemon.feed", broken)
    ran = replay(state=tmp_path)
    assert (ran.code, ran.out) == (70, "")
    last = "fluxhero: actor market crashed, more often than 5 times in 60 s: RuntimeError: broken for the test"
    assert ran.err.splitlines()[-1] == last  # it goes on without those who seek entries, and the market crashes too


def test_strategies_can_be_named_in_the_configuration(
    data: Path, tmp_path: Path, replay: Command, whole: Whole
) -> None:
    (tmp_path / "c.toml").write_text('[strategy]\nname = "metronome"\n' + CONFIG)
    words = ["replay", "--data", data, "--symbols", "IBM,AIG", "--config", tmp_path / "c.toml"]
    assert main([str(w) for w in (*words, "--state", tmp_path / "s")]) == 0
    assert replay(state=tmp_path / "s").summary == whole.ran.summary
