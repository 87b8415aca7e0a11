"""Do the tests see it when the code is wrong? python -m tests.dev.mutate desk

Every mutant that no test sees must stand in survivors.toml with the reason why none can, and nothing else may. It
works on a copy: the tree itself is not touched.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.dev.forked import judge
from tests.dev.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
REASONS = Path(__file__).with_name("survivors.toml")
COPIED = ("src", "tests", "pyproject.toml", "config.toml", "README.md", "systemd")
LEAST = 0.9  # of the mutants must be seen


class Target(msgspec.Struct, frozen=True, kw_only=True):
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    besides: str = ""  # tests that are too slow for thousands of runs, as pytest's -k has it
    warm: tuple[str, ...] = ()  # imported once for all; none of them imports one of `modules`
    env: dict[str, str] = {}


TARGETS = {
    "desk": Target(
        modules=tuple(
            f"fluxhero.core.{name}"
            for name in ("orders", "reconcile", "audit", "blotter", "lives", "differences", "drifts")
        ),
        tests=tuple(
            f"tests/core/test_{name}.py"
            for name in (
                "orders", "chase", "naked", "unknown", "audit", "reconcile", "drifts", "states", "rate", "short_orders",
            )
        ),
        besides="died or durable_but_not_sent or venues or mirrored or death or after_any_word",
        warm=(
            "fluxhero.kernel.arrays", "fluxhero.kernel.strategies.metronome", "fluxhero.core.risk",
            "fluxhero.store.schema", "fluxhero.exchange.quotes", "fluxhero.brokers.paper", "fluxhero.feeds.replay",
            "hypothesis.stateful", "trio",
        ),
    ),
    "risk": Target(
        modules=tuple(
            f"fluxhero.core.{name}"
            for name in ("risk", "gate", "watch", "terms", "silence", "trips", "ladder", "marks", "rate")
        ),
        tests=tuple(
            f"tests/core/test_{name}.py"
            for name in (
                "risk", "commands", "rate", "shorts", "company", "months", "spreads", "caps", "trips", "silence",
                "bases", "ladder_rules", "former",
            )
        ),
        warm=(
            "fluxhero.kernel.arrays", "fluxhero.kernel.strategies.metronome", "fluxhero.store.schema",
            "fluxhero.core.journal", "fluxhero.core.calendar", "trio",
        ),
    ),
    "gates": Target(
        modules=("fluxhero.kernel.risk", "fluxhero.kernel.gates"),
        tests=tuple(
            f"tests/kernel/test_{name}.py"
            for name in ("gates", "noise", "sizing", "watch", "company", "weights", "caps")
        ),
        warm=("fluxhero.kernel.arrays", "fluxhero.kernel.correlation", "fluxhero.kernel.rows", "fluxhero.messages"),
        env={"NUMBA_DISABLE_JIT": "1"},  # which a mutant would have to be compiled for
    ),
}  # fmt: skip

Key = tuple[str, str, str]  # where, what it was, what it is now


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.dev.mutate", description=__doc__)
    parser.add_argument("target", choices=[*TARGETS])
    parser.add_argument("--only", nargs="+", default=[""], metavar="WHERE", help="as fluxhero.core.orders.Desk._look")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.inside:
        return _judged(TARGETS[args.target], tuple(args.only), args.inside)
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        return _copied(Path(name), args.target, args.only)


def _copied(folder: Path, target: str, only: Sequence[str]) -> int:
    for name in COPIED:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, folder / name)
    env = os.environ | TARGETS[target].env | {"PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder}"}
    run = [sys.executable, "-m", "tests.dev.mutate", target, f"--inside={folder / 'notes'}", "--only", *only]
    return subprocess.run(run, cwd=folder, env=env, check=False).returncode


def _judged(target: Target, only: tuple[str, ...], notes: Path) -> int:
    began = time.monotonic()
    names = [name for name in target.modules if name.startswith(only) or any(where.startswith(name) for where in only)]
    found = [m for name in names for m in mutants(name, _source(name)) if m.name.startswith(only)]
    for name in target.warm:
        importlib.import_module(name)
    tests = [*target.tests, "-k", f"not ({target.besides})"] if target.besides else [*target.tests]
    survivors = [found[n] for n in judge(tests, found, notes)]
    known = {key: why for key, why in reasons().items() if key[0].startswith(only) and _within(key[0], target)}
    print(f"\r{table(found, survivors)}\n{time.monotonic() - began:.0f} s\n")
    return _verdict(found, survivors, known)


def _source(module: str) -> str:
    return (ROOT / "src" / Path(*module.split("."))).with_suffix(".py").read_text()


def _within(where: str, target: Target) -> bool:
    return any(where == name or where.startswith(f"{name}.") for name in target.modules)


# -- what comes of it


def reasons() -> dict[Key, str]:
    """Why no test can see them."""
    groups = tomllib.loads(REASONS.read_text())["survivors"]
    return {(where, was, now): group["reason"] for group in groups for where, was, now in group["mutants"]}


def key(m: Mutant) -> Key:
    """It stays the same when lines are added above it."""
    was, now = (text.partition("  # ")[0] for text in (m.was, m.now))
    return m.name, was, now


def lines(module: str) -> str:
    """Its code as the keys have it."""
    return " ".join(line.strip().partition("  # ")[0] for line in _source(module).splitlines())


def table(found: Sequence[Mutant], survivors: Sequence[Mutant]) -> str:
    """By module."""
    made, left = (Counter(m.module for m in some) for some in (found, survivors))
    rows = [(name, made[name], left[name]) for name in made]
    rows.append(("all", len(found), len(survivors)))
    return "\n".join(f"{n:>5} mutants, {s:>4} survive, {1 - s / n:7.2%} seen: {name}" for name, n, s in rows)


def _verdict(found: Sequence[Mutant], survivors: Sequence[Mutant], known: dict[Key, str]) -> int:
    left = {key(m): m for m in survivors}
    odd = [m for k, m in left.items() if k not in known]
    stale = [k for k in known if k not in left]
    for m in odd:
        print(f"no test sees line {m.line}\n  {json.dumps(key(m), ensure_ascii=False)},")
    for k in stale:
        print(f"is seen by now, or is no more: take it out of {REASONS.name}\n  {json.dumps(k, ensure_ascii=False)},")
    for why, n in Counter(known[k] for k in left if k in known).items():
        print(f"{n:>4} {why}")
    return int(bool(odd or stale) or len(survivors) > (1 - LEAST) * len(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
