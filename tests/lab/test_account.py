"""What an account has really done, as a result: of a replay the backtest's own, to the last bit."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fluxhero.core import journal
from fluxhero.core.calendar import nyse
from fluxhero.kernel.plug import find, loaded
from fluxhero.lab.account import account
from fluxhero.lab.arguments import Empty
from fluxhero.lab.commands import remembered
from fluxhero.lab.recorded import rows
from fluxhero.lab.result import Result
from fluxhero.lab.tearsheet.reasons import marks
from fluxhero.messages import Micros, Model, Nanos, Quality, Shares, micros
from fluxhero.store.queries import Query, Reader
from fluxhero.store.sqlite import FILE
from tests.lab.asking import EVERY, asked, minutes
from tests.market import FIRST, write_ticks

BARS = ("--timeframe", "1m", "--strategy", "metronome")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return minutes(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def state(data: Path) -> Path:
    """A replay of both symbols."""
    words = ("--data", data, "--symbols", "AAA,BBB", "--config", data / "config.toml", "--strategy", "metronome")
    assert asked("replay", *words, "--state", data / "state", "--html", data / "replayed.html").code == 0
    return data / "state"


@pytest.fixture(scope="module")
def ticks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A replay in the quote model, with chases and parts of fills."""
    folder = tmp_path_factory.mktemp("ticks")
    for symbol, seed in (("TIC", 3), ("TOC", 4)):
        write_ticks(folder, symbol, seed, FIRST, FIRST, per=4, minutes=200)
    (folder / "config.toml").write_text(EVERY)
    words = ("--data", folder, "--symbols", "TIC,TOC", "--strategy", "metronome", "--config", folder / "config.toml")
    assert asked("replay", *words, "--state", folder / "state").code == 0
    return folder / "state"


def of(state: Path) -> Result:
    return remembered(state)[0]


def test_a_replayed_account_is_what_the_backtest_of_its_bars_is(data: Path, state: Path) -> None:
    words = ("--data", data, "--symbols", "AAA,BBB", "--config", data / "config.toml")
    tried, told = asked("backtest", *words, *BARS, "--json").answer, asked("report", "--state", state, "--json").answer
    for answer in (tried, told):
        assert answer["fills"] > 50
        answer["setup"] |= {"source": "", "data": ""}
    assert told | {"left_out": {}, "refused_rows": {}} == tried


def test_trips_and_releases_are_told_alike_too(data: Path, tmp_path: Path) -> None:
    """The day's loss and, at the end, the drawdown."""
    limits = f"{EVERY}[risk]\nday_loss = 0.001\nsoft_drawdown = 0.002\nhard_drawdown = 0.003\n"
    (tmp_path / "config.toml").write_text(limits)
    words = ("--data", data, "--symbols", "AAA,BBB", "--config", tmp_path / "config.toml", "--strategy", "metronome")
    assert asked("replay", *words, "--state", tmp_path / "state").code == 0
    ran, told = asked("backtest", *words, "--timeframe", "1m", "--json"), asked("report", "--state", tmp_path / "state")
    trips = ran.answer["trips"]
    assert {(t["trip"], t["released"] is None) for t in trips} == {("day_loss", False), ("drawdown", True)}
    assert [line for line in ran.out.splitlines() if line.startswith("trip")] == [
        f"trip        {t['trip']} at {t['at']}: {100 * t['value']:.2f} %, {100 * t['bound']:.2f} % is the most;"
        f" released {t['released'] or 'never'}"
        for t in trips
    ]
    assert told.out.splitlines()[1:] == ran.out.splitlines()[1:-1]
    found, _ = marks(of(tmp_path / "state"), [0, 1], 10_000)
    assert [m.kind for m in found if m.slot < 0].count("trip") == len(trips)


def test_parity_agrees_and_says_what_it_compared(state: Path) -> None:
    ran = asked("parity", "--state", state, "--json")
    assert (ran.code, ran.err, ran.answer["agrees"]) == (0, "", True)
    assert ran.answer["compared"]["fills"] == len(of(state).fills)
    assert ran.out.startswith("agrees: AAA, BBB, model bar\n2024-03-25 ")


def test_parity_names_what_differs_and_ends_with_1(state: Path, tmp_path: Path) -> None:
    copied = tmp_path / "state"
    shutil.copytree(state, copied)
    with closing(sqlite3.connect(copied / FILE)) as db, db:
        db.execute("UPDATE states SET blob = zeroblob(length(blob)) WHERE name = 'tapes'")
    ran = asked("parity", "--state", copied)
    assert ran.code == 1
    assert ran.out.startswith("DIFFERS: AAA, BBB, model bar\n")
    assert "the state of the tapes" in ran.out
    assert ran.err.startswith(f"fluxhero: {copied}: the account has not done what the rules do;")
    assert asked("parity", "2024-03-27", "--state", copied).code == 0


@pytest.mark.parametrize(
    ("code", "day", "said"),
    [
        (66, "2024-03-22", "no bar was sealed by 2024-03-22: give a later day"),
        (66, "1990-01-01", "1990-01-01 is outside the calendar, 1998-01-01 to 2029-12-31"),
        (2, "2024-13-01", "parity: error: argument DAY: '2024-13-01' is no date, such as 2024-03-26"),
    ],
)
def test_parity_of_a_day_that_cannot_be_is_refused(state: Path, code: int, day: str, said: str) -> None:
    ran = asked("parity", day, "--state", state)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.splitlines()[-1].removeprefix("fluxhero: ").removeprefix("fluxhero ") == said


def test_its_page_explains_what_its_journal_explains(data: Path, state: Path) -> None:
    result = of(state)
    said, n = marks(result, [0, 1], 10_000)
    with closing(Reader(state)) as reader:
        signals = reader.answer("signals", Query(n=1000))["signals"]
        assert sorted(m.text for m in said) == sorted(s["why"] for s in signals)
    assert n == len(said) > 100
    page = (data / "replayed.html").read_text()
    assert all(m.text.split(" (")[0] in page for m in said)


def test_a_replay_writes_the_page_that_a_report_writes(data: Path, state: Path) -> None:
    assert asked("report", "--state", state, "--html", data / "reported.html").code == 0
    assert (data / "reported.html").read_text() == (data / "replayed.html").read_text()


def test_in_the_quote_model_equity_trades_and_fees_are_the_journals(ticks: Path) -> None:
    result = of(ticks)
    with closing(sqlite3.connect(ticks / FILE)) as db:
        equity = db.execute("SELECT ts, equity FROM equity ORDER BY ts").fetchall()
        trades = db.execute("SELECT slot, opened, closed, qty, entry, exit, result FROM trades ORDER BY n").fetchall()
    assert list(zip(result.ts.tolist(), result.equity.tolist(), strict=True)) == equity
    assert len(trades) > 3
    assert result.rounds[["slot", "opened", "closed", "qty", "entry", "exit", "result"]].tolist() == trades
    f = result.fills[result.fills["ts"] <= result.ts[-1]]
    last = np.round(result.bars["close"][-1] * 1e6).astype(np.int64)[f["slot"]]
    assert result.equity[-1] - result.setup.cash == (f["side"] * f["qty"] * (last - f["price"]) - f["fee"]).sum()


def test_what_is_deployed_is_what_is_held_at_the_last_closes(ticks: Path) -> None:
    """Without shorts it is equity less cash."""
    with closing(Reader(ticks)) as reader:
        seals = [r for r in rows(reader) if isinstance(r, journal.Seal)]
    assert of(ticks).deployed.tolist() == [r.equity - r.cash for r in seals]
    assert of(ticks).deployed.any()


def test_a_report_names_the_source_the_parameters_and_the_digest_of_the_journal(state: Path, ticks: Path) -> None:
    setup = of(state).setup
    with closing(Reader(state)) as reader:
        assert (setup.source, setup.timeframe, setup.data) == ("replay", "1m", reader.head()[1])
    assert setup.params == {"every": 5, "keep": 4, "risk": 0.01}
    assert of(ticks).setup.params == {"every": 5, "keep": 4, "risk": 0.01}


T = [nyse().sessions[6000].open + i * 60_000_000_000 for i in range(8)]


def bar(ts: int, close: float) -> journal.BarRow:
    return journal.BarRow(0, Nanos(ts), close, close, close, close, 1e5, Quality.FULL, 0, session=6000)


def seal(i: int, equity: float) -> journal.Seal:
    worth = micros(equity)
    return journal.Seal(ts=Nanos(T[i + 1]), bars=(bar(T[i], 10.0 + i),), equity=worth, cash=worth)


def opening(**identity: str) -> list[journal.Row]:
    opened = journal.Opened(
        ts=Nanos(T[0]), account="a", epoch="e", cash=micros(1000.0), model=Model.QUOTE, symbols=("AAA",),
        identity=identity,
    )  # fmt: skip
    p = np.zeros(1, find("metronome").params)
    p["own"]["every"] = 7
    return [opened, journal.Settings(ts=Nanos(T[0]), hash="h", strategy="metronome", params=p.tobytes())]


def adopted(i: int, flow: float, slot: int = -1, qty: int = 0) -> journal.Row:
    return journal.Adopted(
        ts=Nanos(T[i]), slot=slot, qty=Shares(qty), price=micros(20.0), cash=micros(1.0), mode=0, stop=Micros(0),
        flow=Micros(round(flow * 1e6)),
    )  # fmt: skip


def told(*more: journal.Row, **identity: str) -> tuple[Result, list[str]]:
    return account([*opening(**identity), *more], "digest", nyse())


def test_money_that_came_or_went_is_no_result() -> None:
    result, remarks = told(seal(0, 1000.0), adopted(1, 500.0), seal(1, 1510.0), adopted(2, -200.0), seal(2, 1310.0))
    assert result.equity.tolist() == [1_000_000_000, 1_010_000_000, 1_010_000_000]
    assert remarks == ["+300.00 USD came or went otherwise than by trading, and are left out."]


def test_shares_that_were_adopted_are_deployed() -> None:
    result, _ = told(adopted(0, 0.0, slot=0, qty=-3), seal(0, 1000.0), adopted(1, 0.0, slot=0), seal(1, 1000.0))
    assert result.deployed.tolist() == [30_000_000, 0]


def test_a_live_account_is_called_so() -> None:
    live, replayed = told(seal(0, 1000.0))[0].setup, told(seal(0, 1000.0), timeframe="1d")[0].setup
    assert [(s.source, s.timeframe) for s in (live, replayed)] == [("live", "1m"), ("replay", "1d")]
    assert live.params == {"every": 7, "keep": 0, "risk": 0.0}


def test_changed_settings_are_told() -> None:
    other = journal.Settings(ts=Nanos(T[1]), hash="i", strategy="metronome", params=b"of another kernel")
    result, remarks = told(seal(0, 1000.0), other, seal(1, 1000.0))
    assert (result.setup.params, remarks) == ({}, ["Its settings changed 1 times; the parameters are the newest."])


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "it has no bars yet; let its daemon run until the first is over"),
        (
            [journal.Seal(ts=Nanos(T[1]), bars=(), equity=Micros(1), cash=Micros(1))],
            "it has no bars of a regular session yet; let its daemon run into one",
        ),
    ],
)
def test_an_account_that_saw_nothing_says_what_to_do(more: list[Any], said: str) -> None:
    with pytest.raises(Empty) as e:
        told(*more)
    assert str(e.value) == said


def test_an_own_strategys_parameters_are_known_where_its_configuration_is_named(tmp_path: Path) -> None:
    source = Path(str(find("metronome").module.__file__)).read_text()
    (tmp_path / "mine.py").write_text(source)
    (tmp_path / "config.toml").write_text('[strategy]\nname = "mine.py"\n')
    own = find(loaded(tmp_path / "config.toml").strategy.name)
    named = journal.Settings(ts=Nanos(T[0]), hash="h", strategy="mine", params=np.zeros(1, own.params).tobytes())
    rows_ = [opening()[0], named, seal(0, 1000.0)]
    assert account(rows_, "", nyse())[0].setup.params == {}
    assert account(rows_, "", nyse(), own)[0].setup.params == {"every": 0, "keep": 0, "risk": 0.0}
