from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / ".." / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not DATA.is_dir():
        for item in items:
            if item.get_closest_marker("data"):
                item.add_marker(pytest.mark.skip(reason="../shared/data is absent"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Real market data, which no clone carries: who asks for it is marked `data`, and skipped where it is absent."""
    return DATA.resolve()
