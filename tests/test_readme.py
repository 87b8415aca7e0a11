"""What the README says is what the program does."""

import re
import shlex
from pathlib import Path

import pytest

from fluxhero import cli
from fluxhero.config import Config
from fluxhero.kernel.plug import settled
from fluxhero.kernel.strategies.dual_mode import Params
from fluxhero.operate import exits
from tests.dev.make_readme import rendered

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", TEXT, re.S) for line in block.splitlines() if line]


def test_it_shows_how_to_start_replay_ask_test_and_install() -> None:
    programs = {"python3.11", "uv", ".venv/bin/fluxhero", "sudo", "journalctl"}
    assert {shlex.split(line)[0] for line in COMMANDS} == programs
    assert sum(line.endswith("fluxhero run") for line in COMMANDS) == 2
    assert sum(line.endswith("/pytest") for line in COMMANDS) == 2


@pytest.mark.parametrize("line", [c for c in COMMANDS if "/fluxhero " in c])
def test_every_fluxhero_command_parses(line: str) -> None:
    words = shlex.split(line[line.rindex("bin/fluxhero ") :])
    cli._parser().parse_args(words[1:])


def test_the_test_command_is_the_one_that_ci_runs() -> None:
    (line,) = (c for c in COMMANDS if c.startswith("python3.11") and c.endswith("/pytest"))
    steps = [step.split(" ", 1)[-1] for step in line.split(" && ")]
    ci = (ROOT / ".ci" / "run").read_text()
    assert steps[0] == "-m venv .venv"
    for step in steps[1:3]:
        assert step.removeprefix("install ") in ci
    assert "\n.venv/bin/pytest\n" in ci


def test_the_exit_codes_are_the_programs() -> None:
    said = re.search(r"Exit codes: (.*?)\.\n", TEXT, re.S)
    assert said
    codes = {int(code) for code in re.findall(r"\b(\d+) ", said[1])}
    assert codes == {v for k, v in vars(exits).items() if k.isupper()}


def test_the_limits_are_the_defaults() -> None:
    c = settled(Config())
    own = c.strategy.params
    assert isinstance(own, Params)
    share = [c.risk.position_cap, c.risk.deployed_cap, c.risk.day_loss, c.risk.soft_drawdown, c.risk.hard_drawdown]
    assert [f"{s:.0%}".replace("%", " %") for s in share] == ["20 %", "50 %", "3 %", "15 %", "20 %"]
    assert (own.trend_risk, own.mean_risk, c.risk.slots) == (0.01, 0.0075, 5)
    assert "| position, deployed, positions | 20 %, 50 %, 5 |" in TEXT
    assert "| risk per trade | 1 %, 0.75 % in mean reversion |" in TEXT


def test_the_tables_are_made_from_the_code() -> None:
    assert rendered(TEXT) == TEXT, "run: python tests/dev/make_readme.py"


def test_paths_named_in_it_exist() -> None:
    for path in re.findall(r"`((?:src|core|kernel|exchange|actors)/[\w/.]*)`", TEXT):
        assert (ROOT / path).exists() or (ROOT / "src" / "fluxhero" / path).exists(), path
