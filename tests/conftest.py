from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real market data, which no clone carries; a test that asks for it is marked `data`."""
    return DATA.resolve(strict=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the data its tests are left out, and one line says so."""
    if DATA.is_dir():
        return
    without = [item for item in items if item.get_closest_marker("data")]
    config.stash[LEFT_OUT] = len(without)
    items[:] = [item for item in items if item not in without]
    config.hook.pytest_deselected(items=without)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(f"skipped {config.stash[LEFT_OUT]} tests: ../shared/data is absent")


LEFT_OUT = pytest.StashKey[int]()
