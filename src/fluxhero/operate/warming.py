"""`fluxhero warm`: all that is ever compiled goes into the cache, compiled by two processes at once."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fluxhero.kernel.compile import CACHE, CACHED
from fluxhero.kernel.every import EVERY, warm_public
from fluxhero.kernel.plug import find, loaded
from fluxhero.kernel.strategies import SHIPPED
from fluxhero.kernel.warm import compiled, warm
from fluxhero.section import ConfigError


def run(config: Path | None, half: int | None) -> None:
    """For the strategies that ship and the configured one. `half`: this process is the other's helper."""
    if not CACHED:
        raise ConfigError(f"{CACHE} cannot be written; say with NUMBA_CACHE_DIR where the cache may be")
    began, jobs = time.monotonic(), _jobs(config)
    if half is not None:
        _do(jobs, half)
        print(compiled()[1])
        return
    made = _both(jobs, config)
    print(f"warm: {sum(compiled())} kernel functions, {made} of them compiled now, {time.monotonic() - began:.1f} s")


def _jobs(config: Path | None) -> list[Callable[[], None]]:
    names = dict.fromkeys((*SHIPPED, loaded(config).strategy.name))
    return [*(partial(warm, find(name), EVERY) for name in names), warm_public]


def _do(jobs: list[Callable[[], None]], half: int) -> None:
    """0 is the first, fourth, fifth ... of them, for the first two cost most."""
    for i, job in enumerate(jobs):
        if (i + 1) // 2 % 2 == half:
            job()


def _both(jobs: list[Callable[[], None]], config: Path | None) -> int:
    """How many were compiled. What the other process has made is then loaded, or made here if it failed."""
    flags = ["-I"] if sys.flags.isolated else []
    file = ["--config", str(config)] if config else []
    command = [sys.executable, *flags, "-m", "fluxhero", "warm", "--half", "1", *file]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        _do(jobs, 0)
        said = other.communicate()[0].strip()
    _do(jobs, 1)
    return compiled()[1] + (int(said) if said.isdigit() else 0)
