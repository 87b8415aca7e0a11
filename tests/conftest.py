from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# The same examples each time, however long each takes.
settings.register_profile("tests", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"
# The files that take longest, in that order: begun last, one would keep a core busy while the other has nothing to do.
LONG = (
    "test_systemd", "test_control", "test_run", "test_real_ticks", "test_arms", "test_determinism", "test_cache",
    "test_short_nights", "test_replay_state", "test_kill", "test_every_effect", "test_signals", "test_replay_input",
    "test_sigkill", "test_halt", "test_trips", "test_named_mutants", "test_monitoring", "test_points", "test_parity",
    "test_tearsheet_browser", "test_commands", "test_parity_prefix", "test_parity_command", "test_known",
)  # fmt: skip
LEFT_OUT = pytest.StashKey[int]()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real market data, which no clone carries; a test that asks for it is marked `data`."""
    return DATA.resolve(strict=True)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """None beside this for files or tests that are named, nor with `-s`: so a debugger and prints have their place."""
    named = config.option.file_or_dir
    return 0 if config.option.capture == "no" or (named and not any(Path(n).is_dir() for n in named)) else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long files first; and without the data its tests are left out, and one line says so."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
    if DATA.is_dir():
        return
    without = [item for item in items if item.get_closest_marker("data")]
    config.stash[LEFT_OUT] = len(without)
    getattr(config, "workeroutput", {})["left_out"] = len(without)
    items[:] = [item for item in items if item not in without]
    config.hook.pytest_deselected(items=without)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of ours has ended, which has seen as many as the others."""
    node.config.stash[LEFT_OUT] = getattr(node, "workeroutput", {}).get("left_out", 0)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"skipped {config.stash[LEFT_OUT]} tests: ../shared/data is absent")
