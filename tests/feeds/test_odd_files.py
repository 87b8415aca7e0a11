"""The table of odd rows and files (`feeds.reasons`): for each entry, a file that is odd so, and what becomes of it."""

import contextlib
import datetime
import decimal
import os
import re
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from fluxhero.core.calendar import nyse
from fluxhero.feeds.faults import LONGEST, Fault, Unusable
from fluxhero.feeds.files import read
from fluxhero.feeds.reasons import TAKEN, Odd, Outcome, reasons
from fluxhero.feeds.reasons import table as shown
from fluxhero.feeds.recording import Input, Recording, Request, load
from fluxhero.messages import MINUTE, SECOND, Bars, Model, Nanos, Quality, Quote

Columns = dict[str, Any]
DAY = datetime.date(2024, 3, 26)
SESSION = nyse().between(DAY, DAY)[0]
OPEN, CLOSE = SESSION.open, SESSION.close
PRICES = ("open", "high", "low", "close")
N = 60
NAN, INF = float("nan"), float("inf")
DAYS = nyse().between(DAY, datetime.date(2024, 8, 30))  # summer time throughout
MIDNIGHTS = [nyse().day_of(s.date)[0] for s in DAYS]
YEAR = nyse().between(datetime.date(2023, 3, 26), DAY)
UTC_MIDNIGHTS = [ts - 4 * 60 * MINUTE for ts in MIDNIGHTS]


def bars(n: int = N, start: int = OPEN, step: int = MINUTE, **other: Any) -> Columns:
    close = 100.0 + np.arange(n) % 7 * 0.29
    opens, reach = np.roll(close, 1), 0.31
    columns = {"open": opens, "high": np.maximum(opens, close) + reach, "low": np.minimum(opens, close) - reach}
    ts = start + np.arange(n, dtype=np.int64) * step
    return {"ts": ts, **columns, "close": close, "volume": np.arange(n) + 1_000} | other


def dated(ts: list[Nanos] | list[int], **other: Any) -> Columns:
    return bars(len(ts), ts=np.array(ts), **other)


def trades(n: int = N, **other: Any) -> Columns:
    return {"ts": OPEN + np.arange(n) * SECOND, "price": 100.0 + np.arange(n) % 5 * 0.01, "size": [100] * n} | other


def quotes(n: int = N, **other: Any) -> Columns:
    return {
        "ts": OPEN + np.arange(n) * SECOND, "bid": [99.99] * n, "ask": [100.01] * n, "bid_size": [300] * n,
        "ask_size": [200] * n,
    } | other  # fmt: skip


GOOD: dict[str, Callable[[], Columns]] = {"trades": trades, "quotes": quotes, "bars": bars}


def save(path: Path, columns: Columns, **how: Any) -> Path:
    pq.write_table(pa.table(columns), path, **how)
    return path


def replayed(folder: Path, **how: Any) -> Recording:
    return load(Request(data=folder, symbols=("ODD",), **how), nyse())


def recorded(folder: Path, timeframe: str, columns: Columns) -> Recording:
    save(folder / f"ODD_{timeframe}.parquet", columns)
    return replayed(folder, input=Input(timeframe))


def of(recording: Recording) -> list[tuple[Any, ...]]:
    """(ts, open, high, low, close, volume) of all bars."""
    return [tuple(e.bars[0][name].item() for name in ("ts", *PRICES, "volume")) for e in times(recording)]


def times(recording: Recording) -> list[Bars]:
    return [e for e in recording.tape.events(0) if isinstance(e, Bars)]


def rows_of(columns: Columns, gone: set[int] = frozenset()) -> list[tuple[Any, ...]]:  # type: ignore[assignment]
    rows = zip(*(np.asarray(columns[k]).tolist() for k in ("ts", *PRICES, "volume")), strict=True)
    return [row for i, row in enumerate(rows) if i not in gone]


# -- rows that cannot be


def spoilt(columns: Columns, changes: dict[str, list[Any]]) -> Columns:
    """From row 5 on, every third row gets the next of these values in that column."""
    out = {k: np.asarray(v).tolist() for k, v in columns.items()}
    at = 5
    for name, values in changes.items():
        for value in values:
            out[name][at] = value
            at += 3
    return {k: pa.array(v) for k, v in out.items()}


NO_PRICES = [NAN, INF, -INF, None, -1.0, 1e-7, 5e-324, 1e7, 1e300]
BEYOND = 10**12 + 1
WHEN = [-1, 0, None, -(2**62)]
OLD, LATE = OPEN - 30 * 365 * 1440 * MINUTE, OPEN + 11 * 365 * 1440 * MINUTE
ROWS: dict[tuple[str, str], dict[str, list[Any]]] = {
    ("suspicious", "trades"): {"suspicious": [True, True]},
    ("impossible price", "trades"): {"price": [*NO_PRICES, 0.0, -0.0]},
    ("impossible price", "quotes"): {"bid": NO_PRICES, "ask": NO_PRICES[:5]},
    ("impossible price", "bars"): {"open": NO_PRICES[:6], "close": [*NO_PRICES, 0.0, -0.0]},
    ("high or low does not span the bar", "bars"): {"high": [90.0, 99.0], "low": [110.0, 102.0], "open": [1.0, 999.0]},
    ("impossible size", "trades"): {"size": [0, -1, None, BEYOND, 2**63 - 1]},
    ("impossible size", "quotes"): {"bid_size": [-1, None, BEYOND], "ask_size": [-(2**63), 2**63 - 1]},
    ("impossible volume", "bars"): {"volume": [-1.0, NAN, INF, None, 1e13]},
    ("no time", "trades"): {"ts": WHEN},
    ("no time", "quotes"): {"ts": WHEN},
    ("no time", "bars"): {"ts": WHEN},
}


@pytest.mark.parametrize(("reason", "kind"), ROWS)
def test_a_row_that_cannot_be_is_counted_and_all_others_stay(reason: str, kind: str, tmp_path: Path) -> None:
    columns, changes = GOOD[kind](), ROWS[reason, kind]
    if reason == "suspicious":
        columns["suspicious"] = [False] * N
    count = sum(map(len, changes.values()))
    file = read(save(tmp_path / "ODD.parquet", spoilt(columns, changes)), kind)
    assert file.refused == {reason: count}
    gone = set(range(5, 5 + 3 * count, 3))
    for name, column in columns.items():
        assert file.rows[name].tolist() == [v for i, v in enumerate(np.asarray(column).tolist()) if i not in gone]


def test_a_second_bar_of_one_time_is_counted_and_the_first_kept(tmp_path: Path) -> None:
    ts = bars()["ts"].tolist()
    ts[11] = ts[12] = ts[10]
    file = read(save(tmp_path / "ODD.parquet", dated(ts)), "bars")
    assert (file.refused, len(file.rows["ts"]), file.rows["close"][10]) == (
        {"second bar of one time": 2}, N - 2, bars()["close"][10],
    )  # fmt: skip


@pytest.mark.parametrize("kind", GOOD)
def test_unsigned_numbers_beyond_the_signed_cost_their_row_and_not_the_file(kind: str, tmp_path: Path) -> None:
    """Vendors write the greatest number for `unknown`."""
    columns = GOOD[kind]()
    for name in ("ts", *(k for k in columns if k in ("size", "bid_size", "volume"))):
        values = np.asarray(columns[name]).astype(np.uint64)
        values[7 if name == "ts" else 9] = 2**64 - 1
        columns[name] = values
    refused = read(save(tmp_path / "ODD.parquet", columns), kind).refused
    assert refused == {"no time": 1, "impossible volume" if kind == "bars" else "impossible size": 1}


@pytest.mark.parametrize("kind", GOOD)
def test_rows_outside_the_calendar_are_counted(kind: str, tmp_path: Path) -> None:
    columns = GOOD[kind]()
    columns["ts"][0], columns["ts"][-1] = OLD, LATE
    save(tmp_path / f"ODD_{'1m' if kind == 'bars' else kind}.parquet", columns)
    if kind == "quotes":
        save(tmp_path / "ODD_trades.parquet", trades())
    recording = replayed(tmp_path, input=Input.M1 if kind == "bars" else Input.TICKS)
    assert recording.refused == {"ODD": {"outside the calendar": 2}}


class Place(NamedTuple):
    reason: str
    timeframe: str
    columns: Columns
    gone: set[int]


HOURS = [OPEN + m * MINUTE for m in (0, 60, 90, 120, 180)]
MONDAY, FRIDAY = nyse().day_of(datetime.date(2024, 3, 25))[0], nyse().day_of(datetime.date(2024, 3, 29))[0]
PLACES = [
    Place("off the grid of its timeframe", "1m", dated([OPEN, OPEN + MINUTE + 1, OPEN + 90 * SECOND]), {1, 2}),
    Place("off the grid of its timeframe", "5m", dated([OPEN + m * MINUTE for m in (0, 5, 7, 10, 11)]), {2, 4}),
    Place("off the grid of its timeframe", "1h", dated([OPEN + m * MINUTE for m in (0, 60, 121, 135)]), {2, 3}),
    Place("no session on that day", "1d", dated([*MIDNIGHTS[:3], FRIDAY, *MIDNIGHTS[3:5]]), {3}),
    Place("after the close of its day", "1d", dated([*MIDNIGHTS[:3], CLOSE + 2880 * MINUTE, *MIDNIGHTS[3:4]]), {3}),
    Place("overlaps the bar before", "1h", dated(HOURS), {2}),
    Place("overlaps the bar before", "1d", dated([MIDNIGHTS[0], OPEN, CLOSE - MINUTE, MIDNIGHTS[1]]), {1, 2}),
]


@pytest.mark.parametrize("place", PLACES, ids=lambda p: f"{p.reason}, {p.timeframe}")
def test_a_bar_out_of_its_place_is_counted_and_all_others_stay(place: Place, tmp_path: Path) -> None:
    recording = recorded(tmp_path, place.timeframe, place.columns)
    assert recording.refused == {"ODD": {place.reason: len(place.gone)}}
    assert of(recording) == rows_of(place.columns, place.gone)


def test_a_bar_off_the_grid_takes_no_good_bar_with_it(tmp_path: Path) -> None:
    """It is refused before it is asked what it overlaps."""
    columns = dated([OPEN - 30 * SECOND, OPEN, OPEN + MINUTE])
    assert of(recorded(tmp_path, "1m", columns)) == rows_of(columns, {0})


def test_daily_bars_stand_on_the_session_of_their_own_date_and_no_other(tmp_path: Path) -> None:
    """Midnight and the open name the day; the close of Tuesday is not yet Wednesday."""
    columns = dated([MIDNIGHTS[0], DAYS[1].open, DAYS[2].open - SECOND])
    recording = recorded(tmp_path, "1d", columns)
    assert of(recording) == rows_of(columns)
    assert [e.ts for e in times(recording)] == [s.close for s in DAYS[:3]]


# -- files that cannot be used


class File(NamedTuple):
    fault: Fault
    make: Callable[[Path], object]
    said: str  # after ODD_1m.parquet, as a pattern
    timeframe: str = "1m"


def table(**other: Any) -> Callable[[Path], object]:
    return lambda path: save(path, bars(**other))


def renamed(**names: str) -> Callable[[Path], object]:
    return lambda path: save(path, {names.get(k, k): v for k, v in bars().items()})


def content(body: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(body)


def cut(keep: slice) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(save(path, bars()).read_bytes()[keep])


def noise(path: Path) -> None:
    """Both ends are those of a good file."""
    body = save(path, bars()).read_bytes()
    path.write_bytes(body[:4] + np.random.default_rng(7).bytes(len(body) - 12) + body[-8:])


def checksum(path: Path) -> None:
    """One bit of a page that carries its checksum."""
    how = {"compression": "none", "use_dictionary": False, "write_page_checksum": True}
    body = bytearray(save(path, bars(close=np.full(N, 101.0)), **how).read_bytes())
    body[body.find(np.float64(101.0).tobytes() * 3) + 5] ^= 1
    path.write_bytes(body)


def twice(path: Path) -> None:
    data = pa.table(bars())
    pq.write_table(data.append_column("close", data["close"]), path)


def git_lfs(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")


def typed(name: str, values: Callable[[list[Any]], Any]) -> Callable[[Path], object]:
    return lambda path: save(path, bars() | {name: values(np.asarray(bars()[name]).tolist())})


def little_back() -> Any:
    ts = bars()["ts"]
    ts[40] = ts[38] - 1
    return ts


AT = r"from 1998-01-01 to 2029-12-31"
TYPE = "has a column '{}' of type {}; "
NANOS = "write it as whole nanoseconds since 1970 in UTC, or as a timestamp with a time zone"
DOLLARS = "write it as dollars in float64 or decimal; whole numbers could be cents"
BROKEN = r"is no readable Parquet file: .+; copy it again, or write it anew"
SEEMS = "is no readable Parquet file: it looks like "
CUT_OFF = "is no readable Parquet file: it begins as one and is cut off; copy it again"
UNIT = "has no good row: ts looks like {}; write nanoseconds since 1970 in UTC"
FILES: dict[str, File] = {
    "nothing": File(Fault.MISSING, lambda path: None, "does not exist"),
    "a link to nothing": File(Fault.MISSING, lambda path: path.symlink_to("nothing"), "does not exist"),
    "a folder": File(Fault.NO_FILE, Path.mkdir, "is a folder, no file"),
    "a pipe": File(Fault.NO_FILE, os.mkfifo, "is a pipe, no file"),
    "a device": File(Fault.NO_FILE, lambda path: path.symlink_to("/dev/zero"), "is a device, no file"),
    "a circle": File(
        Fault.UNREADABLE, lambda path: path.symlink_to(path.name), "cannot be read: Too many levels of symbolic links"
    ),
    "empty": File(Fault.EMPTY, content(b""), "is empty, no Parquet file"),
    "magic alone": File(Fault.CUT_OFF, content(b"PAR1"), CUT_OFF),
    "one byte short": File(Fault.CUT_OFF, cut(slice(0, -1)), CUT_OFF),
    "first half": File(Fault.CUT_OFF, cut(slice(0, 1500)), CUT_OFF),
    "second half": File(Fault.FORMAT, cut(slice(1500, None)), SEEMS + "nothing that is known"),
    "CSV": File(Fault.FORMAT, content(b"ts,open\n1,2\n" * 99), SEEMS + "text, CSV perhaps"),
    "feather": File(
        Fault.FORMAT, lambda path: feather.write_feather(pa.table(bars()), path), SEEMS + r"Arrow \(Feather\)"
    ),
    "gzip": File(Fault.FORMAT, content(b"\x1f\x8b\x08" + bytes(99)), SEEMS + "gzip"),
    "Git LFS": File(Fault.FORMAT, git_lfs, SEEMS + "a Git LFS pointer; fetch what it points to"),
    "HTML": File(Fault.FORMAT, content(b"<!doctype html>"), SEEMS + "HTML or XML"),
    "encrypted": File(Fault.FORMAT, content(b"PARE" + bytes(99) + b"PARE"), SEEMS + "encrypted Parquet"),
    "noise": File(Fault.BROKEN, noise, BROKEN),
    "a wrong checksum": File(Fault.BROKEN, checksum, BROKEN),
    "no close": File(
        Fault.NO_COLUMN, renamed(close="last"), "has no column 'close'; it has 'ts', 'open', 'high', 'low', 'last', .*"
    ),
    "no columns": File(
        Fault.NO_COLUMN, lambda path: pq.write_table(pa.table({}), path), "has no column 'ts'; it has none"
    ),
    "Open": File(Fault.SPELLING, renamed(open="Open"), "has a column 'Open'; rename it to 'open'"),
    "ts after a space": File(Fault.SPELLING, renamed(ts=" ts"), "has a column ' ts'; rename it to 'ts'"),
    "ts after a mark": File(Fault.SPELLING, renamed(ts="\ufeffTs"), r"has a column '\\ufeffTs'; rename it to 'ts'"),
    "close twice": File(Fault.TWICE, twice, "has 2 columns 'close'; leave one"),
    "ts float": File(Fault.TYPE, typed("ts", lambda v: [float(x) for x in v]), TYPE.format("ts", "double") + NANOS),
    "ts text": File(Fault.TYPE, typed("ts", lambda v: [str(x) for x in v]), TYPE.format("ts", "string") + NANOS),
    "ts without a zone": File(
        Fault.TYPE,
        typed("ts", lambda v: pa.array(v, pa.timestamp("ns"))),
        TYPE.format("ts", r"timestamp\[ns\]") + NANOS,
    ),
    "ts a date": File(Fault.TYPE, typed("ts", lambda v: [DAY] * N), TYPE.format("ts", r"date32\[day\]") + NANOS),
    "cents": File(
        Fault.TYPE,
        typed("close", lambda v: [round(x * 100) for x in v]),
        TYPE.format("close", "int64") + DOLLARS,
    ),
    "half floats": File(
        Fault.TYPE,
        typed("close", lambda v: pa.array(np.array(v, np.float16))),
        TYPE.format("close", "halffloat") + DOLLARS,
    ),
    "price text": File(
        Fault.TYPE, typed("close", lambda v: [str(x) for x in v]), TYPE.format("close", "string") + DOLLARS
    ),
    "price lists": File(
        Fault.TYPE, typed("close", lambda v: [[x] for x in v]), TYPE.format("close", "list<.*") + DOLLARS
    ),
    "price structs": File(
        Fault.TYPE,
        typed("close", lambda v: [{"x": x} for x in v]),
        TYPE.format("close", "struct<.*") + DOLLARS,
    ),
    "a little back": File(
        Fault.UNSORTED, table(ts=little_back()), "is unsorted: row 40 is earlier than the rows before it; sort it by ts"
    ),
    "seconds": File(Fault.UNIT, table(ts=bars()["ts"] // 10**9), UNIT.format("seconds")),
    "milliseconds": File(Fault.UNIT, table(ts=bars()["ts"] // 10**6), UNIT.format("milliseconds")),
    "microseconds": File(Fault.UNIT, table(ts=bars()["ts"] // 10**3), UNIT.format("microseconds")),
    "no rows": File(Fault.NO_ROW, table(n=0), f"has no good row {AT}: it has no rows"),
    "all refused": File(Fault.NO_ROW, table(close=np.full(N, NAN)), f"has no good row {AT}: 60 impossible price"),
    "long ago": File(Fault.NO_ROW, table(start=OLD), f"has no good row {AT}: 60 outside the calendar"),
    "UTC days": File(
        Fault.MIDNIGHT,
        lambda path: save(path, dated(UTC_MIDNIGHTS)),
        "has days at midnight UTC; daily bars bear midnight New York",
        "1d",
    ),
    "minutes as 5m": File(
        Fault.FINE, table(), "holds no 5m bars: most start 1 min apart; 48 off the grid of its timeframe of 60", "5m"
    ),
    "half hours as 1h": File(
        Fault.FINE,
        lambda path: save(path, dated([s.open + k * 30 * MINUTE for s in DAYS[:9] for k in range(13)])),
        "holds no 1h bars: most start 30 min apart; 54 overlaps the bar before of 117",
        "1h",
    ),
    "minutes as 1d": File(
        Fault.FINE, table(), "holds no 1d bars: most start 1 min apart; 59 overlaps the bar before of 60", "1d"
    ),
    "half a minute late": File(
        Fault.FINE,
        table(start=OPEN + 30 * SECOND),
        "holds no 1m bars: most start 1 min apart; 60 off the grid of its timeframe of 60",
    ),
    "days stamped at the close": File(
        Fault.FINE,
        lambda path: save(path, dated([s.close for s in DAYS])),
        f"holds no 1d bars: most start 1 d apart; {len(DAYS)} after the close of its day of {len(DAYS)}",
        "1d",
    ),
    "5 m as 1m": File(Fault.COARSE, table(step=5 * MINUTE), "holds no 1m bars: most start 5 min apart"),
    "2 h as 1h": File(
        Fault.COARSE,
        lambda path: save(path, dated([s.open + k * 120 * MINUTE for s in DAYS for k in range(4)])),
        "holds no 1h bars: most start 2 h apart",
        "1h",
    ),
    "days as 1h, over the change of clocks": File(
        Fault.COARSE,
        lambda path: save(path, dated([s.open for s in nyse().between(datetime.date(2024, 1, 2), DAY)])),
        "holds no 1h bars: most start 1 d apart",
        "1h",
    ),
    "weeks as 1d": File(
        Fault.COARSE,
        lambda path: save(path, dated([nyse().day_of(s.date)[0] for s in YEAR if s.date.weekday() == 2])),
        "holds no 1d bars: most start 7 d apart",
        "1d",
    ),
    "a holiday": File(
        Fault.PLACELESS,
        lambda path: save(path, dated([FRIDAY])),
        "has no bar in its place: 1 no session on that day of 1",
        "1d",
    ),
}


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """Whoever opens a pipe would wait for ever."""

    def late(*_: object) -> None:
        raise AssertionError(f"not done within {seconds} s")

    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize("name", FILES)
def test_an_unusable_file_is_named_with_the_reason_and_the_remedy(name: str, tmp_path: Path) -> None:
    file = FILES[name]
    file.make(tmp_path / f"ODD_{file.timeframe}.parquet")
    with within(20), pytest.raises(Unusable) as refused:
        replayed(tmp_path, input=Input(file.timeframe))
    said = str(refused.value)
    assert re.fullmatch(rf"ODD_{file.timeframe}\.parquet {file.said}", said), said
    words = re.split(r"\{\w+\}", file.fault.said)
    assert all(word in said for word in words)


def test_quotes_alone_or_a_name_without_a_timeframe_need_a_word(tmp_path: Path) -> None:
    for fault, columns in ((Fault.QUOTES, quotes()), (Fault.NAMELESS, bars())):
        path = save(tmp_path / "anything.parquet", columns)
        with pytest.raises(Unusable, match=re.escape(f"anything.parquet {fault.said}")):
            replayed(tmp_path, files={"ODD": path})


def test_a_missing_file_is_told_from_what_lies_beside_it(tmp_path: Path) -> None:
    save(tmp_path / "ODD_trades.parquet", trades())
    save(tmp_path / "ODD_5m.parquet", bars(step=5 * MINUTE))
    with pytest.raises(Unusable) as refused:
        replayed(tmp_path)
    assert str(refused.value) == (
        "ODD_1m.parquet does not exist; there is ODD_5m.parquet, ODD_trades.parquet, see --input and --file"
    )


def test_a_link_to_nothing_is_no_reason_to_take_the_minutes_instead(tmp_path: Path) -> None:
    save(tmp_path / "ODD_1m.parquet", bars())
    save(tmp_path / "ODD_trades.parquet", trades())
    (tmp_path / "ODD_quotes.parquet").symlink_to("nothing")
    with pytest.raises(Unusable, match=r"^ODD_quotes\.parquet does not exist"):
        replayed(tmp_path)


def test_what_may_not_be_read_is_said_so() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others already
        path = save(Path(folder) / "ODD_1m.parquet", bars())
        path.chmod(0)
        for closed, mode in ((path, 0o755), (Path(folder), 0o600)):
            Path(folder).chmod(mode)
            with unprivileged(), pytest.raises(Unusable) as refused:
                replayed(Path(folder))
            assert str(refused.value) == "ODD_1m.parquet cannot be read: Permission denied", closed
        Path(folder).chmod(0o700)


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """To root nothing is closed."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_does_not_fit_in_memory_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "ODD_1m.parquet"
    path.write_bytes(b"PAR1")
    os.truncate(path, 1 << 42)
    with path.open("ab") as file:
        file.write(b"PAR1")
    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 40, old[1]))
    try:
        with pytest.raises(Unusable) as refused:
            read(path, "bars")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)
    assert str(refused.value) == "ODD_1m.parquet cannot be read: it does not fit in memory"


def test_whatever_a_file_brings_the_complaint_is_one_printable_line(tmp_path: Path) -> None:
    path = tmp_path / "ODD\n\x1b[31m_1m.parquet"
    save(path, {f"column\n\x1b[{i}m": [1] for i in range(5_000)})
    with pytest.raises(Unusable) as refused:
        read(path, "bars")
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) <= LONGEST + 2


@pytest.mark.parametrize("kind", ["trades", "quotes"])
def test_ticks_are_looked_at_as_closely_as_bars(kind: str, tmp_path: Path) -> None:
    good = GOOD[kind]()
    whole = "size" if kind == "trades" else "ask_size"
    faults: list[tuple[Columns, str]] = [
        (good | {whole: [1.5] * N}, f"has a column '{whole}' of type double; write it as whole shares in int64"),
        (good | {"ts": np.asarray(good["ts"]) // 10**6}, UNIT.format("milliseconds")),
        (
            good | {"ts": np.asarray(good["ts"])[::-1]},
            "is unsorted: row 1 is earlier than the rows before it; sort it by ts",
        ),
    ]
    if kind == "trades":
        faults += [(good | {"Suspicious": [True] * N}, "has a column 'Suspicious'; rename it to 'suspicious'")]
    for columns, said in faults:
        save(tmp_path / "ODD_trades.parquet", trades())
        save(tmp_path / "ODD_quotes.parquet", quotes())
        save(tmp_path / f"ODD_{kind}.parquet", columns)
        with pytest.raises(Unusable) as refused:
            replayed(tmp_path)
        assert str(refused.value) == f"ODD_{kind}.parquet {said}"


def test_a_file_is_judged_whole_however_few_of_its_days_are_asked_for(tmp_path: Path) -> None:
    save(tmp_path / "ODD_1m.parquet", dated([s.open + k * 30 * MINUTE for s in DAYS[:9] for k in range(13)]))
    with pytest.raises(Unusable, match="holds no 1m bars: most start 30 min apart"):
        replayed(tmp_path, first=DAY, last=DAY)


# -- damage

HOW: dict[str, dict[str, Any]] = {
    "snappy": {},
    "plain": {"compression": "none", "use_dictionary": False},
    "pages of version 2": {"compression": "zstd", "data_page_version": "2.0", "row_group_size": 20},
    "delta": {
        "use_dictionary": False,
        "column_encoding": {"ts": "DELTA_BINARY_PACKED", "open": "BYTE_STREAM_SPLIT"},
    },
    "checksums": {"write_page_checksum": True},
}


@pytest.mark.parametrize("how", HOW)
def test_a_corrupted_byte_is_refused_or_read_and_never_a_crash(how: str, tmp_path: Path) -> None:
    """Half of them in the footer. What is read is sorted and possible, whatever it was before."""
    path = tmp_path / "ODD_1m.parquet"
    good = save(path, bars(), **HOW[how]).read_bytes()
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    outcomes: set[str] = set()
    for seed in range(200):
        rng, body = np.random.default_rng(seed), bytearray(good)
        body[rng.integers(footer if seed % 2 else 0, len(good))] ^= rng.integers(1, 256)
        path.write_bytes(body)
        ts, said = [0, 1], "ODD_1m.parquet "
        try:
            ts = [e.ts for e in times(replayed(tmp_path))]
            outcomes.add("read")
        except Unusable as e:
            said = str(e)
            outcomes.add("refused")
        assert ts == sorted(set(ts))
        assert said.startswith("ODD_1m.parquet ")
        assert said.isprintable()
    assert outcomes == {"read", "refused"}


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ODD.parquet"
    good = save(path, bars()).read_bytes()
    for length in (*range(1, 20), *range(20, len(good), 29), len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(Unusable, match="Parquet"):
            read(path, "bars")


# -- odd, and taken


def unchanged(folder: Path, columns: Columns, **how: Any) -> None:
    """It gives the same bars as the good file, and refuses nothing."""
    path = save(folder / "ODD_1m.parquet", columns, **how)
    recording = replayed(folder)
    assert (of(recording), recording.refused) == (rows_of(bars()), {}), path


def other_columns(folder: Path) -> None:
    extra = {"Close ": ["x"] * N, "nested": [{"a": [1]}] * N, "nothing": pa.nulls(N), "close.x": [1] * N}
    unchanged(folder, bars() | extra)
    data = pa.table(bars()).append_column("vwap", [[1.0] * N]).append_column("vwap", [[2.0] * N])
    pq.write_table(data, folder / "ODD_1m.parquet")
    assert of(replayed(folder)) == rows_of(bars())


def any_layout(folder: Path) -> None:
    for compression in ("none", "snappy", "gzip", "zstd", "lz4", "brotli"):
        unchanged(folder, bars(), compression=compression, row_group_size=7)
    for how in HOW.values():
        unchanged(folder, bars(), **how)
    data = pa.table(bars())
    with pq.ParquetWriter(folder / "ODD_1m.parquet", data.schema) as writer:
        for part in (data[:0], data[:10], data[:0], data[10:], data[:0]):
            writer.write_table(part)
    assert of(replayed(folder)) == rows_of(bars())


def zoned(folder: Path) -> None:
    for unit in ("s", "ms", "us", "ns"):
        for zone in ("UTC", "America/New_York", "+05:30"):
            scale = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[unit]
            unchanged(folder, bars() | {"ts": pa.array(bars()["ts"] // scale, pa.timestamp(unit, zone))})
    far = [253402300799, *(bars()["ts"][1:] // 10**9).tolist()]  # the year 9999
    save(folder / "ODD_1m.parquet", bars() | {"ts": pa.array(far, pa.timestamp("s", "UTC"))})
    assert replayed(folder).refused == {"ODD": {"no time": 1}}


def digits(folder: Path) -> None:
    """100.29 is 100.29: as a neighbour of it, it would be bought a cent dearer."""
    two = {k: np.round(v, 2) for k, v in bars().items() if k in PRICES}
    casts: list[Callable[[Any], Any]] = [
        lambda v: pa.array(v.astype(np.float32)),
        lambda v: pa.array([decimal.Decimal(f"{x:.2f}") for x in v], pa.decimal128(18, 2)),
        lambda v: pa.array([decimal.Decimal(f"{x:.2f}") for x in v], pa.decimal256(60, 9)),
    ]
    for cast in casts:
        save(folder / "ODD_1m.parquet", bars() | {k: cast(v) for k, v in two.items()})
        assert of(replayed(folder)) == rows_of(bars() | two)
    odd = np.full(N, 100.0, np.float32)
    odd[:4] = NAN, INF, -INF, 1e30
    save(folder / "ODD_1m.parquet", bars(close=odd, high=np.full(N, 102.0), low=np.full(N, 99.0)))
    assert replayed(folder).refused == {"ODD": {"impossible price": 4}}


def equal_ticks(folder: Path) -> None:
    save(folder / "ODD_trades.parquet", trades(ts=np.full(N, OPEN), price=[100.0] * N))
    recording = replayed(folder, input=Input.TICKS)
    assert of(recording) == [(OPEN, 100.0, 100.0, 100.0, 100.0, 100.0 * N)]


def quoted(folder: Path, **other: Any) -> list[Quote]:
    save(folder / "ODD_trades.parquet", trades())
    save(folder / "ODD_quotes.parquet", quotes(**other))
    recording = replayed(folder)
    assert (recording.model, recording.refused) == (Model.QUOTE, {})
    return [e for e in recording.tape.events(0) if isinstance(e, Quote)]


def one_sided(folder: Path) -> None:
    asks = [0.0, -0.0, *[100.01] * (N - 2)]
    bids = [99.99, 99.99, 0.0, 100.02, *[99.99] * (N - 4)]
    sizes = [300, 300, 300, 300, 0, *[300] * (N - 5)]
    seen = quoted(folder, bid=bids, ask=asks, bid_size=sizes)
    assert [q.usable for q in seen] == [False] * 5 + [True] * (N - 5)


def locked(folder: Path) -> None:
    assert all(q.usable for q in quoted(folder, bid=[100.01] * N))


def extended(folder: Path) -> None:
    columns = dated([OPEN - MINUTE, OPEN, CLOSE - MINUTE, CLOSE, FRIDAY + 600 * MINUTE, FRIDAY + 1_560 * MINUTE])
    recording = recorded(folder, "1m", columns)
    assert of(recording) == rows_of(columns)
    quality = [Quality(e.bars[0]["quality"]) for e in times(recording)]
    full, ext = Quality.FULL, Quality.EXTENDED
    assert quality == [ext, full, full, ext, ext, ext]


def gaps(folder: Path) -> None:
    some = [0, 1, 5, 6, 30, 59]
    save(folder / "ODD_1m.parquet", dated(bars()["ts"][some].tolist()))
    save(folder / "EVEN_1m.parquet", bars())
    recording = load(Request(data=folder, symbols=("EVEN", "ODD")), nyse())
    assert [bool(e.bars[1]["ts"]) for e in times(recording)] == [i in some for i in range(N)]
    thin = np.sort(np.random.default_rng(1).choice(390, 40, replace=False)) * MINUTE + OPEN
    assert len(of(recorded(folder, "1m", dated(thin.tolist())))) == 40


def jump(folder: Path) -> None:
    columns = bars()
    for name in PRICES:
        columns[name][30] *= 100.0
    recording = recorded(folder, "1m", columns)
    assert (of(recording), recording.refused) == (rows_of(columns), {})


def one_file(folder: Path) -> None:
    path = save(folder / "any_1m.parquet", bars())
    recording = load(Request(data=folder, symbols=("ODD", "TOO"), files={"ODD": path, "TOO": path}), nyse())
    assert recording.symbols == ("ODD", "TOO")
    assert recording.digests["ODD"] == recording.digests["TOO"]


def ends(folder: Path) -> None:
    columns = bars(390, start=OPEN + MINUTE)
    recording = recorded(folder, "1m", columns)
    assert (of(recording), [e.ts for e in times(recording)]) == (rows_of(columns), (columns["ts"] + MINUTE).tolist())


def flipped(folder: Path) -> None:
    how: dict[str, Any] = {"compression": "none", "use_dictionary": False}
    path = save(folder / "ODD_1m.parquet", bars(high=np.full(N, 103.0)), **how)
    body = bytearray(path.read_bytes())
    body[body.find(np.float64(103.0).tobytes() * 3) + 4] ^= 1
    path.write_bytes(body)
    recording = replayed(folder)
    assert recording.refused == {}
    assert {row[2] for row in of(recording)} == {103.0, 103.0 + 2.0**-14}


ACCEPTED: dict[str, Callable[[Path], None]] = {
    "other columns": other_columns,
    "any compression, encoding, row groups": any_layout,
    "ts as a timestamp with a time zone": zoned,
    "prices in float32 or decimal": digits,
    "several ticks of one time, equal ones among them": equal_ticks,
    "one side of a quote missing, or crossed": one_sided,
    "locked quotes": locked,
    "outside the session": extended,
    "minutes missing, or another length than other symbols": gaps,
    "a price far from its neighbours": jump,
    "one file under two symbols": one_file,
    "bars that bear their end instead of their start": ends,
    "altered bits in a file without checksums": flipped,
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_odd_and_possible_is_taken(name: str, tmp_path: Path) -> None:
    ACCEPTED[name](tmp_path)


# -- the table itself


def test_every_entry_of_the_table_has_its_test() -> None:
    table = reasons()
    rows = {(odd.name, kind) for odd in table if odd.outcome is Outcome.ROW for kind in odd.kinds}
    apart = {("second bar of one time", "bars")} | {("outside the calendar", kind) for kind in GOOD}
    apart |= {("overlaps the bar before", timeframe) for timeframe in ("1m", "5m")}  # the grid keeps these apart
    assert rows == ROWS.keys() | {(p.reason, p.timeframe) for p in PLACES} | apart
    assert set(Fault) == {file.fault for file in FILES.values()} | {Fault.QUOTES, Fault.NAMELESS}
    assert TAKEN.keys() == ACCEPTED.keys()
    assert len(table) == len({odd.name for odd in table})
    assert table[0] == Odd("suspicious", ("trades",), Outcome.ROW, "the vendor flagged it")


def test_the_table_can_be_printed() -> None:
    lines = shown().splitlines()
    assert len(lines) == len(reasons()) + 2
    assert all(line.count("|") == 4 for line in lines)
    assert "| empty | any | symbol left out: “is empty, no Parquet file” |" in lines
