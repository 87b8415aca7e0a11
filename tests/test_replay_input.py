"""What a replay makes of files, dates and arguments that are wrong, odd or missing: all named, nothing traded on."""

import datetime
import gzip
import json
import os
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fluxhero.cli import main
from fluxhero.core.calendar import nyse
from fluxhero.messages import MINUTE
from tests.market import FIRST, write_ticks

Columns = dict[str, Any]
BARS = 100  # the first 80 warm the indicators up, the metronome enters on the 90th
PRICES = ("open", "high", "low", "close")
DAY = datetime.date(2024, 3, 26)
NEXT = datetime.date(2024, 3, 27)
OPEN = nyse().between(DAY, DAY)[0].open
CLOSE = nyse().between(DAY, DAY)[0].close
NEW_YORK = ZoneInfo("America/New_York")


class Ran(NamedTuple):
    code: int
    summary: dict[str, Any]
    out: str
    err: str
    bars: dict[str, list[tuple[Any, ...]]]  # (ts, open, high, low, close, volume) by symbol


class Command(Protocol):
    def __call__(self, symbols: str = "IBM,BAD", *args: object) -> Ran: ...


def walk(n: int = BARS, seed: int = 1, start: int = OPEN, step: int = MINUTE) -> Columns:
    """A random walk on whole cents, one bar after another."""
    rng = np.random.default_rng(seed)
    close = np.round(100.0 * np.exp(np.cumsum(rng.normal(0, 4e-4, n))), 2)
    opens = np.concatenate([[100.0], close[:-1]])
    return {
        "ts": start + np.arange(n) * step,
        "open": opens,
        "high": np.round(np.maximum(opens, close) + 0.02, 2),
        "low": np.round(np.minimum(opens, close) - 0.02, 2),
        "close": close,
        "volume": rng.integers(1_000, 50_000, n),
    }


def with_rows(columns: Columns, changes: dict[int, dict[str, Any]]) -> Columns:
    """The columns with these rows changed: {row: {column: value}}; None is a null."""
    lists = {k: np.asarray(v).tolist() for k, v in columns.items()}
    for row, change in changes.items():
        for name, value in change.items():
            lists[name][row] = value
    types = {k: pa.float64() if k in PRICES or k == "volume" else pa.int64() for k in lists}
    return {k: pa.array(v, types[k]) for k, v in lists.items()}


def without(columns: Columns, gone: set[int]) -> list[tuple[Any, ...]]:
    """The rows that are left, as they should stand in bars.parquet."""
    rows = zip(*(np.asarray(columns[k]).tolist() for k in ("ts", *PRICES, "volume")), strict=True)
    return [row for i, row in enumerate(rows) if i not in gone]


def save(path: Path, columns: Columns) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with one good file, of IBM."""
    folder = tmp_path / "data"
    folder.mkdir()
    save(folder / "IBM_1m.parquet", walk())
    return folder


@pytest.fixture
def replay(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """`fluxhero replay` of the folder; every call with a state of its own."""
    count = 0

    def run(symbols: str = "IBM,BAD", *args: object) -> Ran:
        nonlocal count
        count += 1
        state, out = tmp_path / f"state{count}", tmp_path / f"out{count}"
        fixed = ["--strategy", "metronome", "--state", state, "--out", out, "--json"]
        words = [str(w) for w in ("replay", "--data", data, "--symbols", symbols, *fixed, *args)]
        capsys.readouterr()
        try:
            code = main(words)
        except SystemExit as e:  # argparse
            code = int(e.code or 0)
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        summary = json.loads(shown.out.splitlines()[-1]) if code == 0 else {}
        return Ran(code, summary, shown.out, shown.err, bars_of(out) if code == 0 else {})

    return run


def bars_of(out: Path) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for r in pq.read_table(out / "bars.parquet").to_pylist():
        found.setdefault(r["symbol"], []).append(tuple(r[k] for k in ("ts", *PRICES, "volume")))
    return found


def complaints(err: str) -> list[str]:
    """What stands on stderr for the user: no log lines, no pace."""
    return [line for line in err.splitlines() if line.startswith(("fluxhero", "left out", "usage"))]


# -- files that cannot be used


def _columns(**other: Any) -> Columns:
    return {**walk(), **other}


def _save(columns: Callable[[], Columns]) -> Callable[[Path], object]:
    return lambda path: save(path, columns())


def _flipped(path: Path) -> None:
    """The magic at both ends stands, all between is noise."""
    body = bytearray(save(path, walk()).read_bytes())
    body[4:-8] = np.random.default_rng(7).bytes(len(body) - 12)
    path.write_bytes(body)


def _twice(path: Path) -> None:
    table = pa.table(walk())
    pq.write_table(table.append_column("ts", table.column("ts")), path)


def _folder(path: Path) -> None:
    path.mkdir()
    save(path / "part.parquet", walk())


def _back(columns: Columns) -> Columns:
    columns["ts"][[50, 51]] = columns["ts"][[51, 50]]
    return columns


N = range(BARS)
UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "does not exist"),
    "empty": (lambda path: path.write_bytes(b""), "Parquet"),
    "garbage": (lambda path: path.write_bytes(b"\x00\xff garbage \n" * 500), "Parquet"),
    "magic alone": (lambda path: path.write_bytes(b"PAR1"), "Parquet"),
    "truncated": (lambda path: path.write_bytes(save(path, walk()).read_bytes()[:-200]), "Parquet"),
    "first half": (lambda path: path.write_bytes(save(path, walk()).read_bytes()[:2000]), "Parquet"),
    "noise within": (_flipped, "Parquet"),
    "a folder": (_folder, ""),
    "other columns": (lambda path: save(path, {"a": list(N), "b": list(N)}), "ts"),
    "one column missing": (lambda path: save(path, {k: v for k, v in walk().items() if k != "low"}), "low"),
    "ts twice": (_twice, "ts"),
    "ts text": (_save(lambda: _columns(ts=[str(t) for t in walk()["ts"]])), "ts"),
    "ts text with null": (_save(lambda: _columns(ts=[None, *(str(t) for t in walk()["ts"][1:])])), "ts"),
    "ts float": (_save(lambda: _columns(ts=walk()["ts"].astype(float))), "ts"),
    "ts float with null": (_save(lambda: _columns(ts=[None, *map(float, walk()["ts"][1:])])), "ts"),
    "ts timestamp": (_save(lambda: _columns(ts=pa.array(walk()["ts"], pa.timestamp("ns")))), "ts"),
    "ts timestamp with null": (
        _save(lambda: _columns(ts=pa.array([None, *walk()["ts"].tolist()[1:]], pa.timestamp("ns")))),
        "ts",
    ),
    "ts nothing": (_save(lambda: _columns(ts=pa.nulls(BARS))), ""),
    "ts flags": (_save(lambda: _columns(ts=[True] * BARS)), ""),
    "close words": (_save(lambda: _columns(close=["x"] * BARS)), "close"),
    "close digits as text": (_save(lambda: _columns(close=[str(x) for x in walk()["close"]])), "close"),
    "close words with null": (_save(lambda: _columns(close=[None] + ["x"] * (BARS - 1))), "close"),
    "close nothing": (_save(lambda: _columns(close=pa.nulls(BARS))), ""),
    "close lists": (_save(lambda: _columns(close=[[1.0]] * BARS)), "close"),
    "close lists with null": (_save(lambda: _columns(close=[None] + [[1.0]] * (BARS - 1))), "close"),
    "unsorted": (_save(lambda: _back(walk())), "unsorted"),
    "no rows": (_save(lambda: {k: v[:0] for k, v in walk().items()}), "no good row"),
    "all rows bad": (_save(lambda: _columns(close=np.full(BARS, np.nan))), "no good row"),
    "ts in ms": (_save(lambda: _columns(ts=walk()["ts"] // 1_000_000)), "no good row"),
    "ts in seconds": (_save(lambda: _columns(ts=walk()["ts"] // 10**9)), "looks like seconds"),
    "ts in us": (_save(lambda: _columns(ts=walk()["ts"] // 1_000)), "looks like microseconds"),
    "ts after a space": (_save(lambda: {" ts" if k == "ts" else k: v for k, v in walk().items()}), "' ts'"),
    "another case": (_save(lambda: {k.title(): v for k, v in walk().items()}), "rename it to 'ts'"),
    "cents": (_save(lambda: _columns(close=(walk()["close"] * 100).astype(int))), "cents"),
    "a pipe": (os.mkfifo, "is a pipe"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "does not exist"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "cannot be read"),
    "CSV": (lambda path: path.write_text("ts,open\n" + "1,2\n" * 99), "looks like text, CSV perhaps"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(save(path, walk()).read_bytes())), "looks like gzip"),
    "half a minute late": (_save(lambda: walk(start=OPEN + MINUTE // 2)), "off the grid"),
    "5 m bars": (_save(lambda: walk(step=5 * MINUTE)), "holds no 1m bars: most start 5 min apart"),
    "before the calendar": (_save(lambda: walk(start=OPEN - 35 * 365 * 1440 * MINUTE)), "no good row"),
    "after the calendar": (_save(lambda: walk(start=OPEN + 11 * 365 * 1440 * MINUTE)), "no good row"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_file_is_named_and_its_symbol_left_out(name: str, data: Path, replay: Command) -> None:
    write, word = UNUSABLE[name]
    write(data / "BAD_1m.parquet")
    ran = replay("IBM,BAD")
    assert ran.code == 0
    assert (ran.summary["symbols"], list(ran.summary["left_out"])) == (["IBM"], ["BAD"])
    why = ran.summary["left_out"]["BAD"]
    assert "BAD_1m.parquet" in why
    assert word in why
    assert complaints(ran.err) == [f"left out BAD: {why}"]
    assert ran.summary["fills"] > 0
    assert ran.bars == {"IBM": without(walk(), set())}


@pytest.mark.parametrize("name", UNUSABLE)
def test_nothing_left_exits_66_with_one_line(name: str, data: Path, replay: Command) -> None:
    UNUSABLE[name][0](data / "BAD_1m.parquet")
    ran = replay("BAD")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (66, "", 1)
    assert "BAD_1m.parquet" in ran.err


def test_two_unusable_files_are_both_named(data: Path, replay: Command) -> None:
    (data / "AIG_1m.parquet").write_bytes(b"garbage")
    ran = replay("BAD,AIG")
    assert (ran.code, len(ran.err.splitlines())) == (66, 1)
    assert "BAD_1m.parquet" in ran.err
    assert "AIG_1m.parquet" in ran.err


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_data_folder_that_is_none_exits_66(kind: str, data: Path, replay: Command) -> None:
    path = data / "nothing" if kind == "missing" else data / "IBM_1m.parquet"
    ran = replay("IBM", "--data", path)
    assert (ran.code, len(ran.err.splitlines())) == (66, 1)


# -- rows that cannot be

STRANGE = (float("nan"), float("inf"), float("-inf"), -1.0, 0.0, 1e7, 1e300, None)
BAD_PRICES: dict[int, dict[str, Any]] = {
    i: {column: value} for i, (column, value) in enumerate((c, v) for v in STRANGE for c in PRICES)
}
ROWS: dict[str, tuple[str, dict[int, dict[str, Any]]]] = {
    "strange prices": ("impossible price", BAD_PRICES),
    "infinities of both signs": ("impossible price", {5: {"close": float("inf"), "high": float("-inf")}}),
    "less than a micro-dollar": ("impossible price", {5: dict.fromkeys(PRICES, 1e-7)}),
    "high and low do not span": (
        "high or low does not span the bar",
        {
            3: {"high": 90.0},
            5: {"low": 110.0},
            7: {"high": 99.0, "low": 98.0},
            9: {"high": 90.0, "low": 110.0},
        },
    ),
    "strange volume": (
        "impossible volume",
        {2: {"volume": -1.0}, 3: {"volume": float("nan")}, 4: {"volume": float("inf")}, 5: {"volume": None}},
    ),
    "huge volume": ("impossible volume", {2: {"volume": 1e13}}),
    "no time": ("no time", {0: {"ts": -5}, 1: {"ts": 0}}),
    "a null time": ("no time", {40: {"ts": None}}),
    "between two minutes": (
        "off the grid of its timeframe",
        {11: {"ts": OPEN + 11 * MINUTE + 1}, 12: {"ts": OPEN + 11 * MINUTE + MINUTE // 2}},
    ),
    "the same time again": (
        "second bar of one time",
        {11: {"ts": OPEN + 10 * MINUTE}, 12: {"ts": OPEN + 10 * MINUTE}},
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_impossible_rows_are_counted_and_never_reach_a_bar(name: str, data: Path, replay: Command) -> None:
    reason, changes = ROWS[name]
    save(data / "BAD_1m.parquet", with_rows(walk(seed=2), changes))
    ran = replay("IBM,BAD")
    assert ran.code == 0
    assert (ran.summary["left_out"], ran.summary["refused_rows"]) == ({}, {"BAD": {reason: len(changes)}})
    assert f"refused rows of BAD: {len(changes)} {reason}" in ran.out
    assert ran.bars == {"IBM": without(walk(), set()), "BAD": without(walk(seed=2), set(changes))}
    assert ran.summary["fills"] > 0


def test_rows_outside_the_calendar_are_counted(data: Path, replay: Command) -> None:
    """They are dropped; a count says so, as of every row that is dropped."""
    old, young = OPEN - 35 * 365 * 1440 * MINUTE, OPEN + 11 * 365 * 1440 * MINUTE
    save(data / "BAD_1m.parquet", with_rows(walk(seed=2), {0: {"ts": old}, BARS - 1: {"ts": young}}))
    ran = replay("IBM,BAD")
    assert (ran.code, ran.bars["BAD"]) == (0, without(walk(seed=2), {0, BARS - 1}))
    assert sum(ran.summary["refused_rows"].get("BAD", {}).values()) == 2


def test_one_missing_volume_in_a_whole_number_column_costs_one_row(data: Path, replay: Command) -> None:
    columns = walk(seed=2)
    volume = pa.array([None, *columns["volume"].tolist()[1:]], pa.int64())
    save(data / "BAD_1m.parquet", {**columns, "volume": volume})
    ran = replay("IBM,BAD")
    assert ran.summary["refused_rows"] == {"BAD": {"impossible volume": 1}}
    assert ran.bars["BAD"] == without(columns, {0})


@pytest.mark.parametrize("timeframe", ["1h", "1d"])
def test_no_row_vanishes_unnamed_where_bars_overlap(timeframe: str, data: Path, replay: Command) -> None:
    """Minutes that say they are hours or days all end with the session; a bar replaces no other in silence."""
    n = 30
    save(data / f"BAD_{timeframe}.parquet", walk(n, start=CLOSE - n * MINUTE))
    ran = replay("BAD", "--input", timeframe)
    refused = sum(ran.summary["refused_rows"].get("BAD", {}).values())
    assert len(ran.bars["BAD"]) + refused == n


def test_daily_rows_of_days_without_a_session_are_counted(data: Path, replay: Command) -> None:
    dates = [datetime.date(2024, 3, 28), datetime.date(2024, 3, 29), datetime.date(2024, 3, 30)]  # Good Friday
    dates.append(datetime.date(2024, 4, 1))
    save(data / "BAD_1d.parquet", {**walk(4), "ts": [midnight(d) for d in dates]})
    ran = replay("BAD", "--input", "1d")
    assert ran.summary["refused_rows"] == {"BAD": {"no session on that day": 2}}
    assert [bar[0] for bar in ran.bars["BAD"]] == [midnight(dates[0]), midnight(dates[3])]


def test_a_daily_row_after_the_close_of_its_day_is_counted_and_moves_to_no_other(data: Path, replay: Command) -> None:
    """The close of the 26th, which some vendors stamp, is not the session of the 27th."""
    dates = [DAY, NEXT, datetime.date(2024, 3, 28)]
    save(data / "BAD_1d.parquet", {**walk(4), "ts": [midnight(DAY), CLOSE, *map(midnight, dates[1:])]})
    ran = replay("BAD", "--input", "1d")
    assert ran.summary["refused_rows"] == {"BAD": {"after the close of its day": 1}}
    assert [bar[0] for bar in ran.bars["BAD"]] == [midnight(d) for d in dates]


@pytest.mark.parametrize(
    ("timeframe", "step", "word"),
    [("5m", 1, "most start 1 min apart"), ("1h", 1, "most start 1 min apart"), ("1h", 30, "most start 30 min apart")],
)
def test_minutes_under_another_name_are_not_traded_on(
    timeframe: str, step: int, word: str, data: Path, replay: Command
) -> None:
    save(data / f"BAD_{timeframe}.parquet", walk(step=step * MINUTE))
    ran = replay("BAD", "--input", timeframe)
    assert (ran.code, len(ran.err.splitlines())) == (66, 1)
    assert f"BAD_{timeframe}.parquet holds no {timeframe} bars: {word}" in ran.err


def test_days_at_midnight_utc_are_refused_rather_than_shifted(data: Path, replay: Command) -> None:
    days = [int(np.datetime64(s.date, "ns").astype(int)) for s in nyse().between(DAY, datetime.date(2024, 4, 30))]
    save(data / "BAD_1d.parquet", {**walk(len(days)), "ts": days})
    ran = replay("BAD", "--input", "1d")
    assert (ran.code, len(ran.err.splitlines())) == (66, 1)
    assert "BAD_1d.parquet has days at midnight UTC; daily bars bear midnight New York" in ran.err


def test_a_timestamp_with_a_zone_and_decimal_prices_are_the_same_data(data: Path, replay: Command) -> None:
    columns = walk(seed=2)
    save(data / "BAD_1m.parquet", columns)
    plain = replay("IBM,BAD")
    columns["ts"] = pa.array(columns["ts"], pa.timestamp("ns", "America/New_York"))
    for name in PRICES:
        columns[name] = pa.array([Decimal(f"{x:.2f}") for x in columns[name]], pa.decimal128(12, 2))
    save(data / "BAD_1m.parquet", columns)
    other = replay("IBM,BAD")
    assert (other.bars, other.summary["cash"]) == (plain.bars, plain.summary["cash"])


def test_a_file_whose_days_have_no_session_is_left_out(data: Path, replay: Command) -> None:
    save(data / "IBM_1d.parquet", {**walk(1), "ts": [midnight(DAY)]})
    save(data / "BAD_1d.parquet", {**walk(1), "ts": [midnight(datetime.date(2024, 3, 29))]})
    both, alone = replay("IBM,BAD", "--input", "1d"), replay("BAD", "--input", "1d")
    assert (both.code, list(both.summary["left_out"])) == (0, ["BAD"])
    assert (alone.code, len(alone.err.splitlines())) == (66, 1)


def test_a_bar_after_the_last_close_of_the_calendar_is_extended(data: Path, replay: Command) -> None:
    last = nyse().sessions[-1]
    save(data / "BAD_1m.parquet", walk(10, start=last.close - 5 * MINUTE))
    ran = replay("BAD")
    assert ran.summary["bars"] == {"BAD": {"extended": 5, "full": 5}}
    assert ran.bars["BAD"] == without(walk(10, start=last.close - 5 * MINUTE), set())
    assert replay("BAD", "--speed", "1e8").summary == ran.summary


def midnight(date: datetime.date) -> int:
    return int(datetime.datetime.combine(date, datetime.time(), NEW_YORK).timestamp()) * 10**9


# -- ticks


def ticks(folder: Path, symbol: str, seed: int = 3) -> tuple[Columns, Columns]:
    """Half a session of trades and quotes, and what came before it; written and given back."""
    write_ticks(folder, symbol, seed, FIRST, FIRST, per=4, minutes=150)
    trades, quotes = (pq.read_table(folder / f"{symbol}_{kind}.parquet") for kind in ("trades", "quotes"))
    return trades.to_pydict(), quotes.to_pydict()


def aggregated(trades: Columns) -> list[tuple[Any, ...]]:
    """Bars of trades, in the plainest way: minute by minute, in file order; what is suspicious or bad is no trade."""
    minutes: dict[int, list[tuple[float, int]]] = {}
    suspicious = trades.get("suspicious", [False] * len(trades["ts"]))
    for ts, price, size, odd in zip(trades["ts"], trades["price"], trades["size"], suspicious, strict=True):
        if not odd and size is not None and 0 < size <= 10**12 and price is not None and 0 < price < 1e7:
            minutes.setdefault(ts // MINUTE * MINUTE, []).append((price, size))
    return [
        (ts, p[0][0], max(x for x, _ in p), min(x for x, _ in p), p[-1][0], float(sum(n for _, n in p)))
        for ts, p in sorted(minutes.items())
    ]


@pytest.mark.parametrize("model", ["bar", "quote"])
def test_trades_become_the_bars_that_a_plain_loop_makes_of_them(model: str, data: Path, replay: Command) -> None:
    trades, _ = ticks(data, "TIC")
    ran = replay("TIC", "--input", "ticks", "--model", model)
    assert (ran.code, ran.summary["model"], ran.summary["timeframe"]) == (0, model, "1m")
    assert ran.bars == {"TIC": aggregated(trades)}
    assert set(ran.summary["bars"]["TIC"]) == {"extended", "full"}
    assert ran.summary["fills"] > 0


@pytest.mark.parametrize("model", ["bar", "quote"])
def test_impossible_trades_are_counted_and_make_no_bar(model: str, data: Path, replay: Command) -> None:
    ticks(data, "IBM")
    trades, quotes = ticks(data, "BAD", seed=4)
    n = len(trades["ts"])
    trades["suspicious"] = [i % 7 == 0 for i in range(n)]
    for i, price in enumerate((float("nan"), float("inf"), -1.0, 0.0, 1e9, None)):
        trades["price"][100 + 7 * i + 1] = price
    for i, size in enumerate((0, -5, 10**15, None)):
        trades["size"][300 + 7 * i] = size
    save(data / "BAD_trades.parquet", trades)
    for i, bid in enumerate((float("nan"), float("-inf"), -1.0, 1e9, None)):
        quotes["bid"][10 + i] = bid
    for i, size in enumerate((-1, 10**15, None)):
        quotes["ask_size"][20 + i] = size
    quotes["ask"][30] = 0.0  # one side missing, which may be
    save(data / "BAD_quotes.parquet", quotes)
    ran = replay("IBM,BAD", "--input", "ticks", "--model", model)
    refused = dict(ran.summary["refused_rows"]["BAD"])
    if model == "quote":
        assert (refused.pop("impossible price"), refused.pop("impossible size")) == (6 + 5, 4 + 3)
    else:  # whether quotes that nobody needs are looked at is left open
        assert (refused.pop("impossible price") - 6, refused.pop("impossible size") - 4) in ((0, 0), (5, 3))
    assert refused == {"suspicious": sum(trades["suspicious"])}
    assert ran.bars["BAD"] == aggregated(trades)
    assert ran.summary["fills"] > 0


TICK_FAULTS: dict[str, tuple[str, Callable[[Columns], Columns]]] = {
    "no size": ("trades", lambda c: {k: v for k, v in c.items() if k != "size"}),
    "sizes in text": ("trades", lambda c: {**c, "size": [str(x) for x in c["size"]]}),
    "unsorted trades": ("trades", lambda c: {k: v[::-1] for k, v in c.items()}),
    "no trades": ("trades", lambda c: {k: pa.array(v).slice(0, 0) for k, v in c.items()}),
    "a word as suspicious": ("trades", lambda c: {**c, "suspicious": ["no"] * len(c["ts"])}),
    "a null among numbers as suspicious": ("trades", lambda c: {**c, "suspicious": [None] + [0] * (len(c["ts"]) - 1)}),
    "no ask": ("quotes", lambda c: {k: v for k, v in c.items() if k != "ask"}),
    "unsorted quotes": ("quotes", lambda c: {k: v[::-1] for k, v in c.items()}),
    "no quotes": ("quotes", lambda c: {k: pa.array(v).slice(0, 0) for k, v in c.items()}),
    "float sizes of quotes": ("quotes", lambda c: {**c, "bid_size": [float(x) for x in c["bid_size"]]}),
}


@pytest.mark.parametrize("name", TICK_FAULTS)
def test_an_unusable_tick_file_is_named_and_the_other_symbol_trades(name: str, data: Path, replay: Command) -> None:
    kind, spoil = TICK_FAULTS[name]
    ticks(data, "IBM")
    trades, quotes = ticks(data, "BAD", seed=4)
    save(data / f"BAD_{kind}.parquet", spoil(trades if kind == "trades" else quotes))
    ran = replay("IBM,BAD")
    assert (ran.code, ran.summary["symbols"], ran.summary["model"]) == (0, ["IBM"], "quote")
    assert f"BAD_{kind}.parquet" in ran.summary["left_out"]["BAD"]
    assert complaints(ran.err) == [f"left out BAD: {ran.summary['left_out']['BAD']}"]
    assert ran.summary["fills"] > 0


# -- which model


def test_the_model_is_quote_where_every_symbol_has_trades_and_quotes(data: Path, replay: Command) -> None:
    ticks(data, "AIG")
    ticks(data, "TIC", seed=4)
    assert replay("AIG,TIC").summary["model"] == "quote"


def test_one_symbol_without_quotes_makes_the_model_bar_for_all(data: Path, replay: Command) -> None:
    trades, _ = ticks(data, "AIG")
    other, _ = ticks(data, "TIC", seed=4)
    (data / "TIC_quotes.parquet").unlink()
    ran = replay("AIG,TIC", "--input", "ticks")
    assert (ran.summary["model"], ran.summary["timeframe"]) == ("bar", "1m")
    assert ran.bars == {"AIG": aggregated(trades), "TIC": aggregated(other)}


def test_auto_takes_ticks_where_they_are_and_minutes_elsewhere(data: Path, replay: Command) -> None:
    trades, _ = ticks(data, "AIG")
    ran = replay("AIG,IBM")
    assert (ran.summary["model"], ran.summary["timeframe"], ran.summary["left_out"]) == ("bar", "1m", {})
    assert ran.bars == {"AIG": aggregated(trades), "IBM": without(walk(), set())}


def test_the_quote_model_leaves_out_what_has_no_quotes(data: Path, replay: Command) -> None:
    ticks(data, "AIG")
    ran = replay("IBM,AIG", "--model", "quote")
    assert (ran.summary["symbols"], ran.summary["model"], list(ran.summary["left_out"])) == (["AIG"], "quote", ["IBM"])
    assert ran.summary["fills"] > 0
    alone = replay("IBM", "--model", "quote")
    assert (alone.code, len(alone.err.splitlines())) == (66, 1)
    assert "IBM" in alone.err


def test_the_bar_model_can_be_asked_of_ticks_with_quotes(data: Path, replay: Command) -> None:
    ticks(data, "AIG")
    assert replay("AIG", "--model", "bar").summary["model"] == "bar"


# -- which input


def test_each_input_reads_its_own_file(data: Path, replay: Command) -> None:
    days = [midnight(d) for d in (DAY, NEXT)]
    files: dict[str, Columns] = {
        "1m": walk(60, seed=5),
        "5m": walk(20, seed=6, step=5 * MINUTE),
        "1h": walk(7, seed=7, step=60 * MINUTE),
        "1d": {**walk(2, seed=8), "ts": np.array(days)},
    }
    for timeframe, columns in files.items():
        save(data / f"TF_{timeframe}.parquet", columns)
        half = {**columns, **{k: columns[k] / 2 for k in PRICES}}
        save(data / f"TF_{timeframe}-adj.parquet", half)
    for timeframe, columns in files.items():
        raw, adjusted = replay("TF", "--input", timeframe), replay("TF", "--input", timeframe, "--adjusted")
        assert (raw.summary["timeframe"], raw.summary["model"]) == (timeframe, "bar")
        assert raw.bars == {"TF": without(columns, set())}
        assert adjusted.bars == {"TF": [(ts, *(p / 2 for p in prices), v) for ts, *prices, v in raw.bars["TF"]]}
        assert raw.summary["bars"] == {"TF": {"full": len(columns["ts"])}}


def test_auto_prefers_ticks_to_minutes_and_adjusted_minutes_to_ticks(data: Path, replay: Command) -> None:
    ticks(data, "IBM")
    save(data / "IBM_1m-adj.parquet", walk(seed=9))
    assert replay("IBM").summary["model"] == "quote"
    assert replay("IBM", "--input", "1m").bars == {"IBM": without(walk(), set())}
    assert replay("IBM", "--adjusted").bars == {"IBM": without(walk(seed=9), set())}


def test_adjusted_ticks_do_not_exist_and_raw_ones_are_not_passed_off_as_such(data: Path, replay: Command) -> None:
    ticks(data, "IBM")
    ran = replay("IBM", "--input", "ticks", "--adjusted")
    assert ran.code in (2, 66)
    assert "adjusted" in ran.err


def test_two_timeframes_in_one_replay_are_refused_by_name(data: Path, replay: Command) -> None:
    path = save(data / "other_5m.parquet", walk(20, step=5 * MINUTE))
    ran = replay("IBM,AIG", "--file", f"AIG={path}")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (66, "", 1)
    assert all(word in ran.err for word in ("IBM 1m", "AIG 5m"))


# -- one file for one symbol


def test_a_given_file_tells_its_timeframe_by_its_name(data: Path, replay: Command) -> None:
    path = save(data / "anything_5m-2013.parquet", walk(20, seed=6, step=5 * MINUTE))
    ran = replay("AIG", "--file", f"AIG={path}")
    assert (ran.summary["timeframe"], ran.bars) == ("5m", {"AIG": without(walk(20, seed=6, step=5 * MINUTE), set())})


def test_a_given_file_without_a_timeframe_in_its_name_needs_input(data: Path, replay: Command) -> None:
    path = save(data / "anything.parquet", walk(seed=6))
    refused = replay("AIG", "--file", f"AIG={path}")
    assert (refused.code, len(refused.err.splitlines())) == (66, 1)
    assert path.name in refused.err
    assert "--input" in refused.err
    assert replay("AIG", "--input", "1m", "--file", f"AIG={path}").bars == {"AIG": without(walk(seed=6), set())}


def test_a_given_file_of_trades_is_aggregated(data: Path, replay: Command) -> None:
    trades, _ = ticks(data, "TIC")
    ran = replay("AIG,IBM", "--file", f"AIG={data / 'TIC_trades.parquet'}")
    assert ran.summary["model"] == "bar"
    assert ran.bars == {"AIG": aggregated(trades), "IBM": without(walk(), set())}


@pytest.mark.parametrize(
    "name", ["missing_1m.parquet", "garbage_1m.parquet", "TIC_quotes.parquet", "folder_1m.parquet"]
)
def test_a_given_file_that_cannot_be_used_is_named(name: str, data: Path, replay: Command) -> None:
    ticks(data, "TIC")
    (data / "garbage_1m.parquet").write_bytes(b"garbage")
    (data / "folder_1m.parquet").mkdir()
    ran = replay("IBM,AIG", "--file", f"AIG={data / name}")
    assert (ran.code, ran.summary["symbols"]) == (0, ["IBM"])
    assert name in ran.summary["left_out"]["AIG"]
    assert complaints(ran.err) == [f"left out AIG: {ran.summary['left_out']['AIG']}"]


def test_a_file_for_a_symbol_that_is_not_asked_for_is_an_error(data: Path, replay: Command) -> None:
    ran = replay("IBM", "--file", f"AIG={data / 'IBM_1m.parquet'}")
    assert ran.code == 2
    assert "AIG" in ran.err


# -- dates


def test_dates_are_new_york_dates_and_both_inclusive(data: Path, replay: Command) -> None:
    """23:59 in New York is the next day in UTC, and still that New York date."""
    day = midnight(NEXT)
    hours = [-1, 0, 4 * 60, 12 * 60, 20 * 60, 24 * 60 - 1, 24 * 60]  # minutes of the 27th
    save(data / "BAD_1m.parquet", {**walk(len(hours)), "ts": np.array([day + m * MINUTE for m in hours])})
    date = NEXT.isoformat()
    ran = replay("BAD", "--from", date, "--to", date)
    assert ran.bars == {"BAD": without({**walk(7), "ts": [day + m * MINUTE for m in hours]}, {0, 6})}
    assert len(replay("BAD", "--from", date).bars["BAD"]) == 6
    assert len(replay("BAD", "--to", date).bars["BAD"]) == 6
    assert len(replay("BAD").bars["BAD"]) == 7


def test_a_cut_may_take_one_symbol_away(data: Path, replay: Command) -> None:
    save(data / "BAD_1m.parquet", walk(start=nyse().between(NEXT, NEXT)[0].open))
    ran = replay("IBM,BAD", "--to", DAY.isoformat())
    assert (ran.code, ran.summary["symbols"], list(ran.summary["left_out"])) == (0, ["IBM"], ["BAD"])
    assert "2024-03-26" in ran.summary["left_out"]["BAD"]


def test_a_holiday_alone_leaves_nothing(replay: Command) -> None:
    ran = replay("IBM", "--from", "2024-03-29", "--to", "2024-03-29")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (66, "", 1)
    assert "2024-03-29" in ran.err


def test_from_after_to_is_refused(replay: Command) -> None:
    ran = replay("IBM", "--from", "2024-03-27", "--to", "2024-03-26")
    assert (ran.code in (2, 66), ran.out) == (True, "")
    assert "2024-03-27" in ran.err
    assert "2024-03-26" in ran.err


@pytest.mark.parametrize("args", [("--from", "1990-01-02"), ("--to", "2035-01-02"), ("--from", "2035-01-02")])
def test_dates_outside_the_calendar_are_refused_in_one_line(args: tuple[str, str], replay: Command) -> None:
    ran = replay("IBM", *args)
    assert (ran.code in (2, 66, 78), ran.out) == (True, "")
    assert "calendar" in ran.err
    assert args[1] in ran.err


# -- arguments

ARGUMENTS: dict[str, tuple[str, str]] = {
    "--symbols ibm": ("--symbols", "ibm"),
    "--symbols ../x": ("--symbols", "../x"),
    "--symbols nothing": ("--symbols", ""),
    "--symbols comma": ("--symbols", "IBM,"),
    "--symbols spaces": ("--symbols", "IBM, AIG"),
    "--symbols long": ("--symbols", "TOOLONG"),
    "--symbols newline": ("--symbols", "IBM\n"),
    "--symbols twice": ("--symbols", "IBM,AIG,IBM"),
    "--symbols lookalike": ("--symbols", "IВM"),  # noqa: RUF001
    "--speed word": ("--speed", "fast"),
    "--speed 0": ("--speed", "0"),
    "--speed -1": ("--speed", "-1"),
    "--speed nan": ("--speed", "nan"),
    "--speed inf": ("--speed", "inf"),
    "--speed 1e9": ("--speed", "1e9"),
    "--input 2m": ("--input", "2m"),
    "--model other": ("--model", "other"),
    "--strategy other": ("--strategy", "other"),
    "--release other": ("--release", "sometimes"),
    "--from word": ("--from", "yesterday"),
    "--from no day": ("--from", "2024-02-30"),
    "--to time": ("--to", "2024-03-26T10:00"),
    "--file no path": ("--file", "IBM"),
    "--file lower case": ("--file", "ibm=x.parquet"),
    "--file traversal": ("--file", "../x=x.parquet"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_wrong_argument_exits_2_and_is_named(name: str, replay: Command) -> None:
    option, value = ARGUMENTS[name]
    ran = replay("IBM", option, value)
    assert (ran.code, ran.out) == (2, "")
    assert f"argument {option}: " in ran.err.splitlines()[-1]


def test_data_and_symbols_must_be_given(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["replay"])
    assert left.value.code == 2
    assert "the following arguments are required: --data, --symbols" in capsys.readouterr().err


@pytest.mark.parametrize("speed", ["max", "1e8"])
def test_good_speeds_are_taken_and_change_nothing(speed: str, replay: Command) -> None:
    assert replay("IBM", "--speed", speed).summary == replay("IBM").summary


def test_the_order_of_symbols_is_kept(data: Path, replay: Command) -> None:
    save(data / "AIG_1m.parquet", walk(seed=2))
    assert replay("IBM,AIG").summary["symbols"] == ["IBM", "AIG"]
    assert replay("AIG,IBM").summary["symbols"] == ["AIG", "IBM"]


def test_counts_of_bars_equal_the_bars_written(data: Path, replay: Command) -> None:
    save(data / "AIG_1m.parquet", walk(seed=2, start=OPEN - 20 * MINUTE))
    ran = replay("IBM,AIG")
    assert {s: sum(c.values()) for s, c in ran.summary["bars"].items()} == Counter(
        {s: len(rows) for s, rows in ran.bars.items()}
    )
    assert ran.summary["bars"]["AIG"] == {"extended": 20, "full": 80}
