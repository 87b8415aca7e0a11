"""What `parity` says of accounts that did as a backtest does, and of those in which something was planted."""

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fluxhero.config import Config, Strategy
from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.feeds.recording import Request, load
from fluxhero.kernel import codes
from fluxhero.kernel.plug import find
from fluxhero.lab.parity import lines, parity
from fluxhero.messages import MINUTE, Micros, Model, Nanos, Order, Role, Shares, Verb
from fluxhero.replay import Replay
from fluxhero.store.sqlite import FILE, StoreError
from fluxhero.store.view import BadQuery
from tests.core.desk import MEMORY
from tests.lab.portfolios import RECKLESS, Portfolio, drawn
from tests.market import write_ticks

Rows = list[journal.Any]
Plant = Callable[[Rows], None]


def replayed(p: Portfolio, folder: Path) -> Path:
    state = folder / "state"
    whole = Replay(
        recording=p.recording, request=p.request, config=p.config, directory=state, auto_release=p.release
    )  # fmt: skip
    assert whole.main()
    return state


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as made:
        yield Path(made)


@pytest.fixture(scope="module")
def hours(folder: Path) -> Path:
    """dual_mode over ten symbols, with shorts."""
    return replayed(drawn(3), folder / "hours")


@pytest.fixture(scope="module")
def ticks(folder: Path) -> Path:
    """metronome in the `quote` model."""
    data = folder / "data"
    data.mkdir()
    for seed, symbol in enumerate("AB"):
        write_ticks(data, symbol, seed)
    request = Request(data=data, symbols=("A", "B"), model=Model.QUOTE)
    config = Config(strategy=Strategy(name="metronome"))
    return replayed(Portfolio(load(request, nyse()), request, config, True), folder / "ticks")


def planted(state: Path, folder: Path, plant: Plant) -> dict[str, Any]:
    """What is said of a copy whose rows are others; its chain is, too, but that is for `verify` to say."""
    with tempfile.TemporaryDirectory(dir=folder) as copied:
        copy = Path(copied) / "state"
        shutil.copytree(state, copy, ignore=shutil.ignore_patterns("*.sock"))
        with closing(sqlite3.connect(copy / FILE)) as db, db:
            lines = db.execute("SELECT seq, body, hash FROM journal ORDER BY seq").fetchall()
            rows: Rows = [journal.decode(body) for _, body, _ in lines]
            plant(rows)
            db.execute("DELETE FROM journal")
            of = ((n, r.ts, type(r).__name__.lower(), journal.encode(r), b"") for n, r in enumerate(rows, 1))
            db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?, ?)", of)
        return parity(copy, None)


def sorts(answer: dict[str, Any], *, title: str = "differences") -> set[str]:
    return {f["class"] for f in answer[title]}


def first(rows: Rows, kind: type, of: Callable[[Any], bool] = lambda r: True) -> int:
    return next(n for n, row in enumerate(rows) if isinstance(row, kind) and of(row))


def changed(kind: type, of: Callable[[Any], bool] = lambda r: True, **said: Any) -> Plant:
    """The first such row, with these fields; a function makes it of the old value."""

    def plant(rows: Rows) -> None:
        n = first(rows, kind, of)
        fields = {name: x(getattr(rows[n], name)) if callable(x) else x for name, x in said.items()}
        rows[n] = replace(rows[n], **fields)

    return plant


def without(kind: type, of: Callable[[Any], bool] = lambda r: True) -> Plant:
    return lambda rows: rows.__delitem__(first(rows, kind, of))


def before(kind: type, row: Callable[[Any], Any], of: Callable[[Any], bool] = lambda r: True) -> Plant:
    """Another row, made of the one before which it is put."""

    def plant(rows: Rows) -> None:
        n = first(rows, kind, of)
        rows.insert(n, row(rows[n]))

    return plant


def dearer(bars: tuple[journal.BarRow, ...]) -> tuple[journal.BarRow, ...]:
    return tuple(replace(b, close=b.close * 1.001) for b in bars)


def wider(o: Order) -> Order:
    return replace(o, stop=Micros(o.stop - 10_000))


def entry(r: journal.Intent) -> bool:
    return r.order.role is Role.ENTRY


def bought(r: journal.Judged) -> bool:
    return r.entry and r.gate == codes.OPEN


PLANTS: dict[str, tuple[str, Plant]] = {
    "other closes": ("data", changed(journal.Seal, lambda r: r.equity != r.cash, bars=dearer)),
    "a bar is gone": ("data", changed(journal.Seal, lambda r: r.equity != r.cash, bars=lambda bars: bars[1:])),
    "a bar time is gone": ("data", without(journal.Seal, lambda r: r.equity != r.cash)),
    "other indicators": ("data", changed(journal.Decided, reading=lambda was: {**was, "rsi": 50.0})),
    "a fill in another bar": ("timing", changed(journal.Filled, at=lambda at: Nanos(at - 60 * MINUTE))),
    "a fill at another time": ("timing", changed(journal.Filled, ts=lambda ts: Nanos(ts - 1))),
    "a fill at another price": ("fill", changed(journal.Filled, price=lambda price: Micros(price + 10_000))),
    "a fill of less": ("fill", changed(journal.Filled, qty=lambda qty: Shares(qty - 1))),
    "another fee": ("fill", changed(journal.Filled, fee=lambda fee: Micros(fee + 1))),
    "a fill that nobody heard of": ("timing", without(journal.Filled)),
    "other cash": ("state", changed(journal.Seal, cash=lambda cash: Micros(cash + 1))),
    "a wider stop": ("state", changed(journal.Intent, entry, order=wider)),
    "another mode": ("state", changed(journal.Decided, lambda r: r.action == codes.ENTER, mode=codes.MINE)),
    "another size": ("gate", changed(journal.Judged, bought, by_risk=1)),
    "an entry held back": ("gate", changed(journal.Judged, bought, gate=codes.RATE, value=10.0, limit=10.0)),
}


def test_an_account_in_bars_agrees_with_a_backtest_over_its_own_bars(hours: Path) -> None:
    answer = parity(hours, None)
    assert (answer["agrees"], answer["differences"], answer["causes"], answer["fills"]) == (True, [], [], None)
    assert set(answer["classes"].values()) == {0}
    assert answer["compared"]["seals"] == 810
    assert min(n for name, n in answer["compared"].items() if name != "trips") > 50
    assert next(lines(answer)).startswith("agrees: A, B, C")


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found_and_of_its_class(hours: Path, folder: Path, name: str) -> None:
    kind, plant = PLANTS[name]
    answer = planted(hours, folder, plant)
    told = [*answer["differences"], *answer["causes"]]
    assert not answer["agrees"]
    assert (min(told, key=lambda f: f["time"])["class"], answer["classes"][kind] > 0) == (kind, True)
    assert json.loads(json.dumps(answer, allow_nan=False)) == answer
    assert next(lines(answer)).startswith("DIFFERS")


HAPPENINGS: dict[str, tuple[str, Callable[[Any], journal.Row]]] = {
    "bars that nobody saw": ("data", lambda r: journal.Blind(ts=r.ts, why="the daemon was down")),
    "an operator's pause": ("gate", lambda r: commanded(r.ts, Verb.PAUSE)),
    "an operator's word for the venue's": ("state", lambda r: commanded(r.ts, Verb.ADOPT)),
    "a trip that no bar makes": ("gate", lambda r: tripped(r.ts, "halt")),
    "a venue with other books": ("state", lambda r: drift(r.ts)),
}


def commanded(ts: Nanos, verb: Verb) -> journal.Commanded:
    return journal.Commanded(ts=ts, verb=verb, slots=(0,), trip="", reason="to see", id="", text="")


def tripped(ts: Nanos, trip: str) -> journal.Tripped:
    return journal.Tripped(ts=ts, trip=trip, cause="to see", equity=Micros(0), value=0.0, limit=0.0)


def drift(ts: Nanos) -> journal.Drift:
    return journal.Drift(
        ts=ts, key="position 0", kind="unexplained", what="position", slot=0, name="", ours=0, theirs=5, ignored=False
    )


@pytest.mark.parametrize("name", HAPPENINGS)
def test_what_happened_and_no_backtest_knows_of_is_a_cause_of_its_class(hours: Path, folder: Path, name: str) -> None:
    kind, row = HAPPENINGS[name]
    answer = planted(hours, folder, before(journal.Filled, row))
    (cause,) = answer["causes"]
    assert (cause["class"], answer["classes"][kind] > 0) == (kind, True)
    assert sorts(answer) <= {kind}


def test_a_halt_is_told_as_the_cause_of_all_that_did_not_follow(hours: Path, folder: Path) -> None:
    """A journal that has nothing from a command on but its bars: nothing of it would have been so."""

    def plant(rows: Rows) -> None:
        n = first(rows, journal.Judged, bought)
        rows[n:] = [commanded(rows[n].ts, Verb.PAUSE), replace(rows[n], gate=codes.PAUSED, value=1.0, qty=Shares(0))]

    answer = planted(hours, folder, plant)
    assert (answer["agrees"], sorts(answer), sorts(answer, title="causes")) == (False, {"gate"}, {"gate"})


def test_a_gate_that_no_backtest_has_is_recognised(folder: Path) -> None:
    p = drawn(10, symbols=12)  # which would send more entries in a minute than may leave
    config = replace(p.config, gates=replace(p.config.gates, day_trades=0))
    answer = parity(replayed(Portfolio(p.recording, p.request, config, p.release), folder / "stormed"), None)
    assert (answer["agrees"], sorts(answer), sorts(answer, title="causes")) == (False, {"gate"}, {"gate"})
    assert answer["causes"][0]["what"] == "an order refused by the gate rate"


def test_the_newest_records_are_held_against_it_byte_by_byte(hours: Path, folder: Path) -> None:
    for name in ("kernel", "account", "tapes"):
        copy = folder / f"state of {name}"
        shutil.copytree(hours, copy, ignore=shutil.ignore_patterns("*.sock"))
        with closing(sqlite3.connect(copy / FILE)) as db, db:
            (blob,) = db.execute("SELECT blob FROM states WHERE name = ?", (name,)).fetchone()
            db.execute("UPDATE states SET blob = ? WHERE name = ?", (bytes([blob[0] ^ 1]) + blob[1:], name))
        (difference,) = parity(copy, None)["differences"]
        assert (difference["class"], difference["what"]) == ("state", f"the state of the {name}")


def test_a_day_ends_what_is_looked_at(hours: Path, folder: Path) -> None:
    day = date(2021, 4, 30)
    answer = parity(hours, day)
    assert (answer["agrees"], answer["until"]) == (True, "2021-04-30 17:30:00 ET")
    late = PLANTS["a fill at another price"][1]
    assert not planted(hours, folder, late)["agrees"]
    with pytest.raises(BadQuery, match="no bar was sealed by 2020-01-02: give a later day"):
        parity(hours, date(2020, 1, 2))


def test_a_strategy_of_ones_own_is_told_by_its_file(folder: Path) -> None:
    state = replayed(drawn(11), folder / "reckless")
    assert parity(state, None, find(RECKLESS))["agrees"]
    with pytest.raises(StoreError, match="give --config"):
        parity(state, None)


def test_decisions_on_quotes_are_made_again_and_fills_bind_nobody(ticks: Path, folder: Path) -> None:
    answer = parity(ticks, None)
    assert (answer["agrees"], answer["differences"]) == (True, [])
    assert set(answer["compared"]) == {"seals", "decisions"}
    assert answer["compared"]["decisions"] > 20
    entries = answer["fills"]["entry"]
    assert entries["orders"] > 10
    assert entries["compared"] > 10
    assert -20.0 < entries["mean_bp"] < 20.0
    assert any("against the bar model" in line for line in lines(answer))
    dear = planted(ticks, folder, changed(journal.Filled, price=lambda price: Micros(price + 10_000_000)))
    assert dear["agrees"]
    assert dear["fills"]["entry"]["worst_bp"] > 500.0


def test_a_decision_on_quotes_that_does_not_follow_is_found(ticks: Path, folder: Path) -> None:
    for name in ("other indicators", "another mode"):
        kind, plant = PLANTS[name]
        answer = planted(ticks, folder, plant)
        assert (answer["agrees"], sorts(answer)) == (False, {kind})


def test_a_quote_that_was_too_old_is_a_gate(ticks: Path, folder: Path) -> None:
    plant = changed(journal.Judged, bought, gate=codes.FRESH, value=61.0, limit=5.0, qty=Shares(0))
    answer = planted(ticks, folder, plant)
    assert (answer["agrees"], sorts(answer, title="causes")) == (True, {"gate"})


def test_a_state_without_rows_says_so(folder: Path) -> None:
    with pytest.raises(StoreError, match="holds no state"):
        parity(folder / "nowhere", None)
