"""The cache across processes: what is there is never compiled again, and what was edited is never served stale."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fluxhero.kernel import compile as compiler
from fluxhero.kernel.cache import tidy
from fluxhero.kernel.plug import find
from fluxhero.kernel.strategies import SHIPPED

SRC = Path(compiler.__file__).parents[2]
DAY = 86_400.0

OWN = """
from msgspec import Meta
from fluxhero.kernel.compile import step
from fluxhero.kernel.state import ints, record
import levels
from levels import twice

HIGH = 5
OWN = record(*ints("said"))

@step
def decide(row, bar, p, stop_atr):
    row.own.said = twice(HIGH) + levels.LOW
"""
LEVELS = """
from fluxhero.kernel.compile import step

LOW = 1
BY = 2

@step
def twice(x):
    return x * BY
"""

# `decide` of each strategy that is named, in an entry of its own: far less to compile than all of `think`.
PROBE = """
import json, sys
import numpy as np
from fluxhero.kernel.compile import bind, entry
from fluxhero.kernel.plug import find
from fluxhero.kernel.state import BAR, row
from fluxhero.kernel.warm import compiled

def decided(rows, bars, p):
    decide(rows[0], bars[0], p[0], 2.5)

said = []
for name in sys.argv[1:]:
    s = find(name)
    rows = np.zeros(1, row(s.own))
    bind(decided, s.bound, entry, decide=s.module.decide)(rows, np.zeros(1, BAR), np.zeros(1, s.params))
    said.append(int(rows["own"]["said"][0]))
print(json.dumps([said, *compiled()]))
"""

WARMED = """
import json, sys
from fluxhero.kernel.compile import ENTRIES
from fluxhero.kernel.every import EVERY, warm_public
from fluxhero.kernel.plug import find
from fluxhero.kernel.warm import compiled, warm

for name in sys.argv[1:]:
    warm(find(name), EVERY)
warm_public()
print(json.dumps([[e.__name__ for e in ENTRIES if not e.signatures], *compiled()]))
"""


class Place:
    """A folder with a cache and scripts, and processes that use them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.cache = folder, folder / "cache"
        for name, text in {"mine.py": OWN, "levels.py": LEVELS, "probe.py": PROBE, "warmed.py": WARMED}.items():
            (folder / name).write_text(text)
        (folder / "my.toml").write_text('[strategy]\nname = "mine.py"\n')

    def start(self, *words: object, source: Path = SRC) -> subprocess.Popen[str]:
        path = f"{source}{os.pathsep}{self.folder}"
        env = {"NUMBA_CACHE_DIR": str(self.cache), "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        pipe = subprocess.PIPE
        command = [sys.executable, *map(str, words)]
        return subprocess.Popen(
            command, cwd=self.folder, env={**os.environ, **env}, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, *words: object, source: Path = SRC) -> str:
        process = self.start(*words, source=source)
        out, err = process.communicate()
        assert process.returncode == 0, err
        return out

    def said(self, *words: object, source: Path = SRC) -> Any:
        return json.loads(self.run(*words, source=source))

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# -- what is there


def test_after_warm_nothing_is_compiled_any_more_for_any_strategy(place: Place) -> None:
    """In the cache of all tests, so that what is compiled here is compiled for all."""
    place.cache = compiler.CACHE.parent
    place.run("-m", "fluxhero", "warm", "--config", "my.toml")
    without, loaded, made = place.said("warmed.py", *SHIPPED, "mine.py")
    assert (without, made, loaded > 40) == ([], 0, True)
    said = place.run("-m", "fluxhero", "warm", "--config", "my.toml")
    assert said.startswith(f"warm: {loaded} kernel functions, 0 of them compiled now, ")


def test_a_second_process_compiles_neither_a_file_nor_an_entry_point(place: Place) -> None:
    shutil.copy(place.folder / "mine.py", place.folder / "theirs.py")
    (place.folder / "theirs-1.0.dist-info").mkdir()
    (place.folder / "theirs-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n"
    )
    (place.folder / "theirs-1.0.dist-info" / "entry_points.txt").write_text("[fluxhero.strategies]\ntheirs = theirs\n")
    assert place.said("probe.py", "mine.py", "theirs") == [[11, 11], 0, 2]
    assert place.said("probe.py", "theirs", "mine.py") == [[11, 11], 2, 0]


def test_processes_that_compile_at_once_do_not_take_each_others_place(place: Place) -> None:
    """One function, another signature in each process."""
    (place.folder / "many.py").write_text(
        "import json, sys\nimport numpy as np\nfrom fluxhero.kernel.compile import entry\n"
        "from fluxhero.kernel.warm import compiled\n\n"
        "@entry\ndef total(a):\n    return a.sum()\n\n"
        "kinds = [np.int64, np.float64, np.int32, np.float32]\n"
        "said = [float(total(np.arange(4).astype(kinds[int(n)]))) for n in sys.argv[1:]]\n"
        "print(json.dumps([said, *compiled()]))\n"
    )
    at_once = [place.start("many.py", n) for n in range(4)]
    assert [process.wait() for process in at_once] == [0] * 4
    for process in at_once:
        process.communicate()
    assert place.said("many.py", *range(4)) == [[6.0] * 4, 4, 0]


# -- what was edited


def test_an_own_strategy_that_was_edited_is_compiled_and_one_that_was_edited_back_is_not(place: Place) -> None:
    assert place.said("probe.py", "mine.py") == [[11], 0, 1]
    place.edit("levels.py", "BY = 2", "BY = 3")
    assert place.said("probe.py", "mine.py") == [[16], 0, 1]
    place.edit("levels.py", "BY = 3", "BY = 2")
    assert place.said("probe.py", "mine.py") == [[11], 1, 0]


def test_a_kernel_that_was_edited_is_compiled(place: Place) -> None:
    """`micros`, which lies in another file than the entry that is cached."""
    copy = shutil.copytree(SRC, place.folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (place.folder / "fee.py").write_text(
        "from fluxhero.kernel.fills import borrow_fee\nfrom fluxhero.kernel.warm import compiled\n"
        "print([borrow_fee(252_000_000, 1000, 0.003), *compiled()])\n"
    )
    assert place.said("fee.py", source=copy) == [3_000_000, 0, 1]
    money = copy / "fluxhero" / "kernel" / "money.py"
    text = money.read_text()
    money.write_text(text.replace("+ 0.5", "+ 1000.5"))
    assert place.said("fee.py", source=copy) == [4_000_000, 0, 1]
    money.write_text(text)
    assert place.said("fee.py", source=copy) == [3_000_000, 1, 0]


EDITS = {
    "a constant of its own": ("mine.py", "HIGH = 5", "HIGH = 6"),
    "its rule": ("mine.py", "+ levels.LOW", "- levels.LOW"),
    "another file's constant": ("levels.py", "BY = 2", "BY = 3"),
    "another file's constant, by the module's name": ("levels.py", "LOW = 1", "LOW = 2"),
    "another file's rule": ("levels.py", "x * BY", "x + BY"),
    "how another file's rule is compiled": ("levels.py", "import step", "import rare as step"),
    "when it is first asked": ("mine.py", "OWN =", "MATURE = 3\nOWN ="),
    "that it remembers": ("mine.py", "HIGH = 5", "HIGH = 5\n\n@step\ndef remember(row, bar, p):\n    pass\n"),
}


@pytest.mark.nojit
@pytest.mark.parametrize("name", EDITS)
def test_every_edit_gives_an_own_strategy_another_name_in_the_cache(name: str, place: Place) -> None:
    first, again = bound(place.folder), bound(place.folder)
    place.edit(*EDITS[name])
    assert bound(place.folder) != first == again


VALUES = ("len(TEXT)", "float(TEXT)", "(1, (TEXT, 2))", "np.full(3, len(TEXT))", "np.float32(TEXT)", "Way(len(TEXT))")


@pytest.mark.nojit
@pytest.mark.parametrize("value", VALUES)
def test_a_constant_is_known_by_its_value_wherever_that_is_from(value: str, place: Place) -> None:
    made = "import numpy as np\nfrom enum import Enum\nfrom pathlib import Path\nWay = Enum('Way', 'N E S')\n"
    made += f"TEXT = Path(__file__).with_name('text').read_text()\nHIGH = {value}\n"
    place.edit("mine.py", "HIGH = 5", made)
    names = []
    for text in ("1", "02", "1"):
        (place.folder / "text").write_text(text)
        names.append(bound(place.folder))
    assert names[0] == names[2] != names[1]


def bound(folder: Path) -> str:
    """As a new process would have it."""
    find.cache_clear()
    sys.modules.pop("levels", None)
    shutil.rmtree(folder / "__pycache__", ignore_errors=True)
    try:
        return find("mine.py", folder).bound
    finally:
        find.cache_clear()
        sys.modules.pop("levels", None)


# -- where it is, and how large


def test_without_a_place_for_the_cache_all_is_compiled_and_nothing_is_kept_elsewhere(place: Place) -> None:
    place.cache.write_text("a file")
    assert place.said("probe.py", "mine.py") == [[11], 0, 1]
    process = place.start("-m", "fluxhero", "warm")
    says = f"{place.cache / compiler.DIGEST} cannot be written; say with NUMBA_CACHE_DIR where the cache may be"
    assert process.communicate() == ("", f"fluxhero: {says}\n")
    assert process.returncode == 78
    assert not [*place.folder.rglob("*.nb?"), *SRC.rglob("*.nb?")]


def kernel(root: Path, name: str, age: float) -> Path:
    """One that was last used by a strategy so many days ago, and by another a year before."""
    folder = root / name
    folder.mkdir()
    (folder / "think.nbi").touch()
    for mark, more in (("dual_mode.used", 0.0), ("metronome.used", 365.0)):
        (folder / mark).touch()
        aged(folder / mark, age + more)
    return folder


def aged(path: Path, days: float) -> None:
    then = path.stat().st_mtime - days * DAY
    os.utime(path, (then, then))


@pytest.mark.nojit
def test_kernels_that_nobody_has_used_for_a_week_go_but_for_the_newest_few(tmp_path: Path) -> None:
    digits = "0123456789ab"
    for n, age in enumerate((0.5, 6.9, 7.1, 8, 400)):
        kernel(tmp_path, f"{n}{digits[1:]}", age)
    for strange in ("kernel_0123", "0123456789abc"):
        (tmp_path / strange).mkdir()
        aged(tmp_path / strange, 400)
    tidy("dual_mode", tmp_path / f"f{digits[1:]}")
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"{c}{digits[1:]}" for c in "01f"} | {"kernel_0123", "0123456789abc"}
    tidy("dual_mode", tmp_path / f"2{digits[1:]}")
    assert {path.name for path in tmp_path.iterdir()} == left | {f"2{digits[1:]}"}


@pytest.mark.nojit
def test_old_versions_of_an_own_strategy_go_but_for_the_newest_few(tmp_path: Path) -> None:
    folder = tmp_path / compiler.DIGEST / "kernel_1234"
    folder.mkdir(parents=True)
    for n in range(6):
        name = f"mine_{n}123456789ab"
        for path in (folder / f"think.{name}.think-7.py311.nbi", folder.parent / f"{name}.used"):
            path.touch()
            aged(path, 10 - n)
    (folder / "think.metronome.think-7.py311.nbi").touch()
    tidy("mine_5123456789ab", folder.parent)
    assert {path.name for path in folder.iterdir()} == {
        "think.metronome.think-7.py311.nbi", *(f"think.mine_{n}123456789ab.think-7.py311.nbi" for n in (3, 4, 5)),
    }  # fmt: skip
    assert {path.stem for path in folder.parent.glob("*.used")} == {f"mine_{n}123456789ab" for n in (3, 4, 5)}
