"""Real processes that kill themselves before an effect, at drawn ones; FLUXHERO_POINTS=all: at every one."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.crash.points import Died

ALL, SEED = os.environ.get("FLUXHERO_POINTS") == "all", os.environ.get("FLUXHERO_SEED", "0")
EACH = 15  # of each model
PATIENCE = None if ALL else 600.0  # s; a bound, not a measure


def test_a_process_that_is_killed_before_any_effect_leaves_what_another_finishes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.crash.points", str(tmp_path), "0" if ALL else str(EACH), SEED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-2000:]
    every = [msgspec.json.decode(line, type=Died) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one for one in every if one.wrong or not one.effects] == []
    assert len(every) >= 2 * EACH
    assert len({effect for one in every for effect in one.effects}) >= 8
