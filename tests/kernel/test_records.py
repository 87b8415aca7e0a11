"""What keeps compiled code honest: names and dtypes of the records, and the cache under the sources' digest."""

import importlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from fluxhero.config import Config
from fluxhero.kernel import compile as compiler
from fluxhero.kernel import state
from fluxhero.kernel.plug import find, settled
from fluxhero.kernel.strategies import SHIPPED
from fluxhero.section import numbers
from tests.kernel.drive import beside, fresh, rules, thinker, walk

SOURCES = Path(compiler.__file__).parent
FILES = sorted(p.relative_to(SOURCES) for p in SOURCES.rglob("*.py"))
DType = np.dtype[np.void]


def records() -> list[DType]:
    """Every dtype that a kernel module or a strategy holds, and those within."""
    names = [".".join(p.with_suffix("").parts) for p in FILES if p.stem != "__init__"]
    modules = [importlib.import_module(f"fluxhero.kernel.{name}") for name in names]
    held = [d for module in modules for d in vars(module).values() if isinstance(d, np.dtype)]
    made = [d for strategy in map(find, SHIPPED) for d in (state.row(strategy.own), strategy.params)]
    return [within for d in [*held, *made] for within in nested(d)]


def nested(dtype: DType) -> Iterator[DType]:
    """A dtype and those of its fields, of arrays of records too."""
    yield dtype
    for name in dtype.names or ():
        if dtype[name].base.names:
            yield from nested(dtype[name].base)


def test_no_field_is_an_attribute_of_a_numpy_record() -> None:
    """Without the compiler such a field could not be read by name."""
    names = {name for d in records() for name in d.names or ()}
    assert len(names) > 150
    assert names & set(dir(np.void)) == set()


def test_equal_dtypes_are_one_object() -> None:
    """Numba is slower on each one more."""
    seen: dict[DType, set[int]] = {}
    for d in records():
        seen.setdefault(d, set()).add(id(d))
    assert {len(ids) for ids in seen.values()} == {1}


def test_records_have_no_gaps_whose_bytes_nobody_writes() -> None:
    for d in records():
        assert d.itemsize == sum(d[name].itemsize for name in d.names or ()), d


@pytest.mark.parametrize("strategy", SHIPPED)
def test_a_record_that_is_asked_for_again_is_the_same(strategy: str) -> None:
    own = find(strategy).own
    assert state.row(own) is state.row(own)
    assert state.params(own) is state.params(own)


@pytest.mark.parametrize("strategy", ["dual_mode", "metronome", "sma_cross"])
def test_every_parameter_of_a_strategy_is_a_key_of_its_section(strategy: str) -> None:
    own, section = rules(strategy)["own"][0], settled(Config()).strategy.tables[strategy]
    assert {name: own[name].item() for name in own.dtype.names} == numbers(section)


@pytest.mark.nojit
@pytest.mark.parametrize("strategy", SHIPPED)
def test_the_bytes_of_rows_are_all_that_they_are(strategy: str) -> None:
    rows = fresh(strategy, 3)
    assert rows.tobytes() == bytes(rows.nbytes)
    list(thinker(strategy).trade(rows, beside(*(walk(seed, 80) for seed in range(3)))))
    assert rows["market"]["count"].tolist() == [80, 80, 80]
    again = np.frombuffer(rows.tobytes(), rows.dtype)
    assert again.dtype is rows.dtype
    assert again.tobytes() == rows.tobytes()


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
    (copy / "strategies" / "mine.py").write_text("EVERY = 1\n")
    assert compiler.digest(copy) != compiler.DIGEST
