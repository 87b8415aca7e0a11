"""The commands of the lab, as a person gives them."""

import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from fluxhero import cli
from fluxhero.core.calendar import nyse
from fluxhero.feeds.recording import Input, Request
from fluxhero.kernel.plug import loaded
from fluxhero.lab import texts
from fluxhero.lab.engine import BacktestEngine, Trial
from fluxhero.lab.history import loaded as history
from fluxhero.lab.metrics import of
from tests.lab.asking import FIRST, LAST, Answer, Ran, asked, days, minutes

PATIENCE = 120.0  # s, for what another process must do
SLICE = 0.05  # s
PLAIN = {**os.environ, "PYTHONPATH": ""}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return minutes(tmp_path_factory.mktemp("data"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that commands are given in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words(data: Path, *more: object, cmd: str = "backtest", symbols: str = "AAA,BBB") -> list[str]:
    said = (cmd, "--data", data, "--symbols", symbols, "--timeframe", "1m", "--config", data / "config.toml")
    return [str(word) for word in (*said, "--strategy", "metronome", *more)]


def backtest(data: Path, *more: object) -> Answer:
    ran = asked(*words(data, *more, "--json"))
    assert (ran.code, ran.err) == (0, "")
    return ran.answer


def refused(code: int, *more: object) -> str:
    """Nothing on stdout, and one line of what is wrong."""
    ran = asked(*more)
    assert (ran.code, ran.out) == (code, "")
    return ran.err.splitlines()[-1].removeprefix("fluxhero: ")


def test_the_metrics_of_json_are_those_of_the_engine(data: Path) -> None:
    request = Request(data=data, symbols=("AAA", "BBB"), input=Input.M1)
    trial = Trial(config=loaded(data / "config.toml", "metronome"))
    result = BacktestEngine(history(request, nyse())[0], trial).run()
    answer = backtest(data)
    assert answer["metrics"] == msgspec.to_builtins(of(result))
    assert answer["metrics"]["trades"] > 20
    assert answer["setup"]["data"] == result.setup.data
    assert (answer["first"], answer["last"]) == (str(FIRST), str(LAST))


def test_the_same_is_said_twice_and_every_number_is_one(data: Path) -> None:
    once, twice = (asked(*words(data, "--json")) for _ in range(2))
    assert once == twice
    assert set(once.answer["metrics"]) >= {
        "total_return", "cagr", "sharpe", "sortino", "calmar", "max_drawdown", "win_rate", "profit_factor", "trades",
    }  # fmt: skip


def test_a_person_reads_setup_figures_trades_costs_and_groups(data: Path) -> None:
    text, m = " ".join(asked(*words(data)).out.split()), backtest(data)["metrics"]
    for said in (
        "metronome on AAA, BBB: backtest of 1m bars, 2024-03-25 to 2024-04-05, 9 sessions, 900 bars",
        "sizing risk, with stops, caps and breakers, costs spec",
        "parameters every=5, keep=4, risk=0.01",
        f"total return {100 * m['total_return']:+.2f} %",
        f"trades {m['trades']}, {100 * m['win_rate']:.2f} % won",
        f"costs commission {m['commission']:.2f}, borrow 0.00 USD; slippage is in the prices",
        "mode metronome",
    ):
        assert said in text
    assert "buy and hold" in text


def test_a_day_that_always_gains_one_percent_shows_in_buying_and_holding(data: Path) -> None:
    ran = asked(
        "backtest", "--data", data, "--symbols", "AAA", "--strategy", "buy_and_hold", "--costs", "none", "--json"
    )
    answer = ran.answer
    assert answer["setup"] | {"data": ""} == {
        "strategy": "buy_and_hold", "params": {}, "symbols": ["AAA"], "timeframe": "1d", "sizing": "full",
        "costs": "none", "risk": False, "cash": 100_000.0, "data": "", "source": "backtest",
    }  # fmt: skip
    shares = int(100_000 / 101.0)
    assert answer["positions"] == {"AAA": shares}
    assert answer["metrics"]["total_return"] == pytest.approx(shares * (100 * 1.01**9 - 101.0) / 100_000, abs=1e-8)
    assert answer["benchmark"]["total_return"] == pytest.approx(1.01**8 - 1, rel=1e-12)
    assert (answer["metrics"]["profit_factor"], answer["metrics"]["win_rate"]) == (None, None)
    assert "sizing full, without stops, caps and breakers, costs none" in ran.out


def test_fixed_sizing_buys_so_many_shares_and_needs_no_more_words(data: Path) -> None:
    for more in ((), ("--risk", "off")):
        answer = backtest(data, "--sizing", "fixed:7", *more)
        assert (answer["setup"]["sizing"], answer["setup"]["risk"]) == ("fixed:7", False)
        assert answer["orders"]["stop"] == 0
        assert answer["fills"] > 50


def test_a_parameter_is_of_the_strategy_and_beats_the_files(data: Path) -> None:
    answer = backtest(data, "--param", "every=9", "--param", "risk=0.002")
    assert answer["setup"]["params"] == {"every": 9, "keep": 4, "risk": 0.002}


def test_costs_and_dates_and_releases_are_as_asked(data: Path) -> None:
    free = backtest(data, "--costs", "none", "--release", "never", "--from", "2024-03-27", "--to", "2024-04-02")
    assert (free["metrics"]["commission"], free["metrics"]["fees"], free["setup"]["costs"]) == (0.0, 0.0, "none")
    assert (free["first"], free["last"], free["metrics"]["sessions"]) == ("2024-03-27", "2024-04-02", 4)
    assert free["remarks"] == ["Day-loss trips are not released."]


def test_a_file_says_its_timeframe_by_its_name(data: Path, here: Path) -> None:
    (here / "other_1m.parquet").write_bytes((data / "BBB_1m.parquet").read_bytes())
    ran = asked("backtest", "--data", here, "--symbols", "XYZ", "--file", "XYZ=other_1m.parquet", "--json")
    assert (ran.code, ran.answer["setup"]["timeframe"], ran.answer["bars"]) == (0, "1m", {"XYZ": 450})


def test_without_a_word_of_the_timeframe_bars_are_days(data: Path) -> None:
    assert asked("backtest", "--data", data, "--symbols", "AAA", "--json").answer["bars"] == {"AAA": 9}


def test_a_symbol_without_data_is_left_out_and_named(data: Path) -> None:
    ran = asked(*words(data, "--json", symbols="AAA,NONE"))
    assert ran.answer["left_out"] == {"NONE": "NONE_1m.parquet does not exist"}
    assert ran.err == "left out NONE: NONE_1m.parquet does not exist\n"
    assert ran.answer["setup"]["symbols"] == ["AAA"]


def test_the_page_is_written_and_bears_what_was_tried(data: Path, here: Path) -> None:
    ran = asked(*words(data, "--html", "sheet.html"))
    page = (here / "sheet.html").read_text()
    assert ran.out.endswith("wrote sheet.html\n")
    assert "metronome on AAA, BBB" in page
    assert "by the beat" in page


WRONG: list[tuple[int, tuple[object, ...], str]] = [
    (2, ("--sizing", "full", "--risk", "on"), "--risk on: sizing full has no stops, caps and breakers; say --sizing"
        " risk, or off"),
    (2, ("--risk", "off"), "--risk off: sizing risk is by the stop's distance; say --sizing fixed:N or full as well"),
    (2, ("--param", "every=5,6"), "--param names 2 points: a backtest is of one, sweep tries them all"),
    (2, ("--file", "XYZ=a_1m.parquet"), "--file names XYZ, which --symbols does not"),
    (78, ("--param", "every=0"), "strategy.metronome.every = 0: must be a whole number, 1 to 1_000 (bars)"),
    (78, ("--param", "evry=5"), "strategy.metronome: unknown 'evry'; there are every, keep, risk"),
    (78, ("--param", "every"), "'every' is no parameter: write k=v1,v2,v3 or k=first:last:count, such as fast=10,20,30"
        " or width=1.5:3:7"),
    (78, ("--config", "none.toml"), "none.toml does not exist"),
    (70, ("--html", "no/where.html"), "--html no/where.html: {here}/no is no folder; make it first"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "more", "said"), WRONG, ids=[" ".join(map(str, w[1])) for w in WRONG])
def test_what_is_wrong_is_said_in_one_line(
    data: Path, here: Path, code: int, more: tuple[object, ...], said: str
) -> None:
    assert refused(code, *words(data, *more)) == said.format(here=here)


@pytest.mark.parametrize("sizing", ["half", "fixed:0", "fixed:-1", "fixed:1.5", "fixed", "FULL"])
def test_a_sizing_that_is_none_is_refused(data: Path, sizing: str) -> None:
    said = refused(2, *words(data, "--sizing", sizing))
    assert said.endswith(f"'{sizing}' is not risk, full or fixed:N, N shares, such as fixed:100")


def test_no_data_is_no_input(data: Path, here: Path) -> None:
    said = refused(66, *words(here, "--config", data / "config.toml", symbols="AAA"))
    assert said == f"no usable input in {here}: AAA_1m.parquet does not exist"


def test_a_page_that_cannot_be_written_is_said_after_the_text(data: Path, here: Path) -> None:
    (here / "taken.html").mkdir()
    ran = asked(*words(data, "--html", "taken.html"))
    assert (ran.code, ran.err) == (70, "fluxhero: taken.html cannot be written: Is a directory\n")


def test_a_report_of_no_state_says_so(here: Path) -> None:
    assert refused(70, "report", "--state", here) == f"{here} holds no state: fluxhero.sqlite is not there"


def test_help_and_a_wrong_word_load_no_compiler(here: Path) -> None:
    for cmd in ("backtest", "walk", "sweep", "report", "parity", "replay"):
        script = (
            "import sys; from fluxhero.cli import main\n"
            f"try: main([{cmd!r}, '--help'])\nexcept SystemExit as e: assert e.code == 0\n"
            "print(sorted({m.split('.')[0] for m in sys.modules} & {'numba', 'numpy', 'pyarrow', 'trio'}))"
        )
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert ran.stdout.splitlines()[-1] == "[]"


def test_a_directory_of_its_own_and_nothing_else_is_enough(data: Path, here: Path) -> None:
    command = [sys.executable, "-m", "fluxhero", "backtest", "--data", str(data), "--symbols", "AAA", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=here, env=PLAIN)
    assert Ran(0, ran.stdout, ran.stderr) == asked(*command[3:])
    assert list(here.iterdir()) == []


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGINT is obeyed, though whoever began us in the background had it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_ctrl_c_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._tried(Namespace(), lambda: signal.raise_signal(signal.SIGINT)) == 130
    assert capsys.readouterr() == ("", "fluxhero: interrupted\n")


# -- walk


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three years of days of a walk that goes nowhere."""
    folder = tmp_path_factory.mktemp("year")
    path = days(folder, "AAA", FIRST.replace(year=2017, month=1, day=3), FIRST.replace(year=2019, month=12, day=31))
    table = pq.read_table(path).to_pydict()
    rng = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(table["ts"]))))
    opens = np.concatenate(([100.0], close[:-1]))
    made = {"open": opens, "close": close, "high": np.maximum(opens, close), "low": np.minimum(opens, close)}
    for name, column in made.items():
        table[name] = column.tolist()
    pq.write_table(pq.read_table(path).from_pydict(table), path)
    return folder


def walked(year: Path, *more: object) -> list[str]:
    said = ("walk", "--data", year, "--symbols", "AAA", "--strategy", "metronome", "--param", "every=4,7", *more)
    return [str(word) for word in said]


def test_a_walk_tells_its_windows_its_verdict_and_the_joined_account(year: Path, here: Path) -> None:
    ran = asked(*walked(year, "--json", "--html", "walk.html"))
    answer, text, page = ran.answer, ran.out, (here / "walk.html").read_text()
    n, won = len(answer["windows"]), sum(w["profitable"] for w in answer["windows"])
    assert (ran.code, ran.err, n > 12) == (0, "", True)
    assert (answer["profitable"], answer["passed"]) == (won, won / n > 0.6)
    growth = np.prod([1 + w["test"]["total_return"] for w in answer["windows"]])
    assert answer["metrics"]["total_return"] == pytest.approx(growth - 1, abs=1e-12)
    assert {w["params"]["every"] for w in answer["windows"]} <= {4, 7}
    verdict = f"{won} of {n} tests were profitable, {100 * won / n:.2f} %: "
    assert verdict in text
    assert verdict in page
    assert page.count("<tr") > n
    assert all(f"{w['test_first']} to {w['test_last']}" in page for w in answer["windows"])


def test_buying_and_holding_beside_a_walk_is_of_the_same_sessions(year: Path) -> None:
    answer = asked(*walked(year, "--json")).answer
    first, last = answer["windows"][0]["test_first"], answer["windows"][-1]["test_last"]
    table = pq.read_table(year / "AAA_1d.parquet").to_pydict()
    dates = [str(nyse().new_york_date(ts)) for ts in table["ts"]]
    held = table["close"][dates.index(last)] / table["close"][dates.index(first) - 1] - 1.0
    assert answer["benchmark"]["total_return"] == pytest.approx(held, abs=1e-12)
    assert answer["benchmark"]["sessions"] == answer["metrics"]["sessions"]


@pytest.mark.parametrize(
    ("code", "more", "said"),
    [
        (78, ("--by", "luck"), "objective = 'luck'; it must be one of sharpe, "),
        (78, ("--embargo", "99"), "embargo = 99: a walk takes 0 to 15"),
        (2, ("--scheduler", "tcp://x:1"), "--scheduler tcp://x:1: threads have none; say --engine dask as well"),
        (66, ("--train", "100"), "no usable input in "),
    ],
)
def test_a_walk_that_cannot_be_is_refused(year: Path, code: int, more: tuple[object, ...], said: str) -> None:
    assert refused(code, *walked(year, *more)).startswith(said)


# -- sweep


def swept(data: Path, *more: object) -> list[str]:
    return words(data, "--param", "every=4:13:10", "--param", "keep=2,3", *more, cmd="sweep")


def test_a_sweep_ranks_all_points_and_says_what_the_best_is_worth(data: Path, here: Path) -> None:
    ran = asked(*swept(data, "--json", "--html", "best.html"))
    answer = ran.answer
    assert (ran.code, ran.err, answer["asked"], answer["done"], answer["known"]) == (0, "", 20, 20, 0)
    sharpes = [point["metrics"]["sharpe"] for point in answer["top"]]
    assert sharpes == sorted(sharpes, reverse=True)
    assert answer["metrics"] == answer["top"][0]["metrics"]
    assert f"the best of 20 trials, as good as {answer['skill']['independent']:,.1f} independent ones" in ran.out
    best = answer["top"][0]["params"]
    again = backtest(data, *(word for k, v in best.items() for word in ("--param", f"{k}={v}")))
    assert {k: again["metrics"][k] for k in answer["metrics"]} == answer["metrics"]
    page = (here / "best.html").read_text()
    assert "The best of 20 trials" in page
    assert f"every = {best['every']}, keep = {best['keep']}" in page


def test_a_sweep_keeps_its_rows_here_and_tries_nothing_twice(data: Path, here: Path) -> None:
    first, again = (asked(*swept(data, "--json")) for _ in range(2))
    assert (again.answer["known"], again.answer["done"]) == (20, 20)
    assert again.answer["top"] == first.answer["top"]
    (folder,) = (here / "sweeps").iterdir()
    assert first.answer["folder"] == str(folder.relative_to(here))
    assert sum(pq.read_table(part).num_rows for part in folder.glob("*.parquet")) == 20


def test_random_points_are_the_same_for_the_same_seed(data: Path, here: Path) -> None:
    def top(seed: int) -> Any:
        more = ("--param", "every=4:40", "--random", "5", "--seed", seed, "--out", f"s{seed}", "--json")
        return asked(*words(data, *more, cmd="sweep")).answer["top"]

    assert top(1) == top(1) != top(2)
    assert len(top(1)) == 5


@pytest.mark.usefixtures("heard")
def test_an_interrupted_sweep_keeps_what_is_done_and_goes_on(data: Path, here: Path) -> None:
    many = words(data, "--param", "every=2:1000", "--param", "keep=1:200", "--out", "cut", "--json", cmd="sweep")
    command = [sys.executable, "-m", "fluxhero", *many, "--random", "100000"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=here)
    end = time.monotonic() + PATIENCE
    while not list(here.glob("cut/*/*.parquet")):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(SLICE)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=PATIENCE)
    ran = Ran(process.returncode, out, "")
    kept = sum(pq.read_table(part).num_rows for part in here.glob("cut/*/*.parquet"))
    assert (ran.code, ran.answer["interrupted"], ran.answer["done"]) == (130, True, kept)
    assert f"interrupted: asked again it goes on with the other {100_000 - kept:,}" in out
    some = ("--random", min(kept, 30))
    again = asked(*many, *some).answer
    fresh = asked(*many, *some, "--out", "fresh").answer
    assert again["known"] > 0
    assert (again["top"], again["done"]) == (fresh["top"], fresh["done"])


def test_a_long_walk_and_a_wide_portfolio_are_told_shortened(year: Path) -> None:
    ran = asked(*walked(year, "--train", "1", "--json"), "--test", "1", "--random", "1", "--param", "keep=2:9")
    n = len(ran.answer["windows"])
    assert f"the newest {texts.SHOWN} of {n}\n" in ran.out
    text = ran.out.rpartition("\n{")[0]
    assert sum(f"{w['test_first']} to {w['test_last']}" in text for w in ran.answer["windows"]) == texts.SHOWN
    assert texts.named([f"S{i}" for i in range(14)]) == ", ".join(f"S{i}" for i in range(12)) + " and 2 more"


def test_a_sweep_of_which_nothing_moved_is_no_skill() -> None:
    assert texts.skill(None) == "the best has no Sharpe ratio: nothing moved"
