from pathlib import Path

import pytest

from tests.store.story import written


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """All of the story, ours and the venue's."""
    for _ in written(tmp_path):
        pass
    return tmp_path
