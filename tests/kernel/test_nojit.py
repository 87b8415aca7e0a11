"""The kernel without its compiler: the same sources as plain Python give the same bits.

All tests marked `nojit` hold there as well: NUMBA_DISABLE_JIT=1 pytest -m nojit tests/kernel
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numba

from tests.kernel.twin import digests

ROOT = Path(__file__).parents[2]


def test_plain_python_gives_the_same_bits_as_compiled_code() -> None:
    config: dict[str, int] = vars(numba.config)
    assert not config["DISABLE_JIT"]
    run = [sys.executable, "-m", "tests.kernel.twin"]
    out = subprocess.run(run, cwd=ROOT, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, check=True)
    plain = json.loads(out.stdout)
    assert plain == digests()
    assert len(set(plain.values())) == len(plain) > 15
