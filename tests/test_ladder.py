"""The import ladder: a module imports only from its own rung and from rungs below; the pure ones touch no world."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "fluxhero"

# Rungs from the ground up. Names within one rung are blind to each other.
RUNGS: list[set[str]] = [
    {"__init__"},
    {"messages", "section", "metrics", "logs", "ink"},
    {"config"},
    {"kernel", "ports"},
    {"core", "runtime", "exchange"},
    {"feeds", "brokers", "store"},
    {"actors"},
    {"lab", "operate", "outset", "world", "tally"},
    {"restore"},
    {"gauges"},
    {"house"},
    {"daemon"},
    {"hosted"},
    {"simulation", "replay", "service"},
    {"report"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, rung in enumerate(RUNGS) for name in rung}

# Beside the ladder: core decides with the kernel's numbers and the vocabulary alone, not even through ports; the kernel
# knows what a key is, for its strategies have some.
ONLY = {
    "core": {"core", "messages", "config", "kernel"},
    "kernel": {"kernel", "config", "section"},
    "config": {"section"},
    "section": set[str](),
    "messages": set[str](),
}
# Actors never import each other: they meet in messages.
HERMITS = {"actors"}

PURE = ("core", "kernel", "messages", "config", "section", "exchange")
IMPURE = {
    "trio", "anyio", "httpx", "time", "random", "secrets", "uuid", "sqlite3", "os", "socket", "threading", "asyncio",
    "structlog", "subprocess",
}  # fmt: skip
THREADLESS = ("actors", "core", "kernel", "exchange")

FILES = sorted(SRC.rglob("*.py"))


def _ids(path: Path) -> str:
    return str(path.relative_to(SRC))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "fluxhero":
                yield from (f"fluxhero.{alias.name}" for alias in node.names)
            else:
                yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _rung(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def _own(name: str) -> str:
    part = name.split(".")[1]
    return "__init__" if part.startswith("__version__") else part


@pytest.mark.parametrize("path", FILES, ids=_ids)
def test_imports_go_down_the_ladder(path: Path) -> None:
    rung = _rung(path)
    for name in _imports(path):
        if not name.startswith("fluxhero."):
            continue
        other = _own(name)
        assert other == rung or LEVEL[other] < LEVEL[rung], f"{rung} may not import {other}"
        if rung in ONLY:
            assert other in ONLY[rung] | {rung}, f"{rung} may not import {other}"
        if rung in HERMITS:
            assert other != rung, f"{path.name} imports its fellow {name}"


@pytest.mark.parametrize("path", [p for p in FILES if _rung(p) in PURE], ids=_ids)
def test_the_pure_know_no_clock_no_chance_and_no_io(path: Path) -> None:
    assert {name.split(".")[0] for name in _imports(path)} & IMPURE == set()


@pytest.mark.parametrize("path", [p for p in FILES if _rung(p) == "actors"], ids=_ids)
def test_actors_take_time_and_chance_from_ports(path: Path) -> None:
    banned = IMPURE - {"trio", "structlog"} - ({"os", "socket"} if path.name == "control.py" else set())
    assert {name.split(".")[0] for name in _imports(path)} & banned == set()
    source = path.read_text()
    assert "to_thread" not in source
    assert "trio.sleep" not in source
    assert "current_time" not in source


def test_every_package_stands_on_a_rung() -> None:
    assert {_rung(path) for path in FILES} <= LEVEL.keys()


def test_no_file_is_too_long_and_the_page_is_one() -> None:
    lengths = {_ids(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: n for name, n in lengths.items() if n > 500} == {}
    assert lengths["daemon.py"] <= 100


def test_the_control_client_loads_no_heavy_library() -> None:
    import subprocess

    script = (
        "import sys; from fluxhero.cli import main\n"
        "code = main(['ctl', '--state', '/nonexistent', 'status'])\n"
        "assert code == 69, code\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'numba', 'pyarrow', 'numpy', 'trio', 'httpx'}))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
