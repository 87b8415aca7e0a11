from pathlib import Path

import trio

from tests.benchmarks import durability


def test_the_benchmark_of_durability_runs(tmp_path: Path) -> None:
    """Its figures are for a person, on a disk and a day of their choice."""
    for name, part in (
        ("durable", lambda at: durability.durable(at, 3, 1)),
        ("grouped", lambda at: durability.grouped(at, 2, 4)),
        ("wired", lambda at: durability.wired(at, 3, 1)),
    ):
        (tmp_path / name).mkdir()
        for what, figure, _ in trio.run(part, tmp_path / name):
            assert what
            assert figure
