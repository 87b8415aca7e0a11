"""Every mistake in the limits that has a name is seen by a test, and what is no mistake by none."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.dev.named import NAMED, ROOT, UNCHANGED


@pytest.mark.parametrize("of", NAMED)
def test_every_mistake_that_has_a_name_is_seen(of: str) -> None:
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    ran = subprocess.run(
        [sys.executable, "-m", "tests.dev.named", of], cwd=ROOT, env=os.environ | NAMED[of].env | {"PYTHONPATH": path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1]) == [UNCHANGED]
