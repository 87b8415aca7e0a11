"""`fluxhero config`: what is shown is a file that means the same, and says what each key is."""

import json
import tomllib
from pathlib import Path

import pytest

from fluxhero.cli import main
from fluxhero.config import TRADING, Config, keys, parse
from fluxhero.kernel.plug import settled
from fluxhero.operate.configure import table, toml

DEFAULT = settled(Config())
COMMITTED = Path(__file__).parents[1] / "config.toml"

MINE = """
[risk]
slots = 3
soft_drawdown = 1e-5

[paper]
cash = 1e12

[strategy]
name = "metronome"

[market]
symbols = ["BRK.B"]
first = "2001-02-03"
speed = 0
"""


OWN = """
from typing import Annotated, Literal
from fluxhero.kernel.compile import step
from fluxhero.section import Count, Section, key

class Params(Section, frozen=True, kw_only=True):
    way: Annotated[Literal["up", "down"], key("way", "to go")] = "up"
    often: Annotated[Count, key("bars", "between two")] = 5
    loud: Annotated[bool, key("flag", "to say so")] = False

@step
def decide(row, bar, p, stop_atr):
    pass
"""


def configure(*words: object) -> int:
    return main(["config", *map(str, words)])


def said(text: str) -> Config:
    return settled(parse(text))


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(MINE)
    return path


def test_the_committed_file_is_what_is_shown_of_the_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert configure("show") == 0
    assert capsys.readouterr() == (COMMITTED.read_text(encoding="utf-8"), "")
    assert configure("show", "--config", COMMITTED) == 0
    assert capsys.readouterr() == (COMMITTED.read_text(encoding="utf-8"), "")


def test_what_is_shown_means_the_same(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert configure("show", "--config", mine) == 0
    assert said(capsys.readouterr().out) == said(MINE) != DEFAULT


def test_the_default_is_said_where_the_value_is_another() -> None:
    lines = set(toml(said(MINE)).splitlines()) - set(toml(DEFAULT).splitlines())
    differing = {line.split(" = ")[0]: line.rpartition(" (default ")[2] for line in lines if "(default" in line}
    assert differing == {
        "slots": "5)",
        "soft_drawdown": "0.15)",
        "cash": "100000.0)",
        "name": '"dual_mode")',
        "symbols": '["ALFA", "BRAVO", "DELTA"])',
        "first": '"2000-01-03")',
        "speed": "60.0)",
    }


def test_a_line_is_value_unit_range_and_meaning_in_columns() -> None:
    metronome = toml(said("[strategy.metronome]\nrisk = 1")).partition("[strategy.metronome]\n")[2]
    assert metronome.partition("\n\n")[0].splitlines() == [
        "every = 15  # bars             1 to 1_000  from entry to entry",
        "keep = 10   # bars             1 to 1_000  that a position is kept",
        "risk = 1.0  # share of equity  > 0, <= 1   risked by a trade (default 0.01)",
    ]


def test_the_head_names_the_sections_that_cannot_change_a_trade() -> None:
    tables = dict.fromkeys(key.section.split(".")[0] for key, _ in keys(DEFAULT) if key.section)
    others = [f"[{name}]" for name in tables if name not in TRADING]
    assert f"All but {' and '.join(others)} can change a trade" in toml(DEFAULT)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A configuration with a strategy of its own beside it."""
    (tmp_path / "mine.py").write_text(OWN)
    path = tmp_path / "my.toml"
    path.write_text('[strategy]\nname = "mine.py"\n[strategy.mine]\noften = 7\n[strategy.metronome]\nkeep = 3\n')
    return path


def test_the_table_of_an_own_strategy_is_shown_and_so_are_those_that_ship(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert configure("show", "--config", own) == 0
    out, err = capsys.readouterr()
    assert (said(out), err) == (settled(parse(own.read_text(), folder=own.parent)), "")
    assert out.partition("[strategy.mine]\n")[2].partition("\n\n")[0].splitlines() == [
        'way = "up"    # way   up or down     to go',
        "often = 7     # bars  1 to 1_000     between two (default 5)",
        "loud = false  # flag  true or false  to say so",
    ]
    tables = [line for line in out.splitlines() if line.startswith("[strategy")]
    names = ["dual_mode", "metronome", "sma_cross", "mine"]
    assert tables == ["[strategy]", *(f"[strategy.{name}]" for name in names)]
    assert f'name = "{own.parent / "mine.py"}"' in out


def test_what_it_says_of_an_own_strategy_is_checked(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert configure("check", "--config", own) == 0
    assert capsys.readouterr().out.startswith(f"{own} is good: 3 keys set, trading hash ")
    for wrong, says in {
        "often = 0": "strategy.mine.often = 0: must be a whole number, 1 to 1_000 (bars)",
        'way = "left"': "strategy.mine.way = 'left': must be text, up or down (way)",
        "loud = 1": "strategy.mine.loud = 1: must be a flag, true or false (flag)",
        "offen = 1": "strategy.mine: unknown 'offen'; there are way, often, loud",
    }.items():
        own.write_text(f'[strategy]\nname = "mine.py"\n[strategy.mine]\n{wrong}\n')
        assert configure("check", "--config", own) == 78
        assert capsys.readouterr() == ("", f"fluxhero: {own}: {says}\n")


def test_the_table_of_an_own_strategy_that_does_not_decide_is_unknown(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own.write_text("[strategy.mine]\noften = 7\n")
    assert configure("check", "--config", own) == 78
    assert f"{own}: strategy: unknown 'mine'; there are name, [strategy.dual_mode], " in capsys.readouterr().err


def test_as_json_it_is_one_object_of_sections_of_keys(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert configure("show", "--json", "--config", mine) == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    shown = json.loads(line)
    assert [(s, k) for s, of_it in shown.items() for k in of_it] == [(k.section, k.name) for k, _ in keys(DEFAULT)]
    assert (shown["risk"]["slots"], shown["market"]["symbols"], err) == (
        {"value": 3, "default": 5, "unit": "positions", "range": "1 to 1_000", "meaning": "the most at one time"},
        {
            "value": ["BRK.B"], "default": ["ALFA", "BRAVO", "DELTA"], "unit": "symbols",
            "range": '1 to 32 like "BRK.B", none twice', "meaning": "of the synthetic market",
        },
        "",
    )  # fmt: skip


def test_a_good_file_is_one_line_and_exit_0(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert configure("check", "--config", mine) == 0
    assert capsys.readouterr() == (f"{mine} is good: 7 keys set, trading hash {said(MINE).hash()}\n", "")


def test_without_a_file_the_defaults_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert configure("check") == 0
    says = f"built-in configuration is good: 0 keys set, trading hash {DEFAULT.hash()}\n"
    assert capsys.readouterr() == (says, "")


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_bad_file_is_one_line_and_exit_78(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "my.toml"
    path.write_text("[metrics]\nport = -1\n")
    assert configure(command, "--config", path) == 78
    says = f"fluxhero: {path}: metrics.port = -1: must be a whole number, 0 to 65_535 (TCP port)\n"
    assert capsys.readouterr() == ("", says)


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_file_that_is_not_there_is_one_line_and_exit_78(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert configure(command, "--config", tmp_path / "none.toml") == 78
    assert capsys.readouterr() == ("", f"fluxhero: {tmp_path / 'none.toml'} does not exist\n")


def test_the_table_has_a_row_for_every_key() -> None:
    lines = table().splitlines()
    assert lines[:3] == [
        "| key | default | unit | range | meaning |",
        "|---|---|---|---|---|",
        '| `profile` | `"default"` | profile | default or original'
        " | original: its values where they differ and nothing is said |",
    ]
    assert [line.split("`")[1] for line in lines[2:]] == [key.path for key, _ in keys(DEFAULT)]
    assert {line.count("|") for line in lines} == {6}


def test_every_value_is_spelled_so_that_toml_reads_it_back() -> None:
    read = tomllib.loads(toml(said(MINE)))
    assert (read["risk"]["soft_drawdown"], read["paper"]["cash"], read["market"]["speed"]) == (1e-5, 1e12, 0.0)
    assert {type(read[s][k]) for s, k in (("paper", "cash"), ("market", "speed"))} == {float}
