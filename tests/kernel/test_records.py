"""What keeps compiled code honest: names and dtypes of the records, and the cache under the sources' digest."""

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numba
import numpy as np
import pytest

from fluxhero.config import Config, StrategyName
from fluxhero.kernel import compile as compiler
from fluxhero.kernel import dual_mode, metronome, state
from fluxhero.kernel.state import Array
from tests.kernel.drive import fresh, rules

SOURCES = Path(compiler.__file__).parent
FILES = sorted(p.relative_to(SOURCES) for p in SOURCES.rglob("*.py"))
DType = np.dtype[np.void]


def records() -> list[DType]:
    """Every dtype that a kernel module or its users hold, and those within."""
    modules = [importlib.import_module(f"fluxhero.kernel.{p.stem}") for p in FILES if p.stem != "__init__"]
    held = [d for module in modules for d in vars(module).values() if isinstance(d, np.dtype)]
    made: list[Array] = [f(s) for f in (fresh, rules) for s in ("dual_mode", "metronome")]
    return [within for d in [*held, *(a.dtype for a in made)] for within in nested(d)]


def nested(dtype: DType) -> Iterator[DType]:
    yield dtype
    for name in dtype.names or ():
        if dtype[name].names:
            yield from nested(dtype[name])


def test_no_field_is_an_attribute_of_a_numpy_record() -> None:
    """Without the compiler such a field could not be read by name."""
    names = {name for d in records() for name in d.names or ()}
    assert len(names) > 80
    assert names & set(dir(np.void)) == set()


def test_equal_dtypes_are_one_object() -> None:
    """Numba is slower on each one more."""
    seen: dict[DType, set[int]] = {}
    for d in records():
        seen.setdefault(d, set()).add(id(d))
    assert {len(ids) for ids in seen.values()} == {1}


@pytest.mark.parametrize("strategy", [dual_mode, metronome])
def test_a_record_that_is_asked_for_again_is_the_same(strategy: ModuleType) -> None:
    assert state.row(strategy.OWN) is state.row(strategy.OWN)
    assert state.params(strategy.OWN) is state.params(strategy.OWN)


@pytest.mark.parametrize("strategy", ["dual_mode", "metronome"])
def test_every_parameter_of_a_strategy_is_a_key_of_its_section(strategy: StrategyName) -> None:
    own, section = rules(strategy)["own"][0], getattr(Config().strategy, strategy)
    assert {name: own[name].item() for name in own.dtype.names} == msgspec.structs.asdict(section)


def test_records_are_snapshots() -> None:
    rows = fresh(symbols=3)
    rows["market"]["count"] = [1, 2, 3]
    again = np.frombuffer(rows.tobytes(), rows.dtype)
    assert again.dtype is rows.dtype
    assert again["market"]["count"].tolist() == [1, 2, 3]


# -- the cache


def test_the_cache_lives_under_the_digest_of_the_sources() -> None:
    config: Any = numba.config
    assert Path(config.CACHE_DIR).name == compiler.DIGEST == compiler.digest()
    assert len(compiler.DIGEST) == 12


def test_a_copy_has_the_same_digest(tmp_path: Path) -> None:
    copy = shutil.copytree(SOURCES, tmp_path / "kernel", ignore=shutil.ignore_patterns("__pycache__"))
    assert compiler.digest(copy) == compiler.DIGEST


@pytest.mark.parametrize("name", [str(f) for f in FILES])
def test_the_digest_changes_with_every_file(tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(SOURCES, tmp_path / "kernel", ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / name).open("a") as f:
        f.write("\n")
    assert compiler.digest(copy) != compiler.DIGEST


def test_a_new_strategy_changes_the_digest(tmp_path: Path) -> None:
    copy = shutil.copytree(SOURCES, tmp_path / "kernel", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "strategies").mkdir()
    (copy / "strategies" / "mine.py").write_text("EVERY = 1\n")
    assert compiler.digest(copy) != compiler.DIGEST
