"""`fluxhero config`: what is shown is a file that means the same, and says what each key is."""

import argparse
import json
import tomllib
from pathlib import Path

import pytest

from fluxhero.config import Config, describe, parse
from fluxhero.operate.configure import arguments, run, table, toml

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


def configure(*words: object) -> int:
    parser = argparse.ArgumentParser()
    arguments(parser)
    return run(parser.parse_args([str(word) for word in words]))


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
    assert parse(capsys.readouterr().out) == parse(MINE) != Config()


def test_the_default_is_said_where_the_value_is_another() -> None:
    lines = set(toml(parse(MINE)).splitlines()) - set(toml(Config()).splitlines())
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
    metronome = toml(parse("[strategy.metronome]\nrisk = 1")).partition("[strategy.metronome]\n")[2]
    assert metronome.partition("\n\n")[0].splitlines() == [
        "every = 15  # bars             1 to 1_000  from entry to entry",
        "keep = 10   # bars             1 to 1_000  that a position is kept",
        "risk = 1.0  # share of equity  > 0, <= 1   risked by a trade (default 0.01)",
    ]


def test_the_head_names_the_sections_that_cannot_change_a_trade() -> None:
    others = dict.fromkeys(f"[{key.section}]" for key in describe() if not key.trading)
    assert f"All but {' and '.join(others)} can change a trade" in toml(Config())


def test_as_json_it_is_one_object_of_sections_of_keys(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert configure("show", "--json", "--config", mine) == 0
    out, err = capsys.readouterr()
    (line,) = out.splitlines()
    shown = json.loads(line)
    assert [(s, k) for s, keys in shown.items() for k in keys] == [(key.section, key.name) for key in describe()]
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
    assert capsys.readouterr() == (f"{mine} is good: 7 keys set, trading hash {parse(MINE).hash()}\n", "")


def test_without_a_file_the_defaults_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert configure("check") == 0
    says = "built-in configuration is good: 0 keys set, trading hash abff06affb7b740e\n"
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
        "| `risk.position_cap` | `0.2` | share of equity | > 0, <= 1 | the most in one position |",
    ]
    assert [line.split("`")[1] for line in lines[2:]] == [key.path for key in describe()]
    assert {line.count("|") for line in lines} == {6}


def test_every_value_is_spelled_so_that_toml_reads_it_back() -> None:
    said = tomllib.loads(toml(parse(MINE)))
    assert (said["risk"]["soft_drawdown"], said["paper"]["cash"], said["market"]["speed"]) == (1e-5, 1e12, 0.0)
    assert {type(said[s][k]) for s, k in (("paper", "cash"), ("market", "speed"))} == {float}
